"""What makes a score doubtful: numbers from which the error that answers like it had can be told.

The scoring model holds how they weigh; a score above its line of doubt is for a person to look at. See docs/adr/0024.
"""

from __future__ import annotations

from grader.evidence import Evidence
from grader.matching import Matching
from grader.profiles import TextProfile

DOUBT_NAMES = (
    "middling",  # how far the score is from 0 and 1: a mark in the middle is hardest to give
    "disagreement",  # between the words of key points and their keywords
    "contested",  # by the verifier: how far its word on the key points is from what their words say
    "undecided",  # the verifier's word on them all, between 0 and 1
    "denied",  # the key point that the verifier finds likeliest contradicted
    "likeness",  # to the closest reference, in words
    "suspicion",
    "misconception",
    "length",
    "function_share",
    "keyword_share",
)
# From this many words on an answer is long.
_LONG = 60


def doubts(answer: TextProfile, evidence: Evidence, matching: Matching, score: float) -> tuple[float, ...]:
    """Return what speaks for and against trusting a score, in the order of `DOUBT_NAMES`, each in [0, 1].

    Args:
        answer: The answer's profile.
        evidence: The answer's evidence.
        matching: What the answer does with an author's key points.
        score: The answer's score, in [0, 1].
    """
    entailed = matching.said if matching.entailed is None else matching.entailed
    return (
        score * (1 - score),
        abs(matching.said - matching.keyword_coverage),
        abs(entailed - matching.said),
        0.0 if matching.entailed is None else entailed * (1 - entailed),
        matching.most_denied or 0.0,
        evidence.meaning_f1,
        min(1.0, matching.suspicion),
        float(any(margin > 0 for _, margin in matching.misconceptions)),
        min(1.0, len(answer.index.words) / _LONG),
        answer.function_share,
        matching.keyword_use.share,
    )
