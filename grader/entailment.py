"""How far an answer says each key point, or its opposite, by a verifier that reads the two together.

Words held against words miss a point that is made in other words or by an example, and take its opposite in its own words for it.
Each key point is asked of the whole answer, or of the nearest passages of a long one; see docs/adr/0042. Where key points are
derived and there are several references, what each of these says is asked of the nearest sentence; see docs/adr/0032.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from grader.encoders import FloatArray
from grader.profiles import ItemProfile, KeyPointProfile, TextProfile
from grader.text import Span, content_stems, sentences
from grader.to_the_marker import without_words_to_the_marker
from grader.verifier import Pair, Relations

# Passages that each key point is asked of.
PASSAGES = 2
# Of a passage: an answer of so many is read in one go, which takes as long as two of its sentences do one by one.
_PASSAGE_WORDS = 80
# So sure a contradiction, with so little said for an entailment, with a sentence this near, denies a key point: of those that
# answers deny in a person's opinion 31 % are hit, of those that they say .3 % (benchmarks/banks_of_other_subjects/dev_2).
_CONTRADICTED_FROM = 0.95
_ENTAILED_UP_TO = 0.10
_CONTRADICTED_SIMILARITY = 0.40
# A sentence that likelier says a key point than not says what its examples say too.
_SAID_FROM = 0.50
# Keeps the share of what is upheld near nothing where next to nothing is said either way.
_SILENT = 0.05


_SET_OFF = re.compile(
    r"(?:(?<=[.!?]\s)|^)(?:unlike|different(?:ly)? from|in contrast (?:to|with)|contrary to|as opposed to|other than|apart from)"
    r"\s+([^,.;:!?]{1,80}),\s+",
    re.IGNORECASE,
)


class Question(NamedTuple):
    """What is asked: whether a part of an answer says a statement, its sentence that is nearest to it, and how near that is."""

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
    """Return for each key point what to ask of the passages nearest to it; nothing where no author wrote the key points.

    What an answer is set off from does not belong to what it says where the item knows nothing of it ("Unlike the weather, ..."),
    and what it says to the marker is nothing at all: neither is shown to the verifier, which might take the one for a denial and
    be swayed by the other.
    """
    if item.derived or not answer.clauses:
        return ()
    places = _sentence_of_each_clause(answer)
    shown = [
        (_shown(part.text, item), [part.start <= clause.start < part.end for clause in answer.clauses])
        for part in passages_of(answer.text)
    ]
    return tuple(_of_passages(answer, [each for each in shown if any(each[1])], places, point) for point in item.key_points)


def passages_of(text: str) -> list[Span]:
    """Return a text in passages of whole sentences and at most `_PASSAGE_WORDS` words, each beginning with the last one's end.

    A longer sentence is a passage of its own.
    """
    found: list[list[Span]] = []
    for sentence in sentences(text):
        if found and _words([*found[-1], sentence]) <= _PASSAGE_WORDS:
            found[-1].append(sentence)
            continue
        # What the last one ends with is there for what follows to be understood.
        before = found[-1][-1:] if found else []
        found.append([*before, sentence] if before and _words([*before, sentence]) <= _PASSAGE_WORDS else [sentence])
    return [Span(part[0].start, part[-1].end, text[part[0].start : part[-1].end]) for part in found]


def _words(spans: Sequence[Span]) -> int:
    return sum(len(span.text.split()) for span in spans)


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


def _of_passages(
    answer: TextProfile,
    passages: Sequence[tuple[str, Sequence[bool]]],
    places: Sequence[Span],
    point: KeyPointProfile,
) -> tuple[Question, ...]:
    """Return the questions whether the passages nearest to a key point, by the nearest of their clauses, say it.

    Args:
        answer: The answer's profile.
        passages: What the verifier is shown of each passage, and which of the answer's clauses are in it.
        places: Of which sentence each clause is a part.
        point: The key point.
    """
    by_clause = (point.vectors @ answer.vectors.T).max(axis=0)
    found = []
    for shown, is_in in passages:
        near = int(np.where(is_in, by_clause, -np.inf).argmax())
        found.append(Question(places[near], float(by_clause[near]), (shown, point.key_point.text)))
    return tuple(sorted(found, key=lambda question: -question.similarity)[:PASSAGES])


def _shown(text: str, item: ItemProfile) -> str:
    """Return a text without what it says to the marker, and without what its sentences are set off from.

    Of either only what shares no word with the item.
    """
    stems = cache(partial(_known_stems, item))
    bare = without_words_to_the_marker(text, stems)
    if _SET_OFF.search(bare) is None:
        return bare
    return _SET_OFF.sub(lambda found: found[0] if stems().intersection(content_stems(found[1])) else "", bare)


def _known_stems(item: ItemProfile) -> frozenset[str]:
    """Return the stems of the content words of an item."""
    texts = [statement.text for statement in item.statements]
    texts += [] if item.question is None else [item.question.text]
    return frozenset(stem for text in texts for stem in content_stems(text))


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
