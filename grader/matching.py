"""Which key points an answer makes, and with which of its words.

A key point is judged by how far the answer's words say it, by its keywords, by a verifier's word, and by whether its closest
clause says the opposite. The verdict is a threshold on a weighted mean of the first three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grader.denial import retracted_clauses
from grader.encoders import FloatArray
from grader.entailment import Told
from grader.keyword_use import NO_KEYWORDS, KeywordUse, Places, keyword_places, measure_keyword_use
from grader.lexical import WordIndex, shared_words
from grader.polarity import disagrees
from grader.profiles import ItemProfile, KeyPointProfile, TextProfile
from grader.reading import Words
from grader.results import EvidenceSpan, KeyPointMatch, Keywords, Verdict
from grader.scoring import rounded
from grader.text import Passage, Span, words

# Cosine below which a clause says nothing of a key point: the 95th percentile of off-topic answers to the shipped bank's key
# points, dev split, 2026.1.
_SILENT_SIMILARITY = 0.35
# Cosines at which clauses say nothing of a key point and at which they say it, for the mean over its sentences.
_SILENT_MEAN = 0.20
_SAYING_MEAN = 0.60
# How near the words of an answer come to those of a key point's sentences where it does not say it and where it does: to all of
# them on the mean, and to the nearest; and how like a reference an answer is that says all that the reference says. All from the
# dev split, see docs/adr/0013.
_WORDS_OF_ALL = (0.45, 0.70)
_WORDS_OF_NEAREST = (0.50, 0.85)
_LIKE_A_REFERENCE = (0.93, 0.98)
# Strength from which a key point is covered or partly covered; dev split, 2026.3: of the key points of complete and terse answers
# 91 % are covered, of partial ones 43 %, of wrong ones 14 %, of repeated questions 1 %.
_COVERED_FROM = 0.55
_PARTIAL_FROM = 0.35
# What words, keywords and a verifier's word are worth where one was asked, and the strengths from which a key point is covered
# or partly covered then: of those that an answer says in a person's opinion 88 % are covered, of those that it denies and that
# it leaves out 21 and 4 % (benchmarks/banks_of_other_subjects/dev_2).
_WORTH = (0.25, 0.15, 0.6)
_COVERED_BY_WORD_FROM = 0.50
_PARTIAL_BY_WORD_FROM = 0.40
# A key point is contradicted only by a clause this close to it that denies something of the item.
_CONTRADICTED_SIMILARITY = 0.60
# Below it a misconception is only the least distant of many things an answer does not say.
_MISCONCEPTION_SIMILARITY = 0.60
# A word or two name a thing and state nothing of it.
_MISCONCEPTION_LEAST_WORDS = 3
# A clause this near to a misconception, and at most this much nearer to what is right, is looked at by itself.
_SECOND_LOOK_SIMILARITY = 0.55
_SECOND_LOOK_MARGIN = 0.05
# So is one that shares this much of its words with a misconception, unless it is about something else. On the dev split this
# finds what looking at every clause would find, with one of an answer's 4.5 clauses looked at.
_SECOND_LOOK_LEAST_SIMILARITY = 0.30
_SECOND_LOOK_SHARED_WORDS = 0.60
_MAX_EVIDENCE_SPANS = 3
# A sentence that a verifier finds likelier to entail a key point than not is its proof.
_PROVEN_FROM = 0.50

Looks = Mapping[Passage, FloatArray]
"""Vectors of clauses by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What an answer does with the key points.

    `keyword_use` is how the keywords stand in its sentences. How far the answer says the key points, from 0 (silent) to 1, is
    `said` by its words, see `words_said`, `entailed` by a verifier's word, `denied` how far that contradicts them, and `upheld`
    how far it entails them rather than contradicts them, `least_entailed` and `most_denied` how far it entails the one that it
    says least and contradicts the one that it denies most, all five None where no verifier was asked, and `clauses_said` by its
    clauses as wholes, which nonsense around the right words does not fool as easily. `reference_entailed` is how far it says the
    best of several references by a verifier's word, None where that was not asked. `misconceptions` are positions in the item's
    list, each with how much nearer the answer is to it than to what is right; `denied_share` is the share of the answer's clauses
    that deny a statement, and `suspicion` how much speaks for its being a denial as a whole, see `grader.denial`.
    """

    matches: tuple[KeyPointMatch, ...]
    keywords: Keywords
    keyword_coverage: float
    keyword_use: KeywordUse
    said: float
    entailed: float | None
    upheld: float | None
    denied: float | None
    least_entailed: float | None
    most_denied: float | None
    reference_entailed: float | None
    clauses_said: float
    misconceptions: tuple[tuple[int, float], ...]
    denied_share: float
    suspicion: float

    @property
    def contradicted_share(self) -> float:
        """Return the share of the weight, or of the answer's clauses if that is more, that goes against the item, in [0, 1]."""
        denied = sum(match.weight for match in self.matches if match.verdict is Verdict.CONTRADICTED)
        return max(self.denied_share, denied / sum(match.weight for match in self.matches))

    def named_only(self) -> Matching:
        """Return the same for an answer that names things and says nothing of them: no key point is more than partly covered."""
        matches = (replace(m, verdict=Verdict.PARTIAL) if m.verdict is Verdict.COVERED else m for m in self.matches)
        return replace(self, matches=tuple(matches))


def match_key_points(
    item: ItemProfile,
    answer: TextProfile,
    looks: Looks,
    *,
    denied: frozenset[int],
    suspicion: float,
    said: Sequence[float],
    told: Sequence[Told] = (),
    reference_entailed: float | None = None,
) -> Matching:
    """Return the verdict on every key point of an item.

    Args:
        item: The item's profile.
        answer: The answer's profile.
        looks: Vectors of at least the passages of `second_looks`.
        denied: Positions of the clauses that deny a statement of the item, see `grader.denial`.
        suspicion: How much speaks for the answer's being a denial as a whole, see there.
        said: How far the answer's words say each key point, see `words_said`.
        told: What a verifier tells of each key point, empty where none was asked.
        reference_entailed: How far the answer says the best of several references in a verifier's opinion, None where not asked.
    """
    uses = tuple(keyword_places(point, answer) for point in item.key_points)
    tables = [point.vectors @ answer.vectors.T for point in item.key_points]
    judged = [
        _match(point, answer, places, table, denied=denied, said=part, told=word)
        for point, places, table, part, word in zip(
            item.key_points, uses, tables, said, told or (None,) * len(item.key_points), strict=True
        )
    ]
    keywords, share = _keywords(item, uses)
    return Matching(
        matches=tuple(judged),
        keywords=keywords,
        keyword_coverage=share,
        keyword_use=measure_keyword_use(answer, uses),
        said=_weighted_mean(item, said),
        entailed=_weighted_mean(item, [word.entails for word in told]) if told else None,
        upheld=upheld_share(item, told) if told else None,
        denied=_weighted_mean(item, [word.contradicts for word in told]) if told else None,
        least_entailed=min(word.entails for word in told) if told else None,
        most_denied=max(word.contradicts for word in told) if told else None,
        reference_entailed=reference_entailed,
        clauses_said=_clauses_said(item, tables),
        misconceptions=_misconceptions(item, answer, looks),
        denied_share=len(denied) / max(1, len(answer.clauses)),
        suspicion=suspicion,
    )


def _keywords(item: ItemProfile, uses: Sequence[Places]) -> tuple[Keywords, float]:
    """Return the keywords found and missing, and the weighted share found.

    A key point's weight is shared among its keywords. Those that the question itself holds are reported but do not count:
    saying them again earns nothing, unless there are no others.
    """
    found: dict[str, bool] = {}
    new, old = [0.0, 0.0], [0.0, 0.0]
    for point, places, are_asked in zip(item.key_points, uses, item.asked_keywords, strict=True):
        for listed, place, asked in zip(point.key_point.keywords, places, are_asked, strict=True):
            weight = point.key_point.weight / len(point.keywords)
            name = listed[0]
            is_found = place is not None
            found[name] = found.get(name, False) or is_found
            counter = old if asked else new
            counter[0] += weight * is_found
            counter[1] += weight
    counter = new if new[1] else old
    names = Keywords(
        matched=tuple(name for name, is_found in found.items() if is_found),
        missing=tuple(name for name, is_found in found.items() if not is_found),
    )
    return names, counter[0] / counter[1] if counter[1] else 0.0


def words_said(item: ItemProfile, answer: Words, likeness: float) -> tuple[float, ...]:
    """Return how far an answer's words say each key point, from 0.0 (silent) to 1.0.

    Half of it is how near they come to the nearest of its sentences, and half how near to all of them: an answer that comes near
    to all ways to say a thing is surer to say it. Who says a whole reference says every key point.

    Args:
        item: The item's profile.
        answer: The answer's words.
        likeness: How like the closest reference the answer is in its words, in [0, 1]; see `Evidence.meaning_f1`.
    """
    least = ramp(likeness, *_LIKE_A_REFERENCE)
    near = [point.goals.recall(answer) for point in item.key_points]
    return tuple(max(least, (ramp(float(n.mean()), *_WORDS_OF_ALL) + ramp(float(n.max()), *_WORDS_OF_NEAREST)) / 2) for n in near)


def ramp(value: float, start: float, end: float) -> float:
    """Return 0.0 up to `start`, 1.0 from `end` on, and a straight line between."""
    return min(1.0, max(0.0, (value - start) / (end - start)))


def _clauses_said(item: ItemProfile, tables: Sequence[FloatArray]) -> float:
    """Return the weighted mean over key points of how near the closest clauses come to their sentences, in [0, 1].

    `tables` are the cosines of each key point's sentences (rows) to the answer's clauses (columns).
    """
    means = (float(table.max(axis=1).mean()) for table in tables)
    return _weighted_mean(item, [ramp(mean, _SILENT_MEAN, _SAYING_MEAN) for mean in means])


def upheld_share(item: ItemProfile, told: Sequence[Told]) -> float:
    """Return the weighted mean over key points of how far they are entailed rather than contradicted, in [0, 1]."""
    return _weighted_mean(item, [word.upheld for word in told])


def _weighted_mean(item: ItemProfile, of_points: Sequence[float]) -> float:
    weights = [point.key_point.weight for point in item.key_points]
    return sum(weight * value for weight, value in zip(weights, of_points, strict=True)) / sum(weights)


def blank_matching(item: ItemProfile) -> Matching:
    """Return the matching of an answer that says nothing."""
    return Matching(
        matches=tuple(
            KeyPointMatch(id=p.key_point.id, verdict=Verdict.MISSING, weight=p.key_point.weight, similarity=0.0, evidence=())
            for p in item.key_points
        ),
        keywords=Keywords(
            matched=(),
            missing=tuple(dict.fromkeys(listed[0] for p in item.key_points for listed in p.key_point.keywords)),
        ),
        keyword_coverage=0.0,
        keyword_use=NO_KEYWORDS,
        said=0.0,
        entailed=None,
        upheld=None,
        denied=None,
        least_entailed=None,
        most_denied=None,
        reference_entailed=None,
        clauses_said=0.0,
        misconceptions=(),
        denied_share=0.0,
        suspicion=0.0,
    )


def _match(
    point: KeyPointProfile,
    answer: TextProfile,
    places: Places,
    table: FloatArray,
    *,
    denied: frozenset[int],
    said: float,
    told: Told | None,
) -> KeyPointMatch:
    """Return the verdict on one key point with its proof."""
    by_clause = table.max(axis=0)
    closest = int(by_clause.argmax())
    whole = float((point.vectors @ answer.vector).max())
    similarity = max(float(by_clause[closest]), whole)
    verdict = _verdict(said, _keyword_share(places), told)
    if closest in denied and by_clause[closest] >= _CONTRADICTED_SIMILARITY:
        verdict = Verdict.CONTRADICTED
    proof = answer.clauses[closest] if by_clause[closest] > _SILENT_SIMILARITY else None
    if told is not None and told.is_contradicted:
        verdict, proof = Verdict.CONTRADICTED, told.denying
    elif told is not None and told.entails >= _PROVEN_FROM and verdict is not Verdict.CONTRADICTED:
        proof = told.saying
    evidence = () if verdict is Verdict.MISSING else _evidence(answer, places, proof, verdict)
    return KeyPointMatch(
        id=point.key_point.id,
        verdict=verdict,
        weight=point.key_point.weight,
        similarity=rounded(similarity),
        evidence=evidence,
    )


def _verdict(said: float, keyword_share: float | None, told: Told | None) -> Verdict:
    """Return whether a point is made, by how far it is said, by its keyword share and by the verifier's word.

    What is said stands in for keywords where a point has none; where no verifier was asked, the mean of the two is all there is.
    """
    named = said if keyword_share is None else keyword_share
    if told is None:
        strength, covered, partial = (said + named) / 2, _COVERED_FROM, _PARTIAL_FROM
    else:
        of_words, of_keywords, of_word = _WORTH
        strength = of_words * said + of_keywords * named + of_word * told.entails
        covered, partial = _COVERED_BY_WORD_FROM, _PARTIAL_BY_WORD_FROM
    return Verdict.COVERED if strength >= covered else Verdict.PARTIAL if strength >= partial else Verdict.MISSING


def _keyword_share(places: Places) -> float | None:
    """Return the share of a key point's keywords that the answer holds in any form, or None if it has none."""
    return sum(place is not None for place in places) / len(places) if places else None


def _evidence(answer: TextProfile, places: Places, proof: Span | None, verdict: Verdict) -> tuple[EvidenceSpan, ...]:
    """Return the spans of the answer that make the point: what proves it, if anything does, and keywords outside of that."""
    spans = [] if proof is None else [(proof.start, proof.end)]
    if verdict is not Verdict.CONTRADICTED:
        for place in places:
            if place is None:
                continue
            start, end = answer.index.words[place[0]].start, answer.index.words[place[1]].end
            if not any(s <= start and end <= e for s, e in spans):
                spans.append((start, end))
    merged = _disjoint(spans)[:_MAX_EVIDENCE_SPANS]
    return tuple(EvidenceSpan(start=s, end=e, text=answer.written[s:e]) for s, e in merged)


def _disjoint(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def second_looks(item: ItemProfile, answer: TextProfile) -> list[Passage]:
    """Return the clauses to encode by themselves: those that may state a misconception.

    A clause's vector from the run over the whole answer leans towards the answer's subject, and so towards what is right. Where
    it comes near to a misconception all the same, or shares most of its words, the clause by itself tells which of the two it is.
    A lone clause has no such context.
    """
    if not item.misconceptions or len(answer.clauses) <= 1:
        return []
    wrong = item.misconception_vectors @ answer.vectors.T
    margins = wrong - (item.right @ answer.vectors.T).max(axis=0)
    doubtful = ((wrong >= _SECOND_LOOK_SIMILARITY) & (margins >= -_SECOND_LOOK_MARGIN)).any(axis=0)
    return [
        Passage.whole(clause.text)
        for clause, is_doubtful, cosines in zip(answer.clauses, doubtful, wrong.T, strict=True)
        if len(words(clause.text)) >= _MISCONCEPTION_LEAST_WORDS
        and (is_doubtful or _shares_words_with_misconception(item, clause.text, cosines))
    ]


def _shares_words_with_misconception(item: ItemProfile, clause: str, cosines: FloatArray) -> bool:
    index = WordIndex.of(clause)
    return any(
        cosine >= _SECOND_LOOK_LEAST_SIMILARITY and shared_words(misconception.index, index) >= _SECOND_LOOK_SHARED_WORDS
        for misconception, cosine in zip(item.misconceptions, cosines, strict=True)
    )


def _misconceptions(item: ItemProfile, answer: TextProfile, looks: Looks) -> tuple[tuple[int, float], ...]:
    """Return the misconceptions that a part of the answer is nearer to than to any right statement, with by how much.

    The parts are the clauses that were given a second look and the answer as a whole; a part that denies a misconception, or
    that the answer takes back, does not state it.
    """
    if not item.misconceptions:
        return ()
    retracted = retracted_clauses(answer)
    parts = [
        (clause.text, looks[Passage.whole(clause.text)])
        for at, clause in enumerate(answer.clauses)
        if at not in retracted and Passage.whole(clause.text) in looks
    ]
    if not retracted:
        parts.append((answer.text, answer.vector))
    if not parts:
        return ()
    vectors = np.stack([vector for _, vector in parts])
    nearest_right = (item.right @ vectors.T).max(axis=0)
    found = []
    for position, misconception in enumerate(item.misconceptions):
        cosines = vectors @ misconception.vector
        margins = [
            float(cosine - rival)
            for cosine, rival, (text, _) in zip(cosines, nearest_right, parts, strict=True)
            if cosine >= _MISCONCEPTION_SIMILARITY and cosine > rival and not disagrees(text, misconception.text)
        ]
        if margins:
            found.append((position, max(margins)))
    return tuple(found)
