"""The service as a whole: its pages, its headers, its log, and a real server on a real socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.settings import Settings

ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}


def test_docs_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "//" not in re.sub(r"// .*|<!--.*-->", "", page)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(address.rpartition(".")[2] for address in loaded) == ["css", "js", "png"]
    for address in loaded:
        response = client.get(address)
        assert response.status_code == 200
        assert len(response.content) > 1_000
    assert "url: '/openapi.json'" in page


@pytest.mark.parametrize("path", ["/docs", "/v1/items", "/v1/nothing", "/static-offline-docs/swagger-ui.css"])
def test_every_response_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_pages_of_an_allowed_origin_may_call(client: TestClient) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    response = client.options("/v1/grades", headers={"origin": "https://quiz.example", **asked})
    assert response.headers["access-control-allow-origin"] == "https://quiz.example"
    response = client.post("/v1/grades", json={}, headers={"origin": "https://quiz.example"})
    assert response.status_code == 422
    assert response.headers["access-control-allow-origin"] == "https://quiz.example"


def test_pages_of_another_origin_may_not_call(client: TestClient) -> None:
    response = client.get("/v1/items", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in response.headers


def test_answers_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    words = "xylophone-words"
    for answer in (words, words + "\x00", words * 2_000):
        body = {"item_id": "dropout", "candidate_answer": answer}
        client.post("/v1/grades", json=body)
        client.post("/v1/grades/batch", json=[body, {**body, "extra": words}])
    client.post("/v1/grades", content=f'{{"candidate_answer": "{words}', headers={"content-type": "application/json"})
    assert caplog.text
    assert "xylophone" not in caplog.text


@pytest.fixture(scope="module")
def port(settings: Settings) -> Iterator[int]:
    """Start a server as a user does, and return its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(number)]
    environment = {**os.environ, "GRADER_HOME": str(settings.home)}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 30
        while status_of(number, "GET", "/readyz") != 200:
            assert time.monotonic() < deadline
            assert server.poll() is None
            time.sleep(0.05)
        yield number
        server.send_signal(signal.SIGINT)
        log, _ = server.communicate(timeout=20)
    finally:
        server.kill()
    assert "Traceback" not in log
    assert "Random neurons" not in log


def status_of(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> int | None:
    """Return the status of a response, None where there is no server yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def test_server_grades(port: int) -> None:
    assert status_of(port, "POST", "/v1/grades", json.dumps(ROW).encode(), content_type="application/json") == 200


def test_server_stays_up_when_a_client_hangs_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(
            b"POST /v1/grades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
    assert status_of(port, "GET", "/livez") == 200


def test_server_refuses_an_endless_body(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as endless:
        endless.sendall(
            b"POST /v1/grades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(123):
            endless.sendall(piece)
        assert endless.recv(12) == b"HTTP/1.1 413"


def test_server_refuses_a_body_by_its_announced_length_before_reading_it(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as announcing:
        announcing.sendall(
            b"POST /v1/grades HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 8000001\r\n\r\n"
        )
        assert announcing.recv(12) == b"HTTP/1.1 413"
