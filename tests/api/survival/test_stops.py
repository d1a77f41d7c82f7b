"""Workers and servers that are told to stop answer what they have and leave the rest as it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from api.keys import KEYLESS
from api.storage.database import Database, Store
from tests.api.survival.processes import begin, done, half_done, is_finished, open_chunks, results, take_in, wait_for, workers


def test_worker_that_is_told_to_stop_leaves_nothing_half_done(
    database: Database, grader_home: Path, few: tuple[Path, Path]
) -> None:
    source, _ = few
    store, job_id = begin(database, source)
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
