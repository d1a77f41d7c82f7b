"""What the last word on an answer to an author's item is given from: all evidence side by side, the score made so far first.

Signs, key points, keywords and a verifier's word each know their own part. The trees of the scoring model, which were fitted on
marked answers, weigh them against each other, each number only ever in the direction that it has here. See docs/adr/0041.
"""

from __future__ import annotations

from grader.evidence import Evidence
from grader.matching import Matching

# 1 where more of it may only raise a score, -1 where it may only lower it.
DIRECTIONS = {
    "made": 1,  # of the blend, the signs' factor and ceiling
    "factor": 1,  # the signs' alone
    "said": 1,
    "keyword_coverage": 1,
    "entailed": 1,
    "upheld": 1,
    "denied": -1,
    "least_entailed": 1,
    "most_denied": -1,
    "clauses_said": 1,
    "contradicted_share": -1,
    "suspicion": -1,
    "misconception": -1,
    "points_per_clause": -1,
    "keyword_share": -1,
    "similarity": 1,
    "new_coverage": 1,
    "question_similarity": -1,
    "question_share": -1,
}
FUSED_NAMES = tuple(DIRECTIONS)


def fused_evidence(evidence: Evidence, matching: Matching, *, made: float, factor: float) -> tuple[float, ...] | None:
    """Return the numbers in the order of `FUSED_NAMES`; None where no verifier was asked, which the trees take for granted.

    Args:
        evidence: The answer's evidence.
        matching: What the answer does with an author's key points.
        made: The score that blend and signs have made, in [0, 1].
        factor: What the signs alone have left of it, in [0, 1].
    """
    word = (matching.entailed, matching.upheld, matching.denied, matching.least_entailed, matching.most_denied)
    told = [number for number in word if number is not None]
    if len(told) < len(word):
        return None
    return (
        made,
        factor,
        matching.said,
        matching.keyword_coverage,
        *told,
        matching.clauses_said,
        matching.contradicted_share,
        matching.suspicion,
        max((margin for _, margin in matching.misconceptions), default=0.0),
        matching.keyword_use.points_per_clause,
        matching.keyword_use.share,
        evidence.similarity,
        evidence.new_coverage,
        evidence.question_similarity,
        evidence.question_share,
    )
