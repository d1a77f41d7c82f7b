"""What holds for any numbers and any text: bounds, order and nothing that breaks the grader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import (
    EVIDENCE_NAMES,
    Evidence,
    Gradable,
    Grader,
    ItemBank,
    KeyPoint,
    ReferenceAnswer,
    check_answer,
    default_scoring_model,
)
from grader.fusion import DIRECTIONS
from grader.scoring import last_word

MODEL = default_scoring_model()
SHARES = st.floats(0, 1)
MORE_IS_BETTER = [
    "similarity", "mean_similarity", "demoted_similarity", "recall", "recall_min", "precision", "precision_min", "coverage",
    "new_coverage", "word_precision", "word_f1", "bigram_coverage", "trigram_coverage",
    "meaning_recall", "meaning_precision", "meaning_f1",
]  # fmt: skip
EVIDENCE = st.builds(Evidence, **dict.fromkeys(EVIDENCE_NAMES, st.floats(-1, 1)))
# Text of every kind that a form can send, and letters enough that much of it is graded as words.
ANSWERS = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
        st.sampled_from("aeinorst .,;'’-\n0123456789"),
        st.sampled_from("😀👩\u200d\u0301\u0300\ufeff\u202e中文ßİ"),
    ),
    max_size=120,
)
PHRASES = (
    "air scatters light|not|blue|red light|it is short|strongly|does not scatter|the sky, which is blue|10|10%|RGB|😀|\n- ".split(
        "|"
    )
)
SKY = Gradable(
    question="Why is the sky blue?",
    reference_answers=(ReferenceAnswer(text="Air scatters short wavelengths most. Blue light has a short wavelength."),),
    key_points=(
        KeyPoint(id="scattering", text="Air scatters light.", weight=3, keywords=(("scatter",), ("air", "atmosphere"))),
        KeyPoint(id="wavelength", text="Blue light is short.", weight=2, keywords=(("short",), ("blue light",))),
        KeyPoint(id="strength", text="Short waves are scattered more strongly.", keywords=(("strong", "more"),)),
    ),
)
slowly = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def score_of(evidence: Evidence) -> float:
    return float(MODEL.predict(evidence.vector()[None, :])[0])


@given(EVIDENCE)
def test_a_general_score_lies_between_0_and_1(evidence: Evidence) -> None:
    assert 0 <= score_of(evidence) <= 1


@given(EVIDENCE, st.sampled_from(MORE_IS_BETTER), st.floats(-1, 1))
@settings(max_examples=300)
def test_more_in_common_never_lowers_the_general_score(evidence: Evidence, name: str, value: float) -> None:
    low, high = sorted((getattr(evidence, name), value))
    assert score_of(replace(evidence, **{name: low})) <= score_of(replace(evidence, **{name: high}))


@given(st.lists(EVIDENCE, min_size=1, max_size=20))
def test_general_scores_do_not_depend_on_each_other(rows: list[Evidence]) -> None:
    together = MODEL.predict(np.array([row.vector() for row in rows]))
    assert together.tolist() == [score_of(row) for row in rows]


PAIRS_OF_SHARES = st.tuples(SHARES, SHARES).map(sorted)


@given(PAIRS_OF_SHARES, PAIRS_OF_SHARES)
@settings(max_examples=300)
def test_more_covered_never_lowers_the_blend(said: list[float], keywords: list[float]) -> None:
    low, high = (MODEL.blend(said=s, keyword_coverage=k) for s, k in zip(said, keywords, strict=True))
    assert 0 <= low <= high <= 1


@given(PAIRS_OF_SHARES, PAIRS_OF_SHARES, PAIRS_OF_SHARES, PAIRS_OF_SHARES)
@settings(max_examples=300)
def test_more_covered_and_less_contradicted_never_lowers_the_blend(
    said: list[float], keywords: list[float], entailed: list[float], upheld: list[float]
) -> None:
    low, high = (
        MODEL.blend(said=s, keyword_coverage=k, entailed=e, upheld=u)
        for s, k, e, u in zip(said, keywords, entailed, upheld, strict=True)
    )
    assert 0 <= low <= high <= 1


@given(st.lists(SHARES, min_size=len(DIRECTIONS), max_size=len(DIRECTIONS)), st.sampled_from(sorted(DIRECTIONS)), SHARES)
@settings(max_examples=1_000)
def test_the_last_word_goes_in_the_direction_of_each_number(numbers: list[float], name: str, value: float) -> None:
    place = list(DIRECTIONS).index(name)
    less, more = sorted((numbers[place], value))
    low, high = (last_word(MODEL.trees.predict([*numbers[:place], each, *numbers[place + 1 :]]), 0.5) for each in (less, more))
    assert 0 <= min(low, high) <= max(low, high) <= 1
    assert low <= high if DIRECTIONS[name] > 0 else low >= high


@given(answer=ANSWERS)
@slowly
def test_any_text_is_graded(real_grader: Grader, answer: str) -> None:
    check_answer(answer)
    result = real_grader.grade(SKY, answer)
    assert 0 <= result.interval.low <= result.score <= result.interval.high <= 1
    assert 0 <= result.mark <= result.max_mark
    assert -1 <= result.semantic_similarity <= 1
    for match in result.key_points:
        assert all(answer[span.start : span.end] == span.text for span in match.evidence)


@given(text=ANSWERS.filter(lambda text: any(c.isalnum() for c in text)), answer=ANSWERS)
@slowly
def test_any_text_is_a_reference_answer_and_closest_to_itself(real_grader: Grader, text: str, answer: str) -> None:
    item = Gradable(question=answer, reference_answers=(ReferenceAnswer(text=text),))
    assert 0 <= real_grader.grade(item, answer).score <= 1
    assert real_grader.grade(item, text).semantic_similarity == pytest.approx(1, abs=1e-3)


@given(phrases=st.lists(st.sampled_from(PHRASES), max_size=8), order=st.permutations(range(3)))
@slowly
def test_the_order_of_the_key_points_is_irrelevant(real_grader: Grader, phrases: list[str], order: list[int]) -> None:
    answer = " ".join(phrases)
    shuffled = SKY.model_copy(update={"key_points": tuple(SKY.key_points[at] for at in order)})
    one, other = real_grader.grade(SKY, answer), real_grader.grade(shuffled, answer)
    assert other.score == one.score
    assert other.keyword_coverage == one.keyword_coverage
    assert (other.flags, other.grade, other.review_reasons) == (one.flags, one.grade, one.review_reasons)
    assert {match.id: match for match in other.key_points} == {match.id: match for match in one.key_points}


@given(phrases=st.lists(st.sampled_from(PHRASES), max_size=8), others=st.lists(st.sampled_from(PHRASES), max_size=8))
@slowly
def test_a_result_does_not_depend_on_its_neighbours(real_grader: Grader, phrases: list[str], others: list[str]) -> None:
    answer, other = " ".join(phrases), "; ".join(others)
    alone = real_grader.grade(SKY, answer).to_json()
    assert [result.to_json() for result in real_grader.grade_many([(SKY, other), (SKY, answer)])][1] == alone


@given(data=st.data())
@settings(slowly, max_examples=12)
def test_dropping_what_covers_a_point_never_raises_keyword_coverage(
    real_grader: Grader, shipped_bank: ItemBank, data: st.DataObject
) -> None:
    item = data.draw(st.sampled_from(shipped_bank.items))
    words = item.reference_answers[1].text.split()
    kept = data.draw(st.integers(0, len(words)))
    more = real_grader.grade(item, item.reference_answers[1].text)
    less = real_grader.grade(item, " ".join(words[:kept]))
    assert less.keyword_coverage <= more.keyword_coverage
    assert set(less.keywords.matched) <= set(more.keywords.matched)
