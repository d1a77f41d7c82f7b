"""Verdicts worked out by hand: vectors of three numbers, key points along the first axis."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grader import EvidenceSpan, Gradable, KeyPoint, KeyPointMatch, Keywords, Misconception, ReferenceAnswer, Verdict
from grader.denial import confirmed_clauses, suspected_clauses
from grader.encoders import FloatArray
from grader.keyword_use import NO_KEYWORDS
from grader.matching import Matching, blank_matching, match_key_points, second_looks, words_said
from grader.profiles import effective_key_points, profile_item, profile_text
from grader.text import Passage
from tests.grader.spelt_words import packed_words_of, words_of

Vectors = dict[str, tuple[float, float, float]]
POINT = KeyPoint(id="vanish", text="Neurons vanish at random.", keywords=(("neuron", "unit"), ("random",)))
REFERENCE = "A sentence about steel."


def towards(cosine: float) -> tuple[float, float, float]:
    """Return a unit vector with this cosine to the first axis."""
    return cosine, math.sqrt(1 - cosine**2), 0.0


def matching_of(
    answer: str,
    vectors: Vectors,
    *points: KeyPoint,
    question: str = "",
    reference: str = REFERENCE,
    misconceptions: tuple[Misconception, ...] = (),
    said: float | None = None,
) -> Matching:
    """Return what an answer does with key points; how far it says each is worked out from its words unless it is given."""
    known: Vectors = {REFERENCE: (0.0, 0.0, 1.0), POINT.text: (1.0, 0.0, 0.0), question: (0.0, 0.0, 1.0), **vectors}
    item = Gradable(
        question=question,
        reference_answers=(ReferenceAnswer(text=reference),),
        key_points=points,
        misconceptions=misconceptions,
    )

    def lookup(passage: Passage) -> FloatArray:
        return np.array(known[passage.text], dtype=np.float32)

    profile, answered = profile_item(item, lookup, packed_words_of), profile_text(answer, lookup)
    looks = {passage: lookup(passage) for passage in second_looks(profile, answered)}
    denied = confirmed_clauses(suspected_clauses(profile, answered), {})
    by_words = words_said(profile, words_of(answer), 0.0)
    said_of_points = by_words if said is None else [said] * len(by_words)
    return match_key_points(profile, answered, looks, denied=denied, suspicion=0.0, said=said_of_points)


@pytest.mark.parametrize(
    ("answer", "said", "expected"),
    [
        ("Neurons go at random", 0.1, Verdict.COVERED),  # (.1 + 1) / 2
        ("Neurons go at random", 0.08, Verdict.PARTIAL),  # (.08 + 1) / 2
        ("Neurons go at random", 0.0, Verdict.PARTIAL),  # (0 + 1) / 2
        ("Units go", 0.8, Verdict.COVERED),  # (.8 + .5) / 2
        ("Units go", 0.5, Verdict.PARTIAL),  # (.5 + .5) / 2
        ("Units go", 0.18, Verdict.MISSING),  # (.18 + .5) / 2
        ("Parts go", 1.0, Verdict.PARTIAL),  # (1 + 0) / 2
        ("Parts go", 0.68, Verdict.MISSING),  # (.68 + 0) / 2
    ],
)
def test_a_verdict_is_the_mean_of_what_is_said_and_keywords(answer: str, said: float, expected: Verdict) -> None:
    (match,) = matching_of(answer, {answer: towards(0.5)}, POINT, said=said).matches
    assert match.verdict is expected
    assert match.similarity == pytest.approx(0.5, abs=1e-4)
    assert bool(match.evidence) == (expected is not Verdict.MISSING)


@pytest.mark.parametrize(("said", "expected"), [(0.55, Verdict.COVERED), (0.35, Verdict.PARTIAL), (0.34, Verdict.MISSING)])
def test_without_keywords_what_is_said_decides_alone(said: float, expected: Verdict) -> None:
    point = KeyPoint(id="vanish", text=POINT.text)
    result = matching_of("Parts go", {"Parts go": towards(0.5)}, point, said=said)
    assert result.matches[0].verdict is expected
    assert result.keywords == Keywords(matched=(), missing=())
    assert result.keyword_coverage == 0.0


def test_the_closest_clause_is_the_proof_and_keywords_elsewhere_are_added() -> None:
    answer = "It is chance. Units go. They are random."
    vectors = {answer: towards(0.1), "It is chance.": towards(0.2), "Units go.": towards(0.8), "They are random.": towards(0.3)}
    (match,) = matching_of(answer, vectors, POINT).matches
    assert match.evidence == (EvidenceSpan(start=14, end=23, text="Units go."), EvidenceSpan(start=33, end=39, text="random"))
    assert match.similarity == 0.8


def test_an_example_states_the_point_as_well_as_its_text() -> None:
    point = KeyPoint(id="vanish", text=POINT.text, examples=("Some are switched off.",))
    (match,) = matching_of("Some are switched off.", {"Some are switched off.": (0.0, 1.0, 0.0)}, point).matches
    # Said in full by the example and not at all by the text.
    assert match.verdict is Verdict.COVERED
    assert match.similarity == 1.0


def test_a_silent_clause_is_no_proof_but_its_keywords_are() -> None:
    answer = "Neurons go at random"
    (match,) = matching_of(answer, {answer: towards(0.3)}, POINT).matches
    assert [span.text for span in match.evidence] == ["Neurons", "random"]


def test_proof_has_at_most_three_spans_in_order_and_apart() -> None:
    point = KeyPoint(id="vanish", text=POINT.text, keywords=(("one two",), ("two three",), ("five",), ("seven",), ("nine",)))
    answer = "nine eight seven six five four three two one"
    (match,) = matching_of(answer, {answer: towards(0.2)}, point).matches
    assert [span.text for span in match.evidence] == ["nine", "seven", "five"]
    overlapping = KeyPoint(id="vanish", text=POINT.text, keywords=(("one two",), ("two three",)))
    (match,) = matching_of("so one two three", {"so one two three": towards(0.2)}, overlapping).matches
    assert [span.text for span in match.evidence] == ["one two three"]


def test_keyword_coverage_shares_a_points_weight_among_its_keywords() -> None:
    heavy = KeyPoint(id="heavy", text=POINT.text, weight=3, keywords=(("neuron",), ("random",)))
    light = KeyPoint(id="light", text=POINT.text, weight=1, keywords=(("robust", "sturdy"),))
    result = matching_of("sturdy neurons", {"sturdy neurons": towards(0.5)}, heavy, light)
    assert result.keyword_coverage == pytest.approx((1.5 + 1) / 4)
    assert result.keywords == Keywords(matched=("neuron", "robust"), missing=("random",))


def test_a_keyword_of_two_points_is_named_once() -> None:
    first = KeyPoint(id="first", text=POINT.text, keywords=(("neuron",),))
    second = KeyPoint(id="second", text=POINT.text, keywords=(("neuron", "unit"),))
    result = matching_of("units", {"units": towards(0.5)}, first, second)
    assert result.keywords == Keywords(matched=("neuron",), missing=())


def test_keywords_of_the_question_are_named_and_do_not_count() -> None:
    point = KeyPoint(id="vanish", text=POINT.text, keywords=(("dropout",), ("random",)))
    question = "What is dropout?"
    result = matching_of("dropout", {"dropout": towards(0.5)}, point, question=question)
    assert result.keywords == Keywords(matched=("dropout",), missing=("random",))
    assert result.keyword_coverage == 0.0


def test_keywords_of_the_question_count_where_there_are_no_others() -> None:
    point = KeyPoint(id="vanish", text=POINT.text, keywords=(("dropout",),))
    result = matching_of("dropout", {"dropout": towards(0.5)}, point, question="What is dropout?")
    assert result.keyword_coverage == 1.0


def test_what_is_said_is_the_weighted_share_of_the_points() -> None:
    light, heavy = KeyPoint(id="vanish", text=POINT.text), KeyPoint(id="other", text="It gets robust.", weight=3)
    vectors: Vectors = {"It gets robust.": (0.0, 1.0, 0.0), **dict.fromkeys((POINT.text, "Steel is hard"), (0.0, 0.0, 1.0))}
    assert matching_of(POINT.text, vectors, light, heavy).said == pytest.approx(1 / 4)
    assert matching_of(POINT.text, vectors, light).said == pytest.approx(1.0)
    assert matching_of("Steel is hard", vectors, light, heavy).said == 0.0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        # Three of the four words of one sentence are said and none of the other's: .375 on the mean lies below .45.
        ("Neurons vanish quite.", (0 + (0.75 - 0.5) / 0.35) / 2),
        ("Neurons vanish quite often.", (0.05 / 0.25 + 1) / 2),
        ("Neurons vanish quite often. Units go.", 1.0),
        ("Neurons vanish.", 0.0),
        ("Steel.", 0.0),
        ("", 0.0),
    ],
)
def test_a_key_point_is_said_by_its_nearest_sentence_and_by_all(answer: str, said: float) -> None:
    point = KeyPoint(id="vanish", text="Neurons vanish quite often.", examples=("Units go.",))
    item = Gradable(reference_answers=(ReferenceAnswer(text=REFERENCE),), key_points=(point,))
    profile = profile_item(item, lambda _: np.zeros(3, dtype=np.float32), packed_words_of)
    assert words_said(profile, words_of(answer), 0.93) == pytest.approx((said,), abs=1e-5)
    assert words_said(profile, words_of(answer), 0.98) == (1.0,)
    assert words_said(profile, words_of(answer), 0.955) == pytest.approx((max(said, 0.5),), abs=1e-5)


def test_a_close_denial_contradicts() -> None:
    answer = "Neurons do not vanish at random."
    result = matching_of(answer, {answer: towards(0.9)}, POINT)
    assert result.matches[0].verdict is Verdict.CONTRADICTED
    assert result.matches[0].evidence == (EvidenceSpan(start=0, end=len(answer), text=answer),)
    assert result.denied_share == 1.0
    assert result.contradicted_share == 1.0


def test_a_distant_denial_contradicts_nothing() -> None:
    answer = "Neurons do not vanish at random."
    result = matching_of(answer, {answer: towards(0.6)}, POINT)
    assert result.matches[0].verdict is Verdict.COVERED
    assert result.contradicted_share == 0.0


def test_a_denial_in_other_words_contradicts_nothing() -> None:
    answer = "Parts never go by chance."
    assert matching_of(answer, {answer: towards(0.9)}, POINT).denied_share == 0.0


def test_an_item_that_says_not_speaks_for_an_answer_that_does() -> None:
    answer = "Neurons do not vanish at random."
    point = KeyPoint(id="vanish", text=POINT.text, examples=("Neurons do not vanish.",))
    result = matching_of(answer, {answer: towards(0.9), "Neurons do not vanish.": towards(0.9)}, point)
    assert result.denied_share == 0.0


@pytest.mark.parametrize(("cosine", "expected"), [(0.9, 1.0), (0.65, 0.0)])
def test_without_authored_points_a_denial_has_to_be_closer(cosine: float, expected: float) -> None:
    answer = "Neurons do not vanish at random."
    result = matching_of(answer, {answer: towards(cosine)}, reference=POINT.text)
    assert result.contradicted_share == expected


def test_the_contradicted_share_is_that_of_the_weight_or_of_the_clauses() -> None:
    matches = tuple(
        KeyPointMatch(id=verdict.value, verdict=verdict, weight=weight, similarity=0.9, evidence=())
        for verdict, weight in ((Verdict.CONTRADICTED, 1), (Verdict.COVERED, 3))
    )
    keywords = Keywords(matched=(), missing=())
    by_weight, by_clauses = (
        Matching(
            matches=matches,
            keywords=keywords,
            keyword_coverage=0,
            keyword_use=NO_KEYWORDS,
            said=0,
            entailed=None,
            upheld=None,
            denied=None,
            least_entailed=None,
            most_denied=None,
            reference_entailed=None,
            clauses_said=0,
            misconceptions=(),
            denied_share=share,
            suspicion=0.0,
        )
        for share in (0.1, 0.5)
    )
    assert (by_weight.contradicted_share, by_clauses.contradicted_share) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("answer", "to_belief", "to_point", "expected"),
    [
        ("Heavy things fall faster.", 0.8, 0.5, [(0, 0.3)]),
        ("Heavy things fall faster.", 0.55, 0.5, []),
        ("Heavy things fall faster.", 0.65, 0.7, []),
        ("Heavy things do not fall faster.", 0.8, 0.5, []),
    ],
    ids=["stated", "too-far", "a-point-is-closer", "denied"],
)
def test_a_misconception_is_noticed_where_it_is_nearer_than_what_is_right(
    answer: str, to_belief: float, to_point: float, expected: list[tuple[int, float]]
) -> None:
    belief = Misconception(id="heavier", text="A heavy thing falls faster.", feedback="All fall equally fast.")
    direction = (to_point, to_belief, math.sqrt(1 - to_belief**2 - to_point**2))
    vectors: Vectors = {belief.text: (0.0, 1.0, 0.0), answer: direction}
    point = KeyPoint(id="vanish", text=POINT.text)
    found = matching_of(answer, vectors, point, misconceptions=(belief,)).misconceptions
    assert [position for position, _ in found] == [position for position, _ in expected]
    assert [margin for _, margin in found] == pytest.approx([margin for _, margin in expected])


def test_a_blank_answer_misses_everything() -> None:
    other = KeyPoint(id="other", text=POINT.text, weight=4, keywords=(("neuron",),))
    item = Gradable(reference_answers=(ReferenceAnswer(text=REFERENCE),), key_points=(POINT, other))
    blank = blank_matching(profile_item(item, lambda _: np.zeros(3, dtype=np.float32), packed_words_of))
    assert [(m.id, m.verdict, m.weight, m.similarity, m.evidence) for m in blank.matches] == [
        ("vanish", Verdict.MISSING, 1, 0.0, ()),
        ("other", Verdict.MISSING, 4, 0.0, ()),
    ]
    assert blank.keywords == Keywords(matched=(), missing=("neuron", "random"))
    assert (blank.keyword_coverage, blank.said, blank.contradicted_share) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("question", "reference", "expected"),
    [
        ("", "Neurons vanish at random. The net gets robust.", [("Neurons", "vanish", "random"), ("net", "robust")]),
        ("What do neurons do?", "The neurons vanish at random. Right.", [("vanish", "random")]),
        ("", "Yes.", [("Yes",)]),
    ],
    ids=["sentences", "question-words-and-short-sentences", "a-word"],
)
def test_points_are_derived_from_the_first_references_sentences(
    question: str, reference: str, expected: list[tuple[str, ...]]
) -> None:
    references = (ReferenceAnswer(text=reference), ReferenceAnswer(text="Another one altogether."))
    points = effective_key_points(Gradable(question=question, reference_answers=references))
    assert [tuple(forms[0] for forms in point.keywords) for point in points] == expected
    assert [point.id for point in points] == [f"point-{n + 1}" for n in range(len(points))]


def test_a_single_long_sentence_gives_a_point_for_each_clause_and_six_at_most() -> None:
    clause = "the network learns another robust feature of the data"
    item = Gradable(reference_answers=(ReferenceAnswer(text=", and ".join([clause] * 9) + "."),))
    points = effective_key_points(item)
    assert len(points) == 6
    assert points[1].text == f"and {clause}"


@pytest.mark.parametrize(
    ("belief_text", "to_belief", "to_point", "is_looked_at"),
    [
        ("Weight adds speed.", 0.7, 0.5, True),
        ("Weight adds speed.", 0.6, 0.64, True),
        ("Weight adds speed.", 0.6, 0.7, False),
        ("Weight adds speed.", 0.5, 0.1, False),
        ("A heavy weight falls to earth.", 0.3, 0.9, True),
        ("A heavy weight falls to earth.", 0.29, 0.9, False),
    ],
    ids=["near", "nearly", "nearer-to-right", "far", "shared-words", "shared-words-but-far"],
)
def test_a_clause_near_to_a_misconception_is_looked_at_by_itself(
    belief_text: str, to_belief: float, to_point: float, is_looked_at: bool
) -> None:
    """The clause's place in its answer and the clause by itself have vectors of their own, and the latter decides."""
    belief = Misconception(id="heavier", text=belief_text, feedback="All fall equally fast.")
    answer = "Heavy things fall faster. Steel is heavy."
    clause, rest = "Heavy things fall faster.", "Steel is heavy."

    def lookup(passage: Passage) -> FloatArray:
        alone = {belief.text: (0, 1, 0), POINT.text: (1, 0, 0), clause: (0, 1, 0)}
        within = {clause: (to_point, to_belief, math.sqrt(1 - to_belief**2 - to_point**2)), rest: (0, 0, 1)}
        table = within if passage.context == answer else alone
        return np.array(table.get(passage.text, (0, 0, 1)), dtype=np.float32)

    item = Gradable(reference_answers=(ReferenceAnswer(text=REFERENCE),), key_points=(POINT,), misconceptions=(belief,))
    profile, answered = profile_item(item, lookup, packed_words_of), profile_text(answer, lookup)
    wanted = second_looks(profile, answered)
    assert wanted == ([Passage.whole(clause)] if is_looked_at else [])
    looks = {passage: lookup(passage) for passage in wanted}
    found = match_key_points(
        profile, answered, looks, denied=frozenset(), suspicion=0.0, said=words_said(profile, words_of(answer), 0.0)
    ).misconceptions
    assert found == (((0, 1.0),) if is_looked_at else ())
