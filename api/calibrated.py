"""The grader for each item: the general one, or one that has learnt from the tenant's reviews of that item."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from api.items import HeldAgainst
from api.storage.database import Store
from api.storage.tables import Calibration, CalibrationMark, Result
from grader import CalibrationError, Grader, GradingResult, calibrate, with_calibration
from grader.items import Gradable

if TYPE_CHECKING:
    from api.jobs.second_process import SecondProcess

# Each holds up to two hundred answers with their vectors, about 4 MB.
_KEPT = 32
# Built once, since every answer asks for it.
_CALIBRATION = (
    select(Calibration.id, func.count(CalibrationMark.result_id))
    .join(CalibrationMark, CalibrationMark.calibration_id == Calibration.id)
    .where(
        Calibration.bank_id == bindparam("bank_id"),
        Calibration.item_id == bindparam("item_id"),
        Calibration.content_hash == bindparam("content_hash"),
    )
    .group_by(Calibration.id)
)


class LearntGraders:
    """Graders that have learnt, kept for the next answers to their items. Safe to use from several threads."""

    def __init__(self) -> None:
        # By calibration: of how many answers it was made, and what came of it.
        self._kept: OrderedDict[str, tuple[int, Grader]] = OrderedDict()
        self._lock = Lock()

    def get(self, calibration_id: str, answers: int) -> Grader | None:
        """Return a grader that was made of so many answers; one that was made of others is let go of."""
        with self._lock:
            made_of, grader = self._kept.get(calibration_id, (answers, None))
            if made_of != answers:
                del self._kept[calibration_id]
                return None
            if grader is not None:
                self._kept.move_to_end(calibration_id)
            return grader

    def keep(self, calibration_id: str, answers: int, grader: Grader) -> Grader:
        """Keep a grader, letting go of the one longest unused if there are too many."""
        with self._lock:
            self._kept[calibration_id] = answers, grader
            self._kept.move_to_end(calibration_id)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return grader


@dataclass(frozen=True, slots=True, kw_only=True)
class Graders:
    """The graders of one tenant, as of one request."""

    general: Grader
    learnt: LearntGraders
    store: Store
    # Takes over what the general one is to grade in a batch, where it can be had.
    second: SecondProcess | None = None
    # A batch has many answers to few items.
    _found: dict[tuple[str | None, str | None], Grader] = field(default_factory=dict)

    def of(self, held: HeldAgainst) -> Grader:
        """Return the grader for an item; for one that was sent along it is the general one."""
        key = (held.bank_id, held.item_id)
        if held.item_id is None:
            return self.general
        if key not in self._found:
            self._found[key] = self._learnt(held) or self.general
        return self._found[key]

    def grade(self, held: HeldAgainst, candidate_answer: str) -> GradingResult:
        """Return the result of one answer."""
        return self.of(held).grade(held.gradable, candidate_answer)

    def grade_many(self, pairs: Sequence[tuple[HeldAgainst, str]]) -> list[GradingResult]:
        """Return the results of many answers, in their order; those with one grader are graded together."""
        shares: dict[int, tuple[Grader, list[int]]] = {}
        for at, (held, _) in enumerate(pairs):
            grader = self.of(held)
            shares.setdefault(id(grader), (grader, []))[1].append(at)
        results: dict[int, GradingResult] = {}
        for grader, places in shares.values():
            graded = self._graded(grader, [(pairs[at][0].gradable, pairs[at][1]) for at in places])
            results.update(zip(places, graded, strict=True))
        return [results[at] for at in range(len(pairs))]

    def _graded(self, grader: Grader, pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult]:
        elsewhere = self.second.try_grade(grader.signature, pairs) if self.second and grader is self.general else None
        return grader.grade_many(pairs) if elsewhere is None else elsewhere

    def _learnt(self, held: HeldAgainst) -> Grader | None:
        """Return what has learnt about an item as it is now, None where nothing has."""
        with self.store.read() as session:
            found = _calibration_of(session, held)
            if found is None:
                return None
            calibration_id, answers = found
            kept = self.learnt.get(calibration_id, answers)
            if kept is not None:
                return kept
            marks = marks_of(session, calibration_id)
        try:
            calibration = calibrate(self.general, [(held.gradable, text, score) for text, score in marks])
        except CalibrationError:
            # Too many of its answers were deleted.
            return None
        return self.learnt.keep(calibration_id, answers, with_calibration(self.general, calibration))


def marks_of(session: Session, calibration_id: str) -> list[tuple[str, float]]:
    """Return the answers of a calibration that are still there, with the scores that people gave them."""
    query = (
        select(Result.candidate_answer, CalibrationMark.score)
        .join(CalibrationMark, CalibrationMark.result_id == Result.id)
        .where(CalibrationMark.calibration_id == calibration_id)
        .order_by(Result.id)
    )
    return [(text, score) for text, score in session.execute(query)]


def _calibration_of(session: Session, held: HeldAgainst) -> tuple[str, int] | None:
    """Return the id of the calibration of an item as it is now, and of how many answers it is."""
    of = {"bank_id": held.bank_id, "item_id": held.item_id, "content_hash": held.gradable.content_hash}
    found = session.execute(_CALIBRATION, of).first()
    return None if found is None else (found[0], found[1])
