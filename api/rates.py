"""Counting what is sent against limits: in this process, or in Redis for several servers together."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
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
# Names counted in memory; an attacker with an IPv6 network has no end of them.
_NAMES_KEPT = 10_000
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
        self._own = SlidingWindowCounterRateLimiter(Windows())
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


@dataclass(slots=True)
class _Window:
    """What was counted under a name in a stretch of time, and in the one before."""

    number: int
    seconds: int
    previous: int = 0
    current: int = 0

    def roll_to(self, number: int) -> None:
        """Go on to a stretch of time."""
        if number != self.number:
            self.previous = self.current if number == self.number + 1 else 0
            self.number, self.current = number, 0


class Windows(MemoryStorage):
    """Counts in memory that are let go of as others come.

    The library's own starts a thread to let go of them, at nearly every request, and waits until it runs: with all cores busy
    that holds up the event loop, and with it health checks.
    """

    # Not to be had by an address.
    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 as the library has it

    def __init__(self) -> None:
        """Begin with nothing counted."""
        super().__init__()
        self._windows: dict[str, _Window] = {}
        self._guard = Lock()

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count an amount unless that would be beyond the limit, and tell whether it was."""
        with self._guard:
            window, left = self._at(key, expiry)
            if window.previous * left / expiry + window.current + amount > limit:
                return False
            window.current += amount
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the count before this stretch of time and how long it still matters, and the same of this one."""
        with self._guard:
            window, left = self._at(key, expiry)
            return window.previous, left, window.current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 the library's signature
        """Forget what was counted under a name."""
        with self._guard:
            self._windows.pop(key, None)

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._windows)

    def _at(self, key: str, expiry: int) -> tuple[_Window, float]:
        """Return the window of a name as of now, and how many seconds of it are left."""
        moment = time.time()
        number = int(moment // expiry)
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _NAMES_KEPT:
                self._make_room(moment)
            window = self._windows[key] = _Window(number, expiry)
        window.roll_to(number)
        return window, expiry - moment % expiry

    def _make_room(self, moment: float) -> None:
        """Forget what no longer counts, or where all does, the name that came first."""
        over = [key for key, window in self._windows.items() if window.number < moment // window.seconds - 1]
        for key in over or [next(iter(self._windows))]:
            del self._windows[key]


def _limiter_of(storage: str) -> RateLimiter:
    counters = storage_from_string(
        storage, wrap_exceptions=True, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S, key_prefix="grader"
    )
    assert isinstance(counters, Storage)  # noqa: S101 the settings admit none of the asynchronous ones
    return SlidingWindowCounterRateLimiter(counters)


def _wait(rates: RateLimiter, limit: RateLimitItem, names: tuple[str, ...]) -> int:
    return max(1, math.ceil(rates.get_window_stats(limit, *names).reset_time - time.time()))
