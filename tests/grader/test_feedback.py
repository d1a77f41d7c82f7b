"""Feedback: what is there, what is missing, what to put right, and nothing of the author's text."""

from __future__ import annotations

import numpy as np
import pytest

from grader import Flag, Gradable, Grade, KeyPoint, KeyPointMatch, Keywords, Misconception, ReferenceAnswer, Verdict
from grader.feedback import compose
from grader.keyword_use import NO_KEYWORDS
from grader.matching import Matching
from grader.profiles import ItemProfile, profile_item
from tests.grader.spelt_words import packed_words_of

COVERED, PARTIAL, MISSING, CONTRADICTED = Verdict.COVERED, Verdict.PARTIAL, Verdict.MISSING, Verdict.CONTRADICTED
POINTS = (
    KeyPoint(id="switch-off", text="Secret of the first point.", keywords=(("neuron", "unit"), ("random",))),
    KeyPoint(id="robust", text="Secret of the second point.", keywords=(("robust",),)),
    KeyPoint(id="at-test-time", text="Secret of the third point."),
    KeyPoint(id="scaling", text="Secret of the fourth point.", keywords=(("scale",),)),
    KeyPoint(id="ensemble", text="Secret of the fifth point.", keywords=(("robust",),)),
)
BELIEF = Misconception(id="pruning", text="It deletes neurons.", feedback="The neurons come back.")


def profile(points: tuple[KeyPoint, ...] = POINTS) -> ItemProfile:
    item = Gradable(
        question="What is dropout?",
        reference_answers=(ReferenceAnswer(text="Secret of the reference."),),
        key_points=points,
        misconceptions=(BELIEF,),
    )
    return profile_item(item, lambda _: np.zeros(2, dtype=np.float32), packed_words_of)


def matching(*verdicts: Verdict, missing: tuple[str, ...] = ()) -> Matching:
    return Matching(
        matches=tuple(
            KeyPointMatch(id=point.id, verdict=verdict, weight=1, similarity=0.5, evidence=())
            for point, verdict in zip(POINTS, verdicts, strict=False)
        ),
        keywords=Keywords(matched=(), missing=missing),
        keyword_coverage=0.5,
        keyword_use=NO_KEYWORDS,
        said=0.5,
        entailed=None,
        upheld=None,
        denied=None,
        least_entailed=None,
        most_denied=None,
        reference_entailed=None,
        clauses_said=0.5,
        misconceptions=(),
        denied_share=0.0,
        suspicion=0.0,
    )


def test_a_complete_answer_is_told_so() -> None:
    lines = compose(profile(), matching(*[COVERED] * 5), flags=(), misconceptions=(), grade=Grade.EXCELLENT)
    assert lines == ("This is an excellent answer.", "It covers every key point.")


def test_a_single_point_is_spoken_of_in_the_singular() -> None:
    one = profile(POINTS[:1])
    assert compose(one, matching(COVERED), flags=(), misconceptions=(), grade=Grade.EXCELLENT)[1] == "It covers the key point."
    assert compose(one, matching(MISSING), flags=(), misconceptions=(), grade=Grade.FAIL)[1] == "It covers 0 of 1 key point."


def test_what_is_wrong_half_said_and_missing_is_named_in_that_order() -> None:
    lines = compose(
        profile(),
        matching(CONTRADICTED, PARTIAL, COVERED, MISSING, COVERED, missing=("random", "scale")),
        flags=(),
        misconceptions=(),
        grade=Grade.FAIR,
    )
    assert lines == (
        "This answer is right in part.",
        "It covers 2 of 5 key points.",
        "Check what you say about “random”: it seems to be the wrong way round.",
        "Say more about “robust”.",
        "Nothing was found about “scale”.",
    )


def test_a_point_without_keywords_is_named_by_its_id_and_each_name_stands_once() -> None:
    lines = compose(
        profile(), matching(COVERED, MISSING, MISSING, COVERED, MISSING), flags=(), misconceptions=(), grade=Grade.WEAK
    )
    assert lines[-1] == "Nothing was found about “robust” and “at test time”."


def test_more_than_three_names_are_counted() -> None:
    lines = compose(profile(), matching(*[MISSING] * 5), flags=(), misconceptions=(), grade=Grade.FAIL)
    assert lines[-1] == "Nothing was found about “neuron”, “robust”, “at test time” and 1 more."


def test_each_grade_opens_in_its_own_words() -> None:
    openings = {compose(profile(), matching(*[MISSING] * 5), flags=(), misconceptions=(), grade=grade)[0] for grade in Grade}
    assert len(openings) == len(Grade)


def test_a_blank_answer_hears_one_thing() -> None:
    lines = compose(profile(), matching(*[MISSING] * 5), flags=(Flag.BLANK,), misconceptions=(), grade=Grade.FAIL)
    assert lines == ("There is no answer to grade.",)


@pytest.mark.parametrize("flag", [Flag.OFF_TOPIC, Flag.REPEATS_QUESTION, Flag.KEYWORD_LIST])
def test_an_answer_that_is_none_hears_what_it_is_and_not_what_it_covers(flag: Flag) -> None:
    lines = compose(profile(), matching(*[COVERED] * 5), flags=(flag,), misconceptions=(), grade=Grade.FAIL)
    assert len(lines) == 1
    assert "key point" not in lines[0]


@pytest.mark.parametrize("flag", [Flag.CONTRADICTS_REFERENCE, Flag.TOO_SHORT, Flag.TRUNCATED])
def test_other_flags_come_after_the_opening(flag: Flag) -> None:
    lines = compose(profile(), matching(*[COVERED] * 5), flags=(flag,), misconceptions=(), grade=Grade.GOOD)
    assert lines[0] == "This is a good answer."
    assert lines[2] == "It covers every key point."


def test_a_misconception_is_put_right_last() -> None:
    lines = compose(profile(), matching(*[COVERED] * 5), flags=(), misconceptions=(0,), grade=Grade.GOOD)
    assert lines[-1] == "The neurons come back."


@pytest.mark.parametrize("flag", list(Flag))
@pytest.mark.parametrize("verdict", list(Verdict))
def test_feedback_is_full_sentences_and_never_quotes_the_author(flag: Flag, verdict: Verdict) -> None:
    lines = compose(profile(), matching(*[verdict] * 5), flags=(flag,), misconceptions=(0,), grade=Grade.WEAK)
    assert lines
    assert len(set(lines)) == len(lines)
    assert all(line[0].isupper() and line.endswith(".") and "Secret" not in line for line in lines)
