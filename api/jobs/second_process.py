"""A process of its own for the chunks of large jobs, beside the one that works on them.

Threads share one interpreter, which leaves a fifth of two cores idle while chunks are graded; two processes keep them busy. The
results are the same to the byte.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Lock, Timer
from time import monotonic

from api.settings import Settings
from grader import GraderError, GradingResult, ItemBank
from grader.batch import GraderRecipe, WorkerProcesses
from grader.items import Gradable

# A job of fewer rows is done before a process that is started for it has paid.
LEAST_ROWS = 1_000
# Without work for so long it ends, and what it took of memory is free.
_IDLE_S = 60.0
# What keeps it from starting, as too little memory does, may pass; each try costs seconds.
_REST_S = 60.0
# A chunk takes seconds.
_PATIENCE_S = 10.0
logger = logging.getLogger(__name__)


def second_process(settings: Settings, home: Path, bank: ItemBank) -> SecondProcess | None:
    """Return a second process as the settings want it; None where there is to be none, or no core for it."""
    if not settings.second_process or (settings.threads or os.cpu_count() or 1) < 2:  # noqa: PLR2004
        return None
    return SecondProcess(GraderRecipe(home=home, precision=settings.precision), bank)


class SecondProcess:
    """Grades answers in a process that is started when it is first needed. Safe to use from several threads."""

    def __init__(self, recipe: GraderRecipe, bank: ItemBank, *, idle_s: float = _IDLE_S, rest_s: float = _REST_S) -> None:
        """Start nothing yet.

        Args:
            recipe: How the process opens the grader that this process has as well.
            bank: The shipped bank.
            idle_s: Seconds without work after which the process ends.
            rest_s: Seconds before another try where it cannot be started.
        """
        self._recipe = recipe
        self._bank = bank
        self._idle_s = idle_s
        self._rest_s = rest_s
        self._rests_until = 0.0
        self._processes: WorkerProcesses | None = None
        self._ending: Timer | None = None
        self._is_closed = False
        # Held while it grades, starts or ends.
        self._turn = Lock()

    def try_grade(self, signature: str, pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult] | None:
        """Return the results of answers in their order; None if the process has other work, or cannot be had.

        Args:
            signature: That of the grader whose results are wanted.
            pairs: Items and answers.

        Raises:
            BatchError: If the process was killed while it graded.
        """
        if not self._turn.acquire(blocking=False):
            return None
        try:
            processes = self._started(signature)
            return None if processes is None else processes.grade_pairs(pairs)
        except BaseException:
            self._end()
            raise
        finally:
            self._set_timer()
            self._turn.release()

    def close(self) -> None:
        """End the process, once it is done with what it is at; none is started afterwards."""
        self._is_closed = True
        if self._turn.acquire(timeout=_PATIENCE_S):
            try:
                self._end()
            finally:
                self._set_timer()
                self._turn.release()

    def _started(self, signature: str) -> WorkerProcesses | None:
        """Return the process, started if it is not there; None if it would not give the same results."""
        if self._is_closed:
            return None
        if self._processes is None:
            if monotonic() < self._rests_until:
                return None
            try:
                self._processes = WorkerProcesses(self._recipe, self._bank, workers=1, ends_when_told=False)
            except (GraderError, OSError, BrokenProcessPool) as error:
                self._rests_until = monotonic() + self._rest_s
                logger.warning("Jobs go on in one process for now, as a second one cannot be started: %s", error)
                return None
        # What is prepared may have been made anew since this process was started.
        return self._processes if self._processes.signature == signature else None

    def _set_timer(self) -> None:
        """Have the process end when nothing more comes, if there is one."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._processes is not None:
            self._ending = Timer(self._idle_s, self._end_if_idle)
            self._ending.daemon = True
            self._ending.start()

    def _end_if_idle(self) -> None:
        if self._turn.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._turn.release()

    def _end(self) -> None:
        if self._processes is not None:
            self._processes.close()
            self._processes = None
