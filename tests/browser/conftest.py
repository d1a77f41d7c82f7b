"""A server on loopback and the system's Chromium, or the browser that `GRADER_TEST_BROWSER` names.

Without one these tests are not there, and the summary of the run says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

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
BROWSER = os.environ.get("GRADER_TEST_BROWSER") or shutil.which("chromium")
collect_ignore_glob = [] if BROWSER else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that a run without a browser leaves the pages' flows out."""
    if BROWSER is None:
        terminalreporter.write_line("Left out, since there is no Chromium: the pages in a browser.")


@pytest.fixture(scope="session")
def address(grader_home: Path, real_grader: Grader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that runs as `grader serve` runs it, with a database of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("browser")
    environment = {**os.environ, "GRADER_HOME": str(grader_home), "GRADER_DATABASE_URL": f"sqlite:///{folder / 'grader.sqlite'}"}
    command = [sys.executable, "-m", "grader", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url, folder / "log")
            yield url
        finally:
            server.terminate()


def _wait_until_ready(url: str, log: Path) -> None:
    for _ in range(_MOST_SECONDS * 10):
        try:
            with urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 the address is the server's own
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return the driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return the system's Chromium."""
    browser = playwright.chromium.launch(executable_path=BROWSER, args=list(_FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return what opens pages; afterwards none of them may have complained or asked another origin for anything."""
    complaints: list[str] = []
    contexts = []

    def open_one(**options: Any) -> Page:  # Any: the options of a browser context
        context = browser.new_context(base_url=address, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if _is_own(request.url, address) else complaints.append(request.url))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _is_own(url: str, address: str) -> bool:
    return url.startswith((address + "/", "blob:" + address, "data:"))
