"""What was written for the verifier to learn whole answers from, and what is made of it."""

from __future__ import annotations

import csv
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from grader import ItemBank, default_bank_dir
from grader.text import content_stems
from training.marked_items import (
    ANSWERS_TO_SHIPPED_ITEMS,
    MARKED_ITEMS,
    Judged,
    Marked,
    Shown,
    Verdict,
    answers_to_shipped_items,
    composed,
    judged_answers,
    loss_of,
    marked_answers,
    round_of,
    short_answers,
)

TESTED = Path(__file__).parents[2] / "benchmarks" / "banks_of_other_subjects"


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return judged_answers(MARKED_ITEMS)


@pytest.fixture(scope="module")
def bank() -> ItemBank:
    return ItemBank.from_directory(MARKED_ITEMS)


def test_every_answer_has_a_verdict_on_each_key_point(judged: list[Judged], bank: ItemBank) -> None:
    assert len(judged) == sum(len(bank.responses[item.id]) * len(item.key_points) for item in bank)
    assert {each.verdict for each in judged} == set(Verdict)


def test_verdicts_go_with_the_marks(bank: ItemBank) -> None:
    """The weights of what is said come near to the mark: a row that slipped would stand out."""
    worth = {Verdict.SAYS: 1.0, Verdict.HALF: 0.5, Verdict.DENIES: 0.0, Verdict.NEITHER: 0.0}
    judged = iter(judged_answers(MARKED_ITEMS))
    far = Counter[str]()
    for item in bank:
        weights = [point.weight for point in item.key_points]
        for response in bank.responses[item.id]:
            said = sum(weight * worth[next(judged).verdict] for weight in weights) / sum(weights)
            far[item.id] += abs(said - response.human_mark / item.max_mark) > 0.31
    assert far.total() < 0.02 * sum(map(len, bank.responses.values()))
    assert max(far.values()) <= 3


@pytest.mark.parametrize("name", ["dev", "dev_2", "test", "test_2"])
def test_nothing_that_is_measured_on_is_learnt_from(name: str, bank: ItemBank) -> None:
    measured = ItemBank.from_directory(TESTED / name)
    assert not {item.id for item in measured} & {item.id for item in bank}
    answers = {response.candidate_answer for responses in bank.responses.values() for response in responses}
    assert not answers & {response.candidate_answer for responses in measured.responses.values() for response in responses}


def test_verdicts_that_do_not_fit_the_answers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("1\n", encoding="utf-8")
    for file in (MARKED_ITEMS / "items").glob("alveoli.*"):
        shutil.copy(file, tmp_path)
    assert judged_answers(tmp_path)
    verdicts = tmp_path / "alveoli.verdicts.csv"
    lines = verdicts.read_text(encoding="utf-8").splitlines()
    verdicts.write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(ValueError, match="alveoli"):
        judged_answers(tmp_path)


def test_answers_to_shipped_items_are_not_those_that_the_bank_is_measured_on() -> None:
    shipped = ItemBank.from_directory(default_bank_dir())
    judged = answers_to_shipped_items(shipped)
    assert {file.stem for file in ANSWERS_TO_SHIPPED_ITEMS.glob("*.csv")} == {item.id for item in shipped}
    assert {each.statement for each in judged} == {point.text for item in shipped for point in item.key_points}
    measured = {response.candidate_answer for responses in shipped.responses.values() for response in responses}
    assert not measured & {each.answer for each in judged}


def test_verdicts_on_answers_to_shipped_items_go_with_their_marks() -> None:
    shipped = ItemBank.from_directory(default_bank_dir())
    worth = {Verdict.SAYS: 1.0, Verdict.HALF: 0.5, Verdict.DENIES: 0.0, Verdict.NEITHER: 0.0}
    judged = iter(answers_to_shipped_items(shipped))
    far = 0
    for file in sorted(ANSWERS_TO_SHIPPED_ITEMS.glob("*.csv")):
        item = shipped.get(file.stem)
        weights = [point.weight for point in item.key_points]
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                said = sum(weight * worth[next(judged).verdict] for weight in weights) / sum(weights)
                far += abs(said - float(row["mark"]) / 10) > 0.31
    assert far < 10


def test_a_file_that_lacks_a_key_point_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dropout.csv").write_text("answer,mark,note\nSwitches units off.,3,\n", encoding="utf-8")
    with pytest.raises(KeyError):
        answers_to_shipped_items(ItemBank.from_directory(default_bank_dir()), tmp_path)


def test_marks_are_shares(bank: ItemBank) -> None:
    marked = [*marked_answers(bank), *short_answers()]
    assert all(0.0 <= each.share <= 1.0 and each.references for each in marked)
    assert len(marked_answers(bank)) == sum(map(len, bank.responses.values()))
    assert len(short_answers()) > 2_500
    assert 0.4 < sum(each.share for each in marked) / len(marked) < 0.7


def test_a_round_shows_every_answer_and_what_needs_no_verdict(judged: list[Judged], bank: ItemBank) -> None:
    marked = short_answers()
    shown = round_of(judged, marked, bank.items, random.Random(1))  # noqa: S311 nothing secret
    assert len(shown) > len(judged) + len(marked) + 10 * len(bank.items)
    as_written = {Shown.of(each) for each in judged} | {Shown.against(each.references[0], each) for each in marked}
    made = {(each.answer, each.said) for each in shown if each not in as_written}
    assert 0.3 < sum(each in as_written for each in shown[:2000]) / 2000 < 0.8
    assert (bank.items[0].question, 0.0) in made
    references = {reference.text for reference in bank.items[0].reference_answers}
    assert any(each.answer in references and each.said == 1.0 for each in shown)


def test_what_is_made_of_key_points_says_what_its_verdicts_say(bank: ItemBank) -> None:
    rng = random.Random(2)  # noqa: S311 nothing secret
    for item in bank:
        for point, judged in zip(item.key_points, composed(item, rng), strict=False):
            assert judged.statement == point.text
            if judged.verdict is Verdict.SAYS:
                stems = set(content_stems(judged.answer))
                assert any(stems.issuperset(content_stems(form)) for form in (point.text, *point.examples))
    found = Counter(each.verdict for _ in range(20) for item in bank.items for each in composed(item, rng))
    assert found[Verdict.SAYS] > found[Verdict.DENIES] > 0.1 * found.total()
    assert found[Verdict.NEITHER] > 0.1 * found.total()


def test_few_marks_do_not_tell_a_denial() -> None:
    assert Shown.against("It rises.", Marked("It falls.", ("It rises.",), 0.0)).is_denied is None
    assert Shown.against("It rises.", Marked("It goes up.", ("It rises.",), 1.0)).is_denied is False


SAYING, SILENT, DENYING = [0.98, 0.01, 0.01], [0.01, 0.98, 0.01], [0.01, 0.01, 0.98]


@pytest.mark.parametrize(
    ("verdict", "best", "others"),
    [
        (Verdict.SAYS, [SAYING, SILENT], [[SILENT, SILENT], [DENYING, SILENT], [SAYING, DENYING]]),
        (Verdict.DENIES, [SILENT, DENYING], [[SILENT, SILENT], [SAYING, SILENT], [SAYING, DENYING]]),
        (Verdict.NEITHER, [SILENT, SILENT], [[SAYING, SILENT], [DENYING, SILENT]]),
        (Verdict.HALF, [[0.5, 0.49, 0.01]], [[SAYING], [SILENT], [DENYING]]),
    ],
)
def test_a_verdict_fits_best_what_the_passages_do_together(
    verdict: Verdict, best: list[list[float]], others: list[list[list[float]]]
) -> None:
    least = _loss(best, Shown.of(Judged("", "", verdict)))
    assert least.isfinite()
    assert all(_loss(other, Shown.of(Judged("", "", verdict))) > least + 0.2 for other in others)


def test_a_mark_fits_best_where_the_reference_is_as_likely_said() -> None:
    marked = Shown.against("", Marked("", ("",), 0.3))
    least = _loss([[0.3, 0.6, 0.1]], marked)
    assert least == _loss([[0.3, 0.1, 0.6]], marked)
    assert all(_loss([[said, 0.9 - said, 0.1]], marked) > least for said in (0.1, 0.2, 0.5, 0.8))


def _loss(probabilities: list[list[float]], shown: Shown) -> torch.Tensor:
    return loss_of(torch.tensor(probabilities), shown.said, is_denied=shown.is_denied)


def test_certain_probabilities_have_a_finite_loss() -> None:
    certain = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    loss = loss_of(certain, 0.0, is_denied=True)
    loss.backward()  # type: ignore[no-untyped-call]  # the library has no type for it
    assert loss.isfinite()
