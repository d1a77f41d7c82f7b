"""What the practice pages show: questions to choose from, and a result with the answer's own words beside each key point."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from grader import Gradable, GradingResult, Item, ItemHead
from grader.items import ReferenceKind

MAX_INTERVIEW = 20
# How the library's sentences begin that are about key points; a test grades answers to hold them to it.
_WRONG = "Check what you say about "
_NEXT = ("Say more about ", "Nothing was found about ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of the answer; `points` are the numbers of the key points that it is the proof of, from 1 up."""

    text: str
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Feedback by what it is for: how the answer is, what in it has to be put right, and what it should say next."""

    said: tuple[str, ...]
    wrong: tuple[str, ...]
    following: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The questions of one section of the bank, in their order."""

    name: str
    items: tuple[ItemHead, ...]


def sections(items: Sequence[ItemHead], *, topic: str, difficulty: str) -> list[Section]:
    """Return the questions that are asked for, section by section; an empty topic or difficulty asks for all."""
    wanted = [i for i in items if topic in ("", i.topic) and difficulty in ("", i.difficulty.value)]
    names = dict.fromkeys(item.section for item in wanted)
    return [Section(name=name, items=tuple(item for item in wanted if item.section == name)) for name in names]


def interview(items: Sequence[ItemHead], count: int, rng: random.Random) -> list[str]:
    """Return the ids of some questions in any order, at most as many as there are."""
    return [item.id for item in rng.sample(list(items), min(count, MAX_INTERVIEW, len(items)))]


def pieces(answer: str, result: GradingResult) -> list[Piece]:
    """Return the answer cut wherever the proof of a key point begins or ends; joined they are the answer."""
    spans = [(span.start, span.end, number) for number, point in enumerate(result.key_points, start=1) for span in point.evidence]
    return _cut(answer, spans)


def pieces_of(answer: str, result: Mapping[str, Any]) -> list[Piece]:  # Any: JSON
    """Return the pieces for a result as plain JSON values, as it was stored."""
    spans = [
        (span["start"], span["end"], number)
        for number, point in enumerate(result["key_points"], start=1)
        for span in point["evidence"]
    ]
    return _cut(answer, spans)


def _cut(answer: str, spans: Sequence[tuple[int, int, int]]) -> list[Piece]:
    cuts = sorted({0, len(answer), *(start for start, _, _ in spans), *(end for _, end, _ in spans)})
    return [
        Piece(text=answer[start:end], points=tuple(dict.fromkeys(n for s, e, n in spans if s <= start and end <= e)))
        for start, end in pairwise(cuts)
    ]


def told(feedback: Sequence[str], corrections: Collection[str] = ()) -> Told:
    """Return feedback by what it is for; `corrections` is what the item has to say about misconceptions."""
    wrong = [line for line in feedback if line in corrections or line.startswith(_WRONG)]
    following = [line for line in feedback if line not in wrong and line.startswith(_NEXT)]
    said = [line for line in feedback if line not in wrong and line not in following]
    return Told(said=tuple(said), wrong=tuple(wrong), following=tuple(following))


def revealed(item: Gradable, answer: str) -> str | None:
    """Return the reference answer that a learner may see after an attempt: the full one, if the item allows it and there was one.

    An answer without a letter or digit is no attempt.
    """
    if not isinstance(item, Item) or not item.reveal_reference or not any(c.isalnum() for c in answer):
        return None
    return next(reference.text for reference in item.reference_answers if reference.kind is ReferenceKind.FULL)


def point_name(point_id: str) -> str:
    """Return the id of a key point as words: its text may be the answer that the learner is to find."""
    words = point_id.replace("-", " ")
    return words[:1].upper() + words[1:]
