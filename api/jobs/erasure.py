"""Rows of jobs that speak of a person or an attempt, taken out of the tables that they came in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api.jobs.chunks import pack_outcomes, pack_rows, unpack_outcomes, unpack_rows
from api.jobs.keys import without_rows
from api.jobs.shapes import WORKING, Mapping
from api.storage.columns import oldest_id
from api.storage.tables import Job, JobChunk, JobKeys
from grader.batch.output import outcome_json
from grader.batch.rows import Row

T = TypeVar("T")
ERASED = "The row was erased."


def erase_rows(session: Session, *, attempt_id: str | None = None, subject_id: str | None = None) -> int:
    """Take out the rows of an attempt or a person, and return how many there were.

    A row keeps its place, empty and with a problem. The sums of its job stay: they name nobody.
    """
    erased = 0
    for job_id, text in session.execute(select(Job.id, Job.mapping)).all():
        mapping = Mapping.model_validate_json(text)
        wanted = {mapping.attempt_id_column: attempt_id, mapping.subject_id_column: subject_id}
        for number in session.scalars(select(JobChunk.number).where(JobChunk.job_id == job_id)).all():
            # Locked, or a worker could write down what became of a row between our look and our change.
            chunk = session.get(JobChunk, (job_id, number), with_for_update=True)
            places = [] if chunk is None else _erase_in(chunk, wanted)
            keys = session.get(JobKeys, (job_id, number)) if places else None
            if keys is not None:
                keys.keys = without_rows(keys.keys, places)
            erased += len(places)
    return erased


def delete_jobs(session: Session, before: datetime) -> int:
    """Delete the jobs that came in before a moment and are not at work, and return how many rows they had."""
    old = (Job.id < oldest_id(before), Job.state.not_in(WORKING))
    rows = session.scalar(select(func.coalesce(func.sum(Job.rows), 0)).select_from(Job).where(*old))
    session.execute(delete(Job).where(*old))
    return int(rows or 0)


def is_erased(row: Row) -> bool:
    """Tell whether a row was taken out."""
    return row.problem == ERASED


def _erase_in(chunk: JobChunk, wanted: dict[str, str | None]) -> list[int]:
    """Take out the rows of a chunk that are wanted, and return their places in it."""
    rows = unpack_rows(chunk.input)
    places = [n for n, row in enumerate(rows) if _speaks_of(row, wanted)]
    if places:
        chunk.input = pack_rows(_replaced(rows, places, Row(problem=ERASED)))
        if chunk.output is not None:
            chunk.output = pack_outcomes(_replaced(unpack_outcomes(chunk.output), places, outcome_json(ERASED)))
    return places


def _speaks_of(row: Row, wanted: dict[str, str | None]) -> bool:
    return any(name is not None and _text(row.values.get(column)) == name for column, name in wanted.items())


def _text(value: object) -> str | None:
    """Return a cell as the id that it was read as."""
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, int) else None


def _replaced(values: Sequence[T], places: Sequence[int], by: T) -> list[T]:
    return [by if place in places else value for place, value in enumerate(values)]
