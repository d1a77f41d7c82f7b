"""Rows to outcomes: in this process, or in processes of their own that each load a grader once (on other machines: `ray_engine`).

A grader's own threads share one interpreter, so that what is not the encoder's work runs on one core; processes do not. The
outcomes are the same to the byte, in the same order.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from grader.allocator import tune_allocator
from grader.bank import ItemBank
from grader.batch.output import Outcome, outcome_json
from grader.batch.rows import BatchError, Row, Source
from grader.calibration import Calibration, with_calibration
from grader.cores import keep_products_on_one_core
from grader.encoders import DEFAULT_PRECISION, Precision
from grader.errors import InvalidAnswerError, ItemNotFoundError
from grader.grader import Grader, check_answer
from grader.items import Gradable, Item
from grader.results import GradingResult

# Rows graded and noted at once: a second of work, which is what a kill costs, and enough to keep every core busy.
CHUNK_ROWS = 32
_LONGEST_QUOTED_ID = 100
# Chunks that wait for each worker while it is at one: enough that it never waits for this process, which reads and writes.
_CHUNKS_AHEAD = 2
# Of outcomes that are remembered, some three thousand of sixty-word answers: people write the same short answers again and again.
_REMEMBERED_CHARACTERS = 10_000_000


class GradedRow(NamedTuple):
    """What became of a row, as `outcome_json` gives it, and what is counted of it."""

    outcome: str
    is_graded: bool
    needs_review: bool


class Grading(Protocol):
    """What grades the rows of a table."""

    @property
    def signature(self) -> str:
        """The grader's."""
        ...

    def grade(self, source: Source, start: int) -> Iterator[tuple[list[Row], list[GradedRow]]]:
        """Yield the rows of a table in chunks with what became of them, in order. Reads little further ahead than it yields.

        Args:
            source: The table.
            start: How many of its rows to skip.
        """
        ...


class InThisProcess:
    """Grades with a grader that is loaded already."""

    def __init__(self, grader: Grader, bank: ItemBank) -> None:
        """Take the grader, and the bank in which item ids are looked up."""
        self._grader = grader
        self._bank = bank
        self._remembered = _Remembered()

    @property
    def signature(self) -> str:
        """The grader's."""
        return self._grader.signature

    def grade(self, source: Source, start: int) -> Iterator[tuple[list[Row], list[GradedRow]]]:
        """Yield the rows of a table in chunks with what became of them, in order."""
        for chunk in in_chunks(islice(source.rows(), start, None)):
            yield chunk, self.graded(chunk)

    def grade_pairs(self, pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult]:
        """Return the results of answers to items that are sent along, in their order."""
        return self._grader.grade_many(pairs)

    def graded(self, rows: Sequence[Row]) -> list[GradedRow]:
        """Return what becomes of each row, in order: its result, or the sentence that says why there is none."""
        outcomes: list[GradedRow | None] = []
        pairs: list[tuple[Item, str]] = []
        for row in rows:
            try:
                item, answer = _item_and_answer(self._bank, row)
            except (_UngradableRowError, ItemNotFoundError, InvalidAnswerError) as error:
                outcomes.append(_graded_row(str(error)))
                continue
            outcomes.append(self._remembered.get(item, answer))
            if outcomes[-1] is None:
                pairs.append((item, answer))
        results = iter(self._grader.grade_many(pairs))
        new = [_graded_row(next(results)) for _ in pairs]
        for (item, answer), outcome in zip(pairs, new, strict=True):
            self._remembered.put(item, answer, outcome)
        made = iter(new)
        return [next(made) if outcome is None else outcome for outcome in outcomes]


class _Remembered:
    """What became of the answers that were graded last, each to its item; bounded by the length of all outcomes together."""

    def __init__(self) -> None:
        self._outcomes: OrderedDict[tuple[str, str], GradedRow] = OrderedDict()
        self._characters = 0

    def get(self, item: Item, answer: str) -> GradedRow | None:
        key = item.id, answer
        found = self._outcomes.get(key)
        if found is not None:
            self._outcomes.move_to_end(key)
        return found

    def put(self, item: Item, answer: str, outcome: GradedRow) -> None:
        key = item.id, answer
        if key not in self._outcomes:
            self._characters += len(answer) + len(outcome.outcome)
        self._outcomes[key] = outcome
        while self._characters > _REMEMBERED_CHARACTERS:
            (_, old), gone = self._outcomes.popitem(last=False)
            self._characters -= len(old) + len(gone.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderRecipe:
    """How a process that only grades opens the same grader: its prepared folder, and the bytes of a calibration's file."""

    home: Path
    calibration: bytes | None = None
    precision: Precision = DEFAULT_PRECISION

    def open(self, *, threads: int) -> Grader:
        """Return the grader.

        Raises:
            GraderError: If the folder holds no prepared model, or the calibration does not fit.
        """
        keep_products_on_one_core()
        tune_allocator()
        grader = Grader.from_directory(self.home, prepare=False, threads=threads, precision=self.precision)
        return grader if self.calibration is None else with_calibration(grader, Calibration.from_json(self.calibration))


class WorkerProcesses:
    """Grades in processes of their own, each on one core. Use it as a context manager."""

    def __init__(self, recipe: GraderRecipe, bank: ItemBank, *, workers: int, ends_when_told: bool = True) -> None:
        """Start the processes, which takes a second.

        Args:
            recipe: How each of them opens the grader.
            bank: Where item ids are looked up.
            workers: How many.
            ends_when_told: Whether SIGTERM ends them. A lone one may be left to the process that started it, which is told too
                where all of a service's processes are; of several the pool itself tells the others when one has died.

        Raises:
            GraderError: If the grader cannot be opened.
        """
        self._workers = workers
        # A fork would copy locks that other threads hold; a new interpreter has none.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start_worker, initargs=(recipe, bank, ends_when_told)
        )
        try:
            self._signature = self._pool.submit(_signature).result()
        except BaseException:
            self._pool.shutdown(cancel_futures=True)
            raise

    def __enter__(self) -> Self:
        """Return the workers themselves."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the processes once they are done with what they are at."""
        self.close()

    @property
    def signature(self) -> str:
        """The signature of the workers' grader."""
        return self._signature

    def close(self) -> None:
        """End the processes once they are done with what they are at."""
        self._pool.shutdown(cancel_futures=True)

    def grade_pairs(self, pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult]:
        """Return the results of answers to items that are sent along, in their order, from one of the processes.

        Raises:
            BatchError: If the process was killed.
        """
        try:
            return self._pool.submit(_grade_pairs_in_worker, list(pairs)).result()
        except BrokenProcessPool as error:
            raise BatchError("A worker process ended by itself, or was killed.") from error

    def grade(self, source: Source, start: int) -> Iterator[tuple[list[Row], list[GradedRow]]]:
        """Yield the rows of a table in chunks with what became of them, in order; workers are given a few chunks ahead.

        Raises:
            BatchError: If a worker was killed.
        """
        waiting: deque[tuple[list[Row], Future[list[GradedRow]]]] = deque()
        try:
            for chunk in in_chunks(islice(source.rows(), start, None)):
                waiting.append((chunk, self._pool.submit(_grade_in_worker, chunk)))
                if len(waiting) > self._workers * _CHUNKS_AHEAD:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        except BrokenProcessPool as error:
            raise BatchError("A worker process ended by itself, or was killed; --resume goes on from here.") from error
        finally:
            for _, future in waiting:
                future.cancel()


# What a worker process holds between chunks; this process never sets it.
_worker: InThisProcess | None = None
_worker_error: Exception | None = None


def _start_worker(recipe: GraderRecipe, bank: ItemBank, ends_when_told: bool) -> None:
    """Load the grader of a new worker process, which ends with the process that started it, however that ends."""
    global _worker, _worker_error  # noqa: PLW0603 a pool's tasks share nothing else
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it is told, and ends it
    if not ends_when_told:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        _worker = InThisProcess(recipe.open(threads=1), bank)
    except Exception as error:  # noqa: BLE001 raised again where the first task asks; here it would only break the pool
        _worker_error = error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _in_worker() -> InThisProcess:
    if _worker is None:
        raise _worker_error or RuntimeError("not a worker process")
    return _worker


def _signature() -> str:
    return _in_worker().signature


def _grade_in_worker(rows: list[Row]) -> list[GradedRow]:
    return _in_worker().graded(rows)


def _grade_pairs_in_worker(pairs: list[tuple[Gradable, str]]) -> list[GradingResult]:
    return _in_worker().grade_pairs(pairs)


def in_chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield rows as many at a time as are graded at once."""
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def _graded_row(outcome: Outcome) -> GradedRow:
    is_graded = isinstance(outcome, GradingResult)
    return GradedRow(outcome_json(outcome), is_graded, isinstance(outcome, GradingResult) and outcome.needs_review)


class _UngradableRowError(Exception):
    """A row that cannot be graded; the message is a sentence."""


def _item_and_answer(bank: ItemBank, row: Row) -> tuple[Item, str]:
    if row.problem is not None:
        raise _UngradableRowError(row.problem)
    item_id, answer = row.values.get("item_id"), row.values.get("candidate_answer")
    if item_id is None or item_id == "":
        raise _UngradableRowError("item_id is missing.")
    if answer is None:
        raise _UngradableRowError("candidate_answer is missing.")
    for name, value in (("item_id", item_id), ("candidate_answer", answer)):
        if not isinstance(value, str):
            raise _UngradableRowError(f"{name} must be text, not {type(value).__name__}.")
    item = bank.find(item_id)
    if item is None:
        raise ItemNotFoundError(item_id[:_LONGEST_QUOTED_ID])
    check_answer(answer)
    return item, answer
