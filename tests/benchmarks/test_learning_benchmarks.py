"""The figures on learning from marks and on groups, worked out on a few answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.calibration import report_on
from benchmarks.groups import group_figures
from benchmarks.learning_curve import as_suggested, at_random, curve_point
from grader import Gradable, Grader, ReferenceAnswer
from grader.answer_kernel import default_answer_kernel
from training.data_sets import MarkedAnswer
from training.learning_items import learning_items

FORMS = ("Water drops split {} light.", "The {} clouds are painted.")
WORDS = ("sun", "white", "all", "some", "day", "plain", "bright", "much", "little", "that", "this", "early")


def rows(question: str) -> list[MarkedAnswer]:
    item = Gradable(question=question, reference_answers=(ReferenceAnswer(text="Drops of water refract sunlight into colours."),))
    return [
        MarkedAnswer(item=item, candidate_answer=form.format(word), score=score, question_id=question, label=None)
        for word in WORDS
        for form, score in zip(FORMS, (1.0, 0.0), strict=True)
    ]


def test_a_point_of_the_curve_compares_the_same_answers_before_and_after(real_grader: Grader) -> None:
    items = learning_items(real_grader, rows("How does a rainbow come about?") + rows("What makes a rainbow?"), denials=True)
    kernel = default_answer_kernel()
    assert sorted(at_random(items[0], 24, 0)) == list(range(24))
    for choose, seeds in ((at_random, 3), (as_suggested(kernel), 1)):
        point = curve_point(items, kernel, choose, count=5, seeds=seeds, half_width=0.5)
        assert point.change == pytest.approx(point.after / point.before - 1)
        assert point.low <= point.change <= point.high < -0.3
        assert point.plain_change < -0.3
        assert 0 <= point.coverage <= 1


def test_groups_of_like_answers_are_pure_and_chance_groups_are_not(real_grader: Grader) -> None:
    figures = group_figures(real_grader, rows("How does a rainbow come about?"), 0.5)
    assert figures.answers == 24
    assert figures.marks_per_answer < 0.5
    assert (figures.purity, figures.shared_purity, figures.rmse) == (1.0, 1.0, 0.0)
    assert figures.chance_purity < 0.9
    few = group_figures(real_grader, [*rows("Why?"), *rows("How?")[:5]], 1.0)
    assert few.answers == 24
    assert np.isclose(few.marks_per_answer, 1.0)


def test_a_report_takes_the_first_person_s_marks_and_the_set_s_scale(real_grader: Grader) -> None:
    answers = [replace(row, people=(row.score, 1 - row.score)) for row in rows("How does a rainbow come about?")]
    report = report_on(real_grader, answers, max_mark=1, mark_step=1.0)
    assert (report.before.n, report.items) == (24, 1)
    assert report.after.rmse < report.before.rmse
    assert report.people is not None
    assert (report.people.exact, report.people.adjacent, report.people.qwk) == (0.0, 1.0, -1.0)
    assert report_on(real_grader, rows("Why?"), max_mark=1, mark_step=1.0).people is None
