"""Stored results of one tenant: added, found, exported, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.errors import ResultNotFoundError, SubjectNotFoundError
from api.items import HeldAgainst
from api.jobs.erasure import delete_jobs, erase_rows
from api.passes import delete_expired
from api.replays import KEPT, delete_replays
from api.schemas import GradeRequest
from api.standing import Decided, decided
from api.storage.columns import new_id, now, oldest_id
from api.storage.database import Store, changed_rows
from api.storage.tables import Delivery, GradedItem, Pass, Replay, Result
from api.stored import Erased, ResultFilter, ResultPage, ReviewedResult, StoredFilter
from grader import Gradable, GradingResult

# Rows read at a time by an export: what is in memory, and how long one transaction lasts.
_CHUNK_ROWS = 500
# Built once, since every request that stores results asks.
_KEPT_ITEMS = select(GradedItem.content_hash).where(GradedItem.content_hash.in_(bindparam("hashes", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResult:
    """A result to be stored, with what it came from."""

    held: HeldAgainst
    request: GradeRequest
    result: GradingResult
    grading_ms: float


@dataclass(frozen=True, slots=True)
class Results:
    """The results of the tenant that a store belongs to."""

    store: Store

    def get(self, result_id: str) -> ReviewedResult:
        """Return one result, with what people decided about it.

        Raises:
            ResultNotFoundError: If the tenant has none with the id.
        """
        with self.store.read() as session:
            row = find_result(session, result_id)
            [reviewed] = decided(session, [row])
        return ReviewedResult.with_decisions(row, reviewed)

    def page(self, wanted: ResultFilter) -> ResultPage:
        """Return results that pass the filters, newest first, from a cursor on."""
        query = _filtered(wanted).order_by(Result.id.desc()).limit(wanted.limit + 1)
        if wanted.cursor is not None:
            query = query.where(Result.id < wanted.cursor)
        with self.store.read() as session:
            rows = session.scalars(query).all()
            shown = rows[: wanted.limit]
            reviewed = decided(session, shown)
        results = [ReviewedResult.with_decisions(*each) for each in zip(shown, reviewed, strict=True)]
        return ResultPage(results=results, next_cursor=shown[-1].id if len(rows) > wanted.limit else None)

    def every(self, wanted: StoredFilter) -> Iterator[Sequence[tuple[Result, Decided]]]:
        """Yield all results that pass the filters, oldest first and in chunks, as of now: what comes later is left out.

        Each comes with what people have decided about it by the time that its chunk is read. No transaction stays open between
        chunks, however slowly they are read.
        """
        query = _filtered(wanted).where(Result.id <= new_id()).order_by(Result.id).limit(_CHUNK_ROWS)
        seen = ""
        while True:
            with self.store.read() as session:
                rows = session.scalars(query.where(Result.id > seen)).all()
                reviewed = decided(session, rows)
            if not rows:
                return
            yield list(zip(rows, reviewed, strict=True))
            seen = rows[-1].id

    def delete(self, *, attempt_id: str | None = None, before: datetime | None = None) -> Erased:
        """Delete the results of an attempt, or those made before a moment, and what else repeats them."""
        with self.store.write() as session:
            if attempt_id is not None:
                erased, _ = _erase(session, attempt_id=attempt_id)
            elif before is not None:
                erased = _delete_old(session, before)
            else:
                raise ValueError("a deletion needs an attempt or a moment")
        self.store.database.forget()
        return erased

    def erase_subject(self, subject_id: str) -> Erased:
        """Delete all that is stored about a person.

        Raises:
            SubjectNotFoundError: If there is nothing.
        """
        with self.store.write() as session:
            erased, tokens = _erase(session, subject_id=subject_id)
        if not erased.results + erased.replays + erased.job_rows + tokens:
            raise SubjectNotFoundError
        self.store.database.forget()
        return erased


def add_results(session: Session, results: Sequence[NewResult], *, key_name: str) -> list[str]:
    """Store results in a transaction that does more than that, and return their ids in order."""
    keep_items(session, [each.held.gradable for each in results])
    rows = [_row(each, key_name) for each in results]
    session.add_all(rows)
    return [row.id for row in rows]


def find_result(session: Session, result_id: str, *, lock: bool = False) -> Result:
    """Return the row of a result, locked if it is to be changed.

    Raises:
        ResultNotFoundError: If the tenant has none with the id.
    """
    row = session.get(Result, result_id, with_for_update=lock)
    if row is None:
        raise ResultNotFoundError(result_id)
    return row


def keep_items(session: Session, gradables: Sequence[Gradable]) -> None:
    """Keep the content of items that results are about to name; what is there already stays as it is."""
    by_hash = {gradable.content_hash: gradable for gradable in gradables}
    known = set(session.scalars(_KEPT_ITEMS, {"hashes": list(by_hash)}))
    for content_hash in sorted(by_hash.keys() - known):
        body = by_hash[content_hash].model_dump_json(include=set(Gradable.model_fields))
        try:
            with session.begin_nested():
                session.add(GradedItem(content_hash=content_hash, body=body))
        except IntegrityError:
            # Another server has just kept the same content.
            continue


def _row(new: NewResult, key_name: str) -> Result:
    held, result = new.held, new.result
    return Result(
        # Made here, so that rows of one batch have ids in their order.
        id=new_id(),
        key_name=key_name,
        bank_id=held.bank_id,
        item_id=held.item_id,
        item_version=held.item_version,
        content_hash=held.gradable.content_hash,
        attempt_id=new.request.attempt_id,
        subject_id=new.request.subject_id,
        candidate_answer=new.request.candidate_answer,
        score=result.score,
        mark=result.mark,
        needs_review=result.needs_review,
        signature=result.signature,
        result=result.to_json(),
        grading_ms=round(new.grading_ms, 3),
        review_worth=worth_of_a_look(result),
    )


def worth_of_a_look(result: GradingResult) -> float:
    """Return how much a person's look at a result is worth: the width of its interval, and a quarter for each reason for review.

    The interval says how far off the score may be; a reason, such as a contradiction, says that it may be so for a cause.
    """
    return round(result.interval.high - result.interval.low + 0.25 * len(result.review_reasons), 4)


def _filtered(wanted: StoredFilter) -> Select[Result]:
    """Return the query for results that pass every filter that is given."""
    query = select(Result)
    for name in ("bank_id", "item_id", "attempt_id", "subject_id", "needs_review"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(getattr(Result, name) == value)
    if not wanted.include_replaced:
        query = query.where(Result.replaced.is_(False))
    if wanted.min_score is not None:
        query = query.where(Result.score >= wanted.min_score)
    if wanted.max_score is not None:
        query = query.where(Result.score <= wanted.max_score)
    if wanted.created_from is not None:
        query = query.where(Result.id >= oldest_id(wanted.created_from))
    if wanted.created_before is not None:
        query = query.where(Result.id < oldest_id(wanted.created_before))
    return query


def _erase(session: Session, *, attempt_id: str | None = None, subject_id: str | None = None) -> tuple[Erased, int]:
    """Delete all about an attempt or a person, and return what it was, and how many tokens."""
    # First, as it waits for chunks that are just being written down: their results are to go too.
    job_rows = erase_rows(session, attempt_id=attempt_id, subject_id=subject_id)
    kind, name = ("subject", subject_id) if attempt_id is None else ("attempt", attempt_id)
    of_results, of_tokens = (getattr(table, f"{kind}_id") == name for table in (Result, Pass))
    gone = session.execute(delete(Result).where(of_results).returning(Result.id, Result.attempt_id)).all()
    replays = delete_replays(
        session,
        f"{kind}:{name}",
        result_ids={result_id for result_id, _ in gone},
        attempt_ids={attempt for attempt in (attempt_id, *(of for _, of in gone)) if attempt is not None},
        subject_id=subject_id,
    )
    tokens = changed_rows(session.execute(delete(Pass).where(of_tokens)))
    return Erased(results=len(gone), replays=replays, job_rows=job_rows), tokens


def _delete_old(session: Session, before: datetime) -> Erased:
    results = changed_rows(session.execute(delete(Result).where(Result.id < oldest_id(before))))
    # Those whose day is over in any case, however old results may be.
    replays = changed_rows(session.execute(delete(Replay).where(Replay.id < oldest_id(max(before, now() - KEPT)))))
    job_rows = delete_jobs(session, before)
    session.execute(delete(Delivery).where(Delivery.id < oldest_id(before)))
    delete_expired(session)
    return Erased(results=results, replays=replays, job_rows=job_rows)
