"""How much is done outside of the encoder for an answer of 60 words, in calls of functions: no other load disturbs the count."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType

import numpy as np

from benchmarks.measuring import answers
from grader import Grader, ItemBank
from grader.encoders import FloatArray
from grader.profiles import passages
from grader.reading import Reading, Words
from grader.text import Passage

# A tenth above what was counted when the limit was set. Whoever has to raise it makes every grade slower.
_MOST_CALLS = 13_300
_ANSWERS = 32


class Remembering:
    """The real encoder, which has been asked before and now only looks up."""

    def __init__(self, grader: Grader) -> None:
        encoder = grader.encoder
        self.signature, self.dimension, self.max_tokens = encoder.signature, encoder.dimension, encoder.max_tokens
        self.count_tokens = encoder.count_tokens
        self._read = encoder.read
        self._known: dict[Passage, FloatArray] = {}
        self._words: dict[str, Words] = {}

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        return self.read(passages).vectors

    def read(self, passages: Sequence[Passage]) -> Reading:
        new = [passage for passage in passages if passage not in self._known]
        if new:
            reading = self._read(new)
            self._known.update(zip(new, reading.vectors, strict=True))
            self._words.update(reading.words)
        vectors = np.array([self._known[passage] for passage in passages], dtype=np.float32).reshape(-1, self.dimension)
        return Reading(vectors=vectors, words=self._words)


def calls_in(run: Callable[[], object]) -> int:
    """Return how many functions are called, of Python and of C."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def test_an_answer_takes_no_more_calls_than_it_did(real_grader: Grader, shipped_bank: ItemBank) -> None:
    grader = Grader(Remembering(real_grader))
    rows = answers(shipped_bank, words=60, count=_ANSWERS)
    grader.grade_many(rows)
    # Outer white space makes texts that are new to everything that remembers texts.
    fresh = [(item, f"{answer} ") for item, answer in rows]
    grader.encoder.encode([passage for _, answer in fresh for passage in passages(answer)])
    calls = calls_in(lambda: grader.grade_many(fresh)) / _ANSWERS
    assert calls <= _MOST_CALLS, f"{calls:.0f} calls for an answer"
