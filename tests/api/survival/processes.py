"""Jobs worked on by real processes: started, stopped, looked at."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from api.exports import ExportFormat
from api.items import Items
from api.jobs.book import Jobs
from api.jobs.intake import Intake
from api.jobs.output import job_file
from api.jobs.shapes import JobInfo, JobOptions, JobState
from api.keys import KEYLESS
from api.storage.database import Database, Store
from api.storage.tables import JobChunk, Result
from grader import ItemBank, default_bank_dir

Process = subprocess.Popen[bytes]
# What works on jobs: a server too.
WORKER = ("worker",)
SERVER = ("serve", "--port", "0")
ROWS = 450
FEW_ROWS = 200
# Pauses between tries last two minutes all in all; a test need not wait for them.
HASTY = """
import dbos
step = dbos.DBOS.step
dbos.DBOS.step = lambda **options: step(**{**options, "interval_seconds": 0.02})
"""
_RUN = """
import runpy
runpy.run_module("grader", run_name="__main__", alter_sys=True)
"""


@contextmanager
def workers(database: Database, home: Path, count: int, *, servers: int = 0, before: str = "") -> Iterator[list[Process]]:
    """Run workers of the command line; who gets hold of the list may replace those that are gone.

    Args:
        database: Where the jobs are.
        home: The folder with the prepared encoder.
        count: How many.
        servers: How many of them, the first ones, are servers.
        before: What each process is to do before anything else, as a program.
    """
    running = [start(database, home, SERVER if n < servers else WORKER, before=before) for n in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def start(database: Database, home: Path, kind: tuple[str, ...] = WORKER, *, before: str = "") -> Process:
    environment = {**os.environ, "GRADER_DATABASE_URL": database.url.render_as_string(hide_password=False)}
    command = [sys.executable, "-c", before + _RUN, *kind, "--home", str(home)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def take_in(store: Store, source: Path) -> str:
    """Queue the table, its results to be stored one by one too, and return the job's id."""
    bank = ItemBank.from_directory(default_bank_dir())
    return Intake(items=Items(bank, store), store=store, access=KEYLESS).take_in(source, JobOptions(store=True)).id


def begin(database: Database, source: Path) -> tuple[Store, str]:
    """Queue the table as `take_in` does, and return the view of whom it belongs to, and the job's id."""
    store = Store(database, KEYLESS.tenant_id)
    return store, take_in(store, source)


def results(store: Store, job_id: str) -> bytes:
    return b"".join(job_file(Jobs(store).graded(job_id), done(store, job_id).columns, ExportFormat.JSONL))


def is_finished(store: Store, job_id: str) -> bool:
    return done(store, job_id).state is JobState.FINISHED


def done(store: Store, job_id: str) -> JobInfo:
    return Jobs(store).get(job_id)


def half_done(store: Store) -> list[int]:
    """Return the chunks that were begun and not written down."""
    with store.read() as session:
        begun = select(JobChunk.number).where(JobChunk.attempts > 0, JobChunk.summary.is_(None))
        return list(session.scalars(begun))


def open_chunks(store: Store) -> list[int]:
    """Return the chunks that are not written down."""
    with store.read() as session:
        return list(session.scalars(select(JobChunk.number).where(JobChunk.summary.is_(None))))


def stored_attempts(store: Store) -> list[str | None]:
    with store.read() as session:
        return sorted(session.scalars(select(Result.attempt_id)).all(), key=str)


def wait_for(condition: Callable[[], bool]) -> None:
    # Far longer than it takes, for machines that have other things to do.
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.02)
