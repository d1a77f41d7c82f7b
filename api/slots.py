"""Places for requests that keep a core busy, and a bounded queue before them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from api.errors import BusyError

# How often a request that waits looks whether its client is still there.
_LOOK_S = 0.25


class Slots:
    """How many requests are in progress and how many wait, in the order of their arrival.

    Used on the event loop only, so it needs no lock: waiting holds no thread, and saying no takes none. `taken` and `waiting` are
    the present counts.
    """

    def __init__(self, limit: int, *, room: int = 0) -> None:
        """Take the number of places, and of requests that may wait for one."""
        self.limit = limit
        self.room = room
        self.taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def check(self) -> None:
        """Let pass what could take a place or wait for one now.

        Raises:
            BusyError: If all places and the queue are full.
        """
        if self.taken >= self.limit and len(self._queue) >= self.room:
            raise BusyError(self.limit)

    async def take(self, is_gone: Callable[[], Awaitable[bool]]) -> None:
        """Take a place, or wait for one. A request that is cancelled, or whose client has gone, leaves the queue.

        Args:
            is_gone: Tells whether the client has gone.

        Raises:
            BusyError: At once, if all places and the queue are full; or if the client has gone, who will not hear of it.
        """
        self.check()
        if self.taken < self.limit:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        has_place = False
        try:
            has_place = await _until(turn, is_gone)
        finally:
            if not has_place:
                self._leave(turn)
        if not has_place:
            raise BusyError(self.limit)

    def give_back(self) -> None:
        """Give a place back: to whoever has waited longest, if anybody does."""
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self.taken -= 1

    def _leave(self, turn: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was given in the same moment goes to the next."""
        if turn.done():
            self.give_back()
        else:
            self._queue.remove(turn)


async def _until(turn: asyncio.Future[None], is_gone: Callable[[], Awaitable[bool]]) -> bool:
    """Wait for a turn; tell whether it came before the client went."""
    while not turn.done():
        await asyncio.wait([turn], timeout=_LOOK_S)
        if not turn.done() and await is_gone():
            # The turn may have come in the meantime; whoever leaves hands it on.
            return False
    return True
