"""An encoder that remembers gives the same vectors, to the bit, and asks for each only once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grader import Grader, ItemBank, RememberingEncoder
from grader.encoders import Encoder, FloatArray
from grader.reading import Reading
from grader.text import Passage


class Counting:
    """Counts what the real encoder is asked for."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.asked: list[Passage] = []
        self.signature, self.dimension, self.max_tokens = encoder.signature, encoder.dimension, encoder.max_tokens
        self.count_tokens = encoder.count_tokens

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        self.asked += passages
        return self.encoder.encode(passages)

    def read(self, passages: Sequence[Passage]) -> Reading:
        self.asked += passages
        return self.encoder.read(passages)


def test_results_are_the_same_and_known_texts_are_not_encoded_again(real_grader: Grader, shipped_bank: ItemBank) -> None:
    counting = Counting(real_grader.encoder)
    grader = Grader(RememberingEncoder(counting), verifier=real_grader.verifier)
    item = shipped_bank.get("dropout")
    answers = [response.candidate_answer for response in shipped_bank.responses["dropout"][:5]]
    expected = [result.to_json() for result in real_grader.grade_many([(item, answer) for answer in answers])]
    assert [result.to_json() for result in grader.grade_many([(item, answer) for answer in answers])] == expected
    asked = len(counting.asked)
    changed = item.model_copy(update={"question": "What is dropout for?"})
    grader.grade_many([(changed, answer) for answer in answers])
    assert [passage.text for passage in counting.asked[asked:]] == ["What is dropout for?"]


def test_the_same_words_in_another_context_are_another_passage(real_grader: Grader) -> None:
    encoder = RememberingEncoder(real_grader.encoder)
    texts = ["It bends. Light is quick.", "It weighs little. Light is it."]
    passages = [Passage(text, text.index("Light"), text.index("Light") + 5) for text in texts]
    vectors = encoder.encode(passages)
    assert not np.allclose(vectors[0], vectors[1])
    assert np.array_equal(encoder.encode(passages[::-1]), vectors[::-1])


def test_the_words_of_the_last_texts_are_remembered(real_grader: Grader) -> None:
    counting = Counting(real_grader.encoder)
    encoder = RememberingEncoder(counting, texts_kept=2)
    for text in ("one", "two", "two", "three", "one"):
        words = encoder.read([Passage.whole(text)]).words[text]
        assert words.vectors.tobytes() == real_grader.encoder.read([Passage.whole(text)]).words[text].vectors.tobytes()
    assert [passage.text for passage in counting.asked] == ["one", "two", "three", "one"]


def test_only_so_many_are_kept_and_nothing_is_asked_of_nothing(real_grader: Grader) -> None:
    counting = Counting(real_grader.encoder)
    encoder = RememberingEncoder(counting, kept=2)
    for text in ("one", "two", "three", "three", "one"):
        encoder.encode([Passage.whole(text)])
    assert [passage.text for passage in counting.asked] == ["one", "two", "three", "one"]
    assert encoder.encode([]).shape == (0, encoder.dimension)
