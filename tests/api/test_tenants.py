"""Another tenant's key finds nothing: every route of the OpenAPI document is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
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
SHARED = {"read_liveness", "read_readiness", "read_info", "list_items", "read_item"}
GRADE = {"item_id": "dropout", "candidate_answer": "Random xylophones are switched off."}
BODIES: dict[str, Any] = {"create_grade": GRADE, "create_grades": [GRADE]}
QUERIES = {"delete_results": {"attempt_id": "north-attempt"}}


@pytest.fixture
def north(service: TestClient, make_key: MakeKey) -> dict[str, str]:
    """Let one tenant store one of everything, and return the names of it by the parameters that would name them."""
    headers = make_key(Scope.ADMIN, tenant="north")
    body = {**GRADE, "store": True, "attempt_id": "north-attempt", "subject_id": "north-subject"}
    stored = service.post("/v1/grades", json=body, headers=headers).json()
    return {"result_id": stored["result_id"], "subject_id": "north-subject"}


@pytest.mark.parametrize("name", OPERATIONS.keys() - SHARED)
def test_another_tenants_key_finds_nothing(service: TestClient, make_key: MakeKey, north: dict[str, str], name: str) -> None:
    method, path = OPERATIONS[name]
    south = make_key(Scope.ADMIN, tenant="south")
    address = path.format(**north)
    response = service.request(method, address, json=BODIES.get(name), params=QUERIES.get(name), headers=south)
    if address != path:
        assert response.status_code == 404, response.text
        return
    assert response.status_code == 200, response.text
    if method == "get":
        assert "xylophone" not in response.text
        assert not any(value in response.text for value in north.values())


@pytest.mark.parametrize("name", OPERATIONS.keys() - SHARED)
def test_owners_key_finds_it(service: TestClient, make_key: MakeKey, north: dict[str, str], name: str) -> None:
    method, path = OPERATIONS[name]
    owner = make_key(Scope.ADMIN, tenant="north")
    response = service.request(method, path.format(**north), json=BODIES.get(name), params=QUERIES.get(name), headers=owner)
    assert response.status_code == 200, response.text


def test_what_another_tenant_deletes_is_still_there(service: TestClient, make_key: MakeKey, north: dict[str, str]) -> None:
    south, owner = make_key(Scope.ADMIN, tenant="south"), make_key(Scope.ADMIN, tenant="north")
    assert service.delete("/v1/results?attempt_id=north-attempt", headers=south).json() == {"results": 0, "replays": 0}
    assert service.delete("/v1/results?before=2100-01-01T00:00:00Z", headers=south).json() == {"results": 0, "replays": 0}
    assert service.delete("/v1/subjects/north-subject", headers=south).status_code == 404
    assert service.get(f"/v1/results/{north['result_id']}", headers=owner).status_code == 200


@pytest.mark.parametrize("name", OPERATIONS.keys() - {"read_liveness", "read_readiness"})
def test_no_route_answers_without_a_key_once_there_is_one(
    service: TestClient, make_key: MakeKey, north: dict[str, str], name: str
) -> None:
    method, path = OPERATIONS[name]
    response = service.request(method, path.format(**{"item_id": "dropout", **north}), json=BODIES.get(name))
    assert response.status_code == 401
