"""Which clauses deny a statement: worked out with vectors by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader import Gradable, ReferenceAnswer
from grader.denial import Suspect, confirmed_clauses, retracted_clauses, suspected_clauses
from grader.encoders import FloatArray
from grader.profiles import ItemProfile, TextProfile, profile_item, profile_text
from grader.text import Passage

REFERENCE = "Heat flows from the tea into the spoon."


def profiles(answer: str, cosine: float = 0.9) -> tuple[ItemProfile, TextProfile]:
    """Return an item with one reference and an answer all of whose clauses have this cosine to it."""

    def lookup(passage: Passage) -> FloatArray:
        if passage.context == answer:
            return np.array([cosine, np.sqrt(1 - cosine**2)], dtype=np.float32)
        return np.array([1, 0], dtype=np.float32)

    item = Gradable(reference_answers=(ReferenceAnswer(text=REFERENCE),))
    return profile_item(item, lookup), profile_text(answer, lookup)


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
    return {at for at, suspect in suspected_clauses(item, answer).items() if suspect.by_rule}


def test_a_suspicion_names_the_clause_and_the_statement_it_denies() -> None:
    denial = "Heat does not flow from the tea into the spoon."
    assert suspected_clauses(*profiles(denial)) == {0: Suspect(((denial, REFERENCE),), by_rule=True)}
    assert suspected_clauses(*profiles(f"{REFERENCE} This is wrong."))[0] == Suspect((), by_rule=True)


@pytest.mark.parametrize(
    ("answer", "cosine", "is_asked"),
    [
        ("Heat flows from the spoon into the tea.", 0.9, True),
        ("Heat flows from the spoon into the tea.", 0.79, False),
        (REFERENCE, 1.0, False),
        ("Energy goes from warm liquid to cold metal.", 0.9, False),
    ],
    ids=["exchanged", "distant", "the-same", "other-words"],
)
def test_the_words_of_a_statement_in_another_order_are_worth_a_question(answer: str, cosine: float, is_asked: bool) -> None:
    expected = {0: Suspect(((answer, REFERENCE),), by_rule=False)} if is_asked else {}
    item, answered = profiles(answer, cosine)
    assert suspected_clauses(replace(item, derived=False), answered) == expected
    assert suspected_clauses(item, answered) == {}


@pytest.mark.parametrize(
    ("by_rule", "probabilities", "is_confirmed"),
    [
        (True, (0.3, 0.1), True),
        (True, (0.29, 0.29), False),
        (True, (0.0, 1.0), True),
        (False, (0.9, 0.0), True),
        (False, (0.89, 0.89), False),
    ],
    ids=["rule-and-one", "rule-and-neither", "rule-and-the-other", "verifier-alone", "verifier-unsure"],
)
def test_the_verifier_alone_has_to_be_surer_than_with_the_rule(
    by_rule: bool, probabilities: tuple[float, float], is_confirmed: bool
) -> None:
    pairs = (("clause", "one"), ("clause", "two"))
    confirmed = confirmed_clauses({4: Suspect(pairs, by_rule=by_rule)}, dict(zip(pairs, probabilities, strict=True)))
    assert confirmed == (frozenset({4}) if is_confirmed else frozenset())


def test_where_no_verifier_is_asked_the_rule_is_believed() -> None:
    suspects = {
        0: Suspect((("clause", "one"),), by_rule=True),
        1: Suspect((("clause", "two"),), by_rule=False),
        2: Suspect((), by_rule=True),
    }
    assert confirmed_clauses(suspects, {}) == {0, 2}


@pytest.mark.parametrize(
    ("by_rule", "probability", "is_confirmed"),
    [(True, 0.15, True), (True, 0.14, False), (False, 0.5, True), (False, 0.49, False)],
)
def test_beside_one_denial_another_needs_less(by_rule: bool, probability: float, is_confirmed: bool) -> None:
    sure, doubtful = ("first", "one"), ("second", "two")
    suspects = {0: Suspect((sure,), by_rule=True), 1: Suspect((doubtful,), by_rule=by_rule)}
    assert confirmed_clauses(suspects, {sure: 0.9, doubtful: probability}) == ({0, 1} if is_confirmed else {0})
    assert confirmed_clauses(suspects, {sure: 0.1, doubtful: probability}) == frozenset()
