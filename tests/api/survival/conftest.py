"""Tables and databases for tests in which those who work on a job are killed, stopped or left without a disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.keys import KEYLESS, ensure_tenant
from api.storage import migrations
from api.storage.database import Database
from grader import Grader, ItemBank
from grader.batch import grade_file
from tests.api.databases import KINDS, new_database
from tests.api.survival.processes import FEW_ROWS, ROWS


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


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, shipped_bank: ItemBank) -> Path:
    """Return a table that takes a worker some ten seconds."""
    return write_table(tmp_path_factory.mktemp("jobs") / "in.jsonl", shipped_bank, ROWS)


@pytest.fixture(scope="session")
def quiet(source: Path, real_grader: Grader, shipped_bank: ItemBank) -> Path:
    """Return what a run gives that nobody disturbs."""
    target = source.with_name("out.jsonl")
    real_grader.embed(shipped_bank)
    grade_file(real_grader, shipped_bank, source, target)
    return target


@pytest.fixture(scope="session")
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
