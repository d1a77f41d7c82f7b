"""What was graded is counted by key and day, once for each request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.keys import Scope

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
# 13 characters.
ROW = {"item_id": "dropout", "candidate_answer": "Random units."}


def days(service: TestClient, headers: dict[str, str] | None = None, **query: str) -> list[dict[str, Any]]:
    response = service.get("/v1/usage", headers=headers, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["days"]
    return found


def test_graded_answers_are_counted_and_refused_ones_are_not(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.GRADE)
    assert days(service, headers) == []
    service.post("/v1/grades", json=ROW, headers=headers)
    service.post("/v1/grades/batch", json=[ROW, ROW, {"bad": 1}], headers=headers)
    service.post("/v1/grades/batch", json=[{"bad": 1}], headers=headers)
    service.post("/v1/grades", json={**ROW, "item_id": "none"}, headers=headers)
    today = datetime.now(UTC).date().isoformat()
    counted = {"day": today, "key_name": "quiz", "requests": 2, "answers": 3, "characters": 39}
    assert days(service, headers) == [counted]


def test_key_sees_its_own_use_and_admin_that_of_its_tenant(service: TestClient, make_key: MakeKey) -> None:
    first, second = make_key(Scope.GRADE, name="first"), make_key(Scope.GRADE, name="second")
    south = make_key(Scope.ADMIN, tenant="south")
    for headers in (first, second, second):
        service.post("/v1/grades", json=ROW, headers=headers)
    assert [(day["key_name"], day["requests"]) for day in days(service, second)] == [("second", 2)]
    assert {(day["key_name"], day["requests"]) for day in days(service, make_key(Scope.ADMIN))} == {("first", 1), ("second", 2)}
    assert days(service, south) == []


def test_requests_at_the_same_time_are_all_counted(service: TestClient) -> None:
    with ThreadPoolExecutor(6) as executor:
        list(executor.map(lambda _: service.post("/v1/grades", json=ROW), range(12)))
    [day] = days(service)
    assert (day["requests"], day["answers"]) == (12, 12)


def test_days_are_filtered(service: TestClient) -> None:
    service.post("/v1/grades", json=ROW)
    now = datetime.now(UTC)
    tomorrow, yesterday = ((now + timedelta(days=step)).date().isoformat() for step in (1, -1))
    assert len(days(service, first_day=yesterday, last_day=tomorrow)) == 1
    assert days(service, first_day=tomorrow) == days(service, last_day=yesterday) == []


@pytest.mark.parametrize("query", ["first_day=soon", "last_day=2026-02-30", "extra=1", "first_day=%00"])
def test_day_that_cannot_be_is_a_problem(service: TestClient, assert_problem: AssertProblem, query: str) -> None:
    assert_problem(service.get(f"/v1/usage?{query}"), 422, "invalid-request")
