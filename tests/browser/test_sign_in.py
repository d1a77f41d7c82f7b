"""Signing in at the pages in a real browser, at desktop and phone width."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import School

WIDTHS = {"desktop": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844}}


def assert_accessible(page: Page) -> None:
    found: Any = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found["violations"]] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_person_signs_in_practises_and_signs_out(
    width: str, school: School, open_page: Callable[..., Page], keep: Callable[[Page, str], None]
) -> None:
    page = open_page(base_url=school.url, origins=[school.url], viewport=WIDTHS[width], excused=r"status of 401")
    page.goto("/practice/dropout")
    assert_accessible(page)
    page.get_by_label("Key").fill("gk_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("not valid"))
    assert_accessible(page)
    keep(page, "refused")
    page.get_by_label("Key").fill(school.key)
    page.get_by_label("Key").press("Enter")
    expect(page).to_have_url(f"{school.url}/practice/dropout")
    page.get_by_label("Your answer").fill("Random neurons are switched off while training, so the network overfits less.")
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result")).to_have_count(1)
    assert_accessible(page)
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    keep(page, "signed-in")
    page.get_by_role("link", name="Batches").click()
    expect(page.get_by_role("heading", name="All batches")).to_be_visible()
    page.get_by_role("button", name="Sign out (Ms North)").click()
    expect(page.get_by_label("Key")).to_be_visible()
    page.goto("/batches")
    expect(page.get_by_label("Key")).to_be_visible()
