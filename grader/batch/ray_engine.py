"""Rows to outcomes on a cluster: Ray Data's actors, each with a grader of its own, on this machine or on many.

Every actor reads the rows it is to grade from the input file itself, which lies where all machines see it, so that only outcomes
travel. The process that started the run writes them in the input's order, as it does with its own: the output is the same to the
byte, a stopped run goes on, and an actor that is lost is replaced and its rows are graded again.

The only module that imports ray, which comes with the extra `ray`. See docs/adr/0022.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from grader.bank import ItemBank
from grader.batch.grading import CHUNK_ROWS, GradedRow, GraderRecipe, InThisProcess, in_chunks
from grader.batch.parquet import ParquetSource
from grader.batch.rows import BatchError, Row, Source

if TYPE_CHECKING:
    from ray.data import Dataset

# A few seconds of work: what is done again when an actor is lost.
_TASK_ROWS = 2 * CHUNK_ROWS
# Each is planned before the first begins, so the longest table has longer ones.
_MOST_TASKS = 20_000


class RayWorkers:
    """Grades Parquet tables in the actors of a Ray cluster. Use it as a context manager."""

    def __init__(self, recipe: GraderRecipe, bank: ItemBank, *, workers: int = 0, address: str | None = None) -> None:
        """Join a cluster, or start one on this machine that ends with this process.

        Args:
            recipe: How each actor opens the grader; its folder has the same path on every machine.
            bank: Where item ids are looked up; each actor gets all of its items.
            workers: How many actors, each on one core; 0 takes as many as the cluster has cores.
            address: Of the cluster's head, such as `10.0.0.1:6379`, or `auto`; None starts a cluster here.

        Raises:
            BatchError: If ray is not installed, or the cluster cannot be reached.
            GraderError: If the grader cannot be opened.
        """
        # Ray tells its makers of every cluster that starts, unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Its workers would stand behind everything else on the machine (niceness 15) and, where that is busy, hardly ever begin.
        os.environ.setdefault("RAY_worker_niceness", "0")
        try:
            import ray  # noqa: PLC0415 an extra, and two seconds
        except ImportError as error:
            raise BatchError('Ray is not installed; `pip install "answer-grader[ray]"` installs it.') from error
        with closing(recipe.open(threads=1)) as grader:
            self._signature = grader.signature
        self._recipe = recipe
        # A large bank is pickled as the name of a file, which other machines do not have.
        self._bank = ItemBank(version=bank.version, items=tuple(bank), responses={})
        here = {} if address else {"num_cpus": workers or os.cpu_count(), "include_dashboard": False}
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise BatchError(f"The Ray cluster {address or 'on this machine'} cannot be used: {_first_line(error)}") from error
        self._workers = workers or int(ray.cluster_resources().get("CPU", 1))

    def __enter__(self) -> Self:
        """Return the workers themselves."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the cluster; one that was started here ends."""
        import ray  # noqa: PLC0415 as above

        ray.shutdown()

    @property
    def signature(self) -> str:
        """The signature of this machine's grader; an actor with another one refuses to work."""
        return self._signature

    def grade(self, source: Source, start: int) -> Iterator[tuple[list[Row], list[GradedRow]]]:
        """Yield the rows of a table in chunks with what became of them, in order.

        Raises:
            BatchError: If the table is not Parquet, or Ray gave up.
        """
        from ray.exceptions import RayError  # noqa: PLC0415 as above

        if not isinstance(source, ParquetSource):
            raise BatchError(f"{source.path} is not Parquet, which is what Ray's workers read.")
        if start == source.count():
            return
        rows = islice(source.rows(), start, None)
        try:
            for batch in self._graded(source, start).iter_batches(batch_size=None, batch_format="pyarrow"):
                outcomes = [GradedRow(*values) for values in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
                yield list(islice(rows, len(outcomes))), outcomes
        except RayError as error:
            raise BatchError(f"Ray gave up: {_first_line(error)} --resume goes on from here.") from error

    def _graded(self, source: ParquetSource, start: int) -> Dataset:
        """Return the outcomes of all rows from `start` on, which are made as they are asked for."""
        import ray.data  # noqa: PLC0415 as above

        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        size = max(_TASK_ROWS, ceil((source.count() - start) / _MOST_TASKS))
        spans = [{"start": at, "stop": min(at + size, source.count())} for at in range(start, source.count(), size)]
        return ray.data.from_items(spans, override_num_blocks=len(spans)).map_batches(
            _Actor,
            fn_constructor_args=(self._recipe, self._bank, source.path.absolute(), self._signature),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(self._workers, len(spans))),
            num_cpus=1,
        )


class _Actor:
    """What grades in one process of the cluster."""

    def __init__(self, recipe: GraderRecipe, bank: ItemBank, path: Path, signature: str) -> None:
        grader = recipe.open(threads=1)
        if grader.signature != signature:
            raise BatchError(f"A worker's grader is {grader.signature}, and not {signature}.")
        self._grading = InThisProcess(grader, bank)
        self._source = ParquetSource(path)

    def __call__(self, span: dict[str, Any]) -> pa.Table:  # Any: numpy arrays of one number
        rows = self._source.rows(int(span["start"][0]), int(span["stop"][0]))
        graded = [row for chunk in in_chunks(rows) for row in self._grading.graded(chunk)]
        names = GradedRow._fields
        return pa.table({name: [getattr(row, name) for row in graded] for name in names})


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
