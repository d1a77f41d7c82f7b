"""What the benchmarks of speed have in common: texts, a server to ask, numbers to print and to keep."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from grader import Item, ItemBank
from grader.text import sentences

_READY_WITHIN_S = 120.0
Row = tuple[Item, str]


def answers(bank: ItemBank, *, words: int, count: int, seed: int = 1) -> list[Row]:
    """Return made-up answers of a length: sentences of real answers to an item in any order, cut after so many words.

    No two of 60 words or more are alike; shorter ones may repeat where there are many.
    """
    chance = random.Random(seed)  # noqa: S311 no secret is at stake
    pool = {item.id: [s.text for r in bank.responses[item.id] for s in sentences(r.candidate_answer)] for item in bank}
    made: list[Row] = []
    for _ in range(count):
        item = chance.choice(bank.items)
        found: list[str] = []
        while len(found) < words:
            found += chance.choice(pool[item.id]).split()
        made.append((item, " ".join(found[:words])))
    return made


def marked_answers(bank: ItemBank, *, count: int, seed: int = 1) -> list[Row]:
    """Return so many of a bank's marked answers in any order, the blank ones left out; no two are alike."""
    rows = [
        (item, answer)
        for item in bank
        for answer in dict.fromkeys(r.candidate_answer for r in bank.responses[item.id])
        if answer.strip()
    ]
    return random.Random(seed).sample(rows, min(count, len(rows)))  # noqa: S311 as above


class Times(NamedTuple):
    """Milliseconds of requests, and the requests a second of all clients together."""

    p50: float
    p95: float
    p99: float
    rate: float


@contextmanager
def served(command: Sequence[str], ready: str, environment: dict[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Run a server until the block is left; yield its port and process id once `ready` answers with 200."""
    port = free_port()
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    try:
        until_ready(port, ready)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_ready(port: int, path: str) -> None:
    """Ask until a server answers with 200.

    Raises:
        TimeoutError: If it does not in two minutes.
    """
    end = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < end:
        try:
            if ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "GET", path) == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError("the server was not ready in two minutes")


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> int:
    """Send a request, read the whole answer, return its status."""
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    with connection.getresponse() as response:
        response.read()
        return response.status


def load(port: int, path: str, bodies: Sequence[bytes], *, clients: int) -> Times:
    """Send all bodies from so many clients at once, each with one request at a time on a connection that stays open.

    Raises:
        RuntimeError: If a request is not answered with 200.
    """
    shares = [bodies[number::clients] for number in range(clients)]

    def client(share: Sequence[bytes]) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        took = []
        for body in share:
            began = time.perf_counter()
            status = ask(connection, "POST", path, body)
            took.append((time.perf_counter() - began) * 1000)
            if status != http.HTTPStatus.OK:
                raise RuntimeError(f"{path} answered with {status}")
        return took

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        ordered = sorted(took for share in pool.map(client, shares) for took in share)
    rate = len(bodies) / (time.perf_counter() - began)
    return Times(percentile(ordered, 0.50), percentile(ordered, 0.95), percentile(ordered, 0.99), rate)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of ordered values lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def family_mb(pid: int) -> float:
    """Return the memory of a process and of all that it has started, in MB; a page that several of them share counts once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        children = [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    except OSError:  # it has just ended
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(family_mb(int(child)) for child in children)


def resident_mb(pid: int) -> dict[str, int]:
    """Return the resident memory of a process in MB: all of it, and the part that is not mapped from files."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {name: int(fields[key].split()[0]) // 1024 for name, key in (("all", "VmRSS"), ("own", "RssAnon"))}


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(f'{cell:.1f}' if isinstance(cell, float) else str(cell) for cell in row)} |")


def keep(path: Path | None, figures: dict[str, Any]) -> None:  # Any: JSON
    """Write figures with the machine they were measured on as JSON, if a file is named."""
    if path is not None:
        machine = {"cores": os.cpu_count(), "processor": _processor(), "python": sys.version.split()[0]}
        path.write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n", encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"
