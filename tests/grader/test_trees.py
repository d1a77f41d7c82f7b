"""Trees against sums worked out by hand, and what is no tree."""

from __future__ import annotations

import pytest

from grader.trees import NO_TREES, Leaf, Split, Trees

TREE: tuple[Split | Leaf, ...] = ((0, 0.5, 1, 2), (0.1,), (1, 0.2, 3, 4), (0.2,), (0.4,))


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0.5, 0.9), 0.3 + 0.1 + 0.05), ((0.51, 0.2), 0.3 + 0.2 + 0.05), ((0.51, 0.21), 0.3 + 0.4 + 0.05)],
)
def test_a_value_is_the_base_and_a_leaf_of_every_tree(values: tuple[float, float], expected: float) -> None:
    assert Trees(names=("a", "b"), base=0.3, trees=(TREE, ((0.05,),))).predict(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("tree", "is_sound"),
    [
        (TREE, True),
        (((0.5,),), True),
        ((), False),
        (((2, 0.5, 1, 2), (0.1,), (0.2,)), False),
        (((0, 0.5, 1, 3), (0.1,), (0.2,)), False),
        (((0, 0.5, 0, 2), (0.1,), (0.2,)), False),
    ],
    ids=["sound", "leaf", "empty", "number without a name", "no such node", "round and round"],
)
def test_a_way_that_does_not_end_is_found(tree: tuple[Split | Leaf, ...], is_sound: bool) -> None:
    assert Trees(names=("a", "b"), base=0.0, trees=(tree,)).are_sound() is is_sound
    assert NO_TREES.are_sound()
