"""The second process of large jobs: the same results, at one thing at a time, and only as long as it is needed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Event

import pytest

from api.jobs.second_process import SecondProcess, second_process
from api.settings import Settings
from grader import Grader, ItemBank
from grader.batch import GraderRecipe


def test_it_gives_the_bytes_of_the_first_process(real_grader: Grader, shipped_bank: ItemBank, grader_home: Path) -> None:
    pairs = [(item, response.candidate_answer) for item in shipped_bank for response in shipped_bank.responses[item.id][:1]]
    second = SecondProcess(GraderRecipe(home=grader_home), shipped_bank)
    try:
        found = second.try_grade(real_grader.signature, pairs)
        assert found is not None
        assert [result.to_json() for result in found] == [result.to_json() for result in real_grader.grade_many(pairs)]
        assert second.try_grade("another grader", pairs) is None
    finally:
        second.close()
    assert second.try_grade(real_grader.signature, pairs) is None


class Idle:
    """Processes that are at something until told."""

    signature = "grader"

    def __init__(self, *_: object, workers: int, ends_when_told: bool) -> None:
        assert (workers, ends_when_told) == (1, False)
        self.begun, self.end, self.closed = Event(), Event(), Event()
        STARTED.append(self)

    def grade_pairs(self, pairs: list[object]) -> list[object]:
        self.begun.set()
        assert self.end.wait(30)
        return pairs

    def close(self) -> None:
        self.closed.set()


STARTED: list[Idle] = []


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[Idle]:
    STARTED.clear()
    monkeypatch.setattr("api.jobs.second_process.WorkerProcesses", Idle)
    return STARTED


def test_it_is_at_one_thing_at_a_time_and_ends_when_there_is_nothing(
    idle: list[Idle], shipped_bank: ItemBank, tmp_path: Path
) -> None:
    second = SecondProcess(GraderRecipe(home=tmp_path), shipped_bank, idle_s=0.2)
    assert idle == [], "nothing is started before there is work"
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(second.try_grade, "grader", [])
        while not idle:
            time.sleep(0.01)
        assert idle[0].begun.wait(30)
        assert second.try_grade("grader", []) is None
        # Its time is over, and it is at work.
        assert not idle[0].closed.wait(0.4)
        idle[0].end.set()
        assert busy.result() == []
        assert second.try_grade("grader", []) == []
    assert idle[0].closed.wait(30)
    assert len(idle) == 1
    second.close()


def test_one_that_cannot_be_started_is_done_without(shipped_bank: ItemBank, tmp_path: Path) -> None:
    second = SecondProcess(GraderRecipe(home=tmp_path), shipped_bank)
    assert second.try_grade("grader", []) is None
    second.close()


def test_one_that_dies_as_it_starts_is_done_without_for_a_while(
    monkeypatch: pytest.MonkeyPatch, idle: list[Idle], shipped_bank: ItemBank, tmp_path: Path
) -> None:
    tries: list[None] = []

    def dying_once(*_: object, **__: object) -> Idle:
        tries.append(None)
        if len(tries) == 1:
            raise BrokenProcessPool
        made = Idle(workers=1, ends_when_told=False)
        made.end.set()
        return made

    monkeypatch.setattr("api.jobs.second_process.WorkerProcesses", dying_once)
    second = SecondProcess(GraderRecipe(home=tmp_path), shipped_bank, rest_s=0.5)
    assert second.try_grade("grader", []) is None
    assert second.try_grade("grader", []) is None
    assert len(tries) == 1, "it is not tried again at once"
    time.sleep(0.6)
    assert second.try_grade("grader", []) == []
    second.close()
    assert idle[0].closed.is_set()


@pytest.mark.parametrize(("wanted", "threads", "is_there"), [(True, 2, True), (False, 2, False), (True, 1, False)])
def test_there_is_one_where_it_is_wanted_and_has_a_core(
    wanted: bool, threads: int, is_there: bool, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    settings = Settings(second_process=wanted, threads=threads)
    assert (second_process(settings, tmp_path, shipped_bank) is not None) is is_there
