"""What is done again and again beside the requests, in a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)


@contextmanager
def repeating(act: Callable[[Event], None], *, every_s: float, name: str, what: str) -> Iterator[None]:
    """Do something now and every so many seconds until the block is left, and then once more.

    A database that is away is noted, and tried again the next time.

    Args:
        act: What is to be done. It is given what is set when the block is left.
        every_s: Seconds in between.
        name: The thread's.
        what: What has to wait while the database is away, for the log.
    """
    stopping = Event()

    def repeat() -> None:
        is_last = False
        while True:
            try:
                act(stopping)
            except (SQLAlchemyError, sqlite3.Error) as failed:
                logger.warning("%s to wait: the database is not available (%s).", what, type(failed).__name__)
            if is_last:
                return
            is_last = stopping.wait(every_s)

    thread = Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
