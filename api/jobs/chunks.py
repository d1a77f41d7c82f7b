"""Rows of a table, and what became of them, as they lie in the database: lines of JSON, compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from grader.batch.output import json_text
from grader.batch.rows import Row
from grader.jsonl import parse_object

# Rows graded by one worker at a time: a second of work or two, which is what a kill costs.
CHUNK_ROWS = 128
# Fast, and four fifths of what the best level saves.
_LEVEL = 3


def pack_rows(rows: Sequence[Row]) -> bytes:
    """Return the bytes of rows; a line of JSON is kept as it is, to the byte."""
    return _packed(json_text([None if row.text is not None else row.values, row.text, row.problem]) for row in rows)


def unpack_rows(packed: bytes, places: Sequence[int] | None = None) -> list[Row]:
    """Return the rows that were packed, or those at some places only."""
    lines = list(_lines(packed))
    return [_row(*json.loads(line)) for line in (lines if places is None else [lines[place] for place in places])]


def unpack_rows_with(packed: bytes, text: str) -> list[tuple[int, Row]]:
    """Return the rows that may hold a text, in any case, with their places; the others certainly do not.

    Most lines are passed over without being read as JSON, which makes looking for a text ten times as fast.
    """
    wanted = text.casefold()
    # What JSON escapes looks otherwise in a line than in a value, and a line of JSONL may escape anything.
    is_plain = json_text(text)[1:-1] == text
    return [
        (place, _row(*json.loads(line)))
        for place, line in enumerate(_lines(packed))
        if not is_plain or wanted in line.casefold() or "\\u" in line
    ]


def pack_outcomes(outcomes: Sequence[str]) -> bytes:
    """Return the bytes of outcomes, each a line of JSON as `outcome_json` makes it."""
    return _packed(outcomes)


def unpack_outcomes(packed: bytes) -> list[str]:
    """Return the outcomes that were packed."""
    return list(_lines(packed))


def _packed(lines: Sequence[str] | Iterator[str]) -> bytes:
    return zlib.compress("".join(chain.from_iterable((line, "\n") for line in lines)).encode(), _LEVEL)


def _lines(packed: bytes) -> Iterator[str]:
    # Not `splitlines`, which would end lines at separators that JSON allows in a text.
    return iter(zlib.decompress(packed).decode().split("\n")[:-1])


def _row(values: dict[str, Any] | None, text: str | None, problem: str | None) -> Row:
    if values is None:
        values = {} if problem is not None or text is None else parse_object(text.encode())
    return Row(values=values, text=text, problem=problem)
