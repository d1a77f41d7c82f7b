"""Rewrites do what they say to plain statements, and nothing to those they do not know how to treat."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest

from benchmarks import gaming
from training import rewrites

Rewrite = Callable[[str, random.Random], str | None]


def every(rewrite: Rewrite, text: str) -> set[str | None]:
    """Return what a rewrite makes of a text over many draws."""
    return {rewrite(text, random.Random(seed)) for seed in range(200)}  # noqa: S311 no secret is at stake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The switch is open.", {"The switch is not open.", "The switch isn't open.", "The switch is never open."}),
        ("It reduces noise.", {"It does not reduce noise.", "It doesn't reduce noise.", "It never reduces noise."}),
        ("They use light.", {"They do not use light.", "They don't use light.", "They never use light."}),
        ("It cannot swim.", {"It can swim."}),
    ],
)
def test_a_denial_is_put_in_or_taken_out_at_the_verb(text: str, expected: set[str]) -> None:
    assert expected <= every(rewrites.negate, text)


@pytest.mark.parametrize("text", ["", "steel", "a heap of words"])
def test_what_has_no_verb_is_not_denied(text: str) -> None:
    assert every(rewrites.negate, text) == {None}


@pytest.mark.parametrize(
    ("rewrite", "text", "expected"),
    [
        (rewrites.oppose, "The switch is open.", "The switch is closed."),
        (rewrites.oppose, "It should be rejected.", "It should be accepted."),
        (rewrites.oppose, "A layer removes noise.", "A layer adds noise."),
        (rewrites.change_number, "It has three legs.", "It has four legs."),
        (rewrites.change_number, "It has 3 legs.", "It has 4 legs."),
        (rewrites.swap_roles, "Heat causes pressure.", "Pressure causes heat."),
        (rewrites.swap_roles, "Iron is heavier than wood.", "Wood is heavier than iron."),
        (rewrites.swap_roles, "It runs from the tea into the spoon.", "It runs from the spoon into the tea."),
    ],
)
def test_a_statement_is_turned_round(rewrite: Rewrite, text: str, expected: str) -> None:
    assert expected in every(rewrite, text)


@pytest.mark.parametrize("text", ["The terminal has two units.", "The optimiser minds its own business."])
def test_a_word_that_only_has_the_stem_of_one_with_an_opposite_is_left(text: str) -> None:
    assert every(rewrites.oppose, text) == {None}


@pytest.mark.parametrize("text", ["One can see it.", "The other one checks it."])
def test_one_is_no_number_to_change(text: str) -> None:
    assert every(rewrites.change_number, text) == {None}


def test_a_hedge_keeps_every_word() -> None:
    for hedged in every(rewrites.hedge, "The switch is open."):
        assert hedged is not None
        assert {"switch", "is", "open"} <= set(hedged.lower().replace(".", "").replace(",", "").split())


def test_a_statement_left_open_or_said_both_ways_keeps_every_word() -> None:
    for made in every(rewrites.leave_open, "The switch is open."):
        assert {"switch", "is", "open"} <= set(re.findall(r"\w+", str(made).lower()))
    both = every(lambda text, rng: rewrites.say_both_ways(text, "The gate is shut.", rng), "The switch is open.")
    assert "Either the switch is open or the gate is shut." in both
    assert all({"switch", "open", "gate", "shut"} <= set(re.findall(r"\w+", str(made).lower())) for made in both)


def test_a_heap_has_the_content_words_in_any_order() -> None:
    heaps = every(rewrites.heap, "The heart pumps the blood into the arteries.")
    assert len(heaps) > 10
    assert {frozenset(str(heap).replace(",", "").split()) for heap in heaps} == {
        frozenset(["heart", "pumps", "blood", "arteries"])
    }
    assert every(rewrites.heap, "The heart pumps.") == {None}


def test_empty_sentences_hold_the_words_of_a_text_and_say_nothing() -> None:
    made = every(rewrites.empty, "The filters detect patterns in the image.")
    content = {"filters", "detect", "patterns", "image"}
    assert any(text and text.startswith("Talking about ") and " always means talking about " in text for text in made)
    assert any(text and len(text.split()) == 8 and set(text.split()[1::2]) == content for text in made)
    assert all(
        text and len(content.intersection(text.lower().rstrip(".").replace(",", " ").replace(".", " ").split())) >= 3
        for text in made
    )
    assert "The filters detect patterns in the image" not in made
    assert every(rewrites.empty, "It filters patterns.") == {None}


def test_what_is_set_beside_an_answer_takes_nothing_from_it() -> None:
    rng = random.Random(7)  # noqa: S311 nothing secret
    answer = "The gradient shrinks. Early layers learn slowly."
    stranger = "Bread rises because yeast gives off a gas. The gas is caught in the dough."
    made = [rewrites.set_beside(answer, stranger, rng) for _ in range(200)]
    assert all("The gradient shrinks." in each and "Early layers learn slowly." in each for each in made)
    assert all(len(each) > len(answer) for each in made)
    assert any(stranger in each for each in made)
    assert any(each.startswith("The gradient") for each in made)
    assert any(not each.startswith("The gradient") for each in made)
    assert len(set(made)) > 100


def test_nothing_that_is_measured_with_is_set_beside_an_answer() -> None:
    """Robustness is measured with instructions that no fit has seen."""
    rng = random.Random(8)  # noqa: S311 nothing secret
    made = " ".join(rewrites.set_beside("It shrinks.", "It rains.", rng) for _ in range(2_000))
    assert not [each for each in (*gaming.INSTRUCTIONS, *gaming.OTHER_SCRIPTS) if each in made]


def test_a_statement_is_turned_round_in_several_ways() -> None:
    statement = "Dropout reduces overfitting by switching off two units."
    turned = every(rewrites.turn_round, statement)
    assert statement not in turned
    assert len(turned) > 4
    assert None in every(rewrites.turn_round, "Blue.")
