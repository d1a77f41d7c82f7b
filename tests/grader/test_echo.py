"""The question said again in an answer: where it is passed over, where not, and that it neither earns nor costs."""

from __future__ import annotations

import pytest

from grader import Flag, Grader, ItemBank
from grader.echo import without_echo

QUESTION = "Why does water boil at 100 °C at sea level?"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (f"{QUESTION} Its vapour is as strong as the air.", "Its vapour is as strong as the air."),
        ("why does water boil at 100 °C at sea level\nIt gets hot.", "It gets hot."),
        (f"Q: {QUESTION}\nA: It gets hot. {QUESTION}", "Q: A: It gets hot."),
        (f'"{QUESTION}" - it gets hot.', '" " - it gets hot.'),
        (f"It gets hot; {QUESTION.lower()}", "It gets hot;"),
        (f"it gets hot {QUESTION}", "it gets hot"),
    ],
)
def test_the_question_is_passed_over_beside_an_answer(answer: str, said: str) -> None:
    left = without_echo(answer, QUESTION)
    assert " ".join(left.split()) == said
    assert len(left) == len(answer)


@pytest.mark.parametrize(
    "answer",
    [
        QUESTION,
        f"{QUESTION} {QUESTION}",
        "Why does water boil at 90 °C at sea level? It gets hot.",
        "I know why does water boil at 100 °C at sea level and that is heat.",
        f"it is known {QUESTION.lower()}",
        "It gets hot.",
    ],
)
def test_everything_else_stays(answer: str) -> None:
    assert without_echo(answer, QUESTION) == answer


def test_words_of_the_question_may_stand_close_together() -> None:
    assert without_echo("How far does light get in 10km/h? Far.", "How far does light get in 10km/h?").strip() == "Far."


def test_a_question_of_few_words_is_what_answers_are_about() -> None:
    assert without_echo("What is osmosis? Water moves.", "What is osmosis?") == "What is osmosis? Water moves."


def test_saying_the_question_first_earns_and_costs_nothing(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    for response in shipped_bank.responses[item.id]:
        if response.kind != "question_repeated":
            plain = real_grader.grade(item, response.candidate_answer)
            echoed = real_grader.grade(item, f"{item.question} {response.candidate_answer}")
            assert (echoed.score, echoed.flags) == (plain.score, plain.flags)


def test_the_question_alone_is_still_the_question(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    assert Flag.REPEATS_QUESTION in real_grader.grade(item, f"{item.question} {item.question}").flags
