"""Traces tell what happened to requests and chunks, and neither who was concerned nor what was written."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from api.jobs.work import Work
from api.metrics import Metrics
from api.settings import TraceSettings
from api.storage.database import Database
from grader import Grader, ItemBank

ROW = {"item_id": "dropout", "candidate_answer": "The zebra switches off neurons.", "subject_id": "walrus", "attempt_id": "okapi"}
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("api.tracing.trace.get_tracer", provider.get_tracer)
    # FastAPI's own traces would go here, were they not turned off.
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    return exporter


def texts(exporter: InMemorySpanExporter) -> str:
    return "".join(span.to_json() for span in exporter.get_finished_spans())


def test_requests_are_traced_by_their_routes(service: TestClient, spans: InMemorySpanExporter) -> None:
    service.post("/v1/grades", json={**ROW, "store": True}, headers={"traceparent": PARENT})
    service.get("/v1/results?subject_id=walrus&attempt_id=okapi")
    service.delete("/v1/subjects/walrus")
    service.get("/walrus")
    graded, listed, erased, unknown = spans.get_finished_spans()
    assert [span.name for span in (listed, erased, unknown)] == [
        "GET /v1/results", "DELETE /v1/subjects/{subject_id}", "GET none"
    ]  # fmt: skip
    assert graded.kind is SpanKind.SERVER
    assert graded.attributes == {
        "http.request.method": "POST", "http.route": "/v1/grades", "http.response.status_code": 200
    }  # fmt: skip
    assert graded.parent is not None
    assert f"{graded.parent.span_id:016x}" == "b" * 16
    assert not any(word in texts(spans) for word in ("zebra", "walrus", "okapi"))


def test_chunks_are_traced(service: TestClient, spans: InMemorySpanExporter, work: Work) -> None:
    job_id = service.post("/v1/jobs", json=[ROW, ROW]).json()["id"]
    spans.clear()
    work.grade_chunk(job_id, 0, 0)
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind) == ("grade chunk", SpanKind.CONSUMER)
    assert span.attributes == {
        "grader.job.id": job_id, "grader.chunk.number": 0, "grader.job.run": 0, "grader.chunk.rows": 2
    }  # fmt: skip
    assert not any(word in texts(spans) for word in ("zebra", "walrus", "okapi"))


def test_of_an_error_only_the_class_is_traced(
    service: TestClient, spans: InMemorySpanExporter, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = service.post("/v1/jobs", json=[ROW]).json()["id"]
    spans.clear()

    def fail(*_: Any) -> None:
        raise OSError("no room for the zebra")

    monkeypatch.setattr(Work, "_write_down", fail)
    with pytest.raises(OSError, match="zebra"):
        work.grade_chunk(job_id, 0, 0)
    [span] = spans.get_finished_spans()
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.status.status_code, span.events) == ("OSError", StatusCode.ERROR, ())
    assert "zebra" not in texts(spans)


@pytest.fixture
def work(database: Database, real_grader: Grader, shipped_bank: ItemBank) -> Work:
    return Work(database=database, bank=shipped_bank, grader=real_grader, metrics=Metrics())


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Run a collector of traces; give its address and what it got."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


PROGRAM = """
from api.settings import TraceSettings
from api.tracing import chunk_span, configure
configure(TraceSettings())
with chunk_span("some-job", 1, 0):
    pass
"""


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | variables
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)


def test_standard_variables_say_where_traces_go(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    address, received = collector
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=address).returncode == 0
    [(path, body)] = received
    assert path == "/v1/traces"
    assert b"grade chunk" in body
    assert b"answer-grader" in body
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_SDK_DISABLED="true").returncode == 0
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_TRACES_EXPORTER="none").returncode == 0
    assert len(received) == 1
    assert run(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_SERVICE_NAME="north").returncode == 0
    assert b"north" in received[1][1]


def test_exporter_that_is_not_there_stops_the_start() -> None:
    done = run(OTEL_TRACES_EXPORTER="smoke")
    assert done.returncode != 0
    assert "asks for the exporter 'smoke', and none of this name is installed" in done.stderr


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp_proto_http"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, "otlp_proto_http"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_nothing_is_sent_unasked(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: str | None) -> None:
    for name in ("TRACES_EXPORTER", "EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_TRACES_ENDPOINT", "SDK_DISABLED"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TraceSettings().wanted_exporter() == wanted
