"""Stored results as a file, made while it is sent: memory does not grow with the number of rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from api.standing import Decided
from api.storage.tables import Result
from grader.batch.output import harmless

_STORED = (
    "id", "created_at", "key_name", "bank_id", "item_id", "item_version", "content_hash", "attempt_id", "subject_id",
    "candidate_answer", "score", "mark", "needs_review", "signature", "grading_ms", "replaces_id", "replaced", "result",
)  # fmt: skip
_DECIDED = ("reviews", "reviewed_score", "reviewed_mark")
# What was added later stands at the end, for those who read columns by their place.
_COLUMNS = (*_STORED, *_DECIDED)

# Letters and digits of any script, and what no system takes for a folder, an ending or a command.
_NO_FILE_NAME = re.compile(r"[^\w ()+-]+")
_MAX_FILE_NAME_CHARS = 80

Row = tuple[Result, Decided]
Chunks = Iterator[Sequence[Row]]


class ExportFormat(StrEnum):
    """The kinds of files."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


MEDIA_TYPES: Mapping[ExportFormat, str] = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def attachment(name: str, kind: ExportFormat, *, otherwise: str) -> str:
    """Return the header that has a file saved under a name that somebody gave, as far as every system takes it.

    Args:
        name: Any text.
        kind: What the file is, which gives the ending.
        otherwise: The name where nothing is left of the other.
    """
    kept = _NO_FILE_NAME.sub("_", name)[:_MAX_FILE_NAME_CHARS].strip(" _")
    file = f"{kept}-results.{kind}" if kept else f"{otherwise}.{kind}"
    quoted = quote(file)
    return f"attachment; filename={file}" if quoted == file else f"attachment; filename*=UTF-8''{quoted}"


def export(chunks: Chunks, kind: ExportFormat) -> Iterator[bytes]:
    """Yield the bytes of a file with all rows of the chunks."""
    return _WRITERS[kind](chunks)


def _csv(chunks: Chunks) -> Iterator[bytes]:
    """Yield CSV for spreadsheets: a text that would be run as a formula begins with an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for rows in chunks:
        writer.writerows([_cell(value) for value in _values(row)] for row in rows)
        yield _taken(buffer)
    yield _taken(buffer)


def _jsonl(chunks: Chunks) -> Iterator[bytes]:
    for rows in chunks:
        for row in rows:
            plain = dict(zip(_COLUMNS, _values(row), strict=True))
            plain["result"] = json.loads(plain["result"])
            yield json.dumps(plain, ensure_ascii=False, separators=(",", ":"), default=_moment).encode() + b"\n"


def _parquet(chunks: Chunks) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 it takes a third of a second, and few ask for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {
        "created_at": pa.timestamp("us", tz="UTC"),
        "reviews": pa.int64(),
        **dict.fromkeys(("score", "mark", "grading_ms", "reviewed_score", "reviewed_mark"), pa.float64()),
        **dict.fromkeys(("needs_review", "replaced"), pa.bool_()),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema) as writer:
        for rows in chunks:
            columns = zip(*map(_values, rows), strict=True)
            writer.write_table(pa.table(dict(zip(_COLUMNS, columns, strict=True)), schema=schema))
            yield sink.take()
    yield sink.take()


_WRITERS: Mapping[ExportFormat, Callable[[Chunks], Iterator[bytes]]] = {
    ExportFormat.CSV: _csv,
    ExportFormat.JSONL: _jsonl,
    ExportFormat.PARQUET: _parquet,
}


class _Sink(io.RawIOBase):
    """A file that can only be written, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._taken + len(self._written)

    def write(self, data: object) -> int:
        added = bytes(memoryview(data))  # type: ignore[arg-type]  # pyarrow hands over buffers
        self._written += added
        return len(added)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._taken += len(taken)
        self._written.clear()
        return taken


def _values(row: Row) -> list[Any]:  # Any: columns of any type
    result, decided = row
    return [*(getattr(result, name) for name in _STORED), *(getattr(decided, name) for name in _DECIDED)]


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return harmless(value) if isinstance(value, str) else value


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
