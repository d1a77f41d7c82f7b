"""What the pages cost a browser: bytes, time until they can be used, time until a result is seen, and whether anything moves.

    python -m benchmarks.pages [--loads N] [--browser PATH]

Starts the real server on a free loopback port with a database of its own, and drives the system's Chromium. Run it with nothing
else on the machine; times are medians, and of shifts the largest is shown. Stops by itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

_READY_WITHIN_S = 60.0
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run")
_ANSWER = "While training, dropout switches off a random share of the neurons, so that the network does not overfit."
_WIDTHS: dict[str, ViewportSize] = {"desktop": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844}}
_HISTORY = """() => localStorage.setItem("grader.history", JSON.stringify([
  {item: "dropout", topic: "Basics", run: "0a", score: .7, answer: "x", at: "2026-03-01T09:30:00Z"},
  {item: "optimiser", topic: "Basics", run: "0a", score: .4, answer: "x", at: "2026-03-01T09:31:00Z"}]))"""
# Before any script of a page: what moves, and when an answer of the service came and its result was painted.
_WATCH = """
window.measured = {shift: 0, answered: 0, shown: 0};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.measured.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
const ask = window.fetch;
window.fetch = async (...sent) => {
  const response = await ask(...sent);
  window.measured.answered = performance.now();
  return response;
};
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (!window.measured.shown && document.querySelector(".result")) {
    requestAnimationFrame(() => requestAnimationFrame(() => { window.measured.shown ||= performance.now(); }));
  }
}).observe(document.body, {subtree: true, childList: true}));
"""
# Scripts are modules, which have run by this event; the browser has nothing left to do when it is idle after it.
_READY = """() => new Promise((resolve) => {
  const idle = () => requestIdleCallback(() => resolve(performance.now()));
  document.readyState === "complete" ? idle() : addEventListener("load", idle);
})"""

# Asked in this way, since the pages' policy lets no text be run as a script, which is how the driver waits for something.
_SHOWN = """() => new Promise((resolve) => {
  const look = () => (measured.shown ? resolve() : setTimeout(look, 10));
  look();
})"""


@dataclass(slots=True)
class Figures:
    """What was measured of one kind of load."""

    bytes: list[float] = field(default_factory=list)
    ready_ms: list[float] = field(default_factory=list)
    shown_ms: list[float] = field(default_factory=list)
    shift: list[float] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=15)
    parser.add_argument("--browser", default=os.environ.get("GRADER_TEST_BROWSER") or shutil.which("chromium"))
    arguments = parser.parse_args()
    if arguments.browser is None:
        parser.error("there is no Chromium; name one with --browser")
    with _server() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=arguments.browser, args=list(_FLAGS))
        first, graded = Figures(), Figures()
        for width in _WIDTHS:
            for _ in range(arguments.loads):
                _load_first(browser, address, width, first)
                _grade(browser, address, width, graded)
        moved = {path: max(_shift(browser, address, width, path) for width in _WIDTHS) for path in ("/", "/history?run=0a")}
        browser.close()
    loads = arguments.loads * len(_WIDTHS)
    print(f"{loads} loads, half at the width of a phone, each with an empty cache.\n")
    print("| measured | median | most | target |\n|---|---|---|---|")
    _row("first page, transferred", first.bytes, lambda n: f"{n / 1000:.1f} kB", "150 kB")
    _row("first page, interactive", first.ready_ms, lambda n: f"{n:.0f} ms", "1000 ms")
    _row("from the service's answer to the result shown", graded.shown_ms, lambda n: f"{n:.0f} ms", "150 ms")
    _row("layout shift, first page", first.shift, lambda n: f"{n:.4f}", "0")
    _row("layout shift, question and result", graded.shift, lambda n: f"{n:.4f}", "0")
    for path, shift in moved.items():
        _row(f"layout shift, `{path}` of somebody who has practised", [shift], lambda n: f"{n:.4f}", "0")
    print(f"| origins asked beside the service's own | {len((first.origins | graded.origins) - {address})} | – | 0 |")


def _row(name: str, values: list[float], shown: Callable[[float], str], target: str) -> None:
    print(f"| {name} | {shown(statistics.median(values))} | {shown(max(values))} | {target} |")


def _load_first(browser: Browser, address: str, width: str, figures: Figures) -> None:
    """Load the first page as somebody who was never here."""
    page = _page(browser, width, figures)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{address}/")
    figures.ready_ms.append(page.evaluate(_READY))
    figures.shift.append(page.evaluate("measured.shift"))
    figures.bytes.append(sum(sizes))
    page.context.close()


def _grade(browser: Browser, address: str, width: str, figures: Figures) -> None:
    """Have an answer graded."""
    page = _page(browser, width, figures)
    page.goto(f"{address}/practice/dropout")
    page.evaluate(_READY)
    page.fill("#answer", _ANSWER)
    page.press("#answer", "Control+Enter")
    page.evaluate(_SHOWN)
    figures.shown_ms.append(page.evaluate("measured.shown - measured.answered"))
    page.wait_for_timeout(600)
    figures.shift.append(page.evaluate("measured.shift"))
    page.context.close()


def _shift(browser: Browser, address: str, width: str, path: str) -> float:
    """Return how much moves on a page of somebody who has practised."""
    page = _page(browser, width, Figures())
    page.goto(f"{address}/")
    page.evaluate(_HISTORY)
    page.goto(f"{address}{path}")
    page.evaluate(_READY)
    page.wait_for_timeout(300)
    shift = float(page.evaluate("measured.shift"))
    page.context.close()
    return shift


def _page(browser: Browser, width: str, figures: Figures) -> Page:
    page = browser.new_context(viewport=_WIDTHS[width]).new_page()
    page.add_init_script(_WATCH)
    page.on("request", lambda request: figures.origins.add("://".join(urlsplit(request.url)[:2])))
    return page


@contextmanager
def _server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GRADER_DATABASE_URL": f"sqlite:///{folder}/grader.sqlite"}
        command = [sys.executable, "-m", "grader", "serve", "--port", address.rpartition(":")[2]]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_ready(address)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 loopback
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError("the server did not become ready") from error
            time.sleep(0.1)


if __name__ == "__main__":
    main()
