"""The results of a job as a file, in the order of the table and with all its columns, as `grader batch` writes them.

One thing differs: a text that a spreadsheet would run as a formula begins with an apostrophe in CSV, as in every export here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.exports import ExportFormat
from grader.batch.output import CsvFormat, JsonlFormat, RowFormat, json_text
from grader.batch.rows import JsonlSource, Row

Graded = Iterator[Sequence[tuple[Row, str]]]
_READ_BYTES = 1 << 20


def job_file(graded: Graded, columns: Sequence[str], kind: ExportFormat) -> Iterator[bytes]:
    """Yield the bytes of a file with rows and what became of them; memory does not grow with the rows.

    Args:
        graded: The rows, in order, with the outcome of each.
        columns: Those of the table, in order.
        kind: What file it is to be.
    """
    if kind is ExportFormat.PARQUET:
        return _parquet(graded)
    return _text(graded, CsvFormat(columns, for_spreadsheets=True) if kind is ExportFormat.CSV else JsonlFormat())


def _text(graded: Graded, kind: RowFormat) -> Iterator[bytes]:
    yield kind.header().encode()
    for rows in graded:
        yield "".join(kind.row(row, outcome) for row, outcome in rows).encode("utf-8", "backslashreplace")


def _parquet(graded: Graded) -> Iterator[bytes]:
    # pyarrow takes a third of a second to import, and few ask for it.
    from grader.batch.parquet import write_parquet  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="grader-job-") as folder:
        table, outcomes, target = (Path(folder) / name for name in ("rows.jsonl", "outcomes.jsonl", "results.parquet"))
        with table.open("w", encoding="utf-8") as values, outcomes.open("w", encoding="utf-8") as lines:
            for rows in graded:
                values.writelines(json_text(row.values) + "\n" for row, _ in rows)
                lines.writelines(outcome + "\n" for _, outcome in rows)
        write_parquet(JsonlSource(table), outcomes, target)
        with target.open("rb") as file:
            while block := file.read(_READ_BYTES):
                yield block
