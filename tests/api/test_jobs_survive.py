"""A job outlives those who work on it: workers are killed at random points, and the results are those of a quiet run."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import create_engine, text

from api.jobs.book import Jobs
from api.jobs.shapes import JobState
from api.keys import KEYLESS, ensure_tenant
from api.storage import migrations
from api.storage.database import Database, Store, parse_url
from grader import Grader, ItemBank
from grader.batch import grade_file
from tests.api.databases import KINDS, new_database
from tests.api.survival import (
    HASTY,
    done,
    half_done,
    is_finished,
    open_chunks,
    results,
    start,
    stored_attempts,
    take_in,
    wait_for,
    workers,
)

KILLS = 20
ROWS = 900
FEW_ROWS = 200


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a whole database of the test's own, as other processes are to find it by its address."""
    with new_database(request.param, tmp_path, whole=True) as url:
        database = Database(url)
        migrations.upgrade(database)
        ensure_tenant(database, KEYLESS.tenant_id)
        yield database
        database.close()


def write_table(path: Path, bank: ItemBank, rows: int) -> Path:
    """Write a table of short answers, no two alike, so that a row in the wrong place would be noticed."""
    items = list(bank)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            item = items[number % len(items)]
            answer = f"{bank.responses[item.id][0].candidate_answer[:40]} {number}"
            file.write(json.dumps({"item_id": item.id, "candidate_answer": answer, "attempt_id": f"a{number}"}) + "\n")
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, shipped_bank: ItemBank) -> Path:
    return write_table(tmp_path_factory.mktemp("jobs") / "in.jsonl", shipped_bank, ROWS)


@pytest.fixture(scope="module")
def quiet(source: Path, real_grader: Grader, shipped_bank: ItemBank) -> Path:
    """Return what a run gives that nobody disturbs."""
    target = source.with_name("out.jsonl")
    real_grader.embed(shipped_bank)
    grade_file(real_grader, shipped_bank, source, target)
    return target


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, real_grader: Grader, shipped_bank: ItemBank) -> tuple[Path, Path]:
    """Return a short table, and what a run of it gives that nobody disturbs."""
    source = write_table(tmp_path_factory.mktemp("few") / "in.jsonl", shipped_bank, FEW_ROWS)
    target = source.with_name("out.jsonl")
    real_grader.embed(shipped_bank)
    grade_file(real_grader, shipped_bank, source, target)
    return source, target


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
            wait_for_more(store, jobs[-1])
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
    assert half_done(store) == []
    assert open_chunks(store) != []


def test_server_that_is_told_to_stop_answers_what_it_has_and_hands_back_the_rest(
    database: Database, grader_home: Path, source: Path, quiet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_MAX_IN_FLIGHT", "4")
    store = Store(database, KEYLESS.tenant_id)
    row = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off.", "store": True}
    batch = [{**row, "candidate_answer": f"Random neurons {number} are switched off."} for number in range(20)]
    with serving(database, grader_home) as (server, address), ThreadPoolExecutor(5) as clients:
        job_id = take_in(store, source)
        wait_for(lambda: done(store, job_id).rows_done > 0)
        watching = clients.submit(httpx2.get, f"{address}/v1/jobs/{job_id}/events", timeout=60)
        pending = [clients.submit(httpx2.post, f"{address}/v1/grades/batch", json=batch, timeout=60) for _ in range(4)]
        wait_for(lambda: "grader_in_flight 4.0" in httpx2.get(f"{address}/metrics").text)
        server.terminate()
        # The signal itself is what ended it, once all was done.
        assert server.wait(timeout=60) in {0, -signal.SIGTERM}
        answers = [each.result() for each in pending]
        assert [answer.json()["graded"] for answer in answers] == [len(batch)] * 4
        assert watching.result().status_code == 200
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{address}/livez")
    assert half_done(store) == []
    assert open_chunks(store) != [], "too few rows to be stopped before the last"
    with workers(database, grader_home, 1):
        wait_for(lambda: is_finished(store, job_id))
    assert results(store, job_id) == quiet.read_bytes()


def test_job_stops_where_there_is_no_room_for_its_results_and_resumes(
    tmp_path: Path, grader_home: Path, few: tuple[Path, Path]
) -> None:
    source, quiet = few
    with fresh_sqlite(tmp_path) as database:
        store = Store(database, KEYLESS.tenant_id)
        job_id = take_in(store, source)
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
        store = Store(database, KEYLESS.tenant_id)
        job_id = take_in(store, source)
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


def wait_for_more(store: Store, job_id: str) -> None:
    seen = done(store, job_id).rows_done
    wait_for(lambda: done(store, job_id).rows_done > seen)


@contextmanager
def fresh_sqlite(folder: Path) -> Iterator[Database]:
    """Return a database that is one file, as only a file meets a full disk in the process that writes it."""
    with new_database("sqlite", folder) as url:
        database = Database(url)
        migrations.upgrade(database)
        ensure_tenant(database, KEYLESS.tenant_id)
        yield database
        database.close()


@contextmanager
def serving(database: Database, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server of the command line, and give its process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADER_DATABASE_URL": database.url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "grader", "serve", "--home", str(home), "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_ready(address))
        yield server, address
    finally:
        server.kill()
        server.wait()


def is_ready(address: str) -> bool:
    try:
        return bool(httpx2.get(f"{address}/readyz").is_success)
    except httpx2.HTTPError:
        return False
