"""Marked answers with a verdict on each key point, from which the verifier learns to read whole answers.

`training/marked_items` is a bank like any other, written for this project: items of many subjects, each with two dozen answers.
Beside an item's responses lies `<id>.verdicts.csv`: for each answer, by its number, whether it says each key point, says half of
it, denies it, or does neither.

`training/answers_to_shipped_items` has answers to the items of the shipped bank, which were written for this as well, with their
verdicts beside them in one file an item. Nothing is learnt here from the responses of that bank.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import torch

from grader import Item, ItemBank
from grader.cross_encoder import Relation
from grader.entailment import PASSAGES, passages_of
from training import rewrites

MARKED_ITEMS = Path(__file__).with_name("marked_items")
VERDICTS_SUFFIX = ".verdicts.csv"
SHORT_ANSWERS = Path(__file__).with_name("short_answers")
ANSWERS_TO_SHIPPED_ITEMS = Path(__file__).with_name("answers_to_shipped_items")
_SHARE_DRESSED = 0.2
_SHARE_HEDGED = 0.5
_SHARE_BESIDE = 0.3
# So many of these stand beside the words of what is asked about, in sentences that do not say it.
_SHARE_BESIDE_ITS_WORDS = 0.4
# Answers that are made of each item's key points in a round, and what becomes of a key point: of a hundred so many each are said,
# left out, turned round, and asked rather than said.
_COMPOSED = 4
_BECOMES = {"said": 50, "left out": 15, "turned": 27, "open": 8}
_SHARE_IN_ORDER = 0.7
# From such a share of the marks an answer denies nothing of note.
_NO_DENIAL_FROM = 0.7
_SHARE_HEDGED_OF_COMPOSED = 0.2
# Answers from elsewhere that each item is shown in a round.
_STRANGERS = 2
_CERTAIN = 1e-4


class Verdict(StrEnum):
    """What an answer does with a key point."""

    SAYS = "says"
    HALF = "half"
    DENIES = "denies"
    NEITHER = "neither"


_SAID = {Verdict.SAYS: 1.0, Verdict.HALF: 0.5}


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, a statement and what the one does with the other."""

    answer: str
    statement: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Marked:
    """An answer and the share of the marks that it got, in [0, 1], held against references as wholes."""

    answer: str
    references: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the verifier is shown: an answer, a statement, how far it says it, in [0, 1], and whether it denies it, if known."""

    answer: str
    statement: str
    said: float
    is_denied: bool | None

    @classmethod
    def of(cls, judged: Judged) -> Shown:
        """Show an answer that was judged."""
        said = _SAID.get(judged.verdict, 0.0)
        return cls(judged.answer, judged.statement, said, judged.verdict is Verdict.DENIES)

    @classmethod
    def against(cls, reference: str, marked: Marked) -> Shown:
        """Show a marked answer against a reference. What else one with few marks does with it nobody has said."""
        return cls(marked.answer, reference, marked.share, False if marked.share >= _NO_DENIAL_FROM else None)

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


def answers_to_shipped_items(bank: ItemBank, folder: Path = ANSWERS_TO_SHIPPED_ITEMS) -> list[Judged]:
    """Return every answer written to the items of the shipped bank with each key point of its item.

    Raises:
        KeyError: If a file lacks one of its item's key points.
        ValueError: If something else than a verdict stands in its column.
        ItemNotFoundError: If there is a file for no item of the bank.
    """
    found = []
    for file in sorted(folder.glob("*.csv")):
        item = bank.get(file.stem)
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened, strict=True):
                found += [Judged(row["answer"], point.text, Verdict(row[point.id])) for point in item.key_points]
    return found


def marked_answers(bank: ItemBank) -> list[Marked]:
    """Return every marked answer of a bank with the references of its item."""
    return [
        Marked(
            response.candidate_answer,
            tuple(reference.text for reference in item.reference_answers),
            response.human_mark / item.max_mark,
        )
        for item in bank
        for response in bank.responses.get(item.id, ())
    ]


def short_answers(folder: Path = SHORT_ANSWERS) -> list[Marked]:
    """Return answers to short questions with one reference: a JSON object a line, with `reference`, and `answers` with marks.

    Raises:
        KeyError: If a line lacks a field.
    """
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    return [Marked(each["answer"], (row["reference"],), each["share"]) for row in rows for each in row["answers"]]


def round_of(judged: Sequence[Judged], marked: Sequence[Marked], items: Sequence[Item], rng: random.Random) -> list[Shown]:
    """Return what the verifier is shown in a round, in any order.

    Every judged answer, some of them with sentences hedged, or beside a denial of something else or what says nothing, all of
    which changes no verdict; and of each item what needs nobody's verdict: its references, its examples, its question, references
    of other items, words of its references without sense, and answers made of its key points. Every marked answer is shown
    against one of its references.
    """
    topics = [each.answer for each in judged]
    shown = [_disturbed(Shown.of(each), topics, rng) for each in judged]
    shown += [_disturbed(Shown.against(rng.choice(each.references), each), topics, rng) for each in marked]
    for item in items:
        shown += [Shown.of(each) for each in _certain(item, items, rng)]
        for _ in range(_COMPOSED):
            shown += [_disturbed(Shown.of(each), topics, rng) for each in composed(item, rng)]
    rng.shuffle(shown)
    return shown


def _certain(item: Item, items: Sequence[Item], rng: random.Random) -> Iterator[Judged]:
    """Yield what needs nobody's verdict."""
    point = rng.choice(item.key_points)
    reference = max(item.reference_answers, key=lambda each: len(each.text)).text
    yield from (Judged(reference, each.text, Verdict.SAYS) for each in item.key_points)
    yield from (Judged(example, point.text, Verdict.SAYS) for example in point.examples)
    strangers = [rng.choice(rng.choice(items).reference_answers).text for _ in range(_STRANGERS)]
    nothing = [item.question, rewrites.empty(reference, rng), rewrites.heap(reference, rng)]
    nothing += [text for text in strangers if text not in {each.text for each in item.reference_answers}]
    yield from (Judged(text, point.text, Verdict.NEITHER) for text in nothing if text)


def composed(item: Item, rng: random.Random) -> list[Judged]:
    """Return an answer made of an item's key points in their author's words, some left out and some turned round, with verdicts.

    Such answers differ in a word from one that says everything, and so does what they say.
    """
    said: list[str] = []
    verdicts = []
    for point in item.key_points:
        wording = rng.choice([point.text, rng.choice([point.text, *point.examples])])
        (becomes,) = rng.choices(list(_BECOMES), weights=list(_BECOMES.values()))
        turned = rewrites.turn_round(wording, rng) if becomes == "turned" else None
        if becomes == "left out" or (becomes == "turned" and turned is None):
            verdicts.append(Verdict.NEITHER)
            continue
        if becomes == "said":
            verdicts.append(Verdict.SAYS)
            said.append(wording)
        elif turned is not None:
            verdicts.append(Verdict.DENIES)
            said.append(turned)
        else:
            verdicts.append(Verdict.NEITHER)
            said.append(rewrites.leave_open(wording, rng))
    if not said:
        return []
    if rng.random() >= _SHARE_IN_ORDER:
        rng.shuffle(said)
    said = [rewrites.hedge(each, rng) if rng.random() < _SHARE_HEDGED_OF_COMPOSED else each for each in said]
    answer = " ".join(f"{each[:1].upper()}{each[1:].rstrip('.')}." for each in said)
    return [Judged(answer, point.text, verdict) for point, verdict in zip(item.key_points, verdicts, strict=True)]


def _disturbed(shown: Shown, topics: Sequence[str], rng: random.Random) -> Shown:
    """Return what is shown with its answer, now and then, in words or beside some that change nothing, whatever it says."""
    answer = shown.answer
    if rng.random() < _SHARE_DRESSED:
        answer = rewrites.dress(answer, topics, rng, hedged=_SHARE_HEDGED)
    if rng.random() < _SHARE_BESIDE:
        nothing = rewrites.empty(shown.statement, rng) if rng.random() < _SHARE_BESIDE_ITS_WORDS else None
        answer = rewrites.set_beside(answer, rng.choice(topics), rng) if nothing is None else f"{answer} {nothing}"
    return replace(shown, answer=answer)


def loss_of(probabilities: torch.Tensor, said: float, *, is_denied: bool | None) -> torch.Tensor:
    """Return how far what is known of an answer is from the probabilities of its passages, shape `(passages, len(Relation))`.

    That some passage does a thing has the probability that not every passage does not do it.

    Args:
        probabilities: Of each relation of each passage.
        said: How likely some passage should entail the statement, in [0, 1].
        is_denied: Whether some passage contradicts it; None where that is not known, and all the same.
    """
    likely = probabilities.float().clamp(_CERTAIN, 1 - _CERTAIN)
    none_entails = torch.log1p(-likely[:, Relation.ENTAILS]).sum()
    none_contradicts = torch.log1p(-likely[:, Relation.CONTRADICTS]).sum()
    some_entails = torch.log(-torch.expm1(none_entails))
    some_contradicts = torch.log(-torch.expm1(none_contradicts))
    loss = -said * some_entails - (1 - said) * none_entails
    if is_denied is None:
        return loss
    # What is no denial is told from one by what it says as well, so that it weighs half.
    return loss - some_contradicts if is_denied else loss - none_contradicts / 2
