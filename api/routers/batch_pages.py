"""The pages of batches: a table is looked at before it is taken in, watched while it is graded, and read afterwards."""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.datastructures import UploadFile

from api import access
from api.access import AccessDep
from api.banks import Banks
from api.dependencies import UploadsDep, take_slot, take_upload_slot
from api.errors import InvalidTableError, ScopeMissingError
from api.items import Items
from api.jobs.shapes import UNFINISHED, WORKING, JobFilter, JobOptions, RowFilter, RowKind, RowSort
from api.keys import Scope
from api.pages.access import guard
from api.pages.batches import PageOfRows, bars, preview
from api.pages.practice import pieces_of
from api.pages.rendering import KeyedPageRoute, base_of, render
from api.providers import BanksDep, IntakeDep, ItemsDep, JobsDep
from api.routers.jobs import JobId, export_job, watch_job
from grader import ItemNotFoundError
from grader.batch import FORMATS

# What is looked at and never started is forgotten.
_KEPT_S = 3_600
_TOKEN_BYTES = 16

RowNumber = Annotated[int, Path(ge=1, le=1_000_000_000)]

router = APIRouter(
    prefix="/batches",
    route_class=KeyedPageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    # What a page may do here, a key that grades and reads results may do.
    dependencies=[Depends(guard(Scope.GRADE, Scope.READ_RESULTS)), Depends(access.limit_upload_rate)],
)


@router.get("")
def show_batches(request: Request, jobs: JobsDep) -> Response:
    """Show all batches, and room for a new one."""
    return render(request, "batches.html", {"jobs": jobs.page(JobFilter()).jobs})


@router.post("", dependencies=[Depends(take_upload_slot, scope="function")])
async def look_at_table(request: Request, uploads: UploadsDep, items: ItemsDep, banks: BanksDep) -> Response:
    """Show what a table holds before anything is graded: its columns, its first rows and what is wrong with them."""
    # Read here and not declared: what is declared is read before anyone has asked who is sending it.
    async with request.form(max_files=1, max_fields=0) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidTableError("There is no file in the form.")
        return await run_in_threadpool(_look_at, request, file, uploads, items, banks)


def _look_at(request: Request, file: UploadFile, uploads: FilePath, items: Items, banks: Banks) -> Response:
    suffix = FilePath(file.filename or "").suffix.lower()
    if suffix not in FORMATS:
        raise InvalidTableError(f"The file's name must end in {', '.join(FORMATS)}.")
    _forget_old(uploads)
    token = secrets.token_hex(_TOKEN_BYTES) + suffix
    with (uploads / token).open("wb") as out:
        shutil.copyfileobj(file.file, out)
    name = FilePath(file.filename or "").stem[:200]
    return _preview_page(request, uploads / token, JobOptions(name=name), items, banks)


@router.post("/check", dependencies=[Depends(take_slot, scope="function")])
def check_table(
    request: Request,
    uploads: UploadsDep,
    items: ItemsDep,
    banks: BanksDep,
    chosen: Annotated[JobOptions, Form()],
    *,
    token: Annotated[str, Query(max_length=100)],
) -> Response:
    """Show what is wrong with a table by the columns and the bank that were chosen."""
    return _preview_page(request, _waiting(uploads, token), chosen, items, banks)


def _preview_page(request: Request, table: FilePath, chosen: JobOptions, items: Items, banks: Banks) -> Response:
    every = items.every(chosen.bank_id)
    context = {
        "preview": preview(table, chosen.mapping(), {item.id for item in every}),
        "token": table.name,
        "chosen": chosen,
        "items": every,
        "banks": [bank for bank in banks.list() if not bank.archived],
    }
    return render(request, "batch_preview.html", context)


def _waiting(uploads: FilePath, token: str) -> FilePath:
    """Return a table that was sent and is not taken in yet."""
    table = uploads / FilePath(token).name
    if FilePath(token).suffix not in FORMATS or not table.is_file():
        raise InvalidTableError("The file is no longer here. Choose it again.")
    return table


@router.post("/start", dependencies=[Depends(take_slot, scope="function")])
def start_batch(
    request: Request,
    intake: IntakeDep,
    uploads: UploadsDep,
    chosen: Annotated[JobOptions, Form()],
    token: Annotated[str, Query(max_length=100)],
) -> Response:
    """Take in a table that was looked at, and show the job."""
    table = _waiting(uploads, token)
    intake.check(chosen)
    job = intake.take_in(table, chosen)
    table.unlink(missing_ok=True)
    return RedirectResponse(f"{base_of(request)}/batches/{job.id}", status_code=303)


@router.get("/{job_id}")
def show_batch(request: Request, jobs: JobsDep, job_id: JobId, wanted: Annotated[PageOfRows, Query()]) -> Response:
    """Show a batch: how far it is, what came of it, and its rows."""
    job, summary = jobs.get(job_id), jobs.summary(job_id)
    return render(
        request,
        "batch.html",
        {
            "job": job,
            "summary": summary,
            "bars": bars(summary.histogram),
            "page": jobs.rows(job_id, wanted),
            "wanted": wanted,
            "kinds": list(RowKind),
            "sorts": list(RowSort),
            "is_working": job.state in WORKING,
            "can_resume": job.state in UNFINISHED - WORKING,
            "can_cancel": job.state in UNFINISHED,
        },
    )


@router.post("/{job_id}/{wish}")
def steer_batch(request: Request, jobs: JobsDep, job_id: JobId, wish: str, asking: AccessDep) -> Response:
    """Pause, resume, cancel or delete a batch; deleting takes the scope that it takes at `/v1/jobs`."""
    if wish == "delete" and not asking.may(Scope.ADMIN):
        raise ScopeMissingError(Scope.ADMIN)
    wishes = {"pause": jobs.pause, "resume": jobs.resume, "cancel": jobs.cancel, "delete": jobs.delete}
    if wish in wishes:
        wishes[wish](job_id)
    return RedirectResponse(f"{base_of(request)}/batches" + ("" if wish == "delete" else f"/{job_id}"), status_code=303)


@router.get("/{job_id}/rows/{number}")
def show_row(request: Request, jobs: JobsDep, items: ItemsDep, job_id: JobId, number: RowNumber) -> Response:
    """Show one row with the evidence for its marks."""
    page = jobs.rows(job_id, RowFilter(first=number, limit=1))
    if not page.rows or page.rows[0].number != number:
        raise InvalidTableError(f"The row {number} is not graded, or not there.")
    row, mapping, bank_id = page.rows[0], jobs.mapping(job_id), jobs.get(job_id).bank_id
    answer = str(row.values.get(mapping.candidate_answer_column) or "")
    item_id = mapping.item_id or str(row.values.get(mapping.item_id_column) or "")
    shown: dict[str, Any] = {"row": row, "job_id": job_id, "answer": answer, "result": row.result, "question": item_id}
    try:
        shown["question"] = items.get(bank_id, item_id).gradable.question
    except ItemNotFoundError:
        # The row says so itself.
        shown["pieces"] = []
    if row.result is not None:
        shown["pieces"] = pieces_of(answer, row.result)
    return render(request, "batch_row.html", shown)


# The same as the API sends; the pages' own addresses go by the session.
router.add_api_route("/{job_id}/events", watch_job, response_class=StreamingResponse)
router.add_api_route("/{job_id}/results", export_job, response_class=StreamingResponse)


def _forget_old(uploads: FilePath) -> None:
    for file in uploads.iterdir():
        if file.stat().st_mtime < time.time() - _KEPT_S:
            file.unlink(missing_ok=True)
