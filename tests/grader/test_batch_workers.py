"""Tables graded in processes of their own: the same bytes, and no harm where one of them, or the one that started them, dies."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import Grader, ItemBank
from grader.batch import BatchError, GraderRecipe, WorkerProcesses, grade_file
from grader.batch.grading import CHUNK_ROWS
from grader.errors import EncoderError
from tests.child_processes import children_of

_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def source(shipped_bank: ItemBank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of eight chunks and a half, one row bad."""
    answers = [
        {"item_id": item.id, "candidate_answer": r.candidate_answer}
        for item in shipped_bank
        for r in shipped_bank.responses[item.id]
    ][: CHUNK_ROWS * 17 // 2]
    answers[3] = {"item_id": "nope", "candidate_answer": "x"}
    path = tmp_path_factory.mktemp("input") / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["item_id", "candidate_answer"])
        writer.writeheader()
        writer.writerows(answers)
    return path


@pytest.fixture(scope="module")
def expected(real_grader: Grader, shipped_bank: ItemBank, source: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return what a grader in this process makes of the table."""
    target = tmp_path_factory.mktemp("output") / "out.jsonl"
    grade_file(real_grader, shipped_bank, source, target)
    return target.read_bytes()


@pytest.fixture
def workers(grader_home: Path, shipped_bank: ItemBank) -> Iterator[WorkerProcesses]:
    with WorkerProcesses(GraderRecipe(home=grader_home), shipped_bank, workers=2) as processes:
        yield processes


def test_workers_give_the_bytes_and_counts_of_one_process(
    *, workers: WorkerProcesses, real_grader: Grader, shipped_bank: ItemBank, source: Path, expected: bytes, tmp_path: Path
) -> None:
    told: list[int] = []
    report = grade_file(workers, shipped_bank, source, tmp_path / "out.jsonl", on_progress=lambda done, _: told.append(done))
    assert (tmp_path / "out.jsonl").read_bytes() == expected
    assert report.failed == 1
    assert report.rows == told[-1] == CHUNK_ROWS * 17 // 2
    assert told == sorted(told)
    assert report.signature == real_grader.signature


def test_a_run_whose_worker_is_killed_says_so_and_is_gone_on_with(
    *, workers: WorkerProcesses, real_grader: Grader, shipped_bank: ItemBank, source: Path, expected: bytes, tmp_path: Path
) -> None:
    def kill_one(done: int, _total: int) -> None:
        if done == CHUNK_ROWS:
            victim = multiprocessing.active_children()[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)

    target = tmp_path / "out.jsonl"
    with pytest.raises(BatchError, match="worker process ended by itself"):
        grade_file(workers, shipped_bank, source, target, on_progress=kill_one)
    assert not target.exists()
    report = grade_file(real_grader, shipped_bank, source, target, resume=True)
    assert report.resumed_rows >= CHUNK_ROWS
    assert target.read_bytes() == expected


def test_workers_that_cannot_open_their_grader_say_why(shipped_bank: ItemBank, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no prepared model"):
        WorkerProcesses(GraderRecipe(home=tmp_path), shipped_bank, workers=1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes the way Linux shows them")
def test_workers_end_with_the_run_that_is_killed(grader_home: Path, source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grader", "batch", str(source), str(tmp_path / "out.jsonl"), "--workers", "2"]
    run = subprocess.Popen([*command, "--home", str(grader_home)], stderr=subprocess.DEVNULL)
    note = tmp_path / "out.jsonl.part.json"
    _wait_until(lambda: note.exists() and json.loads(note.read_text(encoding="utf-8"))["rows"] > 0)
    children = children_of(run.pid)
    assert len(children) >= 2
    run.kill()
    run.wait()
    _wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
