"""Rows of jobs that speak of a person or an attempt, taken out of the tables that they came in."""

from __future__ import annotations

import json
import re
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
from grader.batch.output import json_text, outcome_json
from grader.batch.rows import LEFT_OVER, SEPARATORS, Row

T = TypeVar("T")
ERASED = "The row was erased."
# Escapes of JSON, several at once as one character may be two of them; and bytes that are not UTF-8, as reading spells them out.
_ESCAPES = re.compile(r'(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+|\\x[0-9a-f]{2}')


def erase_rows(session: Session, *, attempt_id: str | None = None, subject_id: str | None = None) -> int:
    """Take out the rows of an attempt or a person, and return how many there were.

    A row keeps its place, empty and with a problem. The sums of its job stay: they name nobody. A row that could not be read goes
    where the name is anywhere in it.
    """
    wanted = {field: name for field, name in (("attempt_id", attempt_id), ("subject_id", subject_id)) if name is not None}
    erased = 0
    for job_id, text in session.execute(select(Job.id, Job.mapping)).all():
        mapping = Mapping.model_validate_json(text)
        for number in session.scalars(select(JobChunk.number).where(JobChunk.job_id == job_id)).all():
            # Locked, or a worker could write down what became of a row between our look and our change.
            chunk = session.get(JobChunk, (job_id, number), with_for_update=True)
            places = [] if chunk is None else _erase_in(chunk, mapping, wanted)
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


def _erase_in(chunk: JobChunk, mapping: Mapping, wanted: dict[str, str]) -> list[int]:
    """Take out the rows of a chunk that are wanted, and return their places in it."""
    rows = unpack_rows(chunk.input)
    places = [n for n, row in enumerate(rows) if _speaks_of(row, mapping, wanted)]
    if places:
        chunk.input = pack_rows(_replaced(rows, places, Row(problem=ERASED)))
        if chunk.output is not None:
            chunk.output = pack_outcomes(_replaced(unpack_outcomes(chunk.output), places, outcome_json(ERASED)))
    return places


def _speaks_of(row: Row, mapping: Mapping, wanted: dict[str, str]) -> bool:
    asked = mapping.asked(row.values)
    if any(field in asked and _is_named(asked[field], name) for field, name in wanted.items()):
        return True
    return row.problem is not None and any(_holds(text, name) for text in _texts(row) for name in wanted.values())


def _is_named(value: object, name: str) -> bool:
    """Tell whether a cell is a name; one that is no text can be no id, and is searched."""
    return value == name if isinstance(value, str) else _holds(json_text(value), name)


def _texts(row: Row) -> list[str]:
    """Return all that is kept of a row that could not be read.

    Its cells are joined as they may have been in the table: a name with a comma in it was perhaps taken for two.
    """
    if row.text is not None:
        return [row.text]
    cells = ["" if value is None else str(value) for value in row.values.values()]
    left_over = (row.problem or "").partition(LEFT_OVER)[2]
    return [separator.join([*cells, left_over]) for separator in SEPARATORS]


def _holds(text: str, name: str) -> bool:
    """Tell whether a text holds a name, as it stands or escaped."""
    # In UTF-16 every second byte of a name is a null.
    shown = text.replace("\0", "")
    return name in shown or name in _ESCAPES.sub(_spelt, shown)


def _spelt(escapes: re.Match[str]) -> str:
    found = escapes[0]
    # Bytes that are not UTF-8 are most often Latin-1.
    return bytes.fromhex(found[2:]).decode("latin-1") if found.startswith("\\x") else str(json.loads(f'"{found}"'))


def _replaced(values: Sequence[T], places: Sequence[int], by: T) -> list[T]:
    return [by if place in places else value for place, value in enumerate(values)]
