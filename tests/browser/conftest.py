"""A server on loopback and the system's Chromium, or the browser that `GRADER_TEST_BROWSER` names.

Without one these tests are not there, and the summary of the run says so.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from api.keys import Scope, create_key
from api.storage import migrations
from api.storage.database import Database, parse_url
from grader import Grader

# Chromium without a sandbox of its own, since a container's root may not make one, and without calls to its maker's servers.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_MOST_SECONDS = 180
QUIZ = Path(__file__).parents[2] / "docs" / "examples" / "quiz" / "server.py"
BROWSER = os.environ.get("GRADER_TEST_BROWSER") or shutil.which("chromium")
# Far longer than anything takes, for machines that have other things to do.
expect.set_options(timeout=30_000)
collect_ignore_glob = [] if BROWSER else ["test_*.py"]


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A server with keys, and one of them, which grades and reads results."""

    url: str
    key: str
    database: Database


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that a run without a browser leaves the pages' flows out."""
    if BROWSER is None:
        terminalreporter.write_line("Left out, since there is no Chromium: the pages in a browser.")


@pytest.fixture(scope="session")
def address(grader_home: Path, real_grader: Grader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that runs as `grader serve` runs it, with a database of its own."""
    folder = tmp_path_factory.mktemp("browser")
    with _served(folder, grader_home, f"sqlite:///{folder / 'grader.sqlite'}") as url:
        yield url


@pytest.fixture(scope="session")
def school(grader_home: Path, real_grader: Grader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Return a server with keys."""
    folder = tmp_path_factory.mktemp("school")
    database_url = f"sqlite:///{folder / 'grader.sqlite'}"
    database = Database(parse_url(database_url))
    migrations.upgrade(database)
    scopes = [Scope.GRADE, Scope.READ_RESULTS]
    key, _ = create_key(database, tenant_id="north", name="Ms North", scopes=scopes)
    with _served(folder, grader_home, database_url) as url:
        yield School(url=url, key=key, database=database)
    database.close()


@pytest.fixture(scope="session")
def quiz(school: School, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the example of another site, which uses the server with keys."""
    port = _free_port()
    folder = tmp_path_factory.mktemp("quiz")
    environment = {**os.environ, "GRADER_URL": school.url, "GRADER_KEY": school.key, "PORT": str(port)}
    with _running([sys.executable, str(QUIZ)], environment, folder / "log"):
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, folder / "log")
        yield url


@contextmanager
def _served(folder: Path, home: Path, database_url: str) -> Iterator[str]:
    port = _free_port()
    environment = {**os.environ, "GRADER_HOME": str(home), "GRADER_DATABASE_URL": database_url}
    with _running([sys.executable, "-m", "grader", "serve", "--port", str(port)], environment, folder / "log"):
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/readyz", folder / "log")
        yield url


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        try:
            yield
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(url: str, log: Path) -> None:
    for _ in range(_MOST_SECONDS * 10):
        try:
            with urlopen(url, timeout=5):  # noqa: S310 the address is the server's own
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Return the driver. It holds an event loop in this thread, so that no other module could start one while it is there."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return the system's Chromium."""
    browser = playwright.chromium.launch(executable_path=BROWSER, args=list(_FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens pages; afterwards none of them may have complained or asked other origins than its own for anything.

    `excused` is a pattern of what a browser may say on its console, which it does for every refused request.
    """
    complaints: list[str] = []
    contexts = []

    # Any: the options of a browser context
    def open_one(*, origins: Sequence[str] = (), excused: str | None = None, **options: Any) -> Page:
        context = browser.new_context(**{"base_url": address, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complain(message.text, excused) if message.type == "error" else None)
        page.on("pageerror", lambda error: complain(str(error), None))
        welcome = origins or [address]
        page.on("request", lambda request: None if _is_own(request.url, welcome) else complain(request.url, None))
        return page

    def complain(text: str, excused: str | None) -> None:
        if excused is None or not re.search(excused, text):
            complaints.append(text)

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _is_own(url: str, origins: Sequence[str]) -> bool:
    return any(url.startswith((f"{origin}/", f"blob:{origin}", "data:")) for origin in origins)


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Return what keeps a screenshot in pytest's cache, named after the test."""
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("screenshots"))
    name = re.sub(r"\W+", "-", request.node.name)

    def take(page: Page, what: str) -> None:
        page.screenshot(path=folder / f"{name}-{what}.png", full_page=True)

    return take
