"""A request sent twice with one idempotency key is carried out once, whatever happens in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update

from api.dependencies import get_grader
from api.expiry import expiring
from api.idempotency import Claim
from api.keys import Scope
from api.storage.columns import new_id, now, oldest_id
from api.storage.database import Database, Store
from api.storage.tables import Replay, ReplayName
from grader import Gradable, Grader, GradingResult

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training.", "store": True}
KEY = {"idempotency-key": "order-66"}


def count(service: TestClient) -> int:
    return len(service.get("/v1/results").json()["results"])


@pytest.mark.parametrize("path", ["/v1/grades", "/v1/grades/batch"])
def test_same_request_gets_the_same_answer_and_is_carried_out_once(service: TestClient, path: str) -> None:
    body = ROW if path == "/v1/grades" else [ROW]
    first, second = (service.post(path, json=body, headers=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert (second.headers["idempotent-replayed"], second.headers["content-type"]) == ("true", "application/json")
    assert second.headers["x-content-type-options"] == "nosniff"
    assert count(service) == 1


def test_answer_is_given_again_though_the_queue_is_full(service: TestClient, assert_problem: AssertProblem) -> None:
    first = service.post("/v1/grades", json=ROW, headers=KEY)
    slots = service.app_state["slots"]
    slots.limit = slots.room = 0
    assert service.post("/v1/grades", json=ROW, headers=KEY).content == first.content
    assert_problem(service.post("/v1/grades", json=ROW), 429, "busy")
    assert_problem(service.post("/v1/grades", json=ROW, headers={"idempotency-key": "another"}), 429, "busy")


def test_other_request_with_the_key_is_a_problem(service: TestClient, assert_problem: AssertProblem) -> None:
    service.post("/v1/grades", json=ROW, headers=KEY)
    assert_problem(service.post("/v1/grades", json={**ROW, "attempt_id": "x"}, headers=KEY), 409, "idempotency-key-reused")
    assert_problem(service.post("/v1/grades/batch", json=[ROW], headers=KEY), 409, "idempotency-key-reused")
    assert count(service) == 1


def test_requests_without_a_key_are_each_carried_out(service: TestClient) -> None:
    for _ in range(2):
        service.post("/v1/grades", json=ROW)
    assert count(service) == 2


def test_request_that_failed_can_be_put_right_with_the_same_key(service: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(service.post("/v1/grades", json={**ROW, "item_id": "none"}, headers=KEY), 404, "item-not-found")
    assert_problem(service.post("/v1/grades", json={**ROW, "extra": 1}, headers=KEY), 422, "invalid-request")
    assert service.post("/v1/grades", json=ROW, headers=KEY).status_code == 200


def test_tenants_do_not_share_keys(service: TestClient, make_key: MakeKey) -> None:
    north, south = (make_key(Scope.ADMIN, tenant=tenant) for tenant in ("north", "south"))
    first = service.post("/v1/grades", json=ROW, headers=KEY | north)
    second = service.post("/v1/grades", json=ROW, headers=KEY | south)
    assert first.json()["result_id"] != second.json()["result_id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "\xe9", "\x7f"])
def test_key_that_cannot_be_is_a_problem(service: TestClient, assert_problem: AssertProblem, key: str) -> None:
    response = service.post("/v1/grades", json=ROW, headers=[(b"idempotency-key", key.encode("latin-1"))])
    assert_problem(response, 422, "invalid-request", ["header", "idempotency-key"])


def test_answer_is_kept_for_a_day(service: TestClient, database: Database) -> None:
    service.post("/v1/grades", json=ROW, headers=KEY)
    for age, stored in ((timedelta(hours=23), 1), (timedelta(hours=25), 2)):
        with Store(database, "local").write() as session:
            session.execute(update(Replay).values(created_at=now() - age))
        assert service.post("/v1/grades", json=ROW, headers=KEY).status_code == 200
        assert count(service) == stored


def test_answer_is_deleted_after_a_day_though_nobody_asks_again(
    database: Database, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.expiry._AT_ONCE", 2)
    kept = {tenant: aged_replays(database, make_key, tenant) for tenant in ("north", "south")}
    with expiring(database):
        deadline = time.monotonic() + 30
        while any(replay_ids(database, tenant) != ids for tenant, ids in kept.items()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert all(replay_ids(database, tenant) == ids for tenant, ids in kept.items())


def test_server_deletes_old_answers_again_and_again(database: Database, make_key: MakeKey) -> None:
    deadline = time.monotonic() + 30
    with expiring(database, every_s=0.01):
        for _ in range(2):
            kept = aged_replays(database, make_key, "north")
            while not set(replay_ids(database, "north")) <= set(kept):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            with Store(database, "north").write() as session:
                session.execute(delete(Replay))


def test_server_that_does_not_work_on_jobs_deletes_old_answers(service: TestClient) -> None:
    assert not service.app_state["settings"].work_on_jobs
    assert "expiry" in {thread.name for thread in threading.enumerate()}


def aged_replays(database: Database, make_key: MakeKey, tenant: str) -> list[str]:
    """Keep some answers, all but the last older than a day, and return the ids of those that are to stay."""
    make_key(Scope.GRADE, tenant=tenant)
    ids = [oldest_id(now() - timedelta(hours=hours))[:-20] + new_id()[-20:] for hours in (100, 50, 48, 30, 25, 23)]
    with Store(database, tenant).write() as session:
        session.add_all(Replay(id=each, key=each, request_hash="", status=200, body="{}") for each in ids)
        session.flush()
        session.add_all(ReplayName(replay_id=each, name="subject:s") for each in ids)
    return ids[-1:]


def replay_ids(database: Database, tenant: str) -> list[str]:
    with Store(database, tenant).read() as session:
        return list(session.scalars(select(Replay.id)))


@pytest.mark.parametrize("store", [True, False])
def test_server_that_died_before_the_answer_was_kept_stores_nothing_twice(
    service: TestClient,
    database: Database,
    assert_problem: AssertProblem,
    monkeypatch: pytest.MonkeyPatch,
    store: bool,
) -> None:
    monkeypatch.setattr(Claim, "keep", lambda *_: None)
    row = {**ROW, "store": store}
    service.post("/v1/grades", json=row, headers=KEY)
    response = service.post("/v1/grades", json=row, headers=KEY)
    assert_problem(response, 409, "still-running")
    assert response.headers["retry-after"] == "1"
    with Store(database, "local").write() as session:
        session.execute(update(Replay).values(created_at=now() - timedelta(minutes=3)))
    response = service.post("/v1/grades", json=row, headers=KEY)
    if store:
        assert_problem(response, 409, "answer-lost")
        assert count(service) == 1
    else:
        assert response.status_code == 200
        assert count(service) == 0


def test_request_that_is_overtaken_stores_nothing(
    service: TestClient, database: Database, real_grader: Grader, assert_problem: AssertProblem
) -> None:
    class Slow:
        """The real grader, which meets another server that takes over the key."""

        signature = "slow"

        def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
            with Store(database, "local").write() as session:
                session.execute(update(Replay).values(created_at=now() - timedelta(minutes=3)))
            assert isinstance(service.app, FastAPI)
            service.app.dependency_overrides.clear()
            assert service.post("/v1/grades", json=ROW, headers=KEY).status_code == 200
            return real_grader.grade(item, candidate_answer)

    assert isinstance(service.app, FastAPI)
    service.app.dependency_overrides[get_grader] = Slow
    assert_problem(service.post("/v1/grades", json=ROW, headers=KEY), 409, "claim-lost")
    assert count(service) == 1
    assert service.get("/v1/usage").json()["days"][0]["answers"] == 1


def test_requests_at_the_same_time_are_carried_out_once(service: TestClient) -> None:
    with ThreadPoolExecutor(6) as executor:
        responses = list(executor.map(lambda _: service.post("/v1/grades", json=ROW, headers=KEY), range(6)))
    assert {response.status_code for response in responses} <= {200, 409}
    assert len({response.content for response in responses if response.status_code == 200}) == 1
    assert count(service) == 1


class FailingOnce:
    """The real grader, which fails the first time."""

    def __init__(self, grader: Grader) -> None:
        self.grader = grader
        self.signature = grader.signature
        self.failed = False

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        if not self.failed:
            self.failed = True
            raise MemoryError
        return self.grader.grade(item, candidate_answer)


def test_failure_of_the_server_lets_go_of_the_key(
    service: TestClient, real_grader: Grader, assert_problem: AssertProblem
) -> None:
    failing = FailingOnce(real_grader)
    assert isinstance(service.app, FastAPI)
    service.app.dependency_overrides[get_grader] = lambda: failing
    assert_problem(service.post("/v1/grades", json=ROW, headers=KEY), 500, "internal-error")
    assert service.post("/v1/grades", json=ROW, headers=KEY).status_code == 200
