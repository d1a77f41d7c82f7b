"""Large jobs are graded in a second process too: it may be killed, and it ends with the one that started it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from api.storage.database import Database
from tests.api.survival.processes import begin, done, is_finished, results, stored_attempts, take_in, wait_for, workers
from tests.child_processes import children_of

# Every job is a large one, and a file tells that a second process has opened its grader and is given work.
EVERY_JOB = """
import pathlib
import api.jobs.second_process, api.jobs.work
api.jobs.work.LEAST_ROWS = 1
class Telling(api.jobs.second_process.WorkerProcesses):
    def grade_pairs(self, pairs):
        pathlib.Path({sign!r}).touch()
        return super().grade_pairs(pairs)
api.jobs.second_process.WorkerProcesses = Telling
"""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_job_outlives_its_second_process_which_does_not_outlive_the_first(
    database: Database, grader_home: Path, few: tuple[Path, Path], tmp_path: Path
) -> None:
    # It never sees the database.
    source, quiet = few
    store, job_id = begin(database, source)
    sign = tmp_path / "at work"
    with workers(database, grader_home, 1, before=EVERY_JOB.format(sign=str(sign))) as [worker]:
        wait_for(sign.exists)
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


def graders_of(pid: int) -> list[int]:
    """Return the processes that one has started to grade."""
    return [child for child in children_of(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
