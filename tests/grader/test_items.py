"""Items: what they accept, what they refuse, and the hashes that name them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from grader import Gradable, Item

GRADABLE: dict[str, Any] = {  # Any: JSON
    "question": "What is dropout?",
    "reference_answers": [
        {"text": "It switches neurons off.", "kind": "short"},
        {"text": "Neurons are switched off.", "kind": "full"},
    ],
    "key_points": [{"id": "off", "text": "Neurons are switched off.", "weight": 2, "keywords": [["neuron", "unit"]]}],
    "misconceptions": [{"id": "pruning", "text": "It deletes neurons.", "feedback": "They come back."}],
}
ITEM: dict[str, Any] = GRADABLE | {"id": "dropout", "topic": "Basics", "section": "Techniques", "difficulty": "easy"}


def changed(**fields: Any) -> Gradable:
    return Gradable.model_validate(GRADABLE | fields)


def test_an_item_needs_little_and_has_sensible_defaults() -> None:
    item = Gradable.model_validate({"reference_answers": [{"text": "Yes"}]})
    assert (item.question, item.key_points, item.max_mark, item.mark_step) == ("", (), 10, 0.5)
    assert item.reference_answers[0].kind == "full"
    assert item.grade_boundaries.model_dump() == {"excellent": 0.85, "good": 0.7, "fair": 0.5, "weak": 0.25}


def test_outer_white_space_is_stripped() -> None:
    assert changed(question="  Why? \n").question == "Why?"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"reference_answers": []}, ("reference_answers",)),
        ({"reference_answers": [{"text": "  "}]}, ("reference_answers", 0, "text")),
        ({"reference_answers": [{"text": "…!"}]}, ("reference_answers", 0, "text")),
        ({"reference_answers": [{"text": "a\x00b"}]}, ("reference_answers", 0, "text")),
        ({"reference_answers": [{"text": "x" * 5_001}]}, ("reference_answers", 0, "text")),
        ({"reference_answers": [{"text": "x"}] * 21}, ("reference_answers",)),
        ({"reference_answers": [{"text": "x", "kind": "best"}]}, ("reference_answers", 0, "kind")),
        ({"question": "a\x00b"}, ("question",)),
        ({"question": "x" * 5_001}, ("question",)),
        ({"key_points": [{"id": "Off", "text": "x"}]}, ("key_points", 0, "id")),
        ({"key_points": [{"id": "off", "text": "x", "weight": 0}]}, ("key_points", 0, "weight")),
        ({"key_points": [{"id": "off", "text": "x", "keywords": [[]]}]}, ("key_points", 0, "keywords", 0)),
        ({"key_points": [{"id": "off", "text": "x", "keywords": [["--"]]}]}, ("key_points", 0, "keywords", 0, 0)),
        ({"key_points": [{"id": "off", "text": "x", "keywords": [["x" * 301]]}]}, ("key_points", 0, "keywords", 0, 0)),
        ({"key_points": [{"id": "off", "text": "x"}] * 2}, ()),
        ({"misconceptions": [{"id": "m", "text": "x", "feedback": "y"}] * 2}, ()),
        ({"misconceptions": [{"id": "m", "text": "x"}]}, ("misconceptions", 0, "feedback")),
        ({"max_mark": 0}, ("max_mark",)),
        ({"max_mark": 2.5}, ("max_mark",)),
        ({"mark_step": 0}, ("mark_step",)),
        ({"max_mark": 5, "mark_step": 5.5}, ()),
        ({"mark_step": float("nan")}, ("mark_step",)),
        ({"grade_boundaries": {"good": 0.9}}, ("grade_boundaries",)),
        ({"grade_boundaries": {"weak": -0.1}}, ("grade_boundaries", "weak")),
        ({"colour": "red"}, ("colour",)),
    ],
)
def test_what_cannot_be_graded_with_is_refused_at_its_place(fields: dict[str, Any], where: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        changed(**fields)
    places = [error["loc"] for error in caught.value.errors()]
    assert where in places
    assert all(where[: len(place)] == place for place in places)


def test_broken_unicode_is_refused() -> None:
    with pytest.raises(ValidationError):
        changed(question="\ud800")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"id": "Drop_out"}, ("id",)),
        ({"id": "x" * 81}, ("id",)),
        ({"id": "dropout\n"}, ("id",)),
        ({"question": ""}, ("question",)),
        ({"difficulty": "extreme"}, ("difficulty",)),
        ({"key_points": []}, ("key_points",)),
        ({"reference_answers": GRADABLE["reference_answers"][:1]}, ("reference_answers",)),
        ({"reference_answers": GRADABLE["reference_answers"][:1] * 2}, ()),
    ],
)
def test_an_item_of_a_bank_has_to_be_complete(fields: dict[str, Any], where: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Item.model_validate(ITEM | fields)
    assert [error["loc"] for error in caught.value.errors()] == [where]


def test_values_are_frozen() -> None:
    item = changed()
    with pytest.raises(ValidationError, match="frozen"):
        item.max_mark = 3  # type: ignore[misc]


def test_equal_content_has_an_equal_hash_whatever_the_order_of_the_keys() -> None:
    again = Gradable.model_validate(dict(reversed(GRADABLE.items())))
    assert again.content_hash == changed().content_hash
    assert len(again.content_hash) == 64


@pytest.mark.parametrize(
    "fields",
    [
        {"question": "What is dropout for?"},
        {"max_mark": 5},
        {"mark_step": 1},
        {"grade_boundaries": {"weak": 0.1}},
        {"reference_answers": GRADABLE["reference_answers"][::-1]},
        {"misconceptions": []},
        {"key_points": [GRADABLE["key_points"][0] | {"keywords": [["unit", "neuron"]]}]},
    ],
)
def test_whatever_can_change_a_result_changes_the_content_hash(fields: dict[str, Any]) -> None:
    assert changed(**fields).content_hash != changed().content_hash


def test_what_cannot_change_a_mark_is_not_in_the_content_hash() -> None:
    item = Item.model_validate(ITEM)
    moved = Item.model_validate(ITEM | {"id": "dropout-02", "topic": "Elsewhere", "difficulty": "hard"})
    assert item.content_hash == moved.content_hash == changed().content_hash


@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        ({"question": "What is dropout for?"}, True),
        ({"key_points": [GRADABLE["key_points"][0] | {"text": "Units are switched off."}]}, True),
        ({"key_points": [GRADABLE["key_points"][0] | {"weight": 3}]}, False),
        ({"key_points": [GRADABLE["key_points"][0] | {"id": "on"}]}, False),
        ({"max_mark": 5}, False),
        ({"grade_boundaries": {"weak": 0.1}}, False),
    ],
)
def test_the_structure_hash_tells_rewording_from_remarking(fields: dict[str, Any], is_same: bool) -> None:
    assert (changed(**fields).structure_hash == changed().structure_hash) is is_same
