"""The pages of banks in a real browser: an item is made, tried while it is written, and published after a look at the changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.checks import SCREENS, Look, OpenPage, look_at

FULL = "The gravity of the Earth pulls all things towards its centre. Air slows light bodies down, such as feathers."


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    return look_at(request)


@pytest.fixture(params=list(SCREENS))
def page(request: pytest.FixtureRequest, open_page: OpenPage) -> Page:
    return open_page(**SCREENS[request.param])


def make_bank(page: Page, title: str) -> None:
    page.goto("/banks")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Short name").fill(re.sub(r"\W+", "-", title.lower()).strip("-"))
    page.get_by_role("button", name="Make a bank").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_an_item_is_written_tried_and_published(page: Page, look: Look, request: pytest.FixtureRequest) -> None:
    make_bank(page, f"<b>Physics</b> {request.node.callspec.id}")
    look(page, "empty-bank")
    page.get_by_role("link", name="New question").click()
    page.locator("textarea[name=question]").fill("Why do things fall?")
    for name, text in (("id", "gravity"), ("topic", "Physics"), ("section", "Forces")):
        page.locator(f"input[name={name}]").fill(text)
    page.locator("textarea[name='reference.0.text']").fill("Gravity pulls things towards the centre of the Earth.")
    page.locator("textarea[name='reference.1.text']").fill(FULL)
    expect(page.locator("#problem-note")).to_be_visible()
    page.get_by_role("button", name="Suggest from the reference answers").click()
    expect(page.locator("[name='point.0.id']")).to_have_value("gravity-earth")
    expect(page.get_by_role("heading", name="Key points")).to_be_in_viewport()
    expect(page.locator("[name='point.1.text']")).to_have_value(re.compile("Air slows"))
    page.locator("[name='point.1.id']").fill("Not a slug")
    expect(page.locator("[id='error-point.1.id']")).to_contain_text("Small letters")
    expect(page.locator("[name='point.1.id']")).to_have_attribute("aria-invalid", "true")
    look(page, "problem")
    page.locator("[name='point.1.id']").fill("drag")
    expect(page.locator("#problem-note")).to_be_hidden()
    page.locator("textarea[name=candidate_answer]").fill(
        "The Earth's gravity pulls them to its centre. <script>alert(1)</script>"
    )
    expect(page.locator("#tried .result")).to_be_visible()
    assert page.locator("#tried script").count() == 0
    page.get_by_role("button", name="Save as a draft").click()
    expect(page.get_by_text("Kept as a draft.")).to_be_visible()
    page.get_by_role("link", name="Publish").click()
    look(page, "publish-new")
    page.get_by_role("button", name="Publish 1").click()
    expect(page.get_by_text("1 published. Answers are graded")).to_be_visible()
    page.get_by_role("link", name="Why do things fall?").click()
    page.locator("[name='point.1.text']").fill("Air slows bodies that weigh little.")
    page.get_by_role("button", name="Save as a draft").click()
    page.get_by_role("link", name="Publish").click()
    expect(page.locator(".changes del").first).to_be_visible()
    look(page, "publish-changed")
    page.get_by_role("link", name="Why do things fall?").click()
    page.get_by_text("Discard this draft").click()
    look(page, "discard")
    page.get_by_role("button", name="Discard it").click()
    expect(page.get_by_text("The draft is gone.")).to_be_visible()
    page.get_by_text("Archive this bank").click()
    look(page, "archive")
    page.get_by_role("button", name="Archive it").click()
    expect(page.get_by_text("This bank is archived")).to_be_visible()


def test_marked_examples_that_change_are_shown_in_red(page: Page, look: Look) -> None:
    page.goto("/banks/shipped/items/dropout")
    look(page, "shipped")
    expect(page.get_by_role("button", name="Save as a draft")).to_have_count(0)
    page.locator("[name='point.0.text']").fill("Dropout is a trick.")
    page.locator("[name='point.0.keywords']").fill("trick")
    page.locator("[name='point.0.examples']").fill("")
    page.locator("textarea[name=candidate_answer]").fill("Random neurons are switched off, so that the network does not overfit.")
    expect(page.locator(".again .has-changed").first).to_be_visible(timeout=30_000)
    expect(page.locator("#tried .result")).to_be_visible()
    look(page, "tried")


def test_leaving_an_edited_item_asks_first(open_page: OpenPage) -> None:
    page = open_page()
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    make_bank(page, "Leaving")
    page.get_by_role("link", name="New question").click()
    page.get_by_role("link", name="Leaving").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaving")
    assert asked == [], "nothing was changed"
    page.get_by_role("link", name="New question").click()
    page.locator("textarea[name=question]").fill("Why?")
    page.get_by_role("link", name="Leaving").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaving")
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="New question").click()
    page.locator("textarea[name=question]").fill("Why?")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("button", name="Als Entwurf speichern")).to_be_visible()
    assert asked == ["beforeunload"], "the form goes along"
    # A browser asks for those only who have done something on the page.
    page.locator("textarea[name=question]").click()
    page.get_by_role("link", name="Leaving").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaving")
    assert asked == ["beforeunload"] * 2, "what came back from a form is not saved"


def test_lists_grow_by_a_button(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/banks/shipped/items/dropout")
    section = page.get_by_role("region", name="Key points")
    section.get_by_role("button", name="Add one").click()
    expect(page.locator("[name='point.3.id']")).to_be_focused()
    expect(page.locator("[name='point.3.text']")).to_have_value("")
    expect(page.get_by_role("button", name="Room for one more of each")).to_be_hidden()
    section.get_by_role("button", name="Remove").nth(1).click()
    expect(section.locator(".entry")).to_have_count(3)
    expect(page.locator("[name='point.1.id']")).to_have_count(0)
    section.get_by_role("button", name="Remove").nth(2).click()
    section.get_by_role("button", name="Remove").nth(1).click()
    section.get_by_role("button", name="Remove").click()
    expect(section.locator(".entry")).to_have_count(1)
    expect(page.locator("[name='point.0.id']")).to_have_value("")
    expect(page.locator("[id='error-key_points']")).to_have_text("At least 1 needed.")


def test_a_file_is_imported(page: Page, look: Look, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    make_bank(page, f"Imported {request.node.callspec.id}")
    table = tmp_path / "items.csv"
    head = "id,topic,section,difficulty,question,reference_short,reference_full,key_point_1,key_point_1_keywords\n"
    table.write_text(head + f'gravity,Physics,Forces,easy,Why?,Gravity.,"{FULL}",Gravity pulls things.,gravity ; pull\n')
    page.get_by_text("Import a file").click()
    page.set_input_files("#file", table)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Read and kept as drafts: 1.")).to_be_visible()
    look(page, "imported")


def test_an_item_is_edited_without_scripts(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    make_bank(page, "No scripts")
    page.get_by_role("link", name="New question").click()
    page.locator("textarea[name=candidate_answer]").fill("Gravity.")
    page.locator("textarea[name='reference.0.text']").fill("Gravity pulls things down.")
    page.get_by_role("button", name="Room for one more of each").click()
    expect(page.locator("[name='reference.0.text']")).to_have_value("Gravity pulls things down.")
    page.locator("aside").get_by_role("button", name="Try it").click()
    expect(page.locator("#tried .result .mark")).to_contain_text("/ 10")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("button", name="Als Entwurf speichern")).to_be_visible()
    expect(page.locator("[name='reference.0.text']")).to_have_value("Gravity pulls things down.")
