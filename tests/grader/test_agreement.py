"""Agreement measures against published values, a second implementation and hand-computed tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from grader.agreement import (
    accuracy,
    adjacent_agreement,
    auc,
    bootstrap_interval,
    exact_agreement,
    macro_f1,
    mae,
    pearson,
    qwk,
    rmse,
    spearman,
    standardised_mean_difference,
    wrmse,
)

MARKS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=60)
SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60)
NUMERIC = [qwk, wrmse, rmse, mae, pearson, spearman, standardised_mean_difference, exact_agreement, adjacent_agreement]


def test_qwk_reproduces_the_published_test_vector() -> None:
    human = [1, 4, 2, 2, 5, 2, 5, 4, 5, 3, 1]
    system = [3, 4, 4, 4, 4, 4, 6, 7, 8, 9, 10]
    assert qwk(human, system) == pytest.approx(0.0410256410, abs=1e-8)
    assert qwk(system, human) == pytest.approx(0.0410256410, abs=1e-8)


@given(MARKS)
def test_qwk_equals_the_confusion_matrix_form_over_the_union_range(pairs: list[tuple[int, int]]) -> None:
    human, system = map(list, zip(*pairs, strict=True))
    labels = list(range(min(human + system), max(human + system) + 1))
    ours = qwk(human, system)
    if len(labels) == 1:
        assert math.isnan(ours)
    else:
        theirs = cohen_kappa_score(human, system, labels=labels, weights="quadratic")
        assert ours == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize(
    ("human", "system", "expected"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], 1.0),
        ([0, 1, 2, 3], [3, 2, 1, 0], -1.0),
        ([0, 1, 2, 3], [2, 2, 2, 2], 0.0),
        ([5, 5, 5], [1, 1, 1], 0.0),
    ],
    ids=["equal", "reversed", "constant system", "both constant, different"],
)
def test_qwk_edge_cases(human: list[int], system: list[int], expected: float) -> None:
    assert qwk(human, system) == expected


def test_qwk_of_one_mark_throughout_is_nan() -> None:
    assert math.isnan(qwk([4, 4], [4, 4]))


def test_qwk_refuses_marks_that_are_not_whole() -> None:
    with pytest.raises(ValueError, match=r"whole numbers, got 2\.5"):
        qwk([1, 2], [1, 2.5])


def test_wrmse_gives_every_bin_the_same_weight() -> None:
    # Bin 0 holds three answers with a mean squared error of .01, bin 5 one with .09: sqrt((.01 + .09) / 2).
    assert wrmse([0.0, 0.05, 0.09, 0.55], [0.1, 0.15, 0.19, 0.25]) == pytest.approx(math.sqrt(0.05), abs=1e-12)


def test_wrmse_puts_decimals_in_the_bin_they_name_and_closes_the_last_one() -> None:
    # 1 - .7 is a hair under .3 and shares its bin; .95 and 1 share the last one.
    assert wrmse([1 - 0.7, 0.3], [0.3, 0.5]) == pytest.approx(math.sqrt(0.02), abs=1e-9)
    assert wrmse([0.95, 1.0], [0.95, 0.8]) == pytest.approx(math.sqrt(0.02), abs=1e-9)
    for tenth in range(10):
        assert wrmse([tenth / 10, tenth / 10 + 0.09], [tenth / 10, tenth / 10 + 0.19]) == pytest.approx(
            math.sqrt(0.005), abs=1e-9
        )


def test_wrmse_refuses_human_scores_outside_the_scale() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\], got 0 to 3\.5"):
        wrmse([0, 3.5], [0, 1])


@given(SCORES)
def test_wrmse_is_bounded_and_zero_only_for_equal_scores(pairs: list[tuple[float, float]]) -> None:
    human, system = map(list, zip(*pairs, strict=True))
    assert 0 <= wrmse(human, system) <= 1
    assert wrmse(human, human) == 0


def test_rmse_and_mae_by_hand() -> None:
    assert rmse([0.0, 0.0, 1.0], [0.0, 0.5, 0.0]) == pytest.approx(math.sqrt(1.25 / 3), abs=1e-12)
    assert mae([0.0, 0.0, 1.0], [0.0, 0.5, 0.0]) == pytest.approx(0.5, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=2, max_size=50))
def test_pearson_equals_numpys_where_both_sides_vary(pairs: list[tuple[int, int]]) -> None:
    human, system = map(list, zip(*pairs, strict=True))
    if len(set(human)) == 1 or len(set(system)) == 1:
        assert math.isnan(pearson(human, system))
    else:
        assert pearson(human, system) == pytest.approx(float(np.corrcoef(human, system)[0, 1]), abs=1e-8)


@pytest.mark.parametrize("constant", [0.0, 0.1, 0.7, 1 / 3])
def test_pearson_of_a_constant_is_nan_even_where_its_variance_is_rounding_noise(constant: float) -> None:
    assert math.isnan(pearson([constant] * 7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]))
    assert math.isnan(pearson([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [constant] * 7))


def test_exact_and_adjacent_agreement_by_hand() -> None:
    human, system = [1, 2, 3, 4], [1, 3, 5, 4]
    assert exact_agreement(human, system) == 0.5
    assert adjacent_agreement(human, system) == 0.75
    assert adjacent_agreement(human, system, within=2) == 1.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=60))
def test_label_measures_equal_a_second_implementation(pairs: list[tuple[str, str]]) -> None:
    human, system = map(list, zip(*pairs, strict=True))
    assert accuracy(human, system) == pytest.approx(accuracy_score(human, system), abs=1e-12)
    assert macro_f1(human, system) == pytest.approx(f1_score(human, system, average="macro", zero_division=0), abs=1e-12)


@pytest.mark.parametrize("measure", NUMERIC, ids=lambda m: m.__name__)
def test_numbers_that_cannot_be_compared_are_refused(measure: Callable[[list[float], list[float]], float]) -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        measure([], [])
    with pytest.raises(ValueError, match="got 1 and 2"):
        measure([1], [1, 0])
    with pytest.raises(ValueError, match="finite"):
        measure([1, math.nan], [1, 0])
    with pytest.raises(ValueError, match="flat"):
        measure([[1, 0]], [[1, 0]])  # type: ignore[list-item]


@pytest.mark.parametrize("measure", [accuracy, macro_f1], ids=lambda m: m.__name__)
def test_labels_that_cannot_be_compared_are_refused(measure: Callable[[list[str], list[str]], float]) -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        measure([], [])
    with pytest.raises(ValueError, match="got 2 and 1"):
        measure(["a", "b"], ["a"])


@given(MARKS)
def test_spearman_equals_scipys(pairs: list[tuple[int, int]]) -> None:
    human, system = map(list, zip(*pairs, strict=True))
    ours = spearman(human, system)
    if len(set(human)) == 1 or len(set(system)) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(human, system).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("human", "system", "expected"),
    [([0, 2], [0, 2], 0.0), ([0, 2], [1, 3], 1.0), ([0, 2], [0, 0], -math.sqrt(2)), ([1, 1], [1, 1], 0.0)],
)
def test_the_standardised_mean_difference_by_hand(human: list[float], system: list[float], expected: float) -> None:
    assert standardised_mean_difference(human, system) == pytest.approx(expected)


def test_different_constants_have_no_standardised_difference() -> None:
    assert math.isnan(standardised_mean_difference([1, 1], [2, 2]))


def test_a_bootstrap_interval_holds_the_measure_and_repeats_with_its_seed() -> None:
    random = np.random.default_rng(1)
    human = random.random(400)
    system = human + random.normal(0, 0.1, 400)
    low, high = bootstrap_interval(rmse, human, system)
    assert low < rmse(human, system) < high
    assert high - low < 0.03
    assert bootstrap_interval(rmse, human, system) == (low, high)
    assert bootstrap_interval(rmse, human, system, seed=1) != (low, high)


def test_drawing_whole_groups_widens_the_interval_where_their_answers_are_alike() -> None:
    errors = np.repeat([0.0, 0.5, 0.1, 0.9, 0.3], 40)
    human, groups = np.zeros(200), np.repeat(range(5), 40).tolist()
    single, grouped = (bootstrap_interval(mae, human, errors, groups=g) for g in (None, groups))
    assert grouped[1] - grouped[0] > 3 * (single[1] - single[0])


def test_a_measure_that_is_never_known_has_no_interval() -> None:
    assert all(math.isnan(end) for end in bootstrap_interval(pearson, [1, 1], [1, 2], draws=20))


@pytest.mark.parametrize("wrong", [{"coverage": 0.0}, {"coverage": 1.0}, {"draws": 0}, {"groups": ["a"]}])
def test_a_bootstrap_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        bootstrap_interval(rmse, [1, 2], [1, 2], **wrong)


def test_auc_counts_the_pairs_in_order_and_equal_ones_half() -> None:
    assert auc([0.9, 0.5], [0.5, 0.1, 0.7]) == pytest.approx(4.5 / 6)
    assert (auc([1.0], [0.0, 0.2]), auc([0.0, 0.2], [1.0])) == (1.0, 0.0)


@pytest.mark.parametrize(("higher", "lower"), [([], [0.1]), ([0.1], []), ([[0.1]], [0.1])])
def test_auc_needs_scores_of_both_kinds(higher: list[float], lower: list[float]) -> None:
    with pytest.raises(ValueError, match="not empty"):
        auc(higher, lower)
