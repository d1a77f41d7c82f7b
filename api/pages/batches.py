"""What the pages of batches show: the first rows of a table with what is wrong with them, and how scores are spread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

from pydantic import ConfigDict, field_validator

from api.errors import InvalidTableError
from api.jobs.shapes import Mapping, RowFilter
from grader import InvalidAnswerError, ItemNotFoundError, check_answer
from grader.batch import BatchError
from grader.batch.rows import Row
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
    # How many rows have a problem, and the first of them.
    wrong: int
    problems: Sequence[tuple[int, str]]


class PageOfRows(RowFilter):
    """Which rows a page shows; a field that was left empty in the form asks for all."""

    model_config = ConfigDict(extra="ignore")

    @field_validator("item_id", "flag", mode="before")
    @classmethod
    def _empty_is_all(cls, value: object) -> object:
        return None if value == "" else value

    def address(self, **changes: object) -> str:
        """Return the query of an address with these filters, changed where that is asked for."""
        values = {**self.model_dump(mode="json", exclude_defaults=True), **changes}
        return urlencode({name: value for name, value in values.items() if value not in (None, "")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of a histogram: the lowest score in it, how many there are, and its height as a share of the highest."""

    low: float
    count: int
    share: float


def preview(table: Path, mapping: Mapping, known_items: Collection[str]) -> Preview:
    """Return a look at a table.

    Args:
        table: The file.
        mapping: Which columns hold what, as far as that is known; what it names need not be there.
        known_items: Those of the bank that the answers are to be held against.

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
    problems = [
        (number, problem)
        for number, row in enumerate(looked_at, start=1)
        if (problem := _problem(row, columns, mapping, known_items)) is not None
    ]
    return Preview(
        columns=columns,
        rows=[_cells(row, columns) for row in looked_at[:_SHOWN_ROWS]],
        looked_at=len(looked_at),
        is_all=len(rows) <= _LOOKED_AT_ROWS,
        wrong=len(problems),
        problems=problems[:_MAX_PROBLEMS],
    )


def bars(histogram: Sequence[int]) -> list[Bar]:
    """Return the bars of a histogram of scores in equal bins over [0, 1]."""
    most = max(1, *histogram)
    return [Bar(low=n / len(histogram), count=count, share=count / most) for n, count in enumerate(histogram)]


def _problem(row: Row, columns: Collection[str], mapping: Mapping, known_items: Collection[str]) -> str | None:
    """Return why a row cannot be graded by the columns that are chosen; a column that is not there is seen by itself."""
    if row.problem is not None:
        return row.problem
    item_id = mapping.item_id or row.values.get(mapping.item_id_column)
    if mapping.item_id or mapping.item_id_column in columns:
        if item_id is None or item_id == "":
            return "The row names no question."
        if item_id not in known_items:
            return str(ItemNotFoundError(str(item_id)[:_MAX_CELL_CHARS]))
    answer = row.values.get(mapping.candidate_answer_column)
    if mapping.candidate_answer_column in columns and answer is not None:
        try:
            check_answer(answer)
        except InvalidAnswerError as error:
            return str(error)
    return None


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    texts = ["" if row.values.get(column) is None else str(row.values[column]) for column in columns]
    return [text if len(text) <= _MAX_CELL_CHARS else text[:_MAX_CELL_CHARS] + "…" for text in texts]
