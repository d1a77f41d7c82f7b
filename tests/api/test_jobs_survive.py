"""A job outlives those who work on it: workers are killed at random points, and the results are those of a quiet run."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from api.exports import ExportFormat
from api.items import Items
from api.jobs.book import Jobs
from api.jobs.intake import Intake
from api.jobs.output import job_file
from api.jobs.shapes import JobOptions, JobState
from api.keys import KEYLESS, ensure_tenant
from api.storage import migrations
from api.storage.database import Database, Store, parse_url
from api.storage.tables import JobChunk, Result
from grader import Grader, ItemBank, default_bank_dir
from grader.batch import grade_file
from tests.api.databases import KINDS, new_database

KILLS = 20
ROWS = 1_500


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a whole database of the test's own, as other processes are to find it by its address."""
    with new_database(request.param, tmp_path, whole=True) as url:
        database = Database(url)
        migrations.upgrade(database)
        ensure_tenant(database, KEYLESS.tenant_id)
        yield database
        database.close()


@contextmanager
def workers(database: Database, home: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers of the command line; who gets hold of the list may replace those that are gone."""
    running = [start(database, home) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def start(database: Database, home: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "GRADER_DATABASE_URL": database.url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "grader", "worker", "--home", str(home)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, shipped_bank: ItemBank) -> Path:
    """Return a table of short answers, no two alike, so that a row in the wrong place would be noticed."""
    path = tmp_path_factory.mktemp("jobs") / "in.jsonl"
    items = list(shipped_bank)
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            item = items[number % len(items)]
            answer = f"{shipped_bank.responses[item.id][0].candidate_answer[:40]} {number}"
            file.write(json.dumps({"item_id": item.id, "candidate_answer": answer, "attempt_id": f"a{number}"}) + "\n")
    return path


@pytest.fixture(scope="module")
def quiet(source: Path, real_grader: Grader, shipped_bank: ItemBank) -> Path:
    """Return what a run gives that nobody disturbs."""
    target = source.with_name("out.jsonl")
    real_grader.embed(shipped_bank)
    grade_file(real_grader, shipped_bank, source, target)
    return target


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make chunks that take a fifth of a second, so that every kill meets some of them half done."""
    monkeypatch.setattr("api.jobs.intake.CHUNK_ROWS", 8)


def test_no_row_is_lost_or_graded_twice_though_workers_are_killed_twenty_times(
    database: Database, grader_home: Path, source: Path, quiet: Path
) -> None:
    store = Store(database, KEYLESS.tenant_id)
    jobs = [take_in(store, source)]
    choice = random.Random(7)  # noqa: S311 a test that fails is to fail again
    with workers(database, grader_home, 2) as running:
        for _ in range(KILLS):
            if is_finished(store, jobs[-1]):
                # There has to be something to lose at every kill.
                jobs.append(take_in(store, source))
            seen = done(store, jobs[-1]).rows_done
            wait_for(lambda seen=seen: done(store, jobs[-1]).rows_done > seen)
            time.sleep(choice.uniform(0, 0.5))
            victim = choice.randrange(len(running))
            running[victim].kill()
            running[victim].wait()
            running[victim] = start(database, grader_home)
        wait_for(lambda: all(is_finished(store, job_id) for job_id in jobs))
    for job_id in jobs:
        assert results(store, job_id) == quiet.read_bytes()
        assert done(store, job_id).rows_done == ROWS
    assert stored_attempts(store) == sorted([f"a{number}" for number in range(ROWS)] * len(jobs))


def test_job_goes_on_after_the_database_was_away(database: Database, grader_home: Path, source: Path, quiet: Path) -> None:
    store = Store(database, KEYLESS.tenant_id)
    job_id = take_in(store, source)
    with workers(database, grader_home, 1) as [worker]:
        wait_for(lambda: done(store, job_id).rows_done > 0)
        with away(database):
            # Longer than a writer waits for its turn.
            time.sleep(12)
        assert not is_finished(store, job_id), "too few rows to be away over"
        wait_for(lambda: is_finished(store, job_id))
        assert worker.poll() is None
    assert done(store, job_id).problem is None
    assert results(store, job_id) == quiet.read_bytes()


@contextmanager
def away(database: Database) -> Iterator[None]:
    """Let nobody write to SQLite, and nobody at all into PostgreSQL, whose connections are cut."""
    if database.is_sqlite:
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")
        return
    name = database.url.database
    engine = create_engine(parse_url(os.environ["GRADER_TEST_DATABASE_URL"]), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
            yield
            connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"))
    finally:
        engine.dispose()


def test_worker_that_is_told_to_stop_leaves_nothing_half_done(database: Database, grader_home: Path, source: Path) -> None:
    store = Store(database, KEYLESS.tenant_id)
    job_id = take_in(store, source)
    with workers(database, grader_home, 1) as [worker]:
        wait_for(lambda: done(store, job_id).rows_done > 0)
        worker.terminate()
        assert worker.wait(timeout=30) == 0
    with store.read() as session:
        half_done = select(JobChunk.number).where(JobChunk.attempts > 0, JobChunk.summary.is_(None))
        assert session.scalars(half_done).all() == []
        assert session.scalars(select(JobChunk.number).where(JobChunk.summary.is_(None))).all() != []


def take_in(store: Store, source: Path) -> str:
    """Queue the table, its results to be stored one by one too, and return the job's id."""
    bank = ItemBank.from_directory(default_bank_dir())
    return Intake(items=Items(bank, store), store=store, access=KEYLESS).take_in(source, JobOptions(store=True)).id


def results(store: Store, job_id: str) -> bytes:
    return b"".join(job_file(Jobs(store).graded(job_id), done(store, job_id).columns, ExportFormat.JSONL))


def is_finished(store: Store, job_id: str) -> bool:
    return bool(done(store, job_id).state is JobState.FINISHED)


def done(store: Store, job_id: str) -> Any:
    return Jobs(store).get(job_id)


def stored_attempts(store: Store) -> list[str | None]:
    with store.read() as session:
        return sorted(session.scalars(select(Result.attempt_id)).all(), key=str)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.02)
