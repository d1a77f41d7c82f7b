"""Measures for Prometheus: what was asked and graded, and nothing about whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.keys import Scope

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off.", "subject_id": "zebra"}


def samples(client: TestClient, headers: dict[str, str]) -> dict[tuple[str, ...], float]:
    response = client.get("/metrics", headers=headers)
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "zebra" not in response.text
    families = text_string_to_metric_families(response.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_requests_and_answers_are_counted(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.ADMIN)
    before = samples(service, headers)
    service.post("/v1/grades", json=ROW, headers=headers)
    service.post("/v1/grades/batch", json=[ROW, ROW, {"bad": 1}], headers=headers)
    result_id = service.post("/v1/grades", json={**ROW, "store": True}, headers=headers).json()["result_id"]
    service.post(f"/v1/results/{result_id}/reviews", json={"decision": "accept"}, headers=headers)
    service.get("/v1/results/zebra", headers=headers)
    service.get("/zebra", headers=headers)
    after = samples(service, headers)

    def more(*name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    assert more("grader_requests_total", "POST", "/v1/grades", "200") == 2
    assert more("grader_requests_total", "GET", "/v1/results/{result_id}", "422") == 1
    assert more("grader_requests_total", "GET", "none", "404") == 1
    assert more("grader_request_seconds_count", "POST", "/v1/grades/batch") == 1
    assert more("grader_answers_graded_total") == 4
    assert more("grader_reviews_total", "accept") == 1
    # The answer and its clauses, and the passages of the item at its first use only; the second single one is known.
    assert more("grader_encoder_batch_texts_count") >= 2
    assert more("grader_cache_lookups_total", "answers", "miss") == 1
    assert more("grader_cache_lookups_total", "answers", "hit") == 1
    assert after["grader_waiting",] == 0
    assert more("grader_encoder_batch_texts_sum") >= more("grader_encoder_batch_texts_count")
    assert more("grader_cache_lookups_total", "profiles", "hit") >= 1
    assert more("grader_cache_lookups_total", "profiles", "miss") <= 1
    assert after["grader_in_flight",] == 0


def test_rows_of_jobs_are_counted_while_they_wait(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.ADMIN)
    job = service.post("/v1/jobs", json=[ROW, ROW], headers=headers).json()
    assert samples(service, headers)["grader_job_rows_waiting",] == 2
    service.post(f"/v1/jobs/{job['id']}/cancel", headers=headers)
    assert samples(service, headers)["grader_job_rows_waiting",] == 0


def test_messages_are_counted_while_they_wait(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.ADMIN)
    service.post("/v1/webhooks", json={"url": "https://a.example/hook"}, headers=headers)
    result_id = service.post("/v1/grades", json={**ROW, "store": True}, headers=headers).json()["result_id"]
    service.post(f"/v1/results/{result_id}/reviews", json={"decision": "accept"}, headers=headers)
    assert samples(service, headers)["grader_webhook_messages_waiting",] == 1


def test_measures_need_the_scope_admin(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    others = make_key(*(scope for scope in Scope if scope is not Scope.ADMIN))
    assert_problem(service.get("/metrics", headers=others), 403, "scope-missing")
