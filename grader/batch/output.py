"""Graded rows as text: the lines of a CSV or JSONL output, and the columns that grading adds to a table.

Nothing of the input is lost: a column that has the name of an added one is kept as `input_<name>`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from typing import Any, Protocol

from grader.batch.rows import Row
from grader.results import GradingResult

SCALAR_COLUMNS = (
    "score",
    "mark",
    "max_mark",
    "grade",
    "interval_low",
    "interval_high",
    "semantic_similarity",
    "keyword_coverage",
    "flags",
    "needs_review",
    "signature",
    "problem",
)
# What a spreadsheet takes for the beginning of a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# What became of a row: a result, or a sentence that says why there is none.
Outcome = GradingResult | str


class RowFormat(Protocol):
    """How graded rows become text. A row's text depends on nothing but the row and its outcome as `outcome_json` gives it."""

    def header(self) -> str:
        """Return what comes before the first row."""
        ...

    def row(self, row: Row, outcome: str) -> str:
        """Return one row, line end included."""
        ...


class CsvFormat:
    """The input's columns, then `SCALAR_COLUMNS`.

    Text is written as it is unless it is for spreadsheets: a field that begins with "=" stays so. Whoever opens such a file in
    a spreadsheet should import the columns as text.
    """

    def __init__(self, columns: Sequence[str], *, for_spreadsheets: bool = False) -> None:
        """Take the input's columns in order.

        Args:
            columns: Their names.
            for_spreadsheets: Put an apostrophe before text that a spreadsheet would run as a formula.
        """
        self._columns = list(columns)
        self._shown = harmless if for_spreadsheets else str

    def header(self) -> str:
        """Return the header line."""
        kept = kept_names(self._columns, SCALAR_COLUMNS)
        return _csv_line([*(self._shown(kept[c]) for c in self._columns), *SCALAR_COLUMNS])

    def row(self, row: Row, outcome: str) -> str:
        """Return the row's line or lines: a field may hold line ends."""
        added = scalars(outcome)
        cells = [_cell(row.values.get(column)) for column in self._columns] + [_cell(added[c]) for c in SCALAR_COLUMNS]
        return _csv_line([self._shown(cell) for cell in cells])


class JsonlFormat:
    """The input's fields, then `result` or `problem`. A JSON input line is passed through to the byte."""

    def header(self) -> str:
        """Return nothing: JSONL has no header."""
        return ""

    def row(self, row: Row, outcome: str) -> str:
        """Return the row's line; a line that is no JSON object stands as text under `input`."""
        if row.text is not None and not row.values.keys() & {"result", "problem"}:
            text = row.text.strip()
            return _joined(text if row.problem is None else json_text({"input": text}), outcome)
        kept = kept_names(row.values, ("result", "problem"))
        return _joined(json_text({kept[name]: value for name, value in row.values.items()}), outcome)


class OutcomeFormat:
    """Only what became of each row, as JSON: the first half of a Parquet output, which is put together at the end."""

    def header(self) -> str:
        """Return nothing."""
        return ""

    def row(self, row: Row, outcome: str) -> str:  # noqa: ARG002 the protocol's signature
        """Return the outcome's line."""
        return outcome + "\n"


def harmless(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: with an apostrophe before what could be the beginning of one."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def outcome_json(outcome: Outcome) -> str:
    """Return `{"result":...}`, the result in the very bytes that every interface gives, or `{"problem":...}`."""
    if isinstance(outcome, GradingResult):
        return f'{{"result":{outcome.to_json()}}}'
    return f'{{"problem":{json_text(outcome)}}}'


def scalars(outcome: str) -> dict[str, Any]:  # Any: text, numbers, truth values
    """Return the added columns by name, from what `outcome_json` gave.

    All but `problem` are None for a row that was not graded, and `problem` for others.
    """
    parsed = json.loads(outcome)
    if "problem" in parsed:
        return {**dict.fromkeys(SCALAR_COLUMNS), "problem": parsed["problem"]}
    result = parsed["result"]
    nested = {
        "interval_low": result["interval"]["low"],
        "interval_high": result["interval"]["high"],
        "flags": ";".join(result["flags"]),
        "problem": None,
    }
    return {name: nested[name] if name in nested else result[name] for name in SCALAR_COLUMNS}


def kept_names(columns: Collection[str], added: Collection[str]) -> dict[str, str]:
    """Return the name under which each input column is kept: its own, or `input_<name>` where an added column has it."""
    kept: dict[str, str] = {}
    for column in columns:
        name = column
        while name in added or (name != column and name in columns):
            name = f"input_{name}"
        kept[column] = name
    return kept


def json_text(value: object) -> str:
    """Return a value as JSON: dates as ISO 8601, bytes as text, decimals and what else JSON lacks as their text."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _joined(first: str, second: str) -> str:
    """Return the line of one JSON object with the fields of two, neither parsed nor changed."""
    start = first[:-1].rstrip()
    return f"{start}{'' if start == '{' else ','}{second[1:]}\n"


def _plain(value: object) -> object:
    """Return a value made of what JSON has."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        # JSON has neither nan nor infinity; a table's nan means that there is no value.
        return value if value - value == 0 else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _cell(value: object) -> str:
    """Return a value as a CSV field: nothing for None, text as it is, the rest as JSON has it, without quotes around it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    plain = _plain(value)
    return plain if isinstance(plain, str) else "" if plain is None else json_text(plain)


def _csv_line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
