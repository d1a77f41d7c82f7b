"""A job outlives those at work on it: a server and a worker are killed at random points; its results are those of a quiet run."""

from __future__ import annotations

import random
import time
from pathlib import Path

from api.keys import KEYLESS
from api.storage.database import Database, Store
from tests.api.survival.processes import (
    ROWS,
    SERVER,
    WORKER,
    done,
    is_finished,
    results,
    start,
    stored_attempts,
    take_in,
    wait_for,
    workers,
)  # fmt: skip

KILLS = 20


def test_no_row_is_lost_or_graded_twice_though_those_at_work_are_killed_twenty_times(
    database: Database, grader_home: Path, source: Path, quiet: Path
) -> None:
    store = Store(database, KEYLESS.tenant_id)
    jobs = [take_in(store, source)]
    choice = random.Random(7)  # noqa: S311 a test that fails is to fail again
    with workers(database, grader_home, 2, servers=1) as running:
        for _ in range(KILLS):
            if is_finished(store, jobs[-1]):
                # There has to be something to lose at every kill.
                jobs.append(take_in(store, source))
            wait_for_more(store, jobs[-1])
            time.sleep(choice.uniform(0, 0.5))
            victim = choice.randrange(len(running))
            running[victim].kill()
            running[victim].wait()
            running[victim] = start(database, grader_home, WORKER if victim else SERVER)
        wait_for(lambda: all(is_finished(store, job_id) for job_id in jobs))
    for job_id in jobs:
        assert results(store, job_id) == quiet.read_bytes()
        assert done(store, job_id).rows_done == ROWS
    assert stored_attempts(store) == sorted([f"a{number}" for number in range(ROWS)] * len(jobs))


def wait_for_more(store: Store, job_id: str) -> None:
    seen = done(store, job_id).rows_done
    wait_for(lambda: done(store, job_id).rows_done > seen)
