"""Whatever a client sends, it gets a problem that says what is wrong, and never an internal error."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from api.app import create_app
from api.dependencies import get_grader
from api.keys import Scope
from api.settings import Settings
from grader import EncoderError, Gradable, GradingResult

MakeKey = Callable[..., dict[str, str]]
AssertProblem = Callable[..., dict[str, Any]]
OpenClient = Callable[[ASGIApp], TestClient]
JSON = {"content-type": "application/json"}
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}
REFERENCE = b'"reference_answers":[{"text":"Air scatters blue light."}]'

# Bytes sent as JSON to /v1/grades, the problem they get, and the field that it names.
BAD_BODIES: dict[str, tuple[bytes, int, str, list[str | int] | None]] = {
    "no-body": (b"", 422, "invalid-request", ["body"]),
    "not-json": (b"dropout", 400, "malformed-body", None),
    "half-json": (b'{"item_id": "dropout", "candidate_answer": ', 400, "malformed-body", None),
    "deep-list": (b"[" * 200_000 + b"]" * 200_000, 400, "malformed-body", None),
    "deep-object": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "malformed-body", None),
    "deep-item": (
        b'{"candidate_answer":"x","item":' + b'{"question":' * 400 + b"1" + b"}" * 401,
        422,
        "invalid-request",
        ["body", "item", "question"],
    ),
    "invalid-utf-8": (b'{"item_id":"dropout","candidate_answer":"\xff\xfe"}', 400, "malformed-body", None),
    "answer-with-lone-surrogate-in-bytes": (
        b'{"item_id":"dropout","candidate_answer":"\xed\xa0\x80"}',
        422,
        "invalid-request",
        ["body", "candidate_answer"],
    ),
    "raw-nul": (b'{"item_id":"dropout","candidate_answer":"a\x00b"}', 400, "malformed-body", None),
    "number-of-6000-digits": (b'{"item_id":' + b"9" * 6_000 + b"}", 400, "malformed-body", None),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", 400, "malformed-body", None),
    "null": (b"null", 422, "invalid-request", ["body"]),
    "list": (b"[]", 422, "invalid-request", ["body"]),
    "text": (b'"dropout"', 422, "invalid-request", ["body"]),
    "nothing-in-it": (b"{}", 422, "invalid-request", ["body", "candidate_answer"]),
    "no-answer": (b'{"item_id":"dropout"}', 422, "invalid-request", ["body", "candidate_answer"]),
    "no-item": (b'{"candidate_answer":"x"}', 422, "invalid-request", ["body"]),
    "two-items": (
        b'{"item_id":"dropout","item":{' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body"],
    ),
    "unknown-item": (b'{"item_id":"no-such-item","candidate_answer":"x"}', 404, "item-not-found", ["body", "item_id"]),
    "item-id-with-nul": (b'{"item_id":"a\\u0000b","candidate_answer":"x"}', 404, "item-not-found", ["body", "item_id"]),
    "item-id-empty": (b'{"item_id":"","candidate_answer":"x"}', 422, "invalid-request", ["body", "item_id"]),
    "item-id-of-wrong-type": (b'{"item_id":["dropout"],"candidate_answer":"x"}', 422, "invalid-request", ["body", "item_id"]),
    "item-id-surrogate": (b'{"item_id":"\\ud800","candidate_answer":"x"}', 422, "invalid-request", ["body", "item_id"]),
    "answer-null": (b'{"item_id":"dropout","candidate_answer":null}', 422, "invalid-request", ["body", "candidate_answer"]),
    "answer-number": (b'{"item_id":"dropout","candidate_answer":1}', 422, "invalid-request", ["body", "candidate_answer"]),
    "answer-list": (b'{"item_id":"dropout","candidate_answer":["x"]}', 422, "invalid-request", ["body", "candidate_answer"]),
    "answer-nan": (b'{"item_id":"dropout","candidate_answer":NaN}', 422, "invalid-request", ["body", "candidate_answer"]),
    "answer-of-20001": (
        b'{"item_id":"dropout","candidate_answer":"' + b"x" * 20_001 + b'"}',
        422,
        "invalid-request",
        ["body", "candidate_answer"],
    ),
    "answer-with-nul": (
        b'{"item_id":"dropout","candidate_answer":"a\\u0000b"}',
        422,
        "invalid-request",
        ["body", "candidate_answer"],
    ),
    "answer-with-lone-surrogate": (
        b'{"item_id":"dropout","candidate_answer":"a\\ud800b"}',
        422,
        "invalid-request",
        ["body", "candidate_answer"],
    ),
    "field-name-with-lone-surrogate": (b'{"candidate_answer":"x","\\udfff":1}', 422, "invalid-request", ["body"]),
    "unknown-field": (b'{"item_id":"dropout","candidate_answer":"x","mark":1}', 422, "invalid-request", ["body", "mark"]),
    "unknown-field-of-10000": (
        b'{"item_id":"dropout","candidate_answer":"x","' + b"m" * 10_000 + b'":1}',
        422,
        "invalid-request",
        ["body", "m" * 80],
    ),
    "attempt-id-of-201": (
        b'{"item_id":"dropout","candidate_answer":"x","attempt_id":"' + b"a" * 201 + b'"}',
        422,
        "invalid-request",
        ["body", "attempt_id"],
    ),
    "attempt-id-empty": (
        b'{"item_id":"dropout","candidate_answer":"x","attempt_id":""}',
        422,
        "invalid-request",
        ["body", "attempt_id"],
    ),
    "attempt-id-with-newline": (
        b'{"item_id":"dropout","candidate_answer":"x","attempt_id":"a\\nb"}',
        422,
        "invalid-request",
        ["body", "attempt_id"],
    ),
    "mark-infinite": (
        b'{"item":{"max_mark":Infinity,' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "max_mark"],
    ),
    "mark-huge": (
        b'{"item":{"max_mark":1e300,' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "max_mark"],
    ),
    "mark-of-4000-digits": (
        b'{"item":{"max_mark":' + b"9" * 4_000 + b"," + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "max_mark"],
    ),
    "step-nan": (
        b'{"item":{"mark_step":NaN,' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "mark_step"],
    ),
    "step-beyond-floats": (
        b'{"item":{"mark_step":1e999,' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "mark_step"],
    ),
    "no-references": (
        b'{"item":{"reference_answers":[]},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "reference_answers"],
    ),
    "reference-with-nul": (
        b'{"item":{"reference_answers":[{"text":"a\\u0000b"}]},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "reference_answers", 0, "text"],
    ),
    "reference-without-words": (
        b'{"item":{"reference_answers":[{"text":"?!"}]},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item", "reference_answers", 0, "text"],
    ),
    "key-points-share-an-id": (
        b'{"item":{"key_points":[{"id":"a","text":"b"},{"id":"a","text":"c"}],' + REFERENCE + b'},"candidate_answer":"x"}',
        422,
        "invalid-request",
        ["body", "item"],
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_is_a_problem_that_names_the_field(client: TestClient, assert_problem: AssertProblem, name: str) -> None:
    content, status, slug, loc = BAD_BODIES[name]
    response = client.post("/v1/grades", content=content, headers=JSON)
    assert_problem(response, status, slug, loc)
    assert len(response.content) < 2_000
    declared = client.get("/openapi.json").json()["paths"]["/v1/grades"]["post"]["responses"]
    assert slug in declared[str(status)]["content"]["application/problem+json"]["examples"]


@pytest.mark.parametrize("path", ["/v1/grades", "/v1/grades/batch"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b'"\xff"', b"\x00", b"\xef\xbb\xbf", b"NaN", b"1e999", b'{"rows":{"rows":[]}}', b'"\\ud800"'],
)
def test_no_body_at_either_route_is_an_internal_error(client: TestClient, path: str, content: bytes) -> None:
    assert client.post(path, content=content, headers=JSON).status_code in {400, 422}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["rows", "item", "item_id", "candidate_answer", "question"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(value=json_values)
def test_no_json_is_an_internal_error(client: TestClient, value: object) -> None:
    content = json.dumps(value).encode()
    assert client.post("/v1/grades", content=content, headers=JSON).status_code == 422
    row = client.post("/v1/grades/batch", content=b'{"rows":[%s]}' % content, headers=JSON)
    assert row.json()["rows"][0]["problem"]["status"] in {404, 422}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(answer=st.text(st.characters(codec="utf-8")))
def test_any_text_is_graded_or_refused(client: TestClient, answer: str) -> None:
    response = client.post("/v1/grades", json={"item_id": "dropout", "candidate_answer": answer})
    assert response.status_code == (422 if "\x00" in answer else 200), response.text


@pytest.mark.parametrize("path", ["/v1/grades", "/v1/grades/batch"])
@pytest.mark.parametrize("media_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "🙂"])
def test_body_that_is_not_declared_as_json_is_a_problem(
    client: TestClient, assert_problem: AssertProblem, path: str, media_type: str | None
) -> None:
    headers = [] if media_type is None else [(b"content-type", media_type.encode())]
    response = client.post(path, content=json.dumps(ROW), headers=headers)
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/v1/items/a/b", "/static-offline-docs/none.js", "/%00", "/🙂"])
def test_unknown_address_is_a_problem(client: TestClient, assert_problem: AssertProblem, path: str) -> None:
    assert_problem(client.get(path), 404, "route-not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/grades", "POST"),
        ("DELETE", "/v1/items", "GET"),
        ("PUT", "/v1/items/dropout", "GET"),
        ("POST", "/livez", "GET"),
    ],
)
def test_wrong_method_is_a_problem_that_names_the_right_one(
    client: TestClient, assert_problem: AssertProblem, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


def test_problem_repeats_nothing_of_what_was_sent(client: TestClient) -> None:
    words = "the-candidates-own-words"
    bodies = [
        {"item_id": "dropout", "candidate_answer": words + "\x00"},
        {"item_id": "dropout", "candidate_answer": words * 1_000},
        {"item_id": "dropout", "candidate_answer": [words]},
        {"item_id": "dropout", "candidate_answer": "x", "extra": words},
        {"item": {"question": words + "\x00", "reference_answers": [{"text": words}]}, "candidate_answer": "x"},
    ]
    for body in bodies:
        for response in (client.post("/v1/grades", json=body), client.post("/v1/grades/batch", json=[body])):
            assert "invalid-request" in response.text
            assert words not in response.text


class BrokenGrader:
    """A grader that fails, with the answer in its error."""

    signature = "broken"

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        raise self.kind(f"{item.max_mark} {candidate_answer}")


@pytest.mark.parametrize("kind", [EncoderError, RuntimeError, RecursionError, MemoryError])
def test_failure_of_the_server_is_a_problem_without_details(
    settings: Settings, open_client: OpenClient, assert_problem: AssertProblem, kind: type[Exception]
) -> None:
    app = create_app(settings.model_copy(update={"max_in_flight": 1}))
    app.dependency_overrides[get_grader] = lambda: BrokenGrader(kind)
    with open_client(app) as client:
        # Twice: the place of a request that failed is given back.
        for _ in range(2):
            response = client.post("/v1/grades", json=ROW)
            problem = assert_problem(response, 500, "internal-error")
            assert problem["detail"] == "Something went wrong on the server. The request was not carried out."
            assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/jobs"), ("POST", "/v1/grades"), ("GET", "/v1/items")])
def test_request_that_breaks_off_is_no_fault_of_the_server(
    service: TestClient, make_key: MakeKey, method: str, path: str
) -> None:
    key = make_key(Scope.GRADE)["authorization"].encode()
    first: Message = {"type": "http.request", "body": b"[", "more_body": True}
    gone: Message = {"type": "http.disconnect"}
    came = chain([first], repeat(gone))
    sent: list[Message] = []

    async def receive() -> Message:
        return next(came)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"authorization", key)],
        "server": ("127.0.0.1", 80), "client": None, "state": service.app_state,
    }  # fmt: skip
    assert service.portal is not None
    service.portal.call(service.app, scope, receive, send)
    assert sent[0]["status"] == 400
