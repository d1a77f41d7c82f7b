"""The contract: valid OpenAPI 3.1, every problem declared, every example true as it stands."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import create_app
from api.settings import Settings

PROBLEM_JSON = "application/problem+json"
SCHEMA: dict[str, Any] = create_app(Settings(home="unused")).openapi()
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
REQUEST_EXAMPLES = {
    f"{name}-{key}": (path, operation, example["value"])
    for name, (_, path, operation) in OPERATIONS.items()
    # Those of banks need a bank, and are sent in test_banks.py.
    if "requestBody" in operation and name in {"create_grade", "create_grades", "create_token"}
    for key, example in operation["requestBody"]["content"]["application/json"]["examples"].items()
}
SUCCESSES = ("200", "202")
# The problems that can come from an operation, beyond the internal error that every one declares.
KEY = {"unauthenticated", "scope-missing", "token-mismatch", "rate-limited", "too-many-attempts", "database-unavailable"}
JSON_BODY = {"malformed-body", "body-too-large", "body-too-slow", "unsupported-media-type", "invalid-request"}
CHANGE = {"bank-not-found", "bank-read-only"}
JOB = {"invalid-request", "job-not-found"}
REPLAY = {"idempotency-key-reused", "still-running", "answer-lost", "claim-lost"}
PROBLEMS = {
    "create_grade": KEY | JSON_BODY | REPLAY | {"bank-not-found", "item-not-found", "not-ready", "busy"},
    "create_grades": KEY | JSON_BODY | REPLAY | {"not-ready", "busy"},
    "read_queue": KEY | {"invalid-request", "bank-not-found"},
    "read_agreement": KEY | {"invalid-request", "bank-not-found"},
    "list_reviews": KEY | {"invalid-request", "result-not-found"},
    "create_review": KEY | JSON_BODY | REPLAY | {"result-not-found", "invalid-review"},
    "list_results": KEY | {"invalid-request"},
    "export_results": KEY | {"invalid-request"},
    "read_result": KEY | {"invalid-request", "result-not-found"},
    "delete_results": KEY | {"invalid-request"},
    "erase_subject": KEY | {"invalid-request", "subject-not-found"},
    "list_items": KEY | {"bank-not-found", "invalid-request"},
    "read_item": KEY | {"bank-not-found", "item-not-found", "invalid-request"},
    "regrade_item": KEY | JSON_BODY | REPLAY | {"bank-not-found", "item-not-found", "not-ready", "busy"},
    "calibrate_item": KEY | JSON_BODY | REPLAY | {"bank-not-found", "item-not-found", "not-ready", "busy", "too-few-reviews"},
    **dict.fromkeys(
        ("read_calibration", "delete_calibration"),
        KEY | {"bank-not-found", "item-not-found", "calibration-not-found", "invalid-request"},
    ),
    "list_banks": KEY | {"invalid-request"},
    "create_bank": KEY | JSON_BODY | REPLAY | {"bank-exists"},
    "read_bank": KEY | {"bank-not-found", "invalid-request"},
    "list_versions": KEY | {"bank-not-found", "invalid-request"},
    "add_item": KEY | JSON_BODY | REPLAY | CHANGE,
    "import_items": KEY | JSON_BODY - {"malformed-body"} | REPLAY | CHANGE | {"invalid-items", "busy"},
    "publish_bank": KEY | REPLAY | CHANGE | {"invalid-request", "not-ready", "busy"},
    "archive_bank": KEY | REPLAY | CHANGE | {"invalid-request"},
    "create_job": KEY | JSON_BODY | REPLAY | {"bank-not-found", "item-not-found", "invalid-table", "busy"},
    "create_token": KEY | JSON_BODY | {"bank-not-found", "item-not-found"},
    "create_webhook": KEY | JSON_BODY | REPLAY | {"too-many-webhooks"},
    "list_webhooks": KEY | {"invalid-request"},
    "delete_webhook": KEY | {"invalid-request", "webhook-not-found"},
    "list_deliveries": KEY | {"invalid-request"},
    "replay_delivery": KEY | REPLAY | {"invalid-request", "delivery-not-found"},
    "list_jobs": KEY | {"invalid-request"},
    **dict.fromkeys(("read_job", "read_summary", "list_rows", "export_job", "delete_job"), KEY | JOB),
    "watch_job": KEY | JOB | {"busy"},
    **dict.fromkeys(("pause_job", "resume_job", "cancel_job"), KEY | REPLAY | JOB | {"job-state"}),
    "read_liveness": {"not-ready"},
    "read_readiness": {"not-ready"},
    "read_usage": KEY - {"scope-missing"} | {"invalid-request"},
    "read_metrics": KEY | {"not-ready"},
    "read_info": KEY - {"scope-missing"} | {"not-ready"},
}


def conforms(value: object, schema: dict[str, Any]) -> bool:
    """Tell whether a value has a schema of the document."""
    Draft202012Validator({**schema, "components": SCHEMA["components"]}).validate(value)
    return True


def success(operation: dict[str, Any]) -> dict[str, Any]:
    [answer] = [response for status, response in operation["responses"].items() if status in SUCCESSES]
    return dict(answer)


def body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = success(operation)["content"]["application/json"]["schema"]
    return schema


def response_example(operation: dict[str, Any]) -> dict[str, Any]:
    name = body_schema(operation)["$ref"].rpartition("/")[2]
    example: dict[str, Any] = SCHEMA["components"]["schemas"][name]["examples"][0]
    return example


def test_document_is_openapi_3_1() -> None:
    assert SCHEMA["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(SCHEMA).validate()


def test_document_that_is_served_is_this_one(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == SCHEMA


def test_routes_are_the_promised_ones() -> None:
    assert {(method.upper(), path) for method, path, _ in OPERATIONS.values()} == {
        ("POST", "/v1/grades"),
        ("POST", "/v1/grades/batch"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/jobs"),
        ("GET", "/v1/jobs/{job_id}"),
        ("DELETE", "/v1/jobs/{job_id}"),
        ("GET", "/v1/jobs/{job_id}/events"),
        ("GET", "/v1/jobs/{job_id}/results"),
        ("GET", "/v1/jobs/{job_id}/summary"),
        ("GET", "/v1/jobs/{job_id}/rows"),
        ("POST", "/v1/jobs/{job_id}/pause"),
        ("POST", "/v1/jobs/{job_id}/resume"),
        ("POST", "/v1/jobs/{job_id}/cancel"),
        ("POST", "/v1/webhooks"),
        ("GET", "/v1/webhooks"),
        ("DELETE", "/v1/webhooks/{webhook_id}"),
        ("GET", "/v1/deliveries"),
        ("POST", "/v1/deliveries/{delivery_id}/replay"),
        ("GET", "/v1/items"),
        ("GET", "/v1/items/{item_id}"),
        ("POST", "/v1/items/{item_id}/regrade"),
        ("POST", "/v1/items/{item_id}/calibrate"),
        ("GET", "/v1/items/{item_id}/calibration"),
        ("DELETE", "/v1/items/{item_id}/calibration"),
        ("GET", "/v1/banks"),
        ("POST", "/v1/banks"),
        ("GET", "/v1/banks/{bank_id}"),
        ("GET", "/v1/banks/{bank_id}/items"),
        ("POST", "/v1/banks/{bank_id}/items"),
        ("POST", "/v1/banks/{bank_id}/import"),
        ("POST", "/v1/banks/{bank_id}/publish"),
        ("POST", "/v1/banks/{bank_id}/archive"),
        ("GET", "/v1/reviews/queue"),
        ("GET", "/v1/reviews/agreement"),
        ("GET", "/v1/results/{result_id}/reviews"),
        ("POST", "/v1/results/{result_id}/reviews"),
        ("GET", "/v1/results"),
        ("GET", "/v1/results/export"),
        ("GET", "/v1/results/{result_id}"),
        ("DELETE", "/v1/results"),
        ("DELETE", "/v1/subjects/{subject_id}"),
        ("GET", "/v1/info"),
        ("GET", "/v1/usage"),
        ("GET", "/metrics"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_declares_its_problems(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    declared = set()
    for status, response in operation["responses"].items():
        if status in SUCCESSES:
            continue
        assert list(response["content"]) == [PROBLEM_JSON]
        content = response["content"][PROBLEM_JSON]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        for slug, example in content["examples"].items():
            assert conforms(example["value"], content["schema"])
            assert example["value"]["type"] == f"/problems/{slug}"
            assert str(example["value"]["status"]) == status
            declared.add(slug)
    assert declared == PROBLEMS[name] | {"internal-error"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_described(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    assert operation["description"].endswith(".")
    assert operation["tags"]


def test_no_shape_of_the_framework_is_left() -> None:
    assert "HTTPValidationError" not in SCHEMA["components"]["schemas"]


@pytest.mark.parametrize(("path", "operation", "body"), REQUEST_EXAMPLES.values(), ids=REQUEST_EXAMPLES)
def test_example_of_a_body_can_be_sent_as_it_stands(client: TestClient, path: str, operation: dict[str, Any], body: Any) -> None:
    assert conforms(body, operation["requestBody"]["content"]["application/json"]["schema"])
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert conforms(response.json(), body_schema(operation))


# These tell of what somebody stored, or answer with a file.
ABOUT_STORED = {
    "read_result", "export_results", "list_versions", "list_reviews", "read_metrics",
    "read_calibration", "read_job", "watch_job", "export_job", "read_summary", "list_rows",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name for name, (method, *_) in OPERATIONS.items() if method == "get" and name not in ABOUT_STORED]
)
def test_examples_of_parameters_can_be_sent_as_they_stand(client: TestClient, name: str) -> None:
    _, path, operation = OPERATIONS[name]
    query = {}
    for parameter in operation.get("parameters", []):
        examples = parameter["schema"].get("examples") or parameter.get("examples") or []
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", examples[0])
        elif examples:
            query[parameter["name"]] = examples[0]
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    assert conforms(response.json(), body_schema(operation))
    if name in {"list_items", "read_item"}:
        assert response.json() == response_example(operation)


@pytest.mark.parametrize("name", [name for name, (*_, operation) in OPERATIONS.items() if "$ref" in str(success(operation))])
def test_example_of_an_answer_has_the_schema_of_the_answer(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    schema = body_schema(operation)
    named = schema.get("$ref", "").rpartition("/")[2]
    examples = SCHEMA["components"]["schemas"][named].get("examples", [])
    assert all(conforms(example, schema) for example in examples)
    assert examples or named == "Status"


def shape(value: Any) -> Any:
    """Return the names within a value; lists by their first entry, so that lengths do not matter."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else type(value)


@pytest.mark.parametrize(("name", "key"), [("create_grade", "create_grade-bank"), ("create_grades", "create_grades-partly")])
def test_example_of_a_result_looks_like_a_result(client: TestClient, name: str, key: str) -> None:
    _, path, operation = OPERATIONS[name]
    example, real = response_example(operation), client.post(path, json=REQUEST_EXAMPLES[key][2]).json()
    assert conforms(example, body_schema(operation))
    assert shape(example) == shape(real)


def test_example_of_the_info_looks_like_the_info(client: TestClient) -> None:
    example, real = response_example(OPERATIONS["read_info"][2]), client.get("/v1/info").json()
    assert shape(example) == shape(real)
    assert example["limits"] == real["limits"]
    assert example["bank"] == real["bank"]


def test_limits_stand_in_the_document() -> None:
    schemas = SCHEMA["components"]["schemas"]
    assert schemas["GradeRequest"]["properties"]["candidate_answer"]["maxLength"] == 20_000
    assert schemas["GradeBatch"]["properties"]["rows"]["maxItems"] == 1_000
    assert schemas["GradeRequest"]["additionalProperties"] is False


def test_result_has_the_librarys_names_at_its_top() -> None:
    assert SCHEMA["components"]["schemas"]["GradedAnswer"]["required"] == [
        "score",
        "mark",
        "max_mark",
        "grade",
        "interval",
        "semantic_similarity",
        "keyword_coverage",
        "keywords",
        "key_points",
        "flags",
        "needs_review",
        "review_reasons",
        "feedback",
        "signature",
    ]
