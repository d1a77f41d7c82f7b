"""Prose is told from the same words in no order; the arithmetic is checked against counts small enough to do by hand."""

from __future__ import annotations

import math
import random

import pytest

from grader.text import words
from grader.word_order import _classes, _LogRatios, count_followers, word_order

PROSE = (
    "Dropout randomly switches off neurons in each training step so that the network cannot rely on any of them.",
    "When the light is blocked by an object, a shadow falls on the other side of it, because light travels in straight lines.",
    "The mitochondria of a cell turn sugar into energy, which the other parts of the cell then use.",
    "A stack gives back the element that was put in last, while a queue gives back the one that was put in first.",
)


@pytest.mark.parametrize("text", PROSE)
def test_prose_lies_above_its_own_words_shuffled(text: str) -> None:
    shuffled = [word.text for word in words(text)]
    random.Random(7).shuffle(shuffled)  # noqa: S311 no secret is at stake
    assert word_order(text) > 0.1 > -0.1 > word_order(" ".join(shuffled))


@pytest.mark.parametrize("text", ["", "  ", "?!", "😀"])
def test_a_text_without_words_says_nothing(text: str) -> None:
    assert word_order(text) == 0.0


def test_words_go_by_their_ending_or_stand_for_themselves() -> None:
    assert list(_classes("The ring turned quickly, 3 times. It isn’t red")) == [
        "<start>", "the", "-", "-ed", "-ly", "<comma>", "<number>", "-es", "<stop>", "it", "isn't", "-", "<stop>",
    ]  # fmt: skip


def test_followers_are_counted_over_all_texts() -> None:
    counts = count_followers(["it is", "it is", "it"])
    assert counts == {"<start>": {"it": 3}, "it": {"is": 2, "<stop>": 1}, "is": {"<stop>": 2}}


def test_the_ratio_is_that_of_witten_and_bell() -> None:
    ratio = _LogRatios({"it": {"is": 2, "was": 1}, "is": {"it": 1}})
    # Single counts with .5 added: is 2.5, was 1.5, it 1.5; .5 more for what was never seen.
    single = 2.5 / 6
    assert ratio("it", "is") == pytest.approx(math.log((2 + 2 * single) / (3 + 2)) - math.log(single))
    unseen = 0.5 / 6
    assert ratio("it", "of") == pytest.approx(math.log(2 * unseen / 5) - math.log(unseen))
    assert ratio("of", "is") == 0.0
