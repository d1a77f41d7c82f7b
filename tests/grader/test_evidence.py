"""Every kind of evidence worked out by hand, on vectors of three numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grader import EVIDENCE_NAMES, Gradable, ReferenceAnswer
from grader.encoders import FloatArray
from grader.evidence import Evidence, measure
from grader.profiles import profile_item, profile_text
from grader.text import Passage
from tests.grader.spelt_words import packed_words_of, words_of

QUESTION = "What does dropout do?"
REFERENCE = "Neurons vanish at random. The network becomes robust."
VECTORS = {
    QUESTION: (0.0, 0.0, 1.0),
    REFERENCE: (1.0, 0.0, 0.0),
    "Neurons vanish at random.": (0.8, 0.6, 0.0),
    "The network becomes robust.": (0.8, -0.6, 0.0),
    "Robust networks are not made of steel.": (0.0, 1.0, 0.0),
    "Neurons vanish.": (0.6, 0.8, 0.0),
    "Networks do not grow.": (0.6, 0.0, 0.8),
    "Neurons vanish. Networks do not grow.": (0.6, 0.0, 0.8),
}


def lookup(passage: Passage) -> FloatArray:
    return np.array(VECTORS[passage.text], dtype=np.float32)


def evidence_of(answer: str, *references: str, question: str = QUESTION) -> Evidence:
    item = Gradable(question=question, reference_answers=tuple(ReferenceAnswer(text=text) for text in references))
    return measure(profile_item(item, lookup, packed_words_of), profile_text(answer, lookup), words_of(answer))


@pytest.fixture
def evidence() -> Evidence:
    """Return the evidence of an answer of two clauses to a reference of two."""
    return evidence_of("Neurons vanish. Networks do not grow.", REFERENCE)


def test_similarity_is_the_cosine_of_the_whole_texts(evidence: Evidence) -> None:
    assert evidence.similarity == pytest.approx(0.6)
    assert evidence.mean_similarity == pytest.approx(0.6)
    assert evidence.question_similarity == pytest.approx(0.8)


def test_demoting_takes_the_questions_direction_out(evidence: Evidence) -> None:
    # (.6, 0, .8) without its third part points where the reference does.
    assert evidence.demoted_similarity == pytest.approx(1.0)


def test_an_answer_equal_to_the_question_has_nothing_left_after_demoting() -> None:
    assert evidence_of(QUESTION, REFERENCE).demoted_similarity == 0.0


def test_alignment_takes_the_best_partner_of_each_clause(evidence: Evidence) -> None:
    # cosines: reference clauses (.8, .6, 0) and (.8, -.6, 0) by answer clauses (.6, .8, 0) and (.6, 0, .8)
    #   .96  .48
    #   .00  .48
    assert (evidence.recall, evidence.recall_min) == pytest.approx(((0.96 + 0.48) / 2, 0.48))
    assert (evidence.precision, evidence.precision_min) == pytest.approx(((0.96 + 0.48) / 2, 0.48))


def test_word_overlap_counts_content_words(evidence: Evidence) -> None:
    # reference: neuron vanish random network become robust; answer: neuron vanish network grow
    assert evidence.coverage == pytest.approx(3 / 6)
    assert evidence.new_coverage == pytest.approx(3 / 6)
    assert evidence.word_precision == pytest.approx(3 / 4)
    assert evidence.word_f1 == pytest.approx(2 * 0.5 * 0.75 / 1.25)


def test_word_pairs_are_those_of_neighbours(evidence: Evidence) -> None:
    # of the reference's seven pairs, only "neuron vanish" stands in the answer
    assert evidence.bigram_coverage == pytest.approx(1 / 7)


def test_meaning_is_shared_words_by_their_weight_here_where_every_word_means_itself(evidence: Evidence) -> None:
    # Of the reference "neurons", "vanish" are said; "at", "the" count .4, "random", "network", "becomes", "robust" 1.
    assert evidence.meaning_recall == pytest.approx(2 / 6.8, abs=1e-5)
    # The answer's "neurons", "vanish", "networks", "grow" count 1 and "not" .4; its "do" is no news to the question.
    assert evidence.meaning_precision == pytest.approx(2 / 4.4, abs=1e-5)
    assert evidence.meaning_f1 == pytest.approx(
        2 * evidence.meaning_recall * evidence.meaning_precision / (evidence.meaning_recall + evidence.meaning_precision)
    )


def test_letter_trigrams_are_of_the_words_as_written() -> None:
    # " net " has " ne", "net", "et "; " nets " has " ne", "net", "ets", "ts "
    VECTORS.update({"Net": (1.0, 0.0, 0.0), "nets": (1.0, 0.0, 0.0)})
    assert evidence_of("nets", "Net").trigram_coverage == pytest.approx(2 / 3)
    assert evidence_of("Net", "nets").trigram_coverage == pytest.approx(2 / 4)


def test_polarity_differs_where_one_of_the_two_is_denied(evidence: Evidence) -> None:
    assert evidence.polarity_mismatch == 1.0
    assert evidence_of("Neurons vanish.", REFERENCE).polarity_mismatch == 0.0
    assert evidence_of("Networks do not grow.", "Robust networks are not made of steel.").polarity_mismatch == 0.0


def test_length_is_the_log_of_the_ratio_of_words() -> None:
    assert evidence_of("Neurons vanish.", REFERENCE).length_ratio == pytest.approx(math.log(3 / 9))


def test_length_past_half_again_the_references_says_nothing_more() -> None:
    assert evidence_of(REFERENCE, "Neurons vanish.").length_ratio == pytest.approx(math.log(1.5))


def test_shares_of_question_words_and_of_function_words(evidence: Evidence) -> None:
    assert evidence.question_share == 0.0
    assert evidence.function_share == pytest.approx(2 / 6)
    again = evidence_of(QUESTION, REFERENCE)
    assert again.question_share == 1.0
    assert again.function_share == 0.45


def test_words_of_the_question_are_not_new() -> None:
    VECTORS.update({"Dropout randomly": (1.0, 0.0, 0.0), "Dropout": (1.0, 0.0, 0.0)})
    evidence = evidence_of("Dropout", "Dropout randomly")
    assert evidence.coverage == 0.5
    assert evidence.new_coverage == 0.0


def test_a_reference_of_question_words_alone_keeps_them() -> None:
    VECTORS["Dropout"] = (1.0, 0.0, 0.0)
    assert evidence_of("Dropout", "Dropout").new_coverage == 1.0


def test_without_a_question_its_evidence_is_neutral() -> None:
    evidence = evidence_of("Neurons vanish. Networks do not grow.", REFERENCE, question="")
    assert evidence.question_similarity == 0.5
    assert evidence.demoted_similarity == evidence.similarity
    assert evidence.question_share == 0.0


def test_the_best_reference_counts_and_the_mean_is_over_all() -> None:
    evidence = evidence_of("Neurons vanish.", REFERENCE, "Robust networks are not made of steel.")
    assert evidence.similarity == pytest.approx(0.8)
    assert evidence.mean_similarity == pytest.approx(0.7)
    assert evidence.polarity_mismatch == 1.0
    assert evidence.coverage == pytest.approx(2 / 6)


def test_an_answer_that_is_the_reference_has_all_of_it() -> None:
    evidence = evidence_of(REFERENCE, REFERENCE)
    whole = (evidence.similarity, evidence.recall, evidence.precision, evidence.coverage, evidence.word_f1)
    assert whole == pytest.approx((1.0,) * 5)
    assert (evidence.bigram_coverage, evidence.trigram_coverage, evidence.length_ratio) == (1.0, 1.0, 0.0)


def test_the_function_share_of_a_blank_answer_is_0() -> None:
    VECTORS["..."] = (1.0, 0.0, 0.0)
    blank = profile_text("...", lookup)
    assert blank.function_share == 0.0
    assert blank.clauses == ()
    assert blank.vectors.shape == (0, 3)
    assert not blank.vector.any()


def test_the_vector_is_in_the_order_of_the_names(evidence: Evidence) -> None:
    assert evidence.vector().tolist() == [getattr(evidence, name) for name in EVIDENCE_NAMES]
    assert evidence.vector().dtype == np.float64
