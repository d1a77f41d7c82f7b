"""How much the service takes: bytes in a body, and requests at a time."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.dependencies import get_grader
from api.errors import BodyTooSlowError, BusyError
from api.middleware import BodyLimit
from api.settings import Settings
from api.slots import Slots
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


async def call(limit: BodyLimit, messages: list[Message]) -> list[Message]:
    """Send messages to an app behind a limit, then nothing more, and return what the app received."""
    received: list[Message] = []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(_: Message) -> None: ...

    limit.app = reader(received)
    await limit({"type": "http", "method": "POST", "path": "/v1/grades", "headers": []}, receive, send)
    return received


def reader(received: list[Message]) -> ASGIApp:
    async def app(_: Scope, receive: Receive, __: Send) -> None:
        received.extend([await receive() for _message in range(3)])

    return app


def test_body_that_does_not_arrive_is_a_problem() -> None:
    limit = BodyLimit(reader([]), max_bytes=10, max_seconds=0.05)
    with pytest.raises(BodyTooSlowError, match="did not arrive in time"):
        asyncio.run(call(limit, [{"type": "http.request", "body": b"{", "more_body": True}]))


def test_waiting_for_a_client_to_leave_has_no_deadline() -> None:
    limit = BodyLimit(reader([]), max_bytes=10, max_seconds=0.05)

    async def leave_late() -> list[Message]:
        messages: list[Message] = [{"type": "http.request", "body": b"{}", "more_body": False}]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await call(limit, messages)
        return messages

    assert asyncio.run(leave_late()) == []


class SlowGrader:
    """The real grader behind a gate that a test opens."""

    def __init__(self, grader: Grader) -> None:
        self.grader = grader
        self.signature = grader.signature
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        self.entered.release()
        assert self.gate.wait(30)
        return self.grader.grade(item, candidate_answer)


def test_one_request_too_many_is_told_to_come_back(
    settings: Settings, real_grader: Grader, open_client: OpenClient, assert_problem: AssertProblem
) -> None:
    app = create_app(settings.model_copy(update={"max_in_flight": 2, "max_waiting": 1}))
    slow = SlowGrader(real_grader)
    app.dependency_overrides[get_grader] = lambda: slow
    with open_client(app) as client, ThreadPoolExecutor(3) as executor:
        pending = [executor.submit(client.post, "/v1/grades", json={**ROW, "candidate_answer": f"Number {n}"}) for n in range(3)]
        try:
            assert all(slow.entered.acquire(timeout=30) for _ in range(2))
            _wait_until(lambda: client.app_state["slots"].waiting == 1)
            for path in ("/v1/grades", "/v1/grades/batch"):
                response = client.post(path, json=ROW)
                assert_problem(response, 429, "busy")
                assert int(response.headers["retry-after"]) > 0
                # Said before anybody is looked up, which would cost more than the refusal.
                assert_problem(client.post(path, json=ROW, headers={"Authorization": "Bearer nobody"}), 429, "busy")
            assert client.get("/livez").status_code == 200
            assert client.get("/v1/items").status_code == 200
        finally:
            slow.gate.set()
        assert [request.result().status_code for request in pending] == [200, 200, 200]
        assert client.post("/v1/grades", json=ROW).status_code == 200


def test_problems_take_no_thread(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    assert [name for name, handler in app.exception_handlers.items() if not inspect.iscoroutinefunction(handler)] == []


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


async def _stays() -> bool:
    return False


async def _goes() -> bool:
    return True


def test_those_who_wait_are_served_in_order_and_one_too_many_is_refused_at_once() -> None:
    async def run() -> list[int]:
        slots, served = Slots(1, room=2), []
        await slots.take(_stays)

        async def one(number: int) -> None:
            await slots.take(_stays)
            served.append(number)
            slots.give_back()

        waiting = [asyncio.create_task(one(number)) for number in range(2)]
        await asyncio.sleep(0)
        assert (slots.taken, slots.waiting) == (1, 2)
        with pytest.raises(BusyError):
            await slots.take(_stays)
        slots.give_back()
        await asyncio.gather(*waiting)
        assert (slots.taken, slots.waiting) == (0, 0)
        return served

    assert asyncio.run(run()) == [0, 1]


@pytest.mark.parametrize("turn_has_come", [False, True])
def test_a_request_that_is_cancelled_leaves_the_queue(*, turn_has_come: bool) -> None:
    async def run() -> None:
        slots = Slots(1, room=2)
        await slots.take(_stays)
        cancelled, other = (asyncio.create_task(slots.take(_stays)) for _ in range(2))
        await asyncio.sleep(0)
        if turn_has_come:
            slots.give_back()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        if not turn_has_come:
            slots.give_back()
        await other
        assert (slots.taken, slots.waiting) == (1, 0)
        slots.give_back()
        assert slots.taken == 0

    asyncio.run(run())


def test_a_client_that_has_gone_leaves_the_queue() -> None:
    async def run() -> None:
        slots = Slots(1, room=1)
        await slots.take(_stays)
        with pytest.raises(BusyError):
            await slots.take(_goes)
        assert (slots.taken, slots.waiting) == (1, 0)

    asyncio.run(run())
