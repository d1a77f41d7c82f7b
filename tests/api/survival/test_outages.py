"""A job outlives a database that goes away and a disk that takes nothing: it waits, or stops in a state that resumes."""

from __future__ import annotations

import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from api.jobs.book import Jobs
from api.jobs.shapes import JobState
from api.keys import KEYLESS, ensure_tenant
from api.storage import migrations
from api.storage.database import Database, parse_url
from tests.api.databases import new_database
from tests.api.survival.processes import FEW_ROWS, HASTY, begin, done, is_finished, results, stored_attempts, wait_for, workers


def test_job_goes_on_after_the_database_was_away(database: Database, grader_home: Path, few: tuple[Path, Path]) -> None:
    source, quiet = few
    store, job_id = begin(database, source)
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


def test_job_stops_where_there_is_no_room_for_its_results_and_resumes(
    tmp_path: Path, grader_home: Path, few: tuple[Path, Path]
) -> None:
    source, quiet = few
    with fresh_sqlite(tmp_path) as database:
        store, job_id = begin(database, source)
        with closing(sqlite3.connect(str(database.url.database))) as connection:
            [pages] = connection.execute("PRAGMA page_count").fetchone()
        # The engine's own tables are made and kept by connections of its own, so these pages are for results alone.
        full = f"""
import api.storage.database as database
database._PRAGMAS += ("PRAGMA max_page_count={pages + 80}",)
"""
        with workers(database, grader_home, 1, before=HASTY + full) as [worker]:
            wait_for(lambda: done(store, job_id).state is JobState.STOPPED)
            assert worker.poll() is None
            # Told to end, not killed: that would be held against the row that another chunk is at.
            worker.terminate()
            worker.wait(timeout=60)
        stopped = done(store, job_id)
        assert stopped.problem is not None
        assert "OperationalError" in stopped.problem
        assert stopped.rows_done < FEW_ROWS
        Jobs(store).resume(job_id)
        with workers(database, grader_home, 1):
            wait_for(lambda: is_finished(store, job_id))
        assert results(store, job_id) == quiet.read_bytes()
        assert stored_attempts(store) == sorted(f"a{number}" for number in range(FEW_ROWS))


def test_worker_outlives_a_disk_that_takes_nothing_for_a_while(tmp_path: Path, grader_home: Path, few: tuple[Path, Path]) -> None:
    source, quiet = few
    with fresh_sqlite(tmp_path) as database:
        store, job_id = begin(database, source)
        with workers(database, grader_home, 1, before=HASTY) as [worker]:
            wait_for(lambda: done(store, job_id).rows_done > 0)
            usual = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (4096, usual[1]))
            time.sleep(3)
            seen = done(store, job_id).rows_done
            time.sleep(1)
            assert done(store, job_id).rows_done == seen < FEW_ROWS, "the disk took something"
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, usual)
            wait_for(lambda: done(store, job_id).state in {JobState.STOPPED, JobState.FINISHED})
            if not is_finished(store, job_id):
                Jobs(store).resume(job_id)
                wait_for(lambda: is_finished(store, job_id))
            assert worker.poll() is None
        assert results(store, job_id) == quiet.read_bytes()


@contextmanager
def fresh_sqlite(folder: Path) -> Iterator[Database]:
    """Return a database that is one file, as only a file meets a full disk in the process that writes it."""
    with new_database("sqlite", folder) as url:
        database = Database(url)
        migrations.upgrade(database)
        ensure_tenant(database, KEYLESS.tenant_id)
        yield database
        database.close()
