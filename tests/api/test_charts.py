"""Charts as they stand in a page: readable without colours, scripts or eyes, and with nothing that the pages' policy forbids."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import pytest

from api.pages.charts import histogram, topic_bars

BAR = "{low}–{high} %: {count}"
COUNTS = [0] * 10 + [3, 0, 0, 1, 12] + [0] * 4 + [7]
NAMES = ["50–55 %: 3", "65–70 %: 1", "70–75 %: 12", "95–100 %: 7"]
SVG = "{http://www.w3.org/2000/svg}"


def drawn(counts: list[int], label: str = "Scores") -> ET.Element:
    return ET.fromstring(text_of(counts, label))  # noqa: S314 what was drawn here


def text_of(counts: list[int], label: str = "Scores") -> str:
    return histogram(counts, label=label, bar=BAR, x_title="Score", y_title="Answers", height=230)


def texts(chart: ET.Element, within: str) -> list[str]:
    return [node.text or "" for node in chart.iterfind(f".//{SVG}g[@class='{within}']//{SVG}text")]


def test_chart_has_nothing_that_the_policy_forbids_and_no_date() -> None:
    text = text_of(COUNTS)
    kinds = {node.tag for node in drawn(COUNTS).iter()}
    assert kinds == {SVG + kind for kind in ("svg", "g", "path", "rect", "text", "title")}
    assert [part for part in (" style=", "<!--", "<?xml", "href", "on2") if part in text] == []
    assert text_of(COUNTS) == text


def test_every_count_can_be_read_in_several_ways() -> None:
    chart = drawn(COUNTS)
    assert (chart.get("role"), chart.get("aria-label")) == ("img", f"Scores: {'; '.join(NAMES)}")
    titles = [title.text or "" for title in chart.iter(f"{SVG}title")]
    assert len(titles) == 20
    assert [title for title in titles if not title.endswith(" 0")] == NAMES
    assert [text for text in texts(chart, "plot text-overlay") if text] == ["3", "1", "12", "7"]
    assert texts(chart, "axis x") == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert texts(chart, "titles") == ["Score", "Answers"]


@pytest.mark.parametrize(
    ("counts", "ticks"),
    [
        ([0] * 20, ["0", "1"]),
        ([1] + [0] * 19, ["0", "1"]),
        ([2] * 20, ["0", "1", "2"]),
        ([3] * 19 + [100_000], ["0", "20000", "40000", "60000", "80000", "100000"]),
    ],
    ids=["none", "one", "few", "many"],
)
def test_axis_counts_whole_answers(counts: list[int], ticks: list[str]) -> None:
    chart = drawn(counts)
    assert texts(chart, "axis y always_show") == ticks
    assert bool(texts(chart, "plot text-overlay")) == (max(counts) < 1_000)


def test_library_leaves_the_imports_of_the_process_alone() -> None:
    drawn(COUNTS)
    assert [finder for finder in sys.meta_path if type(finder).__module__ == "pygal"] == []


def test_without_scores_nothing_follows_the_label() -> None:
    assert drawn([0] * 20).get("aria-label") == "Scores"


def test_topics_stand_in_their_order_with_their_means() -> None:
    text = topic_bars([("Basics (3)", 0.714), ("A name that is too long for its room (1)", 1.0), ("<b> (2)", 0.0)], label="Means")
    chart = ET.fromstring(text)  # noqa: S314 what was drawn here
    assert chart.get("aria-label") == "Means: Basics (3): 71 %; A name that is too long for its room (1): 100 %; <b> (2): 0 %"
    # From below, as the library places them.
    assert texts(chart, "axis y") == ["<b> (2)", "A name that i… (1)", "Basics (3)"]
    assert texts(chart, "plot text-overlay") == ["0 %", "100 %", "71 %"]
    bars = [float(bar.get("width", 0)) for bar in chart.iterfind(f".//{SVG}g[@class='bar']/{SVG}rect")]
    assert bars == [0, max(bars), pytest.approx(max(bars) * 0.714)]
    assert {node.tag for node in chart.iter()} == {SVG + kind for kind in ("svg", "g", "path", "rect", "text", "title")}
    assert topic_bars([("Basics", 0.5)], label="Means") == topic_bars([("Basics", 0.5)], label="Means")


def test_what_xml_cannot_hold_is_left_out_of_names() -> None:
    text = topic_bars([("A\x0bB\x00 \ufffe(1)", 0.5)], label="Means")
    assert ET.fromstring(text).get("aria-label") == "Means: AB (1): 50 %"  # noqa: S314 what was drawn here


def test_label_is_escaped() -> None:
    label = '<script>"&'
    assert (drawn(COUNTS, label).get("aria-label") or "").startswith(label)
