"""Answers to one item in groups so alike that a person can mark each group at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.appraisal import Appraisal
from grader.errors import InvalidAnswerError
from grader.grader import Grader
from grader.items import Gradable
from grader.likeness import denies, likeness

# Cosine, with the question's direction taken out, that any two answers of a group have at least; see docs/agreement.md.
GROUP_CLOSENESS = 0.80
# Time and memory grow with the square of the distinct texts: a thousand take some seconds.
MAX_GROUPED_TEXTS = 1_000
# Further apart than any two vectors: never in one group.
_APART = 3.0

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGroup:
    """Positions of answers that say the same, in order; `representative` is the one closest to all others."""

    representative: int
    members: tuple[int, ...]


def group_answers(
    grader: Grader, item: Gradable, answers: Sequence[str], *, closeness: float = GROUP_CLOSENESS
) -> tuple[AnswerGroup, ...]:
    """Return groups of answers, the largest first, each answer in one of them.

    Complete linkage: any two answers of a group are at least as close as asked for. Answers with other numbers in them, or of
    which one denies the other, are never together, however close. The same answers give the same groups in any order; blank
    ones are a group of their own.

    Args:
        grader: Measures the answers.
        item: What they answer.
        answers: The texts, of which at most a thousand may be distinct.
        closeness: Least cosine within a group, in [0, 1]; 1 groups only what is worded alike.

    Raises:
        InvalidAnswerError: If an answer cannot be graded, or there are too many distinct ones.
        ValueError: If `closeness` is not in [0, 1].
    """
    if not 0 <= closeness <= 1:
        raise ValueError(f"closeness must be in [0, 1], got {closeness:g}")
    places: dict[str, list[int]] = {}
    for position, answer in enumerate(answers):
        places.setdefault(" ".join(answer.split()), []).append(position)
    if len(places) > MAX_GROUPED_TEXTS:
        raise InvalidAnswerError(f"There are {len(places)} distinct answers; at most {MAX_GROUPED_TEXTS} are grouped at once.")
    texts = sorted(places)
    said: list[tuple[str, Appraisal]] = []
    blank: list[int] = []
    for text, appraisal in zip(texts, grader.appraise([(item, text) for text in texts]), strict=True):
        if appraisal is None:
            blank += places[text]
        else:
            said.append((text, appraisal))
    groups = [AnswerGroup(representative=min(blank), members=tuple(sorted(blank)))] if blank else []
    if said:
        groups += _groups(said, places, closeness)
    return tuple(sorted(groups, key=lambda group: (-len(group.members), group.members[0])))


def _groups(said: Sequence[tuple[str, Appraisal]], places: dict[str, list[int]], closeness: float) -> list[AnswerGroup]:
    """Return the groups of distinct texts that say something."""
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415 takes half a second, and grading does without
    from scipy.spatial.distance import squareform  # noqa: PLC0415 the same

    distances = _distances([appraisal for _, appraisal in said], closeness)
    labels = np.zeros(1, dtype=np.int64)
    if len(said) > 1:
        tree = linkage(squareform(distances, checks=False), method="complete")
        # A hair more than asked for: equal vectors have a cosine of 1 but for its last bits.
        labels = fcluster(tree, t=1 - closeness + 1e-9, criterion="distance")
    groups = []
    for label in np.unique(labels):
        within = np.flatnonzero(labels == label)
        central = int(within[distances[np.ix_(within, within)].sum(axis=1).argmin()])
        members = sorted(position for at in within for position in places[said[int(at)][0]])
        groups.append(AnswerGroup(representative=places[said[central][0]][0], members=tuple(members)))
    return groups


def _distances(appraisals: Sequence[Appraisal], closeness: float) -> _Floats:
    """Return 1 less the cosine for every two answers, or `_APART` where nothing may bring them together."""
    cosines = likeness(appraisals, appraisals, denials=False).cosines
    distances = 1 - (cosines + cosines.T) / 2
    numbers = [frozenset(w.stem for w in a.answer.index.words if any(c.isdigit() for c in w.text)) for a in appraisals]
    for one, other in np.argwhere(np.triu(cosines >= closeness - 1e-9, 1)):
        left, right = appraisals[one].answer, appraisals[other].answer
        if numbers[one] != numbers[other] or denies(left, right) or denies(right, left):
            distances[one, other] = distances[other, one] = _APART
    np.fill_diagonal(distances, 0.0)
    return np.asarray(np.maximum(distances, 0.0))
