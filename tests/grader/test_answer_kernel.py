"""The arithmetic of learning from marks: worked out by hand, and against a second way to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from grader.answer_kernel import (
    AnswerKernel,
    adapt,
    default_answer_kernel,
    given,
    infer,
    kernel_from_json,
    most_telling,
    precision,
    solve,
)
from grader.errors import CalibrationError

KERNEL = AnswerKernel(slope=4.0, meaning=2.0, reach=0.5, words=1.0, provenance="by hand")


def array(*values: float) -> np.typing.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def test_covariances_are_those_of_the_formula() -> None:
    found = KERNEL.covariances(array(0.5, 1.0), array(0.0), cosines=array(1.0, 0.5)[:, None], words=array(1.0, 0.2)[:, None])
    assert found[:, 0] == pytest.approx([0.0 + 2.0 + 1.0, 4.0 * 0.5 * -0.5 + 2.0 * np.exp(-1) + 0.2])
    assert KERNEL.variances(array(0.5, 1.0)) == pytest.approx([3.0, 4.0])


def test_one_mark_moves_its_own_answer_by_its_share_of_what_is_not_chance() -> None:
    among = np.array([[3.0]])
    weights = solve(among, array(0.4))
    assert weights == pytest.approx([0.1])
    posterior = infer(among, precision(among), weights, array(3.0))
    assert posterior.errors == pytest.approx([0.3])
    assert posterior.remaining == pytest.approx([(3.0 - 9.0 / 4.0 + 1.0) / 4.0])


def test_answers_that_have_nothing_in_common_with_the_marked_ones_learn_nothing() -> None:
    among = np.array([[3.0]])
    posterior = infer(np.array([[0.0]]), precision(among), solve(among, array(0.4)), array(3.0))
    assert (posterior.errors[0], posterior.remaining[0]) == (0.0, 1.0)


def test_a_rise_pays_for_signs_and_a_fall_does_not() -> None:
    found = adapt(
        array(0.5, 0.5, 0.5, 0.5, 0.9, 0.1),
        array(0.2, 0.2, -0.2, 0.2, 0.3, -0.3),
        factors=array(1.0, 0.5, 0.5, 1.0, 1.0, 1.0),
        ceilings=array(1.0, 1.0, 1.0, 0.55, 1.0, 1.0),
        barred=np.zeros(6, dtype=bool),
    )
    assert found == pytest.approx([0.7, 0.6, 0.3, 0.55, 1.0, 0.0])
    barred = np.array([True, True])
    ones = array(1.0, 1.0)
    assert adapt(array(0.5, 0.5), array(0.2, -0.2), factors=ones, ceilings=ones, barred=barred) == pytest.approx([0.5, 0.3])


def test_the_most_telling_answer_has_most_in_common_with_the_others() -> None:
    prior = np.array([[1.0, 0.1, 0.0], [0.1, 1.0, 0.8], [0.0, 0.8, 1.0]])
    assert most_telling(prior, 9) == [1, 0, 2]
    assert most_telling(prior, 1) == [1]
    assert most_telling(prior[:0, :0], 3) == []


def test_what_is_left_after_marks_is_what_conditioning_leaves() -> None:
    random = np.random.default_rng(0)
    factor = random.normal(size=(6, 6))
    prior = factor @ factor.T
    left = given(prior, np.array([1, 4]))
    observed = np.vstack([np.eye(6), np.eye(6)[[1, 4]]])
    joint = observed @ prior @ observed.T + np.diag([0.0] * 6 + [1.0] * 2)
    expected = joint[:6, :6] - joint[:6, 6:] @ np.linalg.inv(joint[6:, 6:]) @ joint[6:, :6]
    assert left == pytest.approx(expected)
    assert given(prior, np.array([], dtype=np.int64)) is prior


def test_the_shipped_kernel_is_a_file_that_says_where_it_comes_from() -> None:
    kernel = default_answer_kernel()
    assert min(kernel.slope, kernel.meaning, kernel.reach, kernel.words) > 0
    assert "BEETLE" in kernel.provenance
    assert kernel_from_json(kernel.to_json()) == kernel
    assert KERNEL.signature != kernel.signature
    with pytest.raises(CalibrationError, match="Not an answer kernel: 5 field"):
        kernel_from_json("{}")
