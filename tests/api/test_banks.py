"""Banks of a tenant's own: filled with drafts, published once and for all, edited as new versions, archived."""

from __future__ import annotations

import json
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.dependencies import get_grader
from api.examples import IMPORTS, NEW_ITEMS
from api.keys import Scope
from api.storage.database import Database, Store
from api.storage.tables import ItemVersion
from grader import Grader

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ITEM: dict[str, Any] = NEW_ITEMS["item"]["value"] or {}
TEXTS = {media: next(iter(each["examples"].values()))["value"] for media, each in IMPORTS.items()}
ANSWER = {
    "bank_id": "physics",
    "item_id": "gravity",
    "candidate_answer": "Gravity pulls everything down.",
    "store": True,
}


@pytest.fixture
def bank(service: TestClient) -> TestClient:
    """Return a client of a service with an empty bank `physics`."""
    response = service.post("/v1/banks", json={"id": "physics", "title": "Physics"})
    assert response.json() == {
        "id": "physics",
        "title": "Physics",
        "read_only": False,
        "archived": False,
        "published": 0,
        "drafts": 0,
    }
    return service


def add(client: TestClient, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/banks/physics/items", json={**ITEM, **changes})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def publish(client: TestClient) -> dict[str, int]:
    response = client.post("/v1/banks/physics/publish")
    assert response.status_code == 200, response.text
    body: dict[str, int] = response.json()
    return body


def versions(client: TestClient, **query: Any) -> list[tuple[str, str]]:
    items = client.get("/v1/banks/physics/items", params=query).json()["items"]
    return [(each["version"], each["state"]) for each in items]


def grade(client: TestClient, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/grades", json={**ANSWER, **changes})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_shipped_bank_is_among_them_and_stays_as_it_is(service: TestClient, assert_problem: AssertProblem) -> None:
    [shipped] = service.get("/v1/banks").json()["banks"]
    assert (shipped["id"], shipped["read_only"], shipped["published"]) == ("shipped", True, 30)
    assert service.get("/v1/banks/shipped").json() == shipped
    assert_problem(service.post("/v1/banks/shipped/items", json=ITEM), 409, "bank-read-only")
    assert_problem(service.post("/v1/banks/shipped/publish"), 409, "bank-read-only")
    assert_problem(service.post("/v1/banks/shipped/archive"), 409, "bank-read-only")
    assert_problem(service.post("/v1/banks", json={"id": "shipped", "title": "Mine"}), 409, "bank-exists")


def test_draft_is_graded_to_once_it_is_published(bank: TestClient, assert_problem: AssertProblem) -> None:
    assert add(bank)["drafts"] == 1
    assert_problem(bank.post("/v1/grades", json=ANSWER), 404, "item-not-found")
    assert publish(bank)["published"] == 1
    graded = grade(bank)
    assert graded["score"] > 0.5
    stored = bank.get(f"/v1/results/{graded['result_id']}").json()
    assert (stored["bank_id"], stored["item_id"], stored["item_version"]) == ("physics", "gravity", "1")
    assert graded["signature"].endswith(f"|item-{stored['content_hash'][:12]}")


def test_edit_makes_a_new_version_and_leaves_the_published_one(bank: TestClient) -> None:
    add(bank)
    publish(bank)
    before = grade(bank)
    add(bank, max_mark=20)
    assert versions(bank) == [("2", "draft"), ("1", "published")]
    assert grade(bank)["signature"] == before["signature"]
    add(bank, max_mark=40)
    assert versions(bank) == [("2", "draft"), ("1", "published")]
    assert publish(bank)["published"] == 1
    assert versions(bank) == [("2", "published"), ("1", "retired")]
    assert (grade(bank)["max_mark"], bank.get(f"/v1/results/{before['result_id']}").json()["item_version"]) == (40, "1")


def test_item_that_is_published_as_it_is_needs_no_new_version(bank: TestClient) -> None:
    add(bank)
    publish(bank)
    report = bank.post("/v1/banks/physics/import", content=json.dumps(ITEM), headers={"content-type": "application/jsonl"}).json()
    assert (report["items"], report["unchanged"]) == (["gravity"], 1)
    assert versions(bank) == [("1", "published")]
    assert publish(bank) == {"published": 0, "embedded": 0}


def test_published_version_cannot_be_changed(bank: TestClient, database: Database) -> None:
    add(bank)
    publish(bank)
    for name, value in (("body", "{}"), ("content_hash", "0" * 64), ("version", 7), ("item_id", "other")):
        with pytest.raises(RuntimeError, match="is published and cannot be changed"), Store(database, "local").write() as session:
            setattr(session.scalars(select(ItemVersion)).one(), name, value)
    with Store(database, "local").write() as session:
        row = session.scalars(select(ItemVersion)).one()
        row.state, row.body = "draft", "{}"
        with pytest.raises(RuntimeError, match="is published"):
            session.flush()
        session.expunge(row)
    assert versions(bank) == [("1", "published")]


def test_texts_are_embedded_when_published_and_never_again(bank: TestClient, real_grader: Grader) -> None:
    assert isinstance(bank.app, FastAPI)
    question = f"Why does apple {token_hex(8)} fall from its tree?"
    add(bank, question=question)
    first = publish(bank)
    assert first["embedded"] > 0
    add(bank, question=question, max_mark=20)
    assert publish(bank) == {"published": 1, "embedded": 0}


def test_bank_without_drafts_publishes_nothing(bank: TestClient) -> None:
    assert publish(bank) == {"published": 0, "embedded": 0}


@pytest.mark.parametrize("media_type", TEXTS)
def test_items_are_imported_from_every_kind_of_text(bank: TestClient, media_type: str) -> None:
    response = bank.post("/v1/banks/physics/import", content=TEXTS[media_type], headers={"content-type": media_type})
    assert response.json() == {"valid": True, "saved": True, "items": ["gravity"], "unchanged": 0, "problems": []}
    assert versions(bank) == [("1", "draft")]


def test_dry_run_reports_every_problem_and_saves_nothing(bank: TestClient, assert_problem: AssertProblem) -> None:
    lines = "\n".join([json.dumps(ITEM), "{", json.dumps({**ITEM, "id": "light", "difficulty": "?"})])
    headers = {"content-type": "application/jsonl"}
    report = bank.post("/v1/banks/physics/import?dry_run=true", content=lines, headers=headers).json()
    assert (report["valid"], report["saved"], report["items"]) == (False, False, ["gravity"])
    assert [(each["place"], each["field"]) for each in report["problems"]] == [("line 2", ""), ("line 3", "difficulty")]
    problem = assert_problem(bank.post("/v1/banks/physics/import", content=lines, headers=headers), 422, "invalid-items")
    assert [error["loc"] for error in problem["errors"]] == [["body", "line 2"], ["body", "line 3", "difficulty"]]
    assert versions(bank) == []
    good = bank.post("/v1/banks/physics/import?dry_run=true", content=json.dumps(ITEM), headers=headers).json()
    assert (good["valid"], good["saved"]) == (True, False)
    assert versions(bank) == []


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "", "multipart/form-data; boundary=x"])
def test_text_of_another_kind_is_a_problem(bank: TestClient, assert_problem: AssertProblem, media_type: str) -> None:
    response = bank.post("/v1/banks/physics/import", content="x", headers={"content-type": media_type})
    problem = assert_problem(response, 415, "unsupported-media-type")
    assert "application/yaml or text/csv or application/jsonl" in problem["detail"]


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/yaml", b"a: &a [x]\nb: *a"),
        ("application/yaml", b"[" * 100_000),
        ("application/yaml", b"x: !!python/name:os.system"),
        ("application/yaml", b"\xff\xfe"),
        ("application/yaml", b""),
        ("text/csv", b"\x00"),
        ("text/csv", b'"'),
        ("application/jsonl", b'{"id": "\\ud800"}'),
        ("application/jsonl", json.dumps({**ITEM, "question": "a\x00b"}).encode()),
        ("application/jsonl", json.dumps({**ITEM, "topic": "\ud800"}).encode()),
    ],
)
def test_hostile_text_is_a_problem(bank: TestClient, assert_problem: AssertProblem, media_type: str, content: bytes) -> None:
    response = bank.post("/v1/banks/physics/import", content=content, headers={"content-type": media_type})
    assert_problem(response, 422, "invalid-items")
    assert len(response.content) < 5_000


@pytest.mark.parametrize(
    "body",
    [
        {"id": "Physics", "title": "x"},
        {"id": "", "title": "x"},
        {"id": "a" * 81, "title": "x"},
        {"id": "a", "title": ""},
        {"id": "a", "title": "a\x00b"},
        {"id": "a", "title": "\ud800"},
        {"id": "a", "title": "x", "extra": 1},
    ],
)
def test_bank_that_cannot_be_is_a_problem(service: TestClient, assert_problem: AssertProblem, body: dict[str, Any]) -> None:
    response = service.post("/v1/banks", content=json.dumps(body), headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid-request")


def test_bank_is_made_once(bank: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(bank.post("/v1/banks", json={"id": "physics", "title": "Again"}), 409, "bank-exists")


@pytest.mark.parametrize("asked", ["GET /v1/banks/none", "GET /v1/banks/none/items", "POST /v1/banks/none/publish"])
def test_unknown_bank_is_a_problem(service: TestClient, assert_problem: AssertProblem, asked: str) -> None:
    method, _, path = asked.partition(" ")
    assert_problem(service.request(method, path), 404, "bank-not-found")
    assert_problem(service.post("/v1/grades", json={**ANSWER, "bank_id": "none"}), 404, "bank-not-found")


def test_archived_bank_grades_nothing_and_keeps_its_results(bank: TestClient, assert_problem: AssertProblem) -> None:
    add(bank)
    publish(bank)
    stored = grade(bank)["result_id"]
    assert bank.post("/v1/banks/physics/archive").json()["archived"] is True
    assert_problem(bank.post("/v1/grades", json=ANSWER), 404, "bank-not-found")
    assert_problem(bank.post("/v1/banks/physics/items", json=ITEM), 409, "bank-read-only")
    assert_problem(bank.get("/v1/items?bank_id=physics"), 404, "bank-not-found")
    assert bank.get(f"/v1/results/{stored}").status_code == 200
    assert versions(bank) == [("1", "published")]


def test_learners_see_published_items_without_the_answer_key(bank: TestClient, make_key: MakeKey) -> None:
    add(bank)
    publish(bank)
    add(bank, id="draft-only")
    learner = make_key(Scope.GRADE, tenant="local")
    page = bank.get("/v1/items?bank_id=physics", headers=learner)
    assert [item["id"] for item in page.json()["items"]] == ["gravity"]
    shown = bank.get("/v1/items/gravity?bank_id=physics", headers=learner)
    assert shown.json()["question"] == ITEM["question"]
    for text in (page.text, shown.text):
        assert "pulls" not in text
    assert bank.get("/v1/banks/physics/items", headers=learner).status_code == 403


def test_versions_are_listed_in_pages(bank: TestClient) -> None:
    for at in range(5):
        add(bank, id=f"item-{at}")
    first = bank.get("/v1/banks/physics/items?limit=3").json()
    second = bank.get(f"/v1/banks/physics/items?limit=3&cursor={first['next_cursor']}").json()
    ids = [each["item"]["id"] for each in first["items"] + second["items"]]
    assert (sorted(ids), second["next_cursor"]) == ([f"item-{at}" for at in range(5)], None)
    assert versions(bank, item_id="item-2") == [("1", "draft")]
    assert versions(bank, state="published") == []


def test_bank_goes_only_with_an_item_of_it(service: TestClient, assert_problem: AssertProblem) -> None:
    own = {"question": "Why?", "reference_answers": [{"text": "Because of gravity."}]}
    body = {"bank_id": "physics", "item": own, "candidate_answer": "x"}
    assert_problem(service.post("/v1/grades", json=body), 422, "invalid-request")


def test_answers_are_graded_again_after_a_look_at_the_difference(bank: TestClient) -> None:
    add(bank)
    publish(bank)
    old = [grade(bank, attempt_id=f"a{at}", subject_id="s")["result_id"] for at in range(2)]
    unaffected = grade(bank, bank_id="shipped", item_id="dropout")["result_id"]
    add(bank, max_mark=20)
    publish(bank)
    current = grade(bank)["result_id"]

    look = bank.post("/v1/items/gravity/regrade", json={"bank_id": "physics"}).json()
    assert (look["stored"], look["affected"], look["graded"], look["item_version"]) == (False, 2, 2, "2")
    assert [(each["result_id"], each["new_result_id"]) for each in look["differences"]] == [(i, None) for i in old]
    # Each is rounded to half a mark.
    assert all(abs(each["new_mark"] - 2 * each["old_mark"]) <= 0.5 for each in look["differences"])
    assert {each["id"] for each in bank.get("/v1/results").json()["results"]} == {*old, unaffected, current}

    done = bank.post("/v1/items/gravity/regrade", json={"bank_id": "physics", "dry_run": False}).json()
    new = [each["new_result_id"] for each in done["differences"]]
    assert {each["id"] for each in bank.get("/v1/results").json()["results"]} == {*new, unaffected, current}
    for was, now in zip(old, new, strict=True):
        before, after = (bank.get(f"/v1/results/{i}").json() for i in (was, now))
        assert (before["replaced"], before["item_version"]) == (True, "1")
        assert (after["replaces_id"], after["item_version"], after["replaced"]) == (was, "2", False)
        same = ("attempt_id", "subject_id", "candidate_answer", "bank_id", "item_id")
        assert {name: before[name] for name in same} == {name: after[name] for name in same}
    again = bank.post("/v1/items/gravity/regrade", json={"bank_id": "physics", "dry_run": False}).json()
    assert (again["affected"], again["graded"], again["differences"]) == (0, 0, [])
    assert bank.delete("/v1/subjects/s").json()["results"] == 4


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("address", ["/v1/subjects/s", "/v1/results?attempt_id=a"])
def test_kept_report_goes_with_a_person_whose_answer_it_tells_of(bank: TestClient, address: str, dry_run: bool) -> None:
    add(bank)
    publish(bank)
    grade(bank, attempt_id="a", subject_id="s")
    add(bank, max_mark=20)
    publish(bank)
    wanted, key = {"bank_id": "physics", "dry_run": dry_run}, {"idempotency-key": "k"}
    first, again = (bank.post("/v1/items/gravity/regrade", json=wanted, headers=key) for _ in range(2))
    assert first.json()["differences"][0]["attempt_id"] == "a"
    assert again.content == first.content
    assert bank.delete(address).json()["replays"] == 1
    assert bank.post("/v1/items/gravity/regrade", json=wanted, headers=key).json()["differences"] == []


def test_many_answers_are_graded_again_in_several_calls(bank: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.regrading._MAX_ANSWERS", 2)
    add(bank)
    publish(bank)
    old = [grade(bank)["result_id"] for _ in range(3)]
    add(bank, max_mark=20)
    publish(bank)
    first = bank.post("/v1/items/gravity/regrade", json={"bank_id": "physics"}).json()
    rest = bank.post("/v1/items/gravity/regrade", json={"bank_id": "physics", "cursor": first["next_cursor"]}).json()
    assert [each["result_id"] for report in (first, rest) for each in report["differences"]] == old
    assert (first["affected"], first["graded"], rest["graded"], rest["next_cursor"]) == (3, 2, 1, None)
    wanted = {"bank_id": "physics", "dry_run": False}
    reports = [bank.post("/v1/items/gravity/regrade", json=wanted).json() for _ in range(3)]
    assert [(report["affected"], report["graded"]) for report in reports] == [(3, 2), (1, 1), (0, 0)]


def test_grading_again_needs_an_item_that_is_there(bank: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(bank.post("/v1/items/none/regrade", json={"bank_id": "physics"}), 404, "item-not-found")
    assert_problem(bank.post("/v1/items/none/regrade", json={}), 404, "item-not-found")
    assert_problem(bank.post("/v1/items/dropout/regrade", json={"extra": 1}), 422, "invalid-request")


def test_publishing_waits_for_the_grader(bank: TestClient, assert_problem: AssertProblem) -> None:
    from api.errors import NotReadyError

    assert isinstance(bank.app, FastAPI)

    def not_ready() -> Grader:
        raise NotReadyError

    bank.app.dependency_overrides[get_grader] = not_ready
    add(bank)
    assert_problem(bank.post("/v1/banks/physics/publish"), 503, "not-ready")


@pytest.mark.parametrize(
    "asked",
    [
        "GET /v1/banks",
        "POST /v1/banks",
        "GET /v1/banks/shipped",
        "POST /v1/banks/physics/publish",
        "POST /v1/items/dropout/regrade",
    ],
)
def test_banks_need_the_scope_manage(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem, asked: str) -> None:
    method, _, path = asked.partition(" ")
    others = make_key(Scope.GRADE, Scope.READ_RESULTS, Scope.REVIEW)
    body = {"id": "x", "title": "x"} if method == "POST" else None
    assert_problem(service.request(method, path, headers=others, json=body), 403, "scope-missing")


@pytest.mark.parametrize("item_id", ["%00", "a%00b", "%ed%a0%80", "A", "'--", "\u202e"])
def test_id_that_no_item_can_have_is_not_found(bank: TestClient, assert_problem: AssertProblem, item_id: str) -> None:
    add(bank)
    publish(bank)
    assert_problem(bank.get(f"/v1/items/{item_id}?bank_id=physics"), 404, "item-not-found")
    assert_problem(bank.post(f"/v1/items/{item_id}/regrade", json={"bank_id": "physics"}), 404, "item-not-found")
    body = {**ANSWER, "item_id": "a\x00b"}
    assert_problem(bank.post("/v1/grades", json=body), 404, "item-not-found")


@pytest.mark.parametrize("bank_id", ["%00", "a%00b", "A", "'--"])
def test_id_that_no_bank_can_have_is_a_problem(bank: TestClient, assert_problem: AssertProblem, bank_id: str) -> None:
    asked = (
        "/v1/banks/{}",
        "/v1/banks/{}/items",
        "/v1/items?bank_id={}",
        "/v1/results?bank_id={}",
        "/v1/reviews/queue?bank_id={}",
    )
    for address in (*asked, "/v1/results?item_id={}", "/v1/reviews/queue?item_id={}", "/v1/banks/physics/items?item_id={}"):
        assert_problem(bank.get(address.format(bank_id)), 422, "invalid-request")
    assert_problem(bank.post("/v1/grades", json={**ANSWER, "bank_id": "a\x00b"}), 422, "invalid-request")
