"""What is kept for a time only, deleted when that is over."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from threading import Event

from api.repeating import repeating
from api.replays import delete_expired_replays
from api.storage.database import Database

_EVERY_S = 600.0
# Replays deleted in one transaction: others wait for it on SQLite.
_AT_ONCE = 500


def expiring(database: Database, *, every_s: float = _EVERY_S) -> AbstractContextManager[None]:
    """Delete what is over now and every ten minutes, in a thread of its own, until the block is left."""
    act = partial(delete_what_is_over, database)
    return repeating(act, every_s=every_s, name="expiry", what="What is over has")


def delete_what_is_over(database: Database, stopping: Event) -> None:
    """Delete the kept answers of all tenants whose day is over, some at a time."""
    total = 0
    while not stopping.is_set():
        with database.system() as session:
            deleted = delete_expired_replays(session, at_most=_AT_ONCE)
        total += deleted
        if deleted < _AT_ONCE:
            break
    if total:
        # Raises the driver's own errors.
        database.forget()
