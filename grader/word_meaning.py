"""Words of one text held against those of another by what they mean where they stand, not by how they are spelt.

For every word of a goal the closest word of the answer is taken (BERTScore's greedy matching, Zhang et al., 2020), as the root of
their cosine. A word counts by how rare it is, and by how little of it the question already says: repeating the question's words
earns nothing. See docs/adr/0013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.encoders import FloatArray
from grader.reading import PackedWords, Words
from grader.text import function_words

# What "the" or "is" count for beside a word of subject matter as rare; nothing at all was worse on Beetle and SAF.
_FUNCTION_WEIGHT = 0.4
# Keeps the weights of a text that says nothing beyond the question from adding up to nothing.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True)
class Goals:
    """Texts to be said, their words one after the other.

    `steps` are the words' vectors in eight bits, shape `(words, dimension)`, `norms` the lengths of these, and `weights` what
    each word counts for, shape `(words,)` both; `starts` is where each text begins.
    """

    steps: npt.NDArray[np.int8]
    norms: FloatArray
    weights: FloatArray
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[PackedWords], asked: PackedWords | None) -> Goals:
        """Put at least one text together, each an answer to a question, or to none; one without words is never said."""
        known = [text if text.texts else _nothing(text.steps.shape[1]) for text in texts]
        starts = np.cumsum([0, *(len(text.texts) for text in known[:-1])])
        steps = np.concatenate([text.steps for text in known])
        lengths: FloatArray = np.linalg.norm(steps.astype(np.float32), axis=1)
        norms = np.maximum(lengths, np.float32(1.0))
        weights = np.concatenate([weights_of(text.unpacked(), None if asked is None else asked.unpacked()) for text in known])
        return cls(steps, norms, weights, starts)

    def recall(self, answer: Words) -> FloatArray:
        """Return how much of each text an answer says, in [0, 1], shape `(texts,)`; 0.0 for an answer without words."""
        if not answer.texts:
            return np.zeros(len(self.starts), dtype=np.float32)
        return self._means(self._cosines(answer))

    def recall_and_precision(self, answer: Words, asked: PackedWords | None) -> tuple[FloatArray, FloatArray]:
        """Return how much of each text an answer says, and how much of the answer each text says, in [0, 1]."""
        if not answer.texts:
            nothing = np.zeros(len(self.starts), dtype=np.float32)
            return nothing, nothing
        cosines = self._cosines(answer)
        weights = weights_of(answer, None if asked is None else asked.unpacked())
        closest = _closeness(np.maximum.reduceat(cosines, self.starts, axis=0))
        precision: FloatArray = (closest * weights).sum(axis=1) / weights.sum()
        return self._means(cosines), precision

    def _cosines(self, answer: Words) -> FloatArray:
        """Return the cosine of every word of the texts to every word of an answer."""
        cosines: FloatArray = (self.steps.astype(np.float32) @ answer.vectors.T) / self.norms[:, None]
        return cosines

    def _means(self, cosines: FloatArray) -> FloatArray:
        """Return the weighted mean over the words of each text of how near the answer's closest word comes."""
        near: FloatArray = _closeness(cosines.max(axis=1)) * self.weights
        means = np.add.reduceat(near, self.starts) / np.add.reduceat(self.weights, self.starts)
        return np.asarray(means, dtype=np.float32)


def _nothing(dimension: int) -> PackedWords:
    """Return a word that no other comes near to."""
    return PackedWords(texts=("",), rarity=np.ones(1, dtype=np.float32), steps=np.zeros((1, dimension), dtype=np.int8))


def weights_of(words: Words, asked: Words | None) -> FloatArray:
    """Return what each word of a text counts for, in (0, 1]: rare words that the question does not say count most."""
    grammar = np.array([_FUNCTION_WEIGHT if text in function_words() else 1.0 for text in words.texts], dtype=np.float32)
    weights: FloatArray = words.rarity * grammar
    if asked is not None and asked.texts and words.texts:
        weights = weights * (1 - nearness(words.vectors, asked.vectors))
    return weights + np.float32(_LEAST_WEIGHT)


def nearness(goal: FloatArray, answer: FloatArray) -> FloatArray:
    """Return how near the closest word of an answer comes to each word of a goal, in [0, 1], shape `(goal words,)`."""
    return _closeness((goal @ answer.T).max(axis=1))


def _closeness(cosines: FloatArray) -> FloatArray:
    """Return the roots of cosines, 0 for those that point apart.

    The root spreads what is far apart and draws together what is near: that a word has no counterpart at all tells more than
    how good its counterpart is.
    """
    roots: FloatArray = np.sqrt(np.clip(cosines, 0.0, 1.0))
    return roots
