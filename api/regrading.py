"""Grading stored answers again, after item or grader changed: the difference first, then new results beside the old."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, func, or_, select

from api import examples
from api.bank_shapes import SHIPPED, BankId
from api.calibrated import Graders
from api.items import HeldAgainst, Items
from api.results import keep_items, worth_of_a_look
from api.storage.columns import new_id
from api.storage.database import Store
from api.storage.tables import Result
from api.stored import RowId
from grader import Grader, GradingResult

# Answers in one call: a few seconds of work. The rest is left for the next call, which goes on at a cursor.
_MAX_ANSWERS = 200


class Regrade(BaseModel):
    """Which answers to grade again."""

    model_config = ConfigDict(extra="forbid")

    bank_id: BankId = SHIPPED
    dry_run: Annotated[bool, Field(description="Only show the difference, and store nothing.")] = True
    cursor: RowId | None = Field(default=None, description="`next_cursor` of the report before: go on after what it is about.")


class Difference(BaseModel):
    """What grading an answer again changes."""

    result_id: str
    new_result_id: str | None = Field(description="The result that took its place; null in a dry run.")
    attempt_id: str | None
    old_score: float
    new_score: float
    old_mark: float
    new_mark: float
    reviews: int = Field(
        description="How many people reviewed the old result. Their decisions stay with it, and the new one waits for review."
    )


class RegradeReport(BaseModel):
    """What came of grading the answers to an item again."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REGRADE_REPORT]})

    item_version: str
    stored: bool = Field(description="Whether the new results took the place of the old ones, which stay to be read.")
    affected: int = Field(description="Results of another version of the item or of the grader, before this call.")
    graded: int = Field(description="How many of them this call graded, oldest first.")
    next_cursor: str | None = Field(description="Send it with the next call for the others; null where there are none.")
    differences: list[Difference] = Field(description="Those whose score or mark changes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrading:
    """What it takes to grade a tenant's stored answers again."""

    store: Store
    items: Items
    graders: Graders
    key_name: str

    def run(self, item_id: str, wanted: Regrade) -> RegradeReport:
        """Grade the answers to an item again that were held against other content, or by another version of the grader.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
        """
        held = self.items.get(wanted.bank_id, item_id)
        grader = self.graders.of(held)
        affected = _affected(held, grader)
        with self.store.read() as session:
            count = session.scalar(select(func.count()).select_from(affected.subquery())) or 0
            ahead = affected if wanted.cursor is None else affected.where(Result.id > wanted.cursor)
            found = session.scalars(ahead.order_by(Result.id).limit(_MAX_ANSWERS + 1)).all()
        old = found[:_MAX_ANSWERS]
        began = time.perf_counter()
        graded = grader.grade_many([(held.gradable, row.candidate_answer) for row in old])
        took_ms = (time.perf_counter() - began) * 1000 / max(1, len(old))
        pairs = list(zip(old, graded, strict=True))
        new_ids = {} if wanted.dry_run else self._replace(pairs, held, took_ms)
        return RegradeReport(
            item_version=held.item_version or "",
            stored=not wanted.dry_run,
            affected=count,
            graded=len(pairs),
            next_cursor=old[-1].id if len(found) > len(old) else None,
            differences=[_difference(row, result, new_ids.get(row.id)) for row, result in pairs if _differs(row, result)],
        )

    def _replace(self, pairs: list[tuple[Result, GradingResult]], held: HeldAgainst, took_ms: float) -> dict[str, str]:
        """Store the new results in the old ones' place, and return their ids by the ids of the old ones."""
        new_ids: dict[str, str] = {}
        with self.store.write() as session:
            keep_items(session, [held.gradable])
            ids = [row.id for row, _ in pairs]
            query = select(Result).where(Result.id.in_(ids), Result.replaced.is_(False)).with_for_update()
            # What another call has replaced or deleted meanwhile is left alone.
            still = {row.id: row for row in session.scalars(query)}
            for old, result in pairs:
                if old.id in still:
                    still[old.id].replaced = True
                    new_ids[old.id] = new_id()
                    session.add(self._successor(old, result, held, new_ids[old.id], took_ms))
        return new_ids

    def _successor(self, old: Result, result: GradingResult, held: HeldAgainst, result_id: str, took_ms: float) -> Result:
        return Result(
            id=result_id,
            key_name=self.key_name,
            bank_id=old.bank_id,
            item_id=old.item_id,
            item_version=held.item_version,
            content_hash=held.gradable.content_hash,
            attempt_id=old.attempt_id,
            subject_id=old.subject_id,
            candidate_answer=old.candidate_answer,
            score=result.score,
            mark=result.mark,
            # What people decided was about the old result and stays with it; they are asked again about the new one.
            needs_review=result.needs_review or old.review_count > 0,
            signature=result.signature,
            result=result.to_json(),
            grading_ms=round(took_ms, 3),
            review_worth=worth_of_a_look(result),
            replaces_id=old.id,
        )


def _affected(held: HeldAgainst, grader: Grader) -> Select[Result]:
    signature = f"{grader.signature}|item-{held.gradable.content_hash[:12]}"
    return select(Result).where(
        Result.bank_id == held.bank_id,
        Result.item_id == held.item_id,
        Result.replaced.is_(False),
        or_(Result.content_hash != held.gradable.content_hash, Result.signature != signature),
    )


def _differs(old: Result, new: GradingResult) -> bool:
    return (old.score, old.mark) != (new.score, new.mark)


def _difference(old: Result, new: GradingResult, new_result_id: str | None) -> Difference:
    return Difference(
        result_id=old.id,
        new_result_id=new_result_id,
        attempt_id=old.attempt_id,
        old_score=old.score,
        new_score=new.score,
        old_mark=old.mark,
        new_mark=new.mark,
        reviews=old.review_count,
    )
