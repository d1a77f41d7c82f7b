"""Many answers over HTTP: order is kept, and a bad row costs nobody else a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off during training."}
OWN = {"item": {"reference_answers": [{"text": "Air scatters blue light."}]}, "candidate_answer": "Blue light is scattered."}

# A bad row, the problem it gets, and the field that the problem names after `body.rows.<index>`.
BAD_ROWS: dict[str, tuple[object, int, str, list[str | int]]] = {
    "not-an-object": (17, 422, "invalid-request", []),
    "null": (None, 422, "invalid-request", []),
    "list": ([ROW], 422, "invalid-request", []),
    "empty-object": ({}, 422, "invalid-request", ["candidate_answer"]),
    "no-item": ({"candidate_answer": "x"}, 422, "invalid-request", []),
    "two-items": ({**ROW, **OWN}, 422, "invalid-request", []),
    "unknown-item": ({**ROW, "item_id": "no-such-item"}, 404, "item-not-found", ["item_id"]),
    "answer-of-wrong-type": ({**ROW, "candidate_answer": 5}, 422, "invalid-request", ["candidate_answer"]),
    "answer-too-long": ({**ROW, "candidate_answer": "x" * 20_001}, 422, "invalid-request", ["candidate_answer"]),
    "answer-with-nul": ({**ROW, "candidate_answer": "a\x00b"}, 422, "invalid-request", ["candidate_answer"]),
    "unknown-field": ({**ROW, "answer": "x"}, 422, "invalid-request", ["answer"]),
    "item-without-references": (
        {"item": {"reference_answers": []}, "candidate_answer": "x"},
        422,
        "invalid-request",
        ["item", "reference_answers"],
    ),
}


def test_list_and_object_are_the_same_batch(client: TestClient) -> None:
    rows = [{**ROW, "attempt_id": "first"}, OWN]
    as_object = client.post("/v1/grades/batch", json={"rows": rows})
    as_list = client.post("/v1/grades/batch", json=rows)
    assert as_object.status_code == 200
    assert as_object.content == as_list.content
    body = as_object.json()
    assert (body["graded"], body["failed"]) == (2, 0)
    assert [row["index"] for row in body["rows"]] == [0, 1]
    assert body["rows"][0]["result"]["attempt_id"] == "first"
    assert "item_id" not in body["rows"][1]["result"]


@pytest.mark.parametrize(("row", "status", "slug", "field"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_has_a_problem_and_the_others_a_result(
    client: TestClient, row: object, status: int, slug: str, field: list[str | int]
) -> None:
    response = client.post("/v1/grades/batch", json=[ROW, row, OWN])
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["graded"], body["failed"]) == (2, 1)
    assert [sorted(r) for r in body["rows"]] == [["index", "result"], ["index", "problem"], ["index", "result"]]
    problem = body["rows"][1]["problem"]
    assert (problem["status"], problem["type"]) == (status, f"/problems/{slug}")
    assert ["body", "rows", 1, *field] in [error["loc"] for error in problem["errors"]]


def test_lone_surrogate_in_a_row_is_a_problem_of_that_row(client: TestClient) -> None:
    content = (
        rb'[{"item_id":"dropout","candidate_answer":"\ud800"},{"item_id":"dropout","candidate_answer":"a","\udfff":1},"\ud800"]'
    )
    body = client.post("/v1/grades/batch", content=content, headers={"content-type": "application/json"}).json()
    assert (body["graded"], body["failed"]) == (0, 3)
    assert body["rows"][0]["problem"]["errors"][0]["loc"] == ["body", "rows", 0, "candidate_answer"]


def test_batch_of_bad_rows_only_is_an_answer_too(client: TestClient) -> None:
    body = client.post("/v1/grades/batch", json=[{}] * 1_000).json()
    assert (body["graded"], body["failed"], len(body["rows"])) == (0, 1_000, 1_000)


def test_largest_batch_is_graded_in_order(client: TestClient) -> None:
    rows = [{**ROW, "attempt_id": str(n)} for n in range(1_000)]
    body = client.post("/v1/grades/batch", json=rows).json()
    assert [row["result"]["attempt_id"] for row in body["rows"]] == [str(n) for n in range(1_000)]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ([], ["body", "rows"]),
        ({"rows": []}, ["body", "rows"]),
        ([ROW] * 1_001, ["body", "rows"]),
        ({"rows": ROW}, ["body", "rows"]),
        ({}, ["body", "rows"]),
        ({"rows": [ROW], "row": 1}, ["body", "row"]),
        (None, ["body"]),
        ("rows", ["body"]),
    ],
    ids=["empty-list", "empty-rows", "1001-rows", "rows-not-a-list", "empty-object", "unknown-field", "null", "text"],
)
def test_batch_that_is_none_is_a_problem(
    client: TestClient, assert_problem: Callable[..., Any], body: object, loc: list[str | int]
) -> None:
    content = json.dumps(body)
    response = client.post("/v1/grades/batch", content=content, headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid-request", loc)
