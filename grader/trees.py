"""Sums of small regression trees: arithmetic only and in one order, so that a value is the same to the bit everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A number's place, the line up to which the way goes to the first of two nodes, and their places in the tree.
Split = tuple[int, float, int, int]
Leaf = tuple[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """What is added to a base by trees, each a tuple of nodes with its root first; see docs/adr/0041.

    `names` are those of the numbers that the trees ask for, by place.
    """

    names: tuple[str, ...]
    base: float
    trees: tuple[tuple[Split | Leaf, ...], ...]

    def are_sound(self) -> bool:
        """Tell whether every way through a tree ends at a leaf, and every number that is asked for has a name."""
        return all(
            len(node) == 1 or (0 <= node[0] < len(self.names) and place < min(node[2:]) and max(node[2:]) < len(tree))
            for tree in self.trees
            for place, node in enumerate(tree)
        ) and all(self.trees)

    def predict(self, values: Sequence[float]) -> float:
        """Return the sum for numbers in the order of `names`; it may lie outside of [0, 1]."""
        total = self.base
        for tree in self.trees:
            node = tree[0]
            while len(node) > 1:
                place, line, first, second = node
                node = tree[first if values[place] <= line else second]
            total += node[0]
        return total


NO_TREES = Trees(names=(), base=0.0, trees=())
