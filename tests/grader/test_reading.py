"""Which tokens of a text make which word, on the real tokenizer and network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grader import OnnxEncoder, SentenceTransformerEncoder
from grader.reading import MAX_WORDS, Words
from grader.text import Passage, clauses
from grader.weights import find_weights


@pytest.fixture(scope="module")
def encoder(prepared_model: Path) -> OnnxEncoder:
    return OnnxEncoder(prepared_model, precision="fp32")


def read(encoder: OnnxEncoder | SentenceTransformerEncoder, *texts: str) -> list[Words]:
    reading = encoder.read([Passage.whole(text) for text in texts])
    return [reading.words[text] for text in texts]


def test_words_are_whole_lower_case_and_without_punctuation(encoder: OnnxEncoder) -> None:
    [words] = read(encoder, "Backpropagation isn't\u200b (only) for the 3rd layer, e.g. ReLU(x)=0.5!")
    spelt = ["backpropagation", "isn", "t", "only", "for", "the", "3rd", "layer", "e", "g", "relu", "x", "0", "5"]
    assert list(words.texts) == spelt
    assert words.vectors.shape == (len(spelt), encoder.dimension)
    assert np.linalg.norm(words.vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["", "...", "😀"])
def test_a_text_may_be_without_words(encoder: OnnxEncoder, text: str) -> None:
    [words] = read(encoder, text)
    assert words.vectors.shape == (len(words.texts), encoder.dimension)


def test_rare_words_are_rarer_than_common_ones(encoder: OnnxEncoder) -> None:
    [words] = read(encoder, "the water gradient 7")
    rarity = dict(zip(words.texts, words.rarity.tolist(), strict=True))
    assert 0 == rarity["the"] < rarity["water"] < rarity["gradient"] <= 1
    assert rarity["7"] == 0.5


def test_a_word_means_something_else_in_another_place(encoder: OnnxEncoder) -> None:
    river, money, cash = read(encoder, "The river bank is muddy.", "The bank lends money.", "A bank gives out loans.")
    bank = [words.vectors[words.texts.index("bank")] for words in (river, money, cash)]
    assert bank[1] @ bank[2] > bank[0] @ bank[1] + 0.1


def test_words_are_the_same_to_the_bit_whatever_else_is_asked(encoder: OnnxEncoder) -> None:
    text = "Heat flows from the tea into the spoon. " * 30
    parts = [Passage(text, span.start, span.end) for span in clauses(text)]
    [alone] = read(encoder, text)
    beside = encoder.read([*parts, Passage.whole(text), Passage.whole("Another text.")]).words[text]
    assert beside.texts == alone.texts
    assert beside.vectors.tobytes() == alone.vectors.tobytes()
    assert encoder.read([Passage.whole(text)]).vectors.tobytes() == encoder.encode([Passage.whole(text)]).tobytes()


def test_at_most_so_many_words_of_a_text_are_read(encoder: OnnxEncoder) -> None:
    [words] = read(encoder, "word " * (MAX_WORDS + 100))
    assert len(words.texts) == MAX_WORDS
    assert (np.linalg.norm(words.vectors, axis=1) > 0.99).all()


def test_words_agree_with_sentence_transformers(encoder: OnnxEncoder) -> None:
    reference = SentenceTransformerEncoder.from_directory(find_weights())
    texts = ["Dropout switches neurons off at random.", "word " * 400, ""]
    for ours, theirs in zip(read(encoder, *texts), read(reference, *texts), strict=True):
        assert ours.texts == theirs.texts
        assert (ours.rarity == theirs.rarity).all()
        assert np.abs(ours.vectors - theirs.vectors).max(initial=0) <= 1e-5
