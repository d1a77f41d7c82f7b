"""What was graded is counted by key and day, once for each request, whether it is written down with results or a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from api.keys import KEYLESS, Access, Scope, ensure_tenant
from api.storage.database import Database, Store
from api.storage.tables import Usage
from api.usage import UsageBook, UsageFilter, UsageLedger, note_use

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
# 13 characters.
ROW = {"item_id": "dropout", "candidate_answer": "Random units."}


def days(service: TestClient, headers: dict[str, str] | None = None, **query: str) -> list[dict[str, Any]]:
    response = service.get("/v1/usage", headers=headers, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["days"]
    return found


def written(database: Database) -> list[tuple[Any, ...]]:
    """Return what stands in the database, of every tenant."""
    columns = (Usage.tenant_id, Usage.key_id, Usage.requests, Usage.answers, Usage.characters)
    with database.system(read_only=True) as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(Usage.tenant_id, Usage.key_id))]


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def nothing_can_be_counted(database: Database) -> Iterator[None]:
    """Have the database refuse counts of use, and nothing else, until the block is left."""
    for old, new in (("usage", "elsewhere"), ("elsewhere", "usage")):
        with database.system() as session:
            session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if new == "elsewhere":
            yield


def of(tenant_id: str, key_id: str = "") -> Access:
    return Access(tenant_id=tenant_id, key_id=key_id, name="quiz", scopes=frozenset({Scope.ADMIN}))


@pytest.fixture
def ledger(database: Database) -> UsageLedger:
    """Return a ledger that is written when it is told to be."""
    for tenant_id in ("local", "north", "south"):
        ensure_tenant(database, tenant_id)
    return UsageLedger(database)


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


def test_requests_that_store_and_those_that_do_not_are_one_count(service: TestClient) -> None:
    for store in (False, True, True, False):
        service.post("/v1/grades", json={**ROW, "store": store})
    [day] = days(service)
    assert (day["requests"], day["answers"], day["characters"]) == (4, 4, 52)


def test_request_that_stores_nothing_is_written_down_within_a_second_or_so(service: TestClient, database: Database) -> None:
    service.post("/v1/grades", json=ROW)
    began = time.monotonic()
    wait_for(lambda: written(database) == [("local", "", 1, 1, 13)])
    assert time.monotonic() - began < 3


def test_nothing_is_lost_when_the_server_stops(
    service: TestClient,
    database: Database,
    make_key: MakeKey,
    *,
    open_client: Callable[[ASGIApp], TestClient],
    until_ready: Callable[[TestClient], None],
) -> None:
    headers = make_key(Scope.GRADE)
    with open_client(service.app) as stopped:
        until_ready(stopped)
        for _ in range(3):
            stopped.post("/v1/grades", json=ROW, headers=headers)
    assert [row[2:] for row in written(database)] == [(3, 3, 39)]
    service.post("/v1/grades", json=ROW, headers=headers)
    assert [day["requests"] for day in days(service, headers)] == [4]


def test_answers_are_graded_and_counted_while_no_count_can_be_written(
    service: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    service.post("/v1/grades", json=ROW)
    with nothing_can_be_counted(database):
        assert service.post("/v1/grades", json=ROW).status_code == 200
        assert service.get("/v1/usage").status_code in {500, 503}
        wait_for(lambda: "Counts of use have to wait" in caplog.text)
        assert service.post("/v1/grades", json=ROW).status_code == 200
    wait_for(lambda: written(database) == [("local", "", 3, 3, 39)])
    [day] = days(service)
    assert day["requests"] == 3


def test_counts_are_added_up_and_written_in_one_transaction(ledger: UsageLedger, database: Database) -> None:
    with Store(database, "south").write() as session:
        note_use(session, of("south"), ["one"])
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    with ThreadPoolExecutor(4) as executor:
        for tenant_id, key_id in [("north", "a"), ("north", "b"), ("south", ""), ("north", "a")] * 25:
            executor.submit(ledger.note, of(tenant_id, key_id), ["two", "four"])
    assert commits == []
    ledger.write()
    ledger.write()
    assert len(commits) == 1
    assert written(database) == [
        ("north", "a", 50, 100, 350),
        ("north", "b", 25, 50, 175),
        ("south", "", 26, 51, 178),
    ]


def test_what_is_left_is_written_when_the_ledger_is_no_longer_kept(ledger: UsageLedger, database: Database) -> None:
    with ledger.kept():
        ledger.note(of("north"), ["one"])
    assert written(database) == [("north", "", 1, 1, 3)]


def test_request_counts_for_the_day_on_which_it_came(
    ledger: UsageLedger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 2):
        monkeypatch.setattr("api.usage.now", lambda day=day: datetime(2026, 3, day, 23, 59, tzinfo=UTC))
        ledger.note(KEYLESS, ["answer"])
    report = UsageBook(Store(database, "local"), ledger).report(KEYLESS, UsageFilter())
    assert [(day.day.isoformat(), day.requests) for day in report.days] == [("2026-03-02", 2), ("2026-03-01", 1)]


def test_report_has_all_that_was_counted_here_and_nothing_of_other_tenants(ledger: UsageLedger, database: Database) -> None:
    north, south = of("north", "key"), of("south", "key")
    for access in (north, north, south):
        ledger.note(access, ["answer"])
    for access, requests in ((north, 2), (south, 1)):
        [day] = UsageBook(Store(database, access.tenant_id), ledger).report(access, UsageFilter()).days
        assert day.requests == requests


def test_what_cannot_be_written_is_kept_with_what_comes_after_it(ledger: UsageLedger, database: Database) -> None:
    ledger.note(of("north"), ["one"])
    with nothing_can_be_counted(database):
        with pytest.raises(SQLAlchemyError):
            ledger.write()
        ledger.note(of("north"), ["four"])
        ledger.note(of("south"), ["one"])
        with pytest.raises(SQLAlchemyError):
            ledger.write()
    ledger.write()
    assert written(database) == [("north", "", 2, 2, 7), ("south", "", 1, 1, 3)]


def test_counts_that_are_lost_at_the_end_are_told_of(
    ledger: UsageLedger, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_can_be_counted(database), ledger.kept():
        ledger.note(of("north"), ["one"])
    assert caplog.records[-1].levelname == "ERROR"
    assert "not counted" in caplog.text
