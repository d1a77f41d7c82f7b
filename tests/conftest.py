"""Shared parts of the tests: the real encoder, prepared once, and the shipped bank. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from platformdirs import user_cache_path

from grader import Grader, ItemBank, default_bank_dir
from grader.weights import prepare

# Begun first, so that no core is left alone with them at the end: with --no-loadscope-reorder files are handed out in this order.
_LONGEST = (
    "test_kills.py",
    "test_model.py",
    "test_batch_ray.py",
    "test_outages.py",
    "test_stops.py",
    "test_encoders.py",
    "test_docs.py",
)
_LOOPBACK = ("127.", "::1", "localhost", "testserver")
# An example that takes long tells of a busy machine, and of no fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def prepared_model() -> Path:
    """Return the prepared encoder's folder, exported from the verified weights where that was not done before."""
    model = Path(os.environ.get("GRADER_HOME") or user_cache_path("grader")) / "encoder"
    prepare(model)
    return model


@pytest.fixture(scope="session")
def grader_home(prepared_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder of the tests' own, with the prepared encoder and what vectors `grader prepare` has made."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(prepared_model, home / "encoder")
    for store in prepared_model.parent.glob("embeddings-*.sqlite"):
        shutil.copy(store, home)
    return home


@pytest.fixture(scope="session")
def real_grader(grader_home: Path) -> Iterator[Grader]:
    """Return a grader on the real weights, on one core, as several processes run tests at once."""
    grader = Grader.from_directory(grader_home, threads=1)
    yield grader
    grader.close()


@pytest.fixture(scope="session")
def shipped_bank() -> ItemBank:
    """Return the bank of this repository."""
    return ItemBank.from_directory(default_bank_dir())


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that reaches for the network."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:  # Any: as the socket module has it
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that take longest; the others stay in their order."""
    rank = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the accuracy floors that a run without the marked sets leaves out."""
    if "GRADER_DATA_DIR" not in os.environ:
        from benchmarks.accuracy import TARGETS

        floors = ", ".join(f"{name} <= {floor}" for name, floor in TARGETS.items())
        terminalreporter.write_line(f"Left out, since GRADER_DATA_DIR is not set: the wRMSE floors {floors}.")
    if "GRADER_TEST_DATABASE_URL" not in os.environ:
        left_out = "Left out, since GRADER_TEST_DATABASE_URL is not set: everything stored, on PostgreSQL. It ran on SQLite."
        terminalreporter.write_line(left_out)
