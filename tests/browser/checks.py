"""What the tests of the teachers' pages share: widths, screenshots, and what every page has to keep to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

OpenPage = Callable[..., Page]
Look = Callable[[Page, str], None]
# Each scheme at one of the widths: colours do not depend on the width.
SCREENS = {
    "desktop": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def look_at(request: pytest.FixtureRequest) -> Look:
    """Return what checks a page and keeps a screenshot of it in pytest's cache, named after the test."""
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("screenshots"))
    name = re.sub(r"\W+", "-", request.node.name)

    def look(page: Page, what: str) -> None:
        page.screenshot(path=folder / f"{name}-{what}.png", full_page=True)
        found: Any = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert [(v["id"], [node["html"][:160] for node in v["nodes"]]) for v in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{what}: something sticks out"

    return look
