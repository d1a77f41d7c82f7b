"""Words shared by two texts, beyond identity: stems, typing slips, abbreviations, words written together or apart.

Digits are strict: "10" never matches "100", however close. Everything here works on stems and needs no network.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeVar

from rapidfuzz.distance import OSA

from grader.text import Word, irregular_forms, stem, words

# Slips allowed by the length of the longer word: none in short words, where one letter makes another word ("loss", "less").
_ONE_SLIP_FROM = 5
_TWO_SLIPS_FROM = 9
_SHORTEST_ACRONYM = 2
_DENYING = frozenset({"not", "no", "without", "never", "cannot"})
_LONGEST_ACRONYM = 6

# Distinct words whose nearest misspelling a text remembers. An item's texts live as long as the process and are asked for the
# words of every answer.
_REMEMBERED = 32

T = TypeVar("T")
# Words by their first letter: each with its first position in the text and the slips it may hold.
_Candidates = dict[str, tuple[tuple[str, int, int], ...]]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase ready to be found in many texts: what finding it needs to know of its words, worked out once.

    `wanted` are the words that have to stand near each other, `initials` the abbreviation it may be written as, None where that
    would be too short or too long, and `together` the stem of the phrase written as one word.
    """

    words: tuple[Word, ...]
    wanted: tuple[Word, ...]
    initials: str | None
    together: str
    may_be_acronym: bool

    @classmethod
    def of(cls, phrase: Sequence[Word]) -> Phrase:
        """Make a phrase of at least one word ready."""
        # Function words may be left out ("gradient of the loss"), unless they make the phrase: "not linear", "too well".
        wanted = [w for w in phrase if w.is_content or w.stem in _DENYING]
        if sum(w.is_content for w in phrase) <= 1:
            wanted = list(phrase)
        initials = "".join(w.text[:1].lower() for w in phrase)
        return cls(
            words=tuple(phrase),
            wanted=tuple(wanted),
            initials=initials if _SHORTEST_ACRONYM <= len(initials) <= _LONGEST_ACRONYM else None,
            together=stem("".join(w.text for w in phrase)),
            may_be_acronym=len(phrase) == 1 and _may_be_acronym(phrase[0].text),
        )


class WordIndex:
    """The words of one text, ready to be asked what they contain."""

    def __init__(self, text_words: Sequence[Word]) -> None:
        """Index the words of a text, in their order."""
        self.words = tuple(text_words)
        self._at = _grouped([(word.stem, position) for position, word in enumerate(self.words)])
        self._fuzzy: dict[tuple[str, bool], int | None] = {}

    @classmethod
    def of(cls, text: str) -> WordIndex:
        """Index a text."""
        return cls(words(text))

    @property
    def stems(self) -> frozenset[str]:
        """All stems of the text, function words included."""
        return frozenset(self._at)

    @cached_property
    def content_stems(self) -> frozenset[str]:
        """The stems of the words that carry subject matter."""
        return frozenset(word.stem for word in self.words if word.is_content)

    @cached_property
    def _initials(self) -> str:
        return "".join(word.stem[:1] for word in self.words)

    @cached_property
    def _acronyms(self) -> dict[str, int]:
        return {w.text.lower(): i for i, w in enumerate(self.words) if _may_be_acronym(w.text)}

    @cached_property
    def _written(self) -> dict[str, int]:
        """The words as written, each with its first position."""
        written: dict[str, int] = {}
        for position, word in enumerate(self.words):
            written.setdefault(unicodedata.normalize("NFC", word.text.lower()), position)
        return written

    def find(self, wanted: str) -> int | None:
        """Return the position of the first word with this stem, or of the nearest misspelling of it, or None."""
        at = self._at.get(wanted)
        if at is not None:
            return at[0]
        return self._nearest(wanted, by_stem=True)

    def find_word(self, wanted: Word) -> int | None:
        """Return the position of the first word with the stem of a word, or of the nearest misspelling of it, or None.

        A slip can spoil the ending that the stemmer goes by ("regularisaton"), so the words as written are compared as well.
        """
        found = self.find(wanted.stem)
        return self._nearest(wanted.text.lower(), by_stem=False) if found is None else found

    def count(self, wanted: frozenset[str]) -> int:
        """Return how many stems the text holds, misspelt ones included."""
        missing = wanted.difference(self._at)
        return len(wanted) - len(missing) + sum(self._nearest(stem_, by_stem=True) is not None for stem_ in missing)

    def find_phrase(self, phrase: Phrase) -> tuple[int, int] | None:
        """Return the first and last position at which a phrase stands in the text, or None.

        The words of the phrase may stand apart by two others and in any order ("weights are updated" for "update weights"), be
        written together ("backprop agation"), as an abbreviation of their initials ("RNN"), or the other way round.
        """
        if len(phrase.words) == 1:
            word = phrase.words[0]
            found = self.find_word(word)
            if found is None and phrase.may_be_acronym:
                return self._spelt_out(word.text.lower())
            return (found, found) if found is not None else self._written_apart(word.stem)
        return self._near_each_other(phrase) or self._abbreviated(phrase) or self._written_together(phrase)

    def _nearest(self, wanted: str, *, by_stem: bool) -> int | None:
        """Return where the nearest misspelling of a stem, or of a word as written, stands; remembered for the next time."""
        if not slips_allowed(wanted):
            return None
        key = (wanted, by_stem)
        # One look-up: another thread may forget everything in between two.
        found = self._fuzzy.get(key, -1)
        if found == -1:
            found = _misspelt(wanted, self._stem_candidates if by_stem else self._written_candidates)
            if len(self._fuzzy) >= _REMEMBERED:
                self._fuzzy.clear()
            self._fuzzy[key] = found
        return found

    @cached_property
    def _stem_candidates(self) -> _Candidates:
        return _candidates({word: at[0] for word, at in self._at.items()})

    @cached_property
    def _written_candidates(self) -> _Candidates:
        return _candidates(self._written)

    def _near_each_other(self, phrase: Phrase) -> tuple[int, int] | None:
        places = []
        for word in phrase.wanted:
            at = self._positions(word)
            if not at:
                return None
            places.append(at)
        reach = len(phrase.words) + 2
        tightest: tuple[int, int] | None = None
        for first in places[0]:
            chosen = [first]
            for others in places[1:]:
                within = others[bisect_left(others, first - reach) : bisect_right(others, first + reach)]
                near = [p for p in within if p not in chosen]
                if not near:
                    break
                chosen.append(min(near, key=lambda p: abs(p - first)))
            else:
                if tightest is None or max(chosen) - min(chosen) < tightest[1] - tightest[0]:
                    tightest = min(chosen), max(chosen)
        return tightest

    def _positions(self, wanted: Word) -> tuple[int, ...]:
        at = self._at.get(wanted.stem)
        if at is not None:
            return at
        found = self.find_word(wanted)
        return () if found is None else self._at[self.words[found].stem]

    def _abbreviated(self, phrase: Phrase) -> tuple[int, int] | None:
        if phrase.initials is None or not self._acronyms:
            return None
        for form in (phrase.initials, phrase.initials + "s"):
            if form in self._acronyms:
                return self._acronyms[form], self._acronyms[form]
        return None

    def _spelt_out(self, acronym: str) -> tuple[int, int] | None:
        letters = acronym.removesuffix("s") if len(acronym) > _SHORTEST_ACRONYM else acronym
        at = self._initials.find(letters)
        return None if at < 0 else (at, at + len(letters) - 1)

    def _written_together(self, phrase: Phrase) -> tuple[int, int] | None:
        found = self.find(phrase.together)
        return None if found is None else (found, found)

    def _written_apart(self, wanted: str) -> tuple[int, int] | None:
        for at in self._pairs.get(wanted[:1], ()):
            if stem(self.words[at].text + self.words[at + 1].text) == wanted:
                return at, at + 1
        return None

    @cached_property
    def _pairs(self) -> dict[str, tuple[int, ...]]:
        """The positions of pairs of neighbours by the first letter that their stem has if they are written as one word."""
        return _grouped([(_first_letter(one.text + other.text), at) for at, (one, other) in enumerate(pairwise(self.words))])


def _grouped(pairs: Sequence[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    """Return what goes with each key, in its order.

    In tuples: what items keep of their words would take a garbage collection as long again in lists.
    """
    groups: dict[str, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _first_letter(word: str) -> str:
    """Return the first letter of a word's stem. Stemming changes only endings, except for words that it knows one by one."""
    plain = word.isascii() and word.lower().removesuffix("'s") not in irregular_forms()
    return word[0].lower() if plain else stem(word)[:1]


def _candidates(present: Mapping[str, int]) -> _Candidates:
    """Return the words that may hold a slip by their first letter: each with its first position and the slips allowed."""
    return _grouped([(word[0], (word, at, slips)) for word, at in present.items() if (slips := slips_allowed(word))])


def _misspelt(wanted: str, candidates: _Candidates) -> int | None:
    """Return the first position of the present word that differs least from the wanted one, within the slips allowed."""
    allowed = slips_allowed(wanted)
    best: tuple[int, int] | None = None
    for have, at, slips in candidates.get(wanted[0], ()):
        limit = min(allowed, slips)
        if abs(len(have) - len(wanted)) > limit:
            continue
        distance = OSA.distance(wanted, have, score_cutoff=limit)
        if distance <= limit and (best is None or (distance, at) < best):
            best = (distance, at)
    return None if best is None else best[1]


@lru_cache(maxsize=4_000)
def slips_allowed(word: str) -> int:
    """Return how many letters of a word may be wrong: 0 below five letters or with a digit in it, 1 to eight, then 2."""
    if len(word) < _ONE_SLIP_FROM or any(c.isdigit() for c in word):
        return 0
    return 1 if len(word) < _TWO_SLIPS_FROM else 2


def coverage(wanted: Iterable[str], index: WordIndex) -> float:
    """Return the share of the distinct wanted stems that the text holds, in [0, 1]; 0.0 if none is wanted."""
    distinct = frozenset(wanted)
    return index.count(distinct) / len(distinct) if distinct else 0.0


def shared_words(one: WordIndex, other: WordIndex) -> float:
    """Return the share of the shorter text's content words that the other text holds, in [0, 1]."""
    small, large = (one, other) if len(one.words) <= len(other.words) else (other, one)
    return coverage(small.content_stems, large)


def _may_be_acronym(text: str) -> bool:
    """Tell whether a word looks like an abbreviation: short and, if long enough to be a word, without lower-case letters."""
    core = text.removesuffix("s")
    return (
        _SHORTEST_ACRONYM <= len(core) <= _LONGEST_ACRONYM
        and core.isalpha()
        and (core.isupper() or not set(core.lower()) & set("aeiouy"))
    )
