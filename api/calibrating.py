"""Learning from reviews: what people decided about answers to an item adapts the scores of its other answers, for one tenant.

What is kept are the names of the reviewed results with the scores that people stand by. Texts are read where they lie whenever a
server learns from them, so that whatever is erased or deleted there is forgotten here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from api import examples
from api.bank_shapes import SHIPPED, BankId
from api.calibrated import marks_of
from api.errors import CalibrationNotFoundError, TooFewReviewsError
from api.items import HeldAgainst, Items
from api.standing import mean_score, opinions_of
from api.storage.columns import new_id, now
from api.storage.database import Store
from api.storage.tables import Calibration, CalibrationMark, Result
from grader import MAX_MARKS, MIN_MARKS, AgreementFigures, CalibrationError, Grader, calibrate, cross_validate


class Calibrate(BaseModel):
    """Which item's reviews to learn from."""

    model_config = ConfigDict(extra="forbid")

    bank_id: BankId = SHIPPED
    dry_run: Annotated[bool, Field(description="Only show what it would bring, and store nothing.")] = True


class CalibrationInfo(BaseModel):
    """What the scores of an item's answers are adapted by."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CALIBRATION]})

    bank_id: str
    item_id: str
    created_at: datetime
    key_name: str = Field(description="The name of the key that had it learnt.")
    answers: int = Field(description="How many reviewed answers it has; fewer than at first once some of them are deleted.")
    in_use: bool = Field(
        description="Whether answers are graded by it: the item is as it was then, and at least three answers are left."
    )


class CalibrationReport(BaseModel):
    """What learning from reviews brings, every one of them judged by what the others teach."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CALIBRATION_REPORT]})

    item_version: str
    stored: bool = Field(description="Whether answers are graded by it from now on.")
    answers: int = Field(description="Reviewed answers to this version of the item, the newest two hundred.")
    signature: str = Field(description="What the signature of results names it by.")
    before: AgreementFigures
    after: AgreementFigures


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibrations of the tenant that a store belongs to."""

    store: Store
    items: Items

    def learn(self, item_id: str, wanted: Calibrate, grader: Grader, *, key_name: str) -> CalibrationReport:
        """Learn from the reviews of an item's answers, in place of what was learnt before.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
            TooFewReviewsError: If fewer than three answers that say something were reviewed.
        """
        held = self.items.get(wanted.bank_id, item_id)
        with self.store.read() as session:
            scores = _reviewed(session, held)
            texts = _texts(session, list(scores))
        marked = [(held.gradable, texts[result_id], scores[result_id]) for result_id in texts]
        try:
            learnt = calibrate(grader, marked)
        except CalibrationError:
            raise TooFewReviewsError(MIN_MARKS) from None
        figures = cross_validate(grader, marked)
        if not wanted.dry_run:
            self._keep(held, {result_id: scores[result_id] for result_id in texts}, key_name)
        return CalibrationReport(
            item_version=held.item_version or "",
            stored=not wanted.dry_run,
            answers=len(marked),
            signature=learnt.signature,
            before=figures.before,
            after=figures.after,
        )

    def get(self, bank_id: str, item_id: str) -> CalibrationInfo:
        """Return what is learnt about an item.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
            CalibrationNotFoundError: If nothing is.
        """
        held = self.items.get(bank_id, item_id)
        with self.store.read() as session:
            row = session.scalar(select(Calibration).where(*_named(held)))
            if row is None:
                raise CalibrationNotFoundError(item_id)
            answers = len(marks_of(session, row.id))
        return CalibrationInfo(
            bank_id=bank_id,
            item_id=item_id,
            created_at=row.created_at,
            key_name=row.key_name,
            answers=answers,
            in_use=row.content_hash == held.gradable.content_hash and answers >= MIN_MARKS,
        )

    def forget(self, bank_id: str, item_id: str) -> CalibrationInfo:
        """Grade answers to an item by their general scores again, and return what was forgotten.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
            CalibrationNotFoundError: If nothing was learnt about it.
        """
        found = self.get(bank_id, item_id)
        with self.store.write() as session:
            session.execute(delete(Calibration).where(*_named(self.items.get(bank_id, item_id))))
        return found

    def _keep(self, held: HeldAgainst, scores: dict[str, float], key_name: str) -> None:
        with self.store.write() as session:
            session.execute(delete(Calibration).where(*_named(held)))
            row = Calibration(
                id=new_id(),
                created_at=now(),
                key_name=key_name,
                bank_id=held.bank_id,
                item_id=held.item_id,
                content_hash=held.gradable.content_hash,
            )
            session.add(row)
            session.flush()
            # Some may have been deleted since they were read; a name of nothing is refused by the database.
            still = _texts(session, list(scores))
            session.add_all(CalibrationMark(calibration_id=row.id, result_id=each, score=scores[each]) for each in still)


def _named(held: HeldAgainst) -> tuple[ColumnElement[bool], ...]:
    return Calibration.bank_id == held.bank_id, Calibration.item_id == held.item_id


def _reviewed(session: Session, held: HeldAgainst) -> dict[str, float]:
    """Return the scores that people stand by, by result: the mean over reviewers, of each the latest, for the newest results."""
    of_item = (
        Result.bank_id == held.bank_id,
        Result.item_id == held.item_id,
        Result.content_hash == held.gradable.content_hash,
        Result.review_count > 0,
    )
    known = session.execute(select(Result.id, Result.replaces_id).where(*of_item).order_by(Result.id.desc())).all()
    # An answer that was graded and reviewed again counts once, as it was reviewed last.
    replaced = {replaces_id for _, replaces_id in known}
    ids = [result_id for result_id, _ in known if result_id not in replaced][:MAX_MARKS]
    return {result_id: mean_score(opinions) for result_id, opinions in opinions_of(session, ids).items()}


def _texts(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the answers of results that are there, in their order."""
    query = select(Result.id, Result.candidate_answer).where(Result.id.in_(ids)).order_by(Result.id)
    return {row[0]: row[1] for row in session.execute(query)}
