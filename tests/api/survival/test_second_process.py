"""Large jobs are graded in a second process too: it may be killed, and it ends with the one that started it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from api.storage.database import Database
from tests.api.survival.processes import begin, done, is_finished, results, stored_attempts, take_in, wait_for, workers
from tests.child_processes import children_of

# Every job is a large one.
EVERY_JOB = """
import api.jobs.work
api.jobs.work.LEAST_ROWS = 1
"""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_job_outlives_its_second_process_which_does_not_outlive_the_first(
    database: Database, grader_home: Path, few: tuple[Path, Path]
) -> None:
    # It never sees the database.
    source, quiet = few
    store, job_id = begin(database, source)
    with workers(database, grader_home, 1, before=EVERY_JOB) as [worker]:
        wait_for(lambda: any(is_at_work(each) for each in graders_of(worker.pid)))
        (second,) = graders_of(worker.pid)
        # A service manager tells all processes at once, and a terminal too.
        for told in (signal.SIGTERM, signal.SIGINT):
            os.kill(second, told)
        seen = done(store, job_id).rows_done
        wait_for(lambda: done(store, job_id).rows_done > seen)
        assert graders_of(worker.pid) == [second]
        os.kill(second, signal.SIGKILL)
        wait_for(lambda: is_finished(store, job_id))
        assert worker.poll() is None
        another = take_in(store, source)
        wait_for(lambda: graders_of(worker.pid) not in ([], [second]))
        (third,) = graders_of(worker.pid)
        worker.kill()
        worker.wait()
        wait_for(lambda: not Path(f"/proc/{third}").exists())
    with workers(database, grader_home, 1):
        wait_for(lambda: is_finished(store, another))
    for each in (job_id, another):
        assert results(store, each) == quiet.read_bytes()
    assert len(stored_attempts(store)) == 2 * done(store, job_id).rows_done


def is_at_work(pid: int) -> bool:
    """Tell whether a process has begun to leave it to the first one when to end."""
    found = re.search(r"^SigIgn:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found.group(1), 16) >> (signal.SIGTERM - 1) & 1)


def graders_of(pid: int) -> list[int]:
    """Return the processes that one has started to grade."""
    return [child for child in children_of(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
