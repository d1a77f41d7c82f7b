"""Another tenant's key finds nothing: every route of the OpenAPI document is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.examples import IMPORTS, NEW_ITEMS
from api.keys import Scope
from api.settings import Settings

MakeKey = Callable[..., dict[str, str]]
SCHEMA: dict[str, Any] = create_app(Settings(home="unused")).openapi()
OPERATIONS = {
    operation["operationId"]: (method, path)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
# Routes that tell of the server or of the shipped bank, which everyone has.
SHARED = {"read_liveness", "read_readiness", "read_info"}
GRADE = {"item_id": "dropout", "candidate_answer": "Random xylophones are switched off."}
BODIES: dict[str, Any] = {
    "create_grade": GRADE,
    "create_grades": [GRADE],
    "create_token": {"item_ids": ["dropout"]},
    "create_bank": {"id": "another", "title": "Another"},
    "add_item": NEW_ITEMS["item"]["value"],
    "regrade_item": {"bank_id": "north-bank"},
    "calibrate_item": {"bank_id": "north-bank"},
    "create_review": {"decision": "accept"},
    "create_webhook": {"url": "https://hooks.example/"},
    "create_job": [{**GRADE, "subject_id": "south-subject"}],
}
SUCCESS = {"create_job": 202}
TEXTS = {"import_items": (IMPORTS["text/csv"]["examples"]["csv"]["value"], {"content-type": "text/csv"})}
NOTHING = {"results": 0, "replays": 0, "job_rows": 0}
# After these there is nothing left to find.
LAST = {"archive_bank", "delete_job", "delete_results", "delete_webhook", "erase_subject"}
# What can be asked in this order.
STATES = ["pause_job", "resume_job", "cancel_job", "watch_job", "delete_calibration"]
QUERIES = {
    "delete_results": {"attempt_id": "north-other"},
    **{name: {"bank_id": "north-bank"} for name in ("read_item", "read_calibration", "delete_calibration")},
}


def ask(service: TestClient, name: str, address: str, headers: dict[str, str]) -> Any:
    method, _ = OPERATIONS[name]
    text, media_type = TEXTS.get(name, (None, {}))
    return service.request(
        method, address, json=BODIES.get(name), content=text, params=QUERIES.get(name), headers={**headers, **media_type}
    )


@pytest.fixture
def north(service: TestClient, make_key: MakeKey) -> dict[str, str]:
    """Let one tenant store one of everything, and return the names of it by the parameters that would name them."""
    headers = make_key(Scope.ADMIN, tenant="north")
    body = {**GRADE, "store": True, "attempt_id": "north-attempt", "subject_id": "north-subject"}
    stored = service.post("/v1/grades", json=body, headers=headers).json()
    assert service.post("/v1/banks", json={"id": "north-bank", "title": "North's xylophones"}, headers=headers).status_code == 200
    item = {**(NEW_ITEMS["item"]["value"] or {}), "id": "north-item"}
    assert service.post("/v1/banks/north-bank/items", json=item, headers=headers).status_code == 200
    assert service.post("/v1/banks/north-bank/publish", headers=headers).status_code == 200
    service.post("/v1/grades", json={**body, "attempt_id": "north-other"}, headers=headers)
    for answer in ("Gravity pulls them.", "The Earth pulls them.", "They are pulled down by gravity."):
        own = {"bank_id": "north-bank", "item_id": "north-item", "candidate_answer": answer, "store": True}
        of_item = service.post("/v1/grades", json=own, headers=headers).json()["result_id"]
        service.post(f"/v1/results/{of_item}/reviews", json={"decision": "accept"}, headers=headers)
    learn = {"bank_id": "north-bank", "dry_run": False}
    assert service.post("/v1/items/north-item/calibrate", json=learn, headers=headers).status_code == 200
    job = service.post("/v1/jobs", json=[{**GRADE, "subject_id": "north-subject"}], headers=headers).json()
    hook = service.post("/v1/webhooks", json={"url": "https://xylophone.example/north"}, headers=headers).json()
    service.post(f"/v1/results/{stored['result_id']}/reviews", json={"decision": "accept"}, headers=headers)
    [delivery] = service.get("/v1/deliveries", headers=headers).json()["deliveries"]
    return {
        "webhook_id": hook["id"],
        "delivery_id": delivery["id"],
        "result_id": stored["result_id"],
        "subject_id": "north-subject",
        "bank_id": "north-bank",
        "item_id": "north-item",
        "job_id": job["id"],
    }


def test_another_tenants_key_finds_nothing(service: TestClient, make_key: MakeKey, north: dict[str, str]) -> None:
    south = make_key(Scope.ADMIN, tenant="south")
    for name in sorted(OPERATIONS.keys() - SHARED):
        method, path = OPERATIONS[name]
        address = path.format(**north)
        response = ask(service, name, address, south)
        assert response.status_code == (404 if address != path else SUCCESS.get(name, 200)), f"{name}: {response.text}"
        if method == "get" and address == path:
            assert "xylophone" not in response.text, name
            assert not any(value in response.text for value in north.values()), name


def test_owners_key_finds_it(service: TestClient, make_key: MakeKey, north: dict[str, str]) -> None:
    owner = make_key(Scope.ADMIN, tenant="north")
    order = {name: number for number, name in enumerate([*STATES, *sorted(LAST)], start=1)}
    for name in sorted(OPERATIONS.keys() - SHARED, key=lambda name: (order.get(name, 0), name)):
        response = ask(service, name, OPERATIONS[name][1].format(**north), owner)
        assert response.status_code == SUCCESS.get(name, 200), f"{name}: {response.text}"


def test_what_another_tenant_deletes_is_still_there(service: TestClient, make_key: MakeKey, north: dict[str, str]) -> None:
    south, owner = make_key(Scope.ADMIN, tenant="south"), make_key(Scope.ADMIN, tenant="north")
    assert service.delete("/v1/results?attempt_id=north-other", headers=south).json() == NOTHING
    assert service.delete("/v1/results?before=2100-01-01T00:00:00Z", headers=south).json() == NOTHING
    assert service.delete("/v1/subjects/north-subject", headers=south).status_code == 404
    assert service.get(f"/v1/results/{north['result_id']}", headers=owner).status_code == 200


def test_no_route_answers_without_a_key_once_there_is_one(service: TestClient, north: dict[str, str]) -> None:
    for name in OPERATIONS.keys() - {"read_liveness", "read_readiness"}:
        assert ask(service, name, OPERATIONS[name][1].format(**north), {}).status_code == 401, name


def test_another_tenants_bank_cannot_be_named(service: TestClient, make_key: MakeKey, north: dict[str, str]) -> None:
    south = make_key(Scope.ADMIN, tenant="south")
    body = {"bank_id": "north-bank", "item_id": "north-item", "candidate_answer": "x"}
    assert service.post("/v1/grades", json=body, headers=south).status_code == 404
    [row] = service.post("/v1/grades/batch", json=[body], headers=south).json()["rows"]
    assert row["problem"]["type"] == "/problems/bank-not-found"
    assert service.get("/v1/items?bank_id=north-bank", headers=south).status_code == 404
    # The same id is free for the other tenant.
    assert service.post("/v1/banks", json={"id": "north-bank", "title": "South's"}, headers=south).status_code == 200


def test_table_that_was_sent_to_the_pages_is_shown_to_its_tenant_only(service: TestClient, make_key: MakeKey) -> None:
    north, south = (make_key(Scope.GRADE, Scope.READ_RESULTS, tenant=tenant) for tenant in ("north", "south"))
    table = {"file": ("a.csv", "item_id,candidate_answer\ndropout,a\n")}
    address = service.post("/batches", files=table, headers=north, follow_redirects=False).headers["location"]
    assert [service.get(address, headers=key).status_code for key in (north, south)] == [200, 422]
