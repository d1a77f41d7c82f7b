"""The items of the marked sets that have enough answers to learn from a few of them and look at the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from grader import Grader
from grader.learning import LearningItem
from training.data_sets import MarkedAnswer

# Twenty marks and some answers to look at.
FEWEST_ANSWERS = 24
_BINS = 10
_BIN_SLACK = 1e-9

Floats = npt.NDArray[np.float64]


def learning_items(grader: Grader, rows: Sequence[MarkedAnswer], *, denials: bool) -> list[LearningItem]:
    """Return the items that have enough answers, blank ones left out; scores are those of the grader."""
    by_item: dict[str, list[MarkedAnswer]] = {}
    for row in rows:
        by_item.setdefault(row.item.content_hash, []).append(row)
    found = []
    for answers in by_item.values():
        appraised = grader.appraise([(row.item, row.candidate_answer) for row in answers])
        kept = [(a, row) for a, row in zip(appraised, answers, strict=True) if a is not None]
        if len(kept) >= FEWEST_ANSWERS:
            found.append(LearningItem.of([a for a, _ in kept], [row.score for _, row in kept], denials=denials))
    return found


def weighted_errors(errors: Floats, human: Floats) -> float:
    """Return the mean of squared errors with every non-empty band of human scores weighing the same: wRMSE before its root."""
    bins = np.minimum((human * _BINS + _BIN_SLACK).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    sums = np.bincount(bins, weights=errors**2, minlength=_BINS)
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))
