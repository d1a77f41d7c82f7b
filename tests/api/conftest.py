"""The real service on the real encoder and the shipped bank, and the one way to look at a problem."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.types import ASGIApp

from api.app import create_app
from api.keys import Scope, create_key
from api.metrics import Metrics
from api.settings import Settings
from api.storage.database import Database
from grader import EmbeddingStore, Grader, ItemBank
from tests.api.databases import KINDS, migrated_database, new_database, own_name_for_schema

# Without keys the service answers on loopback only.
LOOPBACK = "http://127.0.0.1:8000"
MakeKey = Callable[..., dict[str, str]]
AssertProblem = Callable[..., dict[str, Any]]


@pytest.fixture(params=KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a database of the test's own without any table, on every kind there is to test."""
    with new_database(request.param, tmp_path) as url:
        database = Database(url)
        yield database
        database.close()


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a database of the test's own with all tables, on every kind there is to test."""
    with migrated_database(request.param, tmp_path) as database:
        yield database


@pytest.fixture(scope="session", autouse=True)
def own_engine_tables() -> Iterator[None]:
    """Keep the engines of this process from the work of others that test on the same PostgreSQL database."""
    with own_name_for_schema() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.jobs.engine.SYSTEM_SCHEMA", name)
        yield


@pytest.fixture(scope="session")
def shared_app(settings: Settings) -> FastAPI:
    """Return an app whose routes are put together once; what a server is made of is made anew whenever it starts."""
    return create_app(settings)


@pytest.fixture
def service(
    settings: Settings,
    shared_app: FastAPI,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    *,
    real_grader: Grader,
    shipped_bank: ItemBank,
) -> Iterator[TestClient]:
    """Return a client of a service with a database of its own; bank and encoder are loaded once for all of them."""

    def load(_: Settings, __: ItemBank, metrics: Metrics) -> Grader:
        store = EmbeddingStore(
            next(settings.home.glob("embeddings-*.sqlite")),
            signature=real_grader.encoder.signature,
            dimension=real_grader.encoder.dimension,
        )
        return Grader(real_grader.encoder, verifier=real_grader.verifier, store=store, observer=metrics)

    monkeypatch.setattr("api.app._load_grader", load)
    monkeypatch.setattr("api.app.open_bank", lambda *_, **__: shipped_bank)
    address = SecretStr(database.url.render_as_string(hide_password=False))
    shared_app.state.settings = settings.model_copy(update={"database_url": address})
    with TestClient(shared_app, LOOPBACK, raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield client
    shared_app.dependency_overrides.clear()


@pytest.fixture
def make_key(database: Database) -> MakeKey:
    """Return what makes a key and gives the header that carries it."""

    def make(*scopes: Scope, tenant: str = "north", **options: Any) -> dict[str, str]:
        shown, _ = create_key(database, tenant_id=tenant, name=options.pop("name", "quiz"), scopes=scopes, **options)
        return {"authorization": f"Bearer {shown}"}

    return make


@pytest.fixture(scope="session")
def settings(grader_home: Path, real_grader: Grader, shipped_bank: ItemBank) -> Settings:
    # Made once here, so that no server has to.
    real_grader.embed(shipped_bank)
    return Settings(home=grader_home, cors_origins=("https://quiz.example",), work_on_jobs=False)


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), LOOPBACK, raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="session")
def open_client() -> Callable[[ASGIApp], TestClient]:
    """Return a client for another app; entered with `with`."""
    return lambda app: TestClient(app, LOOPBACK, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def until_ready() -> Callable[[TestClient], None]:
    return wait_until_ready


@pytest.fixture(scope="session")
def assert_problem() -> AssertProblem:
    return check_problem


def wait_until_ready(client: TestClient) -> None:
    deadline = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, "the server did not become ready"
        time.sleep(0.02)


def check_problem(response: Any, status: int, slug: str, loc: list[str | int] | None = None) -> dict[str, Any]:
    """Check that a response is this problem, about this field if one is given, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "errors"]
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert not problem["detail"].endswith("..")
    if loc is not None:
        assert loc in [error["loc"] for error in problem["errors"]]
    return problem
