"""Whether the words of a text stand in an order that sentences have.

Words are put into classes: every function word is its own, the others go by their ending. A table of how often one class follows
another, counted in people's sentences, then tells running text from the same words shuffled, strewn with "the" and "of", or
heaped. It knows English only and says nothing of what is said.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise

from grader.text import function_words, words

_ENDINGS = ("tion", "ing", "ed", "ly", "er", "al", "ive", "ment", "ity", "es", "s")
# An ending is one only behind something: "ring" and "red" are words of their own.
_SHORTEST_BASE = 3
_START, _STOP, _COMMA, _NUMBER, _PLAIN = "<start>", "<stop>", "<comma>", "<number>", "-"
_COMMAS = re.compile(r"[,;:]")
_STOPS = re.compile(r"[.!?\n]")
# Added to every class's count, so that a class never seen has a probability too.
_UNSEEN = 0.5

Counts = dict[str, dict[str, int]]
"""How often a class (outer key) was followed by a class (inner key)."""


def word_order(text: str) -> float:
    """Return how much likelier the words of a text are made by the words before them, as a mean of natural logarithms.

    The mean over words of log P(class | class before) - log P(class): about .4 for prose, about -.4 for shuffled words, 0.0 for a
    text without words. P(class | before) is interpolated with P(class) after Witten and Bell (1991): each by the number of
    classes that were seen to follow.
    """
    table = _log_ratios()
    pairs = list(pairwise(_classes(text)))
    return sum(table(before, after) for before, after in pairs) / len(pairs) if len(pairs) > 1 else 0.0


def count_followers(texts: Iterable[str]) -> Counts:
    """Return how often each class follows each other one in some texts."""
    counts: Counts = {}
    for text in texts:
        for before, after in pairwise(_classes(text)):
            followers = counts.setdefault(before, {})
            followers[after] = followers.get(after, 0) + 1
    return counts


def _classes(text: str) -> Iterator[str]:
    """Yield the classes of a text's words in order, with marks for commas, stops, and both ends."""
    yield _START
    end = 0
    for word in words(text):
        gap = text[end : word.start] if end else ""
        if _COMMAS.search(gap):
            yield _COMMA
        elif _STOPS.search(gap):
            yield _STOP
        yield _class(word.text.lower().replace("’", "'"))
        end = word.end
    yield _STOP


@lru_cache(maxsize=2_000)
def _class(word: str) -> str:
    if word in function_words():
        return word
    if word[0].isdigit():
        return _NUMBER
    return _PLAIN + next((e for e in _ENDINGS if word.endswith(e) and len(word) >= len(e) + _SHORTEST_BASE), "")


class _LogRatios:
    """Log P(class | class before) - log P(class), from counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._totals = {before: sum(followers.values()) for before, followers in counts.items()}
        self._single: dict[str, float] = {}
        for followers in counts.values():
            for after, count in followers.items():
                self._single[after] = self._single.get(after, _UNSEEN) + count
        self._known: dict[tuple[str, str], float] = {}
        self._all = sum(self._single.values()) + _UNSEEN

    def __call__(self, before: str, after: str) -> float:
        # There are a few hundred classes, so a few ten thousand pairs at most.
        known = self._known.get((before, after))
        if known is None:
            known = self._known[before, after] = self._log_ratio(before, after)
        return known

    def _log_ratio(self, before: str, after: str) -> float:
        single = self._single.get(after, _UNSEEN) / self._all
        followers = self._counts.get(before)
        if followers is None:
            return 0.0
        kinds = len(followers)
        return math.log((followers.get(after, 0) + kinds * single) / (self._totals[before] + kinds)) - math.log(single)


@cache
def _log_ratios() -> _LogRatios:
    """Return the table that ships with the package; `training/fit_word_order.py` counts it."""
    file = json.loads((files("grader") / "data" / "word_order.json").read_text(encoding="utf-8"))
    return _LogRatios(file["counts"])
