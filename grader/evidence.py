"""The numbers that a score is made of: similarity, alignment both ways, coverage, polarity and signs of gaming.

Each is defined here once, in [0, 1] or [-1, 1], and can be checked by hand. The scoring model reads them by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from grader.encoders import FloatArray
from grader.lexical import coverage
from grader.polarity import is_negated
from grader.profiles import ItemProfile, TextProfile
from grader.reading import Words

# Without a question the answer is taken to be as close to it as answers are on average; see docs/adr/0004.
_NEUTRAL_QUESTION_SIMILARITY = 0.5
# Past half again the reference's length more words say nothing for an answer, so padding earns nothing.
_LENGTH_RATIO_CAP = 1.5
# Running English prose has this share of function words; more of them says nothing for an answer.
_FUNCTION_SHARE_CAP = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an answer has in common with an item. Cosines are in [-1, 1], shares in [0, 1]."""

    similarity: float
    """Cosine of the whole answer to the closest reference answer."""
    mean_similarity: float
    """Mean cosine over the reference answers."""
    demoted_similarity: float
    """Cosine to the closest reference after the question's direction is taken out of both."""
    question_similarity: float
    """Cosine of the answer to the question."""
    recall: float
    """Mean over the reference's clauses of the closest answer clause: how much of the reference is said."""
    recall_min: float
    """The same for the reference clause that is said least."""
    precision: float
    """Mean over the answer's clauses of the closest reference clause: how much of the answer is to the point."""
    precision_min: float
    """The same for the answer clause that is furthest off."""
    coverage: float
    """Share of the reference's content words that the answer holds."""
    new_coverage: float
    """The same, leaving out the words of the question."""
    word_precision: float
    """Share of the answer's content words that the reference holds."""
    word_f1: float
    """Harmonic mean of `coverage` and `word_precision`."""
    bigram_coverage: float
    """Share of the reference's neighbouring word pairs that the answer holds: heaps of words have few."""
    trigram_coverage: float
    """Share of the reference's distinct letter trigrams that the answer holds: words misspelt, run together or in code."""
    meaning_recall: float
    """How near the answer's words come in meaning to the reference's, rare and new words counting most: how much is said."""
    meaning_precision: float
    """How near the reference's words come to the answer's: how much of the answer is to the point."""
    meaning_f1: float
    """Harmonic mean of the two for the reference that has the highest."""
    polarity_mismatch: float
    """1.0 if one of answer and reference is denied and the other is not."""
    length_ratio: float
    """Log of answer words over reference words, capped above."""
    question_share: float
    """Share of the answer's content words that the question holds."""
    function_share: float
    """Share of function words in the answer, capped above."""

    def vector(self) -> npt.NDArray[np.float64]:
        """Return the numbers in the order of the fields, shape `(len(NAMES),)`."""
        return np.array([getattr(self, name) for name in NAMES], dtype=np.float64)


NAMES: tuple[str, ...] = tuple(field.name for field in fields(Evidence))


def measure(item: ItemProfile, answer: TextProfile, answer_words: Words) -> Evidence:
    """Return the evidence for an answer that holds at least one clause, with its words as the encoder reads them."""
    cosines = np.array([float(reference.vector @ answer.vector) for reference in item.references])
    best = item.references[int(cosines.argmax())]
    question = item.question
    aligned = max((_alignment(reference, answer) for reference in item.references), key=lambda a: a[0])
    shared = np.array([_word_overlap(reference, answer, item.question_stems) for reference in item.references]).max(axis=0)
    said, meant = item.goals.recall_and_precision(answer_words, item.asked)
    both = 2 * said * meant / np.maximum(said + meant, np.float32(1e-9))
    count = len(answer.index.words)
    content = answer.index.content_stems
    ratio = (count + 1) / (len(best.index.words) + 1)
    return Evidence(
        similarity=float(cosines.max()),
        mean_similarity=float(cosines.mean()),
        demoted_similarity=_demoted(answer.vector, best.vector, question.vector) if question else float(cosines.max()),
        question_similarity=float(answer.vector @ question.vector) if question else _NEUTRAL_QUESTION_SIMILARITY,
        recall=aligned[0],
        recall_min=aligned[1],
        precision=aligned[2],
        precision_min=aligned[3],
        coverage=float(shared[0]),
        new_coverage=float(shared[1]),
        word_precision=float(shared[2]),
        word_f1=float(shared[3]),
        bigram_coverage=float(shared[4]),
        trigram_coverage=float(shared[5]),
        meaning_recall=float(said.max()),
        meaning_precision=float(meant.max()),
        meaning_f1=float(both.max()),
        polarity_mismatch=float(is_negated(answer.text) != is_negated(best.text)),
        length_ratio=math.log(min(ratio, _LENGTH_RATIO_CAP)),
        question_share=len(content & item.question_stems) / max(1, len(content)),
        function_share=min(_FUNCTION_SHARE_CAP, answer.function_share),
    )


def _demoted(one: FloatArray, other: FloatArray, question: FloatArray) -> float:
    """Return the cosine of two unit vectors after their part along the question is taken away."""
    left, right = one - (one @ question) * question, other - (other @ question) * question
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    # A text equal to the question has nothing left to compare.
    return float(left @ right) / length if length > 1e-6 else 0.0  # noqa: PLR2004 below it only rounding is left


def _alignment(reference: TextProfile, answer: TextProfile) -> tuple[float, float, float, float]:
    """Return mean and least of the best match of each reference clause, then of each answer clause."""
    table = reference.vectors @ answer.vectors.T
    said, meant = table.max(axis=1), table.max(axis=0)
    return float(said.mean()), float(said.min()), float(meant.mean()), float(meant.min())


def _word_overlap(
    reference: TextProfile, answer: TextProfile, asked: frozenset[str]
) -> tuple[float, float, float, float, float, float]:
    """Return coverage, coverage without the question's words, precision, their F1, coverage of word pairs and of trigrams."""
    held = coverage(reference.content, answer.index)
    new = coverage(reference.content - asked or reference.content, answer.index)
    precise = coverage(answer.content, reference.index)
    f1 = 2 * held * precise / (held + precise) if held + precise else 0.0
    pairs = len(reference.bigrams & answer.bigrams) / max(1, len(reference.bigrams))
    trigrams = len(reference.trigrams & answer.trigrams) / max(1, len(reference.trigrams))
    return held, new, precise, f1, pairs, trigrams
