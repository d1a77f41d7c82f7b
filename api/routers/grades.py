"""Grading: one answer, or many."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.dependencies import require_json, take_slot
from api.errors import (
    BankNotFoundError,
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    MalformedBodyError,
    NotReadyError,
    UnsupportedMediaTypeError,
)
from api.keys import Scope
from api.problems import responses
from api.providers import GradingDep
from api.schemas import BatchBody, BatchResult, GradedAnswer, GradeRequest
from grader import ItemNotFoundError

_BODY_REFUSALS = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError, RequestValidationError)
_STATES = (NotReadyError, BusyError, OperationalError, Exception)

router = APIRouter(
    prefix="/v1/grades",
    tags=["grades"],
    route_class=idempotency.IdempotentRoute,
    # The place is given back when the handler is done, not when a slow client has read the answer.
    dependencies=[
        Depends(access.requires(Scope.GRADE)),
        Depends(access.limit_rate),
        Depends(require_json),
        Depends(idempotency.claim_key),
        Depends(take_slot, scope="function"),
    ],
    responses=responses(*access.REFUSALS, *idempotency.REFUSALS, *_BODY_REFUSALS, *_STATES),
)


@router.post("", responses=responses(BankNotFoundError, ItemNotFoundError), response_model_exclude_none=True)
def create_grade(
    request: Annotated[GradeRequest, Body(openapi_examples=examples.GRADE_REQUESTS)], grading: GradingDep
) -> GradedAnswer:
    """Grade one answer, to an item of the bank or to an item sent along."""
    return grading.grade(request)


@router.post("/batch", response_model_exclude_none=True)
def create_grades(batch: Annotated[BatchBody, Body(openapi_examples=examples.GRADE_BATCHES)], grading: GradingDep) -> BatchResult:
    """Grade up to 1,000 answers; a bad row gets a problem and does not fail the others. A bare list of rows is accepted too."""
    return grading.grade_batch(batch)
