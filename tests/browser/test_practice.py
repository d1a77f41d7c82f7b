"""The practice pages in a real browser, on the real service: every flow, at desktop and phone width."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Dialog, Page, expect

GOOD = "While training, dropout switches off a random share of the neurons, so that the network does not overfit."
WIDTHS = {"desktop": {"width": 1200, "height": 900}, "phone": {"width": 390, "height": 844}}
OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], None]


@pytest.fixture(params=list(WIDTHS))
def page(request: pytest.FixtureRequest, open_page: OpenPage) -> Page:
    """Return a page of one width that fails the test where the browser complains or asks elsewhere."""
    return open_page(viewport=WIDTHS[request.param])


def assert_accessible(page: Page) -> None:
    found: Any = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    broken = [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found["violations"]]
    assert broken == []


def test_a_question_is_chosen_answered_and_answered_better(page: Page, keep: Keep) -> None:
    page.goto("/")
    assert_accessible(page)
    keep(page, "questions")
    page.get_by_role("link", name=re.compile("dropout", re.IGNORECASE)).first.click()
    expect(page.get_by_role("button", name="Grade my answer")).to_be_visible()
    page.get_by_label("Your answer").fill("Things.")
    expect(page.locator("#count")).to_have_text("1 word")
    page.get_by_label("Your answer").fill("It makes things better.")
    expect(page.locator("#count")).to_have_text("4 words")
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result")).to_have_count(1)
    page.get_by_label("Your answer").fill(GOOD)
    page.get_by_label("Your answer").press("Control+Enter")
    expect(page.locator(".result.earlier")).to_have_count(1)
    expect(page.locator("#status")).to_have_text(re.compile("of 10 marks"))
    better, worse = (float(page.locator(".result").nth(n).get_attribute("data-score") or "nan") for n in (0, 1))
    assert better > worse
    page.locator(".result").first.locator(".covered .point").first.hover()
    expect(page.locator("mark.on").first).to_be_visible()
    assert_accessible(page)
    keep(page, "result")
    earlier, later = (page.locator(".result").nth(n).bounding_box() for n in (1, 0))
    assert earlier is not None
    assert later is not None
    assert page.viewport_size is not None
    is_wide = page.viewport_size["width"] > 1_000
    assert (earlier["y"] == later["y"]) == is_wide, "side by side where there is room"
    if is_wide:
        assert (
            page.evaluate("new Set([...document.querySelectorAll('.gauge')].map((bar) => bar.getBoundingClientRect().y)).size")
            == 1
        )
    page.get_by_text("Show a reference answer").first.click()
    expect(page.locator("details p").first).to_be_visible()
    page.goto("/")
    expect(page.locator("[data-item=dropout] .best")).to_have_text(re.compile(r"\d+ %"))
    page.get_by_role("link", name="Your progress").click()
    expect(page.get_by_role("heading", name="Everything so far")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile(r"^By topic: .*: Basics \(1\): \d+ %$"))).to_be_visible()
    expect(page.locator(".questions .tag")).to_have_text("attempts: 2")
    assert_accessible(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a file").click()
    assert GOOD in Path(saved.value.path()).read_text(encoding="utf-8")


def test_a_draft_outlives_the_page_and_markup_in_it_is_only_text(page: Page) -> None:
    page.goto("/practice/dropout")
    draft = "<img src=x onerror=alert(1)> Dropout switches neurons off by chance."
    page.get_by_label("Your answer").fill(draft)
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value(draft)
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".answer")).to_have_text(draft)
    assert page.locator(".answer img").count() == 0


def test_two_tabs_with_one_question_tell_each_other(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/practice/dropout")
    page.get_by_label("Your answer").fill("The older one.")
    other = page.context.new_page()
    other.goto("/practice/dropout")
    expect(other.get_by_label("Your answer")).to_have_value("The older one.")
    other.get_by_label("Your answer").fill("The newer one.")
    expect(page.get_by_text("This question is open in another tab")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("The older one.")
    assert_accessible(page)
    page.get_by_role("button", name="Take that one over").click()
    expect(page.get_by_label("Your answer")).to_have_value("The newer one.")
    expect(page.get_by_text("This question is open in another tab")).to_be_hidden()
    page.get_by_label("Your answer").fill("The newest one.")
    expect(other.get_by_text("This question is open in another tab")).to_be_visible()


def test_an_interview_leads_from_question_to_question_with_a_clock(page: Page, keep: Keep) -> None:
    page.goto("/")
    page.get_by_label("Questions").fill("2")
    page.get_by_label("Minutes for each").fill("3")
    page.get_by_role("button", name="Start an interview").click()
    expect(page.locator(".crumb")).to_contain_text("Question 1 of 2")
    expect(page.locator("#timer")).to_have_text(re.compile(r"[23]:\d\d"))
    page.get_by_role("link", name="Next question").click()
    expect(page.locator(".crumb")).to_contain_text("Question 2 of 2")
    page.get_by_label("Your answer").fill(GOOD)
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result")).to_have_count(1)
    page.get_by_role("link", name="Finish").click()
    interview = page.locator("section[data-of=run]")
    expect(interview.get_by_role("heading", name="This interview")).to_be_visible()
    expect(interview.locator("li")).to_have_count(2)
    expect(interview.locator("li").first).to_contain_text("skipped")
    expect(interview.locator(".over")).to_have_text("Mean of the questions that were answered: 1 of 2.")
    expect(interview.locator(".mean")).to_have_text(re.compile(r"\d+ %"))
    assert_accessible(page)
    keep(page, "summary")
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.get_by_role("button", name="Delete my history").click()
    assert "cannot be brought back" in asked[0]
    expect(interview.locator("li")).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete my history").click()
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage)") == [], "drafts are deleted, too"


def test_loading_a_question_anew_gives_no_time_back_and_its_end_is_announced(page: Page, keep: Keep) -> None:
    page.clock.install()
    page.goto("/practice/dropout?of=2&minutes=1&run=0a&queue=optimiser")
    # The clock goes on by itself, too, and a page may take its time.
    expect(page.locator("#timer")).to_have_text(re.compile(r"1:00|0:5\d"))
    page.clock.run_for(20_000)
    expect(page.locator("#timer")).to_have_text(re.compile(r"0:(40|[0-3]\d)"))
    page.reload()
    expect(page.locator("#timer")).to_have_text(re.compile(r"0:(40|[0-3]\d)"))
    button = page.get_by_role("button", name="Grade my answer")
    before = button.bounding_box()
    page.clock.run_for(41_000)
    expect(page.get_by_role("alert")).to_have_text("Time is up. Finish your sentence and have it graded, or go on.")
    assert button.bounding_box() == before, "nothing moves under a hand that is writing"
    assert_accessible(page)
    keep(page, "over")
    page.get_by_role("link", name="Next question").click()
    expect(page.locator("#timer")).to_have_text(re.compile(r"1:00|0:5\d"))


def test_an_interview_of_skipped_questions_has_a_summary(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/practice/dropout?of=1&run=0b")
    page.get_by_role("link", name="Finish").click()
    interview = page.locator("section[data-of=run]")
    expect(interview.locator(".over")).to_contain_text("0 of 1")
    expect(interview.locator("li")).to_contain_text("skipped")
    expect(page.locator("section[data-of=all]")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "body"), [(503, ""), (200, "<html><p>Sign in"), (200, "<svg xmlns='http://www.w3.org/2000/svg'>")]
)
def test_a_summary_without_its_chart_says_the_means(open_page: OpenPage, status: int, body: str) -> None:
    page = open_page(excused="503|inline style")
    attempt = {"item": "dropout", "question": "What is dropout?", "topic": "Basics", "run": "", "score": 0.5, "answer": "x"}
    page.add_init_script(f"localStorage.setItem('grader.history', {json.dumps(json.dumps([attempt]))})")
    page.route("**/history/topics*", lambda route: route.fulfill(status=status, body=body))
    page.goto("/history")
    expect(page.locator(".topics")).to_have_text("Basics (1): 50 %")


def test_pages_without_much_on_them_have_no_holes(page: Page) -> None:
    page.goto("/history")
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    expect(page.locator("footer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "there is nothing to scroll to"
    page.goto("/")
    gap = """() => [...document.querySelectorAll("a[data-item]")].map((link) =>
        link.getBoundingClientRect().right - [...link.querySelectorAll(".tag")].at(-1).getBoundingClientRect().right)"""
    if page.viewport_size == WIDTHS["desktop"]:
        assert max(page.evaluate(gap)) < 25, "no room is kept at the end of a row for a score that is not there"


def test_what_scripts_add_moves_nothing(page: Page) -> None:
    attempt = {"item": "dropout", "question": "What is dropout?", "topic": "Basics", "run": "", "score": 0.5, "answer": "x"}
    page.add_init_script(f"localStorage.setItem('grader.history', {json.dumps(json.dumps([attempt]))})")
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.moved += e.value; }))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    for address, added in (("/", "[data-item=dropout] .best"), ("/history", ".history .best"), ("/practice/dropout", "#count")):
        page.goto(address)
        expect(page.locator(added)).not_to_be_empty()
        page.wait_for_timeout(300)
        assert page.evaluate("window.moved") < 0.005, address


def test_an_answer_that_is_cut_is_said_to_be(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/practice/dropout")
    page.get_by_label("Your answer").fill("word " * 3_999 + "word")
    expect(page.locator("#full")).to_be_empty()
    page.get_by_label("Your answer").focus()
    page.keyboard.insert_text(" and more than fits")
    assert len(page.get_by_label("Your answer").input_value()) == 20_000
    expect(page.locator("#full")).to_have_text("An answer holds 20,000 characters; what is beyond them was left out.")
    assert_accessible(page)
    page.get_by_label("Your answer").fill("Short.")
    expect(page.locator("#full")).to_be_empty()


def test_an_answer_on_its_way_is_not_sent_again_and_the_focus_stays(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/practice/dropout")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    field, button = page.get_by_label("Your answer"), page.get_by_role("button", name="Grade my answer")
    field.fill(GOOD)
    # At once, as no hand is: on this machine the first result may be there before a second press.
    page.evaluate("for (let n = 0; n < 3; n++) document.getElementById('answer-form').requestSubmit()")
    expect(page.locator(".result")).to_have_count(1)
    assert len(sent) == 1
    field.press("Control+Enter")
    expect(page.locator("#status")).to_have_text(re.compile("of 10 marks"))
    expect(page.locator(".result")).to_have_count(1)
    assert page.evaluate("JSON.parse(localStorage.getItem('grader.history')).length") == 1, "the same answer is no new attempt"
    field.fill(f"{GOOD} It is regularisation.")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".result")).to_have_count(2)
    expect(button).to_be_focused()
    assert page.evaluate("JSON.parse(localStorage.getItem('grader.history')).length") == 2


def test_without_scripts_the_form_leads_to_the_result(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/practice/dropout")
    page.get_by_label("Your answer").fill(GOOD)
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result .mark")).to_contain_text("/ 10")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", name="Stichwörter")).to_be_visible()
    expect(page.locator("textarea")).to_have_value(GOOD)


def test_the_pages_speak_german_where_the_browser_does(open_page: OpenPage) -> None:
    page = open_page(locale="de-DE")
    page.goto("/practice/dropout")
    expect(page.get_by_role("button", name="Antwort bewerten")).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("button", name="Grade my answer")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("button", name="Start an interview")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_evidence_and_verdicts_can_be_read_on_paper(scheme: str, open_page: OpenPage, keep: Keep) -> None:
    page = open_page(color_scheme=scheme)
    page.goto("/practice/dropout")
    page.get_by_label("Your answer").fill(GOOD)
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result mark").first).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator(".result mark").first).to_have_css("border-bottom-style", "solid")
    expect(page.locator(".result .verdict").first).to_have_css("border-top-style", "solid")
    # Browsers print no grounds: the words stand on white, by night too.
    expect(page.locator(".result .answer")).to_have_css("color", "rgb(26, 32, 48)")
    keep(page, "paper")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast_by_day_and_by_night(scheme: str, open_page: OpenPage, keep: Keep) -> None:
    page = open_page(color_scheme=scheme)
    page.goto("/practice/dropout")
    page.get_by_label("Your answer").fill(GOOD)
    page.get_by_role("button", name="Grade my answer").click()
    expect(page.locator(".result")).to_have_count(1)
    assert_accessible(page)
    keep(page, "result")
