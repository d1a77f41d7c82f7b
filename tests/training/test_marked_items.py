"""What was written for the verifier to learn whole answers from, and what is made of it."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from grader import ItemBank
from training.marked_items import MARKED_ITEMS, Judged, Verdict, judged_answers, round_of, verdict_loss

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


def test_a_round_shows_every_answer_and_what_needs_no_verdict(judged: list[Judged], bank: ItemBank) -> None:
    shown = round_of(judged, bank.items, random.Random(1))  # noqa: S311 nothing secret
    assert len(shown) > len(judged) + 5 * len(bank.items)
    as_written = set(judged)
    dressed = [each for each in shown if each not in as_written]
    assert 0.2 < sum(each in as_written for each in shown[:2000]) / 2000 < 0.9
    assert (bank.items[0].question, Verdict.NEITHER) in {(each.answer, each.verdict) for each in dressed}
    references = {reference.text for reference in bank.items[0].reference_answers}
    assert any(each.answer in references and each.verdict is Verdict.SAYS for each in shown)


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
    least = verdict_loss(torch.tensor(best), verdict)
    assert least.isfinite()
    assert all(verdict_loss(torch.tensor(other), verdict) > least + 0.2 for other in others)


def test_certain_probabilities_have_a_finite_loss() -> None:
    certain = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    loss = verdict_loss(certain, Verdict.DENIES)
    loss.backward()  # type: ignore[no-untyped-call]  # the library has no type for it
    assert loss.isfinite()
