"""The items over HTTP: pages, filters and search, and nothing that would earn marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from grader import Item, ItemBank

PUBLIC_FIELDS = ["id", "question", "topic", "section", "difficulty", "max_mark"]


def key_texts(item: Item) -> list[str]:
    """Return every text of an item that a learner must not read before answering, whole and by sentence."""
    texts = [
        *(reference.text for reference in item.reference_answers),
        *(text for point in item.key_points for text in (point.text, *point.examples)),
        *(text for wrong in item.misconceptions for text in (wrong.text, wrong.feedback)),
    ]
    return [piece for text in texts for piece in (text, *re.split(r"(?<=[.;:])\s+", text)) if len(piece) > 15]


def test_all_items_are_listed_by_id(client: TestClient, shipped_bank: ItemBank) -> None:
    page = client.get("/v1/items").json()
    assert (page["total"], page["limit"], page["offset"]) == (30, 50, 0)
    assert [item["id"] for item in page["items"]] == sorted(item.id for item in shipped_bank)
    assert [list(item) for item in page["items"]] == [PUBLIC_FIELDS] * 30


def test_pages_join_up_to_the_whole(client: TestClient) -> None:
    whole = client.get("/v1/items").json()["items"]
    pages = [client.get("/v1/items", params={"limit": 7, "offset": at}).json() for at in range(0, 35, 7)]
    assert [item for page in pages for item in page["items"]] == whole
    assert {page["total"] for page in pages} == {30}
    assert client.get("/v1/items", params={"offset": 1_000}).json()["items"] == []


@pytest.mark.parametrize("field", ["topic", "section", "difficulty"])
def test_filter_lists_just_the_items_with_the_value(client: TestClient, shipped_bank: ItemBank, field: str) -> None:
    values = {str(getattr(item, field)) for item in shipped_bank}
    assert len(values) > 1
    for value in values:
        found = client.get("/v1/items", params={field: value}).json()
        assert [item["id"] for item in found["items"]] == [i.id for i in shipped_bank if getattr(i, field) == value]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("DROPOUT", ["dropout"]),
        ("why dropout used", ["dropout"]),
        ("long-short-no-such-word", []),
        ("   ", None),
        ("\x00", []),
    ],
)
def test_search_finds_items_with_every_word(client: TestClient, q: str, expected: list[str] | None) -> None:
    found = [item["id"] for item in client.get("/v1/items", params={"q": q}).json()["items"]]
    assert found == expected if expected is not None else len(found) == 30


def test_filters_hold_together(client: TestClient) -> None:
    params = {"topic": "Basics", "section": "Techniques", "difficulty": "easy", "q": "dropout"}
    assert client.get("/v1/items", params=params).json()["total"] == 1
    assert client.get("/v1/items", params={**params, "difficulty": "hard"}).json()["total"] == 0


def test_one_item_is_shown_as_in_the_list(client: TestClient) -> None:
    for item in client.get("/v1/items").json()["items"]:
        assert client.get(f"/v1/items/{item['id']}").json() == item


def test_no_get_route_leaks_the_answer_key(client: TestClient, shipped_bank: ItemBank) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    addresses = [path for path, operations in paths.items() if "get" in operations and "{" not in path]
    assert "/v1/items" in addresses
    # What a key with the scope `grade` may read; the owner of a bank sees all of it.
    owners = (
        "/v1/banks",
        "/v1/jobs",
        "/v1/webhooks",
        "/v1/deliveries",
        "/v1/results",
        "/v1/subjects",
        "/v1/reviews",
        "/v1/items/{item_id}/regrade",
        "/v1/items/{item_id}/calibrat",
    )
    assert {path for path in paths if "{" in path and not path.startswith(owners)} == {"/v1/items/{item_id}"}
    addresses += [f"/v1/items/{item.id}" for item in shipped_bank]
    addresses += ["/docs", "/openapi.json", "/v1/items?q=dropout&topic=Basics", "/v1/items/no-such-item"]
    seen = " ".join(" ".join(client.get(address).text.split()) for address in addresses)
    secrets = [text for item in shipped_bank for text in key_texts(item)]
    assert len(secrets) > 500
    assert [text for text in secrets if " ".join(text.split()) in seen] == []


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "9" * 5_000}, "limit"),
        ({"limit": "NaN"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "1e999"}, "offset"),
        ({"difficulty": "impossible"}, "difficulty"),
        ({"q": "x" * 201}, "q"),
        ({"topic": "x" * 301}, "topic"),
        ({"tpoic": "Basics"}, "tpoic"),
        ({"x" * 500: "1"}, "x" * 80),
    ],
)
def test_bad_parameter_is_a_problem(
    client: TestClient, assert_problem: Callable[..., Any], params: dict[str, str], field: str
) -> None:
    assert_problem(client.get("/v1/items", params=params), 422, "invalid-request", ["query", field])


@pytest.mark.parametrize("item_id", ["no-such-item", "Dropout", "%00", "%ff%fe", "%ed%a0%80", "..%2e", "a b", "🙂"])
def test_unknown_item_is_a_problem(client: TestClient, assert_problem: Callable[..., Any], item_id: str) -> None:
    assert_problem(client.get(f"/v1/items/{item_id}"), 404, "item-not-found", ["path", "item_id"])


def test_overlong_id_is_a_problem_that_does_not_repeat_it(client: TestClient, assert_problem: Callable[..., Any]) -> None:
    response = client.get(f"/v1/items/{'x' * 5_000}")
    assert_problem(response, 422, "invalid-request", ["path", "item_id"])
    assert len(response.content) < 1_000
