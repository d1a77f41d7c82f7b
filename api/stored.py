"""The shapes of stored results: what is asked for, and what comes back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api import examples
from api.schemas import MAX_PAGE_ITEMS, AttemptId, SubjectId
from api.standing import Decided
from api.storage.tables import Result
from grader import Slug

RowId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class StoredFilter(BaseModel):
    """Which stored results are meant. Every filter that is given has to hold."""

    model_config = ConfigDict(extra="forbid")

    bank_id: Slug | None = Field(default=None, examples=["shipped"])
    item_id: Slug | None = None
    attempt_id: AttemptId | None = None
    subject_id: SubjectId | None = None
    needs_review: bool | None = Field(default=None, description="Only those that a person should look at, or only the others.")
    min_score: float | None = Field(default=None, ge=0, le=1)
    max_score: float | None = Field(default=None, ge=0, le=1)
    created_from: AwareDatetime | None = Field(default=None, description="At this moment or later.")
    created_before: AwareDatetime | None = Field(default=None, description="Before this moment.")
    include_replaced: bool = Field(default=False, description="Those too whose place a later grade has taken.")


class ResultFilter(StoredFilter):
    """Which stored results to list, and from where on."""

    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)
    cursor: RowId | None = Field(default=None, description="`next_cursor` of the page before.")


class StoredResult(BaseModel):
    """A result as it was stored."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.STORED_RESULT]})

    id: str
    created_at: datetime
    key_name: str = Field(description="The name of the key that had it graded.")
    bank_id: str | None
    item_id: str | None = Field(description="Null where the item was sent along.")
    item_version: str | None = Field(
        description="The version of the item, or of the shipped bank, that the answer was held against."
    )
    content_hash: str = Field(description="SHA-256 of all of the item that can change a mark.")
    attempt_id: str | None
    subject_id: str | None
    candidate_answer: str
    grading_ms: float
    replaces_id: str | None = Field(description="The result whose place this one took.")
    replaced: bool = Field(description="Whether a later result took this one's place.")
    # Any: the library's result as it was on that day, whatever fields later versions have.
    result: dict[str, Any] = Field(description="The result as it was given, with its signature.")

    @classmethod
    def of(cls, row: Result) -> Self:
        """Return the row of a result as it goes out."""
        return cls(**_values(row))


class ReviewedResult(StoredResult):
    """A result as it was stored, and beside it what people decided."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REVIEWED_RESULT]})

    reviews: int = Field(description="How many decisions of people stand: of each reviewer and key the latest.")
    reviewed_score: float | None = Field(description="The mean of their scores; null where nobody has decided.")
    reviewed_mark: float | None = Field(description="The mark for that score, rounded as the item has it.")

    @classmethod
    def with_decisions(cls, row: Result, decided: Decided) -> Self:
        """Return the row of a result as it goes out to those who want to know of its reviews."""
        return cls(**_values(row), **asdict(decided))


class ResultPage(BaseModel):
    """One page of results, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RESULT_PAGE]})

    results: list[ReviewedResult]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class Deletion(BaseModel):
    """What to delete: the results of an attempt, or those made before a moment."""

    model_config = ConfigDict(extra="forbid")

    attempt_id: AttemptId | None = None
    before: AwareDatetime | None = None

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if (self.attempt_id is None) == (self.before is None):
            raise PydanticCustomError("one_deletion", "Give either attempt_id or before")
        return self


class Erased(BaseModel):
    """What was deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"results": 3, "replays": 1, "job_rows": 0}]})

    results: int = Field(description="Results, with their reviews.")
    replays: int = Field(description="Kept answers to requests with an Idempotency-Key.")
    job_rows: int = Field(description="Rows of jobs.")


def _values(row: Result) -> dict[str, Any]:  # Any: columns of any type
    return {**{name: getattr(row, name) for name in StoredResult.model_fields}, "result": json.loads(row.result)}
