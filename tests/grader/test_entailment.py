"""What is asked of a verifier for each key point, and what is made of its word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader import Gradable, Grader, ItemBank, KeyPoint, ReferenceAnswer, Verdict
from grader.encoders import FloatArray
from grader.entailment import Told, entailed_share, passages_of, questions_of, questions_of_references, statements_said, told
from grader.profiles import ItemProfile, TextProfile, profile_item, profile_text
from grader.text import Passage
from grader.verifier import Relations
from tests.grader.spelt_words import packed_words_of

POINT = "Heat flows from the tea into the spoon."
NEAR, NEARER, FAR = "The tea warms the spoon.", "The spoon takes heat from the tea.", "Tea is grown in India."
COSINES = {POINT: 1.0, NEAR: 0.7, NEARER: 0.9, FAR: 0.2}


def lookup(passage: Passage) -> FloatArray:
    cosine = COSINES.get(passage.text, 0.5)
    return np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float32)


def profiles(answer: str) -> tuple[ItemProfile, TextProfile]:
    item = Gradable(
        question="Why does the spoon get hot?",
        reference_answers=(ReferenceAnswer(text=POINT),),
        key_points=(KeyPoint(id="heat", text=POINT, keywords=(("heat",),)),),
    )
    return profile_item(item, lookup, packed_words_of), profile_text(answer, lookup)


@pytest.fixture
def short_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every sentence a passage of its own."""
    monkeypatch.setattr("grader.entailment._PASSAGE_WORDS", 7)


def test_each_key_point_is_asked_of_the_answer_as_a_whole() -> None:
    item, answer = profiles(f"{FAR} {NEAR} {NEARER}")
    (questions,) = questions_of(item, answer)
    assert [question.pair for question in questions] == [(answer.text, POINT)]
    assert [question.similarity for question in questions] == pytest.approx([0.9], abs=1e-6)
    assert [answer.text[q.sentence.start : q.sentence.end] for q in questions] == [NEARER]


@pytest.mark.usefixtures("short_passages")
def test_of_a_long_answer_it_is_asked_of_the_two_nearest_passages_nearest_first() -> None:
    item, answer = profiles(f"{FAR} {NEAR} {NEARER}")
    (questions,) = questions_of(item, answer)
    assert [question.pair for question in questions] == [(NEARER, POINT), (NEAR, POINT)]
    assert [question.similarity for question in questions] == pytest.approx([0.9, 0.7], abs=1e-6)
    assert [answer.text[q.sentence.start : q.sentence.end] for q in questions] == [NEARER, NEAR]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("Unlike the weather, the tea warms the spoon.", "the tea warms the spoon."),
        ("Hm. Different from gold, the tea is hot. Contrary to that, it cools.", "Hm. the tea is hot. it cools."),
        ("Unlike the tea, the spoon is cold.", "Unlike the tea, the spoon is cold."),
        ("The tea is unlike the weather, and hot.", "The tea is unlike the weather, and hot."),
    ],
)
def test_what_an_answer_is_set_off_from_is_not_shown_where_the_item_knows_nothing_of_it(answer: str, shown: str) -> None:
    (questions,) = questions_of(*profiles(answer))
    assert [question.pair for question in questions] == [(shown, POINT)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (17, [f"{FAR} {NEAR} {NEARER}"]),
        (12, [f"{FAR} {NEAR}", f"{NEAR} {NEARER}"]),
        (11, [f"{FAR} {NEAR}", NEARER]),
        (1, [FAR, NEAR, NEARER]),
    ],
)
def test_a_passage_is_whole_sentences_and_begins_with_the_last_one_s_end_where_there_is_room(
    most: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.entailment._PASSAGE_WORDS", most)
    text = f"{FAR} {NEAR} {NEARER}"
    parts = passages_of(text)
    assert [part.text for part in parts] == expected
    assert all(text[part.start : part.end] == part.text for part in parts)
    assert passages_of("") == []


@pytest.mark.usefixtures("short_passages")
def test_a_sentence_says_all_statements_of_the_key_point_that_it_likelier_says_than_not() -> None:
    example = "The spoon is warmed by the tea."
    item = Gradable(
        question="Why does the spoon get hot?",
        reference_answers=(ReferenceAnswer(text=POINT),),
        key_points=(KeyPoint(id="heat", text=POINT, keywords=(("heat",),), examples=(example,)),),
    )
    profile = profile_item(item, lookup, packed_words_of)
    questions = questions_of(profile, profile_text(f"{NEAR} {NEARER}", lookup))
    relations = {(NEARER, POINT): Relations(0.8, 0.1, 0.1), (NEAR, POINT): Relations(0.4, 0.5, 0.1)}
    ((sentence, said),) = statements_said(profile, questions, relations).items()
    assert sentence.text == NEARER
    assert said == {POINT: 0.8, example: 0.8}
    assert statements_said(profile, questions, {}) == {}


def without_key_points(*references: str) -> ItemProfile:
    texts = tuple(ReferenceAnswer(text=text) for text in references)
    return profile_item(Gradable(question="Why does the spoon get hot?", reference_answers=texts), lookup, packed_words_of)


def test_derived_key_points_are_not_asked_about() -> None:
    item, answer = profiles(NEAR)
    assert questions_of(replace(item, derived=True), answer) == ()
    assert questions_of_references(item, answer) == ()
    assert told((), {}) == ()


def test_without_key_points_each_sentence_of_several_references_is_asked_of_the_nearest() -> None:
    item = without_key_points(f"{POINT} Metal lets it pass easily. Oh!", "It takes up heat.")
    questions = questions_of_references(item, profile_text(f"{FAR} {NEAR} {NEARER}", lookup))
    assert [[question.pair[1] for question in of_reference] for of_reference in questions] == [
        [POINT, "Metal lets it pass easily."],
        ["It takes up heat."],
    ]
    assert questions[0][0].pair == (NEARER, POINT)
    assert questions_of_references(without_key_points(POINT), profile_text(NEAR, lookup)) == ()
    assert questions_of_references(without_key_points(POINT, POINT.upper()), profile_text(NEAR, lookup)) == ()


def test_no_more_than_three_references_are_asked_about() -> None:
    item = without_key_points(POINT, "It takes up heat.", "Heat moves into it.", "The metal conducts heat.")
    questions = questions_of_references(item, profile_text(f"{NEAR} {NEARER}", lookup))
    assert [question.pair for of_reference in questions for question in of_reference] == [
        (NEARER, POINT), (NEAR, "It takes up heat."), (NEAR, "Heat moves into it."),
    ]  # fmt: skip


def test_the_reference_that_is_said_best_counts() -> None:
    other = "It takes up heat. It gets warm."
    questions = questions_of_references(without_key_points(POINT, other), profile_text(f"{NEAR} {NEARER}", lookup))
    relations = {question.pair: Relations(0.2, 0.8, 0.0) for of_reference in questions for question in of_reference}
    assert entailed_share(questions, relations) == pytest.approx(0.2)
    relations[NEAR, "It takes up heat."] = Relations(0.9, 0.1, 0.0)
    assert entailed_share(questions, relations) == pytest.approx(0.55)
    assert entailed_share(questions, relations, is_reference=True) == 1.0
    assert entailed_share(questions, {}) is None
    assert entailed_share((), relations) is None


@pytest.mark.usefixtures("short_passages")
@pytest.mark.parametrize(
    ("near", "nearer", "is_contradicted"),
    [
        ((0.0, 0.0), (0.0, 0.99), True),
        ((0.1, 0.0), (0.0, 0.95), True),
        ((0.11, 0.0), (0.0, 0.99), False),
        ((0.0, 0.0), (0.0, 0.94), False),
    ],
    ids=["sure", "just", "said-elsewhere", "unsure"],
)
def test_a_sure_contradiction_beside_which_the_point_is_not_said_denies_it(
    near: tuple[float, float], nearer: tuple[float, float], is_contradicted: bool
) -> None:
    questions = questions_of(*profiles(f"{NEAR} {NEARER}"))
    relations = {(NEAR, POINT): Relations(near[0], 0.0, near[1]), (NEARER, POINT): Relations(nearer[0], 0.0, nearer[1])}
    (word,) = told(questions, relations)
    assert word.is_contradicted is is_contradicted
    assert (word.entails, word.contradicts) == (max(near[0], nearer[0]), max(near[1], nearer[1]))


def test_a_distant_sentence_denies_nothing_by_itself() -> None:
    questions = questions_of(*profiles(FAR))
    (word,) = told(questions, {(FAR, POINT): Relations(0.0, 0.0, 1.0)})
    assert not word.is_contradicted
    assert word.contradicts == 1.0


def test_a_point_is_upheld_as_far_as_it_is_entailed_rather_than_contradicted() -> None:
    word = Told(entails=0.9, contradicts=0.05, is_contradicted=False, saying=None, denying=None)
    assert word.upheld == pytest.approx(0.9)
    assert replace(word, entails=0.0, contradicts=0.0).upheld == 0.0
    assert replace(word, entails=0.45, contradicts=0.4).upheld == pytest.approx(0.5)


def test_a_right_answer_in_other_words_stands_above_the_reference_turned_round(
    real_grader: Grader, shipped_bank: ItemBank
) -> None:
    dropout = shipped_bank.get("dropout")
    right = "While the network learns, some units are muted by chance, so that none of them can lean on its neighbours."
    turned = "Dropout keeps all neurons active during training, so each neuron can rely on the others."
    above, below = real_grader.grade_many([(dropout, right), (dropout, turned)])
    assert above.score > below.score + 0.2


def test_what_proves_a_point_is_the_sentence_that_says_it(real_grader: Grader, shipped_bank: ItemBank) -> None:
    saying = "Dropout switches off random neurons while the network is trained."
    result = real_grader.grade(shipped_bank.get("dropout"), f"It is a well known method. {saying}")
    proven = [match for match in result.key_points if match.verdict is Verdict.COVERED]
    assert proven
    assert saying in {span.text for match in proven for span in match.evidence}
