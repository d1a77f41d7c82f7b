"""Batches in a real browser: a table is chosen, looked at, graded and read, with axe finding nothing to complain of."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from grader import ItemBank
from tests.browser.checks import SCREENS, Look, OpenPage, look_at


@pytest.fixture
def table(tmp_path: Path, shipped_bank: ItemBank) -> Path:
    rows = [f'{item.id},"{item.reference_answers[0].text}",s{n}' for n, item in enumerate(shipped_bank.items[:12])]
    path = tmp_path / "Spring exam.csv"
    path.write_text("item_id,candidate_answer,who\n" + "\n".join(rows) + "\nno-such-item,x,s99\n", encoding="utf-8")
    return path


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    return look_at(request)


@pytest.mark.parametrize("screen", list(SCREENS))
def test_a_table_is_graded_and_read(open_page: OpenPage, table: Path, screen: str, look: Look) -> None:
    page = open_page(**SCREENS[screen])
    page.goto("/batches")
    look(page, "batches")
    page.set_input_files("#file", table)
    page.click("button[type=submit]")
    assert "Row 13: No item" in page.inner_text(".notice")
    look(page, "preview")
    page.get_by_label("The answers are in").select_option("who")
    page.get_by_label("The ids of the questions are in").select_option("candidate_answer")
    page.get_by_role("button", name="Check again").click()
    assert "Cannot be graded: 13" in page.inner_text(".notice")
    page.get_by_label("The answers are in").select_option("candidate_answer")
    page.get_by_label("The ids of the questions are in").select_option("item_id")
    page.get_by_label("The person is in").select_option("who")
    page.click("text=Grade all rows")
    page.wait_for_selector(".state.finished", timeout=60_000)
    assert "13 of 13" in page.inner_text("#figures")
    look(page, "done")
    page.reload()
    page.get_by_label("Order").select_option(label="lowest score first")
    page.get_by_role("button", name="Show").click()
    scores = [float(text.split("/")[0]) for text in page.locator("#rows tbody td.number").all_inner_texts() if text]
    assert len(scores) == 12
    assert scores == sorted(scores)
    expect(page.locator("#rows tbody tr").last).to_contain_text("No item")
    seen = [page.locator(f"#rows thead th:nth-child({n})").bounding_box() for n in (1, 2, 3)]
    width = page.evaluate("innerWidth")
    assert all(box and box["x"] + box["width"] <= width for box in seen), "mark and note have to be scrolled to"
    assert page.locator("#rows thead th").all_inner_texts()[:3] == ["Row", "Mark", "Note"]
    page.get_by_label("With the text").fill("no-such-item")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.goto(page.url.split("?")[0])
    page.locator("#rows tbody th a").first.click()
    assert page.inner_text("#verdict") == "Excellent"
    look(page, "row")


def test_a_file_that_is_dropped_is_taken_and_beside_the_area_nothing_happens(open_page: OpenPage, table: Path) -> None:
    page = open_page()
    page.goto("/batches")
    dragged = page.evaluate_handle(
        """(text) => {
          const dragged = new DataTransfer();
          for (const name of ["Spring exam.csv", "other.csv"]) dragged.items.add(new File([text], name, { type: "text/csv" }));
          return dragged;
        }""",
        table.read_text(encoding="utf-8"),
    )
    drag = """([dragged, selector, kind]) => {
      const event = new DragEvent(kind, { dataTransfer: dragged, bubbles: true, cancelable: true });
      return !document.querySelector(selector).dispatchEvent(event);
    }"""
    area, input_files = page.locator("form.drop"), "document.getElementById('file').files.length"
    for selector, taken in (("h1", 0), (".drop label", 1)):
        assert page.evaluate(drag, [dragged, selector, "dragover"]), "a drop would be refused here, or open the file"
        assert ("over" in (area.get_attribute("class") or "").split()) == bool(taken)
        assert page.evaluate(drag, [dragged, selector, "drop"])
        assert page.evaluate(input_files) == taken
    assert "over" not in (area.get_attribute("class") or "").split()
    page.keyboard.press("Enter")
    page.wait_for_url("**/batches/check?*")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Spring exam")
