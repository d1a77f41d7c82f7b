"""Stored results: kept as they were given, found again, exported, deleted, erased."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, func, select

from api.keys import Scope
from api.results import Results
from api.storage.database import Database, Store
from api.storage.tables import GradedItem, Replay, Result
from api.stored import ResultFilter, StoredFilter

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ANSWER = "Random neurons are switched off during training."
ROW = {"item_id": "dropout", "candidate_answer": ANSWER}
OWN = {"question": "Why is the sky blue?", "reference_answers": [{"text": "Air scatters blue light more than red light."}]}


def stored(service: TestClient, **options: Any) -> str:
    response = service.post("/v1/grades", json={**ROW, "store": True, **options})
    assert response.status_code == 200, response.text
    return str(response.json()["result_id"])


def listed(service: TestClient, **query: Any) -> list[str]:
    response = service.get("/v1/results", params=query)
    assert response.status_code == 200, response.text
    return [result["id"] for result in response.json()["results"]]


def test_result_is_stored_as_it_was_given(service: TestClient, database: Database) -> None:
    body = {**ROW, "store": True, "attempt_id": "a1", "subject_id": "s1"}
    given = service.post("/v1/grades", json=body).json()
    kept = service.get(f"/v1/results/{given['result_id']}").json()
    ids = {name: given.pop(name) for name in ("item_id", "attempt_id", "subject_id", "result_id")}
    assert kept["result"] == given
    assert (kept["id"], kept["item_id"], kept["attempt_id"], kept["subject_id"]) == (ids["result_id"], "dropout", "a1", "s1")
    assert (kept["bank_id"], kept["item_version"], kept["key_name"]) == ("shipped", "2026.3", "local")
    assert given["signature"].endswith(f"|item-{kept['content_hash'][:12]}")
    assert (kept["candidate_answer"], kept["replaces_id"], kept["replaced"]) == (ANSWER, None, False)
    assert 0 < kept["grading_ms"] < 60_000
    assert datetime.now(UTC) - datetime.fromisoformat(kept["created_at"]) < timedelta(minutes=1)


def test_nothing_is_stored_unless_it_is_wanted(service: TestClient) -> None:
    for body in (ROW, {**ROW, "store": False}, {**ROW, "store": None}):
        assert "result_id" not in service.post("/v1/grades", json=body).json()
    assert listed(service) == []


def test_key_can_store_by_default_and_a_request_say_otherwise(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.GRADE, Scope.READ_RESULTS, store_results=True)
    first = service.post("/v1/grades", json=ROW, headers=headers).json()["result_id"]
    assert "result_id" not in service.post("/v1/grades", json={**ROW, "store": False}, headers=headers).json()
    rows = service.post("/v1/grades/batch", json={"rows": [ROW, ROW], "store": False}, headers=headers).json()["rows"]
    assert ["result_id" in row["result"] for row in rows] == [False, False]
    results = service.get("/v1/results", headers=headers).json()["results"]
    assert [(result["id"], result["key_name"]) for result in results] == [(first, "quiz")]


def test_batch_stores_the_rows_that_want_it(service: TestClient) -> None:
    rows = [{**ROW, "attempt_id": "a0"}, {**ROW, "item_id": "none"}, {**ROW, "store": False}, {**ROW, "attempt_id": "a3"}]
    answered = service.post("/v1/grades/batch", json={"rows": rows, "store": True}).json()["rows"]
    ids = [row.get("result", {}).get("result_id") for row in answered]
    assert [each is not None for each in ids] == [True, False, False, True]
    assert {service.get(f"/v1/results/{i}").json()["attempt_id"] for i in ids if i} == {"a0", "a3"}


def test_own_item_is_kept_once_with_what_was_held_against_it(service: TestClient, database: Database) -> None:
    body = {"item": OWN, "candidate_answer": "Blue light is scattered.", "store": True}
    ids = [service.post("/v1/grades", json=body).json()["result_id"] for _ in range(2)]
    kept = [service.get(f"/v1/results/{i}").json() for i in ids]
    assert [(each["bank_id"], each["item_id"], each["item_version"]) for each in kept] == [(None, None, None)] * 2
    with Store(database, "local").read() as session:
        [item] = session.scalars(select(GradedItem)).all()
    assert item.content_hash == kept[0]["content_hash"] == kept[1]["content_hash"]
    assert json.loads(item.body)["reference_answers"][0]["text"] == OWN["reference_answers"][0]["text"]  # type: ignore[index]


def test_pages_hold_every_result_once_while_new_ones_come(service: TestClient) -> None:
    made = [stored(service, attempt_id=f"a{at}") for at in range(7)]
    seen, cursor = [], None
    for _ in range(3):
        page = service.get("/v1/results", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [result["id"] for result in page["results"]]
        cursor = page["next_cursor"]
        stored(service, attempt_id="late")
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7
    assert cursor is None


def test_filters_hold_together(service: TestClient) -> None:
    first = stored(service, attempt_id="a", subject_id="s")
    second = stored(service, attempt_id="b", subject_id="s", candidate_answer="No idea.")
    third = stored(service, item_id="overfitting", attempt_id="a")
    assert set(listed(service, attempt_id="a")) == {first, third}
    assert listed(service, attempt_id="a", subject_id="s") == [first]
    assert listed(service, item_id="overfitting", bank_id="shipped") == [third]
    assert listed(service, bank_id="other") == []
    assert second in listed(service, max_score=0.3)
    assert second not in listed(service, min_score=0.3)
    assert set(listed(service, needs_review=True)) | set(listed(service, needs_review=False)) == {first, second, third}
    moment = datetime.now(UTC)
    assert len(listed(service, created_before=moment.isoformat())) == 3
    assert listed(service, created_from=(moment + timedelta(seconds=1)).isoformat()) == []


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=" + "g" * 32, "limit=0", "limit=101", "min_score=2", "min_score=nan", "created_from=2026-01-01T00:00:00",
     "created_before=soon", "attempt_id=%00", "subject_id=a%0ab", "attempt_id=", "extra=1", "attempt_id=" + "x" * 201],
)  # fmt: skip
def test_filter_that_cannot_be_is_a_problem(service: TestClient, assert_problem: AssertProblem, query: str) -> None:
    assert_problem(service.get(f"/v1/results?{query}"), 422, "invalid-request")


@pytest.mark.parametrize(
    ("result_id", "status", "slug"),
    [
        ("0" * 32, 404, "result-not-found"),
        ("x", 422, "invalid-request"),
        ("%00", 422, "invalid-request"),
        ("'--", 422, "invalid-request"),
    ],
)
def test_unknown_result_is_a_problem(
    service: TestClient, assert_problem: AssertProblem, result_id: str, status: int, slug: str
) -> None:
    assert_problem(service.get(f"/v1/results/{result_id}"), status, slug)


@pytest.mark.parametrize("name", ["attempt_id", "subject_id"])
@pytest.mark.parametrize("value", ["\ud800", "a\x00b", "\x1f", "", "x" * 201, 7, ["x"]])
def test_id_that_cannot_be_stored_is_refused(
    service: TestClient, assert_problem: AssertProblem, name: str, value: object
) -> None:
    body = json.dumps({**ROW, "store": True, name: value})
    response = service.post("/v1/grades", content=body, headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid-request", ["body", name])


@pytest.mark.parametrize("value", ["'; DROP TABLE results; --", "%", "Ünï 🙂", "\u200b\u202e", "x" * 200])
def test_any_other_id_is_stored_and_found(service: TestClient, value: str) -> None:
    assert listed(service, attempt_id=value) == []
    made = stored(service, attempt_id=value, subject_id=value)
    assert listed(service, attempt_id=value) == listed(service, subject_id=value) == [made]


def test_export_holds_every_row_in_every_format(service: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.results._CHUNK_ROWS", 2)
    answers = ['=cmd|"/C calc"!A0', "Größe\nin two lines, with “quotes”", "@sum", "plain", "-1"]
    made = [stored(service, candidate_answer=answer) for answer in answers]
    by_id = dict(zip(made, answers, strict=True))

    response = service.get("/v1/results/export")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == "attachment; filename=results.csv"
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert sorted(row["id"] for row in rows) == sorted(made)
    harmless = {'=cmd|"/C calc"!A0': '\'=cmd|"/C calc"!A0', "@sum": "'@sum", "-1": "'-1"}
    assert {row["id"]: row["candidate_answer"] for row in rows} == {i: harmless.get(a, a) for i, a in by_id.items()}

    lines = [json.loads(line) for line in service.get("/v1/results/export?format=jsonl").text.splitlines()]
    assert {line["id"]: line["candidate_answer"] for line in lines} == by_id
    assert lines[0]["result"]["signature"] == lines[0]["signature"]

    table = pq.read_table(io.BytesIO(service.get("/v1/results/export?format=parquet").content))
    assert dict(zip(table["id"].to_pylist(), table["candidate_answer"].to_pylist(), strict=True)) == by_id
    assert table.schema.field("score").type == "double"
    assert table["created_at"][0].as_py().tzinfo is not None


def test_what_people_decided_stands_beside_the_machines_result_everywhere(service: TestClient, make_key: MakeKey) -> None:
    reader, others = make_key(Scope.READ_RESULTS, tenant="local"), make_key(Scope.REVIEW, tenant="local", name="others")
    local = make_key(Scope.ADMIN, tenant="local")
    service.headers.update(local)
    first, second, third = (stored(service, candidate_answer=answer) for answer in (ANSWER, "No idea.", ANSWER))
    for result_id, score, reviewer, headers in [
        (first, 0.1, "Ada", local),
        (first, 0.8, "Ada", local),
        (first, 0.4, "Ada", others),
        (first, 0.9, "Bob", others),
        (third, 1.0, "Bob", local),
    ]:
        body = {"decision": "override", "score": score, "reviewer": reviewer}
        assert service.post(f"/v1/results/{result_id}/reviews", json=body, headers=headers).status_code == 200
    names = ("reviews", "reviewed_score", "reviewed_mark")
    expected = {first: (3, pytest.approx(0.7), 7.0), second: (0, None, None), third: (1, 1.0, 10.0)}

    page = service.get("/v1/results", headers=reader).json()["results"]
    assert {row["id"]: tuple(row[name] for name in names) for row in page} == expected
    assert service.get(f"/v1/results/{first}", headers=reader).json() in page
    assert all(row["result"]["score"] != row["reviewed_score"] for row in page)
    lines = [json.loads(line) for line in service.get("/v1/results/export?format=jsonl", headers=reader).text.splitlines()]
    assert {line["id"]: tuple(line[name] for name in names) for line in lines} == expected
    assert {line["id"]: line["score"] for line in lines} == {row["id"]: row["result"]["score"] for row in page}
    table = pq.read_table(io.BytesIO(service.get("/v1/results/export?format=parquet", headers=reader).content))
    assert {row["id"]: tuple(row[name] for name in names) for row in table.to_pylist()} == expected
    assert [str(table.schema.field(name).type) for name in names] == ["int64", "double", "double"]
    rows = list(csv.DictReader(io.StringIO(service.get("/v1/results/export", headers=reader).text, newline="")))
    assert list(rows[0])[-3:] == list(names)
    assert {row["id"]: row["reviews"] for row in rows} == {first: "3", second: "0", third: "1"}
    assert {row["id"]: row["reviewed_mark"] for row in rows} == {first: "7.0", second: "", third: "10.0"}


def test_reviews_of_a_page_and_of_a_chunk_take_the_same_queries_however_many_there_are(
    service: TestClient, database: Database
) -> None:
    results, asked = Results(Store(database, "local")), 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    event.listen(database.engine, "before_cursor_execute", count)
    seen = []
    for _ in range(3):
        for _ in range(2):
            body = {"decision": "override", "score": 0.5}
            service.post(f"/v1/results/{stored(service)}/reviews", json=body)
        asked = 0
        assert {each.reviews for each in results.page(ResultFilter()).results} == {1}
        assert {decided.reviews for rows in results.every(StoredFilter()) for _, decided in rows} == {1}
        seen.append(asked)
    assert len(set(seen)) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_export_of_nothing_is_an_empty_file(service: TestClient, kind: str) -> None:
    content = service.get(f"/v1/results/export?format={kind}").content
    if kind == "parquet":
        assert pq.read_table(io.BytesIO(content)).num_rows == 0
    else:
        assert content.count(b"\n") == (1 if kind == "csv" else 0)


def test_export_keeps_to_its_filters(service: TestClient) -> None:
    stored(service, attempt_id="a")
    second = stored(service, attempt_id="b")
    lines = service.get("/v1/results/export", params={"format": "jsonl", "attempt_id": "b"}).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [second]


def test_results_of_an_attempt_are_deleted(service: TestClient, database: Database) -> None:
    stored(service, attempt_id="a")
    kept = stored(service, attempt_id="b")
    service.post("/v1/grades", json={**ROW, "attempt_id": "a"}, headers={"idempotency-key": "k1"})
    assert service.delete("/v1/results?attempt_id=a").json() == {"results": 1, "replays": 1, "job_rows": 0}
    assert listed(service) == [kept]
    assert service.delete("/v1/results?attempt_id=a").json() == {"results": 0, "replays": 0, "job_rows": 0}


def test_results_are_deleted_by_age(service: TestClient) -> None:
    stored(service)
    assert service.delete("/v1/results", params={"before": (datetime.now(UTC) - timedelta(days=1)).isoformat()}).json() == {
        "results": 0,
        "replays": 0,
        "job_rows": 0,
    }
    moment = datetime.now(UTC) + timedelta(seconds=1)
    assert service.delete("/v1/results", params={"before": moment.isoformat()}).json()["results"] == 1
    assert listed(service) == []


@pytest.mark.parametrize("query", ["", "?attempt_id=a&before=2026-01-01T00:00:00Z", "?before=2026-01-01", "?attempt_id="])
def test_deletion_has_to_name_one_thing(service: TestClient, assert_problem: AssertProblem, query: str) -> None:
    assert_problem(service.delete(f"/v1/results{query}"), 422, "invalid-request")


def test_person_is_erased_everywhere_in_one_call(service: TestClient, database: Database, assert_problem: AssertProblem) -> None:
    words = "xylophones are switched off"
    for at in range(2):
        stored(service, subject_id="sÿ\u200b1", attempt_id=f"a{at}", candidate_answer=words)
    rows = [{**ROW, "subject_id": "sÿ\u200b1", "candidate_answer": words}, {**ROW, "subject_id": "other"}]
    service.post("/v1/grades/batch", json={"rows": rows, "store": True}, headers={"idempotency-key": "k1"})
    service.post("/v1/grades", json=rows[0], headers={"idempotency-key": "k2"})
    other = listed(service, subject_id="other")
    assert service.delete("/v1/subjects/sÿ\u200b1").json() == {"results": 3, "replays": 2, "job_rows": 0}
    assert listed(service) == other
    with Store(database, "local").read() as session:
        assert session.scalar(select(func.count()).select_from(Replay)) == 0
        assert session.scalars(select(Result.candidate_answer)).all() == [ANSWER]
    assert_problem(service.delete("/v1/subjects/sÿ\u200b1"), 404, "subject-not-found")
    if database.is_sqlite:
        path = Path(str(database.url.database))
        files = [path, *path.parent.glob(path.name + "-wal")]
        assert b"xylophone" not in b"".join(file.read_bytes() for file in files)


@pytest.mark.parametrize(
    "subject_id", ["a/b", "/a", "a/", "//", "a//b", "../a", "..", "a/../b", "a/./b", "%", "a b?c#d;e", "a+b", "Ünï 🙂", "ل/x"]
)
def test_person_of_any_name_is_erased_and_nobody_else(
    service: TestClient, assert_problem: AssertProblem, subject_id: str
) -> None:
    stored(service, subject_id=subject_id)
    others = [stored(service, subject_id=name) for name in ("a", "b", "a-b")]
    # Dots too, as clients take ".." out of an address.
    address = "/v1/subjects/" + quote(subject_id, safe="").replace(".", "%2E")
    assert service.delete(address).json() == {"results": 1, "replays": 0, "job_rows": 0}
    assert listed(service) == others[::-1]
    assert_problem(service.delete(address), 404, "subject-not-found")


def test_person_without_a_name_cannot_be_erased(service: TestClient, assert_problem: AssertProblem) -> None:
    kept = stored(service, subject_id="a")
    assert_problem(service.delete("/v1/subjects/"), 422, "invalid-request", ["path", "subject_id"])
    assert_problem(service.delete("/v1/subjects/a%00b"), 422, "invalid-request", ["path", "subject_id"])
    assert listed(service) == [kept]


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        (Scope.READ_RESULTS, "GET /v1/results"),
        (Scope.READ_RESULTS, "GET /v1/results/export"),
        (Scope.READ_RESULTS, "GET /v1/results/" + "0" * 32),
        (Scope.ADMIN, "DELETE /v1/results?attempt_id=a"),
        (Scope.ADMIN, "DELETE /v1/subjects/s"),
    ],
)
def test_results_need_their_scope(
    service: TestClient, make_key: MakeKey, assert_problem: AssertProblem, scope: Scope, asked: str
) -> None:
    method, _, path = asked.partition(" ")
    others = make_key(*(each for each in Scope if each not in {scope, Scope.ADMIN}))
    assert_problem(service.request(method, path, headers=others), 403, "scope-missing")
    assert service.request(method, path, headers=make_key(scope)).status_code in {200, 404}
