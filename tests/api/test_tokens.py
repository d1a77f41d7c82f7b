"""A token grades answers to its own items from its own site for a while, and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from api.examples import NEW_ITEMS
from api.keys import Scope, revoke_key
from api.middleware import TOKEN_ROUTES
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import Pass

MakeKey = Callable[..., dict[str, str]]
AssertProblem = Callable[..., dict[str, Any]]
# Whoever comes may have these, with or without anything in hand.
# The page to sign in at is for people who have nothing yet.
OPEN = {"/livez", "/readyz", "/widget.js", "/docs", "/docs/oauth2-redirect", "/openapi.json", "/sign-in"}
QUIZ = "http://quiz.example:9000"
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}


@pytest.fixture
def key(make_key: MakeKey) -> dict[str, str]:
    return make_key(Scope.GRADE)


def made(service: TestClient, key: dict[str, str], **wanted: Any) -> dict[str, str]:
    """Make a token, and return the header that carries it."""
    response = service.post("/v1/tokens", json={"item_ids": ["dropout"], **wanted}, headers=key)
    assert response.status_code == 200, response.text
    return {"authorization": f"Bearer {response.json()['token']}"}


def test_token_grades_its_items_as_its_key_would(service: TestClient, key: dict[str, str]) -> None:
    token = made(service, key, item_ids=["dropout", "optimiser", "dropout"])
    assert service.post("/v1/grades", json=ROW, headers=token).json() == service.post("/v1/grades", json=ROW, headers=key).json()
    assert service.get("/v1/items/optimiser", headers=token).json()["id"] == "optimiser"
    assert service.get("/v1/usage", headers=key).json()["days"][0]["requests"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {**ROW, "item_id": "optimiser"},
        {**ROW, "item_id": "no-such-item"},
        {**ROW, "bank_id": "physics"},
        {"item": {"reference_answers": [{"text": "Neurons are switched off."}]}, "candidate_answer": "x"},
        {**ROW, "subject_id": "somebody-else"},
        {**ROW, "attempt_id": "another"},
        {**ROW, "store": False},
    ],
    ids=["item", "unknown-item", "bank", "own-item", "subject", "attempt", "store"],
)
def test_token_is_for_nothing_else(
    service: TestClient, key: dict[str, str], assert_problem: AssertProblem, body: dict[str, Any]
) -> None:
    token = made(service, key, subject_id="s5", attempt_id="17", store=True)
    assert_problem(service.post("/v1/grades", json=body, headers=token), 403, "token-mismatch")
    assert service.get("/v1/results", headers=key).status_code == 403


def test_token_says_itself_whose_attempt_it_is(service: TestClient, make_key: MakeKey) -> None:
    key = make_key(Scope.GRADE, Scope.READ_RESULTS)
    token = made(service, key, subject_id="s5", attempt_id="17", store=True)
    graded = service.post("/v1/grades", json=ROW, headers=token).json()
    assert (graded["subject_id"], graded["attempt_id"]) == ("s5", "17")
    stored = service.get(f"/v1/results/{graded['result_id']}", headers=key).json()
    assert (stored["subject_id"], stored["attempt_id"], stored["key_name"]) == ("s5", "17", "quiz")


def test_every_route_but_its_own_refuses_a_token(
    service: TestClient, make_key: MakeKey, key: dict[str, str], assert_problem: AssertProblem
) -> None:
    """Each route is asked with a token that a key with every scope has made, of the service's pages too."""
    token = made(service, make_key(Scope.ADMIN))
    asked = set()
    for route in leaves(service):
        for method in route.methods or ():
            address = re.sub(r"\{item_id\}", "dropout", route.path)
            address = re.sub(r"\{\w+\}", "0" * 32, address)
            response = service.request(method, address, json=ROW, headers=token, follow_redirects=False)
            asked.add((method, route.path))
            if (method, route.path) in TOKEN_ROUTES:
                assert response.status_code == 200, route.path
            elif route.include_in_schema and route.path not in OPEN:
                assert_problem(response, 403, "token-mismatch")
            elif route.path not in OPEN:
                assert response.status_code == 403, (method, route.path)
    assert asked > TOKEN_ROUTES
    assert ("POST", "/batches") in asked


def leaves(service: TestClient) -> list[APIRoute]:
    found: list[APIRoute] = []
    waiting = list(getattr(service.app, "routes", []))
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        waiting += getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", [])
    return found


def test_token_makes_no_token(service: TestClient, key: dict[str, str], assert_problem: AssertProblem) -> None:
    token = made(service, key)
    assert_problem(service.post("/v1/tokens", json={"item_ids": ["dropout"]}, headers=token), 403, "token-mismatch")


@pytest.mark.parametrize("forged", ["gt_" + "A" * 43, "gt_", "gt_x", "gt_" + "é" * 43, "gs_" + "A" * 43])
def test_forged_token_is_refused(service: TestClient, key: dict[str, str], assert_problem: AssertProblem, forged: str) -> None:
    made(service, key)
    headers = [(b"authorization", f"Bearer {forged}".encode("latin-1"))]
    assert_problem(service.post("/v1/grades", json=ROW, headers=headers), 401, "unauthenticated")


def test_token_that_is_changed_by_a_letter_is_refused(
    service: TestClient, key: dict[str, str], assert_problem: AssertProblem
) -> None:
    token = made(service, key)["authorization"]
    other = token[:-5] + ("b" if token[-5] == "a" else "a") + token[-4:]
    assert_problem(service.post("/v1/grades", json=ROW, headers={"authorization": other}), 401, "unauthenticated")


def test_token_ends_in_time_and_is_deleted_with_the_next(
    service: TestClient, key: dict[str, str], database: Database, assert_problem: AssertProblem
) -> None:
    token = made(service, key, expires_in_s=30)
    assert service.post("/v1/grades", json=ROW, headers=token).status_code == 200
    with database.system() as session:
        session.execute(update(Pass).values(expires_at=now() - timedelta(seconds=1)))
    assert_problem(service.post("/v1/grades", json=ROW, headers=token), 401, "unauthenticated")
    made(service, key)
    with database.system(read_only=True) as session:
        assert len(session.scalars(select(Pass)).all()) == 1


def test_token_ends_with_its_key(
    service: TestClient, key: dict[str, str], database: Database, assert_problem: AssertProblem
) -> None:
    token = made(service, key)
    revoke_key(database, key["authorization"].split("_")[1])
    assert_problem(service.post("/v1/grades", json=ROW, headers=token), 401, "unauthenticated")


def test_token_made_without_keys_ends_with_the_first_key(
    service: TestClient, make_key: MakeKey, assert_problem: AssertProblem
) -> None:
    token = made(service, {}, origin=QUIZ)
    assert service.post("/v1/grades", json=ROW, headers={**token, "origin": QUIZ}).status_code == 200
    make_key(Scope.GRADE)
    assert_problem(service.post("/v1/grades", json=ROW, headers={**token, "origin": QUIZ}), 401, "unauthenticated")


def test_only_the_hash_of_a_token_is_kept(service: TestClient, key: dict[str, str], database: Database) -> None:
    token = made(service, key)["authorization"].removeprefix("Bearer ")
    with database.system(read_only=True) as session:
        [row] = session.scalars(select(Pass)).all()
    assert token not in [str(value) for value in vars(row).values()]


def test_another_tenants_items_cannot_be_named(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    north, south = make_key(Scope.ADMIN, tenant="north"), make_key(Scope.ADMIN, tenant="south")
    service.post("/v1/banks", json={"id": "physics", "title": "Physics"}, headers=north)
    item = {**(NEW_ITEMS["item"]["value"] or {}), "id": "pull"}
    service.post("/v1/banks/physics/items", json=item, headers=north)
    service.post("/v1/banks/physics/publish", headers=north)
    wanted = {"bank_id": "physics", "item_ids": ["pull"]}
    assert_problem(service.post("/v1/tokens", json=wanted, headers=south), 404, "bank-not-found")
    token = made(service, north, **wanted)
    graded = service.post("/v1/grades", json={**ROW, **wanted, "item_id": "pull", "item_ids": None}, headers=token)
    assert graded.status_code == 422
    body = {"bank_id": "physics", "item_id": "pull", "candidate_answer": "Gravity pulls."}
    assert service.post("/v1/grades", json=body, headers=token).status_code == 200
    assert_problem(service.post("/v1/grades", json=ROW, headers=token), 403, "token-mismatch")


def test_item_that_is_not_there_gets_no_token(service: TestClient, key: dict[str, str], assert_problem: AssertProblem) -> None:
    assert_problem(service.post("/v1/tokens", json={"item_ids": ["no-such-item"]}, headers=key), 404, "item-not-found")


@pytest.mark.parametrize(
    "wanted",
    [
        {"item_ids": []},
        {"item_ids": ["dropout"] * 51},
        {"item_ids": ["dropout"], "expires_in_s": 29},
        {"item_ids": ["dropout"], "expires_in_s": 7_201},
        {"item_ids": ["dropout"], "origin": "https://quiz.example/"},
        {"item_ids": ["dropout"], "origin": "https://Quiz.example"},
        {"item_ids": ["dropout"], "origin": "https://me@quiz.example"},
        {"item_ids": ["dropout"], "origin": "https://[::1"},
        {"item_ids": ["dropout"], "origin": "null"},
        {"item_ids": ["dropout"], "origin": "*"},
        {"item_ids": ["dropout"], "scope": "admin"},
    ],
)
def test_what_cannot_be_is_refused(
    service: TestClient, key: dict[str, str], assert_problem: AssertProblem, wanted: dict[str, Any]
) -> None:
    assert_problem(service.post("/v1/tokens", json=wanted, headers=key), 422, "invalid-request")


def test_key_without_the_scope_makes_no_token(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    response = service.post("/v1/tokens", json={"item_ids": ["dropout"]}, headers=make_key(Scope.REVIEW))
    assert_problem(response, 403, "scope-missing")


@pytest.mark.parametrize("origin", ["http://quiz.example", "http://quiz.example:9001", "null", "https://evil.example", None])
def test_bound_token_works_from_its_origin_only(
    service: TestClient, key: dict[str, str], assert_problem: AssertProblem, origin: str | None
) -> None:
    token = made(service, key, origin=QUIZ)
    response = service.post("/v1/grades", json=ROW, headers={**token, "origin": QUIZ})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == QUIZ
    assert response.headers["vary"] == "Origin"
    elsewhere = {**token, "origin": origin} if origin else token
    assert_problem(service.post("/v1/grades", json=ROW, headers=elsewhere), 403, "token-mismatch")


def test_token_for_the_service_itself_needs_no_origin_to_read(service: TestClient, key: dict[str, str]) -> None:
    token = made(service, key, origin="http://127.0.0.1:8000")
    assert service.get("/v1/items/dropout", headers=token).status_code == 200


def test_token_without_an_origin_works_from_welcome_ones(
    service: TestClient, key: dict[str, str], assert_problem: AssertProblem
) -> None:
    token = made(service, key)
    for origin in ("https://quiz.example", "http://127.0.0.1:8000"):
        assert service.post("/v1/grades", json=ROW, headers={**token, "origin": origin}).status_code == 200
    response = service.post("/v1/grades", json=ROW, headers={**token, "origin": "https://evil.example"})
    assert_problem(response, 403, "token-mismatch")


def ask_first(service: TestClient, path: str, method: str, headers: str) -> Any:
    asked = {"origin": QUIZ, "access-control-request-method": method, "access-control-request-headers": headers}
    return service.options(path, headers=asked)


def test_browser_may_ask_with_a_token_from_everywhere(service: TestClient, key: dict[str, str]) -> None:
    for path, method in (("/v1/grades", "POST"), ("/v1/items/dropout", "GET")):
        response = ask_first(service, path, method, "authorization,content-type")
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == QUIZ
        assert response.headers["access-control-allow-methods"] == method
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/v1/grades/batch", "POST", "authorization"),
        ("/v1/items", "GET", "authorization"),
        ("/v1/items/dropout/regrade", "POST", "authorization"),
        ("/v1/tokens", "POST", "authorization"),
        ("/v1/results", "DELETE", "authorization"),
        ("/v1/grades", "DELETE", "authorization"),
        ("/v1/grades", "POST", "content-type"),
    ],
)
def test_nothing_else_is_open_to_every_origin(service: TestClient, path: str, method: str, headers: str) -> None:
    assert "access-control-allow-origin" not in ask_first(service, path, method, headers).headers


def test_answer_to_a_key_stays_unreadable_to_other_origins(service: TestClient, key: dict[str, str]) -> None:
    response = service.post("/v1/grades", json=ROW, headers={**key, "origin": QUIZ})
    assert "access-control-allow-origin" not in response.headers


def test_refusal_of_a_token_can_be_read_by_its_page(service: TestClient, key: dict[str, str]) -> None:
    response = service.post("/v1/grades", json=ROW, headers={"authorization": "Bearer gt_" + "A" * 43, "origin": QUIZ})
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == QUIZ


def test_token_counts_for_its_key(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    key = make_key(Scope.GRADE, rate_limit="3/hour")
    first, second = made(service, key), made(service, key)
    assert service.post("/v1/grades", json=ROW, headers=first).status_code == 200
    assert_problem(service.post("/v1/grades", json=ROW, headers=second), 429, "rate-limited")


def test_token_has_a_limit_of_its_own(service: TestClient, key: dict[str, str], assert_problem: AssertProblem) -> None:
    first, second = made(service, key), made(service, key)
    for _ in range(60):
        assert service.get("/v1/items/dropout", headers=first).status_code == 200
    assert_problem(service.get("/v1/items/dropout", headers=first), 429, "rate-limited")
    assert service.get("/v1/items/dropout", headers=second).status_code == 200


def test_token_takes_no_names_of_requests_from_its_site(service: TestClient, key: dict[str, str]) -> None:
    named = {"idempotency-key": "2026-03-01-17"}
    token = made(service, key)
    first = service.post("/v1/grades", json=ROW, headers={**token, **named})
    again = service.post("/v1/grades", json=ROW, headers={**token, **named})
    assert (first.json(), again.headers.get("idempotent-replayed")) == (again.json(), "true")
    other = service.post("/v1/grades", json={**ROW, "candidate_answer": "Another answer."}, headers={**key, **named})
    assert other.status_code == 200


def test_erased_person_has_no_token(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    admin = make_key(Scope.ADMIN)
    token, other = made(service, admin, subject_id="s5"), made(service, admin, attempt_id="17")
    assert service.delete("/v1/subjects/s5", headers=admin).status_code == 200
    assert service.delete("/v1/results?attempt_id=17", headers=admin).status_code == 200
    for ended in (token, other):
        assert_problem(service.post("/v1/grades", json=ROW, headers=ended), 401, "unauthenticated")


def test_tokens_are_not_logged(service: TestClient, key: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = made(service, key)
    service.post("/v1/grades", json=ROW, headers=token)
    assert token["authorization"].split("_", 1)[1] not in caplog.text
