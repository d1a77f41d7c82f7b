"""Clauses of an answer that say the opposite of a statement of the item, by a rule on the signs of the words they share.

Denied wording is close wording: only a clause near to a statement and sharing most of its words can be that statement turned
round. Right answers in other words may hold any number of negations.
"""

from __future__ import annotations

import re

import numpy as np

from grader.lexical import WordIndex, coverage
from grader.polarity import disagrees, is_retraction
from grader.profiles import ItemProfile, TextProfile

# Cosine and share of words from which wording is close; dev split, 2026.1. Without an author's key points there are fewer
# statements to weigh a clause against, so it has to share more: at the looser line as many right answers of the marked sets were
# taken for denials as wrong ones; see docs/adr/0006.
_CLOSE_WORDING = 0.70
_SHARED_WORDS = 0.60
_SHARED_WORDS_DERIVED = 0.70
_DISAGREEING_SHARE = 1 / 3
_DISAGREEING_SHARE_DERIVED = 1 / 5
# A statement this much less similar than the closest one still has a say on what the clause means.
_RIVAL_MARGIN = 0.06

_ENDS_SENTENCE = re.compile(r"[.!?;\n]")
_OF_EVERYTHING = re.compile(r"\b(?:all|everything|above|said|wrote)\b", re.IGNORECASE)


def denied_clauses(item: ItemProfile, answer: TextProfile) -> frozenset[int]:
    """Return the positions of the clauses that say the opposite of the item's statement they are closest to.

    A clause counts only if every statement about as close as the closest one disagrees with it: a reference that itself says
    "not" speaks for an answer that does. A clause that the answer takes back ("This is wrong.") means its opposite.
    """
    least = _DISAGREEING_SHARE_DERIVED if item.derived else _DISAGREEING_SHARE
    shared = _SHARED_WORDS_DERIVED if item.derived else _SHARED_WORDS
    table = np.stack([statement.vector for statement in item.statements]) @ answer.vectors.T
    wrong = (
        np.array([misconception.vector for misconception in item.misconceptions]).reshape(-1, answer.vectors.shape[1])
        @ answer.vectors.T
    )
    retracted = retracted_clauses(answer)
    denied = set()
    for at, clause in enumerate(answer.clauses):
        best = float(table[:, at].max())
        # To take back what is wrong is right.
        if best < _CLOSE_WORDING or (at in retracted and best < float(wrong[:, at].max(initial=-1.0))):
            continue
        near = [s for s, cosine in zip(item.statements, table[:, at], strict=True) if cosine >= best - _RIVAL_MARGIN]
        index = WordIndex.of(clause.text)
        near = [s for s in near if _shared_words(s.index, index) >= shared]
        if near and all(disagrees(clause.text, s.text, share=least) != (at in retracted) for s in near):
            denied.add(at)
    return frozenset(denied)


def retracted_clauses(answer: TextProfile) -> frozenset[int]:
    """Return the positions of the clauses that a sentence after them takes back: those of the sentence before it."""
    retracted: set[int] = set()
    for at, clause in enumerate(answer.clauses):
        if at and is_retraction(clause.text):
            first = at - 1
            while first and not _ENDS_SENTENCE.search(
                answer.text, answer.clauses[first - 1].end - 1, answer.clauses[first].start
            ):
                first -= 1
            retracted.update(range(0 if _OF_EVERYTHING.search(clause.text) else first, at))
    return frozenset(retracted)


def _shared_words(one: WordIndex, other: WordIndex) -> float:
    """Return the share of the shorter text's content words that the other text holds, in [0, 1]."""
    small, large = (one, other) if len(one.words) <= len(other.words) else (other, one)
    return coverage([w.stem for w in small.words if w.is_content], large)
