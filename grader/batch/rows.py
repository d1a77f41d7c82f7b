"""Tables of candidate answers, read row by row: CSV, JSONL and Parquet.

A row that cannot be read is a row with a problem, in its place; a file that cannot be read at all is an error. Reading is
repeatable: a second pass gives the same rows in the same order, which is what a resumed run builds on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from grader.errors import GraderError
from grader.jsonl import MAX_LINE_BYTES, InvalidLineError, parse_object, read_lines

REQUIRED_COLUMNS = ("item_id", "candidate_answer")
FORMATS = (".csv", ".jsonl", ".parquet")
# A longer CSV field is an unclosed quote or an attack; an answer may have 20,000 characters.
_MAX_FIELD_CHARS = 1_000_000
MAX_COLUMNS = 2_000
# What a spreadsheet puts between columns, by where it is used: semicolons where a comma divides whole numbers from decimals.
SEPARATORS = (",", ";", "\t")
# What stands before the fields that a row has beyond its header, in the problem of the row.
LEFT_OVER = " Left over: "


class BatchError(GraderError):
    """A table cannot be read or a run cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table: its values by column.

    `text` is the line itself where the table is JSONL, so that it can be passed through to the byte; `problem` says why the row
    cannot be graded, as far as reading can tell.
    """

    values: dict[str, Any] = field(default_factory=dict)  # Any: whatever the table holds
    text: str | None = None
    problem: str | None = None


class Source(Protocol):
    """A table that can be read any number of times."""

    path: Path

    def columns(self) -> list[str]:
        """Return every column, in order. Reads a JSONL file once through."""
        ...

    def count(self) -> int:
        """Return the number of rows, those with a problem included. Reads the file once through, except Parquet."""
        ...

    def rows(self) -> Iterator[Row]:
        """Yield the rows in order, in constant memory."""
        ...


def check_format(path: Path) -> str:
    """Return a path's extension in lower case.

    Raises:
        BatchError: If it is none of `FORMATS`.
    """
    extension = path.suffix.lower()
    if extension not in FORMATS:
        raise BatchError(f"{path} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
    return extension


def check_columns(path: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a table without the required columns, or with one of them twice.

    Raises:
        BatchError: With the columns that are there; or if there are so many that it can be no table of answers.
    """
    if len(columns) > MAX_COLUMNS:
        raise BatchError(f"{path} has more than {MAX_COLUMNS:,} columns.")
    for required in needed:
        if columns.count(required) != 1:
            there = ", ".join(repr(c) for c in columns[:20]) or "none"
            how = "lacks the column" if required not in columns else "has more than one column"
            raise BatchError(f"{path} {how} {required!r}; its columns are {there}.")


class CsvSource:
    """A CSV file with a header: double quotes, UTF-8, with or without a byte order mark.

    `separator` is the one of `SEPARATORS` that divides the header into most columns; one that divides the first row into as many
    goes before others, and the comma among equals: semicolons in a header or an answer do not make another table of commas.
    """

    def __init__(self, path: Path, required: Sequence[str] = REQUIRED_COLUMNS) -> None:
        """Read the header.

        Raises:
            BatchError: If the header lacks a column.
        """
        self.path = path
        # Process-wide, and only ever raised: Python's own limit stops at 131,072 characters.
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARS))
        self.separator = max(SEPARATORS, key=self._fit)
        with self._open() as file:
            try:
                header = next(csv.reader(_lines(file, path), delimiter=self.separator), [])
            except csv.Error as error:
                raise BatchError(f"{path} has no header: {error}.") from error
        names = [_as_utf8(name) for name in header]
        check_columns(path, names, required)
        self._columns = _unique(names)

    def columns(self) -> list[str]:
        """Return the header; a column without a name, or with one that was there before, gets a name of its own."""
        return list(self._columns)

    def count(self) -> int:
        """Return the number of rows after the header."""
        return sum(1 for _ in self.rows())

    def rows(self) -> Iterator[Row]:
        """Yield the rows after the header; empty lines are no rows."""
        with self._open() as file:
            reader = csv.reader(_lines(file, self.path), delimiter=self.separator, strict=True)
            next(reader, None)
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Row(problem=f"Line {reader.line_num} is not CSV: {error}.")
                    continue
                if cells:
                    yield self._row(cells, reader.line_num)

    def _fit(self, separator: str) -> tuple[bool, int]:
        """Return whether a separator divides the first row as it does the header, and into how many columns it divides that."""
        header: list[str] = []
        with self._open() as file:
            reader = csv.reader(_lines(file, self.path), delimiter=separator)
            try:
                header = next(reader, [])
                first = next((cells for cells in reader if cells), header)
            except csv.Error:
                return False, len(header)
        return len(first) == len(header) > 1, len(header)

    def _row(self, cells: list[str], line: int) -> Row:
        problem = None
        if any("\udc80" <= c <= "\udcff" for cell in cells for c in cell):
            problem = f"The row that ends in line {line} is not valid UTF-8."
        elif len(cells) != len(self._columns):
            extra = self.separator.join(cells[len(self._columns) :])
            problem = f"The row that ends in line {line} has {len(cells)} fields, the header {len(self._columns)}."
            problem += LEFT_OVER + _as_utf8(extra) if extra else ""
        cells += [""] * (len(self._columns) - len(cells))
        # A row with too many fields: what is left over stands in the problem.
        values = {column: _as_utf8(cell) for column, cell in zip(self._columns, cells, strict=False)}
        return Row(values=values, problem=problem)

    def _open(self) -> Any:  # noqa: ANN401 a text file, whose class has no public name
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


class JsonlSource:
    """A file with one JSON object a line."""

    def __init__(self, path: Path) -> None:
        """Take the path; lines may have any fields, so nothing is read yet."""
        self.path = path
        with path.open("rb"):
            pass

    def columns(self) -> list[str]:
        """Return every field that any line has, in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows() for name in row.values))

    def count(self) -> int:
        """Return the number of lines."""
        with self.path.open("rb") as file:
            return sum(1 for _ in read_lines(file))

    def rows(self) -> Iterator[Row]:
        """Yield one row for every line, empty lines included: line n of the output is about line n of the input."""
        with self.path.open("rb") as file:
            for number, line in enumerate(read_lines(file), start=1):
                text = line.decode("utf-8", errors="backslashreplace")
                try:
                    yield Row(values=parse_object(line), text=text)
                except InvalidLineError as error:
                    yield Row(text=text, problem=f"Line {number} {error}.")


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Yield lines of bounded length: one without an end would be read into memory as a whole.

    Raises:
        BatchError: At a longer one.
    """
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise BatchError(f"{path} has a line of more than {MAX_LINE_BYTES:,} characters.")
        yield line


def _as_utf8(text: str) -> str:
    r"""Return text with its undecodable bytes spelled out, such as `\xff`."""
    if text.isascii():
        return text
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")


def _unique(names: Sequence[str]) -> list[str]:
    """Return names of which none is empty and no two are equal: `column_3` for an empty one, `note_2` for a repeated one."""
    unique: list[str] = []
    for number, name in enumerate(names, start=1):
        base = new = name or f"column_{number}"
        again = 2
        while new in unique or (new != name and new in names):
            new = f"{base}_{again}"
            again += 1
        unique.append(new)
    return unique
