"""What the pages of batches show: the first rows of a table with what is wrong with them, and which rows are listed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Values
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from api.errors import InvalidTableError
from api.jobs.erasure import ERASED
from api.jobs.shapes import GradedRow, JobOptions, Mapping, RowFilter
from api.jobs.work import FAILED_ALONE, GIVEN_UP, OTHER_BANK, ROW
from api.pages.uploads import UnusableTableError
from api.problems import validation_problem
from api.schemas import GradeRequest
from grader import MAX_ANSWER_CHARS, ItemNotFoundError
from grader.batch import BatchError
from grader.batch.rows import CsvSource, Row
from grader.batch.run import open_source

_SHOWN_ROWS = 5
# Enough to find what is wrong with a table, and read in a moment.
_LOOKED_AT_ROWS = 2_000
_MAX_CELL_CHARS = 160
# A batch is called as its file, if nobody says otherwise, and a file may be called anything.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_FOUND_LATER = {
    FAILED_ALONE: "row_problem_failed",
    GIVEN_UP: "row_problem_given_up",
    OTHER_BANK: "row_problem_other_bank",
    ERASED: "row_problem_erased",
}
_SEPARATORS = {",": "separator_comma", ";": "separator_semicolon", "\t": "separator_tab"}


# The name of a string of the pages, and what goes into its places.
Said = tuple[str, dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Why a row cannot be graded: its place in the table from 1, and the string of the pages that says it."""

    number: int
    name: str
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A look at a table: its columns, its first rows as text, and what is wrong with the rows that were looked at."""

    columns: Sequence[str]
    # The string of the pages that says what stands between the columns of a CSV file.
    separator: str | None
    # The fields of the mapping that name a column which is not there and has to be.
    missing: Sequence[str]
    rows: Sequence[Sequence[str]]
    looked_at: int
    is_all: bool
    problems: Sequence[RowProblem]


class Chosen(JobOptions):
    """A table that was sent, and how it is to be read; a field that was left empty in the form is what it is without a form."""

    model_config = ConfigDict(extra="ignore")

    token: str = Field(default="", max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, given: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in given.items() if value != ""}

    @field_validator("name", mode="before")
    @classmethod
    def _without_controls(cls, value: object) -> object:
        return _CONTROLS.sub("", value) if isinstance(value, str) else value

    def address(self) -> str:
        """Return the query of an address that shows the table so read."""
        return urlencode(self.model_dump(mode="json", exclude_defaults=True))


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


def preview(table: Path, mapping: Mapping, known_items: Collection[str]) -> Preview:
    """Return a look at a table.

    Args:
        table: The file.
        mapping: Which columns hold what, as far as that is known; what it names need not be there.
        known_items: Those of the bank that the answers are to be held against.

    Raises:
        InvalidTableError: If it cannot be read at all, or has no rows.
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
        raise UnusableTableError("table_empty")
    looked_at = rows[:_LOOKED_AT_ROWS]
    problems = [
        RowProblem(number=number, name=problem[0], facts=problem[1])
        for number, row in enumerate(looked_at, start=1)
        if (problem := _problem(row, columns, mapping, known_items)) is not None
    ]
    return Preview(
        columns=columns,
        separator=_SEPARATORS[source.separator] if isinstance(source, CsvSource) else None,
        missing=[field for field in mapping.required_fields() if getattr(mapping, field) not in columns],
        rows=[_cells(row, columns) for row in looked_at[:_SHOWN_ROWS]],
        looked_at=len(looked_at),
        is_all=len(rows) <= _LOOKED_AT_ROWS,
        problems=problems,
    )


def problem_of(row: GradedRow, mapping: Mapping, t: Values[str, str]) -> str:
    """Return why a row was not graded, in a reader's words; what nobody foresaw is said as it was found, in English."""
    problem = row.problem or ""
    said = _FOUND_LATER.get(problem)
    if said is not None:
        return t[said]
    item_id = mapping.asked(row.values).get("item_id")
    is_unknown = isinstance(item_id, str) and problem == str(ItemNotFoundError(item_id))
    if not is_unknown and not problem.startswith(f"{ROW}."):
        return t["row_problem_reading"].format(said=problem)
    # The bank may hold other questions by now than when the row was graded.
    known = {item_id} if isinstance(item_id, str) and not is_unknown else set()
    name, facts = _problem(Row(values=row.values), mapping.required(), mapping, known) or (
        "row_problem_reading",
        {"said": problem},
    )
    return t[name].format(**facts)


def _problem(row: Row, columns: Collection[str], mapping: Mapping, known_items: Collection[str]) -> Said | None:
    """Return why a row cannot be graded by the columns that are chosen; a column that is not there is seen by itself."""
    if row.problem is not None:
        return "row_problem_reading", {"said": row.problem}
    has_item = mapping.item_id is not None or mapping.item_id_column in columns
    has_answer = mapping.candidate_answer_column in columns
    asked = mapping.asked(row.values)
    return (
        (_item_problem(asked.get("item_id"), known_items) if has_item else None)
        or (_answer_problem(asked.get("candidate_answer")) if has_answer else None)
        or (_other_problem(asked) if has_item and has_answer else None)
    )


def _item_problem(item_id: object, known_items: Collection[str]) -> Said | None:
    if item_id is None or item_id == "":
        return "row_problem_no_question", {}
    if not isinstance(item_id, str):
        return "row_problem_question_no_text", {}
    return None if item_id in known_items else ("row_problem_unknown_question", {"item": _shortened(item_id)})


def _answer_problem(answer: object) -> Said | None:
    if answer is None:
        return "row_problem_no_answer", {}
    if not isinstance(answer, str):
        return "row_problem_answer_no_text", {}
    if len(answer) > MAX_ANSWER_CHARS:
        return "row_problem_answer_long", {"characters": len(answer), "most": MAX_ANSWER_CHARS}
    return None


def _other_problem(asked: dict[str, Any]) -> Said | None:  # Any: whatever the table holds
    """Return what the job would find wrong with a row besides, such as a person who is no text."""
    try:
        GradeRequest.model_validate(asked)
    except ValidationError as error:
        found = validation_problem(error.errors(include_input=False, include_url=False), (ROW,))
        return "row_problem_reading", {"said": found.detail}
    return None


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return ["" if row.values.get(column) is None else _shortened(str(row.values[column])) for column in columns]


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_CELL_CHARS else text[:_MAX_CELL_CHARS] + "…"
