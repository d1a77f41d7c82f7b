"""Reviews: what waits for a person, what people decided, and how well they agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.access import AccessDep
from api.dependencies import MetricsDep, require_json
from api.errors import (
    BankNotFoundError,
    BodyTooLargeError,
    BodyTooSlowError,
    InvalidReviewError,
    MalformedBodyError,
    ResultNotFoundError,
    UnsupportedMediaTypeError,
)
from api.keys import Scope
from api.problems import responses
from api.providers import ReviewsDep
from api.review_shapes import AgreementReport, NewReview, QueueFilter, ReviewedFilter, ReviewList, ReviewQueue, StoredReview
from api.stored import RowId

ResultId = Annotated[RowId, Path(examples=[examples.STORED_RESULT["id"]])]
_READ = (*access.REFUSALS, RequestValidationError, OperationalError, Exception)
_BODY = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError)

router = APIRouter(
    prefix="/v1",
    tags=["reviews"],
    route_class=idempotency.IdempotentRoute,
    dependencies=[Depends(access.requires(Scope.REVIEW)), Depends(access.limit_rate)],
)


@router.get("/reviews/queue", responses=responses(*_READ, BankNotFoundError))
def read_queue(reviews: ReviewsDep, wanted: Annotated[QueueFilter, Query()]) -> ReviewQueue:
    """Show the answers of a bank that a person should look at, those first where a look is worth most."""
    return reviews.queue(wanted)


@router.get("/reviews/agreement", responses=responses(*_READ, BankNotFoundError))
def read_agreement(reviews: ReviewsDep, wanted: Annotated[ReviewedFilter, Query()]) -> AgreementReport:
    """Tell how well reviewers agree with the machine, and with each other."""
    return reviews.agreement(wanted)


@router.get("/results/{result_id}/reviews", responses=responses(*_READ, ResultNotFoundError))
def list_reviews(reviews: ReviewsDep, result_id: ResultId) -> ReviewList:
    """List what people decided about a result."""
    return reviews.of_result(result_id)


@router.post(
    "/results/{result_id}/reviews",
    dependencies=[Depends(require_json), Depends(idempotency.claim_key)],
    responses=responses(*_READ, *_BODY, *idempotency.REFUSALS, ResultNotFoundError, InvalidReviewError),
)
def create_review(
    result_id: ResultId,
    new: Annotated[NewReview, Body(openapi_examples=examples.NEW_REVIEWS)],
    reviews: ReviewsDep,
    asking: AccessDep,
    metrics: MetricsDep,
) -> StoredReview:
    """Accept a result or override its score and verdicts; the machine's result and every person's decision stay."""
    review = reviews.add(result_id, new, key_name=asking.name)
    metrics.reviewed(review.decision)
    return review
