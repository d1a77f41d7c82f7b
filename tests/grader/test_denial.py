"""Which clauses deny a statement: worked out with vectors by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader import Gradable, KeyPoint, ReferenceAnswer
from grader.denial import (
    Ground,
    Suspect,
    confirmed_clauses,
    not_outvoted,
    retracted_clauses,
    suspected_clauses,
    suspicion,
    word_against,
)
from grader.encoders import FloatArray
from grader.profiles import ItemProfile, TextProfile, profile_item, profile_text
from grader.text import Passage, sentences
from grader.verifier import Relations
from tests.grader.spelt_words import packed_words_of

REFERENCE = "Heat flows from the tea into the spoon."


def profiles(answer: str, cosine: float = 0.9, *, reference: str = REFERENCE) -> tuple[ItemProfile, TextProfile]:
    """Return an item with one reference and an answer all of whose clauses have this cosine to it."""

    def lookup(passage: Passage) -> FloatArray:
        if passage.context == answer:
            return np.array([cosine, np.sqrt(1 - cosine**2)], dtype=np.float32)
        return np.array([1, 0], dtype=np.float32)

    item = Gradable(reference_answers=(ReferenceAnswer(text=reference),))
    return profile_item(item, lookup, packed_words_of), profile_text(answer, lookup)


@pytest.mark.parametrize(
    ("answer", "cosine", "is_denied"),
    [
        ("Heat does not flow from the tea into the spoon.", 0.9, True),
        ("Heat does not flow from the tea into the spoon.", 0.6, False),
        ("The metal does not warm up by conduction.", 0.9, False),
        ("Heat flows from the tea into the spoon.", 0.9, False),
    ],
    ids=["denied", "distant", "other-words", "the-same"],
)
def test_close_wording_with_other_signs_is_denied(answer: str, cosine: float, is_denied: bool) -> None:
    assert suspects_by_rule(*profiles(answer, cosine)) == ({0} if is_denied else set())


def test_each_clause_is_judged_by_itself() -> None:
    answer = "Heat flows from the tea into the spoon. Steel is an alloy. Heat does not flow from tea into the spoon."
    assert suspects_by_rule(*profiles(answer)) == {2}


@pytest.mark.parametrize(
    ("answer", "retracted", "denied"),
    [
        (f"{REFERENCE} This is wrong.", {0}, {0}),
        (f"Heat does not flow from the tea into the spoon. This is wrong. {REFERENCE}", {0}, set()),
        (f"{REFERENCE} Steel is an alloy. All of this is false.", {0, 1}, {0}),
        (f"{REFERENCE} Steel is an alloy. This is false.", {1}, set()),
        (f"This is wrong. {REFERENCE}", set(), set()),
    ],
    ids=["taken-back", "denial-taken-back", "everything", "the-last", "nothing-before"],
)
def test_what_an_answer_takes_back_means_its_opposite(answer: str, retracted: set[int], denied: set[int]) -> None:
    item, answered = profiles(answer)
    assert retracted_clauses(answered) == retracted
    assert suspects_by_rule(item, answered) == denied


def suspects_by_rule(item: ItemProfile, answer: TextProfile) -> set[int]:
    grounds = (Ground.RULE, Ground.RULE_DERIVED)
    return {at for at, suspect in suspected_clauses(item, answer).items() if suspect.ground in grounds}


def test_a_suspicion_names_the_clause_and_the_statement_it_denies() -> None:
    denial = "Heat does not flow from the tea into the spoon."
    item, answered = profiles(denial)
    pairs = ((denial, REFERENCE),)
    assert suspected_clauses(item, answered) == {0: Suspect(pairs, Ground.RULE_DERIVED)}
    assert suspected_clauses(replace(item, derived=False), answered) == {0: Suspect(pairs, Ground.RULE)}
    assert suspected_clauses(*profiles(f"{REFERENCE} This is wrong."))[0] == Suspect((), Ground.RULE)


@pytest.mark.parametrize(
    ("ground", "probabilities", "is_confirmed"),
    [
        (Ground.RULE, (0.3, 0.1), True),
        (Ground.RULE, (0.29, 0.29), False),
        (Ground.RULE, (0.0, 1.0), True),
        (Ground.RULE_DERIVED, (0.9, 0.1), True),
        (Ground.RULE_DERIVED, (0.89, 0.89), False),
        (Ground.LOOSE_RULE, (0.9, 0.0), True),
        (Ground.LOOSE_RULE, (0.89, 0.89), False),
        (Ground.LOOSE_RULE_DERIVED, (0.97, 0.0), True),
        (Ground.LOOSE_RULE_DERIVED, (0.96, 0.96), False),
    ],
)
def test_the_less_a_suspicion_stands_on_the_surer_the_verifier_has_to_be(
    ground: Ground, probabilities: tuple[float, float], is_confirmed: bool
) -> None:
    pairs = (("clause", "one"), ("clause", "two"))
    confirmed = confirmed_clauses({4: Suspect(pairs, ground)}, dict(zip(pairs, probabilities, strict=True)))
    assert confirmed == (frozenset({4}) if is_confirmed else frozenset())


def test_where_no_verifier_is_asked_the_rule_in_close_wording_is_believed() -> None:
    asked_about = [ground for ground in Ground if ground is not Ground.EXCHANGED]
    suspects = {at: Suspect((("clause", ground.name),), ground) for at, ground in enumerate(asked_about)}
    suspects |= {8: Suspect((), Ground.EXCHANGED), 9: Suspect((), Ground.RULE)}
    assert confirmed_clauses(suspects, {}) == {0, 1, 8, 9}


@pytest.mark.parametrize(
    ("ground", "probability", "is_confirmed"),
    [
        (Ground.RULE, 0.15, True),
        (Ground.RULE, 0.14, False),
        (Ground.RULE_DERIVED, 0.8, True),
        (Ground.RULE_DERIVED, 0.79, False),
        (Ground.LOOSE_RULE, 0.6, True),
        (Ground.LOOSE_RULE, 0.59, False),
        (Ground.LOOSE_RULE_DERIVED, 0.95, True),
        (Ground.LOOSE_RULE_DERIVED, 0.94, False),
    ],
)
def test_beside_one_denial_another_needs_less(ground: Ground, probability: float, is_confirmed: bool) -> None:
    sure, doubtful = ("first", "one"), ("second", "two")
    suspects = {0: Suspect((sure,), Ground.RULE), 1: Suspect((doubtful,), ground)}
    assert confirmed_clauses(suspects, {sure: 0.9, doubtful: probability}) == ({0, 1} if is_confirmed else {0})
    assert confirmed_clauses(suspects, {sure: 0.1, doubtful: probability}) == frozenset()


def test_suspicions_fall_where_the_answer_says_the_key_points_unless_they_are_certain() -> None:
    pairs = (("clause", "one"),)
    suspects = {
        0: Suspect(pairs, Ground.RULE),
        1: Suspect(pairs, Ground.LOOSE_RULE),
        2: Suspect((), Ground.EXCHANGED),
        3: Suspect(pairs, Ground.TURNED),
        4: Suspect(pairs, Ground.RULE_DERIVED),
    }
    assert not_outvoted(suspects, 0.49) == suspects
    assert set(not_outvoted(suspects, 0.50)) == set(not_outvoted(suspects, 0.74)) == {0, 2, 3, 4}
    assert set(not_outvoted(suspects, 0.75)) == {2, 4}


@pytest.mark.parametrize(
    ("ground", "probability", "weight"),
    [
        (Ground.RULE, 0.02, 0.82),
        (Ground.RULE, 0.5, 1.3),
        (Ground.LOOSE_RULE, 0.5, 0.5),
        (Ground.TURNED, 0.09, 0.09),
        (Ground.TURNED, 0.1, 0.7),
        (Ground.RULE_DERIVED, 0.9, 0.0),
        (Ground.LOOSE_RULE_DERIVED, 0.9, 0.0),
    ],
)
def test_a_suspicion_weighs_by_the_verifiers_word_and_by_its_ground(ground: Ground, probability: float, weight: float) -> None:
    pairs = (("clause", "one"), ("clause", "two"))
    suspects = {0: Suspect(pairs, ground), 3: Suspect((("other", "one"),), Ground.LOOSE_RULE)}
    _, two = profiles("Steel is an alloy. Tea is a drink.")
    _, four = profiles("Steel is an alloy. Tea is a drink. Spoons are made. Heat is lost.")
    for word in ((probability, 0.0), (0.0, probability)):
        assert suspicion(suspects, dict(zip(pairs, word, strict=True)), two) == pytest.approx(weight / 2)
        assert suspicion(suspects, dict(zip(pairs, word, strict=True)), four) == pytest.approx(weight / 4)


def test_suspicions_add_up_over_the_clauses_of_an_answer() -> None:
    one, other = ("first", "one"), ("second", "two")
    _, answer = profiles("Steel is an alloy. Tea is a drink.")
    suspects = {0: Suspect((one,), Ground.LOOSE_RULE), 1: Suspect((other,), Ground.LOOSE_RULE)}
    assert suspicion(suspects, {one: 0.4, other: 0.2}, answer) == pytest.approx(0.3)
    # A lone one is no pile.
    assert suspicion({0: Suspect((one,), Ground.RULE)}, {one: 0.9}, answer) == 0.0
    # Without a verifier the rule's word is all there is; what an answer takes back is certain.
    assert suspicion({0: Suspect((one,), Ground.RULE), 1: Suspect((other,), Ground.TURNED)}, {}, answer) == pytest.approx(0.9)
    assert suspicion({0: Suspect((), Ground.RULE), 1: Suspect((one,), Ground.RULE)}, {one: 0.0}, answer) == pytest.approx(1.3)
    # Who sets off what is so by what is not denies much that nobody holds.
    _, contrast = profiles("Steel is not an element but an alloy. Tea is a drink.")
    assert suspicion(suspects, {one: 0.4, other: 0.2}, contrast) == 0.0


def test_half_of_a_contrast_denies_nothing_unless_the_item_draws_one() -> None:
    answer = "Heat does not flow from the tea into the spoon, but from the sun into the tea."
    assert suspects_by_rule(*profiles(answer)) == set()
    assert suspects_by_rule(*profiles("Heat does not flow from the tea into the spoon.")) == {0}


def test_one_word_turned_round_in_the_same_wording_is_asked_about_on_an_authors_items() -> None:
    reference = "Heat flows from the tea inside the cup along the metal handle to the spoon that lies on the table."
    turned = reference.replace("inside", "outside")
    for cosine, expected in ((0.8, {0: Suspect(((turned, reference),), Ground.TURNED)}), (0.79, {})):
        item, answered = profiles(turned, cosine, reference=reference)
        assert suspected_clauses(replace(item, derived=False), answered) == expected
        assert suspected_clauses(item, answered) == {}


def compared(answer: str) -> tuple[ItemProfile, TextProfile]:
    """Return an item that compares two things and an answer, all of whose clauses are near to all statements."""

    def lookup(_: Passage) -> FloatArray:
        return np.array([1, 0], dtype=np.float32)

    item = Gradable(
        question="How do frogs and toads differ?",
        reference_answers=(ReferenceAnswer(text="Frogs are moist, smooth and jump. Toads are dry, warty and walk."),),
        key_points=(
            KeyPoint(id="frogs", text="Frogs are moist, smooth and jump."),
            KeyPoint(id="toads", text="Toads are dry, warty and walk."),
        ),
    )
    return profile_item(item, lookup, packed_words_of), profile_text(answer, lookup)


def test_what_is_so_of_one_thing_said_of_the_other_is_a_denial_without_a_verifier() -> None:
    suspects = suspected_clauses(*compared("Toads are moist, smooth and jump."))
    assert [(suspect.ground, suspect.pairs) for suspect in suspects.values()] == [(Ground.EXCHANGED, ())]
    assert confirmed_clauses(suspects, {}) == {0}


def test_a_clause_on_one_thing_is_no_denial_of_what_is_said_of_the_other() -> None:
    assert suspected_clauses(*compared("Frogs are moist, smooth and jump.")) == {}
    assert suspected_clauses(*compared("Toads are not moist, not smooth and do not jump.")) == {}


def test_a_heap_of_terms_exchanges_nothing() -> None:
    suspects = suspected_clauses(*compared("toad moist smooth jump frog"))
    assert Ground.EXCHANGED not in {suspect.ground for suspect in suspects.values()}


def test_what_is_taken_back_or_only_denied_exchanges_nothing() -> None:
    for answer in (
        "Some think that toads are moist, smooth and jump. This is wrong.",
        "It is not the toads that are moist, smooth and jump, it is the frogs.",
    ):
        grounds = {suspect.ground for suspect in suspected_clauses(*compared(answer)).values()}
        assert Ground.EXCHANGED not in grounds


@pytest.mark.parametrize(
    ("reference", "conditions"),
    [
        (
            "If the tea in the cup on the table is hot, then heat flows from it into the spoon in the cup.",
            ["If the tea in the cup on the table is hot"],
        ),
        ("If the tea is hot the spoon warms", []),
        ("The spoon warms. When the tea is hot.", []),
    ],
)
def test_a_condition_cut_out_of_its_sentence_claims_nothing(reference: str, conditions: list[str]) -> None:
    item, _ = profiles("Any.", reference=reference)
    assert [statement.text for statement in item.statements if statement.is_condition] == conditions
    assert (~item.claims).sum() == len(conditions)


@pytest.mark.parametrize(
    ("entails", "contradicts", "of_sentence", "word"),
    [(0.1, 0.8, 0.0, 0.8), (0.5, 0.4, 0.0, 0.0), (0.1, 0.8, 0.7, 0.8), (0.1, 0.6, 0.7, 0.0)],
    ids=["denies", "says-it-rather", "says-the-point-less-likely", "says-the-point-rather"],
)
def test_a_clause_that_likelier_says_than_denies_is_no_denial(
    entails: float, contradicts: float, of_sentence: float, word: float
) -> None:
    _, answer = profiles(f"Heat does not flow into the spoon. {REFERENCE}")
    pair = (answer.clauses[0].text, REFERENCE)
    relations = {pair: Relations(entails, 1 - entails - contradicts, contradicts)}
    # What another sentence says does not speak for this one.
    said = {sentences(answer.text)[0]: {REFERENCE: of_sentence}, sentences(answer.text)[1]: {REFERENCE: 1.0}}
    suspects = {0: Suspect((pair, ("never", "asked")), Ground.RULE)}
    assert word_against(suspects, relations, answer, said) == {pair: word}
