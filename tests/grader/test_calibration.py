"""Learning from teachers, on the real encoder: what marks change, what they must not, and whose calibration may be used."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from grader import CalibrationError, Flag, Gradable, Grader, InvalidAnswerError, ReferenceAnswer
from grader.calibration import MAX_MARKS, Calibration, Marked, calibrate, suggest, with_calibration

RAINBOW = Gradable(
    question="How does a rainbow come about?",
    reference_answers=(ReferenceAnswer(text="Drops of water refract sunlight and split it into its colours."),),
)
SPOON = Gradable(
    question="Why does a metal spoon in hot tea get hot?",
    reference_answers=(ReferenceAnswer(text="Metal conducts heat, so heat flows from the tea into the spoon."),),
)
PRISM = "Each wavelength bends by another angle inside the rain, which acts like many tiny prisms."
WRONG = "The clouds are painted by the ozone layer, which holds seven gases."
MARKS: list[Marked] = [
    (RAINBOW, PRISM, 1.0),
    (RAINBOW, WRONG, 0.0),
    (RAINBOW, "Sunlight is refracted by water drops.", 0.7),
]


@pytest.fixture(scope="module")
def calibration(real_grader: Grader) -> Calibration:
    return calibrate(real_grader, MARKS)


@pytest.fixture(scope="module")
def taught(real_grader: Grader, calibration: Calibration) -> Grader:
    return with_calibration(real_grader, calibration)


def test_a_marked_answer_is_a_further_reference_or_a_known_wrong_one(real_grader: Grader, taught: Grader) -> None:
    alike = "Every wavelength bends by a different angle in the rain, which acts like tiny prisms."
    assert taught.grade(RAINBOW, alike).score > real_grader.grade(RAINBOW, alike).score + 0.15
    again = "Clouds are painted by the ozone layer that holds seven gases."
    assert taught.grade(RAINBOW, again).score < real_grader.grade(RAINBOW, again).score


def test_a_calibrated_result_names_its_calibration_and_has_a_narrower_interval(
    real_grader: Grader, taught: Grader, calibration: Calibration
) -> None:
    before, after = real_grader.grade(RAINBOW, PRISM), taught.grade(RAINBOW, PRISM)
    assert taught.signature == f"{real_grader.signature}|{calibration.signature}"
    assert after.signature.startswith(f"{taught.signature}|item-")
    assert after.interval.high - after.interval.low < before.interval.high - before.interval.low
    assert after.mark > before.mark


def test_other_items_keep_their_scores(real_grader: Grader, taught: Grader) -> None:
    before, after = real_grader.grade(SPOON, "Metal conducts."), taught.grade(SPOON, "Metal conducts.")
    assert (after.score, after.interval) == (before.score, before.interval)


def test_an_answer_unlike_all_marked_ones_hardly_moves(real_grader: Grader, taught: Grader) -> None:
    for answer in ("My favourite colour is blue.", "It has to do with the weather in spring."):
        assert taught.grade(RAINBOW, answer).score == pytest.approx(real_grader.grade(RAINBOW, answer).score, abs=0.1)


@pytest.mark.parametrize(
    "denial",
    [
        "Each wavelength does not bend by another angle inside the rain, which acts like many tiny prisms.",
        "No wavelength bends by another angle inside the rain, which does not act like many tiny prisms.",
        f"It is a myth that {PRISM[0].lower()}{PRISM[1:]}",
    ],
)
def test_a_marked_answer_does_not_lift_its_negation(real_grader: Grader, taught: Grader, denial: str) -> None:
    assert taught.grade(RAINBOW, denial).score <= real_grader.grade(RAINBOW, denial).score


def test_signs_of_gaming_still_cost(taught: Grader) -> None:
    assert taught.grade(RAINBOW, " ").score == 0
    for answer, flag in (
        ("wavelength, bends, angle, rain, prisms, tiny, sunlight, drops, water, refracted, inside, acts", Flag.KEYWORD_LIST),
        (RAINBOW.question, Flag.REPEATS_QUESTION),
    ):
        result = taught.grade(RAINBOW, answer)
        assert flag in result.flags
        assert result.score <= 0.15


def test_the_same_answer_has_the_same_bytes_alone_and_in_any_batch(taught: Grader) -> None:
    answers = [PRISM, WRONG, "Light is split by drops.", "", "Light is split by drops.", "Rain bends light into colours."]
    batch = [result.to_json() for result in taught.grade_many([(RAINBOW, answer) for answer in answers])]
    assert batch == [taught.grade(RAINBOW, answer).to_json() for answer in answers]


def test_a_file_gives_the_same_results(real_grader: Grader, taught: Grader, calibration: Calibration) -> None:
    again = Calibration.from_json(calibration.to_json())
    assert again == calibration
    assert with_calibration(real_grader, again).grade(RAINBOW, WRONG) == taught.grade(RAINBOW, WRONG)
    other = Calibration.from_json(calibration.to_json().replace('"score": 0.7', '"score": 0.6'))
    assert other.signature != calibration.signature


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"grader":"g","kernel":"k","items":[{"content_hash":"h","answers":[],"weights":[1]}]}']
)
def test_what_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(CalibrationError, match="Not a calibration"):
        Calibration.from_json(text)


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "1e9", "null"])
def test_weights_that_no_marks_give_are_refused(weight: str, calibration: Calibration) -> None:
    document = json.loads(calibration.to_json())
    document["items"][0]["weights"][0] = "WEIGHT"
    with pytest.raises(CalibrationError, match="Not a calibration"):
        Calibration.from_json(json.dumps(document).replace('"WEIGHT"', weight))


def test_a_calibration_of_another_grader_is_refused(real_grader: Grader, taught: Grader, calibration: Calibration) -> None:
    with pytest.raises(CalibrationError, match="make it again"):
        with_calibration(Grader(real_grader.encoder), calibration)
    with pytest.raises(CalibrationError, match="make it again"):
        with_calibration(taught, calibration)
    with pytest.raises(CalibrationError, match="make it again"):
        with_calibration(real_grader, replace(calibration, kernel="another"))


def test_marks_that_cannot_be_learnt_from_are_refused(real_grader: Grader) -> None:
    with pytest.raises(CalibrationError, match="No item has 3 marked answers"):
        calibrate(real_grader, [*MARKS[:2], (RAINBOW, " ", 0.0), (SPOON, "Metal.", 1.0)])
    with pytest.raises(CalibrationError, match=f"at most {MAX_MARKS}"):
        calibrate(real_grader, [(RAINBOW, "Light.", 0.5)] * (MAX_MARKS + 1))
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 5"):
        calibrate(real_grader, [(RAINBOW, "Light.", 5)])
    with pytest.raises(InvalidAnswerError):
        calibrate(real_grader, [(RAINBOW, "x" * 20_001, 1.0)] * 3)


def test_items_with_too_few_marks_are_left_to_the_general_score(real_grader: Grader) -> None:
    found = calibrate(real_grader, [*MARKS, (SPOON, "Metal conducts.", 0.0)])
    assert [item.content_hash for item in found.items] == [RAINBOW.content_hash]
    assert json.loads(found.to_json())["grader"] == real_grader.signature


def test_suggestions_are_unlike_each_other_and_the_marked_ones(real_grader: Grader) -> None:
    answers = [PRISM, f"{PRISM} ", "", WRONG, "Sunlight is refracted by drops of water.", "Drops of water refract sunlight."]
    first = suggest(real_grader, RAINBOW, answers, count=3)
    assert len(first) == 3
    assert 2 not in first
    assert not {0, 1} <= set(first)
    assert not {4, 5} <= set(first)
    assert suggest(real_grader, RAINBOW, answers, count=3) == first
    rest = suggest(real_grader, RAINBOW, answers, marked=[PRISM, WRONG], count=9)
    assert set(rest) == {4, 5}
    assert suggest(real_grader, RAINBOW, [" ", ""]) == []
    with pytest.raises(CalibrationError, match="at most 2000"):
        suggest(real_grader, RAINBOW, ["a"] * 2_001)
