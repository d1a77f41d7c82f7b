"""How well a system's marks agree with people's: arithmetic on two equally long arrays, floats out.

Nothing here knows texts, items or encoders. Every measure refuses empty input: there is no agreement about nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.floating] | npt.NDArray[np.integer]
_Array = npt.NDArray[np.float64]

_BINS = 10
# Scores such as 1 - .7 come out a hair under their decimal; they belong to the bin that the decimal names.
_BIN_SLACK = 1e-9


def qwk(human_marks: Numbers, system_marks: Numbers) -> float:
    """Return Cohen's kappa with quadratic weights (Cohen 1968) over discrete marks.

    The categories are all whole marks from the lowest to the highest that either side gave. With quadratic weights the kappa is
    `1 - mean((h - s)^2) / (var(h) + var(s) + (mean(h) - mean(s))^2)`: the range cancels out, so marks that nobody gave do not
    change it.

    Args:
        human_marks: Whole numbers.
        system_marks: Whole numbers on the same scale.

    Returns:
        A number in [-1, 1]; 1 is full agreement, 0 what chance gives. 0.0 if one side never varies, and nan if both sides give
        one and the same mark throughout: chance then explains everything.

    Raises:
        ValueError: If a mark is not a whole number, the lengths differ or there is no mark.

    >>> round(qwk([1, 4, 2, 2, 5, 2, 5, 4, 5, 3, 1], [3, 4, 4, 4, 4, 4, 6, 7, 8, 9, 10]), 10)
    0.041025641
    """
    human, system = _pair(human_marks, system_marks)
    for side in (human, system):
        if not np.array_equal(side, np.round(side)):
            raise ValueError(f"marks must be whole numbers, got {float(side[side != np.round(side)][0])}")
    by_chance = human.var() + system.var() + (human.mean() - system.mean()) ** 2
    if by_chance == 0:
        return float("nan")
    if human.var() == 0 or system.var() == 0:
        return 0.0
    return float(1 - np.mean((human - system) ** 2) / by_chance)


def wrmse(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return the RMSE with every band of human scores weighted alike (ASAG2024; Meyer, Breuer and Fürst, 2024).

    Human scores fall in ten bins of width 0.1, the last one closed. Every bin with an answer has the same total weight, shared
    equally by its answers; the measure is the root of the weighted mean squared error.

    Args:
        human_scores: In [0, 1].
        system_scores: Any finite numbers; [0, 1] is what makes sense.

    Returns:
        A number from 0 (equal) upwards.

    Raises:
        ValueError: If a human score is outside [0, 1], the lengths differ or there is no score.

    >>> wrmse([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    0.7071067811865476
    """
    human, system = _pair(human_scores, system_scores)
    if human.min() < 0 or human.max() > 1:
        raise ValueError(f"human scores must be in [0, 1], got {human.min():g} to {human.max():g}")
    bins = np.minimum(np.floor(human * _BINS + _BIN_SLACK).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    errors = np.bincount(bins, weights=(human - system) ** 2, minlength=_BINS)
    used = counts > 0
    return float(np.sqrt(np.mean(errors[used] / counts[used])))


def rmse(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return the root of the mean squared difference, from 0 (equal) upwards, in the unit of the scores."""
    human, system = _pair(human_scores, system_scores)
    return float(np.sqrt(np.mean((human - system) ** 2)))


def mae(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return the mean absolute difference, from 0 (equal) upwards, in the unit of the scores."""
    human, system = _pair(human_scores, system_scores)
    return float(np.mean(np.abs(human - system)))


def pearson(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return Pearson's correlation in [-1, 1]; nan if either side never varies, as it does with a single answer."""
    human, system = _pair(human_scores, system_scores)
    # Equality rather than a variance of 0: the mean of equal numbers can be off by a bit, and the variance with it.
    if human.min() == human.max() or system.min() == system.max():
        return float("nan")
    h, s = human - human.mean(), system - system.mean()
    r = np.dot(h, s) / (np.linalg.norm(h) * np.linalg.norm(s))
    return float(np.clip(r, -1.0, 1.0))


def spearman(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return Spearman's rank correlation in [-1, 1]: Pearson's of the ranks, equal scores sharing the mean of theirs.

    nan if either side never varies.
    """
    human, system = _pair(human_scores, system_scores)
    return pearson(_ranks(human), _ranks(system))


def standardised_mean_difference(human_scores: Numbers, system_scores: Numbers) -> float:
    """Return by how much the system's scores lie above people's, in standard deviations.

    The difference of the means over the root of the mean of both variances (Williamson, Xi and Breyer, 2012, who ask for at most
    .15 either way); 0.0 for equal means, nan if neither side varies and the means differ.
    """
    human, system = _pair(human_scores, system_scores)
    difference = float(system.mean() - human.mean())
    spread = float(np.sqrt((human.var() + system.var()) / 2))
    if difference == 0:
        return 0.0
    return difference / spread if spread > 0 else float("nan")


def auc(higher: Numbers, lower: Numbers) -> float:
    """Return how often a score of one kind of answer stands above one of another kind, in [0, 1], equal ones counting half.

    The area under the ROC curve (Hanley and McNeil, 1982), from the ranks of all scores. The two need not be equally many.
    """
    above, below = np.asarray(higher, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    if above.ndim != 1 or below.ndim != 1 or not len(above) or not len(below):
        raise ValueError(f"expected two flat sequences that are not empty, got shapes {above.shape} and {below.shape}")
    ranks = _ranks(np.concatenate([above, below]))[: len(above)]
    return float((ranks.sum() - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def bootstrap_interval(
    measure: Callable[[_Array, _Array], float],
    human_scores: Numbers,
    system_scores: Numbers,
    *,
    groups: Sequence[Hashable] | None = None,
    coverage: float = 0.95,
    draws: int = 1_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a measure (Efron 1979).

    Args:
        measure: Any measure of this module on two arrays.
        human_scores: People's side.
        system_scores: The system's side.
        groups: What each pair belongs to, such as its question. Whole groups are then drawn: answers to one question are alike,
            and drawing them one by one would make the interval too narrow.
        coverage: Share of the draws that the interval holds, in (0, 1).
        draws: How often the pairs are drawn with replacement.
        seed: The same seed gives the same interval.

    Returns:
        Low and high end. Draws on which the measure is nan are left out; nan, nan if all are.

    Raises:
        ValueError: If the lengths differ, there is no pair, or `coverage` or `draws` is out of range.
    """
    human, system = _pair(human_scores, system_scores)
    if not 0 < coverage < 1 or draws < 1:
        raise ValueError(f"expected a coverage in (0, 1) and at least one draw, got {coverage:g} and {draws}")
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(range(len(human)) if groups is None else groups):
        members.setdefault(group, []).append(row)
    _check_lengths(len(human), sum(map(len, members.values())))
    rows_of = [np.array(rows) for rows in members.values()]
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        rows = np.concatenate([rows_of[at] for at in random.integers(len(rows_of), size=len(rows_of))])
        found.append(measure(human[rows], system[rows]))
    known = np.array(found)[~np.isnan(found)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def exact_agreement(human_marks: Numbers, system_marks: Numbers) -> float:
    """Return the share of answers with the very same mark, in [0, 1]."""
    human, system = _pair(human_marks, system_marks)
    return float(np.mean(human == system))


def adjacent_agreement(human_marks: Numbers, system_marks: Numbers, *, within: float = 1.0) -> float:
    """Return the share of answers whose marks differ by at most `within`, in [0, 1]; equal marks count."""
    human, system = _pair(human_marks, system_marks)
    return float(np.mean(np.abs(human - system) <= within))


def accuracy(human_labels: Sequence[Hashable], system_labels: Sequence[Hashable]) -> float:
    """Return the share of equal labels, in [0, 1]."""
    _check_lengths(len(human_labels), len(system_labels))
    return sum(h == s for h, s in zip(human_labels, system_labels, strict=True)) / len(human_labels)


def macro_f1(human_labels: Sequence[Hashable], system_labels: Sequence[Hashable]) -> float:
    """Return the unweighted mean of every label's F1, in [0, 1].

    The labels are those that either side gave, so a label that only the system gives counts with an F1 of 0.

    >>> round(macro_f1(["a", "a", "b"], ["a", "b", "b"]), 4)
    0.6667
    """
    _check_lengths(len(human_labels), len(system_labels))
    pairs = list(zip(human_labels, system_labels, strict=True))
    scores = []
    for label in {*human_labels, *system_labels}:
        both = sum(h == label and s == label for h, s in pairs)
        either = sum((h == label) + (s == label) for h, s in pairs)
        scores.append(2 * both / either)
    # Summed in order of size: the order of a set of strings changes from process to process, and with it the last bit.
    return sum(sorted(scores)) / len(scores)


def _ranks(values: _Array) -> _Array:
    """Return ranks from 1 up, equal values sharing the mean of their ranks."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: _Array = ((last - counts + 1 + last) / 2)[at]
    return shared


def _pair(human: Numbers, system: Numbers) -> tuple[_Array, _Array]:
    """Return both sides as float64 after checking that they can be compared."""
    h, s = np.asarray(human, dtype=np.float64), np.asarray(system, dtype=np.float64)
    if h.ndim != 1 or s.ndim != 1:
        raise ValueError(f"expected two flat sequences, got shapes {h.shape} and {s.shape}")
    _check_lengths(len(h), len(s))
    if not (np.isfinite(h).all() and np.isfinite(s).all()):
        raise ValueError("expected finite numbers, got nan or infinity")
    return h, s


def _check_lengths(human: int, system: int) -> None:
    if human != system:
        raise ValueError(f"expected equally many on both sides, got {human} and {system}")
    if human == 0:
        raise ValueError("expected at least one pair, got none")
