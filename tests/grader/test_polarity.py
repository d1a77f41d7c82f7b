"""Denial: counted where it denies something, believed where it is about what the other text speaks of."""

from __future__ import annotations

import pytest

from grader.polarity import disagrees, is_contrast, is_negated, is_retraction, negations, opposites, signed_words
from grader.text import stem, word_list


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("It learns.", 0),
        ("It does not learn.", 1),
        ("It doesn't learn.", 1),
        ("It doesn’t learn.", 1),
        ("It doesnt learn.", 1),
        ("It cannot learn.", 1),
        ("It never learns without labels.", 2),
        ("It fails to learn.", 1),
        ("It uses noise and a knot.", 0),
        ("It not only learns but generalises.", 0),
        ("No matter what, it is not slow.", 1),
        ("Without doubt it learns.", 0),
        ("It is trained, whether or not it converges.", 0),
        ("It learns rather than memorises.", 1),
        ("NOT at all.", 1),
        ("It is false that it learns.", 1),
        ("It isn't true that it learns.", 1),
        ("It is not wrong to say that it learns.", 0),
    ],
)
def test_negations_are_counted_and_idle_ones_are_not(text: str, expected: int) -> None:
    assert negations(text) == expected
    assert is_negated(text) == (expected == 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("It reduces bias.", {"reduc": 1, "bias": -1}),
        ("It does not reduce bias.", {"reduc": -1, "bias": 1}),
        ("It is not noise, it is bias.", {"nois": -1, "bias": 1}),
        ("Bias, no bias.", {}),
        ("Bias it does not.", {"bias": -1}),
    ],
)
def test_words_carry_the_sign_of_what_is_said_of_them(text: str, expected: dict[str, int]) -> None:
    assert signed_words(text) == expected


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Dropout reduces overfitting.", "Dropout reduces overfitting.", False),
        ("Dropout does not reduce overfitting.", "Dropout reduces overfitting.", True),
        ("Dropout increases overfitting.", "Dropout reduces overfitting.", True),
        ("Dropout does not increase overfitting.", "Dropout reduces overfitting.", False),
        ("Dropout does not reduce overfitting.", "Dropout does not reduce overfitting.", False),
        ("Dropout reduces overfitting.", "Dropout does not reduce overfitting.", True),
        ("Dropout reduces overfitting, without technical vocabulary being needed.", "Dropout reduces overfitting.", False),
        ("Reducing overfitting is something that dropout does not.", "Dropout reduces overfitting.", True),
        ("It not only reduces overfitting.", "It reduces overfitting.", False),
        ("It is false that dropout reduces overfitting.", "Dropout reduces overfitting.", True),
        ("It isn't true that dropout reduces overfitting.", "Dropout reduces overfitting.", True),
        ("It is not wrong to say that dropout reduces overfitting.", "Dropout reduces overfitting.", False),
        ("It is true that dropout reduces overfitting.", "Dropout reduces overfitting.", False),
        ("That dropout reduces overfitting is a myth.", "Dropout reduces overfitting.", True),
        ("The claim that dropout reduces overfitting is false.", "Dropout reduces overfitting.", True),
        ("The idea that dropout reduces overfitting is old.", "Dropout reduces overfitting.", False),
        ("I don't think that dropout reduces overfitting.", "Dropout reduces overfitting.", True),
        ("Nobody would say that dropout reduces overfitting.", "Dropout reduces overfitting.", True),
        ("Many wrongly believe that dropout reduces overfitting.", "Dropout reduces overfitting.", True),
        ("It is a myth that dropout increases overfitting.", "Dropout reduces overfitting.", False),
    ],
)
def test_denials_and_opposites_cancel_each_other(answer: str, reference: str, expected: bool) -> None:
    assert disagrees(answer, reference) is expected


def test_opposites_oppose_each_other() -> None:
    for pair in word_list("opposites"):
        one, other = (stem(word) for word in pair.split("/"))
        assert one == other or (other in opposites()[one] and one in opposites()[other]), pair


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("Water leaves a cell in a hypotonic solution.", "Water leaves a cell in a hypertonic solution."),
        ("An exothermic reaction takes up heat.", "An endothermic reaction takes up heat."),
        ("The minority class should be undersampled.", "The minority class should be oversampled."),
        ("The response to the input is nonlinear.", "The response to the input is linear."),
        ("The estimate is unbounded from above.", "The estimate is bounded from above."),
        ("Oxidation happens at the cathode.", "Oxidation happens at the anode."),
    ],
)
def test_one_word_of_another_beginning_or_from_the_list_turns_a_statement_round(answer: str, reference: str) -> None:
    assert disagrees(answer, reference, share=1 / 6)
    assert disagrees(reference, answer, share=1 / 6)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("The law is understood.", "The law is stood."),
        ("The values are preset.", "The values are set."),
        ("Dropout avoids overfitting.", "Dropout is used to reduce overfitting."),
        ("The method based on ions.", "The acid method on ions."),
    ],
)
def test_words_that_only_look_or_work_like_opposites_turn_nothing_round(answer: str, reference: str) -> None:
    assert not disagrees(answer, reference, share=1 / 20)
    assert not disagrees(reference, answer, share=1 / 20)


def test_no_word_is_its_own_opposite() -> None:
    assert all(word not in against for word, against in opposites().items())


def test_a_word_that_lessens_does_not_reach_into_what_a_relative_clause_says() -> None:
    reference = "Dropout is a technique against overfitting that randomly switches neurons off."
    assert signed_words(reference)["overfit"] == -1
    assert signed_words(reference)["switch"] == 1
    assert not disagrees("Dropout randomly switches off neurons.", reference)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("This is wrong.", True),
        ("That's not true!", True),
        ("But all of the above is false", True),
        ("The opposite is true.", True),
        ("Not!", True),
        ("This is a common misconception.", True),
        ("This is true.", False),
        ("This is not true of plants.", False),
        ("It is wrong to leave it out.", False),
        ("It is the error.", False),
        ("", False),
    ],
)
def test_a_retraction_says_no_more_than_that_it_was_wrong(sentence: str, expected: bool) -> None:
    assert is_retraction(sentence) is expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It is not the water that travels but the wave.", True),
        ("The air doesn’t rise there but sinks and warms.", True),
        ("It isn't the wall that collapses, it is the contents.", True),
        ("They aren't cooperating: they are competing.", True),
        ("Unlike a prism, a mirror bends no light.", True),
        ("It not only learns but generalises.", True),
        ("It is not that she gains momentum.", True),
        ("Water does not travel with the wave.", False),
        ("It never learns, and it is slow.", False),
        ("It learns, but slowly.", False),
        ("It does not guide the search.", False),
        ("", False),
    ],
)
def test_a_contrast_denies_one_thing_to_set_off_another(sentence: str, expected: bool) -> None:
    assert is_contrast(sentence) == expected
