"""What an answer is worth before people's marks on other answers are heard, and how hearing them may change it.

A calibration (`grader.calibration`) takes an appraisal and gives another score; the grader does not know how it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grader.evidence import Evidence
from grader.matching import Matching
from grader.profiles import ItemProfile, TextProfile
from grader.signs import Signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """An answer that says something, measured and scored.

    `score` is in [0, 1] with the signs of gaming applied, `half_width` that of its interval.
    """

    item: ItemProfile
    answer: TextProfile
    evidence: Evidence
    matching: Matching
    signs: Signs
    score: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedScore:
    """A score in [0, 1] and the half width of its interval, after marks of people were heard."""

    score: float
    half_width: float


class Adapter(Protocol):
    """Adapts scores to marks that people gave to other answers. Safe to use from several threads."""

    @property
    def signature(self) -> str:
        """Name everything that the adapted scores hang on, the marks included."""
        ...

    def adapt(self, appraisal: Appraisal) -> AdaptedScore:
        """Return the adapted score of an answer; the one it has where nothing is known about its item."""
        ...
