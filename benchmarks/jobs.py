"""How fast a job is beside `grader batch` on the same table, and how much memory the server and its second process take for it.

Run `python -m benchmarks.jobs [--rows 10000] [--batch-rows N] [--json FILE]`; it starts a server of its own on a free port of
this machine, with a SQLite database in a folder that is removed, and stops it again. Both grade the same table with the same
prepared encoder, one after the other; with `--batch-rows` the command line gets the first so many rows only, as its rate does
not depend on how many there are. Answers are the shipped bank's marked responses; each is made a text of its own by a number at
its end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.measuring import family_mb
from grader import ItemBank, default_bank_dir

_POLL_S = 0.2
_LOOK_S = 1.0
_PATIENCE_S = 4 * 3_600


def write_table(path: Path, rows: int) -> None:
    """Write a table of so many answers to the items of the shipped bank, no two of them alike."""
    bank = ItemBank.from_directory(default_bank_dir())
    answers = [(item.id, response.candidate_answer) for item in bank for response in bank.responses[item.id]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "candidate_answer"])
        for number in range(rows):
            item_id, answer = answers[number % len(answers)]
            writer.writerow([item_id, f"{answer} ({number})"])


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a server with a database in a folder; give its address and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADER_DATABASE_URL": f"sqlite:///{folder / 'jobs.sqlite'}", "GRADER_LOG_LEVEL": "error"}
    server = subprocess.Popen([sys.executable, "-m", "grader", "serve", "--port", str(port)], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_ready(address))
        yield address, server.pid
    finally:
        server.terminate()
        server.wait()


def is_ready(address: str) -> bool:
    """Tell whether a server answers that it can grade."""
    try:
        return httpx2.get(f"{address}/readyz").is_success
    except httpx2.HTTPError:
        return False


def wait_for(condition: Callable[[], bool], *, every_s: float = _POLL_S) -> None:
    """Wait until a condition holds, for four hours at most."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("nothing happens any more")
        time.sleep(every_s)


def time_job(table: Path, folder: Path) -> dict[str, float]:
    """Return how long a job takes from its upload to its last row, and the most memory that what grades it takes."""
    looks: list[float] = []
    with serving(folder) as (address, pid):
        began = time.perf_counter()
        upload = httpx2.post(
            f"{address}/v1/jobs", content=table.read_bytes(), headers={"content-type": "text/csv"}, timeout=600
        ).raise_for_status()
        taken_in = time.perf_counter() - began
        job_id = upload.json()["id"]
        # One client for all looks: to make one takes 20 ms of a core that is being measured.
        with httpx2.Client(base_url=address, timeout=60) as client:

            def is_finished() -> bool:
                looks.append(family_mb(pid))
                return bool(client.get(f"/v1/jobs/{job_id}").json()["state"] == "finished")

            wait_for(is_finished, every_s=_LOOK_S)
        return {"upload_s": taken_in, "seconds": time.perf_counter() - began, "peak_mb": max(looks)}


def time_batch(table: Path, folder: Path) -> dict[str, float]:
    """Return how long the command line takes, its start included, which takes a second or two."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "grader", "batch", str(table), str(folder / "out.csv")], check=True, capture_output=True
    )
    return {"seconds": time.perf_counter() - began}


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--batch-rows", type=int, help="as many as --rows, if not given")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    batch_rows = arguments.batch_rows or arguments.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "batch.csv", batch_rows)
        write_table(folder / "job.csv", arguments.rows)
        batch_rate = batch_rows / time_batch(folder / "batch.csv", folder)["seconds"]
        print(f"grader batch: {batch_rate:.1f} rows a second", flush=True)
        job = time_job(folder / "job.csv", folder)
    job_rate = arguments.rows / job["seconds"]
    figures = {
        "rows": arguments.rows,
        "batch_rows": batch_rows,
        "batch_rows_per_second": batch_rate,
        "job_rows_per_second": job_rate,
        "ratio": job_rate / batch_rate,
        "upload_seconds": job["upload_s"],
        "peak_mb": job["peak_mb"],
    }
    print("| | |\n|---|---|")
    for what, value in figures.items():
        print(f"| {what.replace('_', ' ')} | {value:.2f} |" if isinstance(value, float) else f"| {what} | {value} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
