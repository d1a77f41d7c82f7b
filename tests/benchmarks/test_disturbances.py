"""Every disturbance does to a plain answer what its name says, and nothing where it does not know how."""

from __future__ import annotations

import random

import pytest

from benchmarks import gaming
from benchmarks.disturbances import (
    DISTURBANCES,
    Base,
    Demand,
    Disturbance,
    Subject,
    delete_clause,
    exchange_synonyms,
    move_parts,
    strew_emoji,
)
from benchmarks.robustness import Figures, astray, grouped
from grader import Gradable, ReferenceAnswer
from grader.items import MAX_ANSWER_CHARS

RIGHT = "The switch opens the circuit because it makes a gap. Then 2 bulbs go out."
TERMS = ("switch", "circuit", "gap", "bulb", "current", "path", "battery", "terminal", "wire")
SUBJECT = Subject(
    item=Gradable(question="What does a switch do?", reference_answers=(ReferenceAnswer(text=RIGHT),)),
    right=RIGHT,
    failing="It is made of metal.",
    foreign="Plants turn light into sugar.",
    terms=TERMS,
)


def rng() -> random.Random:
    return random.Random(5)  # noqa: S311 no secret is at stake


def test_names_are_told_apart() -> None:
    names = [disturbance.name for disturbance in DISTURBANCES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda d: d.name)
def test_a_disturbance_changes_its_answer_and_is_the_same_each_time(disturbance: Disturbance) -> None:
    made = disturbance.make(SUBJECT, rng())
    assert made is not None
    assert made == disturbance.make(SUBJECT, rng())
    assert len(made) <= MAX_ANSWER_CHARS
    if disturbance.base is Base.RIGHT:
        assert made != SUBJECT.right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is big.", "It is large."),
        ("Big things rise.", "Large things rise."),
        ("xyz", None),
    ],
)
def test_synonyms_are_exchanged_and_keep_their_capitals(text: str, expected: str | None) -> None:
    assert exchange_synonyms(text, rng()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One falls. Two rise.", "Two rise. One falls."),
        ("It falls because it is heavy.", "Because it is heavy, It falls."),
        ("It falls.", None),
    ],
)
def test_parts_are_put_in_another_order(text: str, expected: str | None) -> None:
    assert move_parts(text) == expected


def test_one_clause_is_deleted() -> None:
    assert delete_clause("One falls. Two rise.", rng()) in {"One falls.", "Two rise."}
    assert delete_clause("It falls.", rng()) is None


def test_emoji_are_strewn_after_every_fourth_word() -> None:
    made = strew_emoji("a b c d e", rng()).split()
    assert [piece for piece in made if piece.isascii()] == ["a", "b", "c", "d", "e"]
    assert not made[1].isascii()
    assert not made[6].isascii()


def test_heaps_hold_the_terms_and_need_enough_of_them() -> None:
    assert gaming.comma_list(TERMS) == ", ".join(TERMS)
    assert sorted((gaming.jumble(TERMS, rng()) or "").split()) == sorted(TERMS)
    assert 4 <= len((gaming.few(TERMS, rng()) or "").split()) <= 7
    assert set(TERMS) <= set((gaming.strewn(TERMS, rng()) or "").split())
    assert gaming.comma_list(TERMS[:7]) is gaming.jumble(TERMS[:7], rng()) is gaming.few(TERMS[:3], rng()) is None


def test_frames_hold_every_sentence() -> None:
    made = gaming.framed(RIGHT, rng())
    assert "he switch opens the circuit because it makes a gap" in made
    assert "hen 2 bulbs go out" in made


def test_padding_fills_an_answer_to_its_limit() -> None:
    assert len(gaming.padded(RIGHT, gaming.PROSE)) == MAX_ANSWER_CHARS
    assert gaming.padded(RIGHT, gaming.PROSE).startswith(RIGHT)


@pytest.mark.parametrize(
    ("demand", "before", "after", "expected"),
    [
        (Demand.STAYS, 0.5, 0.7, 0.2),
        (Demand.STAYS, 0.5, 0.3, 0.2),
        (Demand.FALLS, 0.5, 0.4, 0.0),
        (Demand.FALLS, 0.5, 0.5, 0.05),
        (Demand.NOT_ABOVE, 0.5, 0.4, 0.0),
        (Demand.NOT_ABOVE, 0.5, 0.6, 0.1),
        (Demand.FULL, 0.0, 0.9, 0.1),
        (Demand.FAILS, 0.0, 0.1, 0.0),
    ],
)
def test_going_astray_is_measured_by_what_is_demanded(demand: Demand, before: float, after: float, expected: float) -> None:
    assert astray(demand, before, after) == pytest.approx(expected)


def test_a_group_is_the_mean_over_its_cases() -> None:
    one = Figures(name="a", group="echo", demand="fails", n=1, wrong=1.0, moved=0, mean=0, p95=0)
    other = Figures(name="b", group="echo", demand="fails", n=3, wrong=0.0, moved=0, mean=0, p95=0)
    assert grouped([one, other], "echo") == (4, 0.25)
    assert grouped([one, other], "heap") == (0, 0.0)
