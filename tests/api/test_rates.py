"""Rates are counted in the process or in a Redis that several servers share, and nobody is turned away while that is gone."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import limits
import pytest
from pydantic import ValidationError

from api.rates import IN_PROCESS, Rates, Windows
from api.settings import Settings

LIMIT = limits.parse("3/minute")
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server on this machine")


@contextmanager
def redis(folder: Path, port: int) -> Iterator[None]:
    """Run a Redis of the test's own on this machine."""
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.02)
        yield
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


def test_what_is_beyond_the_limit_has_to_wait() -> None:
    rates = Rates()
    assert [rates.hit(LIMIT, "key") for _ in range(3)] == [0, 0, 0]
    assert 1 <= rates.hit(LIMIT, "key") <= 60
    assert 1 <= rates.look(LIMIT, "key") <= 60
    assert rates.look(LIMIT, "other") == rates.hit(LIMIT, "other", cost=3) == 0


def test_what_was_counted_counts_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 1_000_000_020.0
    monkeypatch.setattr("api.rates.time.time", lambda: at)
    rates = Rates()
    assert rates.hit(LIMIT, "key", cost=3) == 0
    assert rates.hit(LIMIT, "key") > 0
    at += 60 + 10
    # A third of the window before counts no more.
    assert rates.hit(LIMIT, "key") > 0
    at += 11
    assert rates.hit(LIMIT, "key") == 0
    at += 120
    assert rates.hit(LIMIT, "key", cost=3) == 0


def test_names_that_no_longer_count_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 1_000_000_020.0
    monkeypatch.setattr("api.rates.time.time", lambda: at)
    monkeypatch.setattr("api.rates._NAMES_KEPT", 3)
    windows = Windows()
    for name in "abcd":
        assert windows.acquire_sliding_window_entry(name, 1, 60)
    assert len(windows) == 3
    assert not windows.acquire_sliding_window_entry("d", 1, 60)
    at += 120
    assert windows.acquire_sliding_window_entry("e", 1, 60)
    assert len(windows) == 1


def test_counting_starts_no_threads() -> None:
    rates, before = Rates(), threading.active_count()
    for number in range(100):
        rates.hit(LIMIT, f"key-{number}")
    assert threading.active_count() == before


@needs_redis
def test_servers_that_name_one_redis_count_together(tmp_path: Path, port: int) -> None:
    with redis(tmp_path, port):
        one, other = Rates(f"redis://127.0.0.1:{port}/0"), Rates(f"redis://127.0.0.1:{port}/0")
        assert [one.hit(LIMIT, "key"), other.hit(LIMIT, "key"), one.hit(LIMIT, "key")] == [0, 0, 0]
        assert other.hit(LIMIT, "key") > 0
        assert other.look(LIMIT, "key") > 0


@needs_redis
def test_each_server_counts_for_itself_while_redis_is_away(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.rates._REST_S", 0.2)
    rates = Rates(f"redis://:secret@127.0.0.1:{port}/0")
    assert [rates.hit(LIMIT, "key") for _ in range(3)] == [0, 0, 0]
    assert rates.hit(LIMIT, "key") > 0
    assert "Rates are counted by this server alone" in caplog.text
    assert "secret" not in caplog.text
    rates = Rates(f"redis://127.0.0.1:{port}/0")
    assert rates.hit(LIMIT, "key") == 0
    with redis(tmp_path, port):
        time.sleep(0.3)
        other = Rates(f"redis://127.0.0.1:{port}/0")
        assert [rates.hit(LIMIT, "key") for _ in range(3)] == [0, 0, 0]
        assert other.hit(LIMIT, "key") > 0


def test_in_process_is_the_default() -> None:
    assert Settings().rate_limit_storage.get_secret_value() == IN_PROCESS


@pytest.mark.parametrize("address", ["", "memory", "memcached://host", "async+redis://host", "http://user:secret@host"])
def test_what_is_no_place_to_count_in_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_RATE_LIMIT_STORAGE", address)
    with pytest.raises(ValidationError, match="rate_limit_storage") as refused:
        Settings()
    assert "secret" not in str(refused.value)
