"""Parquet tables in and out. The only module that imports pyarrow, which takes a third of a second.

A Parquet output cannot be continued after a kill, so a run writes the outcomes as JSONL first and the table is put together
from input and outcomes at the end, which takes seconds. An input column keeps its exact type if the input is Parquet too; from
CSV all columns are text; from JSONL a column is whole numbers, numbers, truth values or text, or JSON text where lines differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from grader.batch.output import SCALAR_COLUMNS, json_text, kept_names, scalars
from grader.batch.rows import REQUIRED_COLUMNS, BatchError, JsonlSource, Row, Source, check_columns

# Rows in a row group of the output, and in memory while it is put together.
_GROUP_ROWS = 10_000
_BATCH_ROWS = 256
_NUMBERS = ("score", "mark", "interval_low", "interval_high", "semantic_similarity", "keyword_coverage")
_TYPES = {"max_mark": pa.int64(), "needs_review": pa.bool_()} | dict.fromkeys(_NUMBERS, pa.float64())
_ADDED = pa.schema([*((name, _TYPES.get(name, pa.string())) for name in SCALAR_COLUMNS), ("result", pa.string())])
_INT64 = range(-(2**63), 2**63)


class ParquetSource:
    """A Parquet file."""

    def __init__(self, path: Path, required: Sequence[str] = REQUIRED_COLUMNS) -> None:
        """Read the schema.

        Raises:
            BatchError: If the file is not Parquet or lacks a column.
        """
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self.schema: pa.Schema = file.schema_arrow
                self._count = file.metadata.num_rows
        except pa.ArrowException as error:
            raise BatchError(f"{path} is not a Parquet file: {str(error).splitlines()[0]}") from error
        check_columns(path, self.schema.names, required)
        twice = sorted({name for name in self.schema.names if self.schema.names.count(name) > 1})
        if twice:
            raise BatchError(f"{path} has the column {twice[0]!r} more than once.")

    def columns(self) -> list[str]:
        """Return the columns in order."""
        return list(self.schema.names)

    def count(self) -> int:
        """Return the number of rows, which the file states."""
        return int(self._count)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Yield the rows from `start` to before `stop`; row groups before these are not read."""
        for batch in self.batches(start, stop):
            for values in _to_python(batch):
                problem = next((v for v in values.values() if isinstance(v, _UnreadableText)), None)
                yield Row(values=values, problem=f"A field is not valid UTF-8: {problem}" if problem is not None else None)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield rows as Arrow batches, with the file's own types."""
        stop = self._count if stop is None else stop
        try:
            with pq.ParquetFile(self.path) as file:
                sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
                ends = list(accumulate(sizes))
                groups = [n for n, (end, size) in enumerate(zip(ends, sizes, strict=True)) if end > start and end - size < stop]
                at = ends[groups[0]] - sizes[groups[0]] if groups else 0
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups):
                    first, last = max(0, start - at), min(batch.num_rows, stop - at)
                    at += batch.num_rows
                    if first < last:
                        yield batch.slice(first, last - first)
                    if at >= stop:
                        return
        except (pa.ArrowException, OSError) as error:
            raise BatchError(f"{self.path} is damaged: {str(error).splitlines()[0]}") from error


class _UnreadableText(str):
    """Text whose bytes are not UTF-8, with these spelled out. Parquet promises UTF-8, and not every writer keeps it."""

    __slots__ = ()


def _to_python(batch: pa.RecordBatch) -> list[dict[str, Any]]:  # Any: what the table holds
    try:
        return cast("list[dict[str, Any]]", batch.to_pylist())
    except UnicodeDecodeError:
        columns = zip(batch.schema.names, batch.columns, strict=True)
        values = {name: [_scalar_to_python(scalar) for scalar in column] for name, column in columns}
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _scalar_to_python(scalar: pa.Scalar) -> Any:  # noqa: ANN401 as above
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        # A list of texts has no bytes of its own to spell out.
        raw = scalar.as_buffer().to_pybytes() if hasattr(scalar, "as_buffer") else b"?"
        return _UnreadableText(raw.decode("utf-8", errors="backslashreplace"))


def write_parquet(source: Source, outcomes: Path, target: Path) -> None:
    """Put a table together from the input and one line of outcome for each of its rows.

    Args:
        source: The input, unchanged since it was graded.
        outcomes: A file of `OutcomeFormat`.
        target: The Parquet file to write. The same rows give the same bytes.
    """
    schema = source.schema if isinstance(source, ParquetSource) else _schema_of(source)
    kept = kept_names(schema.names, _ADDED.names)
    fields = [field.with_name(kept[field.name]) for field in schema]
    output_schema = pa.schema([*fields, *_ADDED], metadata=schema.metadata)
    with outcomes.open(encoding="utf-8") as file, pq.ParquetWriter(target, output_schema) as writer:
        group: list[pa.RecordBatch] = []
        for batch in source.batches() if isinstance(source, ParquetSource) else _batches(source, schema):
            added = _added_columns(islice(file, batch.num_rows))
            group.append(pa.RecordBatch.from_arrays([*batch.columns, *added.columns], schema=output_schema))
            if sum(b.num_rows for b in group) >= _GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group, schema=output_schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group, schema=output_schema))


def _added_columns(lines: Iterable[str]) -> pa.RecordBatch:
    rows = []
    for line in lines:
        row = scalars(line)
        if row["problem"] is None:
            # The very bytes of the result, not a second rendering of them.
            row["result"] = line.rstrip("\n").removeprefix('{"result":')[:-1]
        else:
            row["problem"] = row["problem"].encode("utf-8", "backslashreplace").decode()
        rows.append(row)
    return pa.RecordBatch.from_pylist(rows, schema=_ADDED)


def _batches(source: Source, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV or JSONL table in Arrow's terms."""
    rows = source.rows()
    while chunk := list(islice(rows, _BATCH_ROWS)):
        columns = {field.name: [_fitting(row.values.get(field.name), field.type) for row in chunk] for field in schema}
        arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fitting(value: Any, kind: pa.DataType) -> Any:  # noqa: ANN401 JSON
    """Return a value as the column's type has it; in a text column what is not text becomes JSON text."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else json_text(value)
    return float(value) if pa.types.is_floating(kind) else value


def _schema_of(source: Source) -> pa.Schema:
    """Return the types of a table without any: text for CSV; for JSONL what the values of a field have in common."""
    if not isinstance(source, JsonlSource):
        return pa.schema([(name, pa.string()) for name in source.columns()])
    kinds: dict[str, set[str]] = {}
    for row in source.rows():
        for name, value in row.values.items():
            kinds.setdefault(name, set()).add(_kind(value))
    return pa.schema([(_valid(name), _common_type(seen - {"null"})) for name, seen in kinds.items()])


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value in _INT64 else "other"
    return "float" if isinstance(value, float) else "other"


def _common_type(kinds: set[str]) -> pa.DataType:
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds == {"int"}:
        return pa.int64()
    # A whole number above 2^53 would change as a float; a column that mixes it with fractions is rare enough to lose digits.
    return pa.float64() if kinds and kinds <= {"int", "float"} else pa.string()


def _valid(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
