"""What handlers ask for: the only reader of the state that the app's lifespan makes.

What is only looked up is a coroutine: a plain function would be given to a thread, of which there are forty, and health checks
would have to wait for one while they are all taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Annotated, TypedDict, cast

from anyio import CapacityLimiter
from fastapi import Depends, Request
from fastapi.routing import APIRoute

from api.answers import RepeatedAnswers
from api.attempts import Attempts
from api.calibrated import LearntGraders
from api.errors import NotReadyError, UnsupportedMediaTypeError
from api.metrics import Metrics
from api.rates import Rates
from api.settings import Settings
from api.slots import Slots
from api.storage.database import Database
from api.usage import UsageLedger
from grader import Grader, ImportFormat, ItemBank

IMPORT_TYPES: Mapping[str, ImportFormat] = {
    "application/yaml": ImportFormat.YAML,
    "text/csv": ImportFormat.CSV,
    "application/jsonl": ImportFormat.JSONL,
}


class State(TypedDict):
    """What the lifespan makes once for all requests; `grader` is done when it has been loaded and warmed up."""

    settings: Settings
    bank: ItemBank
    grader: Future[Grader]
    slots: Slots
    metrics: Metrics
    answers: RepeatedAnswers
    database: Database
    rates: Rates
    attempts: Attempts
    uploads: Path
    upload_slots: Slots
    stream_slots: Slots
    stopping: Event
    look_ups: CapacityLimiter
    learnt: LearntGraders
    ledger: UsageLedger


def state_of(request: Request) -> State:
    """Return what the lifespan made."""
    return cast("State", request.state)


async def get_settings(request: Request) -> Settings:
    """Return the settings of this server."""
    return state_of(request)["settings"]


async def get_bank(request: Request) -> ItemBank:
    """Return the bank."""
    return state_of(request)["bank"]


async def get_grader(request: Request) -> Grader:
    """Return the grader.

    Raises:
        NotReadyError: While it is being loaded, and for good if that failed.
    """
    loading = state_of(request)["grader"]
    if not loading.done() or loading.exception() is not None:
        raise NotReadyError(failed=loading.done())
    return loading.result()


async def check_alive(request: Request) -> None:
    """Refuse only where a restart would help.

    Raises:
        NotReadyError: If the grader could not be loaded.
    """
    loading = state_of(request)["grader"]
    if loading.done() and loading.exception() is not None:
        raise NotReadyError(failed=True)


async def require_json(request: Request) -> None:
    """Refuse a body that is not declared as JSON.

    Raises:
        UnsupportedMediaTypeError: If the header is missing or names another type.
    """
    if media_type(request) != "application/json":
        raise UnsupportedMediaTypeError


async def import_format(request: Request) -> ImportFormat:
    """Return what kind of text a body is declared to be.

    Raises:
        UnsupportedMediaTypeError: If the header is missing or names another type.
    """
    kind = IMPORT_TYPES.get(media_type(request))
    if kind is None:
        raise UnsupportedMediaTypeError(*IMPORT_TYPES)
    return kind


def media_type(request: Request) -> str:
    """Return the kind of body that a request declares, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def take_slot(request: Request) -> AsyncIterator[None]:
    """Hold one of the places for grading requests; a coroutine, because neither waiting nor saying no may hold a thread.

    Raises:
        BusyError: If all of them are taken and the queue is full.
    """
    slots = state_of(request)["slots"]
    await slots.take(request.is_disconnected)
    try:
        with state_of(request)["metrics"].in_flight.track_inprogress():
            yield
    finally:
        slots.give_back()


def needs_slot(route: APIRoute) -> bool:
    """Tell whether a route's requests hold a place while they are answered."""
    return any(each.dependency is take_slot for each in route.dependencies)


async def take_upload_slot(request: Request) -> AsyncIterator[None]:
    """Hold one of the places for uploads, which may take long: they must not take the places of requests that do not.

    Raises:
        BusyError: If all of them are taken.
    """
    slots = state_of(request)["upload_slots"]
    await slots.take(request.is_disconnected)
    try:
        yield
    finally:
        slots.give_back()


async def take_stream_slot(request: Request) -> AsyncIterator[None]:
    """Hold one of the places for streams of events, each of which looks at the database once a second.

    Raises:
        BusyError: If all of them are taken.
    """
    slots = state_of(request)["stream_slots"]
    await slots.take(request.is_disconnected)
    try:
        yield
    finally:
        slots.give_back()


async def get_stopping(request: Request) -> Event:
    """Return what is set once the server has been told to stop."""
    return state_of(request)["stopping"]


async def get_metrics(request: Request) -> Metrics:
    """Return the measures of this server."""
    return state_of(request)["metrics"]


async def get_answers(request: Request) -> RepeatedAnswers:
    """Return what remembers the last answers."""
    return state_of(request)["answers"]


async def get_uploads(request: Request) -> Path:
    """Return the folder for tables that were sent to the pages and are not taken in yet; it goes with the server."""
    return state_of(request)["uploads"]


async def get_database(request: Request) -> Database:
    """Return the database, for what is about all tenants; routes about one get at it through a store."""
    return state_of(request)["database"]


DatabaseDep = Annotated[Database, Depends(get_database)]
UploadsDep = Annotated[Path, Depends(get_uploads)]
AnswersDep = Annotated[RepeatedAnswers, Depends(get_answers)]


async def get_learnt(request: Request) -> LearntGraders:
    """Return the graders that have learnt from reviews."""
    return state_of(request)["learnt"]


async def get_ledger(request: Request) -> UsageLedger:
    """Return what counts the requests that store nothing."""
    return state_of(request)["ledger"]


LearntDep = Annotated[LearntGraders, Depends(get_learnt)]
LedgerDep = Annotated[UsageLedger, Depends(get_ledger)]
StoppingDep = Annotated[Event, Depends(get_stopping)]
MetricsDep = Annotated[Metrics, Depends(get_metrics)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
BankDep = Annotated[ItemBank, Depends(get_bank)]
GraderDep = Annotated[Grader, Depends(get_grader)]
