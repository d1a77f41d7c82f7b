"""Batches in a real browser: a table is chosen, looked at, graded and read, with axe finding nothing to complain of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from grader import ItemBank

OpenPage = Callable[..., Page]


@pytest.fixture
def table(tmp_path: Path, shipped_bank: ItemBank) -> Path:
    rows = [f'{item.id},"{item.reference_answers[0].text}",s{n}' for n, item in enumerate(shipped_bank.items[:12])]
    path = tmp_path / "Spring exam.csv"
    path.write_text("item_id,candidate_answer,who\n" + "\n".join(rows) + "\nno-such-item,x,s99\n", encoding="utf-8")
    return path


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)["violations"]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_is_graded_and_read(open_page: OpenPage, table: Path, scheme: str) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.goto("/batches")
    assert_accessible(page)
    page.set_input_files("#file", table)
    page.click("button[type=submit]")
    assert "Row 13: No item" in page.inner_text(".notice")
    assert_accessible(page)
    page.click("text=Grade all rows")
    page.wait_for_selector(".state.finished", timeout=60_000)
    assert "13 of 13 rows" in page.inner_text("#figures")
    assert_accessible(page)
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
    page.click("tbody th a >> nth=0")
    assert page.inner_text("#verdict") == "Excellent"
    assert_accessible(page)
