"""Counting what is sent against limits: in this process, or in Redis for several servers together."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import RateLimiter, SlidingWindowCounterRateLimiter

IN_PROCESS = "memory://"
# A request waits for Redis no longer than this; then its own server counts it.
_PATIENCE_S = 0.5
# After a failure Redis is left alone for a while, so that not every request waits for it.
_REST_S = 5.0
T = TypeVar("T")
logger = logging.getLogger(__name__)


class Rates:
    """Counts by name. Safe to use from several threads.

    While Redis cannot be reached, each server counts for itself: a limit may then be passed, and nobody is turned away for it.
    """

    def __init__(self, storage: str = IN_PROCESS) -> None:
        """Set up counters; nothing is connected yet.

        Args:
            storage: `memory://`, or the address of a Redis, such as `redis://host:6379/0`.
        """
        self.is_shared = storage != IN_PROCESS
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _limiter_of(storage) if self.is_shared else self._own
        self._rests_until = 0.0

    def hit(self, limit: RateLimitItem, *names: str, cost: int = 1) -> int:
        """Count something, and return how many seconds to wait where it is beyond the limit and not counted, or else 0."""
        return self._ask(lambda rates: 0 if rates.hit(limit, *names, cost=cost) else _wait(rates, limit, names))

    def look(self, limit: RateLimitItem, *names: str) -> int:
        """Return how many seconds to wait where the limit is reached, and 0 where it is not; nothing is counted."""
        return self._ask(lambda rates: 0 if rates.test(limit, *names) else _wait(rates, limit, names))

    def _ask(self, question: Callable[[RateLimiter], T]) -> T:
        if self.is_shared and time.monotonic() >= self._rests_until:
            try:
                return question(self._shared)
            except StorageError as error:
                self._rests_until = time.monotonic() + _REST_S
                logger.warning("Rates are counted by this server alone: %s.", type(error.storage_error).__name__)
        return question(self._own)


def _limiter_of(storage: str) -> RateLimiter:
    counters = storage_from_string(
        storage, wrap_exceptions=True, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, key_prefix="grader"
    )
    assert isinstance(counters, Storage)  # noqa: S101 the settings admit none of the asynchronous ones
    return SlidingWindowCounterRateLimiter(counters)


def _wait(rates: RateLimiter, limit: RateLimitItem, names: tuple[str, ...]) -> int:
    return max(1, math.ceil(rates.get_window_stats(limit, *names).reset_time - time.time()))
