"""Learning from some marks of an item and looking at its other answers."""

from __future__ import annotations

import numpy as np
import pytest

from grader import Gradable, Grader, ReferenceAnswer, default_scoring_model
from grader.agreement import wrmse
from grader.answer_kernel import default_answer_kernel
from grader.calibration import calibrate, with_calibration
from training.data_sets import MarkedAnswer
from training.learning_items import FEWEST_ANSWERS, learning_items, weighted_errors

ITEM = Gradable(
    question="How does a rainbow come about?",
    reference_answers=(ReferenceAnswer(text="Drops of water refract sunlight and split it into its colours."),),
)
FORMS = ("Water drops split {} light.", "Water drops do not split {} light.", "The {} clouds are painted.", "I have {} cats.")
WORDS = ("sun", "white", "all", "some", "day", "plain")


def rows() -> list[MarkedAnswer]:
    answers = [form.format(word) for word in WORDS for form in FORMS] + ["The  sun clouds are painted.", " "]
    scores = [1.0, 0.1, 0.0, 0.3] * len(WORDS) + [0.0, 0.0]
    return [
        MarkedAnswer(item=ITEM, candidate_answer=answer, score=score, question_id="1", label=None)
        for answer, score in zip(answers, scores, strict=True)
    ]


def test_what_is_measured_is_what_the_library_gives(real_grader: Grader) -> None:
    (item,) = learning_items(real_grader, rows(), denials=True)
    assert np.array_equal(item.scores, item.scored_by(default_scoring_model()).scores)
    marked = np.array([0, 2, 3, 5, 8])
    others = item.others(marked)
    assert len(others) == len(item.human) - len(marked) - 1
    scores, remaining = item.learn(default_answer_kernel(), marked, others)
    texts = [row.candidate_answer for row in rows()]
    taught = with_calibration(real_grader, calibrate(real_grader, [(ITEM, texts[at], rows()[at].score) for at in marked]))
    assert scores == pytest.approx([taught.grade(ITEM, texts[at]).score for at in others], abs=2e-4)
    assert ((remaining > 0) & (remaining < 1)).all()


def test_suggestions_repeat_no_text_and_items_need_enough_answers(real_grader: Grader) -> None:
    (item,) = learning_items(real_grader, rows(), denials=False)
    suggested = item.suggested(default_answer_kernel(), 100)
    assert len(suggested) == len(set(suggested)) == len(item.human) - 1
    assert learning_items(real_grader, rows()[: FEWEST_ANSWERS - 1], denials=False) == []


def test_weighted_errors_are_the_square_of_wrmse() -> None:
    human, system = np.array([0.0, 0.0, 0.3, 1.0, 0.7]), np.array([0.1, 0.4, 0.2, 0.6, 0.7])
    assert weighted_errors(system - human, human) == pytest.approx(wrmse(human, system) ** 2)
