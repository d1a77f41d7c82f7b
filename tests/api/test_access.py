"""Without keys the service answers its own machine; with keys, whoever has one, as far as its scopes and its rate go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.access import is_loopback
from api.app import open_database
from api.keys import Scope, create_key, revoke_key
from api.settings import Settings
from api.storage.database import Database

AssertProblem = Callable[..., dict[str, Any]]
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}
LOOPBACK = "http://127.0.0.1:8000"


def key_of(database: Database, *scopes: Scope, **options: Any) -> dict[str, str]:
    shown, _ = create_key(database, tenant_id="north", name="quiz", scopes=scopes, **options)
    return {"authorization": f"Bearer {shown}"}


def test_first_run_needs_no_key_on_loopback(service: TestClient) -> None:
    assert service.post("/v1/grades", json=ROW).status_code == 200
    assert service.get("/v1/items").status_code == 200


def test_first_run_says_that_there_are_no_keys(settings: Settings, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    own = settings.model_copy(update={"database_url": SecretStr(database.url.render_as_string(hide_password=False))})
    open_database(own).close()
    assert "There are no keys yet" in caplog.text
    caplog.clear()
    key_of(database, Scope.GRADE)
    open_database(own).close()
    assert "There are no keys yet" not in caplog.text


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("http://192.0.2.7:8000", {}),
        (LOOPBACK, {"host": "rebound.example"}),
        (LOOPBACK, {"host": "127.0.0.1.example:8000"}),
        (LOOPBACK, {"host": ""}),
        (LOOPBACK, {"host": "[::1"}),
        (LOOPBACK, {"x-forwarded-for": "192.0.2.7"}),
        (LOOPBACK, {"forwarded": "for=192.0.2.7"}),
        (LOOPBACK, {"x-real-ip": "192.0.2.7"}),
        (LOOPBACK, {"via": "1.1 proxy"}),
        (LOOPBACK, {"origin": "https://other.example"}),
        (LOOPBACK, {"origin": "null"}),
    ],
    ids=[
        "other-address",
        "rebound",
        "lookalike",
        "no-name",
        "broken-name",
        "proxied",
        "forwarded",
        "real-ip",
        "via",
        "other-site",
        "no-site",
    ],
)
def test_without_keys_nobody_else_is_answered(
    service: TestClient, assert_problem: AssertProblem, base: str, headers: dict[str, str]
) -> None:
    problem = assert_problem(service.post(f"{base}/v1/grades", json=ROW, headers=headers), 401, "unauthenticated")
    assert "grader keys create" in problem["detail"]
    assert service.get(f"{base}/livez", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "https://quiz.example"])
def test_without_keys_welcome_pages_are_answered(service: TestClient, origin: str) -> None:
    assert service.post("/v1/grades", json=ROW, headers={"origin": origin}).status_code == 200


def test_from_the_first_key_on_nothing_works_without_one(
    service: TestClient, database: Database, assert_problem: AssertProblem
) -> None:
    headers = key_of(database, Scope.GRADE)
    response = service.post("/v1/grades", json=ROW)
    assert_problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"
    assert service.post("/v1/grades", json=ROW, headers=headers).status_code == 200
    assert service.post("http://192.0.2.7:8000/v1/grades", json=ROW, headers=headers).status_code == 200
    revoke_key(database, headers["authorization"].split("_")[1])
    assert_problem(service.post("/v1/grades", json=ROW, headers=headers), 401, "unauthenticated")
    assert_problem(service.post("/v1/grades", json=ROW), 401, "unauthenticated")


@pytest.mark.parametrize("sent", ["Bearer", "Bearer x", "Basic eDp5", "bearer gk_0", "Bearer gk_" + "\xe9" * 50])
def test_what_is_no_key_is_refused(service: TestClient, database: Database, assert_problem: AssertProblem, sent: str) -> None:
    key_of(database, Scope.GRADE)
    headers = [(b"authorization", sent.encode("latin-1"))]
    assert_problem(service.get("/v1/items", headers=headers), 401, "unauthenticated")


def test_wrong_key_is_refused_even_where_none_is_needed(service: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(service.get("/v1/items", headers={"authorization": "Bearer nonsense"}), 401, "unauthenticated")


def test_key_without_the_scope_is_told_which(service: TestClient, database: Database, assert_problem: AssertProblem) -> None:
    headers = key_of(database, Scope.REVIEW)
    problem = assert_problem(service.post("/v1/grades", json=ROW, headers=headers), 403, "scope-missing")
    assert problem["detail"] == "The key lacks the scope 'grade'."
    assert service.get("/v1/info", headers=headers).status_code == 200


def test_health_checks_need_no_key(service: TestClient, database: Database) -> None:
    key_of(database, Scope.GRADE)
    assert (service.get("/livez").status_code, service.get("/readyz").status_code) == (200, 200)


def test_key_that_sends_too_much_is_told_when_to_come_back(
    service: TestClient, database: Database, assert_problem: AssertProblem
) -> None:
    headers, other = key_of(database, Scope.GRADE, rate_limit="3/hour"), key_of(database, Scope.GRADE)
    # 2,500 characters and what is around them are three units.
    long = {**ROW, "candidate_answer": "x " * 1_250}
    assert service.post("/v1/grades", json=long, headers=headers).status_code == 200
    response = service.get("/v1/items", headers=headers)
    problem = assert_problem(response, 429, "rate-limited")
    assert problem["detail"].startswith("More was sent than the limit of 3 per 1 hour")
    assert 0 < int(response.headers["retry-after"]) <= 3_600
    assert service.get("/v1/items", headers=other).status_code == 200


def test_body_larger_than_the_whole_limit_passes_once(service: TestClient, database: Database) -> None:
    headers = key_of(database, Scope.GRADE, rate_limit="2/hour")
    long = {**ROW, "candidate_answer": "x " * 5_000}
    assert [service.post("/v1/grades", json=long, headers=headers).status_code for _ in range(2)] == [200, 429]


def test_keys_are_not_logged(service: TestClient, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    headers = key_of(database, Scope.GRADE)
    service.post("/v1/grades", json=ROW, headers=headers)
    service.get("/v1/items", headers={"authorization": headers["authorization"] + "x"})
    assert headers["authorization"].split("_", 2)[2] not in caplog.text


def test_database_that_goes_away_is_a_problem_that_passes(
    service: TestClient, database: Database, assert_problem: AssertProblem
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE api_keys RENAME TO gone")
    response = service.get("/v1/items")
    if database.is_sqlite:
        assert_problem(response, 503, "database-unavailable")
        assert response.headers["retry-after"] == "2"
    else:
        # A table that is missing is a mistake of ours to PostgreSQL, and no outage.
        assert_problem(response, 500, "internal-error")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO api_keys")
    assert service.get("/v1/items").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "", "localhost.example", "127.0.0.1.example", "2130706433"])
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
