"""Jobs: tables of answers, graded in the background."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from threading import Event
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.access import AccessDep
from api.dependencies import StoppingDep, media_type, take_stream_slot, take_upload_slot
from api.errors import (
    BankNotFoundError,
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    InvalidTableError,
    JobNotFoundError,
    JobStateError,
    MalformedBodyError,
    RateLimitedError,
    TooManyAttemptsError,
    UnsupportedMediaTypeError,
)
from api.exports import MEDIA_TYPES, ExportFormat, attachment
from api.jobs.intake import EXTENSIONS, write_lines
from api.jobs.output import job_file
from api.jobs.shapes import WORKING, Deleted, JobFilter, JobInfo, JobOptions, JobPage, JobSummary, RowFilter, RowPage
from api.keys import Scope
from api.middleware import MAX_BODY_BYTES
from api.problems import responses
from api.providers import IntakeDep, JobsDep
from api.stored import RowId
from grader import ItemNotFoundError

# How often a stream of events looks at the job.
_LOOK_S = 1.0
_JSON = "application/json"

JobId = Annotated[RowId, Path(examples=[examples.JOB["id"]])]
# Any: OpenAPI's own shapes.
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}
}
_EVENT_STREAM = "text/event-stream"
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"description": "The events.", "content": {_EVENT_STREAM: {}}}}
_TABLE: dict[str, Any] = {"requestBody": {"required": True, "content": examples.NEW_JOBS}}
_GRADING = Depends(access.requires(Scope.GRADE))
_READING = Depends(access.requires(Scope.READ_RESULTS))
_DELETING = Depends(access.requires(Scope.ADMIN))
_REFUSALS = (*access.REFUSALS, RequestValidationError, OperationalError, Exception)
_UPLOAD_REFUSALS = (
    *idempotency.REFUSALS, BankNotFoundError, BodyTooLargeError, BodyTooSlowError, BusyError, InvalidTableError,
    ItemNotFoundError, MalformedBodyError, RateLimitedError, RequestValidationError, TooManyAttemptsError,
    UnsupportedMediaTypeError,
)  # fmt: skip

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=idempotency.IdempotentRoute, responses=responses(*_REFUSALS))
_CHANGE_REFUSALS = responses(JobNotFoundError, JobStateError, *idempotency.REFUSALS)
_CHANGING = [_GRADING, Depends(access.limit_rate), Depends(idempotency.claim_key)]


@router.post(
    "",
    status_code=202,
    dependencies=[_GRADING, Depends(access.limit_upload_rate), Depends(take_upload_slot, scope="function")],
    responses=responses(*_UPLOAD_REFUSALS),
    openapi_extra=_TABLE,
)
async def create_job(
    request: Request,
    options: Annotated[JobOptions, Query()],
    intake: IntakeDep,
    asking: AccessDep,
    idempotency_key: idempotency.IdempotencyKey = None,
) -> JobInfo:
    """Queue a table of answers to be graded: a JSON list, or a file of CSV, JSONL or Parquet as the body.

    Every row is in the database before this answers. A row that cannot be graded gets a problem and does not fail the others.
    """
    kind = media_type(request)
    if kind != _JSON and kind not in EXTENSIONS:
        raise UnsupportedMediaTypeError(_JSON, *EXTENSIONS)
    await run_in_threadpool(intake.check, options)
    with tempfile.TemporaryDirectory(prefix="grader-upload-") as folder:
        table = FilePath(folder) / f"table{EXTENSIONS.get(kind, '.json')}"
        digest = await _save(request, table)
        await access.count_unannounced(request, asking, table.stat().st_size)
        if kind == _JSON:
            table = await run_in_threadpool(_as_lines, table)
        await run_in_threadpool(idempotency.claim_upload, request, intake.store, idempotency_key, digest)
        return await run_in_threadpool(intake.take_in, table, options)


@router.get("", dependencies=[_READING, Depends(access.limit_rate)])
def list_jobs(jobs: JobsDep, wanted: Annotated[JobFilter, Query()]) -> JobPage:
    """List jobs, newest first."""
    return jobs.page(wanted)


@router.get("/{job_id}", dependencies=[_READING, Depends(access.limit_rate)], responses=responses(JobNotFoundError))
def read_job(jobs: JobsDep, job_id: JobId) -> JobInfo:
    """Show a job and how far it is."""
    return jobs.get(job_id)


JobDep = Annotated[JobInfo, Depends(read_job)]


@router.get(
    "/{job_id}/events",
    dependencies=[_READING, Depends(access.limit_rate), Depends(take_stream_slot)],
    response_class=StreamingResponse,
    responses={**_EVENTS, **responses(JobNotFoundError, RateLimitedError, TooManyAttemptsError, BusyError)},
)
def watch_job(jobs: JobsDep, job_id: JobId, job: JobDep, stopping: StoppingDep) -> StreamingResponse:
    """Send a job as a server-sent event now and whenever it has changed, and end when it is no longer at work."""
    return StreamingResponse(
        _events(jobs, job_id, job, stopping), media_type=_EVENT_STREAM, headers={"Cache-Control": "no-store"}
    )


@router.get("/{job_id}/summary", dependencies=[_READING, Depends(access.limit_rate)], responses=responses(JobNotFoundError))
def read_summary(jobs: JobsDep, job_id: JobId) -> JobSummary:
    """Sum up what came of a job, as far as it is: scores, flags, and how each item went."""
    return jobs.summary(job_id)


@router.get("/{job_id}/rows", dependencies=[_READING, Depends(access.limit_rate)], responses=responses(JobNotFoundError))
def list_rows(jobs: JobsDep, job_id: JobId, wanted: Annotated[RowFilter, Query()]) -> RowPage:
    """List rows that are done, all of them or those that failed or that a person should look at."""
    return jobs.rows(job_id, wanted)


@router.get(
    "/{job_id}/results",
    dependencies=[_READING, Depends(access.limit_rate)],
    response_class=StreamingResponse,
    responses={**_FILE, **responses(JobNotFoundError)},
)
def export_job(
    jobs: JobsDep, job_id: JobId, job: JobDep, file_format: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.CSV
) -> StreamingResponse:
    """Send the rows that are done, in the order of the table: its columns, and what came of each row.

    In CSV a text that a spreadsheet would run as a formula begins with an apostrophe; JSONL and Parquet hold it as it was.
    """
    name = attachment(job.name, file_format, otherwise=f"job-{job_id}")
    content = job_file(jobs.graded(job_id), job.columns, file_format)
    return StreamingResponse(content, media_type=MEDIA_TYPES[file_format], headers={"Content-Disposition": name})


@router.post("/{job_id}/pause", dependencies=_CHANGING, responses=_CHANGE_REFUSALS)
def pause_job(jobs: JobsDep, job_id: JobId) -> JobInfo:
    """Grade no more rows for now; those in progress are finished."""
    return jobs.pause(job_id)


@router.post("/{job_id}/resume", dependencies=_CHANGING, responses=_CHANGE_REFUSALS)
def resume_job(jobs: JobsDep, job_id: JobId) -> JobInfo:
    """Go on with a job that was paused, or stopped by a fault of the server."""
    return jobs.resume(job_id)


@router.post("/{job_id}/cancel", dependencies=_CHANGING, responses=_CHANGE_REFUSALS)
def cancel_job(jobs: JobsDep, job_id: JobId) -> JobInfo:
    """End a job for good; the rows that are graded stay."""
    return jobs.cancel(job_id)


@router.delete("/{job_id}", dependencies=[_DELETING, Depends(access.limit_rate)], responses=responses(JobNotFoundError))
def delete_job(jobs: JobsDep, job_id: JobId) -> Deleted:
    """Delete a job with all its rows; results that were stored by themselves stay."""
    return jobs.delete(job_id)


async def _save(request: Request, file: FilePath) -> bytes:
    """Write a body to disk as it comes, and return its SHA-256."""
    digest = hashlib.sha256()
    with file.open("wb") as out:
        async for block in request.stream():
            digest.update(block)
            await run_in_threadpool(out.write, block)
    return digest.digest()


def _as_lines(file: FilePath) -> FilePath:
    """Return a JSON list as a file of lines.

    Raises:
        BodyTooLargeError: If the list is too long to be read in one go.
        MalformedBodyError: If it is no JSON.
        InvalidTableError: If it is no list.
    """
    if file.stat().st_size > MAX_BODY_BYTES:
        raise BodyTooLargeError(MAX_BODY_BYTES)
    try:
        rows = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError(400, "The body is not JSON that can be read.") from error
    if isinstance(rows, dict):
        if surplus := sorted(rows.keys() - {"rows"}):
            raise InvalidTableError(f"Beside rows the body holds {surplus[0]!r}; the options of a job stand in its address.")
        rows = rows.get("rows")
    if not isinstance(rows, list):
        raise InvalidTableError("The body is no list of rows, nor an object with one as rows.")
    lines = file.with_suffix(".jsonl")
    with lines.open("wb") as out:
        write_lines(rows, out)
    return lines


async def _events(jobs: JobsDep, job_id: str, job: JobInfo, stopping: Event) -> AsyncIterator[bytes]:
    yield _event(job)
    # A server that is to stop waits for its streams; a browser that still wants to know asks the next one.
    while job.state in WORKING and not stopping.is_set():
        await asyncio.sleep(_LOOK_S)
        try:
            seen = await run_in_threadpool(jobs.get, job_id)
        except JobNotFoundError:
            return
        # A comment shows those between us and the client that the connection is in use.
        yield _event(seen) if (seen.rows_done, seen.state) != (job.rows_done, job.state) else b":\n\n"
        job = seen


def _event(job: JobInfo) -> bytes:
    return format_sse_event(event="job", data_str=job.model_dump_json())
