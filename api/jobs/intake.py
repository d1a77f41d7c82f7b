"""Tables into the database: every row of an upload is there before the job that grades it begins."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import delete

from api.errors import InvalidTableError
from api.items import Items
from api.jobs.chunks import CHUNK_ROWS, pack_rows
from api.jobs.shapes import JobInfo, JobOptions, JobState, columns_text
from api.keys import Access
from api.storage.columns import new_id, now
from api.storage.database import Store
from api.storage.tables import Job, JobChunk
from grader.batch import BatchError
from grader.batch.rows import MAX_COLUMNS, Row, Source
from grader.batch.run import open_source

MAX_ROWS = 1_000_000
# Chunks written in one transaction: others wait for it on SQLite.
_CHUNKS_AT_ONCE = 16
# Rows of a chunk are in memory together, so long ones make smaller chunks.
_MAX_CHUNK_CHARS = 2_000_000

EXTENSIONS: Mapping[str, str] = {
    "text/csv": ".csv",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
}


def write_lines(rows: Sequence[Any], file: IO[bytes]) -> None:
    """Write the rows of a JSON list as JSONL, which is how every table of objects is read."""
    for row in rows:
        file.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What it takes to queue jobs for whoever is asking."""

    items: Items
    store: Store
    access: Access

    def check(self, options: JobOptions) -> None:
        """Refuse a job for a bank or an item that is not there.

        Raises:
            BankNotFoundError: If the tenant has no such bank, or it is archived.
            ItemNotFoundError: If the bank has no such item.
        """
        if options.item_id is not None:
            self.items.get(options.bank_id, options.item_id)
        else:
            self.items.every(options.bank_id)

    def take_in(self, table: Path, options: JobOptions) -> JobInfo:
        """Put a table into the database and queue the job; nothing is left of it if anything goes wrong.

        Raises:
            InvalidTableError: If the table cannot be read, lacks a column, or has no row or too many.
        """
        source = _opened(table, options)
        job_id = new_id()
        # Of a server that dies on the way nothing is left, so only the last step counts as carrying out the request.
        aside = self.store.aside()
        with aside.write() as session:
            session.add(self._received(job_id, options))
        try:
            rows, chunks = _write_chunks(aside, job_id, source)
            columns = columns_text(source.columns())
            with self.store.write() as session:
                job = session.get_one(Job, job_id)
                job.rows, job.chunks, job.columns = rows, chunks, columns
                job.state, job.begun_at = JobState.QUEUED, now()
                session.flush()
                return JobInfo.of(job)
        except BaseException:
            with aside.write() as session:
                session.execute(delete(Job).where(Job.id == job_id))
            raise

    def _received(self, job_id: str, options: JobOptions) -> Job:
        return Job(
            id=job_id,
            name=options.name,
            state=JobState.RECEIVING,
            key_id=self.access.key_id,
            key_name=self.access.name,
            store_results=self.access.store_results if options.store is None else options.store,
            bank_id=options.bank_id,
            columns="[]",
            mapping=options.mapping().model_dump_json(),
        )


def _opened(table: Path, options: JobOptions) -> Source:
    try:
        return open_source(table, options.required())
    except BatchError as error:
        raise _explained(error, table) from None


def _write_chunks(store: Store, job_id: str, source: Source) -> tuple[int, int]:
    """Write all rows, and return how many rows and chunks there are."""
    first = number = 0
    waiting: list[JobChunk] = []
    names: set[str] = set()
    try:
        for rows in _chunked(source.rows()):
            # Lines of JSON may each have fields of their own.
            names.update(name for row in rows for name in row.values)
            if len(names) > MAX_COLUMNS:
                raise InvalidTableError(f"The table has more than {MAX_COLUMNS:,} columns.")
            waiting.append(JobChunk(job_id=job_id, number=number, first_row=first, rows=len(rows), input=pack_rows(rows)))
            first += len(rows)
            number += 1
            if first > MAX_ROWS:
                raise InvalidTableError(f"The table has more than {MAX_ROWS:,} rows. Send it in several jobs.")
            if len(waiting) == _CHUNKS_AT_ONCE:
                _write(store, waiting)
    except BatchError as error:
        raise _explained(error, source.path) from None
    _write(store, waiting)
    if not first:
        raise InvalidTableError("The table has no rows.")
    return first, number


def _write(store: Store, waiting: list[JobChunk]) -> None:
    with store.write() as session:
        session.add_all(waiting)
    waiting.clear()


def _chunked(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    chars = 0
    for row in rows:
        chunk.append(row)
        chars += len(row.text) if row.text is not None else sum(len(str(value)) for value in row.values.values())
        if len(chunk) == CHUNK_ROWS or chars > _MAX_CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def _explained(error: BatchError, table: Path) -> InvalidTableError:
    """Return what is wrong with a table, without the place where the server put it."""
    return InvalidTableError(str(error).replace(str(table), "The table"))
