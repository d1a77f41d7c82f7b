"""How alike the answers to one item are: in meaning, in words, and whether one says the opposite of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.appraisal import Appraisal
from grader.lexical import WordIndex, shared_words
from grader.polarity import disagrees
from grader.profiles import TextProfile

# From which two clauses are close enough in wording that signs of words tell whether they deny each other, as in `denial`.
_CLOSE_WORDING = 0.70
_SHARED_WORDS = 0.70
# The share of the words they have in common that must differ in sign, as where key points are derived (`denial`).
_DISAGREEING_SHARE = 1 / 5
# From which share of its clauses an answer as a whole is taken to deny another, as for contradictions of an item (`signs`).
_DENIED_CLAUSES = 1 / 5
# Below it only rounding is left of an answer after the question is taken out of it.
_NOTHING_LEFT = 1e-6

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike `n` answers are to `m` others; every table has shape `(n, m)`.

    `cosines` are of the answers with the question's direction taken out of both, in [-1, 1]; `words` is the share of content
    words in common, in [0, 1]; `denied` where the one denies the other.
    """

    cosines: _Floats
    words: _Floats
    denied: npt.NDArray[np.bool_]


def likeness(ones: Sequence[Appraisal], others: Sequence[Appraisal], *, denials: bool = True) -> Likeness:
    """Return how alike some answers to an item are to others.

    Args:
        ones: Answers to one item.
        others: Answers to the same item.
        denials: Whether to look for denials, which takes by far the longest; without it none is found.
    """
    if not ones or not others:
        nothing = np.zeros((len(ones), len(others)))
        return Likeness(cosines=nothing, words=nothing, denied=nothing.astype(bool))
    left, right = _beyond_question(ones), _beyond_question(others)
    # A sum for each pair and not a matrix product, whose last bits would depend on how many answers there are.
    cosines = np.array([(right * row).sum(axis=1) for row in left]).reshape(len(ones), len(others))
    words = np.array([[_shared(one.answer, other.answer) for other in others] for one in ones])
    denied = np.zeros((len(ones), len(others)), dtype=bool)
    if denials:
        denied = np.array([[denies(one.answer, other.answer) for other in others] for one in ones])
    return Likeness(cosines=cosines, words=words.reshape(cosines.shape).astype(np.float64), denied=denied.reshape(cosines.shape))


def denies(one: TextProfile, other: TextProfile) -> bool:
    """Tell whether an answer says the opposite of another: a fifth of its clauses deny what is closest to them there."""
    table = one.vectors @ other.vectors.T
    denied = sum(
        _denies(clause.text, other.clauses[int(row.argmax())].text)
        for clause, row in zip(one.clauses, table, strict=True)
        if row.max() >= _CLOSE_WORDING
    )
    return denied >= _DENIED_CLAUSES * max(1, len(one.clauses)) and denied > 0


def _denies(said: str, meant: str) -> bool:
    """Tell whether a clause denies one that is close to it in meaning: most words in common, and some of them turned round."""
    if said == meant or not disagrees(said, meant, share=_DISAGREEING_SHARE):
        return False
    return shared_words(WordIndex.of(said), WordIndex.of(meant)) >= _SHARED_WORDS


def _shared(one: TextProfile, other: TextProfile) -> float:
    """Return the number of content words in common over the geometric mean of both numbers."""
    return float(len(one.content & other.content) / np.sqrt(max(1, len(one.content)) * max(1, len(other.content))))


def _beyond_question(appraisals: Sequence[Appraisal]) -> _Floats:
    """Return unit vectors of answers without the part along the question; zeros where nothing else is left."""
    vectors = np.array([appraisal.answer.vector for appraisal in appraisals], dtype=np.float64)
    question = appraisals[0].item.question
    if question is not None:
        direction = question.vector.astype(np.float64)
        vectors -= np.outer((vectors * direction).sum(axis=1), direction)
    lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return np.asarray(np.where(lengths > _NOTHING_LEFT, vectors / np.maximum(lengths, _NOTHING_LEFT), 0.0))
