"""Finding words and phrases: stems, slips, abbreviations, words together or apart; digits strictly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import lexical
from grader.lexical import Phrase, WordIndex, coverage, slips_allowed
from grader.text import stem, words


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("dropout", "We use dropout here", (2, 2)),
        ("neurons", "each neuron fires", (1, 1)),
        ("overfitting", "it prevents overfiting", (2, 2)),
        ("gradient descent", "a kind of gradeint descent", (3, 4)),
        ("loss", "it is less", None),
        ("10", "there are 100", None),
        ("1000", "there are 1,000", (2, 2)),
        ("GPT4", "we used GPT3", None),
        ("update weights", "the weights are then updated", (1, 4)),
        ("update weights", "weights of that very big old net are updated", None),
        ("backpropagation", "back propagation of errors", (0, 1)),
        ("back propagation", "with backpropagation", (1, 1)),
        ("recurrent neural network", "an RNN reads it", (1, 1)),
        ("recurrent neural network", "RNNs read it", (0, 0)),
        ("recurrent neural network", "an rnn reads it", (1, 1)),
        ("RNN", "a recurrent neural network", (1, 3)),
        ("RNNs", "a recurrent neural network", (1, 3)),
        ("neural network", "the Nn", (1, 1)),
        ("neural network", "say no", None),
        ("one two three four five six seven", "OTTFFSS", None),
        ("of the", "the end of it", (0, 2)),
        ("to be", "nothing here", None),
        ("weights weights", "only weights", None),
        ("dropout", "", None),
    ],
)
def test_a_phrase_is_found_in_its_forms(phrase: str, text: str, expected: tuple[int, int] | None) -> None:
    assert WordIndex.of(text).find_phrase(Phrase.of(words(phrase))) == expected


def test_the_nearest_misspelling_wins_and_the_first_of_equals() -> None:
    index = WordIndex.of("gradint gradientt gradiant gradient")
    assert index.find(stem("gradient")) == 3
    assert WordIndex.of("gradiant gradint").find("gradient") == 0
    assert WordIndex.of("xx gradint gradiant").find("gradient") == 1


def test_a_slip_in_the_first_letter_makes_another_word() -> None:
    assert WordIndex.of("kradient").find("gradient") is None


@pytest.mark.parametrize(
    ("word", "allowed"), [("", 0), ("loss", 0), ("layer", 1), ("gradient", 1), ("gradients", 2), ("resnet50", 0), ("x" * 30, 2)]
)
def test_slips_grow_with_length_and_digits_forbid_them(word: str, allowed: int) -> None:
    assert slips_allowed(word) == allowed


def test_all_stems_are_indexed_and_the_first_place_is_found() -> None:
    index = WordIndex.of("The net trains the nets")
    assert index.stems == {"the", "net", "train"}
    assert index.find("net") == 1


@pytest.mark.parametrize(
    ("wanted", "text", "expected"),
    [
        ([], "anything", 0.0),
        (["net"], "", 0.0),
        (["net", "train"], "a net", 0.5),
        (["net", "net", "train"], "a net", 0.5),
        (["net", "train"], "training nets", 1.0),
        (["a", "b", "c", "d"], "a b c", 0.75),
    ],
)
def test_coverage_is_the_share_of_distinct_stems(wanted: list[str], text: str, expected: float) -> None:
    assert coverage(wanted, WordIndex.of(text)) == expected


@given(st.lists(st.sampled_from("neuron weight layer gradient loss RNN recurrent neural network 10".split()), max_size=12))
@settings(deadline=None)
def test_adding_words_never_loses_a_stem(found: list[str]) -> None:
    wanted = {stem(w) for w in found[:6]}
    shorter, longer = WordIndex.of(" ".join(found[:6])), WordIndex.of(" ".join(found))
    assert coverage(wanted, longer) == coverage(wanted, shorter) == (1.0 if wanted else 0.0)


@pytest.mark.parametrize("pair", ["over fitting", "Over Fitting", "be came", "bro ught", "ﬁne tuning", "h2 o"])
def test_a_word_written_apart_is_found_whatever_its_stem_is(pair: str) -> None:
    together = words(pair.replace(" ", ""))
    assert len(together) == 1
    assert WordIndex.of(f"say {pair} so").find_phrase(Phrase.of(together)) == (1, 2)


def test_a_text_that_is_asked_for_any_number_of_words_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "_REMEMBERED", 10)
    index = WordIndex.of("a gradient descends")
    for number in range(1_000):
        index.find("gradien" + chr(ord("a") + number % 26) + "abcdefghij"[number % 10])
    assert len(index._fuzzy) <= 10
    assert index.find("gradientx") == 1
