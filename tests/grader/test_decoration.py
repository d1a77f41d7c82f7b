"""Markup and emoji: what is passed over, what is not, and that no mark moves by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gaming import marked_up
from grader import Grader, ItemBank
from grader.decoration import undecorated

PIECES = ["<p>", "</p>", "<b", ">", '<a href="', "**", "*", "_", "`", "# ", "&amp;", "[", "](/x)", "🔥", "\n", " ", "word", "9"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("<p><b>Water</b> boils.</p><p>It <i class='x'>steams</i>.</p>", "Water boils. It steams ."),
        ('See <a href="https://example.org/a?b=c">this</a><br/>and that', "See this and that"),
        ("Salt&nbsp;&amp; water, 1 &lt; 2", "Salt & water, 1 < 2"),
        ("Hot<!-- a note --> water", "Hot water"),
        ("**Only** *hot* water ***boils*** and _now_", "Only hot water boils and now"),
        ("Call `boil()` on [water](https://example.org)", "Call boil() on water"),
        ("It boils 🔥👩‍🔬 at 1️⃣00", "It boils \u200d at 1 00"),
    ],
)
def test_decoration_is_passed_over(written: str, said: str) -> None:
    assert " ".join(undecorated(written).split()) == said


@pytest.mark.parametrize(
    "written",
    [
        "a<b and c>d", "vector<int> x", "2 * 3", "2*3*4", "x**2 + y**2", "snake_case_name", "the policy π* and Q*", "[1] and (2)",
        "f(x) -> y", "water → steam", "5 > 4", "#include <stdio.h>", "20 °C", "int *p and *q", "AT&T",
        "# begins a comment", "<br> breaks a line, <p> begins a paragraph", "<b></b>", "__init__", "*args and **kwargs", "🔥",
    ],
)  # fmt: skip
def test_what_says_something_stays(written: str) -> None:
    assert undecorated(written) == written


def test_a_paragraph_s_end_is_a_line_s() -> None:
    assert undecorated("<li>one</li><li>two</li>").split("\n") == ["", "   one", "    ", "   two", "    "]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_places_stay(written: str) -> None:
    plain = undecorated(written)
    assert len(plain) == len(written)
    assert all(have == was or have.isspace() or was == "&" for have, was in zip(plain, written, strict=True))


@pytest.mark.parametrize("dress", [marked_up, lambda text: f"**{text}** 👍", lambda text: text.replace(" ", "&nbsp;")])
def test_no_mark_moves_by_decoration(real_grader: Grader, shipped_bank: ItemBank, dress: Callable[[str], str]) -> None:
    item = shipped_bank.get("dropout")
    for response in shipped_bank.responses[item.id]:
        answer = response.candidate_answer.strip()
        plain, dressed = real_grader.grade(item, answer), real_grader.grade(item, dress(answer))
        assert (dressed.score, dressed.flags) == (plain.score, plain.flags)
