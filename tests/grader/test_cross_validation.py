"""Agreement before and after learning, every answer without its own mark."""

from __future__ import annotations

import pytest

from grader import CalibrationError, Gradable, Grader, ReferenceAnswer, agreement
from grader.calibration import Marked
from grader.cross_validation import cross_validate

ITEM = Gradable(
    question="How does a rainbow come about?",
    reference_answers=(ReferenceAnswer(text="Drops of water refract sunlight and split it into its colours."),),
    max_mark=5,
    mark_step=1,
)
RIGHT = "Each wavelength bends by another angle inside the rain, as in {} prisms."
WRONG = "The clouds are painted by the ozone layer, which holds {} gases."
MARKS: list[Marked] = [
    (ITEM, form.format(number), score)
    for number in ("two", "many", "five", "tiny", "some", "ten")
    for form, score in ((RIGHT, 1.0), (WRONG, 0.0))
]


def test_learning_from_the_others_helps_where_answers_repeat_a_thought(real_grader: Grader) -> None:
    report = cross_validate(real_grader, MARKS)
    scores = [real_grader.grade(item, answer).score for item, answer, _ in MARKS]
    human = [score for *_, score in MARKS]
    assert (report.items, report.before.n, report.people) == (1, 12, None)
    assert report.before.rmse == agreement.rmse(human, scores)
    steps = [int(score * 5 + 0.5) for score in scores]
    assert report.before.exact == agreement.exact_agreement([round(h * 5) for h in human], steps)
    assert report.after.rmse < 0.6 * report.before.rmse
    assert report.after.qwk is not None
    assert report.before.qwk is not None
    assert report.after.qwk > report.before.qwk
    assert report.after.adjacent > report.before.adjacent


def test_the_order_of_the_marks_does_not_matter(real_grader: Grader) -> None:
    one, other = cross_validate(real_grader, MARKS), cross_validate(real_grader, MARKS[::-1])
    assert one.after.rmse == pytest.approx(other.after.rmse, abs=1e-9)
    assert one.after.exact == other.after.exact


def test_two_people_are_compared_where_both_marked(real_grader: Grader) -> None:
    second = [1.0, 0.2, *([None] * 9), 0.4]
    people = cross_validate(real_grader, MARKS, second=second).people
    assert people is not None
    assert people.n == 3
    assert [people.exact, people.adjacent] == pytest.approx([1 / 3, 2 / 3])
    assert people.qwk == agreement.qwk([5, 0, 0], [5, 1, 2])


def test_a_text_that_is_repeated_does_not_teach_itself(real_grader: Grader) -> None:
    repeated: list[Marked] = [(ITEM, WRONG.format("two"), 1.0), (ITEM, f" {WRONG.format('two')}", 1.0)]
    report = cross_validate(real_grader, repeated)
    assert report.after == report.before


def test_nothing_to_compare_with_is_refused(real_grader: Grader) -> None:
    for nothing in ([], [(ITEM, " ", 0.0)]):
        with pytest.raises(CalibrationError, match="no marked answer"):
            cross_validate(real_grader, nothing)
