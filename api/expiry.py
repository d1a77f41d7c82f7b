"""What is kept for a time only, deleted when that is over."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy.exc import SQLAlchemyError

from api.replays import delete_expired_replays
from api.storage.database import Database

_EVERY_S = 600.0
# Replays deleted in one transaction: others wait for it on SQLite.
_AT_ONCE = 500
logger = logging.getLogger(__name__)


@contextmanager
def expiring(database: Database, *, every_s: float = _EVERY_S) -> Iterator[None]:
    """Delete what is over now and every ten minutes, in a thread of its own, until the block is left."""
    stopping = Event()
    thread = Thread(target=_repeat, args=(database, stopping, every_s), name="expiry", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


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


def _repeat(database: Database, stopping: Event, every_s: float) -> None:
    is_last = False
    while not is_last:
        try:
            delete_what_is_over(database, stopping)
        except (SQLAlchemyError, sqlite3.Error) as failed:
            logger.warning("What is over has to wait: the database is not available (%s).", type(failed).__name__)
        is_last = stopping.wait(every_s)
