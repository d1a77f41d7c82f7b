"""The pages of batches: a table is looked at before it is taken in, watched while it is graded, and read afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.datastructures import UploadFile

from api import access
from api.access import AccessDep
from api.banks import Banks
from api.dependencies import take_slot, take_upload_slot
from api.errors import InvalidTableError, ScopeMissingError
from api.jobs.book import Jobs
from api.jobs.shapes import MAX_NAME_CHARS, UNFINISHED, WORKING, JobFilter, RowFilter, RowKind, RowSort
from api.keys import Scope
from api.pages.access import guard
from api.pages.batches import Chosen, PageOfRows, Preview, preview, problem_of
from api.pages.practice import pieces_of
from api.pages.rendering import KeyedPageRoute, base_of, render
from api.pages.uploads import TenantUploadsDep, UnusableTableError
from api.providers import BanksDep, IntakeDep, ItemsDep, JobsDep
from api.routers.jobs import JobId, export_job, watch_job
from grader import ItemHead, ItemNotFoundError

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
async def receive_table(request: Request, uploads: TenantUploadsDep, jobs: JobsDep) -> Response:
    """Keep a table for a while, and lead to what it holds: an address that can be opened again, also in another language."""
    # Read here and not declared: what is declared is read before anyone has asked who is sending it.
    async with request.form(max_files=1, max_fields=0) as form:
        file = form.get("file")
        content, name = (file.file, file.filename or "") if isinstance(file, UploadFile) else (None, "")
        try:
            token = await run_in_threadpool(uploads.keep, content, name)
        except UnusableTableError as error:
            return await run_in_threadpool(_choose_again, request, jobs, error)
    return _to_check(request, Chosen(token=token, name=FilePath(name).stem[:MAX_NAME_CHARS]))


# A start that was refused stands at the second address, where a reload or a link to the other language asks for it.
@router.get("/check", dependencies=[Depends(take_slot, scope="function")])
@router.get("/start", dependencies=[Depends(take_slot, scope="function")])
def check_table(
    request: Request,
    uploads: TenantUploadsDep,
    items: ItemsDep,
    banks: BanksDep,
    *,
    jobs: JobsDep,
    chosen: Annotated[Chosen, Query()],
) -> Response:
    """Show what a table holds before anything is graded, and what is wrong with it by what was chosen."""
    every = items.every(chosen.bank_id)
    try:
        looked = preview(uploads.find(chosen.token), chosen.mapping(), {item.id for item in every})
    except InvalidTableError as error:
        return _choose_again(request, jobs, error)
    return render(request, "batch_preview.html", _shown(chosen, looked, every, banks))


@router.post("/start", dependencies=[Depends(take_slot, scope="function")])
def start_batch(
    request: Request,
    intake: IntakeDep,
    uploads: TenantUploadsDep,
    items: ItemsDep,
    banks: BanksDep,
    *,
    jobs: JobsDep,
    chosen: Annotated[Chosen, Form()],
) -> Response:
    """Take in a table that was looked at, and show the job; a table that is refused is shown again, as it was to be read."""
    every = items.every(chosen.bank_id)
    try:
        table = uploads.find(chosen.token)
        looked = preview(table, chosen.mapping(), {item.id for item in every})
    except InvalidTableError as error:
        return _choose_again(request, jobs, error)
    if looked.missing:
        return _to_check(request, chosen)
    try:
        intake.check(chosen)
        job = intake.take_in(table, chosen)
    except (InvalidTableError, ItemNotFoundError) as error:
        shown = {**_shown(chosen, looked, every, banks), "refused": str(error)}
        return render(request, "batch_preview.html", shown, status=422)
    table.unlink(missing_ok=True)
    return RedirectResponse(f"{base_of(request)}/batches/{job.id}", status_code=303)


def _choose_again(request: Request, jobs: Jobs, refused: InvalidTableError) -> Response:
    """Return the page where a table is chosen, with why another one is needed."""
    return render(request, "batches.html", {"jobs": jobs.page(JobFilter()).jobs, "refused": refused}, status=422)


def _to_check(request: Request, chosen: Chosen) -> Response:
    return RedirectResponse(f"{base_of(request)}/batches/check?{chosen.address()}", status_code=303)


def _shown(chosen: Chosen, looked: Preview, every: Sequence[ItemHead], banks: Banks) -> dict[str, object]:
    return {
        "preview": looked,
        "chosen": chosen,
        "items": every,
        "banks": [bank for bank in banks.list() if not bank.archived],
    }


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
            "page": jobs.rows(job_id, wanted),
            "problem_of": partial(problem_of, mapping=jobs.mapping(job_id)),
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
def show_row(
    request: Request,
    jobs: JobsDep,
    items: ItemsDep,
    *,
    job_id: JobId,
    number: RowNumber,
    wanted: Annotated[PageOfRows, Query()],
) -> Response:
    """Show one row with the evidence for its marks, and lead back to the rows among which it was found."""
    page = jobs.rows(job_id, RowFilter(first=number, limit=1))
    if not page.rows or page.rows[0].number != number:
        raise InvalidTableError(f"The row {number} is not graded, or not there.")
    row, mapping, job = page.rows[0], jobs.mapping(job_id), jobs.get(job_id)
    answer = str(row.values.get(mapping.candidate_answer_column) or "")
    item_id = str(mapping.asked(row.values).get("item_id", ""))
    shown: dict[str, Any] = {
        "row": row,
        "job": job,
        "wanted": wanted,
        "answer": answer,
        "result": row.result,
        "question": item_id,
    }
    try:
        shown["question"] = items.get(job.bank_id, item_id).gradable.question
    except ItemNotFoundError:
        # The row says so itself.
        shown["pieces"] = []
    shown["problem_of"] = partial(problem_of, mapping=mapping)
    if row.result is not None:
        shown["pieces"] = pieces_of(answer, row.result)
    return render(request, "batch_row.html", shown)


# The same as the API sends; the pages' own addresses go by the session.
router.add_api_route("/{job_id}/events", watch_job, response_class=StreamingResponse)
router.add_api_route("/{job_id}/results", export_job, response_class=StreamingResponse)
