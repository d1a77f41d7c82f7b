"""What the service raises on purpose, beside the library's own errors; `api/problems.py` says what each looks like over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException

from grader import FileProblem, GraderError


class MalformedBodyError(HTTPException):
    """The body is not JSON text in UTF-8, or is nested too deeply to be read."""


class UnsupportedMediaTypeError(HTTPException):
    """The body is not declared to be of a type that is read here."""

    def __init__(self, *accepted: str) -> None:
        named = " or ".join(accepted or ("application/json",))
        super().__init__(415, f"The body must be sent with the header Content-Type: {named}.")


class NotReadyError(HTTPException):
    """The grader is still being loaded, or could not be."""

    def __init__(self, *, failed: bool = False) -> None:
        detail = "The grader could not be loaded; the server's log says why." if failed else "The grader is being loaded."
        super().__init__(503, detail, {"Retry-After": "2"})


class BusyError(HTTPException):
    """As many requests are being graded as the service takes at a time."""

    def __init__(self, limit: int) -> None:
        super().__init__(429, f"{limit} such requests are in progress, which is the limit. Try again.", {"Retry-After": "1"})


class RateLimitedError(HTTPException):
    """The key has sent more than its limit allows."""

    def __init__(self, limit: str, retry_after_s: int) -> None:
        detail = f"More was sent than the limit of {limit} (units of 1,000 bytes). Try again in {retry_after_s} s."
        super().__init__(429, detail, {"Retry-After": str(retry_after_s)})


class TooManyAttemptsError(HTTPException):
    """Too many keys that are not valid came from one address."""

    def __init__(self, retry_after_s: int) -> None:
        detail = f"Too many keys that are not valid came from this address. Try again in {retry_after_s} s."
        super().__init__(429, detail, {"Retry-After": str(retry_after_s)})


class UnauthenticatedError(HTTPException):
    """The request carries no key that is valid, and needs one."""

    def __init__(self, detail: str = "Send a key with the header Authorization: Bearer KEY.") -> None:
        super().__init__(401, detail, {"WWW-Authenticate": "Bearer"})


class SignInNeededError(UnauthenticatedError):
    """Nobody has signed in, and a page is for those who have."""


class ForeignFormError(HTTPException):
    """A form was sent by a page of another site."""

    def __init__(self) -> None:
        super().__init__(403, "This form was sent by a page of another site, so nothing was done.")


class ScopeMissingError(HTTPException):
    """The key is valid and not for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(403, f"The key lacks the scope {scope!r}.")


class TokenMismatchError(HTTPException):
    """The token is valid, and not for what is asked."""

    def __init__(self, what: str) -> None:
        super().__init__(403, f"The token is not for this {what}.")


class BodyTooLargeError(HTTPException):
    """The body has more bytes than are accepted."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes. Send it in several requests.")


class BodyTooSlowError(HTTPException):
    """The body did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(408, "The body did not arrive in time. Send it in one go.")


class ResultNotFoundError(GraderError):
    """The tenant has no stored result with this id."""

    def __init__(self, result_id: str) -> None:
        super().__init__(f"No result {result_id!r} is stored.")


class BankNotFoundError(GraderError):
    """The tenant has no bank of this id."""

    def __init__(self, bank_id: str) -> None:
        super().__init__(f"There is no bank {bank_id!r}.")


class BankExistsError(GraderError):
    """The tenant has a bank of this id already."""

    def __init__(self, bank_id: str) -> None:
        super().__init__(f"There is a bank {bank_id!r} already.")


class BankReadOnlyError(GraderError):
    """The bank ships with the program, or is archived: it stays as it is."""

    def __init__(self, bank_id: str) -> None:
        super().__init__(f"The bank {bank_id!r} ships with the service or is archived, and cannot be changed.")


class DraftChangedError(GraderError):
    """Somebody has saved the item, or a draft of the bank, since it was shown."""

    def __init__(self) -> None:
        super().__init__("Somebody has saved this meanwhile. Nothing was changed; look at it again.")


class InvalidItemsError(GraderError):
    """A text to import holds mistakes; every one of them is listed, and nothing was saved."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        super().__init__(f"The import has {len(problems)} problem(s), the first: {problems[0]}. Nothing was saved.")
        self.problems = tuple(problems)


class InvalidReviewError(GraderError):
    """A review speaks of a key point that the result does not have."""

    def __init__(self, key_point_id: str) -> None:
        super().__init__(f"The result has no key point {key_point_id!r}.")


class UnknownCursorError(GraderError):
    """A queue is to go on after a result that is not there: it was deleted, or never was."""

    def __init__(self) -> None:
        super().__init__("The cursor is the id of no stored result. Begin again without one.")


class TooFewReviewsError(GraderError):
    """There is not enough to learn from."""

    def __init__(self, needed: int) -> None:
        super().__init__(
            f"Fewer than {needed} answers to this version of the item were reviewed; that is too little to learn from."
        )


class CalibrationNotFoundError(GraderError):
    """Nothing was learnt about the item, by the tenant that asks."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Nothing was learnt from reviews of the item {item_id!r}.")


class ReviewedMeanwhileError(GraderError):
    """Somebody else has decided about a result since the reviewer was shown it."""

    def __init__(self) -> None:
        super().__init__("Somebody has decided about this meanwhile. Nothing was changed; look at it again.")


class SubjectNotFoundError(GraderError):
    """Nothing is stored about this person, by the tenant that asks."""

    def __init__(self) -> None:
        super().__init__("Nothing is stored about this subject.")


class JobNotFoundError(GraderError):
    """The tenant has no job of this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}.")


class JobStateError(GraderError):
    """What was asked of a job cannot be done in the state that it is in."""

    def __init__(self, wish: str, state: str) -> None:
        super().__init__(f"A job that is {state} cannot {wish}.")


class WebhookNotFoundError(GraderError):
    """The tenant has no webhook of this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook {webhook_id!r}.")


class TooManyWebhooksError(GraderError):
    """The tenant has as many webhooks as there may be: each of them makes a message of every event."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"There are {limit} webhooks, which is the limit. Delete one that is no longer needed.")


class DeliveryNotFoundError(GraderError):
    """The tenant has no message to a webhook of this id."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"There is no delivery {delivery_id!r}.")


class InvalidTableError(GraderError):
    """A table of answers cannot be read, or not be graded."""


class KeyReusedError(GraderError):
    """An idempotency key came with another request than the first time."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request. Use a new key for a new request.")


class StillRunningError(HTTPException):
    """The request that first came with this idempotency key is not done yet."""

    def __init__(self) -> None:
        super().__init__(409, "The first request with this Idempotency-Key is not done yet. Try again.", {"Retry-After": "1"})


class AnswerLostError(GraderError):
    """The request that came with an idempotency key was carried out, and its answer was lost when the server stopped."""

    def __init__(self) -> None:
        super().__init__(
            "The first request with this Idempotency-Key was carried out, but the server stopped before its answer was kept. "
            "It is not carried out again; read what it made, such as its results by attempt_id."
        )


class ClaimLostError(GraderError):
    """A request took so long that another one with its idempotency key was let in; nothing of it was kept."""

    def __init__(self) -> None:
        super().__init__("The request took too long, and another one with its Idempotency-Key was let in. Nothing was stored.")
