"""Which key points an answer makes, and with which of its words.

A key point is judged by its closest clause of the answer, by its keywords, and by whether that clause says the opposite. The
verdict is a threshold on their mean, so every verdict can be worked out by hand from what the result shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grader.encoders import FloatArray
from grader.lexical import WordIndex, coverage
from grader.polarity import disagrees
from grader.profiles import ItemProfile, KeyPointProfile, TextProfile
from grader.results import EvidenceSpan, KeyPointMatch, Keywords, Verdict
from grader.scoring import rounded

# Cosine at which a clause says nothing of a key point, and at which it says it: the 95th percentile of off-topic answers and
# the median of complete ones to the shipped bank's key points, dev split, 2026.1.
_SILENT_SIMILARITY = 0.35
_SAYING_SIMILARITY = 0.70
# The same for the mean over a key point's sentences.
_SILENT_MEAN = 0.20
_SAYING_MEAN = 0.60
# Strength from which a key point is covered or partly covered; dev split, 2026.1, see docs/adr/0005.
COVERED_FROM = 0.60
PARTIAL_FROM = 0.38
# A denial is believed only where the wording is close: below these, other words with a "not" among them are the likelier story.
_CLOSE_WORDING = 0.66
_SHARED_WORDS = 0.6
# Without an author's key points there are fewer statements to weigh a clause against, so the wording has to be closer: at the
# looser line as many right answers of the marked sets were taken for denials as wrong ones; see docs/adr/0006.
_CLOSE_WORDING_DERIVED = 0.70
_SHARED_WORDS_DERIVED = 0.70
_DISAGREEING_SHARE = 1 / 3
_DISAGREEING_SHARE_DERIVED = 1 / 5
# A statement this much less similar than the closest one still has a say on what the clause means.
_RIVAL_MARGIN = 0.06
# Below it a misconception is only the least distant of many things an answer does not say.
_MISCONCEPTION_SIMILARITY = 0.60
_MAX_EVIDENCE_SPANS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What an answer does with the key points.

    `said` is how far the answer says the key points, from 0 (silent) to 1, see `_said`.
    `misconceptions` are positions in the item's list, each with how much nearer the answer is to it than to what is right;
    `denied_share` is the share of the answer's clauses that deny a statement.
    """

    matches: tuple[KeyPointMatch, ...]
    keywords: Keywords
    keyword_coverage: float
    said: float
    misconceptions: tuple[tuple[int, float], ...]
    denied_share: float

    @property
    def contradicted_share(self) -> float:
        """Return the share of the weight, or of the answer's clauses if that is more, that goes against the item, in [0, 1]."""
        denied = sum(match.weight for match in self.matches if match.verdict is Verdict.CONTRADICTED)
        return max(self.denied_share, denied / sum(match.weight for match in self.matches))


def match_key_points(item: ItemProfile, answer: TextProfile) -> Matching:
    """Return the verdict on every key point of an item."""
    denied = _denied_clauses(item, answer)
    judged = [_match(point, answer, denied) for point in item.key_points]
    keywords, share = _keywords(item, answer)
    return Matching(
        matches=tuple(judged),
        keywords=keywords,
        keyword_coverage=share,
        said=_said(item, answer),
        misconceptions=_misconceptions(item, answer),
        denied_share=len(denied) / max(1, len(answer.clauses)),
    )


def _keywords(item: ItemProfile, answer: TextProfile) -> tuple[Keywords, float]:
    """Return the keywords found and missing, and the weighted share found.

    A key point's weight is shared among its keywords. Those that the question itself holds are reported but do not count:
    saying them again earns nothing, unless there are no others.
    """
    found: dict[str, bool] = {}
    new, old = [0.0, 0.0], [0.0, 0.0]
    for point in item.key_points:
        for listed, forms in zip(point.key_point.keywords, point.keywords, strict=True):
            weight = point.key_point.weight / len(point.keywords)
            name = listed[0]
            is_found = any(answer.index.find_phrase(form) for form in forms)
            found[name] = found.get(name, False) or is_found
            asked = item.question is not None and any(item.question.index.find_phrase(form) for form in forms)
            counter = old if asked else new
            counter[0] += weight * is_found
            counter[1] += weight
    counter = new if new[1] else old
    names = Keywords(
        matched=tuple(name for name, is_found in found.items() if is_found),
        missing=tuple(name for name, is_found in found.items() if not is_found),
    )
    return names, counter[0] / counter[1] if counter[1] else 0.0


def _said(item: ItemProfile, answer: TextProfile) -> float:
    """Return the weighted mean over key points of how far the answer says them, in [0, 1].

    For each key point the closest clause is taken for each of its sentences, and the mean over the sentences: an answer that
    comes near to all ways to say a thing is surer to say it than one that comes near to one of them.
    """
    total = 0.0
    for point in item.key_points:
        closest = (np.stack([form.vector for form in point.forms]) @ answer.vectors.T).max(axis=1)
        said = (float(closest.mean()) - _SILENT_MEAN) / (_SAYING_MEAN - _SILENT_MEAN)
        total += point.key_point.weight * min(1.0, max(0.0, said))
    return total / sum(point.key_point.weight for point in item.key_points)


def said_scale(similarity: float) -> float:
    """Return a similarity on the scale from 0, where nothing of a key point is said, to 1, where it is said."""
    return min(1.0, max(0.0, (similarity - _SILENT_SIMILARITY) / (_SAYING_SIMILARITY - _SILENT_SIMILARITY)))


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
        said=0.0,
        misconceptions=(),
        denied_share=0.0,
    )


def _match(point: KeyPointProfile, answer: TextProfile, denied: frozenset[int]) -> KeyPointMatch:
    """Return the verdict on one key point with its proof."""
    forms = np.stack([form.vector for form in point.forms])
    table = forms @ answer.vectors.T
    by_clause = table.max(axis=0)
    closest = int(by_clause.argmax())
    whole = float((forms @ answer.vector).max())
    similarity = max(float(by_clause[closest]), whole)
    strength = _strength(similarity, _keyword_share(point, answer))
    verdict = Verdict.COVERED if strength >= COVERED_FROM else Verdict.PARTIAL if strength >= PARTIAL_FROM else Verdict.MISSING
    if closest in denied and by_clause[closest] >= _CLOSE_WORDING:
        verdict = Verdict.CONTRADICTED
    evidence = () if verdict is Verdict.MISSING else _evidence(point, answer, by_clause, closest, verdict)
    return KeyPointMatch(
        id=point.key_point.id,
        verdict=verdict,
        weight=point.key_point.weight,
        similarity=rounded(similarity),
        evidence=evidence,
    )


def _strength(similarity: float, keyword_share: float | None) -> float:
    """Return how strongly a point is made: the mean of similarity on its scale and keyword share, or the former alone."""
    said = said_scale(similarity)
    return said if keyword_share is None else (said + keyword_share) / 2


def _keyword_share(point: KeyPointProfile, answer: TextProfile) -> float | None:
    """Return the share of a key point's keywords that the answer holds in any form, or None if it has none."""
    if not point.keywords:
        return None
    return sum(any(answer.index.find_phrase(form) for form in forms) for forms in point.keywords) / len(point.keywords)


def _evidence(
    point: KeyPointProfile, answer: TextProfile, by_clause: FloatArray, closest: int, verdict: Verdict
) -> tuple[EvidenceSpan, ...]:
    """Return the spans of the answer that make the point: the closest clause, and keywords that stand outside of it."""
    clause = answer.clauses[closest]
    spans = [(clause.start, clause.end)] if by_clause[closest] > _SILENT_SIMILARITY else []
    if verdict is not Verdict.CONTRADICTED:
        for forms in point.keywords:
            found = next((at for form in forms if (at := answer.index.find_phrase(form)) is not None), None)
            if found is None:
                continue
            start, end = answer.index.words[found[0]].start, answer.index.words[found[1]].end
            if not any(s <= start and end <= e for s, e in spans):
                spans.append((start, end))
    merged = _disjoint(spans)[:_MAX_EVIDENCE_SPANS]
    return tuple(EvidenceSpan(start=s, end=e, text=answer.text[s:e]) for s, e in merged)


def _disjoint(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _denied_clauses(item: ItemProfile, answer: TextProfile) -> frozenset[int]:
    """Return the clauses of the answer that say the opposite of the item's statement they are closest to.

    A clause counts only if every statement about as close as the closest one disagrees with it: a reference that itself says
    "not" speaks for an answer that does.
    """
    least = _DISAGREEING_SHARE_DERIVED if item.derived else _DISAGREEING_SHARE
    close, shared = (_CLOSE_WORDING_DERIVED, _SHARED_WORDS_DERIVED) if item.derived else (_CLOSE_WORDING, _SHARED_WORDS)
    statements = [(form.text, form.vector) for point in item.key_points for form in point.forms]
    statements += [
        (clause.text, vector)
        for reference in item.references
        for clause, vector in zip(reference.clauses, reference.vectors, strict=True)
    ]
    table = np.stack([vector for _, vector in statements]) @ answer.vectors.T
    denied = set()
    for at, clause in enumerate(answer.clauses):
        best = float(table[:, at].max())
        if best < close:
            continue
        near = [text for (text, _), cosine in zip(statements, table[:, at], strict=True) if cosine >= best - _RIVAL_MARGIN]
        near = [text for text in near if _shared_words(text, clause.text) >= shared]
        if near and all(disagrees(clause.text, text, share=least) for text in near):
            denied.add(at)
    return frozenset(denied)


def _shared_words(one: str, other: str) -> float:
    """Return the share of the shorter text's content words that the other text holds, in [0, 1]."""
    left, right = WordIndex.of(one), WordIndex.of(other)
    small, large = (left, right) if len(left.words) <= len(right.words) else (right, left)
    return coverage([w.stem for w in small.words if w.is_content], large)


def _misconceptions(item: ItemProfile, answer: TextProfile) -> tuple[tuple[int, float], ...]:
    """Return the misconceptions that a part of the answer is nearer to than to any right statement, with by how much.

    The parts are the answer's clauses and the answer as a whole; a part that denies a misconception does not state it.
    """
    if not item.misconceptions:
        return ()
    right = np.concatenate(
        [form.vectors for point in item.key_points for form in point.forms]
        + [np.vstack([reference.vectors, reference.vector]) for reference in item.references]
    )
    parts = np.concatenate([answer.vectors, answer.vector[None, :]])
    texts = [*(clause.text for clause in answer.clauses), answer.text]
    nearest_right = (right @ parts.T).max(axis=0)
    found = []
    for position, misconception in enumerate(item.misconceptions):
        cosines = (misconception.vectors @ parts.T)[0]
        margins = [
            float(cosine - rival)
            for cosine, rival, text in zip(cosines, nearest_right, texts, strict=True)
            if cosine >= _MISCONCEPTION_SIMILARITY and cosine > rival and not disagrees(text, misconception.text)
        ]
        if margins:
            found.append((position, max(margins)))
    return tuple(found)
