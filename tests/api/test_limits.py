"""How much the service takes: bytes in a body, and requests at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from api.app import create_app
from api.dependencies import get_grader
from api.settings import Settings
from grader import Gradable, Grader, GradingResult

AssertProblem = Callable[..., dict[str, Any]]
OpenClient = Callable[[ASGIApp], TestClient]
JSON = {"content-type": "application/json"}
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}


def in_pieces(total: int) -> Iterator[bytes]:
    """Yield a JSON text of `total` bytes; what is sent like this announces no length."""
    yield b'{"item_id":"dropout","candidate_answer":"'
    for _ in range(total // 100_000):
        yield b"x" * 100_000
    yield b'"}'


def test_body_that_announces_too_much_is_a_problem(client: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(client.post("/v1/grades", content=b"x" * 8_000_001, headers=JSON), 413, "body-too-large")


def test_body_that_turns_out_too_large_is_a_problem(client: TestClient, assert_problem: AssertProblem) -> None:
    response = client.post("/v1/grades/batch", content=in_pieces(9_000_000), headers=JSON)
    assert "content-length" not in response.request.headers
    assert_problem(response, 413, "body-too-large")


def test_body_that_announces_too_little_is_measured_all_the_same(client: TestClient, assert_problem: AssertProblem) -> None:
    response = client.post("/v1/grades", content=in_pieces(9_000_000), headers={**JSON, "content-length": "10"})
    assert_problem(response, 413, "body-too-large")


def test_body_just_within_the_limit_is_read(client: TestClient, assert_problem: AssertProblem) -> None:
    response = client.post("/v1/grades", content=in_pieces(7_900_000), headers=JSON)
    assert_problem(response, 422, "invalid-request", ["body", "candidate_answer"])


class SlowGrader:
    """The real grader behind a gate that a test opens."""

    def __init__(self, grader: Grader) -> None:
        self.grader = grader
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        self.entered.release()
        assert self.gate.wait(30)
        return self.grader.grade(item, candidate_answer)


def test_one_request_too_many_is_told_to_come_back(
    settings: Settings, real_grader: Grader, open_client: OpenClient, assert_problem: AssertProblem
) -> None:
    app = create_app(settings.model_copy(update={"max_in_flight": 2}))
    slow = SlowGrader(real_grader)
    app.dependency_overrides[get_grader] = lambda: slow
    with open_client(app) as client, ThreadPoolExecutor(2) as executor:
        pending = [executor.submit(client.post, "/v1/grades", json=ROW) for _ in range(2)]
        try:
            assert all(slow.entered.acquire(timeout=30) for _ in pending)
            for path in ("/v1/grades", "/v1/grades/batch"):
                response = client.post(path, json=ROW)
                assert_problem(response, 503, "busy")
                assert int(response.headers["retry-after"]) > 0
            assert client.get("/livez").status_code == 200
            assert client.get("/v1/items").status_code == 200
        finally:
            slow.gate.set()
        assert [request.result().status_code for request in pending] == [200, 200]
        assert client.post("/v1/grades", json=ROW).status_code == 200
