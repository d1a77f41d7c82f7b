"""Signs of gaming, contradiction and an answer about something else, each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader import Evidence, Flag, Gradable, KeyPoint, KeyPointMatch, Keywords, ReferenceAnswer, Verdict
from grader.encoders import FloatArray
from grader.keyword_use import KeywordUse
from grader.matching import Matching
from grader.profiles import profile_item, profile_text
from grader.signs import Signs, notice
from grader.text import Passage
from tests.grader.spelt_words import packed_words_of

QUESTION = "What does dropout do to a network?"
REFERENCE = "While the network is being trained, dropout switches off a random share of its neurons, so that it does not overfit."
ANSWER = "It switches some of the neurons off by chance while the network is trained."
GOOD = Evidence(
    similarity=0.8,
    mean_similarity=0.8,
    demoted_similarity=0.7,
    question_similarity=0.6,
    recall=0.7,
    recall_min=0.6,
    precision=0.7,
    precision_min=0.6,
    coverage=0.7,
    new_coverage=0.7,
    word_precision=0.7,
    word_f1=0.7,
    bigram_coverage=0.3,
    trigram_coverage=0.5,
    meaning_recall=0.7,
    meaning_precision=0.7,
    meaning_f1=0.7,
    polarity_mismatch=0.0,
    length_ratio=0.0,
    question_share=0.2,
    function_share=0.4,
)
FAR = replace(GOOD, similarity=0.02, question_similarity=0.02, new_coverage=0.0, question_share=0.0)
ECHO = replace(GOOD, question_similarity=0.99, new_coverage=0.0, question_share=1.0)
MATCHED = Matching(
    matches=(KeyPointMatch(id="off", verdict=Verdict.COVERED, weight=1, similarity=0.8, evidence=()),),
    keywords=Keywords(matched=(), missing=()),
    keyword_coverage=0.7,
    keyword_use=KeywordUse(clauses=3, points_per_clause=1.0, share=0.5),
    said=0.7,
    entailed=None,
    upheld=None,
    denied=None,
    least_entailed=None,
    most_denied=None,
    reference_entailed=None,
    clauses_said=0.7,
    misconceptions=(),
    denied_share=0.0,
    suspicion=0.0,
)


def noticed(
    answer: str = ANSWER,
    evidence: Evidence = GOOD,
    matching: Matching = MATCHED,
    *,
    references: tuple[str, ...] = (REFERENCE,),
    question: str = QUESTION,
    authored: bool = True,
    too_long: bool = False,
) -> Signs:
    item = Gradable(
        question=question,
        reference_answers=tuple(ReferenceAnswer(text=text) for text in references),
        key_points=(KeyPoint(id="off", text=REFERENCE),),
    )
    return notice(
        profile_item(item, lookup, packed_words_of),
        profile_text(answer, lookup),
        evidence,
        matching,
        authored=authored,
        too_long=too_long,
    )


def lookup(passage: Passage) -> FloatArray:
    return np.array([1.0, 0.0], dtype=np.float32)


@pytest.mark.parametrize("authored", [True, False])
def test_an_ordinary_answer_shows_no_sign(authored: bool) -> None:
    assert noticed(authored=authored) == Signs(flags=(), misconceptions=(), factor=1.0, ceiling=1.0, review_reasons=())


def test_an_answer_far_from_the_subject_is_off_topic() -> None:
    silent = replace(MATCHED, clauses_said=0.0, keyword_coverage=0.0)
    assert noticed(evidence=FAR, matching=silent).flags == (Flag.OFF_TOPIC,)
    assert noticed(evidence=FAR, matching=silent).ceiling == 0.15
    assert noticed(evidence=FAR, matching=silent, authored=False).flags == (Flag.OFF_TOPIC,)


def test_an_answer_with_an_authors_keywords_is_on_topic_however_far_its_wording() -> None:
    assert Flag.OFF_TOPIC not in noticed(evidence=FAR, matching=replace(MATCHED, clauses_said=0.0)).flags


def test_an_answer_that_says_a_key_point_by_an_example_is_on_topic_without_a_word_of_it() -> None:
    silent = replace(MATCHED, clauses_said=0.0, keyword_coverage=0.0, upheld=0.5)
    distant = replace(FAR, similarity=0.15)
    assert Flag.OFF_TOPIC not in noticed(evidence=distant, matching=replace(silent, entailed=0.50)).flags
    assert Flag.OFF_TOPIC in noticed(evidence=distant, matching=replace(silent, entailed=0.49)).flags
    # Of what is about something else altogether the verifier's word counts nothing.
    assert Flag.OFF_TOPIC in noticed(evidence=replace(FAR, similarity=0.14), matching=replace(silent, entailed=0.9)).flags


@pytest.mark.parametrize(("entailed", "power"), [(0.0, 1.0), (0.25, 1.0), (0.375, 0.75), (0.5, 0.5), (1.0, 0.5)])
def test_terms_without_sense_cost_the_less_the_more_of_the_key_points_a_verifier_finds(entailed: float, power: float) -> None:
    mixed = replace(MATCHED, keyword_use=KeywordUse(clauses=3, points_per_clause=3.0, share=0.5))
    unasked = noticed(matching=mixed).factor
    assert 0.0 < unasked < 1.0
    assert noticed(matching=replace(mixed, entailed=entailed, upheld=0.5)).factor == pytest.approx(unasked**power)


def test_what_a_denial_costs_counts_with_its_square_root_where_a_verifier_was_asked() -> None:
    denying = replace(MATCHED, denied_share=0.3)
    unasked = noticed(matching=denying).factor
    assert unasked < 1.0
    assert noticed(matching=replace(denying, entailed=0.9, upheld=0.5)).factor == pytest.approx(unasked**0.5)


def test_less_closeness_is_asked_of_a_short_answer() -> None:
    distant = replace(GOOD, similarity=0.2, question_similarity=0.2, new_coverage=0.0)
    assert Flag.OFF_TOPIC not in noticed("Neurons off.", evidence=distant, authored=False).flags
    assert Flag.OFF_TOPIC in noticed(" ".join([ANSWER] * 3), evidence=distant, authored=False).flags


def test_a_little_off_the_subject_costs_a_little() -> None:
    factors = [
        noticed(evidence=replace(GOOD, similarity=s, question_similarity=0.0, new_coverage=0.0), authored=False).factor
        for s in (0.5, 0.29, 0.27, 0.25)
    ]
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert 0.5 < factors[3] < factors[1] < 1.0


@pytest.mark.parametrize("authored", [True, False])
def test_repeating_the_question_is_noticed_and_capped(authored: bool) -> None:
    echo = noticed(evidence=ECHO, matching=replace(MATCHED, keyword_coverage=0.0, clauses_said=0.2), authored=authored)
    assert echo.flags == (Flag.REPEATS_QUESTION,)
    assert echo.ceiling == 0.1


@pytest.mark.parametrize(
    ("evidence", "question"),
    [
        (replace(ECHO, new_coverage=0.5), QUESTION),
        (replace(ECHO, question_similarity=0.5), QUESTION),
        (replace(ECHO, question_similarity=0.8, question_share=0.5), QUESTION),
        (ECHO, ""),
    ],
    ids=["says-more", "other-words", "half-its-words", "no-question"],
)
def test_what_says_more_than_the_question_does_not_repeat_it(evidence: Evidence, question: str) -> None:
    assert Flag.REPEATS_QUESTION not in noticed(evidence=evidence, question=question, authored=False).flags


def test_an_answer_with_the_keywords_does_not_repeat_the_question() -> None:
    close = replace(ECHO, question_similarity=0.8)
    assert Flag.REPEATS_QUESTION not in noticed(evidence=close).flags


@pytest.mark.parametrize(
    "answer",
    [
        "dropout, neurons, random, training, overfitting, regularisation, robust features, network",
        "dropout\nneurons\nrandom\ntraining\noverfitting\nregularisation\nrobust\nnetwork",
        "dropout neurons random training overfitting regularisation robust features network layers",
        "dropout neurons on random training no overfitting regularisation robust features network layers weights rate units",
    ],
    ids=["commas", "lines", "run", "run-with-small-words"],
)
def test_terms_in_a_row_are_a_heap(answer: str) -> None:
    heap = noticed(answer)
    assert heap.flags == (Flag.KEYWORD_LIST,)
    assert heap.ceiling == 0.15
    assert heap.review_reasons == ("The answer looks like a list of terms without sentences.",)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        "dropout, neurons, random",
        "switches neurons off by chance; the net is then robust; it does not overfit; used in training",
        "in training switch random neurons off so that the network cannot overfit and gets robust",
        "192.168.0.1, 10.0.0.1, 172.16.0.1, 8.8.8.8, 1.1.1.1, 9.9.9.9, 4.4.4.4, 127.0.0.1",
    ],
    ids=["sentence", "few-terms", "telegraphic", "hasty", "numbers"],
)
def test_sentences_notes_and_numbers_are_no_heap(answer: str) -> None:
    assert Flag.KEYWORD_LIST not in noticed(answer).flags


def test_shuffled_words_are_a_heap_however_many_small_ones_are_among_them() -> None:
    shuffled = "the of neurons in randomly that step rely dropout network each so cannot switches them any off training on"
    jumble = noticed(shuffled)
    assert jumble.flags == (Flag.KEYWORD_LIST,)
    assert jumble.factor == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "off neurons switches",
        "f(x) = max(0, x) of so the it than",
        "Numpy, Pandas, in, Torch, is, from, as, lambda, while, not, yield, is",
    ],
    ids=["short", "code", "list"],
)
def test_what_need_not_be_prose_may_stand_in_any_order(answer: str) -> None:
    assert noticed(answer).factor == 1.0


def test_a_list_may_be_answered_with_a_list() -> None:
    terms = "sigmoid, tanh, relu, leaky relu, softmax, swish, gelu, elu, selu"
    assert Flag.KEYWORD_LIST not in noticed(terms, references=(terms,)).flags


def test_the_more_is_denied_the_less_is_left() -> None:
    signs = [noticed(matching=replace(MATCHED, denied_share=share)) for share in (0.0, 0.2, 0.3, 1.0)]
    factors = [sign.factor for sign in signs]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == 4
    assert factors[0] == 1.0
    assert 0 < factors[-1] <= 0.2
    assert [Flag.CONTRADICTS_REFERENCE in sign.flags for sign in signs] == [False, True, True, True]
    assert signs[-1].review_reasons == ("A part of the answer seems to say the opposite of a reference answer.",)


def test_the_more_plainly_a_misconception_is_stated_the_less_is_left() -> None:
    ignorant = replace(MATCHED, said=0.5, keyword_coverage=0.5)
    signs = [noticed(matching=replace(ignorant, misconceptions=((3, margin),))) for margin in (0.03, 0.04, 0.06, 0.5)]
    factors = [sign.factor for sign in signs]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == 4
    assert factors[0] == 1.0
    assert 0 < factors[-1] <= 0.2
    assert [sign.misconceptions for sign in signs] == [(), (), (3,), (3,)]


def test_a_misconception_costs_less_where_the_rest_is_said_unless_that_is_suspect() -> None:
    stated = replace(MATCHED, misconceptions=((0, 0.5),), said=0.9, keyword_coverage=0.9)
    ignorant, knowing, suspect = (
        noticed(matching=replace(stated, **changed)).factor  # type: ignore[arg-type]  # fields of several kinds
        for changed in ({"said": 0.6, "keyword_coverage": 0.6}, {}, {"suspicion": 0.0799})
    )
    assert ignorant == pytest.approx(0.15)
    assert knowing == pytest.approx(0.65)
    assert suspect == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(("suspicion", "factor"), [(0.08, 1.0), (0.2, 0.46), (0.28, 0.1), (2.0, 0.1)])
def test_suspicions_that_prove_nothing_one_by_one_cost_together(suspicion: float, factor: float) -> None:
    signs = noticed(matching=replace(MATCHED, suspicion=suspicion))
    assert signs.factor == pytest.approx(factor)
    assert (Flag.CONTRADICTS_REFERENCE in signs.flags) == (factor < 0.6)
    # What they weigh was found on an author's items.
    assert noticed(matching=replace(MATCHED, suspicion=suspicion), authored=False).factor == 1.0


def test_a_denial_and_a_suspicion_are_not_paid_for_twice() -> None:
    denial, both = (replace(MATCHED, denied_share=1.0, suspicion=suspicion) for suspicion in (0.0, 0.28))
    assert noticed(matching=denial).factor == pytest.approx(0.15)
    assert noticed(matching=both).factor == pytest.approx(0.1)


def test_tags_make_no_code_of_a_heap() -> None:
    heap = "dropout, neurons, training, overfitting, random, regularisation, robust, features"
    assert Flag.KEYWORD_LIST in noticed(f"{heap}, <script>alert(1)</script>, <b>").flags
    assert Flag.KEYWORD_LIST not in noticed(f"{heap}, f(x) = (a, b), g(x)").flags


def test_numbers_that_a_reference_has_make_no_sums_of_a_heap() -> None:
    heap = "dropout, 0.5, neurons, training, 2, overfitting, random, 3"
    asked = (f"{REFERENCE} The share is 0.5, in 2 or 3 layers.",)
    assert Flag.KEYWORD_LIST in noticed(heap, references=asked).flags
    assert Flag.KEYWORD_LIST not in noticed(heap).flags


def test_notes_with_longer_runs_among_the_short_are_no_heap() -> None:
    heap = "dropout, neurons, training, overfitting, random, regularisation, robust, features, rate, network"
    notes = "dropout, neurons switched off random training, less overfitting, robust features, rate, regularisation"
    assert Flag.KEYWORD_LIST in noticed(heap).flags
    assert Flag.KEYWORD_LIST not in noticed(notes).flags
    # An author's keywords may be as long.
    by_heart = replace(MATCHED, keyword_use=replace(MATCHED.keyword_use, share=0.86))
    assert Flag.KEYWORD_LIST in noticed(notes, matching=by_heart).flags


def test_the_plainest_of_several_misconceptions_decides() -> None:
    one, both = (noticed(matching=replace(MATCHED, misconceptions=m)) for m in (((1, 0.1),), ((0, 0.02), (1, 0.1))))
    assert one.factor == both.factor
    assert both.misconceptions == (1,)


def test_a_word_where_a_sentence_is_asked_for_is_too_short() -> None:
    assert noticed("Neurons off.").flags == (Flag.TOO_SHORT,)
    assert noticed("Neurons off.", references=(REFERENCE, "Neurons are off.")).flags == ()


@pytest.mark.parametrize(
    ("answer", "too_long"), [(ANSWER, True), ("It is so. " * 81, False)], ids=["over-the-tokens", "over-the-clauses"]
)
def test_an_answer_that_is_not_read_to_its_end_is_truncated(answer: str, too_long: bool) -> None:
    signs = noticed(answer, too_long=too_long)
    assert signs.flags == (Flag.TRUNCATED,)
    assert signs.review_reasons == ("The answer is longer than what is compared as a whole; its end counted less.",)
    assert signs.factor == signs.ceiling == 1.0


@pytest.mark.parametrize("answer", ["Она отключает нейроны во время обучения", "它在训练时随机关闭神经元"])
def test_another_script_is_for_a_person_to_read(answer: str) -> None:
    assert "The answer is written in another script than the reference answers." in noticed(answer).review_reasons


def test_a_script_that_a_reference_has_too_is_no_reason() -> None:
    answer = "Она отключает нейроны во время обучения"
    assert noticed(answer, references=(REFERENCE, "Нейроны отключаются")).review_reasons == ()


def test_flags_come_in_the_order_of_their_definition() -> None:
    silent = replace(MATCHED, denied_share=1.0, clauses_said=0.0, keyword_coverage=0.0)
    terms = "steel, iron, copper, zinc, brass, bronze, gold, silver, platinum"
    flags = noticed(
        terms, evidence=replace(FAR, question_similarity=0.99, question_share=1.0), matching=silent, too_long=True
    ).flags
    assert flags == tuple(flag for flag in Flag if flag in flags)
    assert len(flags) == 5


@pytest.mark.parametrize(("points_per_clause", "factor"), [(1.0, 1.0), (2.0, 1.0), (2.2778, 0.725), (3.0, 0.45)])
def test_sentences_that_mix_the_keywords_of_many_key_points_cost(points_per_clause: float, factor: float) -> None:
    # Allowed for three clauses, .7 said and .3 of the word pairs: 1.05 + 1.6 / 9 + 1.1 * .7 + .6 * .3 = 2.1778.
    use = KeywordUse(clauses=3, points_per_clause=points_per_clause, share=0.5)
    assert noticed(matching=replace(MATCHED, keyword_use=use)).factor == pytest.approx(factor, abs=0.002)


def test_keywords_that_do_not_belong_together_are_flagged_and_shown_to_a_person() -> None:
    mixed = noticed(matching=replace(MATCHED, keyword_use=KeywordUse(clauses=3, points_per_clause=3.0, share=0.5)))
    assert mixed.flags == (Flag.KEYWORD_LIST,)
    assert mixed.review_reasons == ("The answer's sentences hold terms that do not belong together.",)


def test_notes_and_derived_key_points_are_not_asked_for_keywords_that_belong_together() -> None:
    mixed = replace(MATCHED, keyword_use=KeywordUse(clauses=3, points_per_clause=3.0, share=0.5))
    assert noticed(evidence=replace(GOOD, function_share=0.2), matching=mixed).factor == 1.0
    assert noticed(matching=mixed, authored=False).factor == 1.0


@pytest.mark.parametrize(
    ("answer", "factor"),
    [
        ("overfit in the neurons or the random dropout so share and network that training with switches on", 0.45),
        ("overfit in the neurons or the random dropout so share and network that training with switches on left by zero", 0.45),
        ("dropout in the neurons or the random network so that training with share", 1.0),
        (REFERENCE, 1.0),
    ],
)
def test_the_words_of_all_references_without_their_pairs_cost_where_key_points_are_derived(answer: str, factor: float) -> None:
    loose = replace(GOOD, coverage=0.0, word_precision=1.0)
    references = (REFERENCE, "Neurons are left out at random.") if "left" in answer else (REFERENCE,)
    assert noticed(answer, evidence=loose, references=references, authored=False).factor == pytest.approx(factor)
    assert noticed(answer, evidence=loose, references=references).factor == 1.0


def test_one_sentence_may_name_every_key_point() -> None:
    use = KeywordUse(clauses=1, points_per_clause=6.0, share=0.8)
    assert noticed(matching=replace(MATCHED, keyword_use=use)).factor == 1.0
    assert noticed(matching=replace(MATCHED, keyword_use=replace(use, share=1.0))).factor == pytest.approx(0.45)


def test_a_few_keywords_and_nothing_else_are_a_heap_unless_a_reference_is_one_too() -> None:
    only = replace(MATCHED, clauses_said=0.3, keyword_use=KeywordUse(clauses=1, points_per_clause=2.0, share=1.0))
    answer = "neurons, training, overfitting"
    assert noticed(answer, matching=only).ceiling == 0.15
    assert noticed(answer, matching=only, references=("Sigmoid, tanh, ReLU.", REFERENCE)).ceiling == 1.0


def test_a_reference_of_a_few_words_has_no_pairs_to_be_held() -> None:
    loose = replace(GOOD, coverage=1.0, bigram_coverage=0.0)
    assert noticed(evidence=loose, references=(REFERENCE, "It drops neurons."), authored=False).factor == 1.0


@pytest.mark.parametrize(
    ("coverage", "pairs", "of_reference", "factor"),
    [(1.0, 0.0, 0.4, 0.45), (0.8, 0.0, 0.5, 0.725), (1.0, 0.0, 0.65, 0.725), (1.0, 0.0, 0.8, 1.0), (1.0, 0.3, 0.4, 1.0)],
)
def test_the_words_of_a_short_reference_strewn_among_as_many_others_cost(
    coverage: float, pairs: float, of_reference: float, factor: float
) -> None:
    strewn = replace(GOOD, coverage=coverage, bigram_coverage=pairs, word_precision=of_reference)
    short = ("Dropout switches off random neurons.",)
    assert noticed(evidence=strewn, references=short, authored=False).factor == pytest.approx(factor)
    assert noticed(evidence=strewn, references=short).factor == 1.0
