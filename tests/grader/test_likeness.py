"""How alike answers are, on the real encoder."""

from __future__ import annotations

import numpy as np
import pytest

from grader import Gradable, Grader, ReferenceAnswer
from grader.appraisal import Appraisal
from grader.likeness import denies, likeness

ITEM = Gradable(question="Why do things fall?", reference_answers=(ReferenceAnswer(text="The Earth attracts all things."),))


def appraised(grader: Grader, *answers: str, item: Gradable = ITEM) -> list[Appraisal]:
    return [appraisal for appraisal in grader.appraise([(item, answer) for answer in answers]) if appraisal is not None]


def test_words_are_shared_by_the_geometric_mean_and_cosines_leave_the_question_out(real_grader: Grader) -> None:
    one, other, asked = appraised(real_grader, "Gravity pulls stones.", "Gravity pulls everything downwards.", ITEM.question)
    alike = likeness([one, other, asked], [one, asked])
    assert alike.words[0, 0] == pytest.approx(1.0)
    assert alike.words[1, 0] == pytest.approx(len(one.answer.content & other.answer.content) / np.sqrt(3 * 4))
    assert alike.cosines[0, 0] == pytest.approx(1.0)
    assert alike.cosines[:, 1] == pytest.approx(0.0, abs=1e-6)
    assert float(one.answer.vector @ other.answer.vector) > alike.cosines[1, 0]
    assert not alike.denied.any()


def test_without_a_question_cosines_are_those_of_the_answers(real_grader: Grader) -> None:
    bare = Gradable(reference_answers=ITEM.reference_answers)
    one, other = appraised(real_grader, "Gravity pulls stones.", "The Earth attracts them.", item=bare)
    found = likeness([one], [other], denials=False).cosines[0, 0]
    assert found == pytest.approx(float(one.answer.vector @ other.answer.vector), abs=1e-6)


def test_no_answers_are_alike_to_none(real_grader: Grader) -> None:
    one = appraised(real_grader, "Gravity pulls stones.")
    assert likeness([], one).cosines.shape == likeness([], one).denied.shape == (0, 1)
    assert likeness(one, []).words.shape == (1, 0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Gravity pulls stones down.", "Gravity does not pull stones down.", True),
        ("Gravity does not pull stones down.", "Gravity pulls stones down.", True),
        ("Gravity pulls stones down.", "Gravity pulls stones down.", False),
        ("Gravity pulls stones down.", "Gravity pulls the stones downwards.", False),
        ("Gravity pulls stones down.", "It is not the wind that moves leaves.", False),
    ],
)
def test_only_close_wording_turned_round_denies(real_grader: Grader, one: str, other: str, *, expected: bool) -> None:
    left, right = appraised(real_grader, one, other)
    assert denies(left.answer, right.answer) == expected
