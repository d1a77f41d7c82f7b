"""Grading: one answer, or many."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import examples
from api.access import REFUSALS, limit_rate, requires
from api.batches import grade_rows
from api.dependencies import BankDep, GraderDep, require_json, take_slot
from api.keys import Scope
from api.middleware import BodyTooLargeError, BodyTooSlowError
from api.problems import BusyError, MalformedBodyError, NotReadyError, UnsupportedMediaTypeError, responses
from api.schemas import BatchBody, BatchResult, GradedAnswer, GradeRequest
from grader import ItemNotFoundError

_REFUSALS = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError, RequestValidationError)

router = APIRouter(
    prefix="/v1/grades",
    tags=["grades"],
    # The place is given back when the handler is done, not when a slow client has read the answer.
    dependencies=[
        Depends(requires(Scope.GRADE)),
        Depends(limit_rate),
        Depends(require_json),
        Depends(take_slot, scope="function"),
    ],
    responses=responses(*REFUSALS, *_REFUSALS, NotReadyError, BusyError, OperationalError, Exception),
)


@router.post("", responses=responses(ItemNotFoundError), response_model_exclude_none=True)
def create_grade(
    request: Annotated[GradeRequest, Body(openapi_examples=examples.GRADE_REQUESTS)], grader: GraderDep, bank: BankDep
) -> GradedAnswer:
    """Grade one answer, to an item of the bank or to an item sent along."""
    return GradedAnswer.of(grader.grade(request.gradable(bank), request.candidate_answer), request)


@router.post("/batch", response_model_exclude_none=True)
def create_grades(
    batch: Annotated[BatchBody, Body(openapi_examples=examples.GRADE_BATCHES)], grader: GraderDep, bank: BankDep
) -> BatchResult:
    """Grade up to 1,000 answers; a bad row gets a problem and does not fail the others. A bare list of rows is accepted too."""
    return grade_rows(batch.rows, grader, bank)
