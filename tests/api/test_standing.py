"""Which decisions stand: a name with a key is one reviewer, and a key that nobody recorded is any key."""

from __future__ import annotations

import pytest

from api.standing import mean_score, standing

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
