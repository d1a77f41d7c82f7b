"""What each key had graded, by day."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from threading import Lock
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api import examples
from api.keys import Access, Scope
from api.repeating import repeating
from api.storage.columns import now
from api.storage.database import Database, Store, changed_rows
from api.storage.tables import Usage

_EVERY_S = 1.0
logger = logging.getLogger(__name__)

# Built once, and not for each request.
_ADD = (
    update(Usage)
    .where(Usage.tenant_id == bindparam("of_tenant"), Usage.key_id == bindparam("of_key"), Usage.day == bindparam("of_day"))
    .values(
        {
            Usage.requests: Usage.requests + bindparam("more_requests"),
            Usage.answers: Usage.answers + bindparam("more_answers"),
            Usage.characters: Usage.characters + bindparam("more_characters"),
        }
    )
    .execution_options(synchronize_session=False)
)


class UsageFilter(BaseModel):
    """Which days to show."""

    model_config = ConfigDict(extra="forbid")

    first_day: date | None = Field(default=None, description="This day or later, in UTC.")
    last_day: date | None = Field(default=None, description="This day or earlier, in UTC.")


class DayOfUse(BaseModel):
    """What a key had graded on one day."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    key_name: str
    requests: int = Field(description="Requests that graded at least one answer.")
    answers: int
    characters: int = Field(description="Of the answers together.")


class UsageReport(BaseModel):
    """What was graded, latest day first, for at most a thousand days of keys."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.USAGE_REPORT]})

    days: list[DayOfUse]


_MAX_ROWS = 1_000


class _Row(NamedTuple):
    """A key on one day."""

    tenant_id: str
    key_id: str
    day: str
    key_name: str

    @classmethod
    def of(cls, access: Access) -> Self:
        return cls(access.tenant_id, access.key_id, now().date().isoformat(), access.name)


@dataclass(frozen=True, slots=True)
class _Amount:
    """How much was graded."""

    requests: int = 0
    answers: int = 0
    characters: int = 0

    @classmethod
    def of(cls, answers: Sequence[str]) -> Self:
        return cls(1, len(answers), sum(map(len, answers)))

    def __add__(self, other: _Amount) -> _Amount:
        return _Amount(self.requests + other.requests, self.answers + other.answers, self.characters + other.characters)


class UsageLedger:
    """Counts requests that store nothing, adds them up in memory and writes them down together. Safe to use from several threads.

    A process that is killed loses what it counted since it last wrote, which is a second ago where the database is there. What
    cannot be written is kept and tried again; where the connection breaks during a commit that was carried out, it counts twice.
    It holds one sum for each key and day, however many requests that are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sums: dict[_Row, _Amount] = {}
        self._summing, self._writing = Lock(), Lock()

    def note(self, access: Access, answers: Sequence[str]) -> None:
        """Count a request."""
        self._add({_Row.of(access): _Amount.of(answers)})

    def write(self) -> None:
        """Write down in one transaction what is counted; another thread that is at it is waited for.

        Raises:
            SQLAlchemyError: If the database does not take it; it is kept for the next time.
        """
        with self._writing:
            with self._summing:
                taken, self._sums = self._sums, {}
            if not taken:
                return
            try:
                with self._database.system() as session:
                    # In one order in all servers, or two could wait for each other.
                    for row in sorted(taken):
                        _add(session, row, taken[row])
            except BaseException:
                self._add(taken)
                raise

    @contextmanager
    def kept(self) -> Iterator[Self]:
        """Write once a second, in a thread of its own, until the block is left, and then what there is still."""
        try:
            with repeating(lambda _: self.write(), every_s=_EVERY_S, name="usage", what="Counts of use have"):
                yield self
        finally:
            if self._sums:
                logger.error("What requests had graded is not counted: the database was not available to the end.")

    def _add(self, amounts: dict[_Row, _Amount]) -> None:
        with self._summing:
            for row, amount in amounts.items():
                self._sums[row] = amount + self._sums.get(row, _Amount())


@dataclass(frozen=True, slots=True)
class UsageBook:
    """The counts of the tenant that a store belongs to."""

    store: Store
    ledger: UsageLedger

    def report(self, access: Access, wanted: UsageFilter) -> UsageReport:
        """Return the counts of the key that asks; those of all the tenant's keys, where it has the scope `admin`.

        What this server has counted is among them; what others have, when they have written it.
        """
        self.ledger.write()
        query = select(Usage).order_by(Usage.day.desc(), Usage.key_id).limit(_MAX_ROWS)
        if not access.may(Scope.ADMIN):
            query = query.where(Usage.key_id == access.key_id)
        if wanted.first_day is not None:
            query = query.where(Usage.day >= wanted.first_day.isoformat())
        if wanted.last_day is not None:
            query = query.where(Usage.day <= wanted.last_day.isoformat())
        with self.store.read() as session:
            rows = session.scalars(query).all()
        return UsageReport(days=[DayOfUse.model_validate(row) for row in rows])


def note_use(session: Session, access: Access, answers: Sequence[str]) -> None:
    """Count a request in a transaction that does more than that."""
    _add(session, _Row.of(access), _Amount.of(answers))


def _add(session: Session, row: _Row, amount: _Amount) -> None:
    """Add to a row, or make it where there is none yet."""
    if not _added(session, row, amount):
        try:
            with session.begin_nested():
                session.add(Usage(**row._asdict(), **asdict(amount)))
        except IntegrityError:
            # Another request of the day was the first.
            _added(session, row, amount)


def _added(session: Session, row: _Row, amount: _Amount) -> bool:
    """Add to a row, and tell whether there is one."""
    which = {"of_tenant": row.tenant_id, "of_key": row.key_id, "of_day": row.day}
    done = session.execute(_ADD, which | {f"more_{name}": value for name, value in asdict(amount).items()})
    return changed_rows(done) == 1
