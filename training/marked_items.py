"""Marked answers with a verdict on each key point, from which the verifier learns to read whole answers.

`training/marked_items` is a bank like any other, written for this project: items of many subjects, each with two dozen answers.
Beside an item's responses lies `<id>.verdicts.csv`: for each answer, by its number, whether it says each key point, says half of
it, denies it, or does neither.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch

from grader import Item, ItemBank
from grader.cross_encoder import Relation
from grader.entailment import PASSAGES, passages_of
from training import rewrites

MARKED_ITEMS = Path(__file__).with_name("marked_items")
VERDICTS_SUFFIX = ".verdicts.csv"
_SHARE_DRESSED = 0.25
_SHARE_HEDGED = 0.5
# Answers from elsewhere that each item is shown in a round.
_STRANGERS = 2
_CERTAIN = 1e-4


class Verdict(StrEnum):
    """What an answer does with a key point."""

    SAYS = "says"
    HALF = "half"
    DENIES = "denies"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, a statement and what the one does with the other."""

    answer: str
    statement: str
    verdict: Verdict

    @property
    def passages(self) -> list[str]:
        """Return the first passages of the answer; those that were written for this have hardly more."""
        return [part.text for part in passages_of(self.answer)][:PASSAGES] or [self.answer]


def judged_answers(folder: Path) -> list[Judged]:
    """Return every answer of a bank with each key point of its item.

    Raises:
        ValueError: If the verdicts on an item's answers are not one for each answer and key point.
    """
    bank = ItemBank.from_directory(folder)
    files = {file.name.removesuffix(VERDICTS_SUFFIX): file for file in folder.rglob(f"*{VERDICTS_SUFFIX}")}
    return [judged for item in bank for judged in _judged(item, bank, files[item.id])]


def _judged(item: Item, bank: ItemBank, file: Path) -> Iterator[Judged]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, strict=True))
    responses = bank.responses[item.id]
    if [row["answer"] for row in rows] != [str(number) for number in range(1, len(responses) + 1)]:
        raise ValueError(f"{file.name} has no row for each answer of {item.id}")
    for row, response in zip(rows, responses, strict=True):
        for point in item.key_points:
            yield Judged(response.candidate_answer, point.text, Verdict(row[point.id]))


def round_of(judged: Sequence[Judged], items: Sequence[Item], rng: random.Random) -> list[Judged]:
    """Return what the verifier is shown in a round, in any order.

    Every judged answer, some of them with sentences hedged or beside a denial of something else, which changes no verdict; and of
    each item what needs nobody's verdict: its references, its examples, its question, references of other items, and words of
    its references without sense.
    """
    topics = [each.answer for each in judged]
    shown = [Judged(_dressed(each.answer, topics, rng), each.statement, each.verdict) for each in judged]
    for item in items:
        point = rng.choice(item.key_points)
        reference = max(item.reference_answers, key=lambda each: len(each.text)).text
        strangers = [rng.choice(rng.choice(items).reference_answers).text for _ in range(_STRANGERS)]
        shown += [Judged(reference, each.text, Verdict.SAYS) for each in item.key_points]
        shown += [Judged(example, point.text, Verdict.SAYS) for example in point.examples]
        nothing = [item.question, rewrites.empty(reference, rng), rewrites.heap(reference, rng)]
        nothing += [text for text in strangers if text not in {each.text for each in item.reference_answers}]
        shown += [Judged(text, point.text, Verdict.NEITHER) for text in nothing if text]
    rng.shuffle(shown)
    return shown


def _dressed(answer: str, topics: Sequence[str], rng: random.Random) -> str:
    """Return an answer, now and then in words that change nothing, whatever it says."""
    if rng.random() >= _SHARE_DRESSED:
        return answer
    return rewrites.dress(answer, topics, rng, hedged=_SHARE_HEDGED)


def verdict_loss(probabilities: torch.Tensor, verdict: Verdict) -> torch.Tensor:
    """Return how far a verdict is from the probabilities of an answer's passages, shape `(passages, len(Relation))`.

    That some passage does a thing has the probability that not every passage does not do it. Each verdict says what some passage
    does, and what none does.
    """
    likely = probabilities.float().clamp(_CERTAIN, 1 - _CERTAIN)
    none_entails = torch.log1p(-likely[:, Relation.ENTAILS]).sum()
    none_contradicts = torch.log1p(-likely[:, Relation.CONTRADICTS]).sum()
    some_entails = torch.log(-torch.expm1(none_entails))
    some_contradicts = torch.log(-torch.expm1(none_contradicts))
    # What is no denial is told from one by what it says as well, so that it weighs half.
    return {
        Verdict.SAYS: lambda: -some_entails - none_contradicts / 2,
        Verdict.HALF: lambda: -(some_entails + none_entails + none_contradicts) / 2,
        Verdict.DENIES: lambda: -some_contradicts - none_entails,
        Verdict.NEITHER: lambda: -none_entails - none_contradicts / 2,
    }[verdict]()
