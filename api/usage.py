"""What each key had graded, by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api import examples
from api.keys import Access, Scope
from api.storage.columns import now
from api.storage.database import Store
from api.storage.tables import Usage


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


@dataclass(frozen=True, slots=True)
class UsageBook:
    """The counts of the tenant that a store belongs to."""

    store: Store

    def report(self, access: Access, wanted: UsageFilter) -> UsageReport:
        """Return the counts of the key that asks; those of all the tenant's keys, where it has the scope `admin`."""
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
    if not _add(session, access, answers):
        try:
            with session.begin_nested():
                session.add(_first(access, answers))
        except IntegrityError:
            # Another request of the day was the first.
            _add(session, access, answers)


def _today() -> str:
    return now().date().isoformat()


def _add(session: Session, access: Access, answers: Sequence[str]) -> bool:
    """Add to the row of today, and tell whether there is one."""
    added = {
        Usage.requests: Usage.requests + 1,
        Usage.answers: Usage.answers + len(answers),
        Usage.characters: Usage.characters + sum(map(len, answers)),
    }
    row = update(Usage).where(Usage.key_id == access.key_id, Usage.day == _today()).values(added)
    done = session.execute(row.execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)  # noqa: S101 what an update gives
    return done.rowcount == 1


def _first(access: Access, answers: Sequence[str]) -> Usage:
    characters = sum(map(len, answers))
    return Usage(
        key_id=access.key_id, day=_today(), key_name=access.name, requests=1, answers=len(answers), characters=characters
    )
