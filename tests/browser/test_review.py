"""The review pages in a real browser: by keyboard, in groups, on a phone, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import APIRequestContext, Browser, Page, Playwright, expect

from tests.browser.checks import SCREENS, Look, OpenPage, look_at

# Each is flagged for review, as a contradiction or as a list of terms.
SAME = [
    "Dropout does not switch off neurons and does not reduce overfitting at all.",
    "Dropout never switches off neurons and it does not reduce overfitting.",
]
LIST = "dropout, regularisation, overfitting, random, neurons, training, switch off, robust features"
MARKUP = f"{LIST}, <script>alert(1)</script>, <b>"


@pytest.fixture
def api(playwright: Playwright, address: str) -> Iterator[APIRequestContext]:
    """Return a client of the service's API, and delete what was stored when the test is done."""
    context = playwright.request.new_context(base_url=address)
    yield context
    for row in context.get("/v1/results?limit=100").json()["results"]:
        context.delete(f"/v1/results?attempt_id={row['attempt_id']}")
    context.dispose()


def store(api: APIRequestContext, *answers: str) -> None:
    for n, answer in enumerate(answers):
        body = {"item_id": "dropout", "candidate_answer": answer, "store": True, "attempt_id": f"a{n}"}
        assert api.post("/v1/grades", data=body).json()["needs_review"], answer


def reviews(api: APIRequestContext) -> list[dict[str, Any]]:
    found = []
    for row in api.get("/v1/results?limit=100").json()["results"]:
        found += api.get(f"/v1/results/{row['id']}/reviews").json()["reviews"]
    return found


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    return look_at(request)


@pytest.fixture(params=list(SCREENS))
def page(request: pytest.FixtureRequest, open_page: OpenPage) -> Page:
    # A browser writes to its console that a form was refused.
    return open_page(**SCREENS[request.param], excused=r"status of 422")


def test_answers_are_reviewed_by_keyboard_alone(page: Page, api: APIRequestContext, look: Look) -> None:
    store(api, LIST, MARKUP, SAME[0])
    page.goto("/review")
    expect(page.locator(".desk .row")).to_have_text("0 reviewed, 3 left")
    look(page, "answer")
    answer, notice = (page.locator(f"article {name}").first.bounding_box() for name in (".answer", ".notice"))
    assert answer is not None
    assert notice is not None
    assert notice["y"] > answer["y"] + answer["height"] + 8, "the notice does not touch the answer"
    if page.viewport_size == SCREENS["desktop"]["viewport"]:
        expect(page.locator("#decision")).to_have_css("position", "sticky")
    seen = []
    for _ in range(3):
        seen.append(page.locator("article .answer").first.inner_text())
        with page.expect_navigation():
            page.keyboard.press("n")
    assert sorted(seen) == sorted([LIST, MARKUP, SAME[0]])
    assert page.locator("article .answer script, article .answer b").count() == 0
    page.get_by_role("link", name="Begin again").click()
    verdict = page.locator("select[data-cycle='1']")
    before = verdict.input_value()
    page.keyboard.press("1")
    assert verdict.input_value() != before
    expect(page.locator("#mark-hint")).to_contain_text("By these verdicts the mark is")
    expect(page.locator("#status")).not_to_be_empty()
    page.keyboard.press("c")
    page.keyboard.type("An s, an a and a 1 are only letters here.")
    assert page.locator("textarea[name=comment]").input_value() == "An s, an a and a 1 are only letters here."
    look(page, "changed")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#done")).to_contain_text("Kept: 1 decided.")
    expect(page.locator(".desk .row")).to_have_text("1 reviewed, 2 left")
    page.keyboard.press("a")
    expect(page.locator(".desk .row")).to_have_text("2 reviewed, 1 left")
    page.keyboard.press("b")
    expect(page.get_by_role("heading", name="Decided before")).to_be_visible()
    assert sorted(each["decision"] for each in reviews(api)) == ["accept", "override"]
    assert "only letters here" in "".join(each["comment"] for each in reviews(api))


def test_keys_can_be_turned_off(open_page: OpenPage, api: APIRequestContext) -> None:
    store(api, LIST)
    page = open_page()
    page.goto("/review")
    page.get_by_role("checkbox", name="Keys").uncheck()
    page.reload()
    page.keyboard.press("a")
    expect(page.get_by_role("checkbox", name="Keys")).not_to_be_checked()
    page.get_by_role("checkbox", name="Keys").check()
    assert reviews(api) == []


def test_a_group_is_marked_after_a_look_at_it(page: Page, api: APIRequestContext, look: Look) -> None:
    store(api, *SAME, LIST)
    page.goto("/review")
    page.get_by_role("link", name=re.compile("Similar answers")).click()
    expect(page.locator(".group")).to_have_count(1)
    expect(page.get_by_role("button", name="Give all this mark")).to_be_hidden()
    page.get_by_text("Look at all of them").click()
    expect(page.locator(".members li")).to_have_count(2)
    look(page, "group")
    page.get_by_label("Comment").fill("They deny it.")
    page.get_by_role("checkbox").first.uncheck()
    page.get_by_role("button", name="Give all this mark").click()
    expect(page.locator(".group").get_by_role("alert")).to_contain_text("Fill in the mark")
    expect(page.get_by_label("Comment")).to_have_value("They deny it.")
    expect(page.get_by_role("checkbox").first).not_to_be_checked()
    expect(page.locator(".group")).to_be_in_viewport()
    look(page, "refused")
    page.get_by_role("checkbox").first.check()
    page.get_by_label("A mark for all").fill("2.5")
    page.get_by_role("button", name="Give all this mark").click()
    expect(page.locator("#done")).to_contain_text("Kept: 2 decided.")
    look(page, "marked")
    assert [each["mark"] for each in reviews(api)] == [2.5, 2.5]


def test_two_reviewers_at_once_lose_nothing(open_page: OpenPage, browser: Browser, address: str, api: APIRequestContext) -> None:
    store(api, LIST)
    # The refusal comes with status 409, which a browser writes to its console: not a page that may have no complaints.
    one, other = open_page(), browser.new_page(base_url=address)
    for page in (one, other):
        page.goto("/review")
    one.keyboard.press("a")
    expect(one.locator("#done")).to_contain_text("Kept: 1 decided.")
    other.locator("input[name=mark]").fill("7")
    other.locator("textarea[name=comment]").fill("I see it otherwise.")
    other.get_by_role("button", name=re.compile("Save my changes")).click()
    expect(other.get_by_role("alert")).to_contain_text("Somebody has decided about this meanwhile")
    expect(other.locator("textarea[name=comment]")).to_have_value("I see it otherwise.")
    other.get_by_role("button", name=re.compile("Save my changes")).click()
    expect(other.locator("#done")).to_contain_text("Kept: 1 decided.")
    assert sorted(each["decision"] for each in reviews(api)) == ["accept", "override"]
    other.close()


def test_review_works_without_scripts(open_page: OpenPage, api: APIRequestContext) -> None:
    store(api, LIST)
    page = open_page(java_script_enabled=False)
    page.goto("/review")
    page.locator("select[name=verdict] >> nth=0").select_option(label="covered")
    page.get_by_role("button", name=re.compile("Save my changes")).click()
    expect(page.locator("#done")).to_contain_text("Kept: 1 decided.")
    assert [point["verdict"] for each in reviews(api) for point in each["key_points"]] == ["covered"]
