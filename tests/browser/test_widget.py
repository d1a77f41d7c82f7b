"""The widget in the example of another site, on another port and under its strict policy, in a real browser."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import delete

from api.pages.rendering import FOLDER
from api.storage.tables import Pass
from tests.browser.conftest import School

GOOD = "Dropout 🎲 switches off a random share of the neurons while training, so that the network does not overfit."
WIDTHS = {"desktop": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844}}
REFUSED = r"status of 4\d\d"
# Elements are made and not written: the page's policy lets no script write markup.
PLACE = """([language, attributes]) => {
  document.documentElement.lang = language;
  const widget = document.createElement("answer-grader");
  for (const [name, value] of Object.entries(attributes)) widget.setAttribute(name, value);
  document.querySelector("main").replaceChildren(widget);
}"""
LISTEN = """() => {
  window.told = [];
  for (const name of ["answer-graded", "answer-error"]) {
    document.addEventListener(name, (event) => window.told.push([name, event.detail]));
  }
}"""
GIVE = """([token]) => {
  const widget = document.querySelector("answer-grader");
  widget.tokenSource = async ({ itemId }) => itemId && token;
}"""
OpenPage = Callable[..., Page]
Bare = Callable[..., Page]
Keep = Callable[[Page, str], None]


@pytest.fixture
def origins(school: School, quiz: str) -> list[str]:
    return [school.url, quiz]


@pytest.fixture
def bare(quiz: str, origins: list[str], open_page: OpenPage) -> Bare:
    """Return what opens the quiz with one widget of the test's own in place of the example's, under the same policy."""

    def open_bare(*, language: str = "en", excused: str | None = None, **attributes: str) -> Page:
        page = open_page(base_url=quiz, origins=origins, excused=excused)
        page.goto("/")
        page.evaluate(PLACE, [language, {name.replace("_", "-"): value for name, value in attributes.items()}])
        return page

    return open_bare


def assert_accessible(page: Page) -> None:
    found: Any = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found["violations"]] == []


def first(page: Page) -> Locator:
    return page.locator("answer-grader").first


def token(school: School, item_id: str = "dropout", **wanted: Any) -> str:
    headers = {"Authorization": f"Bearer {school.key}", "Content-Type": "application/json"}
    body = json.dumps({"item_ids": [item_id], **wanted}).encode()
    with urlopen(Request(f"{school.url}/v1/tokens", body, headers)) as response:  # noqa: S310 the server's own address
        return str(json.load(response)["token"])


def test_script_is_small_and_whole() -> None:
    script = (FOLDER / "static" / "widget.js").read_bytes()
    assert len(gzip.compress(script, 9)) <= 30_000
    assert not re.search(rb"innerHTML|insertAdjacentHTML|document\.write|\beval\b|\bimport\b(?!\.meta)", script)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_quiz_of_another_site_grades_two_answers(  # noqa: PLR0917 pytest gives them by name
    width: str, scheme: str, quiz: str, origins: list[str], open_page: OpenPage, keep: Keep
) -> None:
    page = open_page(base_url=quiz, origins=origins, viewport=WIDTHS[width], color_scheme=scheme)
    page.goto("/")
    widget = first(page)
    expect(widget.get_by_text("What is dropout, and why is it used?")).to_be_visible()
    assert_accessible(page)
    keep(page, "questions")
    widget.get_by_label("Your answer").fill(GOOD)
    expect(widget.locator("#count")).to_have_text("19 words")
    widget.get_by_label("Your answer").press("Control+Enter")
    expect(widget.get_by_role("status")).to_have_text(re.compile("of 10 marks"))
    expect(widget.locator(".mark b")).to_be_visible()
    expect(page.locator("#total")).to_have_text(re.compile("for 1 of 2"))
    second = page.locator("answer-grader").nth(1)
    second.get_by_label("Your answer").fill("It learns the noise of the training data by heart and does badly on new data.")
    second.get_by_role("button", name="Grade my answer").click()
    expect(page.locator("#total")).to_have_text(re.compile("for 2 of 2"))
    widget.locator(".covered button").first.hover()
    expect(widget.locator("mark.on").first).to_be_visible()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    keep(page, "result")


def test_keyboard_alone_is_enough(quiz: str, origins: list[str], open_page: OpenPage) -> None:
    page = open_page(base_url=quiz, origins=origins)
    page.goto("/")
    widget = first(page)
    expect(widget.get_by_label("Your answer")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("Random neurons are switched off in training, which prevents overfitting.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(widget.locator(".result")).to_be_visible()
    expect(widget.get_by_role("button", name="Grade my answer")).to_be_focused()
    page.keyboard.press("Tab")
    expect(widget.locator("mark.on").first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    expect(widget.locator("mark.on")).to_have_count(0)


def test_evidence_is_cut_by_characters_and_the_answer_stays_text(quiz: str, origins: list[str], open_page: OpenPage) -> None:
    page = open_page(base_url=quiz, origins=origins)
    page.goto("/")
    answer = f"<img src=x onerror=alert(1)> 🎲🎲🎲 {GOOD}"
    first(page).get_by_label("Your answer").fill(answer)
    first(page).get_by_role("button", name="Grade").click()
    expect(first(page).locator(".words")).to_have_text(answer)
    assert first(page).locator("img").count() == 0
    result: Any = first(page).evaluate("e => e.result")
    marked = first(page).locator("mark").all_inner_texts()
    assert {span["text"] for point in result["key_points"] for span in point["evidence"]} & {"".join(marked), *marked}


def test_page_is_told_of_results_and_of_what_fails(bare: Bare, school: School, quiz: str) -> None:
    page = bare(item_id="dropout", token=token(school, origin=quiz), excused=REFUSED)
    expect(first(page).get_by_label("Your answer")).to_be_visible()
    page.evaluate(LISTEN)
    first(page).get_by_label("Your answer").fill(GOOD)
    first(page).get_by_role("button", name="Grade").click()
    expect(first(page).locator(".result")).to_be_visible()
    first(page).evaluate("e => e.setAttribute('item-id', 'optimiser')")
    expect(first(page).get_by_role("alert")).to_have_text(re.compile("cannot be graded here"))
    told: Any = page.evaluate("told")
    assert [name for name, _ in told] == ["answer-graded", "answer-error"]
    assert (told[0][1]["itemId"], told[0][1]["answer"]) == ("dropout", GOOD)
    assert told[0][1]["result"]["mark"] > 0
    assert (told[1][1]["status"], told[1][1]["type"]) == (403, "/problems/token-mismatch")
    assert_accessible(page)


def test_ended_token_is_replaced_and_the_answer_stays(bare: Bare, school: School) -> None:
    page = bare(item_id="dropout", token="gt_" + "A" * 43, token_url="/token", excused=REFUSED)
    first(page).get_by_label("Your answer").fill(GOOD)
    with school.database.system() as session:
        session.execute(delete(Pass))
    first(page).get_by_role("button", name="Grade").click()
    expect(first(page).locator(".result")).to_be_visible()
    assert first(page).evaluate("e => e.answer") == GOOD


def test_page_may_give_tokens_by_script(bare: Bare, school: School, quiz: str) -> None:
    page = bare(item_id="dropout")
    expect(first(page).get_by_text("The question is being loaded")).to_be_visible()
    page.evaluate(GIVE, [token(school, origin=quiz)])
    first(page).get_by_label("Your answer").fill(GOOD)
    first(page).get_by_role("button", name="Grade").click()
    expect(first(page).locator(".result")).to_be_visible()


def test_without_a_way_to_a_token_the_widget_says_so(bare: Bare, school: School) -> None:
    page = bare(item_id="dropout", token=token(school, origin="https://other.example"), excused=REFUSED)
    expect(first(page).get_by_role("alert")).to_have_text(re.compile("cannot be graded here"))
    first(page).evaluate("e => { e.token = 'gt_' + 'A'.repeat(43); }")
    expect(first(page).get_by_role("alert")).to_have_text(re.compile("time for this question is over"))
    assert_accessible(page)


def test_german_and_right_to_left_pages(bare: Bare, keep: Keep) -> None:
    page = bare(item_id="dropout", token_url="/token", dir="rtl", language="de-AT")
    first(page).get_by_label("Ihre Antwort").fill(GOOD)
    first(page).get_by_role("button", name="Antwort bewerten").click()
    expect(first(page).get_by_role("status")).to_have_text(re.compile("von 10 Punkten"))
    bar, score = first(page).locator(".bar").bounding_box(), first(page).locator(".bar .score").bounding_box()
    assert bar is not None
    assert score is not None
    assert abs(bar["x"] + bar["width"] - score["x"] - score["width"]) < 1, "the bar grows from the right"
    assert_accessible(page)
    keep(page, "result")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_when_the_questions_are_loaded(width: str, quiz: str, origins: list[str], open_page: OpenPage) -> None:
    page = open_page(base_url=quiz, origins=origins, viewport=WIDTHS[width])
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.moved += e.value; }))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    page.goto("/")
    expect(page.locator("answer-grader").nth(1).get_by_label("Your answer")).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.moved") < 0.005


def test_service_that_cannot_be_reached_is_said_in_a_sentence(quiz: str, origins: list[str], open_page: OpenPage) -> None:
    page = open_page(base_url=quiz, origins=origins, excused=r"ERR_FAILED")
    page.route("**/v1/items/**", lambda route: route.abort())
    page.goto("/")
    expect(first(page).get_by_role("alert")).to_contain_text("The grader cannot be reached. Try again in a moment.")
    expect(page.locator("#total")).to_have_text(re.compile(r"^\w+: The grader cannot be reached\. Try again in a moment\.$"))
    page.unroute("**/v1/items/**")
    first(page).get_by_role("button", name="Try again").click()
    page.route("**/v1/grades", lambda route: route.abort())
    first(page).get_by_label("Your answer").fill(GOOD)
    first(page).get_by_role("button", name="Grade").click()
    expect(first(page).get_by_role("alert")).to_have_text("The grader cannot be reached. Your answer is still here; try again.")
    assert_accessible(page)


def test_answer_that_is_cut_is_said_to_be(quiz: str, origins: list[str], open_page: OpenPage) -> None:
    page = open_page(base_url=quiz, origins=origins)
    page.goto("/")
    first(page).get_by_label("Your answer").fill("word " * 3_999 + "word")
    expect(first(page).locator("#count")).to_have_text("4000 words")
    first(page).get_by_label("Your answer").focus()
    page.keyboard.insert_text(" and more than fits")
    expect(first(page).locator("#count")).to_contain_text("what is beyond them was left out")


def test_key_is_in_no_page_of_the_quiz(quiz: str, school: School) -> None:
    for name in ("", "quiz.js", "quiz.css"):
        with urlopen(f"{quiz}/{name}") as response:  # noqa: S310 the server's own address
            assert school.key not in response.read().decode()
