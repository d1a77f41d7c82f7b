"""Logs are lines of JSON with the request's id, and hold nothing of what candidates or keys say."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import logs
from api.dependencies import get_grader
from api.keys import Scope
from grader import Gradable, GradingResult

MakeKey = Callable[..., dict[str, str]]
WORDS = "xylophone-words"
ROW = {"item_id": "dropout", "candidate_answer": WORDS, "store": True, "subject_id": "person-zebra", "attempt_id": "zebra"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return what the service writes, with its handler on the root logger as in a server."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    root.handlers.clear()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("debug")
    yield stream
    root.handlers[:], root.level = before[0], before[1]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class BrokenGrader:
    """A grader that fails with the answer in its error."""

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        raise RuntimeError(item.question + candidate_answer)


def test_request_is_one_line_with_its_id(service: TestClient, written: io.StringIO) -> None:
    response = service.get("/v1/items/dropout", headers={"x-request-id": "from-client_7"})
    assert response.headers["x-request-id"] == "from-client_7"
    [line] = [line for line in lines(written) if line["event"] == "request"]
    assert (line["request_id"], line["method"], line["route"], line["status"]) == (
        "from-client_7",
        "GET",
        "/v1/items/{item_id}",
        200,
    )
    assert line["ms"] > 0
    assert (line["level"], line["logger"]) == ("info", "api.logs")


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "é", 'a"b', "-"])
def test_id_that_could_break_a_log_is_replaced(service: TestClient, sent: str) -> None:
    given = service.get("/livez", headers=[(b"x-request-id", sent.encode("latin-1"))]).headers["x-request-id"]
    assert given != sent
    assert len(given) == 32


def test_nothing_of_what_was_sent_is_logged(service: TestClient, make_key: MakeKey, written: io.StringIO) -> None:
    headers = make_key(Scope.ADMIN)
    assert isinstance(service.app, FastAPI)
    for _ in range(2):
        stored = service.post("/v1/grades", json=ROW, headers=headers | {"idempotency-key": "one-key-of-mine"})
        service.post("/v1/grades/batch", json=[ROW, {**ROW, "extra": WORDS}], headers=headers)
        service.get("/v1/results", params={"subject_id": "person-zebra"}, headers=headers)
        service.delete("/v1/subjects/person-zebra", headers=headers)
        service.get(f"/v1/{WORDS}", headers=headers)
        service.app.dependency_overrides[get_grader] = BrokenGrader
    assert stored.status_code == 500
    service.get("/v1/items", headers={"authorization": headers["authorization"] + "x"})
    text = written.getvalue()
    assert len(text.splitlines()) >= 10
    for secret in ("xylophone", "zebra", "one-key-of-mine", headers["authorization"].split("_", 2)[2]):
        assert secret not in text


def test_exception_is_logged_by_its_class_and_place(written: io.StringIO) -> None:
    try:
        int(WORDS)
    except ValueError:
        logging.getLogger("api.test").exception("It failed.")
    [line] = lines(written)
    assert (line["event"], line["exception"]) == ("It failed.", "ValueError")
    assert "test_logs.py" in line["at"][0]
    assert WORDS not in written.getvalue()
