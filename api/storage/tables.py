"""The tables. What belongs to a tenant is marked so by `TenantOwned`; the session filters by that mark."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint, event, false, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.storage.columns import UtcDateTime, new_id, now

# Named constraints are what a migration can drop again.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 SQLAlchemy reads it from the class


class TenantOwned:
    """A row that belongs to one tenant and that no other may see."""

    tenant_id: Mapped[str] = mapped_column(String(80), ForeignKey("tenants.id", ondelete="CASCADE"), index=True)


class Tenant(Base):
    """An owner of keys, banks and results: a school, a company."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiKey(TenantOwned, Base):
    """A key as it is kept: its secret only as a hash."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(Text)
    store_results: Mapped[bool] = mapped_column(default=False)
    rate_limit: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Pass(TenantOwned, Base):
    """What stands for a key for a while: a token for a few items in a page of another site, or a person's session."""

    __tablename__ = "passes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(16))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # Null while there are no keys at all.
    key_id: Mapped[str | None] = mapped_column(String(32), ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    # What a token is bound to; the ids of items with spaces between them.
    bank_id: Mapped[str | None] = mapped_column(String(80))
    item_ids: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str | None] = mapped_column(String(300))
    attempt_id: Mapped[str | None] = mapped_column(String(200))
    subject_id: Mapped[str | None] = mapped_column(String(200), index=True)
    store: Mapped[bool | None]


class GradedItem(TenantOwned, Base):
    """The exact content that a stored answer was held against, kept once for all answers to it."""

    __tablename__ = "graded_items"

    tenant_id: Mapped[str] = mapped_column(String(80), ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str] = mapped_column(Text)


class Result(TenantOwned, Base):
    """What came of grading one answer. Never changed: a new grade is a new row that names the one whose place it took."""

    __tablename__ = "results"
    __table_args__ = (
        Index(None, "tenant_id", "attempt_id"),
        Index(None, "tenant_id", "subject_id"),
        Index(None, "tenant_id", "bank_id", "item_id"),
        Index("ix_results_review_queue", "tenant_id", "bank_id", "needs_review", "review_count", "review_worth"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    key_name: Mapped[str] = mapped_column(String(200))
    bank_id: Mapped[str | None] = mapped_column(String(80))
    item_id: Mapped[str | None] = mapped_column(String(80))
    item_version: Mapped[str | None] = mapped_column(String(80))
    content_hash: Mapped[str] = mapped_column(String(64))
    attempt_id: Mapped[str | None] = mapped_column(String(200))
    subject_id: Mapped[str | None] = mapped_column(String(200))
    candidate_answer: Mapped[str] = mapped_column(Text)
    score: Mapped[float]
    mark: Mapped[float]
    needs_review: Mapped[bool]
    signature: Mapped[str] = mapped_column(Text)
    # The line of JSON that the library gave, to the byte.
    result: Mapped[str] = mapped_column(Text)
    grading_ms: Mapped[float]
    replaces_id: Mapped[str | None] = mapped_column(String(32), ForeignKey("results.id", ondelete="SET NULL"), index=True)
    # Bookkeeping, which alone changes: whether a later result took this one's place.
    replaced: Mapped[bool] = mapped_column(default=False)
    # Bookkeeping too: by how many people it was reviewed, and how much a look at it is worth.
    review_count: Mapped[int] = mapped_column(default=0, server_default="0")
    review_worth: Mapped[float] = mapped_column(default=0.0, server_default="0")


class Replay(TenantOwned, Base):
    """The answer to a request with an idempotency key; without a status while the first request is in progress."""

    __tablename__ = "replays"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(200))
    request_hash: Mapped[str] = mapped_column(String(64))
    # Set in the transaction that carries the request out, the answer after it.
    carried_out: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[int | None]
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ReplayName(TenantOwned, Base):
    """An attempt or a subject that a replay speaks of, so that erasing them finds it."""

    __tablename__ = "replay_names"

    replay_id: Mapped[str] = mapped_column(String(32), ForeignKey("replays.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(210), primary_key=True, index=True)


class Bank(TenantOwned, Base):
    """A bank of a tenant's own."""

    __tablename__ = "banks"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None]


class ItemVersion(TenantOwned, Base):
    """An item of a bank at one time. Once published, its content never changes: an edit is a new version."""

    __tablename__ = "item_versions"
    __table_args__ = (UniqueConstraint("bank_row_id", "item_id", "version"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    bank_row_id: Mapped[str] = mapped_column(String(32), ForeignKey("banks.id", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="draft")
    content_hash: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    published_at: Mapped[datetime | None]


@event.listens_for(ItemVersion, "before_update")
def _published_content_stays(_: object, __: object, row: ItemVersion) -> None:
    attributes = inspect(row).attrs
    was = [*attributes.state.history.deleted, *attributes.state.history.unchanged]
    if was != ["draft"] and any(
        attributes[name].history.has_changes() for name in ("item_id", "version", "content_hash", "body")
    ):
        raise RuntimeError(f"version {row.version} of {row.item_id!r} is published and cannot be changed")


class Review(TenantOwned, Base):
    """What a person decided about a result. Never changed: who decides anew adds a row; `api/standing.py` says what counts."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    result_id: Mapped[str] = mapped_column(String(32), ForeignKey("results.id", ondelete="CASCADE"), index=True)
    reviewer: Mapped[str] = mapped_column(String(200))
    # What is known for certain; the reviewer is whoever that key says. Null in rows of before it was recorded.
    key_name: Mapped[str | None] = mapped_column(String(200))
    decision: Mapped[str] = mapped_column(String(16))
    score: Mapped[float]
    mark: Mapped[float]
    key_points: Mapped[str] = mapped_column(Text)
    comment: Mapped[str] = mapped_column(Text)


class Calibration(TenantOwned, Base):
    """What was learnt from reviews of an item, as it was then: which results, by their names, and not their texts."""

    __tablename__ = "calibrations"
    __table_args__ = (UniqueConstraint("tenant_id", "bank_id", "item_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    key_name: Mapped[str] = mapped_column(String(200))
    bank_id: Mapped[str] = mapped_column(String(80))
    item_id: Mapped[str] = mapped_column(String(80))
    content_hash: Mapped[str] = mapped_column(String(64))


class CalibrationMark(TenantOwned, Base):
    """A result that a calibration learnt from, with the score that people stood by. It goes with the result."""

    __tablename__ = "calibration_marks"

    calibration_id: Mapped[str] = mapped_column(String(32), ForeignKey("calibrations.id", ondelete="CASCADE"), primary_key=True)
    result_id: Mapped[str] = mapped_column(String(32), ForeignKey("results.id", ondelete="CASCADE"), primary_key=True, index=True)
    score: Mapped[float]


class Usage(TenantOwned, Base):
    """What a key had graded on one day; without a key id, what was graded without keys."""

    __tablename__ = "usage"

    tenant_id: Mapped[str] = mapped_column(String(80), ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    # As it is written, 2026-03-01, in UTC.
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    key_name: Mapped[str] = mapped_column(String(200))
    requests: Mapped[int]
    answers: Mapped[int] = mapped_column(BigInteger)
    characters: Mapped[int] = mapped_column(BigInteger)


class Job(TenantOwned, Base):
    """A table of answers to be graded, and how far that is."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state", "state"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    # Raised whenever work begins anew; what was handed out for an earlier run is then left alone.
    run: Mapped[int] = mapped_column(default=0)
    key_id: Mapped[str] = mapped_column(String(32))
    key_name: Mapped[str] = mapped_column(String(200))
    store_results: Mapped[bool]
    bank_id: Mapped[str] = mapped_column(String(80))
    # The columns of the table as JSON, and which of them hold what; a job about one item names that instead.
    columns: Mapped[str] = mapped_column(Text)
    mapping: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(default=0)
    chunks: Mapped[int] = mapped_column(default=0)
    rows_done: Mapped[int] = mapped_column(default=0)
    rows_failed: Mapped[int] = mapped_column(default=0)
    rows_for_review: Mapped[int] = mapped_column(default=0)
    # When the work last began, and how far it was then: what a rate is counted from.
    begun_at: Mapped[datetime | None]
    begun_rows: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)


class JobChunk(TenantOwned, Base):
    """Some consecutive rows of a job: what came in, and, once they are graded, what became of them."""

    __tablename__ = "job_chunks"

    job_id: Mapped[str] = mapped_column(String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_row: Mapped[int]
    rows: Mapped[int]
    # Lines of JSON, one for each row, compressed. Only lists of chunks leave them in the database.
    input: Mapped[bytes] = mapped_column(LargeBinary)
    output: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Counts for the summary of the job, as JSON.
    summary: Mapped[str | None] = mapped_column(Text)
    # How often grading was begun, the row it was at when that is more than a few times, and those that ended a worker.
    attempts: Mapped[int] = mapped_column(default=0)
    suspect: Mapped[int | None]
    given_up: Mapped[str] = mapped_column(Text, default="[]")


class JobKeys(TenantOwned, Base):
    """What the rows of a chunk are sorted and filtered by, see `api/jobs/keys.py`; written with its outcomes."""

    __tablename__ = "job_keys"

    job_id: Mapped[str] = mapped_column(String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    keys: Mapped[bytes] = mapped_column(LargeBinary)


class Worker(Base):
    """A process that grades the rows of jobs, of any tenant, and when it last gave a sign of life."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    seen_at: Mapped[datetime]


class Webhook(TenantOwned, Base):
    """An address that a tenant wants to be told at."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[str] = mapped_column(Text)
    # As it is: a message cannot be signed with a hash of it.
    secret: Mapped[str] = mapped_column(String(80))


class Delivery(TenantOwned, Base):
    """A message to a webhook: written down together with what it tells of, and kept until it is old."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_due_at", "state", "due_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(default=now)
    webhook_id: Mapped[str] = mapped_column(String(32), ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    # When the next attempt may be made, and in which round of attempts it is: a replay begins another one.
    due_at: Mapped[datetime] = mapped_column(default=now)
    round: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None]
