"""How much of a text another says, worked out by hand on words that mean their spelling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from grader.reading import PackedWords, Words
from grader.word_meaning import Goals, nearness, weights_of
from tests.grader.spelt_words import packed_words_of, words_of


def recall(goal: str, answer: str, asked: str | None = None) -> float:
    goals = Goals.of([packed_words_of(goal)], None if asked is None else packed_words_of(asked))
    return float(goals.recall(words_of(answer))[0])


def test_all_of_a_text_is_said_by_itself_and_nothing_by_other_words() -> None:
    assert recall("neurons vanish", "neurons vanish") == pytest.approx(1.0)
    assert recall("neurons vanish", "steel rusts") == 0.0
    assert recall("neurons vanish", "") == 0.0
    assert recall("", "neurons vanish") == 0.0


def test_words_of_grammar_count_less() -> None:
    # "the" counts .4 beside "neurons" with 1.
    assert recall("the neurons", "the") == pytest.approx(0.4 / 1.4, abs=1e-5)


def test_words_of_the_question_earn_nothing() -> None:
    assert recall("neurons vanish", "neurons", asked="what do neurons do") == pytest.approx(0.0, abs=1e-5)
    assert recall("neurons vanish", "vanish", asked="what do neurons do") == pytest.approx(1.0, abs=1e-5)
    # Where the question holds all of it there is nothing else to go by.
    assert recall("neurons", "neurons", asked="neurons") == pytest.approx(1.0)


def test_rare_words_count_more() -> None:
    goal = replace(packed_words_of("backpropagation works"), rarity=np.array([1.0, 0.25], dtype=np.float32))
    assert Goals.of([goal], None).recall(words_of("backpropagation"))[0] == pytest.approx(1 / 1.25, abs=1e-5)


@pytest.mark.parametrize(("cosine", "near"), [(1.0, 1.0), (0.25, 0.5), (0.0, 0.0), (-0.5, 0.0)])
def test_nearness_is_the_root_of_the_cosine(cosine: float, near: float) -> None:
    goal = np.array([[1.0, 0.0]], dtype=np.float32)
    answer = np.array([[cosine, math.sqrt(1 - cosine**2)], [-1.0, 0.0]], dtype=np.float32)
    assert nearness(goal, answer).tolist() == pytest.approx([near], abs=1e-6)


def test_each_of_several_texts_is_held_against_the_answer_by_itself() -> None:
    goals = Goals.of([packed_words_of(text) for text in ("neurons vanish", "", "steel", "neurons grow tall")], None)
    answer = words_of("neurons grow")
    assert goals.recall(answer).tolist() == pytest.approx([1 / 2, 0, 0, 2 / 3])
    said, meant = goals.recall_and_precision(answer, None)
    assert said.tolist() == goals.recall(answer).tolist()
    assert meant.tolist() == pytest.approx([1 / 2, 0, 0, 1])


def test_precision_leaves_out_what_the_question_says() -> None:
    _, meant = Goals.of([packed_words_of("vanish")], None).recall_and_precision(
        words_of("neurons vanish"), packed_words_of("neurons")
    )
    assert meant.tolist() == pytest.approx([1.0], abs=1e-5)


def test_weights_are_never_nothing() -> None:
    assert weights_of(words_of("neurons"), words_of("neurons")).tolist() == pytest.approx([1e-6], abs=1e-7)
    assert weights_of(words_of(""), words_of("neurons")).shape == (0,)


def test_eight_bits_keep_directions() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = Words(texts=("w",) * 50, rarity=np.ones(50, dtype=np.float32), vectors=vectors)
    kept = PackedWords.of(words).unpacked()
    assert np.abs(kept.vectors @ vectors.T - vectors @ vectors.T).max() < 0.005
    assert PackedWords.of(kept).steps.tolist() == PackedWords.of(words).steps.tolist()
