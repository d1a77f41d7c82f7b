"""Scores, marks and grades against values worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import EVIDENCE_NAMES, Grade, ScoringModel, ScoringModelError, default_scoring_model
from grader.items import GradeBoundaries
from grader.scoring import blended, grade_from_mark, last_word, mark_from_score, rounded, upheld_factor
from grader.trees import Trees

MODEL = ScoringModel(
    names=("similarity", "coverage"),
    coefficients=(0.2, 0.1),
    means=(0.5, 0.4),
    scales=(0.25, 0.2),
    intercept=0.6,
    half_width=0.3,
    blend_slope=1.5,
    blend_intercept=-0.25,
    blend_half_width=0.2,
    entailed_coefficients=(0.8, 0.3),
    judged_coefficients=(0.4, 0.3, 0.5),
    judged_intercept=-0.1,
    trees=Trees(names=("made", "said"), base=0.25, trees=(((0, 0.5, 1, 2), (0.0,), (1, 0.75, 3, 4), (0.5,), (1.0,)),)),
    doubt_coefficients=(0.5, -0.25),
    doubt_line=0.1,
    provenance="by hand",
)


def test_a_prediction_is_linear_in_the_standardised_evidence() -> None:
    # .6 + .2 * (.75 - .5) / .25 + .1 * (.2 - .4) / .2 = .6 + .2 - .1;   .6 at the means;   .6 - .2 - .1
    predicted = MODEL.predict(np.array([[0.75, 0.2], [0.5, 0.4], [0.25, 0.2]]))
    assert predicted == pytest.approx([0.7, 0.6, 0.3], abs=1e-12)


def test_the_general_score_moves_with_what_a_verifier_says_of_the_reference() -> None:
    # 1 - .8 * .3 - .3 * .6;   1 - .8 * .4 - .3 * 1;   1;   as it is
    rows = np.array([[0.75, 0.2], [0.5, 0.4], [1.5, 0.4], [0.5, 0.4]])
    assert MODEL.predict(rows, np.array([0.4, 0.0, 1.0, np.nan])) == pytest.approx([0.58, 0.38, 1.0, 0.6])


def test_a_score_is_doubtful_above_the_line() -> None:
    # .5 * .4 - .25 * .4 = .1;   .5 * .5 - .25 * .4 = .15
    assert not MODEL.is_doubtful((0.4, 0.4))
    assert MODEL.is_doubtful((0.5, 0.4))


def test_a_prediction_stays_between_0_and_1() -> None:
    assert MODEL.predict(np.array([[1.0, 1.0], [-1.0, 0.0]])).tolist() == [1.0, 0.0]


def test_no_rows_give_no_predictions() -> None:
    assert MODEL.predict(np.zeros((0, 2))).shape == (0,)


def test_a_prediction_does_not_depend_on_the_other_rows() -> None:
    rows = np.random.default_rng(7).uniform(-1, 1, size=(500, len(EVIDENCE_NAMES)))
    model = default_scoring_model()
    together = model.predict(rows)
    assert [float(model.predict(row[None, :])[0]) for row in rows] == together.tolist()


@pytest.mark.parametrize(
    ("said", "keyword_coverage", "expected"), [(0.0, 0.0, 0.0), (1.0, 0.0, 0.5), (0.0, 1.0, 0.5), (0.5, 0.75, 0.625)]
)
def test_the_blend_is_half_key_points_and_half_keywords(said: float, keyword_coverage: float, expected: float) -> None:
    assert blended(said, keyword_coverage) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("said", "keyword_coverage", "expected"), [(0.5, 0.75, 0.6875), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_the_blend_is_put_on_the_scale_of_marks(said: float, keyword_coverage: float, expected: float) -> None:
    assert MODEL.blend(said=said, keyword_coverage=keyword_coverage) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("entailed", "upheld", "expected"),
    [(0.0, 0.0, 0.3 * 0.33), (1.0, 1.0, 0.83), (0.5, 0.5, 0.58), (0.5, 0.225, 0.65 * 0.58), (0.5, 0.05, 0.3 * 0.58)],
)
def test_where_a_verifier_was_asked_its_word_counts_and_what_it_contradicts_costs(
    entailed: float, upheld: float, expected: float
) -> None:
    assert MODEL.blend(said=0.7, keyword_coverage=0.5, entailed=entailed, upheld=upheld) == pytest.approx(expected, abs=1e-12)


def test_what_is_left_of_a_score_grows_with_how_far_it_is_upheld() -> None:
    assert [round(upheld_factor(share), 3) for share in (0.0, 0.05, 0.155, 0.4, 1.0)] == [0.3, 0.3, 0.51, 1.0, 1.0]


# .85 * .25 + .15 * .5;   .85 * .75 + .15 * .6;   .85 * 1.25 + .15 * .6, but never above 1
@pytest.mark.parametrize(("made", "said", "expected"), [(0.5, 1.0, 0.2875), (0.6, 0.5, 0.7275), (0.6, 0.8, 1.0)])
def test_trees_have_the_last_word_and_leave_some_of_it_to_what_was_made(made: float, said: float, expected: float) -> None:
    assert last_word(MODEL.trees.predict((made, said)), made) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("score", "max_mark", "mark_step", "expected"),
    [
        (0.0, 10, 0.5, 0.0),
        (1.0, 10, 0.5, 10.0),
        (0.725, 10, 0.5, 7.5),
        (0.7249, 10, 0.5, 7.0),
        (0.25, 2, 1, 1.0),
        (0.125, 4, 1, 1.0),
        (0.1, 3, 0.1, 0.3),
        (0.35, 1, 0.1, 0.4),
        (1.0, 10, 3, 9.0),
        (1.0, 10, 4, 10.0),
        (1.0, 1, 1000, 0.0),
        (0.5, 1, 1000, 0.0),
        (0.3333, 3, 0.01, 1.0),
    ],
)
def test_a_mark_is_the_nearest_step_with_halves_upwards(score: float, max_mark: int, mark_step: float, expected: float) -> None:
    assert mark_from_score(score, max_mark=max_mark, mark_step=mark_step) == expected


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 1000), st.sampled_from([0.01, 0.1, 0.25, 0.3, 0.5, 1, 2, 7]))
@settings(deadline=None)
def test_a_higher_score_never_has_a_lower_mark(one: float, other: float, max_mark: int, mark_step: float) -> None:
    low, high = (mark_from_score(s, max_mark=max_mark, mark_step=mark_step) for s in sorted((one, other)))
    assert 0 <= low <= high <= max_mark


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (10, Grade.EXCELLENT),
        (8.5, Grade.EXCELLENT),
        (8, Grade.GOOD),
        (7, Grade.GOOD),
        (6.5, Grade.FAIR),
        (5, Grade.FAIR),
        (4.5, Grade.WEAK),
        (2.5, Grade.WEAK),
        (2, Grade.FAIL),
        (0, Grade.FAIL),
    ],
)
def test_a_grade_begins_at_its_boundary(mark: float, expected: Grade) -> None:
    assert grade_from_mark(mark, max_mark=10, boundaries=GradeBoundaries()) is expected


def test_boundaries_are_the_items_own() -> None:
    boundaries = GradeBoundaries(excellent=1, good=0.5, fair=0.5, weak=0)
    grades = [grade_from_mark(mark, max_mark=4, boundaries=boundaries) for mark in (4, 3, 2, 1, 0)]
    assert grades == [Grade.EXCELLENT, Grade.GOOD, Grade.GOOD, Grade.WEAK, Grade.WEAK]


@pytest.mark.parametrize(("value", "expected"), [(0.123456, "0.1235"), (-0.00001, "0.0"), (1, "1.0"), (-0.5, "-0.5")])
def test_results_carry_four_decimals_and_no_negative_zero(value: float, expected: str) -> None:
    assert repr(rounded(value)) == expected


def test_a_model_file_round_trips() -> None:
    assert ScoringModel.from_json(MODEL.to_json()) == MODEL


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", '{"names": []}', MODEL.to_json().replace("intercept", "offset")],
    ids=["empty", "list", "number", "broken", "incomplete", "unknown-field"],
)
def test_what_is_no_model_file_is_refused(text: str) -> None:
    with pytest.raises(ScoringModelError, match=r"^Not a scoring model"):
        ScoringModel.from_json(text)


def test_a_model_with_lists_of_different_length_is_refused() -> None:
    data = json.loads(MODEL.to_json())
    data["means"] = [0.5]
    with pytest.raises(ScoringModelError, match="differ in length"):
        ScoringModel.from_json(json.dumps(data))


def test_every_number_of_a_model_is_in_its_signature() -> None:
    others = [
        replace(MODEL, coefficients=(0.2, 0.11)),
        replace(MODEL, intercept=0.61),
        replace(MODEL, half_width=0.31),
        replace(MODEL, blend_slope=1.4),
    ]
    signatures = {MODEL.signature, *(other.signature for other in others)}
    assert len(signatures) == 5
    assert all(len(signature) == 12 for signature in signatures)


def test_the_shipped_model_is_for_this_versions_evidence_and_says_what_it_was_fitted_on() -> None:
    model = default_scoring_model()
    assert model.names == EVIDENCE_NAMES
    assert "SemEval-2013" in model.provenance
    assert 0 < model.half_width < 1
    assert 0 < model.blend_half_width < 1


def test_the_shipped_model_never_takes_marks_off_for_more_in_common() -> None:
    model = default_scoring_model()
    of = dict(zip(model.names, model.coefficients, strict=True))
    assert all(
        of[name] >= 0 for name in ("similarity", "recall", "coverage", "new_coverage", "word_precision", "trigram_coverage")
    )
    assert all(of[name] <= 0 for name in ("question_similarity", "polarity_mismatch", "question_share"))
    assert model.blend_slope > 0
