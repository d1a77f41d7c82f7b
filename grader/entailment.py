"""How far the sentences of an answer say each key point, or its opposite, by a verifier that reads the two together.

Words held against words miss a point that is made in other words or by an example, and take its opposite in its own words for it.
Each key point is asked of the few sentences that are nearest to it; see docs/adr/0029. Where key points are derived and there are
several references, what each of these says is asked of the nearest sentence; see docs/adr/0032.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from grader.encoders import FloatArray
from grader.profiles import ItemProfile, TextProfile
from grader.text import Span, sentences
from grader.verifier import Pair, Relations

# Sentences that each key point is asked of. Of the two nearest ones it costs 6.7 questions an answer; of all of them 9.4, which
# tells right answers from the others hardly better (docs/adr/0029).
_SENTENCES = 2
# So sure a contradiction, with so little said for an entailment, by a sentence this near, denies a key point: no right answer of
# the dev split and of twenty items of other subjects was hit in a fifth of its points, one contradiction in eight was.
_CONTRADICTED_FROM = 0.96
_ENTAILED_UP_TO = 0.10
_CONTRADICTED_SIMILARITY = 0.60
# A sentence that likelier says a key point than not says what its examples say too.
_SAID_FROM = 0.50
# Keeps the share of what is upheld near nothing where next to nothing is said either way.
_SILENT = 0.05


class Question(NamedTuple):
    """A sentence of an answer, as a place in it, and how near it is to a key point, which the pair puts beside it."""

    sentence: Span
    similarity: float
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of a key point: how likely a sentence entails it and contradicts it, in [0, 1], and the sentences that do."""

    entails: float
    contradicts: float
    is_contradicted: bool
    saying: Span | None
    denying: Span | None

    @property
    def upheld(self) -> float:
        """Return how far the point is entailed rather than contradicted, in [0, 1]."""
        return self.entails / (self.entails + self.contradicts + _SILENT)


def questions_of(item: ItemProfile, answer: TextProfile) -> tuple[tuple[Question, ...], ...]:
    """Return for each key point what to ask of the sentences nearest to it; nothing where no author wrote the key points."""
    if item.derived or not answer.clauses:
        return ()
    places = _sentence_of_each_clause(answer)
    return tuple(
        _nearest(point.vectors @ answer.vectors.T, places, point.key_point.text, _SENTENCES) for point in item.key_points
    )


def questions_of_references(item: ItemProfile, answer: TextProfile) -> tuple[tuple[Question, ...], ...]:
    """Return for each of several references what to ask: for each piece of it, whether the answer's nearest sentence says it."""
    if not item.reference_pieces or not answer.clauses:
        return ()
    places = _sentence_of_each_clause(answer)
    return tuple(
        tuple(_nearest(piece.vectors @ answer.vectors.T, places, piece.text, 1)[0] for piece in reference)
        for reference in item.reference_pieces
    )


def entailed_share(
    questions: Sequence[Sequence[Question]], relations: Mapping[Pair, Relations], *, is_reference: bool = False
) -> float | None:
    """Return how far an answer says the reference that it says best, in [0, 1]; None where nothing was asked.

    Args:
        questions: What `questions_of_references` returned.
        relations: The verifier's word on their pairs.
        is_reference: Whether the answer is a reference word for word.
    """
    if not relations or not questions:
        return None
    if is_reference:
        return 1.0
    return max(float(np.mean([relations[question.pair].entails for question in of_one])) for of_one in questions)


def statements_said(
    item: ItemProfile, questions: Sequence[Sequence[Question]], relations: Mapping[Pair, Relations]
) -> dict[Span, dict[str, float]]:
    """Return for each sentence that was asked about the statements of the key points that it says, with how likely it does.

    Args:
        item: The item's profile.
        questions: What `questions_of` returned.
        relations: The verifier's word on their pairs.
    """
    said: dict[Span, dict[str, float]] = {}
    if not relations:
        return said
    for point, of_point in zip(item.key_points, questions, strict=False):
        for question in of_point:
            entails = relations[question.pair].entails
            if entails >= _SAID_FROM:
                said.setdefault(question.sentence, {}).update((form.text, entails) for form in point.forms)
    return said


def told(
    questions: Sequence[Sequence[Question]], relations: Mapping[Pair, Relations], *, is_reference: bool = False
) -> tuple[Told, ...]:
    """Return what a verifier tells of each key point; nothing where it was asked nothing.

    Args:
        questions: What `questions_of` returned.
        relations: The verifier's word on their pairs.
        is_reference: Whether the answer is a reference word for word, and so says every key point whatever is made of it.
    """
    if not relations:
        return ()
    found = (_told(of_point, relations) for of_point in questions)
    return tuple(replace(word, entails=1.0, contradicts=0.0, is_contradicted=False) if is_reference else word for word in found)


def _told(questions: Sequence[Question], relations: Mapping[Pair, Relations]) -> Told:
    saying = max(questions, key=lambda question: relations[question.pair].entails)
    denying = max(questions, key=lambda question: relations[question.pair].contradicts)
    entails, contradicts = relations[saying.pair].entails, relations[denying.pair].contradicts
    return Told(
        entails=entails,
        contradicts=contradicts,
        is_contradicted=contradicts >= _CONTRADICTED_FROM
        and entails <= _ENTAILED_UP_TO
        and denying.similarity >= _CONTRADICTED_SIMILARITY,
        saying=saying.sentence,
        denying=denying.sentence,
    )


def _sentence_of_each_clause(answer: TextProfile) -> list[Span]:
    """Return for each clause the sentence that it is a part of."""
    found = sentences(answer.text)
    starts = [sentence.start for sentence in found]
    return [found[int(np.searchsorted(starts, clause.start, side="right")) - 1] for clause in answer.clauses]


def _nearest(table: FloatArray, places: Sequence[Span], statement: str, count: int) -> tuple[Question, ...]:
    """Return the questions whether the sentences nearest to a statement, by the nearest of their clauses, say it.

    Args:
        table: Cosines of what makes the statement (rows) to the answer's clauses (columns).
        places: Of which sentence each clause is a part.
        statement: What is asked about.
        count: How many sentences at most.
    """
    best: dict[Span, float] = {}
    for place, similarity in zip(places, table.max(axis=0).tolist(), strict=True):
        best[place] = max(similarity, best.get(place, -1.0))
    ranked = sorted(best.items(), key=lambda each: (-each[1], each[0].start))[:count]
    return tuple(Question(place, similarity, (place.text, statement)) for place, similarity in ranked)
