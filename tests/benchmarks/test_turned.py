"""Answers that are turned round in a word, and the rows that are made of them."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.turned import Change, changes_of, row_of_turned, weight_of
from grader import Grader


@pytest.fixture(scope="module", params=["test", "test_2"])
def changes(request: pytest.FixtureRequest) -> list[Change]:
    return changes_of(request.param)


def test_every_item_has_right_answers_that_are_turned_and_changed_otherwise(changes: list[Change]) -> None:
    of_items = Counter(change.item.id for change in changes)
    assert len(of_items) == 20
    assert set(of_items.values()) == {9}
    assert sum(change.denies is None for change in changes) == 60
    assert not [change for change in changes if change.answer == change.changed]


def test_what_is_turned_is_a_key_point_of_the_item(changes: list[Change]) -> None:
    for change in changes:
        if change.denies is not None:
            assert change.denies in {point.id for point in change.item.key_points}
            assert 0.0 < weight_of(change) < 1.0


def test_a_row_counts_what_was_lost(real_grader: Grader, changes: list[Change]) -> None:
    turned = [change for change in changes if change.denies is not None][:2]
    right = [real_grader.grade(change.item, change.answer) for change in turned]
    nothing = [real_grader.grade(change.item, "I do not know.") for change in turned]
    same = row_of_turned("same", list(zip(turned, right, right, strict=True)))
    lost = row_of_turned("lost", list(zip(turned, right, nothing, strict=True)))
    assert same.startswith("| same | 2 |")
    assert "| 0% | 0% |" in same
    assert "| 100% | 100% |" in lost
    assert lost.endswith("| 0% |")
