"""Which decisions stand: a name with a key is one reviewer, and a key that nobody recorded is any key."""

from __future__ import annotations

import pytest

from api.standing import Opinion, _decided, mean_score, standing
from grader import Gradable, ReferenceAnswer

Said = tuple[str, str | None, float]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("Ada", "a", 0.1), ("Ada", "a", 0.2)], [("Ada", "a", 0.2)]),
        ([("Ada", "a", 0.1), ("Ada", "b", 0.2)], [("Ada", "a", 0.1), ("Ada", "b", 0.2)]),
        ([("Ada", "a", 0.1), ("Bob", "a", 0.2)], [("Ada", "a", 0.1), ("Bob", "a", 0.2)]),
        ([("Ada", None, 0.1), ("Ada", None, 0.2)], [("Ada", None, 0.2)]),
        ([("Ada", None, 0.1), ("Bob", "b", 0.2), ("Ada", "a", 0.3)], [("Ada", "a", 0.3), ("Bob", "b", 0.2)]),
        ([("Ada", None, 0.1), ("Ada", "a", 0.2), ("Ada", "b", 0.3)], [("Ada", "a", 0.2), ("Ada", "b", 0.3)]),
        # An older server that works on the same database beside this one records no key.
        ([("Ada", "a", 0.1), ("Bob", "a", 0.2), ("Ada", "b", 0.3), ("Ada", None, 0.4)], [("Ada", None, 0.4), ("Bob", "a", 0.2)]),
        ([("Ada", "a", 0.1), ("Bob", "a", 0.2), ("Ada", "a", 0.3)], [("Ada", "a", 0.3), ("Bob", "a", 0.2)]),
    ],
)
def test_latest_of_each_reviewer_and_key_stands_in_the_order_of_the_first(said: list[Said], expected: list[Said]) -> None:
    found = standing([("r", *each) for each in said] + [("other", "Ada", "a", 1.0)])
    assert [(each.reviewer, each.key_name, each.score) for each in found["r"]] == expected
    assert mean_score(found["r"]) == pytest.approx(sum(score for *_, score in expected) / len(expected))
    assert mean_score(found["other"]) == 1.0


@pytest.mark.parametrize(
    ("max_mark", "marks", "expected"),
    [(10, (7.0, 7.5), 7.5), (12, (1.0, 1.5), 1.5), (3, (0.0, 0.5), 0.5), (6, (6.0, 6.0), 6.0), (10, (0.0, 0.0, 0.5), 0.0)],
)
def test_mark_of_several_people_is_rounded_as_one_persons_halves_upwards(
    max_mark: int, marks: tuple[float, ...], expected: float
) -> None:
    item = Gradable(reference_answers=(ReferenceAnswer(text="Gravity."),), max_mark=max_mark)
    opinions = [Opinion(str(number), None, mark / max_mark) for number, mark in enumerate(marks)]
    decided = _decided(opinions, item)
    assert (decided.reviews, decided.reviewed_score) == (len(marks), mean_score(opinions))
    assert decided.reviewed_mark == expected
