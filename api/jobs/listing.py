"""Rows of a job as they are asked for: in the order of the table or another, of some kind, with some text."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from api.errors import InvalidTableError
from api.jobs.chunks import unpack_outcomes, unpack_rows, unpack_rows_with
from api.jobs.keys import FAILED, FOR_REVIEW, Keys, flag_bits
from api.jobs.shapes import GradedRow, RowFilter, RowKind, RowPage, RowSort
from api.storage.database import Store
from api.storage.tables import JobChunk
from grader import Flag

# A text is looked for in this many chunks while somebody waits, which is a hundred thousand rows and a second or so.
_MOST_SEARCHED_CHUNKS = 1_000
_CHUNKS_AT_ONCE = 50
# How many flags each pattern of bits stands for.
_FLAG_COUNTS = np.array([bits.bit_count() for bits in range(1 << len(Flag))])


def rows_of(chunk: JobChunk) -> Iterator[GradedRow]:
    """Yield the rows of a chunk that is done."""
    outcomes = unpack_outcomes(chunk.output or b"")
    for number, (row, outcome) in enumerate(zip(unpack_rows(chunk.input), outcomes, strict=True), start=chunk.first_row + 1):
        yield GradedRow(number=number, values=row.values, **json.loads(outcome))


def is_wanted(row: GradedRow, wanted: RowFilter) -> bool:
    """Tell whether a row is of the kind and has the text that is wanted."""
    if wanted.only is RowKind.FAILED and row.problem is None:
        return False
    if wanted.only is RowKind.FOR_REVIEW and not (row.result and row.result["needs_review"]):
        return False
    return has_text(row.values.values(), wanted.q)


def has_text(values: Iterable[object], text: str) -> bool:
    """Tell whether one of some values holds a text, in any case; the empty text is everywhere."""
    wanted = text.casefold()
    return not wanted or any(value is not None and wanted in str(value).casefold() for value in values)


def sorted_rows(store: Store, job_id: str, keys: Keys, wanted: RowFilter) -> RowPage:
    """Return rows in the order and of the kind that is wanted; `first` is a place in that order, from 1.

    Raises:
        InvalidTableError: If a text is to be found in more rows than can be searched while somebody waits.
    """
    chosen = np.flatnonzero(_mask(keys, wanted))
    if wanted.q:
        found = _with_text(store, job_id, keys, chosen, wanted.q)
        chosen = chosen[np.isin(keys.number[chosen], found)]
    places = chosen[np.argsort(_sort_values(keys, wanted.sort)[chosen], kind="stable")]
    shown = places[wanted.first - 1 : wanted.first - 1 + wanted.limit]
    following = wanted.first + wanted.limit
    return RowPage(
        rows=_read(store, job_id, keys, [int(number) for number in keys.number[shown]]),
        next_first=following if following <= len(places) else None,
        total=len(places),
    )


def _mask(keys: Keys, wanted: RowFilter) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(keys.number), dtype=np.bool_)
    if wanted.only is RowKind.FAILED:
        mask &= keys.kind == FAILED
    if wanted.only is RowKind.FOR_REVIEW:
        mask &= keys.kind == FOR_REVIEW
    if wanted.flag is not None:
        mask &= (keys.flags & flag_bits([wanted.flag])) != 0
    if wanted.item_id is not None:
        at = keys.items.index(wanted.item_id) if wanted.item_id in keys.items else -1
        mask &= (keys.kind != FAILED) & (keys.item == at)
    return mask


def _sort_values(keys: Keys, sort: RowSort) -> npt.NDArray[Any]:
    """Return numbers that rise in the order that is wanted; rows that failed come last where they have none."""
    failed = keys.kind == FAILED
    match sort:
        case RowSort.SCORE:
            return np.where(failed, np.inf, keys.score)
        case RowSort.SCORE_DOWN:
            return np.where(failed, np.inf, -keys.score)
        case RowSort.FLAGS_DOWN:
            return -_FLAG_COUNTS[keys.flags]
        case RowSort.ITEM:
            rank = np.argsort(np.argsort(np.array(keys.items or [""])))
            return np.where(failed, len(keys.items), rank[keys.item])
        case _:
            return keys.number


def _with_text(store: Store, job_id: str, keys: Keys, chosen: npt.NDArray[np.int64], text: str) -> list[int]:
    """Return the numbers of rows that hold a text, of the chunks that chosen rows are in."""
    firsts = [place.first_row for place in keys.places]
    chunks = np.unique(np.searchsorted(firsts, keys.number[chosen] - 1, side="right") - 1)
    if len(chunks) > _MOST_SEARCHED_CHUNKS:
        raise InvalidTableError(
            f"The text would have to be looked for in {len(chosen):,} rows, too many at once. Sort by row, or filter more."
        )
    first_of = {keys.places[int(at)].number: keys.places[int(at)].first_row for at in chunks}
    numbers, found = list(first_of), []
    for at in range(0, len(numbers), _CHUNKS_AT_ONCE):
        query = select(JobChunk.number, JobChunk.input).where(JobChunk.job_id == job_id)
        with store.read() as session:
            read = session.execute(query.where(JobChunk.number.in_(numbers[at : at + _CHUNKS_AT_ONCE]))).all()
        for number, packed in read:
            hits = unpack_rows_with(packed, text)
            found += [first_of[number] + 1 + n for n, row in hits if has_text(row.values.values(), text)]
    return found


def _read(store: Store, job_id: str, keys: Keys, numbers: Sequence[int]) -> list[GradedRow]:
    """Return rows by their numbers, in that order; every chunk is read once."""
    firsts = [place.first_row for place in keys.places]
    wanted: dict[int, list[int]] = {}
    for number in numbers:
        wanted.setdefault(keys.places[bisect_right(firsts, number - 1) - 1].number, []).append(number)
    columns = (JobChunk.number, JobChunk.first_row, JobChunk.input, JobChunk.output)
    query = select(*columns).where(JobChunk.job_id == job_id, JobChunk.number.in_(wanted))
    with store.read() as session:
        read = session.execute(query).all()
    rows: dict[int, GradedRow] = {}
    for chunk, first, packed, output in read:
        places = [number - 1 - first for number in wanted[chunk]]
        outcomes = unpack_outcomes(output or b"")
        for place, row in zip(places, unpack_rows(packed, places), strict=True):
            rows[first + 1 + place] = GradedRow(number=first + 1 + place, values=row.values, **json.loads(outcomes[place]))
    # A job may be deleted while its rows are read.
    return [rows[number] for number in numbers if number in rows]
