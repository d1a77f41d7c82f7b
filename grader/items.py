"""What is graded: an item with its question, reference answers, key points and misconceptions.

Items are parsed from files and requests, so they are pydantic models: frozen, bounded and closed to unknown fields. The models
are the truth from which the JSON Schema for editors is generated.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_ANSWER_CHARS = 20_000
_MAX_TEXT_CHARS = 5_000


def _is_storable(text: str) -> str:
    """Refuse what no store and no log can carry: NUL characters and lone surrogates."""
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return text


def _says_something(text: str) -> str:
    """Refuse a text without a letter or digit, which nothing can be compared with."""
    if not any(c.isalnum() for c in text):
        raise ValueError("must hold at least one letter or digit")
    return text


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_MAX_TEXT_CHARS),
    AfterValidator(_is_storable),
    AfterValidator(_says_something),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_is_storable),
    AfterValidator(_says_something),
]


class Difficulty(StrEnum):
    """How hard an item is meant to be."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Grade(StrEnum):
    """The label that a mark falls in, best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    WEAK = "weak"
    FAIL = "fail"


class ReferenceKind(StrEnum):
    """What a reference answer is an example of."""

    SHORT = "short"
    FULL = "full"
    ALTERNATIVE = "alternative"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReferenceAnswer(_Frozen):
    """An author's text that would earn full marks."""

    text: Text
    kind: ReferenceKind = ReferenceKind.FULL


class KeyPoint(_Frozen):
    """One idea that earns marks."""

    id: Slug
    text: Text = Field(description="The idea as one declarative sentence that stands alone.")
    weight: int = Field(default=1, ge=1, le=100, description="Share of the mark, relative to the item's other key points.")
    keywords: tuple[Annotated[tuple[Line, ...], Field(min_length=1, max_length=30)], ...] = Field(
        default=(),
        max_length=20,
        description="Terms that show the idea; each a list, the usual form first, then alternatives. Word forms are not listed.",
    )
    examples: tuple[Text, ...] = Field(default=(), max_length=20, description="Sentences that would earn the point.")


class Misconception(_Frozen):
    """Something that people wrongly believe about the question."""

    id: Slug
    text: Text = Field(description="The belief, as a candidate would assert it.")
    feedback: Text = Field(description="One line that puts it right, shown to the learner.")


class GradeBoundaries(_Frozen):
    """The lowest share of the maximum mark at which each grade begins; below `weak` it is `fail`."""

    excellent: float = Field(default=0.85, ge=0, le=1)
    good: float = Field(default=0.7, ge=0, le=1)
    fair: float = Field(default=0.5, ge=0, le=1)
    weak: float = Field(default=0.25, ge=0, le=1)

    @model_validator(mode="after")
    def _fall_in_order(self) -> Self:
        if not self.excellent >= self.good >= self.fair >= self.weak:
            raise ValueError("must fall from excellent to weak")
        return self


class Gradable(_Frozen):
    """The part of an item that grading needs; callers may send one instead of an item id.

    Without key points they are derived from the sentences of the first reference answer.
    """

    question: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=_MAX_TEXT_CHARS), AfterValidator(_is_storable)
    ] = Field(default="", description="The text shown to the candidate; may be empty where only the reference answers are known.")
    reference_answers: tuple[ReferenceAnswer, ...] = Field(min_length=1, max_length=20)
    key_points: tuple[KeyPoint, ...] = Field(default=(), max_length=30)
    misconceptions: tuple[Misconception, ...] = Field(default=(), max_length=30)
    max_mark: int = Field(default=10, ge=1, le=1000)
    mark_step: float = Field(default=0.5, gt=0, le=1000, description="Marks are whole multiples of this.")
    grade_boundaries: GradeBoundaries = Field(default_factory=GradeBoundaries)

    @model_validator(mode="after")
    def _a_step_fits_into_the_mark(self) -> Self:
        if self.mark_step > self.max_mark:
            raise ValueError(f"mark_step {self.mark_step:g} is above max_mark {self.max_mark}: no answer could get a mark")
        return self

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        for name, ids in (
            ("key_points", [k.id for k in self.key_points]),
            ("misconceptions", [m.id for m in self.misconceptions]),
        ):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"{name} use the id {twice[0]!r} more than once")
        return self

    @property
    def content_hash(self) -> str:
        """SHA-256 over everything that can change a mark or its evidence: canonical JSON, keys sorted."""
        data = self.model_dump(mode="json", include=set(Gradable.model_fields))
        return _digest(data)

    @property
    def structure_hash(self) -> str:
        """SHA-256 over what is worth how much (key point ids, weights, marks, boundaries), not over the wording."""
        points = {k.id: k.weight for k in self.key_points}
        return _digest([points, self.max_mark, self.mark_step, self.grade_boundaries.model_dump(mode="json")])


class Item(Gradable):
    """One task of a bank. Its id is the file's name and is never used again for another task."""

    id: Slug
    topic: Line
    section: Line
    difficulty: Difficulty
    # Here and not among what is gradable: it changes no mark, and so no hash.
    reveal_reference: bool = Field(
        default=False, description="Whether a learner who practises may see a reference answer, once there was an attempt."
    )
    question: Text
    reference_answers: tuple[ReferenceAnswer, ...] = Field(min_length=2, max_length=20)
    key_points: tuple[KeyPoint, ...] = Field(min_length=1, max_length=30)

    @model_validator(mode="after")
    def _has_a_short_and_a_full_reference(self) -> Self:
        kinds = {reference.kind for reference in self.reference_answers}
        missing = {ReferenceKind.SHORT, ReferenceKind.FULL} - kinds
        if missing:
            raise ValueError(f"reference_answers need one of kind {min(missing)!s}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHead:
    """What lists show of an item: nothing that would earn marks."""

    id: str
    question: str
    topic: str
    section: str
    difficulty: Difficulty
    max_mark: int

    @classmethod
    def of(cls, item: Item) -> ItemHead:
        """Return the head of an item."""
        return cls(
            id=item.id,
            question=item.question,
            topic=item.topic,
            section=item.section,
            difficulty=item.difficulty,
            max_mark=item.max_mark,
        )


def _digest(data: object) -> str:
    canonical = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
