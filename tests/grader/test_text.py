"""Cutting and folding text: every piece with its place, every form of a word under one stem."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.text import Span, Word, clauses, content_stems, function_words, normalise, sentences, stem, word_list, words

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from(" .,;:!?-\n•1a and"), max_size=200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("ﬁne  tuning\u200b ", "fine tuning"),
        ("don’t", "don't"),
        ("cafe\u0301", "caf\u00e9"),
        ("zero\u00adshot", "zeroshot"),
        ("\u202eabc\u202c", "abc"),
        ("\ufeffCO₂", "CO2"),
        ("１２", "12"),
    ],
    ids=["empty", "blank", "ligature", "apostrophe", "decomposed", "soft-hyphen", "directional", "subscript", "full-width"],
)
def test_normalising_folds_characters_and_white_space(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(TEXTS)
@settings(deadline=None)
def test_normalised_text_has_no_runs_of_white_space_and_none_at_its_ends(text: str) -> None:
    folded = normalise(text)
    assert folded == " ".join(folded.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("?!… 😀", []),
        ("One thing", ["One thing"]),
        ("It learns. It helps!", ["It learns.", "It helps!"]),
        ("It learns, e.g. by example. It helps!", ["It learns, e.g. by example.", "It helps!"]),
        ("See fig. 3 for it. Then stop?", ["See fig. 3 for it.", "Then stop?"]),
        ("A. Turing wrote it.", ["A. Turing wrote it."]),
        ("It rises; it falls", ["It rises;", "it falls"]),
        ("Points:\n- one\n* two\n2) three\n(b) four", ["Points:", "one", "two", "three", "four"]),
        ('He said "stop." Then he left.', ['He said "stop.', "Then he left."]),
        ("It costs 3.5 dollars.", ["It costs 3.5 dollars."]),
        ("Version v1.2 is out. Good.", ["Version v1.2 is out.", "Good."]),
        ("第一句。第二句！", ["第一句", "第二句"]),
        ("use e.g.\nReLU", ["use e.g.", "ReLU"]),
        ("1. first one\n2. second one", ["first one", "second one"]),
        ("No. It does not.", ["No.", "It does not."]),
        ("See no. 5 for it.", ["See no. 5 for it."]),
        ("It is 3. It was 4.", ["It is 3.", "It was 4."]),
        ("It needs vitamin C. It is good.", ["It needs vitamin C.", "It is good."]),
        ("1.It learns\n2.it helps", ["It learns", "it helps"]),
        ("1.5 is the rate", ["1.5 is the rate"]),
        ("ii. second one\n100. last one", ["second one", "last one"]),
        ("first thing • second thing", ["first thing", "second thing"]),
        ("  spaced out  \n\n  again ", ["spaced out", "again"]),
    ],
)
def test_sentences_end_at_stops_lines_and_bullets_but_not_at_abbreviations(text: str, expected: list[str]) -> None:
    assert [s.text for s in sentences(text)] == expected


def test_a_short_sentence_is_one_clause() -> None:
    text = "It is fast, cheap, small, and good."
    assert [c.text for c in clauses(text)] == [text]


def test_a_long_sentence_is_cut_at_commas_and_conjunctions() -> None:
    text = (
        "Dropout randomly switches off neurons in each training step, so the network cannot rely on particular partners, "
        "and therefore it learns robust features."
    )
    assert [c.text for c in clauses(text)] == [
        "Dropout randomly switches off neurons in each training step",
        "so the network cannot rely on particular partners",
        "and therefore it learns robust features.",
    ]


def test_a_piece_too_short_to_say_anything_stays_with_its_neighbour() -> None:
    text = "The optimiser changes every weight of the network by a small step against the gradient of the loss, and fast."
    assert [c.text for c in clauses(text)] == [text]


@given(TEXTS)
@settings(deadline=None)
def test_every_piece_stands_where_it_says_and_pieces_do_not_overlap(text: str) -> None:
    cuts: list[Sequence[Span | Word]] = [sentences(text), clauses(text), words(text)]
    for pieces in cuts:
        places = [(piece.start, piece.end) for piece in pieces]
        assert [text[start:end] for start, end in places] == [piece.text for piece in pieces]
        assert all(any(c.isalnum() for c in piece.text) for piece in pieces)
        assert all(end <= start for (_, end), (start, _) in pairwise(places))


@given(TEXTS)
@settings(deadline=None)
def test_a_text_has_clauses_exactly_if_it_has_a_letter_or_digit(text: str) -> None:
    assert bool(clauses(text)) == any(c.isalnum() for c in text) == bool(words(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("snake_case non-linear", ["snake", "case", "non", "linear"]),
        ("3.14 1,000 50%", ["3.14", "1,000", "50%"]),
        ("don't don’t", ["don't", "don’t"]),
        ("F1 GPT4 ReLU6x", ["F1", "GPT4", "ReLU6x"]),
        ("C++, x=y", ["C", "x", "y"]),
        ("naïve 中文 Ünï", ["naïve", "中文", "Ünï"]),
        ("😀 👩‍👩‍👧 ok", ["ok"]),
    ],
)
def test_words_are_letters_numbers_and_names_with_digits(text: str, expected: list[str]) -> None:
    assert [w.text for w in words(text)] == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("regularisation", "regularizing"),
        ("optimiser", "optimizers"),
        ("analyse", "analyzed"),
        ("labelled", "labeling"),
        ("behaviour", "behaviors"),
        ("colour", "coloring"),
        ("stalled", "stall"),
        ("drilled", "drills"),
        ("controlled", "control"),
        ("travelling", "traveled"),
        ("neighbourhood", "neighborhoods"),
        ("centred", "centered"),
        ("kilometres", "kilometer"),
        ("neurons", "Neuron"),
        ("network’s", "networks"),
        ("1,000", "1000"),
        ("children", "child"),
        ("ﬁlters", "filter"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10", "100"),
        ("1.5", "15"),
        ("loss", "less"),
        ("rise", "rize"),
        ("four", "for"),
        ("hour", "hor"),
        ("wise", "wize"),
        ("precise", "precize"),
        ("loss", "lose"),
    ],
)
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_threads_do_not_get_each_others_stems() -> None:
    vocabulary = sorted({w.text for item in _long_words() for w in words(item)})
    expected = [stem(word) for word in vocabulary]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            stem.cache_clear()
            with ThreadPoolExecutor(8) as executor:
                for found in executor.map(lambda _: [stem(word) for word in vocabulary], range(8)):
                    assert found == expected
    finally:
        sys.setswitchinterval(switch)


def _long_words() -> list[str]:
    """Return texts with many endings that take the stemmer several steps."""
    roots = ("regular", "general", "normal", "initial", "optim", "parallel", "character", "real", "local", "special")
    endings = ("isation", "isations", "izing", "ized", "ity", "ities", "ness", "ly", "ism", "istic", "istically", "ous")
    return [" ".join(root + ending for ending in endings) for root in roots]


def test_content_stems_leave_grammar_out_and_keep_order_and_repeats() -> None:
    assert content_stems("The neurons and the weights of a neuron") == ["neuron", "weight", "neuron"]


def test_function_words_hold_the_negations() -> None:
    assert {"the", "is", "not", "no", "don't"} <= function_words()
    assert not words("don’t")[0].is_content
    assert words("dropout")[0].is_content


@pytest.mark.parametrize("name", ["function_words", "irregular_forms", "opposites", "true_ise"])
def test_word_lists_are_lower_case(name: str) -> None:
    entries = word_list(name)
    assert entries
    assert all(entry == entry.lower() for entry in entries)
    assert len(entries) == len(set(entries))
