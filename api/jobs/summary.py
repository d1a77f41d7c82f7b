"""Counts over graded rows that add up: of a chunk's rows, and of all chunks."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields
from typing import Self

from api.jobs.shapes import ItemCounts, JobSummary
from grader import GradingResult

BINS = 20


@dataclass(slots=True)
class _Item:
    answers: int = 0
    total: float = 0.0
    squares: float = 0.0
    for_review: int = 0


@dataclass(slots=True)
class Summary:
    """How many rows were graded how."""

    graded: int = 0
    failed: int = 0
    for_review: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    flags: Counter[str] = field(default_factory=Counter)
    items: dict[str, _Item] = field(default_factory=dict)

    @classmethod
    def of(cls, outcomes: Iterable[tuple[str, GradingResult] | None]) -> Self:
        """Count outcomes: a result with the id of its item, or None for a row that could not be graded."""
        summary = cls()
        for outcome in outcomes:
            if outcome is None:
                summary.failed += 1
            else:
                summary._count(*outcome)
        return summary

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what `text` gave."""
        values = json.loads(text)
        items = {item_id: _Item(*counts) for item_id, counts in values.pop("items").items()}
        return cls(**{**values, "flags": Counter(values["flags"]), "items": items})

    def text(self) -> str:
        """Return the counts as JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["items"] = {item_id: list(astuple(counts)) for item_id, counts in self.items.items()}
        return json.dumps(values, separators=(",", ":"))

    def add(self, other: Summary) -> None:
        """Add the counts of other rows."""
        self.graded += other.graded
        self.failed += other.failed
        self.for_review += other.for_review
        self.histogram = [mine + more for mine, more in zip(self.histogram, other.histogram, strict=True)]
        self.flags += other.flags
        for item_id, more in other.items.items():
            mine = self.items.setdefault(item_id, _Item())
            mine.answers += more.answers
            mine.total += more.total
            mine.squares += more.squares
            mine.for_review += more.for_review

    def shape(self, *, rows: int, discrimination: Mapping[str, float | None]) -> JobSummary:
        """Return the counts as they go out, of a job with so many rows in all, and what is known of its items beside them."""
        total = sum(counts.total for counts in self.items.values())
        return JobSummary(
            rows=rows,
            graded=self.graded,
            failed=self.failed,
            for_review=self.for_review,
            mean_score=round(total / self.graded, 4) if self.graded else None,
            histogram=self.histogram,
            flags=dict(sorted(self.flags.items())),
            items={item_id: _item_counts(counts, discrimination.get(item_id)) for item_id, counts in sorted(self.items.items())},
        )

    def _count(self, item_id: str, result: GradingResult) -> None:
        self.graded += 1
        self.for_review += result.needs_review
        self.histogram[bin_of(result.score)] += 1
        self.flags.update(str(flag) for flag in result.flags)
        counts = self.items.setdefault(item_id, _Item())
        counts.answers += 1
        counts.total += result.score
        counts.squares += result.score**2
        counts.for_review += result.needs_review


def bin_of(score: float) -> int:
    """Return which of the equal bins over [0, 1] a score is in, from 0; the last one has 1 in it."""
    return min(BINS - 1, int(score * BINS))


def _item_counts(counts: _Item, discrimination: float | None) -> ItemCounts:
    mean = counts.total / counts.answers
    variance = max(0.0, counts.squares / counts.answers - mean**2)
    return ItemCounts(
        answers=counts.answers,
        mean_score=round(mean, 4),
        standard_deviation=round(math.sqrt(variance), 4),
        for_review=counts.for_review,
        discrimination=discrimination,
    )
