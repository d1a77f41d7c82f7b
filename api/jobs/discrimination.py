"""How well the score of one item tells learners who do well in the others from those who do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Scores of ten learners that have nothing to do with each other correlate by .63 or more once in twenty times; of fewer, more.
FEWEST_LEARNERS = 10


def discriminations(subject: npt.NDArray[Any], item: npt.NDArray[Any], score: npt.NDArray[Any], items: int) -> list[float | None]:
    """Return the corrected discrimination of every item.

    For item i it is Pearson's correlation, in [-1, 1], over the learners j who answered it and at least one other item, of their
    score on it with the mean of their other scores:

        r_i = corr_j( s_ij , (sum_k s_kj - s_ij) / (n_j - 1) ),   k over the n_j items that j answered

    where s_ij is the score of j's first answer to i: a later one may have been written after help with the first, and a mean of
    both varies less than the single answers that it would stand beside.

    Leaving s_ij out of the mean is what is "corrected": an item does not correlate with itself. Where learners answered different
    items, the means are over items of different difficulty, and the figure is rougher.

    Args:
        subject: Who gave each answer, in the order of the table; 0 is nobody, and such answers are left out.
        item: The item of each answer, from 0 up.
        score: The score of each answer, in [0, 1].
        items: How many items there are.

    Returns:
        One figure for each item, None with fewer than ten learners or where either side is the same throughout.
    """
    known = subject != 0
    item, score = item[known], score[known]
    _, learner = np.unique(subject[known], return_inverse=True)
    _, first = np.unique(learner.astype(np.int64) * max(1, items) + item, return_index=True)
    learner, item, score = learner[first], item[first], score[first]
    total, answers = np.bincount(learner, weights=score), np.bincount(learner)
    compared = answers[learner] > 1
    rest = (total[learner] - score) / np.maximum(1, answers[learner] - 1)
    return [_correlation(score[chosen], rest[chosen]) for chosen in (compared & (item == n) for n in range(items))]


def _correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float | None:
    if len(one) < FEWEST_LEARNERS or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 4)
