"""Groups of answers that say the same, on the real encoder."""

from __future__ import annotations

import random

import pytest

from grader import Gradable, Grader, InvalidAnswerError, ReferenceAnswer, group_answers

ITEM = Gradable(
    question="How does a rainbow come about?",
    reference_answers=(ReferenceAnswer(text="Drops of water refract sunlight and split it into its colours."),),
)
ANSWERS = [
    "Drops of water split the sunlight into colours.",
    "The clouds are painted by the ozone layer.",
    "Water drops split sunlight into its colours.",
    "",
    "Drops of water do not split the sunlight into colours.",
    "Drops of  water split the sunlight into colours. ",
    "Drops of water split the sunlight into 7 colours.",
    "Drops of water split the sunlight into 9 colours.",
    " - ",
]


def test_answers_that_say_the_same_are_together_and_others_are_not(real_grader: Grader) -> None:
    groups = group_answers(real_grader, ITEM, ANSWERS)
    assert [group.members for group in groups] == [(0, 2, 5), (3, 8), (1,), (4,), (6,), (7,)]
    assert groups[0].representative == 0
    assert group_answers(real_grader, ITEM, []) == ()


def test_the_order_of_the_answers_does_not_matter(real_grader: Grader) -> None:
    order = random.Random(1).sample(range(len(ANSWERS)), len(ANSWERS))  # noqa: S311 no secret is at stake
    shuffled = group_answers(real_grader, ITEM, [ANSWERS[at] for at in order])
    found = {frozenset(order[at] for at in group.members) for group in shuffled}
    assert found == {frozenset(group.members) for group in group_answers(real_grader, ITEM, ANSWERS)}


def test_a_closeness_of_one_groups_what_is_worded_alike_and_nothing_brings_denials_together(real_grader: Grader) -> None:
    alike = group_answers(real_grader, ITEM, ANSWERS, closeness=1.0)
    assert [group.members for group in alike][:2] == [(0, 5), (3, 8)]
    loose = group_answers(real_grader, ITEM, ANSWERS, closeness=0.0)
    assert not any({0, 4} <= set(group.members) or {6, 7} <= set(group.members) for group in loose)
    assert len(loose) < len(alike)


def test_what_cannot_be_grouped_is_refused(real_grader: Grader) -> None:
    with pytest.raises(InvalidAnswerError, match="1001 distinct answers; at most 1000"):
        group_answers(real_grader, ITEM, [f"answer {number}" for number in range(1_001)])
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 1.5"):
        group_answers(real_grader, ITEM, ANSWERS, closeness=1.5)
