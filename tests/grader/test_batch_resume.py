"""Runs that are killed and go on: the finished file is the same to the byte as that of a run that never stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grader import Grader, ItemBank
from grader.batch import BatchError, BatchReport, grade_file
from grader.batch.grading import CHUNK_ROWS

# The kinds of answer with the fewest sentences, so that a chunk takes well under a second.
_KINDS = ("terse", "keyword_heap", "question_repeated")
_PATIENCE_S = 60.0
FORMATS = ["csv", "jsonl", "parquet"]


@pytest.fixture(scope="module")
def rows(shipped_bank: ItemBank) -> list[dict[str, str]]:
    """Return two chunks and a half of rows, some of them bad, with line ends, quotes and letters of several bytes inside."""
    answers = [
        {"name": f'Zoë "{r.kind}"\n№ {n}', "item_id": item.id, "candidate_answer": r.candidate_answer}
        for item in shipped_bank
        for n, r in enumerate(shipped_bank.responses[item.id])
        if r.kind in _KINDS
    ]
    chosen = answers[: CHUNK_ROWS * 5 // 2]
    chosen[5] = chosen[5] | {"item_id": "nope"}
    chosen[CHUNK_ROWS + 5] = chosen[CHUNK_ROWS + 5] | {"candidate_answer": 'two\nlines, "quoted"'}
    return chosen


@pytest.fixture(scope="module")
def source(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a chunk and a half of the rows as a file of a format."""
    rows = rows[: CHUNK_ROWS * 3 // 2]
    folder = tmp_path_factory.mktemp("input")
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "in.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), folder / "in.parquet")
    return lambda kind: folder / f"in.{kind}"


class _Killed(BaseException):
    """Stands for the end of the process."""


def run(
    grader: Grader, bank: ItemBank, source: Path, target: Path, *, resume: bool = False, stop_at: int | None = None
) -> BatchReport:
    def stop(done: int, _total: int) -> None:
        if stop_at is not None and done >= stop_at:
            raise _Killed

    return grade_file(grader, bank, source, target, resume=resume, on_progress=stop)


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def note_of(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


def noted_rows(target: Path) -> int:
    try:
        return int(json.loads(note_of(target).read_text(encoding="utf-8"))["rows"])
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_run_killed_in_the_middle_of_a_line_goes_on_to_the_same_bytes(
    *,
    real_grader: Grader,
    shipped_bank: ItemBank,
    grader_home: Path,
    source: Callable[[str], Path],
    tmp_path: Path,
    kind: str,
) -> None:
    whole, target = tmp_path / f"whole.{kind}", tmp_path / f"out.{kind}"
    run(real_grader, shipped_bank, source(kind), whole)
    command = [sys.executable, "-m", "grader", "batch", str(source(kind)), str(target), "--home", str(grader_home)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + _PATIENCE_S
        while noted_rows(target) < CHUNK_ROWS and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert noted_rows(target) == CHUNK_ROWS
    assert not target.exists()
    with part_of(target).open("ab") as file:
        file.write(b'"half a line, with a quote and half of a letter \xc3')

    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    finished = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "from the stopped run" in finished.stderr
    assert target.read_bytes() == whole.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([whole.name, target.name])


def test_a_run_can_be_stopped_at_every_chunk(
    real_grader: Grader, shipped_bank: ItemBank, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """Most answers are blank, which takes no time; the counts go on too."""
    source, whole, target = tmp_path / "in.jsonl", tmp_path / "whole.csv", tmp_path / "out.csv"
    chosen = [row if n % 8 == 5 else row | {"candidate_answer": ""} for n, row in enumerate(rows)]
    source.write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")
    report = run(real_grader, shipped_bank, source, whole)
    for chunk in range(3):
        with pytest.raises(_Killed):
            run(real_grader, shipped_bank, source, target, resume=True, stop_at=chunk * CHUNK_ROWS)
        assert noted_rows(target) == chunk * CHUNK_ROWS
    resumed = run(real_grader, shipped_bank, source, target, resume=True)
    assert target.read_bytes() == whole.read_bytes()
    assert resumed.resumed_rows == 2 * CHUNK_ROWS
    assert (resumed.rows, resumed.failed, resumed.needs_review) == (len(rows), 1, report.needs_review)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a table of one chunk and one row, the first chunk of which is blank answers and so takes no time."""
    path = tmp_path / "in.csv"
    lines = ["item_id,candidate_answer", *["dropout,"] * CHUNK_ROWS, "dropout,It switches off neurons."]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def stopped(real_grader: Grader, shipped_bank: ItemBank, small: Path, tmp_path: Path) -> Path:
    """Return the target of a run that was stopped after its first chunk."""
    target = tmp_path / "out.csv"
    with pytest.raises(_Killed):
        run(real_grader, shipped_bank, small, target, stop_at=CHUNK_ROWS)
    return target


def test_another_input_is_not_gone_on_with(real_grader: Grader, shipped_bank: ItemBank, small: Path, stopped: Path) -> None:
    small.write_text(small.read_text(encoding="utf-8").replace("neurons", "Neurons"), encoding="utf-8")
    with pytest.raises(BatchError, match="The input is not that of the stopped run"):
        run(real_grader, shipped_bank, small, stopped, resume=True)
    assert part_of(stopped).exists()


def test_another_bank_is_not_gone_on_with(real_grader: Grader, shipped_bank: ItemBank, small: Path, stopped: Path) -> None:
    other = ItemBank(version=shipped_bank.version, items=shipped_bank.items[1:], responses={})
    with pytest.raises(BatchError, match="The bank is not that"):
        run(real_grader, other, small, stopped, resume=True)


def test_another_grader_is_not_gone_on_with(real_grader: Grader, shipped_bank: ItemBank, small: Path, stopped: Path) -> None:
    note = json.loads(note_of(stopped).read_text(encoding="utf-8"))
    note_of(stopped).write_text(json.dumps(note | {"signature": "grader-0.0.0"}), encoding="utf-8")
    with pytest.raises(BatchError, match="The grader is not that"):
        run(real_grader, shipped_bank, small, stopped, resume=True)


@pytest.mark.parametrize("damage", ["cut part", "no note", "broken note"])
def test_a_damaged_run_is_not_gone_on_with_but_can_be_started_again(
    real_grader: Grader, shipped_bank: ItemBank, small: Path, stopped: Path, damage: str
) -> None:
    if damage == "cut part":
        os.truncate(part_of(stopped), 10)
    elif damage == "no note":
        note_of(stopped).unlink()
    else:
        note_of(stopped).write_text('{"rows": ', encoding="utf-8")
    with pytest.raises(BatchError, match="cannot be continued; --force starts again"):
        run(real_grader, shipped_bank, small, stopped, resume=True)
    report = grade_file(real_grader, shipped_bank, small, stopped, force=True)
    assert (report.rows, report.resumed_rows) == (CHUNK_ROWS + 1, 0)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_kill_between_the_last_steps_is_gone_on_with(
    *, real_grader: Grader, shipped_bank: ItemBank, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The output has its name, but the process ends before part and note are removed."""
    target = tmp_path / f"out.{kind}"

    def killed(*_: object, **__: object) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(_Killed):
            run(real_grader, shipped_bank, small, target)
    before = target.read_bytes()
    report = run(real_grader, shipped_bank, small, target, resume=True)
    assert (report.rows, report.resumed_rows) == (CHUNK_ROWS + 1, CHUNK_ROWS + 1)
    assert target.read_bytes() == before
    assert not note_of(target).exists()
    assert not part_of(target).exists()


def test_resume_without_a_stopped_run_starts_one(
    real_grader: Grader, shipped_bank: ItemBank, small: Path, tmp_path: Path
) -> None:
    assert run(real_grader, shipped_bank, small, tmp_path / "new.csv", resume=True).rows == CHUNK_ROWS + 1


def test_two_runs_cannot_write_one_output(real_grader: Grader, shipped_bank: ItemBank, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def second_run(_done: int, _total: int) -> None:
        grade_file(real_grader, shipped_bank, small, target, resume=True)

    with pytest.raises(BatchError, match="Another run is writing"):
        grade_file(real_grader, shipped_bank, small, target, on_progress=second_run)
