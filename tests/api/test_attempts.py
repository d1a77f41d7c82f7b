"""Bad keys are counted by address, good ones are not held up by them, and nobody's body is read before the key is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message

from api.attempts import Attempts, origin_of
from api.keys import Scope, revoke_key
from api.rates import Rates
from api.storage.database import Database

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
BAD = {"authorization": f"Bearer gk_{'0' * 12}_{'A' * 43}"}


def test_too_many_bad_keys_are_looked_up_no_more(
    service: TestClient, database: Database, make_key: MakeKey, assert_problem: AssertProblem
) -> None:
    known, fresh = make_key(Scope.GRADE), make_key(Scope.GRADE)
    assert service.get("/v1/items", headers=known).status_code == 200
    for _ in range(60):
        assert_problem(service.get("/v1/items", headers=BAD), 401, "unauthenticated")
    response = service.get("/v1/items", headers=BAD)
    assert_problem(response, 429, "too-many-attempts")
    assert int(response.headers["retry-after"]) > 0
    # A neighbour behind the same address goes on.
    assert service.get("/v1/items", headers=known).status_code == 200
    assert_problem(service.get("/v1/items", headers=fresh), 429, "too-many-attempts")
    # Revoking acts at once all the same.
    revoke_key(database, known["authorization"].split("_")[1])
    assert_problem(service.get("/v1/items", headers=known), 401, "unauthenticated")
    assert_problem(service.get("/v1/items", headers=known), 429, "too-many-attempts")


def test_no_more_good_keys_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.attempts._GOOD_KEPT", 2)
    attempts = Attempts(Rates())
    for key in "abc":
        attempts.succeeded(key)
    assert len(attempts._good) == 2


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_origin_is_an_address_or_its_network(host: str, origin: str) -> None:
    assert origin_of(Request({"type": "http", "client": (host, 1), "headers": []})) == origin


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/grades"),
        ("POST", "/v1/webhooks"),
        ("POST", "/v1/jobs"),
        ("POST", "/v1/banks"),
        ("POST", "/batches/start"),
        ("POST", "/practice/dropout"),
    ],
)
def test_no_body_is_read_before_the_key_is_known(service: TestClient, make_key: MakeKey, method: str, path: str) -> None:
    make_key(Scope.ADMIN)
    assert isinstance(service.app, FastAPI)
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"7000000"),
        (b"authorization", BAD["authorization"].encode()),
    ]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
        "client": ("192.0.2.7", 1), "server": ("127.0.0.1", 8000), "scheme": "http", "state": dict(service.app_state),
    }  # fmt: skip
    asyncio.run(service.app(scope, receive, send))
    assert sent[0]["status"] == 401
