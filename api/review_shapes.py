"""The shapes of reviews: what a person decides about a result, and how well people and the machine agree."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api import examples
from api.bank_shapes import BankId
from api.schemas import MAX_PAGE_ITEMS, ONE_LINE
from api.storage.tables import Review
from api.stored import RowId, StoredResult
from grader import Slug, Verdict

Reviewer = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE),
    Field(description="Who decides; the name of the key if left out, which is recorded either way."),
]
# Line breaks are welcome in a comment, other control characters are not.
Comment = Annotated[str, StringConstraints(max_length=5_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


class Decision(StrEnum):
    """What a reviewer makes of the machine's result."""

    ACCEPT = "accept"
    OVERRIDE = "override"


class KeyPointReview(BaseModel):
    """A person's verdict on one key point."""

    model_config = ConfigDict(extra="forbid")

    id: Slug
    verdict: Verdict


class NewReview(BaseModel):
    """A review to be added."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    reviewer: Reviewer | None = None
    score: float | None = Field(default=None, ge=0, le=1, description="The right score, where it is another than the machine's.")
    key_points: list[KeyPointReview] = Field(default_factory=list, max_length=30)
    comment: Comment = ""

    @field_validator("key_points")
    @classmethod
    def _each_once(cls, key_points: list[KeyPointReview]) -> list[KeyPointReview]:
        if len({point.id for point in key_points}) < len(key_points):
            raise PydanticCustomError("key_points", "Give one verdict on each key point")
        return key_points

    @model_validator(mode="after")
    def _overrides_something(self) -> Self:
        if (self.decision is Decision.OVERRIDE) == (self.score is None and not self.key_points):
            raise PydanticCustomError("decision", "Give score or key_points with override, and neither with accept")
        return self


class StoredReview(BaseModel):
    """A review as it was given."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REVIEW]})

    id: str
    created_at: datetime
    result_id: str
    reviewer: str = Field(description="Who decided, as the request said; the name of the key if it said nothing.")
    key_name: str | None = Field(
        description="The name of the key that it was decided with; null in reviews of before that was recorded."
    )
    decision: Decision
    score: float = Field(description="The score that the reviewer stands by.")
    mark: float
    key_points: list[KeyPointReview]
    comment: str

    @classmethod
    def of(cls, row: Review) -> Self:
        """Return the row of a review as it goes out."""
        plain = {name: getattr(row, name) for name in cls.model_fields}
        return cls.model_validate({**plain, "key_points": json.loads(row.key_points)})


class ReviewList(BaseModel):
    """The reviews of a result, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reviews": [examples.REVIEW]}]})

    reviews: list[StoredReview]


class QueueFilter(BaseModel):
    """Whose queue, of which bank, and from where on."""

    model_config = ConfigDict(extra="forbid")

    bank_id: BankId = "shipped"
    item_id: Slug | None = None
    reviewer: Reviewer | None = None
    reviewers: int = Field(default=1, ge=1, le=5, description="By how many people each answer is to be reviewed.")
    limit: int = Field(default=20, ge=1, le=MAX_PAGE_ITEMS)
    cursor: RowId | None = Field(
        default=None, description="The id of a result that is stored: go on with those that come after it."
    )


class Progress(BaseModel):
    """How far the reviews of a bank are."""

    waiting: dict[str, int]
    reviewed: int


class ReviewQueue(BaseModel):
    """What waits for a reviewer, the most worthwhile first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"waiting": 1, "results": [examples.STORED_RESULT]}]})

    waiting: int = Field(description="How many answers wait, those beyond the limit included.")
    results: list[StoredResult]


class ReviewedFilter(BaseModel):
    """Which reviews to compare."""

    model_config = ConfigDict(extra="forbid")

    bank_id: BankId = "shipped"
    item_id: Slug | None = None


class Agreement(BaseModel):
    """How well two sides agree on the same answers, in tenths of the score."""

    answers: int
    exact: float = Field(description="Share with the same tenth.")
    adjacent: float = Field(description="Share at most one tenth apart.")
    qwk: float | None = Field(description="Kappa with quadratic weights; null where one tenth was given throughout.")
    rmse: float = Field(description="Root of the mean squared difference of the scores.")


class AgreementReport(BaseModel):
    """How well people agree with the machine and with each other; null where there is nothing to compare."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.AGREEMENT_REPORT]})

    with_machine: Agreement | None = Field(description="The first reviewer of each answer, and the machine.")
    between_reviewers: Agreement | None = Field(description="The first two reviewers of each answer that has two.")
