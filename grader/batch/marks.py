"""Tables of answers of which a person has marked some: what `grader calibrate` and `grader groups` read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.bank import ItemBank
from grader.batch.rows import Row
from grader.batch.run import open_source
from grader.errors import InvalidAnswerError, ItemNotFoundError
from grader.grader import check_answer
from grader.items import Item

MARK_COLUMN = "human_mark"
SECOND_COLUMN = "human_2"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedTableRow:
    """A row that can be used, counted from 1 after the header; scores are shares of the full mark in [0, 1], None if unmarked."""

    row: int
    item: Item
    candidate_answer: str
    score: float | None
    second: float | None


@dataclass(slots=True, kw_only=True)
class MarkedTable:
    """The rows that can be used, and a sentence for each of the others."""

    rows: list[MarkedTableRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_marks(bank: ItemBank, path: Path) -> MarkedTable:
    """Read a table with `item_id`, `candidate_answer` and, where people marked, `human_mark` and `human_2` on the item's scale.

    Raises:
        BatchError: If the file cannot be read or lacks a column.
    """
    table = MarkedTable()
    for number, row in enumerate(open_source(path).rows(), start=1):
        try:
            table.rows.append(_marked_row(bank, number, row))
        except (_UnusableRowError, ItemNotFoundError, InvalidAnswerError) as error:
            table.problems.append(f"row {number}: {error}")
    return table


class _UnusableRowError(Exception):
    """A row that cannot be used; the message is a sentence."""


def _marked_row(bank: ItemBank, number: int, row: Row) -> MarkedTableRow:
    if row.problem is not None:
        raise _UnusableRowError(row.problem)
    item_id, answer = row.values.get("item_id"), row.values.get("candidate_answer")
    if not isinstance(item_id, str) or not isinstance(answer, str):
        raise _UnusableRowError("item_id and candidate_answer must be text.")
    check_answer(answer)
    item = bank.get(item_id)
    return MarkedTableRow(
        row=number,
        item=item,
        candidate_answer=answer,
        score=_score(row.values.get(MARK_COLUMN), MARK_COLUMN, item),
        second=_score(row.values.get(SECOND_COLUMN), SECOND_COLUMN, item),
    )


def _score(value: Any, column: str, item: Item) -> float | None:  # noqa: ANN401 whatever the table holds
    """Return a mark as a share of the full mark, None for an empty cell."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        mark = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        mark = math.nan
    if not 0 <= mark <= item.max_mark:
        raise _UnusableRowError(f"{column} must be a number from 0 to {item.max_mark}, not {str(value)[:40]!r}.")
    return mark / item.max_mark
