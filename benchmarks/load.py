"""Many clients at once on one server: what they are answered, how memory goes, and whether health checks are answered in time.

    python -m benchmarks.load [--users 200] [--seconds 120] [--json FILE]

Needs the extra `load`. Starts a server of its own on a free loopback port, with a key and a SQLite database in a folder that is
removed, and `locust` with `benchmarks/locustfile.py` beside it; clients and server share this machine's cores. Meanwhile `/livez`
is asked ten times a second and the server's memory is read every second, from a process of their own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.jobs import serving

_PROBE_S = 0.1
_MEMORY_S = 1.0
_WARM_UP_S = 30
_CURVE_S = 10
_LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def make_key(folder: Path) -> str:
    """Return a key to grade with, whose rate limit is no matter here."""
    command = [sys.executable, "-m", "grader", "keys", "create", "--scope", "grade", "--rate-limit", "10000000/minute"]
    environment = {**os.environ, "GRADER_DATABASE_URL": f"sqlite:///{folder / 'jobs.sqlite'}"}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def start_clients(address: str, key: str, users: int, seconds: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start the clients; they stop by themselves."""
    command = [
        sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary", "--host", address,
        "--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds}s", "--csv", str(folder / "load"),
    ]  # fmt: skip
    return subprocess.Popen(command, env={**os.environ, "GRADER_KEY": key}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in MB, as Linux tells it."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")


def is_alive(port: int) -> bool:
    """Ask for a sign of life, on a connection of its own, as a monitor does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200  # noqa: PLR2004 the good answer
    finally:
        connection.close()


def watch(clients: subprocess.Popen[bytes], port: int, pid: int) -> tuple[list[float], list[tuple[float, float]], int]:
    """Return how long health checks took in ms, the memory at each second, and how many checks failed, until the clients end."""
    took: list[float] = []
    memory: list[tuple[float, float]] = []
    failed = 0
    began = time.monotonic()
    while clients.poll() is None:
        asked = time.perf_counter()
        failed += not is_alive(port)
        took.append((time.perf_counter() - asked) * 1000)
        seconds = time.monotonic() - began
        if seconds >= len(memory) * _MEMORY_S:
            memory.append((seconds, memory_mb(pid)))
        time.sleep(max(0.0, _PROBE_S - (time.perf_counter() - asked)))
    return took, memory, failed


def requests_table(folder: Path) -> list[dict[str, str]]:
    """Return what locust counted, one row for each kind of request and answer."""
    with (folder / "load_stats.csv").open(newline="", encoding="utf-8") as file:
        return [{**row, "Name": row["Name"] or "all"} for row in csv.DictReader(file)]


def print_tables(
    rows: list[dict[str, str]], took: list[float], memory: list[tuple[float, float]], failed: int
) -> dict[str, float]:
    """Print what was measured, and return the figures that matter."""
    print("| request | answered | failed | a second | median ms | 95 % ms | longest ms |\n|---|---|---|---|---|---|---|")
    columns = ("Request Count", "Failure Count", "Requests/s", "50%", "95%", "Max Response Time")
    for row in rows:
        print(f"| {row['Type']} {row['Name']} | " + " | ".join(f"{float(row[c]):.1f}".removesuffix(".0") for c in columns) + " |")
    print("\n| seconds | " + " | ".join(f"{s:.0f}" for s, _ in memory[::_CURVE_S]) + " |")
    print("|---" * (len(memory[::_CURVE_S]) + 1) + "|")
    print("| memory, MB | " + " | ".join(f"{mb:.0f}" for _, mb in memory[::_CURVE_S]) + " |\n")
    warm = [mb for seconds, mb in memory if seconds >= _WARM_UP_S]
    fifth = max(1, len(warm) // 5)
    ordered = sorted(took)
    figures = {
        "requests": float(rows[-1]["Request Count"]),
        "failures": float(rows[-1]["Failure Count"]),
        "health_checks": len(took),
        "health_checks_failed": failed,
        "health_median_ms": statistics.median(took),
        "health_99_percent_ms": ordered[int(len(ordered) * 0.99)],
        "health_longest_ms": ordered[-1],
        "memory_after_half_a_minute_mb": statistics.median(warm[:fifth]),
        "memory_at_the_end_mb": statistics.median(warm[-fifth:]),
        "memory_peak_mb": max(mb for _, mb in memory),
    }
    for what, value in figures.items():
        print(f"{what.replace('_', ' ')}: {value:.1f}".removesuffix(".0"))
    return figures


def main() -> None:
    """Print what was answered, the memory over time, and how health checks fared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = make_key(folder)
        with serving(folder) as (address, pid):
            clients = start_clients(address, key, arguments.users, arguments.seconds, folder)
            took, memory, failed = watch(clients, int(address.rpartition(":")[2]), pid)
        figures = print_tables(requests_table(folder), took, memory, failed)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
