"""Which of two compared things an answer says what of."""

from __future__ import annotations

import pytest

from grader.comparison import Comparison
from grader.text import sentences

QUESTION = "How do frogs and toads differ?"
KEY_POINTS = ["Frogs have smooth, moist skin and jump with long legs.", "Toads have dry, warty skin and walk on short legs."]
TEXTS = [
    *KEY_POINTS,
    "A frog has a moist, smooth skin and jumps far; a toad's skin is dry and warty, and it walks.",
    "Toads walk, frogs jump. The skin of a toad has warts and does not need water, unlike that of a frog, which stays moist.",
]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    found = Comparison.of(QUESTION, KEY_POINTS, TEXTS)
    assert found is not None
    return found


def test_the_two_things_are_the_questions_words_that_key_points_tell_apart(comparison: Comparison) -> None:
    assert {"frog", "toad"} <= comparison.one ^ comparison.other
    assert comparison.named_in("A frog.") == -comparison.named_in("A toad.") != 0
    assert comparison.named_in("Frogs and toads.") == comparison.named_in("Newts.") == 0


@pytest.mark.parametrize(
    "question", ["What is a frog?", "Why do results differ from run to run?", "How do frogs and toads live?", "", "differ differ"]
)
def test_a_question_that_compares_nothing_has_no_comparison(question: str) -> None:
    assert Comparison.of(question, KEY_POINTS, TEXTS) is None


def test_things_that_key_points_do_not_tell_apart_are_not_compared() -> None:
    assert Comparison.of(QUESTION, ["Both have skin.", "Both have four legs."], TEXTS) is None


@pytest.mark.parametrize(
    "answer",
    [
        "Toads are smooth and moist and jump, while frogs have dry and warty skin and walk.",
        "Smooth, moist skin and jumping are what a toad has. Warty, dry skin and walking belong to the frog.",
        "A toad jumps. It is moist and smooth.",
        "To jump far and be moist and smooth one has to be a toad and not a frog.",
    ],
)
def test_what_is_so_of_one_said_of_the_other_is_exchanged(comparison: Comparison, answer: str) -> None:
    assert comparison.attribution(answer).is_exchanged


@pytest.mark.parametrize(
    "answer",
    [
        *TEXTS,
        "Frogs: moist, smooth, jump. Toads: dry, warty, walk.",
        "The toad does not jump, and its skin is not moist and not smooth.",
        "Unlike toads, frogs are smooth, moist and jump.",
        "Frogs differ from toads in that they have smooth, moist skin and jump.",
        "Frogs are different from toads: they are smooth and moist and jump.",
        "Frogs can be told from toads by their smooth, moist skin and long legs, with which they jump.",
        "Frogs are smooth compared with toads because they are moist and jump on long legs.",
        "Frogs are more moist than toads. The former jump, the latter walk.",
        "Smooth, moist, jumping: that is one of them.",
        "A toad. The other one jumps and is smooth and moist.",
        "",
    ],
)
def test_a_right_answer_is_not_taken_for_an_exchanged_one(comparison: Comparison, answer: str) -> None:
    assert not comparison.attribution(answer).is_exchanged


def test_clauses_with_more_wrong_words_than_right_ones_go_against_the_item(comparison: Comparison) -> None:
    answer = "Toads are smooth and moist and jump. Frogs jump."
    attribution = comparison.attribution(answer)
    assert (len(attribution.right_at), len(attribution.wrong_at)) == (1, 2)
    toads, frogs = sentences(answer)
    assert attribution.goes_against(toads)
    assert not attribution.goes_against(frogs)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Frog: moist, smooth, jumps. Toad: dry, warty, walks", True),
        ("frog, toad, moist, dry, smooth, warty, jumps, walks", False),
        ("Frog: moist, smooth. Toad: dry", False),
        ("Frog: moist, smooth, skin, jump, long legs", False),
        ("frog moist smooth jump dry warty walk toad moist smooth jump dry warty walk", False),
    ],
)
def test_notes_keep_apart_what_a_heap_mixes(comparison: Comparison, answer: str, *, expected: bool) -> None:
    assert comparison.attribution(answer).is_kept_apart is expected


def test_initials_name_a_thing_too() -> None:
    found = Comparison.of(
        "Compare mean squared error with cross entropy.",
        ["Mean squared error suits regression.", "Cross entropy suits classification."],
        ["MSE suits regression.", "Cross entropy suits classification."] * 2,
    )
    assert found is not None
    assert found.named_in("MSE") == found.named_in("the mean of squares") != 0
    assert found.named_in("ms") == found.named_in("compare") == 0


def test_initials_are_no_small_words() -> None:
    found = Comparison.of(
        "Compare active transport\nwith passive transport.",
        ["Active transport needs energy.", "Passive transport needs no energy and goes down the gradient."],
        [],
    )
    assert found is not None
    assert found.named_in("At the membrane, at no cost.") == 0
