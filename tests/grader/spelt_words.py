"""Words whose meaning is their spelling, so that what is said can be worked out by hand."""

from __future__ import annotations

import numpy as np

from grader.reading import PackedWords, Words
from grader.text import words

# More than the words of all tests together, so that no two share an axis whatever ran before.
DIMENSION = 2048
_AXES: dict[str, int] = {}


def words_of(text: str) -> Words:
    """Return a text's words: the same vector for the same spelling, nothing in common with any other, all equally rare."""
    texts = tuple(word.text.lower() for word in words(text))
    vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
    for row, spelt in enumerate(texts):
        vectors[row, _AXES.setdefault(spelt, len(_AXES))] = 1
    return Words(texts=texts, rarity=np.ones(len(texts), dtype=np.float32), vectors=vectors)


def packed_words_of(text: str) -> PackedWords:
    """Return the same as an item keeps them."""
    return PackedWords.of(words_of(text))
