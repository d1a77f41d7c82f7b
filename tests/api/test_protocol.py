"""Bytes that become requests, and those that do not end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.protocol import MAX_HEAD_BYTES, BoundedHttpToolsProtocol

PIECE = b"a" * 30_000
WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


async def counting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with how many bytes the body had."""
    await PlainTextResponse(str(len(await Request(scope, receive).body())))(scope, receive, send)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(counting, http=BoundedHttpToolsProtocol, loop="asyncio", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def answer(port: int, *pieces: bytes) -> bytes:
    """Send pieces on one connection, as far as the server takes them, and return all that it answers until it closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # It was closed before everything was sent.
            pass
        found = b""
        try:
            while got := connection.recv(65_536):
                found += got
        except ConnectionResetError:
            # What it had not read by then is thrown away with what it sent last.
            pass
        return found


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ", *[PIECE] * 4, b"\r\n\r\n"],
        [b"GET /", *[PIECE] * 4, b" HTTP/1.1\r\nhost: x\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nhost: x\r\n", *[b"x-%d: %b\r\n" % (number, PIECE) for number in range(4)], b"\r\n"],
        [CHUNKED + b"x-long: ", *[PIECE] * 4, b"\r\n\r\n"],
    ],
    ids=["one header", "address", "many headers", "trailer"],
)
def test_what_does_not_end_is_refused(port: int, pieces: list[bytes]) -> None:
    assert b"200 OK" not in answer(port, *pieces)
    assert answer(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_refusal_says_why(port: int) -> None:
    said = answer(port, b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * MAX_HEAD_BYTES)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.endswith(b"The headers are too long.")


def test_bodies_and_headers_of_later_requests_do_not_count(port: int) -> None:
    body = b"b" * 1_000_000
    large = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    headed = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: %b\r\n\r\n" % (b"a" * 40_000)
    said = answer(port, large, headed, headed, CHUNKED + b"\r\n")
    assert said.count(b"200 OK") == 4
    assert b"1000000" in said


@pytest.mark.parametrize(
    "head", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", WHOLE + b"GET / HTTP/1.1\r\n"], ids=["none", "half", "second"]
)
def test_headers_that_do_not_come_are_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr("api.protocol.HEAD_S", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        said = b""
        while got := connection.recv(65_536):
            said += got
    assert said.endswith(b"The headers did not come in time." if head else b"")
    assert said.count(b"200 OK") == head.startswith(WHOLE)


def test_an_answer_that_takes_long_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.protocol.HEAD_S", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\na")
        time.sleep(0.6)
        connection.sendall(b"b")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
