"""Webhooks told by a real sender over real sockets, and checked as a receiver checks them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from api.jobs.engine import Engine
from api.jobs.work import Work
from api.keys import Scope
from api.metrics import Metrics
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import Delivery
from api.webhooks.sending import PAUSES, Sender, is_public
from grader import Grader, ItemBank

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ROW = {"item_id": "dropout", "candidate_answer": "xylophones are switched off", "subject_id": "s1", "store": True}


class Receiver:
    """An address of somebody's: keeps what it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Location", outer.url)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def sender(database: Database) -> Sender:
    return Sender(database=database, private_targets=True)


def reviewed(service: TestClient, headers: dict[str, str] | None = None) -> str:
    """Have an answer graded and reviewed, and return the result's id."""
    result_id: str = service.post("/v1/grades", json=ROW, headers=headers).json()["result_id"]
    service.post(f"/v1/results/{result_id}/reviews", json={"decision": "accept"}, headers=headers)
    return result_id


def send_all(sender: Sender) -> None:
    for each in sender.due(100):
        sender.attempt(*each)


def deliveries(service: TestClient, **query: Any) -> list[dict[str, Any]]:
    return list(service.get("/v1/deliveries", params=query).json()["deliveries"])


@pytest.fixture
def engine(sender: Sender, real_grader: Grader, shipped_bank: ItemBank) -> Iterator[Engine]:
    work = Work(database=sender.database, bank=shipped_bank, grader=real_grader, metrics=Metrics())
    engine = Engine(work, sender, beat_s=0.2)
    engine.start()
    yield engine
    engine.stop()


def test_finished_job_is_told_of(service: TestClient, engine: Engine, receiver: Receiver) -> None:
    hook = service.post("/v1/webhooks", json={"url": receiver.url, "events": ["job.finished"]}).json()
    job = service.post("/v1/jobs", json=[ROW]).json()
    until(lambda: deliveries(service, state="delivered"))
    [(headers, body)] = receiver.received
    message = Verifier(hook["secret"]).verify(body, headers)
    assert (message["type"], message["data"]["id"], message["data"]["state"]) == ("job.finished", job["id"], "finished")
    assert b"xylophone" not in body
    with pytest.raises(WebhookVerificationError):
        Verifier(hook["secret"]).verify(body + b" ", headers)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_review_is_told_of_without_naming_anybody(service: TestClient, receiver: Receiver, sender: Sender) -> None:
    service.post("/v1/webhooks", json={"url": receiver.url})
    result_id = reviewed(service)
    send_all(sender)
    send_all(sender)
    [(_, body)] = receiver.received
    message = json.loads(body)
    assert message["type"] == "review.decided"
    assert set(message["data"]) == {"result_id", "review_id", "decision", "score", "mark"}
    assert message["data"]["result_id"] == result_id
    assert b"s1" not in body.replace(result_id.encode(), b"").replace(message["data"]["review_id"].encode(), b"")


def test_only_who_wants_to_hear_is_told(service: TestClient, make_key: MakeKey) -> None:
    north, south = make_key(Scope.ADMIN, tenant="north"), make_key(Scope.ADMIN, tenant="south")
    for headers, events in ((north, ["job.finished"]), (south, ["review.decided"])):
        service.post("/v1/webhooks", json={"url": "https://a.example/", "events": events}, headers=headers)
    reviewed(service, north)
    assert service.get("/v1/deliveries", headers=north).json()["deliveries"] == []
    assert service.get("/v1/deliveries", headers=south).json()["deliveries"] == []


@pytest.mark.parametrize("status", [500, 404, 302])
def test_message_is_tried_again_dies_and_can_be_replayed(
    service: TestClient, database: Database, receiver: Receiver, sender: Sender, status: int
) -> None:
    receiver.status = status
    service.post("/v1/webhooks", json={"url": receiver.url})
    reviewed(service)
    for attempt in range(1, len(PAUSES) + 2):
        send_all(sender)
        send_all(sender)
        [delivery] = deliveries(service)
        assert (delivery["attempts"], len(receiver.received)) == (attempt, attempt), "not before its time"
        assert delivery["problem"] == f"The address answered with status {status}."
        with database.system() as session:
            session.execute(update(Delivery).values(due_at=now() - timedelta(seconds=1)))
    assert [delivery["id"]] == [each["id"] for each in deliveries(service, state="dead")]
    receiver.status = 200
    assert service.post(f"/v1/deliveries/{delivery['id']}/replay").json()["state"] == "waiting"
    send_all(sender)
    [delivery] = deliveries(service)
    assert (delivery["state"], delivery["attempts"], delivery["problem"]) == ("delivered", 1, None)
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://0/",
    ],
)
def test_private_targets_are_refused_when_they_are_to_be_called(
    service: TestClient, database: Database, receiver: Receiver, url: str
) -> None:
    service.post("/v1/webhooks", json={"url": url})
    service.post("/v1/webhooks", json={"url": receiver.url})
    reviewed(service)
    send_all(Sender(database=database, private_targets=False))
    assert receiver.received == []
    assert [delivery["problem"] for delivery in deliveries(service)] == [
        "The address is in a private network, which GRADER_WEBHOOK_PRIVATE_TARGETS does not allow."
    ] * 2


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.0.0.8", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("::10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("2002:a00:1::", False),
        ("2001:0:a00:1::", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_public_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def test_name_that_stands_for_a_private_address_among_others_is_refused(
    service: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(0, 0, 0, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr("asyncio.base_events.socket.getaddrinfo", lambda *_, **__: found)
    service.post("/v1/webhooks", json={"url": "https://rebound.example/"})
    reviewed(service)
    send_all(Sender(database=database, private_targets=False))
    [delivery] = deliveries(service)
    assert "private network" in delivery["problem"]


def test_address_that_answers_byte_by_byte_is_left(service: TestClient, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.sending._TIMEOUT_S", 0.5)
    done = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not done.wait(0.1):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{listening.getsockname()[1]}/"})
        reviewed(service)
        send_all(sender)
        done.set()
        thread.join()
    [delivery] = deliveries(service)
    assert (delivery["attempts"], delivery["problem"]) == (1, "The address could not be called: TimeoutError.")


def test_there_is_an_end_of_webhooks(service: TestClient, assert_problem: AssertProblem) -> None:
    sent = [service.post("/v1/webhooks", json={"url": "https://a.example/hook"}) for _ in range(21)]
    assert {response.status_code for response in sent[:20]} == {200}
    assert_problem(sent[20], 409, "too-many-webhooks")


def test_address_that_cannot_be_called_is_a_failed_attempt(service: TestClient, sender: Sender) -> None:
    service.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/"})
    reviewed(service)
    send_all(sender)
    [delivery] = deliveries(service)
    assert (delivery["state"], delivery["problem"]) == ("waiting", "The address could not be called: ConnectError.")


def test_secret_is_shown_once(service: TestClient) -> None:
    created = service.post("/v1/webhooks", json={"url": "https://a.example/hook"}).json()
    assert created["secret"].startswith("whsec_")
    assert service.get("/v1/webhooks").json()["webhooks"] == [{k: v for k, v in created.items() if k != "secret"}]


def test_webhook_goes_with_its_messages(service: TestClient, database: Database, assert_problem: AssertProblem) -> None:
    hook = service.post("/v1/webhooks", json={"url": "https://a.example/hook"}).json()
    reviewed(service)
    assert service.delete(f"/v1/webhooks/{hook['id']}").json() == {"deliveries": 1}
    assert_problem(service.delete(f"/v1/webhooks/{hook['id']}"), 404, "webhook-not-found")
    with database.system(read_only=True) as session:
        assert session.scalars(select(Delivery)).all() == []


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "a.example", "javascript:alert(1)", "https://" + "a" * 2_000, "https://me:secret@a.example/", 5],
)
def test_what_is_no_address_is_refused(service: TestClient, assert_problem: AssertProblem, url: Any) -> None:
    assert_problem(service.post("/v1/webhooks", json={"url": url}), 422, "invalid-request", ["body", "url"])
