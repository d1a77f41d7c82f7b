"""The shapes of jobs: what is asked for, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping as Values
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api import examples
from api.schemas import MAX_PAGE_ITEMS, ONE_LINE, ItemId
from api.storage.columns import now
from api.storage.tables import Job
from api.stored import RowId
from grader import Flag, Slug
from grader.batch.output import json_text

MAX_NAME_CHARS = 200
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class JobState(StrEnum):
    """Where a job is."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    FINISHED = "finished"


UNFINISHED = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.STOPPED})
WORKING = frozenset({JobState.QUEUED, JobState.RUNNING})


class Mapping(BaseModel):
    """Which columns of a table hold what."""

    model_config = ConfigDict(extra="forbid")

    item_id: ItemId | None = Field(default=None, description="The item that all answers are to, where no column says it.")
    item_id_column: ColumnName = "item_id"
    candidate_answer_column: ColumnName = "candidate_answer"
    attempt_id_column: ColumnName = "attempt_id"
    subject_id_column: ColumnName = "subject_id"

    def required(self) -> tuple[str, ...]:
        """Return the columns that a table has to have."""
        return tuple(getattr(self, field) for field in self.required_fields())

    def required_fields(self) -> tuple[str, ...]:
        """Return the fields here that name these columns."""
        return ("candidate_answer_column",) if self.item_id else ("item_id_column", "candidate_answer_column")

    def asked(self, values: Values[str, Any]) -> dict[str, Any]:  # Any: whatever the table holds
        """Return what a row asks for by its columns, as the body of a request would; it is not looked at yet."""
        found = {
            "item_id": self.item_id or _digits(values.get(self.item_id_column)),
            "candidate_answer": values.get(self.candidate_answer_column),
            "attempt_id": _as_id(values.get(self.attempt_id_column)),
            "subject_id": _as_id(values.get(self.subject_id_column)),
        }
        return {name: value for name, value in found.items() if value is not None}


class JobOptions(Mapping):
    """What a job is called, how its table is to be read, and what becomes of the results."""

    name: str = Field(
        default="",
        max_length=MAX_NAME_CHARS,
        pattern=ONE_LINE,
        description="A name of your own.",
        examples=["Spring exam"],
    )
    bank_id: Slug = Field(default="shipped", description="The bank of the items.")
    store: bool | None = Field(
        default=None, description="Whether to store each result by itself, for reviews; what the key says if left out."
    )

    def mapping(self) -> Mapping:
        """Return how the table is to be read."""
        return Mapping(**self.model_dump(include=set(Mapping.model_fields)))


class JobInfo(BaseModel):
    """A job, and how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.JOB]})

    id: str
    name: str
    created_at: datetime
    state: JobState = Field(
        description="`stopped` is what a job is after a fault of the server, such as a full disk; it can be resumed."
    )
    bank_id: str
    store: bool = Field(description="Whether each result is stored by itself too.")
    columns: list[str] = Field(description="The columns of the table, which come back with the results.")
    rows: int
    rows_done: int
    rows_failed: int = Field(description="Of those done, the ones with a problem instead of a result.")
    rows_for_review: int = Field(description="Of those done, the ones that a person should look at.")
    rows_per_second: float | None = Field(description="Since the work last began; null before there is anything to tell.")
    seconds_left: float | None = Field(description="At that rate; null where there is none.")
    finished_at: datetime | None = None
    problem: str | None = Field(default=None, description="Why the job was stopped.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the row of a job as it goes out."""
        rate = _rate(job)
        left = (job.rows - job.rows_done) / rate if rate and job.state in WORKING else None
        values = {
            name: getattr(job, name) for name in cls.model_fields.keys() - {"store", "columns", "rows_per_second", "seconds_left"}
        }
        return cls(
            **values,
            store=job.store_results,
            columns=json.loads(job.columns),
            rows_per_second=None if rate is None else round(rate, 1),
            seconds_left=None if left is None else round(left, 1),
        )


class JobFilter(BaseModel):
    """Which jobs to list, and from where on."""

    model_config = ConfigDict(extra="forbid")

    state: JobState | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)
    cursor: RowId | None = Field(default=None, description="`next_cursor` of the page before.")


class JobPage(BaseModel):
    """One page of jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.JOB_PAGE]})

    jobs: list[JobInfo]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class ItemCounts(BaseModel):
    """How the answers to one item were graded."""

    answers: int
    mean_score: float = Field(description="The higher, the easier the item was.")
    standard_deviation: float
    for_review: int
    discrimination: float | None = Field(
        description=(
            "Correlation of the score with the mean of the learner's other scores, by each learner's first answer to each item; "
            "null with fewer than ten learners or without variance."
        )
    )


class JobSummary(BaseModel):
    """What came of a job, as far as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.JOB_SUMMARY]})

    rows: int
    graded: int
    failed: int
    for_review: int
    mean_score: float | None = Field(description="Over the graded rows; null without any.")
    histogram: list[int] = Field(description="Graded rows by score: twenty bins of .05, the last one with 1 in it.")
    flags: dict[str, int] = Field(description="How many results have each flag.")
    items: dict[str, ItemCounts] = Field(description="By item id.")


class RowKind(StrEnum):
    """Which rows of a job are meant."""

    ALL = "all"
    FOR_REVIEW = "for_review"
    FAILED = "failed"


class RowSort(StrEnum):
    """In which order rows are listed; a minus means the highest first."""

    ROW = "row"
    SCORE = "score"
    SCORE_DOWN = "-score"
    ITEM = "item"
    FLAGS_DOWN = "-flags"


class RowFilter(BaseModel):
    """Which rows of a job to list, and from where on."""

    model_config = ConfigDict(extra="forbid")

    only: RowKind = RowKind.ALL
    q: str = Field(default="", max_length=200, description="Text that one of the row's columns holds, in any case.")
    item_id: ItemId | None = Field(default=None, description="The item that the row was graded to.")
    flag: Flag | None = Field(default=None, description="A flag that the result has.")
    sort: RowSort = RowSort.ROW
    first: int = Field(
        default=1,
        ge=1,
        le=1_000_000_000,
        description="Where to begin, from 1: the number of a row, or with sort, item_id or flag the place among those wanted.",
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)


class GradedRow(BaseModel):
    """A row of a table with what came of it: a result or a problem."""

    number: int = Field(description="The row's place in the table, from 1.")
    # Any: whatever the table holds, and the library's result as it is.
    values: dict[str, Any] = Field(description="The columns of the table.")
    result: dict[str, Any] | None = None
    problem: str | None = None


class RowPage(BaseModel):
    """Some rows of a job, in the order that was asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ROW_PAGE]})

    rows: list[GradedRow]
    next_first: int | None = Field(description="Send it as `first` for what follows; null if nothing can.")
    total: int | None = Field(description="How many rows are like that; null where rows are searched in the table's order.")


class Deleted(BaseModel):
    """What was deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": 120}]})

    rows: int


def columns_text(columns: list[str]) -> str:
    """Return the columns of a table as a job keeps them."""
    return json_text(columns)


def _as_id(value: object) -> object:
    """Return a cell as an id: none where it is empty, and a whole number as its digits."""
    return None if value == "" else _digits(value)


def _digits(value: object) -> object:
    """Return a whole number as its digits, and anything else as it is."""
    # Where some rows have none, whole numbers are often written as floats.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _rate(job: Job) -> float | None:
    """Return rows a second since the work last began."""
    if job.begun_at is None or job.rows_done <= job.begun_rows:
        return None
    seconds = ((job.finished_at or now()) - job.begun_at).total_seconds()
    return (job.rows_done - job.begun_rows) / max(seconds, 1e-3)
