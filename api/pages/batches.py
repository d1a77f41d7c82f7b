"""What the pages of batches show: the first rows of a table with what is wrong with them, and how scores are spread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from api.errors import InvalidTableError
from grader import ItemNotFoundError
from grader.batch import BatchError
from grader.batch.rows import REQUIRED_COLUMNS, Row
from grader.batch.run import open_source

_SHOWN_ROWS = 5
# Enough to find what is wrong with a table, and read in a moment.
_LOOKED_AT_ROWS = 2_000
_MAX_PROBLEMS = 20
_MAX_CELL_CHARS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A look at a table: its columns, its first rows as text, and what is wrong with the rows that were looked at."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    looked_at: int
    is_all: bool
    problems: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of a histogram: the lowest score in it, how many there are, and its height as a share of the highest."""

    low: float
    count: int
    share: float


def preview(table: Path, known_items: Collection[str]) -> Preview:
    """Return a look at a table; known items are those of the bank that its answers are held against.

    Raises:
        InvalidTableError: If it cannot be read at all.
    """
    try:
        source = open_source(table, ())
        rows = list(islice(source.rows(), _LOOKED_AT_ROWS + 1))
        # The columns of JSON lines are those of all lines, and there may be a million of them.
        is_lines = table.suffix == ".jsonl"
        columns = list(dict.fromkeys(name for row in rows for name in row.values)) if is_lines else source.columns()
    except BatchError as error:
        raise InvalidTableError(str(error).replace(str(table), "The table")) from None
    if not rows:
        raise InvalidTableError("The table has no rows.")
    looked_at = rows[:_LOOKED_AT_ROWS]
    found = ((number, _problem(row, known_items)) for number, row in enumerate(looked_at, start=1))
    problems = [(number, problem) for number, problem in found if problem is not None]
    return Preview(
        columns=columns,
        rows=[_cells(row, columns) for row in looked_at[:_SHOWN_ROWS]],
        looked_at=len(looked_at),
        is_all=len(rows) <= _LOOKED_AT_ROWS,
        problems=problems[:_MAX_PROBLEMS],
    )


def bars(histogram: Sequence[int]) -> list[Bar]:
    """Return the bars of a histogram of scores in equal bins over [0, 1]."""
    most = max(1, *histogram)
    return [Bar(low=n / len(histogram), count=count, share=count / most) for n, count in enumerate(histogram)]


def _problem(row: Row, known_items: Collection[str]) -> str | None:
    """Return why a row cannot be graded, as far as that can be told before the columns are chosen."""
    item_id = row.values.get(REQUIRED_COLUMNS[0])
    if row.problem is None and isinstance(item_id, str) and item_id not in known_items:
        return str(ItemNotFoundError(item_id[:_MAX_CELL_CHARS]))
    return row.problem


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    texts = ["" if row.values.get(column) is None else str(row.values[column]) for column in columns]
    return [text if len(text) <= _MAX_CELL_CHARS else text[:_MAX_CELL_CHARS] + "…" for text in texts]
