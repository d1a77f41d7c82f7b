"""Every error of the service as a problem after RFC 9457, `application/problem+json`; one table maps exceptions to problems.

What a client sent is never repeated in a problem, except for names: an item id, or the name of a field that does not exist.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.errors import (
    AnswerLostError,
    BankExistsError,
    BankNotFoundError,
    BankReadOnlyError,
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    CalibrationNotFoundError,
    ClaimLostError,
    DeliveryNotFoundError,
    DraftChangedError,
    ForeignFormError,
    InvalidItemsError,
    InvalidReviewError,
    InvalidTableError,
    JobNotFoundError,
    JobStateError,
    KeyReusedError,
    MalformedBodyError,
    NotReadyError,
    RateLimitedError,
    ResultNotFoundError,
    ReviewedMeanwhileError,
    ScopeMissingError,
    StillRunningError,
    SubjectNotFoundError,
    TokenMismatchError,
    TooFewReviewsError,
    TooManyAttemptsError,
    TooManyWebhooksError,
    UnauthenticatedError,
    UnknownCursorError,
    UnsupportedMediaTypeError,
    WebhookNotFoundError,
)
from api.middleware import MAX_BODY_BYTES, SECURITY_HEADERS
from grader import FileProblem, GraderError, InvalidAnswerError, ItemNotFoundError

PROBLEM_JSON = "application/problem+json"
# A part of a location may be a field name that a client made up: enough to recognise it, too little to fill a log.
_MAX_NAME_CHARS = 80
_MAX_FIELD_ERRORS = 20

Location = tuple[str | int, ...]
logger = logging.getLogger(__name__)


class FieldError(BaseModel):
    """What is wrong with one field."""

    loc: list[str | int] = Field(
        description="The way to the field, from `body`, `query` or `path`; a number is an index of a list."
    )
    msg: str = Field(description="What is wrong, in words.")
    type: str = Field(description="What is wrong, as a stable identifier.")


class Problem(BaseModel):
    """A problem after RFC 9457."""

    type: str = Field(description="Identifies the kind of problem: a relative reference that stays the same.")
    title: str = Field(description="The kind of problem in words; the same for every problem of a kind.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What happened this time.")
    errors: list[FieldError] = Field(description="The fields that are wrong; empty where the problem is not about fields.")


@dataclass(frozen=True, slots=True)
class Kind:
    """What all problems of one kind share."""

    slug: str
    status: int
    title: str


_INTERNAL = Kind("internal-error", 500, "Internal error")
_MALFORMED = Kind("malformed-body", 400, "Body cannot be read")
_INVALID = Kind("invalid-request", 422, "Request does not validate")
_KINDS: Mapping[type[Exception], Kind] = {
    ItemNotFoundError: Kind("item-not-found", 404, "Item not found"),
    InvalidAnswerError: Kind("invalid-answer", 422, "Answer cannot be graded"),
    RequestValidationError: _INVALID,
    UnknownCursorError: _INVALID,
    MalformedBodyError: _MALFORMED,
    BodyTooLargeError: Kind("body-too-large", 413, "Body too large"),
    UnsupportedMediaTypeError: Kind("unsupported-media-type", 415, "Body is not declared as JSON"),
    NotReadyError: Kind("not-ready", 503, "Service not ready"),
    BusyError: Kind("busy", 429, "Service busy"),
    RateLimitedError: Kind("rate-limited", 429, "Too much sent"),
    TooManyAttemptsError: Kind("too-many-attempts", 429, "Too many bad keys"),
    UnauthenticatedError: Kind("unauthenticated", 401, "No valid key"),
    ScopeMissingError: Kind("scope-missing", 403, "Key is not for this"),
    TokenMismatchError: Kind("token-mismatch", 403, "Token is not for this"),
    ForeignFormError: Kind("foreign-form", 403, "Form of another site"),
    BodyTooSlowError: Kind("body-too-slow", 408, "Body too slow"),
    ResultNotFoundError: Kind("result-not-found", 404, "Result not found"),
    BankNotFoundError: Kind("bank-not-found", 404, "Bank not found"),
    BankExistsError: Kind("bank-exists", 409, "Bank exists already"),
    BankReadOnlyError: Kind("bank-read-only", 409, "Bank cannot be changed"),
    DraftChangedError: Kind("draft-changed", 409, "Changed meanwhile"),
    InvalidItemsError: Kind("invalid-items", 422, "Items do not validate"),
    InvalidReviewError: Kind("invalid-review", 422, "Review does not fit the result"),
    TooFewReviewsError: Kind("too-few-reviews", 409, "Too few reviews"),
    CalibrationNotFoundError: Kind("calibration-not-found", 404, "Nothing learnt"),
    ReviewedMeanwhileError: Kind("reviewed-meanwhile", 409, "Reviewed meanwhile"),
    SubjectNotFoundError: Kind("subject-not-found", 404, "Subject not found"),
    WebhookNotFoundError: Kind("webhook-not-found", 404, "Webhook not found"),
    TooManyWebhooksError: Kind("too-many-webhooks", 409, "Too many webhooks"),
    DeliveryNotFoundError: Kind("delivery-not-found", 404, "Delivery not found"),
    JobNotFoundError: Kind("job-not-found", 404, "Job not found"),
    JobStateError: Kind("job-state", 409, "Job is in another state"),
    InvalidTableError: Kind("invalid-table", 422, "Table cannot be graded"),
    KeyReusedError: Kind("idempotency-key-reused", 409, "Idempotency key used twice"),
    AnswerLostError: Kind("answer-lost", 409, "First answer lost"),
    ClaimLostError: Kind("claim-lost", 409, "Request overtaken"),
    StillRunningError: Kind("still-running", 409, "First request not done"),
    OperationalError: Kind("database-unavailable", 503, "Database not available"),
    GraderError: _INTERNAL,
    Exception: _INTERNAL,
}
_HTTP_KINDS: Mapping[int, Kind] = {
    404: Kind("route-not-found", 404, "No such address"),
    405: Kind("method-not-allowed", 405, "Method not allowed"),
}
_FAILED = "Something went wrong on the server. The request was not carried out."
_UNAVAILABLE = "The database cannot be reached just now. Nothing was stored; try again."
_HTTP_DETAILS: Mapping[int, str] = {
    404: "There is nothing at this address; the page /docs lists what there is.",
    405: "This address is not for that method; the header Allow names those that it is for.",
}


class ProblemResponse(Response):
    """A problem as a response."""

    media_type = PROBLEM_JSON

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        # Pure ASCII: a name that a client made up may hold what UTF-8 cannot carry, or what a terminal should not be sent.
        content = json.dumps(problem.model_dump(), separators=(",", ":"))
        super().__init__(content, problem.status, {**SECURITY_HEADERS, **(headers or {})})


def problem_of(error: Exception, where: Location = ("body",)) -> Problem:
    """Describe an error that a client may know about.

    Args:
        error: What was raised. Of an error that is not the client's, nothing is told.
        where: The place of the object that the error is about, such as `("body", "rows", 3)`.
    """
    kind = next(_KINDS[c] for c in type(error).__mro__ if c in _KINDS)
    if isinstance(error, OperationalError):
        return _problem(kind, _UNAVAILABLE)
    if kind is _INTERNAL:
        is_malformed = isinstance(error, HTTPException) and error.status_code == _MALFORMED.status
        return _problem(_MALFORMED, _why_unreadable(None)) if is_malformed else _problem(kind, _FAILED)
    return _problem(kind, error.detail if isinstance(error, HTTPException) else str(error), _fields_of(error, where))


def _fields_of(error: Exception, where: Location) -> list[FieldError]:
    """Return the fields that an error is about."""
    match error:
        case ItemNotFoundError():
            return [FieldError(loc=[*where, "item_id"], msg="No item with this id is in the bank", type="item_not_found")]
        case InvalidAnswerError():
            return [FieldError(loc=[*where, "candidate_answer"], msg=str(error), type="invalid_answer")]
        case UnknownCursorError():
            return [FieldError(loc=["query", "cursor"], msg="No result with this id is stored", type="unknown_cursor")]
        case InvalidItemsError():
            return [_of_file(problem) for problem in error.problems[:_MAX_FIELD_ERRORS]]
        case _:
            return []


def _of_file(problem: FileProblem) -> FieldError:
    field = problem.field[:_MAX_NAME_CHARS].split(".") if problem.field else []
    return FieldError(loc=["body", problem.file, *field], msg=problem.message, type="invalid_item")


def validation_problem(errors: Sequence[Any], where: Location = ()) -> Problem:  # Any: pydantic's error dictionaries
    """Describe what pydantic found, without the input that it found it in."""
    fields = [
        FieldError(loc=[_shortened(part) for part in (*where, *error["loc"])], msg=error["msg"], type=error["type"])
        for error in errors[:_MAX_FIELD_ERRORS]
    ]
    place = ".".join(str(part) for part in fields[0].loc)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return _problem(_INVALID, f"{place}: {fields[0].msg.rstrip('.')}{more}.", fields)


def responses(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return what OpenAPI says about a route that may answer with the problems of these errors."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        kind = _KINDS[error]
        media: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        entry = by_status.setdefault(
            kind.status, {"description": HTTPStatus(kind.status).phrase, "content": {PROBLEM_JSON: media}}
        )
        entry["content"][PROBLEM_JSON]["examples"][kind.slug] = {"summary": kind.title, "value": _sample(error).model_dump()}
    return by_status


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem.

    Handlers are coroutines, since plain functions would be given to threads, which a refusal must not wait for.
    """
    app.add_exception_handler(GraderError, _on_grader_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(ResponseValidationError, _on_invalid_response)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_gone_client)
    for unavailable in (OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(unavailable, _on_database_unavailable)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(Exception, _on_exception)


def _problem(kind: Kind, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    return Problem(type=f"/problems/{kind.slug}", title=kind.title, status=kind.status, detail=detail, errors=list(errors))


def _sample(error: type[Exception]) -> Problem:
    """Return a problem as an error of this class gives it, for OpenAPI."""
    if error is RequestValidationError:
        return validation_problem([{"loc": ("body", "candidate_answer"), "msg": "Field required", "type": "missing"}])
    if error is MalformedBodyError:
        return _problem(_MALFORMED, _why_unreadable(RecursionError()))
    raised: dict[type[Exception], Exception] = {
        ItemNotFoundError: ItemNotFoundError("no-such-item"),
        BodyTooLargeError: BodyTooLargeError(MAX_BODY_BYTES),
        UnsupportedMediaTypeError: UnsupportedMediaTypeError(),
        NotReadyError: NotReadyError(),
        BusyError: BusyError(16),
        RateLimitedError: RateLimitedError("6000 per 1 minute", 12),
        TooManyAttemptsError: TooManyAttemptsError(12),
        UnauthenticatedError: UnauthenticatedError(),
        ScopeMissingError: ScopeMissingError("manage"),
        TokenMismatchError: TokenMismatchError("item_id"),
        BodyTooSlowError: BodyTooSlowError(),
        ResultNotFoundError: ResultNotFoundError("0" * 32),
        BankNotFoundError: BankNotFoundError("physics"),
        BankExistsError: BankExistsError("physics"),
        BankReadOnlyError: BankReadOnlyError("shipped"),
        InvalidItemsError: InvalidItemsError([FileProblem(file="line 3", field="difficulty", message="Field required")]),
        InvalidReviewError: InvalidReviewError("pull"),
        TooFewReviewsError: TooFewReviewsError(3),
        CalibrationNotFoundError: CalibrationNotFoundError("dropout"),
        SubjectNotFoundError: SubjectNotFoundError(),
        WebhookNotFoundError: WebhookNotFoundError("0" * 32),
        TooManyWebhooksError: TooManyWebhooksError(20),
        DeliveryNotFoundError: DeliveryNotFoundError("0" * 32),
        JobNotFoundError: JobNotFoundError("0" * 32),
        JobStateError: JobStateError("be paused", "finished"),
        InvalidTableError: InvalidTableError("The table lacks the column 'item_id'; its columns are 'id', 'answer'."),
        KeyReusedError: KeyReusedError(),
        StillRunningError: StillRunningError(),
        AnswerLostError: AnswerLostError(),
        ClaimLostError: ClaimLostError(),
        OperationalError: OperationalError(None, None, Exception()),
    }
    return problem_of(raised.get(error, Exception()))


def _shortened(part: str | int) -> str | int:
    return part[:_MAX_NAME_CHARS] if isinstance(part, str) else part


async def _on_grader_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error, ("path",) if "item_id" in request.path_params else ("body",))
    if problem.status == _INTERNAL.status:
        logger.error("A request failed.", exc_info=error)
    return ProblemResponse(problem)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 the type it is registered for
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        return ProblemResponse(_problem(_MALFORMED, f"The body is not JSON from character {found[0]['loc'][-1]} on."))
    return ProblemResponse(validation_problem(found))


async def _on_invalid_response(_: Request, error: Exception) -> Response:
    # The message of this error holds what was to be sent, so it is not logged.
    logger.error("A response does not match its schema: %s", type(error).__name__)
    return ProblemResponse(problem_of(error))


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 the type it is registered for
    if type(error) in _KINDS:
        return ProblemResponse(problem_of(error), error.headers)
    if error.status_code == _MALFORMED.status:
        return ProblemResponse(_problem(_MALFORMED, _why_unreadable(error.__cause__)))
    kind = _HTTP_KINDS.get(error.status_code, Kind("http-error", error.status_code, HTTPStatus(error.status_code).phrase))
    return ProblemResponse(_problem(kind, _HTTP_DETAILS.get(error.status_code, kind.title)), error.headers)


async def _on_gone_client(_: Request, __: Exception) -> Response:
    # Nobody reads this any more, but it stands in the log and is counted: no fault of the server.
    return ProblemResponse(_problem(_MALFORMED, "The request broke off."))


def _why_unreadable(cause: BaseException | None) -> str:
    """Say what reading a body as JSON failed of."""
    match cause:
        case UnicodeDecodeError():
            return f"The body is not UTF-8 (byte {cause.start})."
        case RecursionError():
            return "The body is nested too deeply."
        case ValueError():
            return "The body holds a number that is too long."
        case _:
            return "The body cannot be read."


async def _on_database_unavailable(_: Request, error: Exception) -> Response:
    # Of the driver's message only the class is logged: PostgreSQL repeats rows in it.
    logger.error("The database is not available: %s", type(error).__name__)
    return ProblemResponse(_problem(_KINDS[OperationalError], _UNAVAILABLE), {"Retry-After": "2"})


async def _on_database_error(_: Request, error: Exception) -> Response:
    logger.error("The database refused a statement: %s", type(getattr(error, "orig", error)).__name__)
    return ProblemResponse(problem_of(Exception()))


async def _on_exception(_: Request, error: Exception) -> Response:
    # Starlette raises the error again once this is sent, so the server logs the traceback.
    return ProblemResponse(problem_of(error))
