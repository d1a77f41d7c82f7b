"""How well scores agree with a teacher's marks before and after learning from them, each mark judged by what others teach."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from grader import agreement
from grader.answer_kernel import AnswerKernel, default_answer_kernel
from grader.calibration import Marked
from grader.errors import CalibrationError
from grader.grader import Grader
from grader.items import Gradable
from grader.learning import Floats, LearningItem
from grader.scoring import mark_from_score

_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFigures:
    """Agreement over `n` answers.

    `rmse` is of scores in [0, 1]. The others are of marks, counted in steps of the item's `mark_step`: `qwk` is None where it is
    not defined, `exact` is the share of equal marks, `adjacent` that of marks at most a step apart.
    """

    n: int
    qwk: float | None
    rmse: float
    exact: float
    adjacent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """Agreement with people before and after, and of two people where a second one marked; `signature` is the grader's."""

    signature: str
    items: int
    before: AgreementFigures
    after: AgreementFigures
    people: AgreementFigures | None

    def to_dict(self) -> dict[str, Any]:  # Any: JSON
        """Return the report as plain JSON values, in the order of the fields."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the report as one line of JSON."""
        return json.dumps(self.to_dict(), separators=(",", ":"))


def cross_validate(grader: Grader, marked: Sequence[Marked], *, second: Sequence[float | None] = ()) -> CalibrationReport:
    """Return the agreement with marks before and after learning, every answer scored without its own mark.

    The answers of an item are dealt into five parts, all repeats of a text into one; each part is scored by what the marks of
    the others teach. A part depends on an answer's text alone, so the order of the marks does not matter.

    Args:
        grader: The grader, without a calibration.
        marked: The marked answers of one item or of many.
        second: What a second person gave to the same answers, in [0, 1] or None; empty if nobody marked twice.

    Raises:
        CalibrationError: If there is no mark to compare with.
        InvalidAnswerError: If an answer cannot be graded.
    """
    kernel = default_answer_kernel()
    items: dict[str, tuple[Gradable, list[tuple[str, float]]]] = {}
    for item, answer, score in marked:
        items.setdefault(item.content_hash, (item, []))[1].append((answer, score))
    before, after, human = _Side(), _Side(), _Side()
    for item, answers in items.values():
        appraisals = grader.appraise([(item, answer) for answer, _ in answers])
        said = [(a, score) for a, (_, score) in zip(appraisals, answers, strict=True) if a is not None]
        if said:
            answered = LearningItem.of([a for a, _ in said], [score for _, score in said])
            human.add(item, answered.human)
            before.add(item, answered.scores)
            after.add(item, _scores_without_own_mark(answered, kernel, [a.answer.text for a, _ in said]))
    if not human.scores:
        raise CalibrationError("There is no marked answer to compare with.")
    return CalibrationReport(
        signature=grader.signature,
        items=len(items),
        before=human.agreement(before),
        after=human.agreement(after),
        people=_between_people(marked, second),
    )


class _Side:
    """Scores of one side and the marks they come to."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.steps: list[int] = []

    def add(self, item: Gradable, scores: Floats) -> None:
        self.scores += scores.tolist()
        marks = [mark_from_score(float(s), max_mark=item.max_mark, mark_step=item.mark_step) for s in scores]
        self.steps += [round(mark / item.mark_step) for mark in marks]

    def agreement(self, other: _Side) -> AgreementFigures:
        qwk = agreement.qwk(self.steps, other.steps)
        return AgreementFigures(
            n=len(self.scores),
            qwk=None if math.isnan(qwk) else qwk,
            rmse=agreement.rmse(self.scores, other.scores),
            exact=agreement.exact_agreement(self.steps, other.steps),
            adjacent=agreement.adjacent_agreement(self.steps, other.steps),
        )


def _scores_without_own_mark(answered: LearningItem, kernel: AnswerKernel, texts: Sequence[str]) -> Floats:
    """Return the adapted scores, each learnt from the answers of other parts; the general score where there are none."""
    parts = np.array([_part(text) for text in texts])
    scores = answered.scores.copy()
    for part in range(_FOLDS):
        rows, others = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        if len(rows) and len(others):
            scores[rows], _ = answered.learn(kernel, others, rows)
    return scores


def _part(text: str) -> int:
    return int(hashlib.sha256(" ".join(text.split()).encode()).hexdigest(), 16) % _FOLDS


def _between_people(marked: Sequence[Marked], second: Sequence[float | None]) -> AgreementFigures | None:
    one, other = _Side(), _Side()
    for (item, _, score), again in zip(marked, second, strict=bool(second)):
        if again is not None:
            one.add(item, np.array([score]))
            other.add(item, np.array([again]))
    return one.agreement(other) if one.scores else None
