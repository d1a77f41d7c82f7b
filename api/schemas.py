"""The shapes that differ from the library's own: what is sent in, what a learner may see of an item, and envelopes.

The limits here are part of the contract and stand in OpenAPI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, model_validator
from pydantic_core import PydanticCustomError

from api import examples
from api.problems import Problem
from grader import MAX_ANSWER_CHARS, Difficulty, Gradable, GradingResult, InvalidAnswerError, ItemHead, Slug, check_answer

MAX_BATCH_ROWS = 1_000
MAX_PAGE_ITEMS = 100
# Names hold no control characters: PostgreSQL takes no NUL, and logs and tables show one line.
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"


def _gradable(candidate_answer: str) -> str:
    """Turn the library's refusal of an answer into an error of the field."""
    try:
        check_answer(candidate_answer)
    except InvalidAnswerError as error:
        raise PydanticCustomError("invalid_answer", "{reason}", {"reason": error.reason}) from error
    return candidate_answer


ItemId = Annotated[str, Field(min_length=1, max_length=80, description="The id of an item of the bank.", examples=["dropout"])]
CandidateAnswer = Annotated[
    str,
    Field(max_length=MAX_ANSWER_CHARS, description="What the candidate wrote, as written. A blank answer is graded too: with 0."),
    AfterValidator(_gradable),
]
AttemptId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=ONE_LINE,
        description="A name of your own for this attempt; it comes back with the result, and stored results are found by it.",
    ),
]
SubjectId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=ONE_LINE,
        description="A name of your own for the person, one that says nothing to others; all about it is erased in one call.",
    ),
]
Store = Annotated[bool | None, Field(description="Whether to store the result; what the key says if left out.")]


class _Input(BaseModel):
    # Errors of these models would otherwise carry candidates' answers into logs.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class GradeRequest(_Input):
    """One candidate answer, and what it answers: either an item of the bank or an item sent along."""

    item_id: ItemId | None = None
    bank_id: Slug | None = Field(
        default=None, description="The bank of the item; the one that ships if left out.", examples=["shipped"]
    )
    item: Gradable | None = Field(default=None, description="An item of your own; without key points they are derived.")
    candidate_answer: CandidateAnswer
    attempt_id: AttemptId | None = None
    subject_id: SubjectId | None = None
    store: Store = None

    @model_validator(mode="after")
    def _names_one_item(self) -> Self:
        if (self.item_id is None) == (self.item is None):
            raise PydanticCustomError("one_item", "Give either item_id or item")
        if self.bank_id is not None and self.item_id is None:
            raise PydanticCustomError("bank_without_item_id", "Give bank_id only with item_id")
        return self


# Rows are declared and not yet validated: each is looked at on its own, so that a bad one does not take the others with it.
Rows = Annotated[list[SkipValidation[GradeRequest]], Field(min_length=1, max_length=MAX_BATCH_ROWS)]


class GradeBatch(_Input):
    """Candidate answers to grade together."""

    rows: Rows
    store: Store = None


def _as_batch(body: object) -> object:
    return {"rows": body} if isinstance(body, list) else body


BatchBody = Annotated[GradeBatch, BeforeValidator(_as_batch, json_schema_input_type=GradeBatch | Rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedAnswer(GradingResult):
    """The outcome of grading one answer, with the ids that came with it."""

    __pydantic_config__ = ConfigDict(json_schema_extra={"examples": [examples.GRADED_ANSWER]})

    # Left out of the answer where they were not given, hence not required.
    item_id: str | None = None
    attempt_id: str | None = None
    subject_id: str | None = None
    result_id: str | None = None

    @classmethod
    def of(cls, result: GradingResult, request: GradeRequest, result_id: str | None = None) -> Self:
        """Join a result, the ids of its request, and the id it is stored by."""
        values: dict[str, Any] = {f.name: getattr(result, f.name) for f in fields(result)}  # Any: values of any type
        values |= {name: getattr(request, name) for name in ("item_id", "attempt_id", "subject_id")}
        return cls(**values, result_id=result_id)


class BatchRow(BaseModel):
    """What came of one row: a result or a problem."""

    index: int = Field(description="The row's place in the request, from 0.")
    result: GradedAnswer | None = None
    problem: Problem | None = None


class BatchResult(BaseModel):
    """What came of every row, in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.BATCH_RESULT]})

    graded: int = Field(description="How many rows have a result.")
    failed: int = Field(description="How many rows have a problem.")
    rows: list[BatchRow]


class ItemPublic(BaseModel):
    """What a learner may see of an item: nothing that would earn marks."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.ITEM_PUBLIC]})

    id: str
    question: str
    topic: str
    section: str
    difficulty: Difficulty
    max_mark: int


class ItemFilter(BaseModel):
    """Which items to list, and which page of them. Every filter that is given has to hold."""

    model_config = ConfigDict(extra="forbid")

    topic: str | None = Field(default=None, max_length=300, description="The exact topic.", examples=["Basics"])
    section: str | None = Field(default=None, max_length=300, description="The exact section.", examples=["Techniques"])
    difficulty: Difficulty | None = Field(default=None, examples=["easy"])
    q: str | None = Field(
        default=None, max_length=200, description="Words that all occur in question, id or topic.", examples=["dropout"]
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)
    offset: int = Field(default=0, ge=0, le=1_000_000)

    @property
    def admits_all(self) -> bool:
        """Tell whether no filter is given."""
        return (self.topic, self.section, self.difficulty) == (None, None, None) and not (self.q or "").strip()

    def admits(self, item: ItemHead) -> bool:
        """Tell whether an item passes every filter."""
        text = f"{item.question} {item.id} {item.topic}".casefold()
        return (
            self.topic in (None, item.topic)
            and self.section in (None, item.section)
            and self.difficulty in (None, item.difficulty)
            and all(word in text for word in (self.q or "").casefold().split())
        )


class ItemPage(BaseModel):
    """One page of items, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ITEM_PAGE]})

    items: list[ItemPublic]
    total: int = Field(description="How many items pass the filters, on all pages together.")
    limit: int
    offset: int

    @classmethod
    def of(cls, items: Sequence[ItemHead], wanted: ItemFilter) -> Self:
        """Return the page of the items that pass the filters."""
        # Without a filter a page of many items is cut out, and the others are not looked at.
        found = items if wanted.admits_all else [item for item in items if wanted.admits(item)]
        page = [ItemPublic.model_validate(item) for item in found[wanted.offset : wanted.offset + wanted.limit]]
        return cls(items=page, total=len(found), limit=wanted.limit, offset=wanted.offset)


class Status(BaseModel):
    """The answer to a health check."""

    status: Literal["ok"] = Field(examples=["ok"])


class BankInfo(BaseModel):
    """Which bank is served."""

    version: str
    items: int


class Limits(BaseModel):
    """What is accepted; more is answered with a problem."""

    max_answer_chars: int
    max_batch_rows: int
    max_body_bytes: int
    max_upload_bytes: int
    max_job_rows: int
    max_page_items: int
    max_in_flight: int


class Info(BaseModel):
    """What is running: enough to explain a mark later."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.INFO]})

    version: str = Field(description="Version of this package.")
    signature: str = Field(
        description="Names all that can change a mark, but for the item; every result's signature begins with it."
    )
    encoder: str
    bank: BankInfo
    limits: Limits
