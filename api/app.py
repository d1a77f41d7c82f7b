"""The service put together. Run it with `uvicorn --factory api.app:create_app`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from api import logs, problems, tracing
from api.answers import RepeatedAnswers
from api.attempts import Attempts
from api.calibrated import LearntGraders
from api.dependencies import State
from api.expiry import expiring
from api.jobs.work import Work
from api.keys import KEYLESS, ensure_tenant, has_keys
from api.metrics import Metrics
from api.middleware import MAX_BODY_BYTES, BodyLimit, SecurityHeaders, TokenCors
from api.pages import rendering
from api.rates import Rates
from api.routers import (
    bank_pages,
    banks,
    batch_pages,
    grades,
    health,
    items,
    jobs,
    pages,
    results,
    review_pages,
    reviews,
    sign_in,
    tokens,
    usage,
    webhooks,
)
from api.settings import Settings, TraceSettings
from api.slots import Slots
from api.storage import migrations
from api.storage.database import Database, parse_url
from api.usage import UsageLedger
from api.webhooks.sending import Sender
from grader import Grader, ItemBank, open_bank
from grader.cores import keep_products_on_one_core

if TYPE_CHECKING:
    from api.jobs.engine import Engine

logger = logging.getLogger(__name__)

# Each may take a gigabyte of disk and half an hour.
_MAX_UPLOADS = 4
_MAX_STREAMS = 100
# Some four windows of the encoder.
_LONG_CHARS = 5_000
# Each thread that wants to run holds up the one that answers health checks. Those that ask SQLite always want to; those that ask
# PostgreSQL mostly wait for it, some seconds where it is away.
_SQLITE_LOOK_UPS, _POSTGRESQL_LOOK_UPS = 3, 10
_ROUTES = (
    *(grades, tokens, jobs, items, banks, results, reviews, webhooks, usage, health),
    *(pages, batch_pages, review_pages, bank_pages, sign_in),
)
_METHODS = ["GET", "POST", "PUT", "DELETE"]
_DESCRIPTION = """
Grades free-text answers by meaning and by keyword coverage, with evidence for every mark.

Every error is a problem after [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) with a `type` that stays the same.
A blank or off-topic answer is no error but a result with a low mark.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service; without settings they are read from the environment."""
    settings = settings or Settings()
    logs.configure(settings.log_level)
    tracing.configure(TraceSettings())
    metrics = Metrics()
    # FastAPI's own page of docs loads its scripts from a CDN and stays blank without a network.
    app = FastAPIOffline(
        redoc_url=None,
        title="Answer grader",
        version=version("answer-grader"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        telemetry=tracing.SILENT,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    # Set by whoever runs the server, before it waits for what is in progress.
    app.state.stopping = Event()
    # Called when all is loaded that stays: whoever owns the process may put its memory in order then.
    app.state.at_rest = _leave_as_it_is
    problems.install(app)
    rendering.install(app)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, max_upload_bytes=settings.max_upload_bytes)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=["*"],
        expose_headers=["Retry-After", "X-Request-ID", "Idempotent-Replayed"],
    )
    app.add_middleware(TokenCors)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(logs.RequestLog, metrics=metrics)
    for module in _ROUTES:
        app.include_router(module.router)
    app.mount("/static", rendering.STATIC, name="static")
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Open the bank, which takes a third of a second and stops the server if it fails; load the grader in the background."""
    settings: Settings = app.state.settings
    bank = open_bank(settings.bank_dir, home=settings.home)
    database = open_database(settings)
    rates = Rates(settings.rate_limit_storage.get_secret_value())
    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="loading") as executor,
        TemporaryDirectory(prefix="grader-uploads-") as uploads,
        UsageLedger(database).kept() as ledger,
        expiring(database),
    ):
        loading = executor.submit(_load_grader, settings, bank, app.state.metrics)
        worker = executor.submit(_start_worker, settings, loading, database, bank, app.state.metrics)
        executor.submit(_tell_at_rest, loading, app.state.at_rest)
        yield State(
            settings=settings,
            bank=bank,
            grader=loading,
            slots=Slots(settings.places(), room=settings.max_waiting),
            metrics=app.state.metrics,
            answers=RepeatedAnswers(looked_up=app.state.metrics.looked_up_answer),
            database=database,
            rates=rates,
            attempts=Attempts(rates),
            uploads=Path(uploads),
            upload_slots=Slots(_MAX_UPLOADS),
            stream_slots=Slots(_MAX_STREAMS),
            stopping=app.state.stopping,
            learnt=LearntGraders(),
            ledger=ledger,
            look_ups=CapacityLimiter(_SQLITE_LOOK_UPS if database.is_sqlite else _POSTGRESQL_LOOK_UPS),
        )
    if worker.exception() is None and (engine := worker.result()) is not None:
        engine.stop()
    database.close()
    if loading.exception() is None:
        loading.result().close()


def _tell_at_rest(loading: Future[Grader], at_rest: Callable[[], None]) -> None:
    if loading.exception() is None:
        at_rest()


def _leave_as_it_is() -> None:
    """Do nothing: a process that runs more than the service decides about its memory itself."""


def open_database(settings: Settings) -> Database:
    """Open the database, with its tables as this program needs them.

    Raises:
        StorageError: If the address is wrong, or the tables of PostgreSQL are of another version; SQLite's are brought up to it.
    """
    database = Database(parse_url(settings.database_address()))
    try:
        migrations.make_ready(database)
        ensure_tenant(database, KEYLESS.tenant_id)
        is_keyless = not has_keys(database)
    except BaseException:
        database.close()
        raise
    if is_keyless:
        logger.warning("There are no keys yet: whoever is on this machine may use the service. `grader keys create` ends that.")
    return database


def _load_grader(settings: Settings, bank: ItemBank, metrics: Metrics) -> Grader:
    """Return a grader that has embedded the bank and graded once."""
    began = time.monotonic()
    keep_products_on_one_core()
    try:
        grader = Grader.from_directory(settings.home, threads=settings.threads, precision=settings.precision, observer=metrics)
        made = grader.embed(bank)
        grader.grade(bank.items[0], _long_answer(bank))
    except Exception:
        logger.exception("The grader could not be loaded.")
        raise
    logger.info("Ready after %.1f s: bank %s, %d texts newly embedded.", time.monotonic() - began, bank.version, made)
    return grader


def _long_answer(bank: ItemBank) -> str:
    """Return a text of several windows, so that what the longest one needs is loaded and has its memory."""
    text = ""
    for item in bank:
        text += "".join(f"{reference.text} " for reference in item.reference_answers)
        if len(text) >= _LONG_CHARS:
            break
    return text[:_LONG_CHARS]


def _start_worker(
    settings: Settings, loading: Future[Grader], database: Database, bank: ItemBank, metrics: Metrics
) -> Engine | None:
    """Return the engine that grades the rows of jobs in this process, at work; None where that is left to others."""
    if not settings.work_on_jobs or loading.exception() is not None:
        return None
    # What carries out jobs takes half a second to import, which would delay the first grade.
    from api.jobs.engine import Engine  # noqa: PLC0415
    from api.jobs.second_process import second_process  # noqa: PLC0415

    try:
        second = second_process(settings, settings.home, bank)
        engine = Engine(
            Work(database=database, bank=bank, grader=loading.result(), metrics=metrics, second=second),
            Sender(database=database, private_targets=settings.webhook_private_targets),
        )
        engine.start()
    except Exception:
        logger.exception("Jobs are not worked on in this process.")
        raise
    return engine
