"""How `grader batch` grows with rows and with processes, and how start and grade grow with the bank.

    python -m benchmarks.scaling [--rows N ...] [--bank N ...] [--words N] [--engine local ray] [--json FILE]

Rows are drawn from 5,000 distinct answers, so larger tables repeat them; every chunk of 32 rows is encoded anew. Memory is the
most that the command and its processes held together, pages that they share counted once (Linux's proportional set size). Larger
banks hold the shipped items under other ids, with another question each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from platformdirs import user_cache_path

from benchmarks.measuring import answers, family_mb, keep, show
from grader import Grader, ItemBank, default_bank_dir
from grader.encoders import DEFAULT_PRECISION

_DISTINCT = 5_000
_LOOK_S = 0.5


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    parser.add_argument("--engine", choices=["local", "ray"], nargs="*", default=["local"], help="ray needs the extra `ray`")
    parser.add_argument("--precision", choices=["fp32", "int8"], default=DEFAULT_PRECISION)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--bank", type=int, nargs="*", default=[30, 1_000, 10_000])
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bank = ItemBank.from_directory(default_bank_dir())
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _batch(bank, Path(folder), arguments.home, n, workers, engine, arguments.precision, arguments.words)
            for n in arguments.rows
            for workers in arguments.workers
            for engine in arguments.engine
        ]
    columns = ["rows", "processes", "engine", "seconds", "rows/s", "MB at most"]
    show(f"`grader batch`, {arguments.words} words, {arguments.precision}", columns, rows)
    grown = [_with_bank(bank, arguments.home, n) for n in arguments.bank]
    show("Banks", ["items", "first embedding s", "start s", "grade ms"], grown)
    keep(arguments.json, {"rows": [dict(zip(columns, row, strict=True)) for row in rows], "banks": grown})


def _batch(  # noqa: PLR0917 one row of the table
    bank: ItemBank, folder: Path, home: Path, count: int, workers: int, engine: str, precision: str, words: int
) -> list[Any]:
    source, target = folder / f"{count}.parquet", folder / f"{count}-{workers}-{engine}.parquet"
    distinct = answers(bank, words=words, count=min(count, _DISTINCT))
    schema = pa.schema([("item_id", pa.string()), ("candidate_answer", pa.string())])
    with pq.ParquetWriter(source, schema) as writer:
        for start in range(0, count, _DISTINCT):
            part = [(item.id, answer) for item, answer in distinct[: count - start]]
            writer.write_table(pa.table([pa.array(column) for column in zip(*part, strict=True)], schema=schema))
    command = [sys.executable, "-m", "grader", "batch", str(source), str(target), "--home", str(home)]
    began = time.perf_counter()
    run = subprocess.Popen(
        [*command, "--workers", str(workers), "--engine", engine, "--precision", precision], stderr=subprocess.DEVNULL
    )
    most = 0.0
    while run.poll() is None:
        most = max(most, family_mb(run.pid))
        time.sleep(_LOOK_S)
    seconds = time.perf_counter() - began
    return [count, workers, engine, seconds, count / seconds, most]


def _with_bank(bank: ItemBank, home: Path, count: int) -> Sequence[Any]:
    """Return the figures of a bank of so many items: until it is embedded, until it can be graded against, and a grade."""
    shipped = list(bank)
    items = []
    for n in range(count):
        item = shipped[n % len(shipped)]
        items.append(item.model_copy(update={"id": f"item-{n}", "question": f"({n}) {item.question}"}))
    began = time.perf_counter()
    with_store = Grader.from_directory(home)
    with_store.embed(items)
    embedded = time.perf_counter() - began
    with_store.close()
    began = time.perf_counter()
    grader = Grader.from_directory(home)
    answer = shipped[0].reference_answers[0].text
    grader.grade(items[0], answer)
    start = time.perf_counter() - began
    chosen = items[:: max(1, count // 100)][:100]
    for item in chosen:
        grader.grade(item, answer)
    began = time.perf_counter()
    for n, item in enumerate(chosen):
        grader.grade(item, f"{n} {answer}")
    took = (time.perf_counter() - began) / len(chosen) * 1000
    grader.close()
    return [count, embedded, start, took]


if __name__ == "__main__":
    main()
