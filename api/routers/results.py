"""Stored results: found, exported, deleted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import OperationalError

from api import access, examples
from api.errors import ResultNotFoundError, SubjectNotFoundError
from api.exports import MEDIA_TYPES, ExportFormat, export
from api.keys import Scope
from api.problems import responses
from api.providers import ResultsDep
from api.schemas import SubjectId
from api.stored import Deletion, Erased, ResultFilter, ResultPage, ReviewedResult, RowId, StoredFilter

ResultId = Annotated[RowId, Path(examples=[examples.STORED_RESULT["id"]])]
# Any: OpenAPI's own shapes.
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {media.partition(";")[0]: {} for media in MEDIA_TYPES.values()}}
}
_READING = Depends(access.requires(Scope.READ_RESULTS))
_DELETING = Depends(access.requires(Scope.ADMIN))

router = APIRouter(
    prefix="/v1",
    tags=["results"],
    route_class=access.KeyedRoute,
    dependencies=[Depends(access.limit_rate)],
    responses=responses(*access.REFUSALS, RequestValidationError, OperationalError, Exception),
)


@router.get("/results", dependencies=[_READING])
def list_results(results: ResultsDep, wanted: Annotated[ResultFilter, Query()]) -> ResultPage:
    """List stored results, newest first, and what people decided about each. A cursor stays right while results come and go."""
    return results.page(wanted)


class ExportFilter(StoredFilter):
    """Which results to export, and as what."""

    format: ExportFormat = ExportFormat.CSV


@router.get("/results/export", dependencies=[_READING], response_class=StreamingResponse, responses=_FILE)
def export_results(results: ResultsDep, wanted: Annotated[ExportFilter, Query()]) -> StreamingResponse:
    """Export stored results as a file, oldest first, and what people decided about each.

    In CSV a text that a spreadsheet would run as a formula begins with an apostrophe; JSONL and Parquet hold it as it was.
    """
    name = f"attachment; filename=results.{wanted.format}"
    content = export(results.every(wanted), wanted.format)
    return StreamingResponse(content, media_type=MEDIA_TYPES[wanted.format], headers={"Content-Disposition": name})


@router.get("/results/{result_id}", dependencies=[_READING], responses=responses(ResultNotFoundError))
def read_result(results: ResultsDep, result_id: ResultId) -> ReviewedResult:
    """Show one stored result, and what people decided about it."""
    return results.get(result_id)


@router.delete("/results", dependencies=[_DELETING])
def delete_results(results: ResultsDep, chosen: Annotated[Deletion, Query()]) -> Erased:
    """Delete the results of an attempt, or all that were made before a moment, with all that repeats them."""
    return results.delete(attempt_id=chosen.attempt_id, before=chosen.before)


# A path: a slash of the id is decoded before routes are looked at, and a last one would be redirected to the person without it.
@router.delete("/subjects/{subject_id:path}", dependencies=[_DELETING], responses=responses(SubjectNotFoundError))
def erase_subject(results: ResultsDep, subject_id: Annotated[SubjectId, Path(examples=["person-5"])]) -> Erased:
    """Erase all that is stored about a person."""
    return results.erase_subject(subject_id)
