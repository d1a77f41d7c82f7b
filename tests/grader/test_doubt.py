"""What makes a score doubtful, in numbers that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader import Grader, ItemBank
from grader.doubt import DOUBT_NAMES, doubts
from grader.encoders import FloatArray
from grader.keyword_use import KeywordUse
from grader.profiles import profile_text
from grader.text import Passage
from tests.grader.test_signs import GOOD, MATCHED

ANSWER = "It switches off neurons at random."


def lookup(_: Passage) -> FloatArray:
    return np.array([1.0, 0.0], dtype=np.float32)


def test_doubts_are_measured_in_the_order_of_their_names() -> None:
    answer = profile_text(ANSWER, lookup)
    matching = replace(
        MATCHED,
        said=0.7,
        keyword_coverage=0.4,
        entailed=0.9,
        most_denied=0.3,
        suspicion=1.5,
        misconceptions=((0, 0.02),),
        keyword_use=KeywordUse(clauses=1, points_per_clause=1.0, share=0.25),
    )
    found = dict(zip(DOUBT_NAMES, doubts(answer, replace(GOOD, meaning_f1=0.6), matching, 0.5), strict=True))
    assert found == pytest.approx(
        {
            "middling": 0.25,
            "disagreement": 0.3,
            "contested": 0.2,
            "undecided": 0.09,
            "denied": 0.3,
            "likeness": 0.6,
            "suspicion": 1.0,
            "misconception": 1.0,
            "length": 6 / 60,
            "function_share": 3 / 6,
            "keyword_share": 0.25,
        }
    )


def test_sure_scores_have_little_to_doubt() -> None:
    answer = profile_text(" ".join([ANSWER] * 20), lookup)
    found = dict(zip(DOUBT_NAMES, doubts(answer, GOOD, MATCHED, 1.0), strict=True))
    assert (found["middling"], found["suspicion"], found["misconception"], found["length"]) == (0.0, 0.0, 0.0, 1.0)


def test_some_middling_answers_are_for_a_person_and_references_are_not(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("cross-entropy-vs-mse")
    partial = [r.candidate_answer for r in shipped_bank.responses[item.id] if r.split == "dev" and r.kind == "partial"]
    doubted = [
        result
        for result in real_grader.grade_many([(item, answer) for answer in partial])
        if "The grader is less sure of this answer than of most." in result.review_reasons
    ]
    assert doubted
    assert all(0.25 < result.score < 0.75 for result in doubted)
    assert not any(real_grader.grade(item, reference.text).needs_review for reference in item.reference_answers)
