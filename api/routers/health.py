"""Whether the service is up, and what it runs."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy.exc import OperationalError

from api.access import REFUSALS, get_access, limit_rate, requires
from api.dependencies import BankDep, DatabaseDep, GraderDep, MetricsDep, SettingsDep, check_alive, state_of
from api.errors import NotReadyError, RateLimitedError, TokenMismatchError, TooManyAttemptsError, UnauthenticatedError
from api.jobs.book import rows_waiting
from api.jobs.intake import MAX_ROWS
from api.keys import Scope
from api.middleware import MAX_BODY_BYTES
from api.problems import responses
from api.schemas import MAX_BATCH_ROWS, MAX_PAGE_ITEMS, BankInfo, Info, Limits, Status
from api.webhooks.book import messages_waiting
from grader import MAX_ANSWER_CHARS

router = APIRouter(tags=["service"], responses=responses(NotReadyError, Exception))


@router.get("/livez", dependencies=[Depends(check_alive)])
async def read_liveness() -> Status:
    """Tell that the server runs; 503 where only a restart can help."""
    return Status(status="ok")


@router.get("/readyz")
async def read_readiness(_: GraderDep) -> Status:
    """Tell that the server can grade; 503 until the grader is loaded and warmed up."""
    return Status(status="ok")


@router.get(
    "/v1/info",
    dependencies=[Depends(get_access), Depends(limit_rate)],
    responses=responses(
        UnauthenticatedError, TokenMismatchError, TooManyAttemptsError, RateLimitedError, NotReadyError, OperationalError
    ),
)
def read_info(settings: SettingsDep, bank: BankDep, grader: GraderDep) -> Info:
    """Tell what is running."""
    return Info(
        version=version("answer-grader"),
        signature=grader.signature,
        encoder=grader.encoder.signature,
        bank=BankInfo(version=bank.version, items=len(bank)),
        limits=Limits(
            max_answer_chars=MAX_ANSWER_CHARS,
            max_batch_rows=MAX_BATCH_ROWS,
            max_body_bytes=MAX_BODY_BYTES,
            max_upload_bytes=settings.max_upload_bytes,
            max_job_rows=MAX_ROWS,
            max_page_items=MAX_PAGE_ITEMS,
            max_in_flight=settings.places(),
        ),
    )


@router.get(
    "/metrics",
    dependencies=[Depends(requires(Scope.ADMIN)), Depends(limit_rate)],
    response_class=PlainTextResponse,
    responses=responses(*REFUSALS, OperationalError, NotReadyError, Exception),
)
def read_metrics(request: Request, metrics: MetricsDep, database: DatabaseDep) -> Response:
    """Tell Prometheus how much is asked, how long it takes, how much of it is for review, and how much waits."""
    with database.system(read_only=True) as session:
        metrics.rows_waiting.set(rows_waiting(session))
        metrics.messages_waiting.set(messages_waiting(session))
    metrics.waiting.set(state_of(request)["slots"].waiting)
    return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
