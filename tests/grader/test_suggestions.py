"""Suggested key points: from the references alone, few, graded as an author's, and the same every time."""

from __future__ import annotations

import pytest

from grader import Gradable, Grader, Item, ItemBank, KeyPoint, ReferenceAnswer, suggest_key_points
from grader.items import ReferenceKind

QUESTION = "Why do things fall?"
FULL = "The gravity of the Earth pulls all things towards its centre. Air slows light bodies down, such as feathers."
SHORT = "Because gravity pulls things towards the centre of the Earth."


def gradable(*texts: str, question: str = QUESTION, **fields: object) -> Gradable:
    references = tuple(ReferenceAnswer(text=text, kind=ReferenceKind.ALTERNATIVE) for text in texts)
    return Gradable(question=question, reference_answers=references, **fields)


def test_sentences_become_key_points_with_their_terms_and_what_confirms_them() -> None:
    pulls, slows = suggest_key_points(gradable(FULL, SHORT))
    assert pulls == KeyPoint(
        id="gravity-earth",
        text="The gravity of the Earth pulls all things towards its centre.",
        weight=2,
        keywords=(("gravity",), ("Earth",), ("pulls",), ("centre",)),
        examples=(SHORT,),
    )
    assert (slows.id, slows.weight, slows.examples) == ("slows-light", 1, ())
    assert ("things",) not in pulls.keywords, "the question's own words show nothing"


def test_an_authors_key_points_stay_and_get_the_keywords_that_they_lack() -> None:
    own = (
        KeyPoint(id="pull", text="Gravity pulls towards the centre of the Earth.", keywords=(("gravity", "attraction"),)),
        KeyPoint(id="drag", text="Air slows light bodies."),
    )
    kept, completed = suggest_key_points(gradable(FULL, SHORT, key_points=own))
    assert kept == own[0]
    assert completed == own[1].model_copy(update={"keywords": (("air",), ("slows",), ("light",), ("bodies",))})


def test_ids_are_never_used_twice() -> None:
    own = (KeyPoint(id="slows-light", text="Magnets attract iron.", keywords=(("magnet",),)),)
    points = suggest_key_points(gradable(FULL, key_points=own))
    assert [point.id for point in points] == ["slows-light", "gravity-earth", "slows-light-2"]


@pytest.mark.parametrize(
    "text", ["Yes.", "引力。", "- one\n- two\n- three", "x" * 5_000, "It is " + "y" * 400, "1 2 3 4 5 6 7 8 9."]
)
def test_any_reference_gives_what_an_item_may_hold(text: str) -> None:
    item = gradable(text, f"It falls. {text}"[:5_000], question="")
    points = suggest_key_points(item)
    assert item.model_copy(update={"key_points": points}).key_points == points
    assert Gradable.model_validate(item.model_dump() | {"key_points": [point.model_dump() for point in points]})


def bare(item: Item) -> Gradable:
    return Gradable(question=item.question, reference_answers=item.reference_answers)


def test_shipped_items_without_their_key_points_get_about_as_many(shipped_bank: ItemBank) -> None:
    for item in shipped_bank:
        points = suggest_key_points(bare(item))
        assert 3 <= len(points) <= 8
        assert all(point.keywords for point in points)
        assert points == suggest_key_points(bare(item))


def test_what_is_suggested_grades_well_at_once(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    suggested = Gradable.model_validate(bare(item).model_dump() | {"key_points": suggest_key_points(bare(item))})
    good, bad = real_grader.grade_many(
        [(suggested, item.reference_answers[1].text), (suggested, "It makes the computer faster.")]
    )
    assert good.score > 0.9
    assert bad.score < 0.3
