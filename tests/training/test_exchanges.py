"""Parts exchanged turn a statement round; its order changed leaves it as it was."""

from __future__ import annotations

import random

import pytest

from training.exchanges import exchange_parts, passive, reorder


def draws(text: str) -> set[str | None]:
    """Return what exchanging makes of a text over many draws."""
    return {exchange_parts(text, random.Random(seed)) for seed in range(100)}  # noqa: S311 no secret is at stake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The switch opens the circuit.", {"The circuit opens the switch."}),
        ("Water flows from the tank into the pipe.", {
            "Tank flows from the water into the pipe.",
            "Pipe flows from the tank into the water.",
            "Water flows from the pipe into the tank.",
        }),
        ("An RNN uses a gate.", {"An gate uses a RNN."}),
    ],
)  # fmt: skip
def test_two_nouns_take_each_others_place(text: str, expected: set[str]) -> None:
    assert draws(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "It stops.", "The switch and the circuit are the same.", "Salt and sugar.", "It is quickly done by 3."],
    ids=["empty", "one-noun", "alike", "listed", "no-nouns"],
)
def test_what_has_no_two_unequal_nouns_is_left(text: str) -> None:
    assert draws(text) == {None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The switch opens a circuit.", "A circuit is opened by the switch."),
        ("The sun heated the stones in summer", "The stones were heated by the sun in summer"),
        ("The loss drives the update.", "The update is driven by the loss."),
        ("It opens.", None),
        ("They can use a tape.", None),
        ("", None),
    ],
)
def test_a_plain_active_statement_has_a_passive(text: str, expected: str | None) -> None:
    assert passive(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Because the path is closed, the bulb shines.", "The bulb shines because the path is closed."),
        ("The bulb shines when the path is closed.", "When the path is closed, the bulb shines."),
        ("Use salt and sugar.", "Use sugar and salt."),
        ("It shines.", None),
    ],
)
def test_a_statement_is_put_in_another_order(text: str, expected: str | None) -> None:
    assert reorder(text, random.Random(1)) == expected  # noqa: S311 no secret is at stake
