"""Changes to an answer whose effect on its mark is known, and answers made to fool.

Each disturbance makes a text from a `Subject`, or None where it does not know how, and says what a fair mark must then do.
Changes of meaning are those of `training/rewrites.py`. English only; what is made need not be elegant, only clear.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from benchmarks import gaming
from grader import Gradable
from grader.text import clauses, sentences, words
from training import rewrites

_SYNONYMS = Path(__file__).parent / "synonyms.txt"
_MOST_EXCHANGED = 3
_WORDS_PER_EMOJI = 4
_EMOJI = ("🙂", "🔥", "👍", "🚀", "💡")
_CONNECTORS = (" because ", " so that ", " while ", " when ", " if ", " since ")


class Demand(StrEnum):
    """What a fair mark does.

    `STAYS`: it does not move. `FALLS`: it is lower than before. `NOT_ABOVE`: it is not higher than before. `FAILS`: it is no
    pass. `FULL`: it is the highest.
    """

    STAYS = "stays"
    FALLS = "falls"
    NOT_ABOVE = "not above"
    FAILS = "fails"
    FULL = "full"


class Base(StrEnum):
    """The answer that is disturbed: one that people marked right, one that they failed, or none."""

    RIGHT = "right"
    FAILING = "failing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An item with a right and a failing answer to it, and a right answer to another question.

    `terms` are the words that a heap is made of: the author's keywords, or the content words of a reference. `failing` is None
    where nobody failed the question.
    """

    item: Gradable
    right: str
    failing: str | None
    foreign: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One kind of change. `group` is what a target is set for; empty where there is none."""

    name: str
    demand: Demand
    base: Base
    make: Callable[[Subject, random.Random], str | None]
    group: str = ""


def exchange_synonyms(text: str, rng: random.Random) -> str | None:
    """Return the text with up to three words replaced by synonyms, or None if it holds none that is known."""
    spots = [word for word in words(text) if word.text.lower() in _synonyms()]
    if not spots:
        return None
    for spot in sorted(rng.sample(spots, min(_MOST_EXCHANGED, len(spots))), key=lambda word: -word.start):
        other = _synonyms()[spot.text.lower()]
        text = text[: spot.start] + (other.capitalize() if spot.text[0].isupper() else other) + text[spot.end :]
    return text


def move_parts(text: str) -> str | None:
    """Return the text with its first sentence last, or a lone sentence's second clause first; None if there is but one part."""
    spans = sentences(text)
    if len(spans) > 1:
        return " ".join([span.text for span in spans[1:]] + [spans[0].text])
    for connector in _CONNECTORS:
        one, found, rest = text.partition(connector)
        if found and len(rest.split()) > 1 and len(one.split()) > 1:
            return f"{connector.strip().capitalize()} {rest.rstrip('.!? ')}, {one}."
    return None


def delete_clause(text: str, rng: random.Random) -> str | None:
    """Return the text without one of its clauses, or None if it has but one."""
    spans = clauses(text)
    if len(spans) > 1:
        gone = rng.choice(spans)
        return " ".join(span.text for span in spans if span is not gone)
    parts = rewrites.first_part(text)
    return rng.choice(parts) if parts else None


def strew_emoji(text: str, rng: random.Random) -> str:
    """Return the text with an emoji after about every fourth word."""
    pieces = text.split()
    return " ".join(piece + (f" {rng.choice(_EMOJI)}" if at % _WORDS_PER_EMOJI == 0 else "") for at, piece in enumerate(pieces))


@cache
def _synonyms() -> dict[str, str]:
    """Return what each known word is exchanged for."""
    pairs: dict[str, str] = {}
    for line in _SYNONYMS.read_text(encoding="utf-8").splitlines():
        for pair in line.split() if not line.startswith("#") else ():
            one, other = pair.split("/")
            pairs.setdefault(one, other)
            pairs.setdefault(other, one)
    return pairs


def _one_sentence(text: str, change: Callable[[str, random.Random], str | None], rng: random.Random) -> str | None:
    """Return the text with one of its sentences changed, or None if none of them can be."""
    spans = sentences(text)
    rng.shuffle(spans)
    for span in spans:
        changed = change(span.text, rng)
        if changed and changed != span.text:
            return text[: span.start] + changed + text[span.end :]
    return None


def _stays(name: str, make: Callable[[str, random.Random], str | None]) -> Disturbance:
    return Disturbance(name=name, demand=Demand.STAYS, base=Base.RIGHT, make=lambda s, rng: make(s.right, rng))


def _falls(name: str, group: str, make: Callable[[str, random.Random], str | None]) -> Disturbance:
    return Disturbance(name=name, demand=Demand.FALLS, base=Base.RIGHT, make=lambda s, rng: make(s.right, rng), group=group)


def _not_above(name: str, make: Callable[[Subject, random.Random], str | None]) -> Disturbance:
    return Disturbance(name=name, demand=Demand.NOT_ABOVE, base=Base.RIGHT, make=make)


def _dressed(name: str, make: Callable[[str, random.Random], str | None]) -> Disturbance:
    """Return a disturbance of the words of a failing answer."""

    def dressed(subject: Subject, rng: random.Random) -> str | None:
        return None if subject.failing is None else make(subject.failing, rng)

    return Disturbance(name=name, demand=Demand.NOT_ABOVE, base=Base.FAILING, make=dressed)


def _fails(name: str, make: Callable[[Subject, random.Random], str | None], group: str = "") -> Disturbance:
    return Disturbance(name=name, demand=Demand.FAILS, base=Base.NONE, make=make, group=group)


def _after_failing(name: str, make: Callable[[Subject, random.Random], str | None], group: str = "") -> Disturbance:
    """Return a disturbance that puts something beside a failing answer."""

    def beside(subject: Subject, rng: random.Random) -> str | None:
        added = make(subject, rng)
        return None if subject.failing is None or added is None else f"{subject.failing.rstrip()} {added}"

    return Disturbance(name=name, demand=Demand.FAILS, base=Base.FAILING, make=beside, group=group)


DISTURBANCES: tuple[Disturbance, ...] = (
    _stays("synonyms", exchange_synonyms),
    _stays("typing slips", rewrites.misspell),
    _stays("parts in another order", lambda text, _: move_parts(text)),
    _stays("adverbs and hedges added", lambda text, rng: _one_sentence(text, rewrites.hedge, rng)),
    _stays("markup", lambda text, _: gaming.marked_up(text)),
    _stays("emoji", strew_emoji),
    _stays("spaces, 20,000 characters", lambda text, _: gaming.padded(text, " \n")),
    _stays("a sentence in another script added", lambda text, rng: f"{text} {rng.choice(gaming.OTHER_SCRIPTS)}"),
    Disturbance(
        name="question put before it", demand=Demand.STAYS, base=Base.RIGHT, make=lambda s, _: f"{s.item.question} {s.right}"
    ),
    _falls("negated or un-negated", "negation", lambda text, rng: _one_sentence(text, rewrites.negate, rng)),
    _falls("called false", "negation", lambda text, rng: _one_sentence(text, rewrites.frame_denial, rng)),
    _falls("antonym", "contradiction", lambda text, rng: _one_sentence(text, rewrites.oppose, rng)),
    _falls("number changed", "contradiction", lambda text, rng: _one_sentence(text, rewrites.change_number, rng)),
    _falls("parts exchanged", "contradiction", lambda text, rng: _one_sentence(text, rewrites.swap_roles, rng)),
    _falls("clause deleted", "deletion", delete_clause),
    _not_above("wrong answer added", lambda s, _: None if s.failing is None else f"{s.right} {s.failing}"),
    _not_above("wrong answer before it", lambda s, _: None if s.failing is None else f"{s.failing} {s.right}"),
    _not_above("instruction to the marker added", lambda s, rng: f"{s.right} {rng.choice(gaming.INSTRUCTIONS)}"),
    _not_above("prose, 20,000 characters", lambda s, _: gaming.padded(s.right, gaming.PROSE)),
    _not_above("itself again, 20,000 characters", lambda s, _: gaming.padded(s.right, f" {s.right}")),
    _dressed("failing answer, adverbs and hedges added", rewrites.hedge),
    _dressed("failing answer, in frames that sound sure", gaming.framed),
    _fails("question", lambda s, _: s.item.question or None, "echo"),
    _after_failing("question beside a failing answer", lambda s, _: s.item.question or None, "echo"),
    _fails("keywords, comma list", lambda s, _: gaming.comma_list(s.terms), "heap"),
    _fails("keywords, jumble", lambda s, rng: gaming.jumble(s.terms, rng), "heap"),
    _fails("keywords, small words strewn in", lambda s, rng: gaming.strewn(s.terms, rng), "heap"),
    _fails("keywords, fewer than eight", lambda s, rng: gaming.few(s.terms, rng), "heap"),
    _fails("right answer, its words shuffled", lambda s, rng: gaming.shuffled(s.right, rng), "heap"),
    _fails("keywords in fluent nonsense", lambda s, rng: gaming.nonsense(s.terms, rng), "nonsense"),
    _after_failing("fluent nonsense beside a failing answer", lambda s, rng: gaming.nonsense(s.terms, rng), "nonsense"),
    _fails("another question's right answer", lambda s, _: s.foreign, "off topic"),
    _fails("instruction to the marker", lambda _, rng: rng.choice(gaming.INSTRUCTIONS), "instruction"),
    _after_failing("instruction beside a failing answer", lambda _, rng: rng.choice(gaming.INSTRUCTIONS), "instruction"),
    _fails("another script", lambda _, rng: rng.choice(gaming.OTHER_SCRIPTS), "off topic"),
    Disturbance(
        name="reference copied",
        demand=Demand.FULL,
        base=Base.NONE,
        make=lambda s, rng: rng.choice(s.item.reference_answers).text,
    ),
)
