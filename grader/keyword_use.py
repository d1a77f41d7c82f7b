"""How an answer uses the keywords: whether those of one sentence belong together, as they do where the sentence says something.

Sentences that only hold keywords ("A plays a role for B, and this is why C matters") take them from anywhere; sentences that
make a point hold the keywords of that point.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from grader.profiles import KeyPointProfile, TextProfile

Places = tuple[tuple[int, int] | None, ...]
"""For each keyword of a key point, the first and last word of where the answer holds it, or None where it does not."""


@dataclass(frozen=True, slots=True)
class KeywordUse:
    """How the keywords that an answer holds stand in its clauses.

    `clauses` is how many of them hold keywords, and `points_per_clause` the mean number of key points that they hold keywords
    of, 0.0 if there is none; `share` is the share of the answer's content words that are keywords, in [0, 1].
    """

    clauses: int
    points_per_clause: float
    share: float


NO_KEYWORDS = KeywordUse(clauses=0, points_per_clause=0.0, share=0.0)


def keyword_places(point: KeyPointProfile, answer: TextProfile) -> Places:
    """Return where the answer holds each keyword of a key point, in the first of its forms that is found."""
    return tuple(
        next((at for form in forms if (at := answer.index.find_phrase(form)) is not None), None) for forms in point.keywords
    )


def measure_keyword_use(answer: TextProfile, uses: Sequence[Places]) -> KeywordUse:
    """Return how an answer uses the keywords.

    Args:
        answer: The answer's profile, with at least one clause.
        uses: For each key point what `keyword_places` returned.
    """
    words = answer.index.words
    points_of: dict[int, set[int]] = defaultdict(set)
    held: set[int] = set()
    for point, places in enumerate(uses):
        for place in places:
            if place is None:
                continue
            held.update(range(place[0], place[1] + 1))
            at = words[place[0]].start
            clause = next((n for n, span in enumerate(answer.clauses) if span.start <= at < span.end), None)
            if clause is not None:
                points_of[clause].add(point)
    if not points_of:
        return NO_KEYWORDS
    return KeywordUse(
        clauses=len(points_of),
        points_per_clause=sum(len(points) for points in points_of.values()) / len(points_of),
        share=sum(words[at].is_content for at in held) / max(1, sum(word.is_content for word in words)),
    )
