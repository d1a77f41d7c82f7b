"""Whether the keywords of a sentence belong together, on vectors that do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from grader import Gradable, KeyPoint, ReferenceAnswer
from grader.encoders import FloatArray
from grader.keyword_use import NO_KEYWORDS, KeywordUse, keyword_places, measure_keyword_use
from grader.profiles import profile_item, profile_text
from grader.text import Passage
from tests.grader.spelt_words import packed_words_of

ITEM = Gradable(
    question="What does dropout do?",
    reference_answers=(ReferenceAnswer(text="It switches neurons off while training, and against overfitting."),),
    key_points=(
        KeyPoint(id="off", text="It switches neurons off.", keywords=(("neurons", "units"), ("switches off", "drops"))),
        KeyPoint(id="when", text="It does so in training.", keywords=(("training",),)),
        KeyPoint(id="why", text="It prevents overfitting.", keywords=(("overfitting", "memorising"),)),
    ),
)


def lookup(_: Passage) -> FloatArray:
    return np.ones(2, dtype=np.float32)


def use_in(answer: str) -> KeywordUse:
    profile = profile_text(answer, lookup)
    return measure_keyword_use(
        profile, [keyword_places(point, profile) for point in profile_item(ITEM, lookup, packed_words_of).key_points]
    )


def test_a_place_is_that_of_the_first_form_found_and_none_for_a_keyword_not_found() -> None:
    profile = profile_text("Some units vanish.", lookup)
    places = [keyword_places(point, profile) for point in profile_item(ITEM, lookup, packed_words_of).key_points]
    assert places == [((1, 1), None), (None,), (None,)]


@pytest.mark.parametrize(
    ("answer", "use"),
    [
        ("It drops units. This happens in training.", KeywordUse(clauses=2, points_per_clause=1.0, share=0.75)),
        ("Units, training and overfitting.", KeywordUse(clauses=1, points_per_clause=3.0, share=1.0)),
        ("Units shape training. Overfitting matters.", KeywordUse(clauses=2, points_per_clause=1.5, share=0.6)),
    ],
)
def test_the_key_points_of_a_clause_and_the_share_of_keywords_are_counted(answer: str, use: KeywordUse) -> None:
    found = use_in(answer)
    assert (found.clauses, found.points_per_clause) == (use.clauses, use.points_per_clause)
    assert found.share == pytest.approx(use.share, abs=0.01)


def test_an_answer_without_keywords_uses_none() -> None:
    assert use_in("The sea is calm.") == NO_KEYWORDS
