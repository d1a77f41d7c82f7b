"""The SemEval table's own arithmetic, on vectors that can be read."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.semeval import Measured, figures, neighbours


def split(vectors: list[list[float]], questions: str, labels: list[str]) -> Measured:
    rows = np.array(vectors)
    return Measured(
        evidence=rows, vectors=rows, cosines=rows[:, 0], scores=rows[:, 0], questions=tuple(questions), labels=tuple(labels)
    )


TRAIN = split([[1, 0], [0, 1], [1, 0]], "aab", ["correct", "contradictory", "incorrect"])


def test_neighbours_are_those_of_the_same_question() -> None:
    found = neighbours(TRAIN, split([[0.8, 0.6]], "a", ["correct"]))
    assert found[0, :3] == pytest.approx([0.8, 0.6, 0.2])
    assert 0.5 < found[0, 3] < 1
    assert neighbours(TRAIN, split([[1, 0]], "c", ["correct"])).tolist() == [[0, 0, 0, 0]]


def test_a_train_answer_is_not_its_own_neighbour() -> None:
    assert neighbours(TRAIN, TRAIN)[:, 0].tolist() == [0, 0, 0]


def test_labels_are_told_two_ways_and_three() -> None:
    assert TRAIN.two_way() == ["correct", "incorrect", "incorrect"]


def test_every_column_of_separable_answers_is_perfect() -> None:
    rng = np.random.default_rng(0)
    ones, others = rng.uniform(0.8, 1.0, 60), rng.uniform(0.0, 0.2, 60)
    vectors = [[x, 1 - x] for x in [*ones, *others]]
    many = split(vectors, "a" * 120, ["correct"] * 60 + ["contradictory"] * 60)
    assert set(figures(many, many, unseen_answers=True).values()) == {1.0}
