"""What rows of a job are sorted and filtered by: a few numbers for each row, small enough to be read for a whole job at once.

The rows themselves lie in compressed chunks. Their keys lie beside them in a table of their own, since a database that looks for
a small column behind large ones reads the large ones too.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.jobs.chunks import unpack_outcomes, unpack_rows
from api.jobs.shapes import Mapping
from api.storage.tables import JobChunk, JobKeys
from grader import Flag
from grader.batch.rows import Row

FAILED, GRADED, FOR_REVIEW = 0, 1, 2
_FLAGS = list(Flag)
# A learner is a keyed hash of eight bytes, 0 where none is named: it tells who is the same within a job, and nothing beyond.
_DTYPE = np.dtype([("score", "<f8"), ("subject", "<u8"), ("flags", "<u2"), ("item", "<u2"), ("kind", "u1")])
_CHUNKS_AT_ONCE = 500

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlace:
    """Where the rows of a chunk are in the table, counted from 0."""

    number: int
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of all rows of a job that are done, in the order of the table.

    `number` is a row's place in the table from 1, `item` an index of `items`; a row that failed has no item that counts.
    """

    number: Array
    score: Array
    kind: Array
    flags: Array
    item: Array
    subject: Array
    items: tuple[str, ...]
    places: tuple[ChunkPlace, ...]


def flag_bits(flags: Iterable[str]) -> int:
    """Return flags as bits of a number."""
    return sum(1 << _FLAGS.index(Flag(flag)) for flag in flags)


def pack_keys(job_id: str, mapping: Mapping, rows: Sequence[Row], outcomes: Sequence[tuple[str, Any] | None]) -> bytes:
    """Return the keys of a chunk as bytes.

    Args:
        job_id: The job, by which learners are hashed.
        mapping: Which column names the learner.
        rows: The rows of the chunk.
        outcomes: For each row the id of its item and its result as JSON has it; None where it failed.
    """
    table = np.zeros(len(rows), dtype=_DTYPE)
    items: dict[str, int] = {}
    for at, (row, outcome) in enumerate(zip(rows, outcomes, strict=True)):
        if outcome is None:
            continue
        item_id, result = outcome
        kind = FOR_REVIEW if result["needs_review"] else GRADED
        subject = _hashed(job_id, mapping.asked(row.values).get("subject_id"))
        table[at] = (result["score"], subject, flag_bits(result["flags"]), items.setdefault(item_id, len(items)), kind)
    return _packed(list(items), table)


def without_rows(packed: bytes, places: Sequence[int]) -> bytes:
    """Return the keys of a chunk with those of some rows taken out: they count as failed."""
    items, table = _unpacked(packed)
    table[list(places)] = np.zeros(1, dtype=_DTYPE)
    return _packed(items, table)


def read_keys(session: Session, job_id: str, mapping: Mapping) -> Keys:
    """Return the keys of a job, as far as it is done. Chunks that were graded before there were keys are read themselves."""
    columns = (JobChunk.number, JobChunk.first_row, JobChunk.rows)
    done = select(*columns).where(JobChunk.job_id == job_id, JobChunk.summary.is_not(None)).order_by(JobChunk.number)
    places = tuple(ChunkPlace(number=n, first_row=first, rows=rows) for n, first, rows in session.execute(done))
    stored = select(JobKeys.number, JobKeys.keys).where(JobKeys.job_id == job_id)
    known = {row[0]: row[1] for row in session.execute(stored.execution_options(yield_per=_CHUNKS_AT_ONCE))}
    names: dict[str, int] = {}
    tables = []
    for place in places:
        packed = known.get(place.number) or _made_again(session, job_id, place.number, mapping)
        items, table = _unpacked(packed)
        renamed = np.array([names.setdefault(name, len(names)) for name in items] or [0], dtype=np.int64)
        tables.append((table, renamed[table["item"]], np.arange(place.first_row + 1, place.first_row + 1 + place.rows)))
    whole = np.concatenate([each[0] for each in tables]) if tables else np.zeros(0, dtype=_DTYPE)
    empty = np.zeros(0, dtype=np.int64)
    return Keys(
        number=np.concatenate([each[2] for each in tables]) if tables else empty,
        item=np.concatenate([each[1] for each in tables]) if tables else empty,
        score=whole["score"],
        kind=whole["kind"],
        flags=whole["flags"],
        subject=whole["subject"],
        items=tuple(names),
        places=places,
    )


def _made_again(session: Session, job_id: str, number: int, mapping: Mapping) -> bytes:
    chunk = session.get_one(JobChunk, (job_id, number))
    rows = unpack_rows(chunk.input)
    outcomes: list[tuple[str, Any] | None] = []
    for row, line in zip(rows, unpack_outcomes(chunk.output or b""), strict=True):
        result = json.loads(line).get("result")
        item_id = str(mapping.asked(row.values).get("item_id"))
        outcomes.append(None if result is None else (item_id, result))
    session.expunge(chunk)
    return pack_keys(job_id, mapping, rows, outcomes)


def _hashed(job_id: str, subject: object) -> int:
    """Return a learner as a number that means nothing in another job; 0 where none is named."""
    if subject is None:
        return 0
    digest = hashlib.blake2b(str(subject).encode("utf-8", "surrogatepass"), key=job_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def _packed(items: Sequence[str], table: Array) -> bytes:
    return zlib.compress(json.dumps(items).encode() + b"\n" + table.tobytes())


def _unpacked(packed: bytes) -> tuple[list[str], Array]:
    names, _, table = zlib.decompress(packed).partition(b"\n")
    items: list[str] = json.loads(names)
    return items, np.frombuffer(table, dtype=_DTYPE).copy()
