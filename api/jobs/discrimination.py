"""How well the score of one item tells learners who do well in the others from those who do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Scores of ten learners that have nothing to do with each other correlate by .63 or more once in twenty times; of fewer, more.
FEWEST_LEARNERS = 10


def discriminations(
    subject: npt.NDArray[Any], item: npt.NDArray[Any], score: npt.NDArray[Any], items: int
) -> list[float | None] | None:
    """Return the corrected discrimination of every item.

    For item i it is Pearson's correlation, in [-1, 1], over the learners j who answered it and at least one other item, of their
    score on it with the mean of their other scores:

        r_i = corr_j( s_ij , (sum_k s_kj - s_ij) / (n_j - 1) ),   k over the n_j items that j answered

    Leaving s_ij out of the mean is what is "corrected": an item does not correlate with itself. Where learners answered different
    items, the means are over items of different difficulty, and the figure is rougher.

    Args:
        subject: Who gave each answer; 0 is nobody, and such answers are left out.
        item: The item of each answer, from 0 up.
        score: The score of each answer, in [0, 1].
        items: How many items there are.

    Returns:
        None if a learner answered an item twice, since it cannot be told which answer counts. Else one figure for each item,
        None with fewer than ten learners or where either side is the same throughout.
    """
    known = subject != 0
    subject, item, score = subject[known], item[known], score[known]
    _, learner = np.unique(subject, return_inverse=True)
    pairs = np.sort(learner.astype(np.int64) * max(1, items) + item)
    if np.any(pairs[1:] == pairs[:-1]):
        return None
    total, answers = np.bincount(learner, weights=score), np.bincount(learner)
    compared = answers[learner] > 1
    rest = (total[learner] - score) / np.maximum(1, answers[learner] - 1)
    return [_correlation(score[chosen], rest[chosen]) for chosen in (compared & (item == n) for n in range(items))]


def _correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float | None:
    if len(one) < FEWEST_LEARNERS or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 4)
