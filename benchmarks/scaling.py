"""How `grader batch` grows with rows and with processes, and how start and grade grow with the bank.

    python -m benchmarks.scaling [--rows N ...] [--new SHARE] [--bank N ...] [--words N] [--engine local ray] [--json FILE]

Every answer is new, or with `--new` such a share of them, whatever the number of rows: the others are each one of the last
thousand. Rates are without the start, which is the time that a table of one row takes. Memory is the most that the command and
its processes held together, pages that they share counted once (Linux's proportional set size).

A bank of N items is a folder with the shipped ones under other ids, with another question each. Its first start reads and embeds
it; then a start until the first grade, as a server goes about it but without what it imports, the time until `grader serve` is
ready, and its memory then. Grades are of a hundred items: the first one of each, which makes its profile, and those that follow.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from platformdirs import user_cache_path

from benchmarks.measuring import Row, answers, family_mb, keep, resident_mb, served, show
from grader import Grader, ItemBank, default_bank_dir, open_bank
from grader.encoders import DEFAULT_PRECISION

_ROWS_WRITTEN_AT_ONCE = 5_000
# Answers that may be repeated are among so many last ones.
_LAST = 1_000
_LOOK_S = 0.5
# Times that each item is graded: once anew, and then by the profile that was made.
_TURNS = 4


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--new", type=float, default=1.0, help="share of the rows whose answer was not there before")
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
            row
            for workers in arguments.workers
            for engine in arguments.engine
            for row in _batches(bank, Path(folder), arguments, workers, engine)
        ]
    columns = ["rows", "processes", "engine", "start s", "seconds", "rows/s", "MB at most"]
    show(f"`grader batch`, {arguments.words} words, {arguments.precision}, {arguments.new:.0%} new", columns, rows)
    grown = [_with_bank(bank, arguments.home, n) for n in arguments.bank]
    of_banks = ["items", "first start s", "start s", "server ready s", "server MB", "first grade ms", "grade ms"]
    show("Banks", of_banks, grown)
    tables = {"rows": (columns, rows), "banks": (of_banks, grown)}
    keep(
        arguments.json, {name: [dict(zip(titles, row, strict=True)) for row in table] for name, (titles, table) in tables.items()}
    )


def _batches(bank: ItemBank, folder: Path, arguments: argparse.Namespace, workers: int, engine: str) -> list[list[Any]]:
    """Return the rows of the table for a number of workers of an engine."""
    start, _ = _batch(bank, folder, arguments, 1, workers, engine)
    made = []
    for count in arguments.rows:
        seconds, most = _batch(bank, folder, arguments, count, workers, engine)
        made.append([count, workers, engine, start, seconds, (count - 1) / (seconds - start), most])
    return made


def _batch(  # noqa: PLR0917 what a run is made of
    bank: ItemBank, folder: Path, arguments: argparse.Namespace, count: int, workers: int, engine: str
) -> tuple[float, float]:
    """Return how long a run takes, in seconds, and its memory in MB."""
    source, target = folder / f"{count}.parquet", folder / f"{count}-{workers}-{engine}.parquet"
    if not source.exists():
        _write_rows(bank, source, count, words=arguments.words, new=arguments.new)
    command = [sys.executable, "-m", "grader", "batch", str(source), str(target), "--home", str(arguments.home)]
    began = time.perf_counter()
    run = subprocess.Popen(
        [*command, "--workers", str(workers), "--engine", engine, "--precision", arguments.precision], stderr=subprocess.DEVNULL
    )
    most = 0.0
    while run.poll() is None:
        most = max(most, family_mb(run.pid))
        time.sleep(_LOOK_S)
    return time.perf_counter() - began, most


def _write_rows(bank: ItemBank, source: Path, count: int, *, words: int, new: float) -> None:
    """Write a table of so many answers."""
    chance = random.Random(count)  # noqa: S311 no secret is at stake
    last: deque[Row] = deque(maxlen=_LAST)
    schema = pa.schema([("item_id", pa.string()), ("candidate_answer", pa.string())])
    with pq.ParquetWriter(source, schema) as writer:
        for start in range(0, count, _ROWS_WRITTEN_AT_ONCE):
            fresh = iter(answers(bank, words=words, count=_ROWS_WRITTEN_AT_ONCE, seed=start))
            rows: list[Row] = []
            for _ in range(min(_ROWS_WRITTEN_AT_ONCE, count - start)):
                if last and chance.random() >= new:
                    rows.append(chance.choice(last))
                else:
                    last.append(next(fresh))
                    rows.append(last[-1])
            columns = [[item.id for item, _ in rows], [answer for _, answer in rows]]
            writer.write_table(pa.table([pa.array(column) for column in columns], schema=schema))


def _with_bank(bank: ItemBank, home: Path, count: int) -> list[Any]:
    """Return the row of a bank of so many items."""
    answer = bank.items[0].reference_answers[0].text
    with tempfile.TemporaryDirectory() as name:
        folder, own_home = Path(name) / "bank", Path(name) / "home"
        _write_bank(bank, folder, count)
        own_home.mkdir()
        (own_home / "encoder").symlink_to(home.resolve() / "encoder")
        began = time.perf_counter()
        _started(folder, own_home)[1].close()
        first_start = time.perf_counter() - began
        began = time.perf_counter()
        opened, grader = _started(folder, own_home)
        grader.grade(opened.items[0], answer)
        start = time.perf_counter() - began
        ids = [head.id for head in opened.heads[1 :: max(1, count // 100)][:100]]
        took = [
            _grade_ms(grader, opened, [(item_id, f"{turn} {number} {answer}") for number, item_id in enumerate(ids)])
            for turn in range(_TURNS)
        ]
        grader.close()
        began = time.perf_counter()
        command = [sys.executable, "-m", "grader", "serve", "--bank", str(folder), "--home", str(own_home)]
        with served(command, "/readyz") as (_, pid):
            ready = time.perf_counter() - began
            memory = resident_mb(pid)["all"]
    return [count, first_start, start, ready, memory, took[0], statistics.median(took[1:])]


def _write_bank(bank: ItemBank, folder: Path, count: int) -> None:
    folder.mkdir()
    (folder / "VERSION").write_text("1\n", encoding="utf-8")
    texts = [
        yaml.dump(item.model_dump(mode="json") | {"id": "ID", "question": f"(NUMBER) {item.question}"}, Dumper=yaml.CSafeDumper)
        for item in bank
    ]
    for n in range(count):
        text = texts[n % len(texts)].replace("id: ID\n", f"id: item-{n}\n").replace("(NUMBER)", f"({n})")
        (folder / f"item-{n}.item.yaml").write_text(text, encoding="utf-8")


def _started(folder: Path, home: Path) -> tuple[ItemBank, Grader]:
    """Open a bank and a grader that has embedded it, as a server does when it starts."""
    bank = open_bank(folder, home=home)
    grader = Grader.from_directory(home, prepare=False)
    grader.embed(bank)
    return bank, grader


def _grade_ms(grader: Grader, bank: ItemBank, rows: Sequence[tuple[str, str]]) -> float:
    """Return the milliseconds for an answer in the mean, each item looked up by its id."""
    began = time.perf_counter()
    for item_id, answer in rows:
        grader.grade(bank.get(item_id), answer)
    return (time.perf_counter() - began) / len(rows) * 1000


if __name__ == "__main__":
    main()
