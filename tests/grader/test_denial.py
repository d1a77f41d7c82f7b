"""Which clauses deny a statement: worked out with vectors by hand."""

from __future__ import annotations

import numpy as np
import pytest

from grader import Gradable, ReferenceAnswer
from grader.denial import denied_clauses, retracted_clauses
from grader.encoders import FloatArray
from grader.profiles import ItemProfile, TextProfile, profile_item, profile_text
from grader.text import Passage

REFERENCE = "Heat flows from the tea into the spoon."


def profiles(answer: str, cosine: float = 0.9) -> tuple[ItemProfile, TextProfile]:
    """Return an item with one reference and an answer all of whose clauses have this cosine to it."""

    def lookup(passage: Passage) -> FloatArray:
        if passage.context == answer:
            return np.array([cosine, np.sqrt(1 - cosine**2)], dtype=np.float32)
        return np.array([1, 0], dtype=np.float32)

    item = Gradable(reference_answers=(ReferenceAnswer(text=REFERENCE),))
    return profile_item(item, lookup), profile_text(answer, lookup)


@pytest.mark.parametrize(
    ("answer", "cosine", "is_denied"),
    [
        ("Heat does not flow from the tea into the spoon.", 0.9, True),
        ("Heat does not flow from the tea into the spoon.", 0.6, False),
        ("The metal does not warm up by conduction.", 0.9, False),
        ("Heat flows from the tea into the spoon.", 0.9, False),
    ],
    ids=["denied", "distant", "other-words", "the-same"],
)
def test_close_wording_with_other_signs_is_denied(answer: str, cosine: float, is_denied: bool) -> None:
    assert denied_clauses(*profiles(answer, cosine)) == (frozenset({0}) if is_denied else frozenset())


def test_each_clause_is_judged_by_itself() -> None:
    answer = "Heat flows from the tea into the spoon. Steel is an alloy. Heat does not flow from tea into the spoon."
    assert denied_clauses(*profiles(answer)) == {2}


@pytest.mark.parametrize(
    ("answer", "retracted", "denied"),
    [
        (f"{REFERENCE} This is wrong.", {0}, {0}),
        (f"Heat does not flow from the tea into the spoon. This is wrong. {REFERENCE}", {0}, set()),
        (f"{REFERENCE} Steel is an alloy. All of this is false.", {0, 1}, {0}),
        (f"{REFERENCE} Steel is an alloy. This is false.", {1}, set()),
        (f"This is wrong. {REFERENCE}", set(), set()),
    ],
    ids=["taken-back", "denial-taken-back", "everything", "the-last", "nothing-before"],
)
def test_what_an_answer_takes_back_means_its_opposite(answer: str, retracted: set[int], denied: set[int]) -> None:
    item, answered = profiles(answer)
    assert retracted_clauses(answered) == retracted
    assert denied_clauses(item, answered) == denied
