"""What grading says: one frozen value with the score, where it comes from and what to do about it.

The names here are the names everywhere: in the library, on the command line and over HTTP.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from grader.items import Grade


class Verdict(StrEnum):
    """What an answer does with a key point."""

    COVERED = "covered"
    PARTIAL = "partial"
    MISSING = "missing"
    CONTRADICTED = "contradicted"


class Flag(StrEnum):
    """Something about an answer as a whole that a reader of its mark should know."""

    BLANK = "blank"
    OFF_TOPIC = "off_topic"
    REPEATS_QUESTION = "repeats_question"
    KEYWORD_LIST = "keyword_list"
    CONTRADICTS_REFERENCE = "contradicts_reference"
    TOO_SHORT = "too_short"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a person's score would lie nine times in ten; both ends in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSpan:
    """Words of the candidate answer: `candidate_answer[start:end] == text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPointMatch:
    """What the answer does with one key point. `similarity` is the closest clause's cosine, in [-1, 1]."""

    id: str
    verdict: Verdict
    weight: int
    similarity: float
    evidence: tuple[EvidenceSpan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The item's keywords by their usual form, in the item's order."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingResult:
    """The outcome of grading one answer.

    `score` is in [0, 1], `mark` in [0, max_mark]; `semantic_similarity` is the cosine to the closest reference answer in
    [-1, 1]; `keyword_coverage` the weighted share of keywords found, in [0, 1]. `signature` names everything that could have
    changed the number: the same answer with the same signature has the same result, to the byte.
    """

    score: float
    mark: float
    max_mark: int
    grade: Grade
    interval: Interval
    semantic_similarity: float
    keyword_coverage: float
    keywords: Keywords
    key_points: tuple[KeyPointMatch, ...]
    flags: tuple[Flag, ...]
    needs_review: bool
    review_reasons: tuple[str, ...]
    feedback: tuple[str, ...]
    signature: str

    def to_dict(self) -> dict[str, Any]:  # Any: JSON
        """Return the result as plain JSON values, in the order of the fields."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """Return the result as one line of JSON: the bytes that every interface gives."""
        return json.dumps(self, default=_by_field, ensure_ascii=False, separators=(",", ":"))


def _by_field(part: Any) -> dict[str, Any]:  # noqa: ANN401 any part of a result
    """Return a part of a result by the names of its fields. `dataclasses.asdict` would copy every text first."""
    return {name: getattr(part, name) for name in part.__slots__}
