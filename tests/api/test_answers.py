"""An answer that comes again is graded once, for each tenant, for a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.answers import RepeatedAnswers
from grader import Gradable, Grader, GradingResult, InvalidAnswerError, ItemBank

ANSWER = "Random neurons are switched off during training."


class CountingGrader:
    """The real grader behind a gate, counting what goes through."""

    def __init__(self, grader: Grader) -> None:
        self.grader = grader
        self.signature = grader.signature
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str] = []

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        self.asked.append(candidate_answer)
        assert self.gate.wait(30)
        return self.grader.grade(item, candidate_answer)


@pytest.fixture
def counting(real_grader: Grader) -> Grader:
    return CountingGrader(real_grader)  # type: ignore[return-value]  # as far as it is asked, it is one


@pytest.fixture
def item(shipped_bank: ItemBank) -> Gradable:
    return shipped_bank.get("dropout")


def asked(grader: Grader) -> list[str]:
    found: list[str] = vars(grader)["asked"]
    return found


def test_the_same_answer_is_graded_once_and_gives_the_same_bytes(counting: Grader, real_grader: Grader, item: Gradable) -> None:
    answers = RepeatedAnswers()
    results = [answers.grade(counting, "a", item, ANSWER) for _ in range(3)]
    assert {result.to_json() for result in results} == {real_grader.grade(item, ANSWER).to_json()}
    assert asked(counting) == [ANSWER]
    assert (answers.graded, answers.hits, answers.joined) == (1, 2, 0)


def test_another_answer_item_tenant_or_signature_is_another_matter(
    counting: Grader, item: Gradable, shipped_bank: ItemBank
) -> None:
    answers = RepeatedAnswers()
    answers.grade(counting, "a", item, ANSWER)
    answers.grade(counting, "a", item, ANSWER + " ")
    answers.grade(counting, "a", shipped_bank.get("overfitting"), ANSWER)
    answers.grade(counting, "b", item, ANSWER)
    vars(counting)["signature"] = "another"
    answers.grade(counting, "a", item, ANSWER)
    assert answers.graded == len(asked(counting)) == 5


def test_an_answer_that_is_being_graded_is_waited_for(counting: Grader, item: Gradable) -> None:
    answers = RepeatedAnswers()
    gate: threading.Event = vars(counting)["gate"]
    gate.clear()
    with ThreadPoolExecutor(3) as pool:
        pending = [pool.submit(answers.grade, counting, "a", item, ANSWER) for _ in range(3)]
        end = time.monotonic() + 30
        while answers.joined < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        gate.set()
        assert len({future.result().to_json() for future in pending}) == 1
    assert asked(counting) == [ANSWER]


def test_an_error_is_everybodys_and_is_not_remembered(real_grader: Grader, item: Gradable) -> None:
    answers = RepeatedAnswers()
    for _ in range(2):
        with pytest.raises(InvalidAnswerError):
            answers.grade(real_grader, "a", item, "x" * 20_001)
    assert (answers.graded, answers.hits) == (2, 0)


def test_few_are_kept_and_not_for_long_and_no_long_ones(counting: Grader, item: Gradable) -> None:
    few = RepeatedAnswers(kept=1)
    for answer in ("one", "two", "one"):
        few.grade(counting, "a", item, answer)
    assert few.hits == 0
    short = RepeatedAnswers(kept_s=0.0)
    long = RepeatedAnswers()
    for _ in range(2):
        short.grade(counting, "a", item, ANSWER)
        long.grade(counting, "a", item, "a" * 4_001)
    assert (short.hits, long.hits) == (0, 0)
