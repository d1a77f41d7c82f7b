"""Two things that an item compares, and which of them an answer says what of.

"UDP resends what is lost, TCP does not care" has the words of a right answer and is wrong: it says of the one what is so of the
other. Vectors hardly see that. Where the question names two things that the key points tell apart, each word that the item says
of one of them only is looked up in the answer: beside which of the two does it stand there?
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from grader.polarity import signed_words
from grader.text import Span, Word, sentences, words

# Where a sentence may turn to the other thing. What stands before the first of the two in a part belongs to it all the same:
# "for files one takes TCP".
_TURN = re.compile(r"[;:]|,? \b(?:whereas|while|but|however|though)\b|, (?:and|or)\b", re.IGNORECASE)
# What a question says that compares two things.
_COMPARES = re.compile(
    r"\b(?:differences?|compar\w+|contrasts?|distinguish\w*|versus|vs|in common|similarit\w+|apart)\b"
    r"|\bhow (?:do|does|did|would|can)\b.*\bdiffer\b|\bwhen\b.*\band when\b",
    re.IGNORECASE | re.DOTALL,
)
# Words that go on about what was spoken of. A sentence that begins otherwise may be about either by another name.
_GOES_ON = frozenset({"it", "its", "this", "that", "these", "those", "they", "their", "he", "she", "here", "there", "also"})
# Shortly before the name of the thing that is only held against the one spoken of: "unlike TCP", "more slowly than TCP", "differs
# from TCP", "and not TCP".
_ONLY_COMPARED = frozenset(
    """
    than unlike not contrast contrary opposed versus vs instead rather from compared comparison over like against opposite
    """.split()
)
_BEFORE_NAME = 3
# Distinct words said of the wrong thing from which an answer has exchanged the two, and how many times those of the right one. No
# right answer of the dev split and of ten items of other subjects has more than two; exchanged ones have four and more.
_LEAST_EXCHANGED = 3
_EXCHANGED_RATIO = 2
# Distinct words that all stand by the right thing, some of them by each: terms in any order hardly do by chance.
_LEAST_KEPT_APART = 5
_LEAST_KEPT_APART_EACH = 2
# A word that the item says of a thing once, in passing, tells little.
_LEAST_TEXTS = 2
_LONGEST_ACRONYM = 4
# Of a question, for two things to be found among.
_MOST_NAMES = 30


class Said(NamedTuple):
    """A content word of a text by its stem, where it stands, and the thing it is said of: 1 or -1, the other one if denied."""

    stem: str
    at: int
    thing: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """How an answer distributes over the two things what the item says of one of them.

    `right_at` and `wrong_at` are where the words stand, distinct ones, that are said of the right thing and of the wrong one;
    what is said of both is right. `right_of_each` counts the right ones of each of the two, `of_both` those said of both.
    """

    right_at: tuple[int, ...]
    wrong_at: tuple[int, ...]
    right_of_each: tuple[int, int]
    of_both: int

    @property
    def is_exchanged(self) -> bool:
        """Whether the answer says of one thing, or of both, what is so of the other."""
        return len(self.wrong_at) >= max(_LEAST_EXCHANGED, _EXCHANGED_RATIO * len(self.right_at))

    @property
    def is_kept_apart(self) -> bool:
        """Whether the answer says much of each thing and nothing of the wrong one or of both."""
        is_much = len(self.right_at) >= _LEAST_KEPT_APART and min(self.right_of_each) >= _LEAST_KEPT_APART_EACH
        return is_much and not self.wrong_at and not self.of_both

    def goes_against(self, clause: Span) -> bool:
        """Tell whether more of a clause's words are said of the wrong thing than of the right one."""
        wrong = sum(clause.start <= at < clause.end for at in self.wrong_at)
        return wrong > sum(clause.start <= at < clause.end for at in self.right_at)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two things by the stems and, in capitals, the initials that name them; and for each stem whose it is, 1 or -1."""

    one: frozenset[str]
    other: frozenset[str]
    owner: Mapping[str, int]

    @classmethod
    def of(cls, question: str, key_points: Sequence[str], texts: Iterable[str]) -> Comparison | None:
        """Return what a question compares, or None if it does not name two things that the key points tell apart.

        Args:
            question: The question.
            key_points: One sentence for each key point.
            texts: All that the item says.
        """
        names = _names(question, key_points)
        if names is None:
            return None
        bare = cls(*names, {})
        balance: Counter[str] = Counter()
        count: Counter[str] = Counter()
        asked = {word.stem for word in words(question)} | names[0] | names[1]
        for text in texts:
            found = {(said.stem, said.thing) for said in bare.read(text) if said.stem not in asked}
            for stem_, thing in found:
                balance[stem_] += thing
                count[stem_] += 1
        # What is said of both tells nothing, and what is said once in passing hardly more.
        stated = {word.stem for text in key_points for word in words(text)}
        return cls(
            *names,
            {
                stem_: 1 if total > 0 else -1
                for stem_, total in balance.items()
                if abs(total) == count[stem_] and (count[stem_] >= _LEAST_TEXTS or stem_ in stated)
            },
        )

    def named_in(self, text: str) -> int:
        """Return 1 or -1 if a text names only that one of the two things, else 0."""
        things = {self._thing(word) for word in words(text)}
        return (1 in things) - (-1 in things)

    def attribution(self, answer: str) -> Attribution:
        """Return how an answer distributes what the item says of one of the two."""
        found: dict[tuple[str, int], int] = {}
        for said in self.read(answer):
            if said.stem in self.owner:
                found.setdefault((said.stem, said.thing * self.owner[said.stem]), said.at)
        # A word that is said of both is not said of the wrong one.
        wrong = [at for (stem_, side), at in found.items() if side < 0 and (stem_, 1) not in found]
        right = {stem_: at for (stem_, side), at in found.items() if side > 0}
        of_one = sum(self.owner[stem_] > 0 for stem_ in right)
        return Attribution(
            right_at=tuple(right.values()),
            wrong_at=tuple(wrong),
            right_of_each=(of_one, len(right) - of_one),
            of_both=sum((stem_, -1) in found for stem_ in right),
        )

    def read(self, text: str) -> Iterator[Said]:
        """Yield the content words of a text that are said of one of the two things, as far as its sentences show."""
        thing = 0
        for sentence in sentences(text):
            parts = [(part, words(part.text)) for part in _parts(sentence)]
            named = [self._named(of_part) for _, of_part in parts]
            first = next((of for part in named for of in part.values()), 0)
            # What has no name in it is about the thing that the sentence comes to, or that the one before it was about.
            thing = first or (thing if parts and _goes_on(parts[0][1]) else 0)
            things = {thing}
            for (part, of_part), names in zip(parts, named, strict=True):
                thing = next(iter(names.values()), thing)
                signs = signed_words(part.text)
                for at, word in enumerate(of_part):
                    thing = names.get(at, thing)
                    things.add(thing)
                    if thing and word.stem in signs and not self._thing(word):
                        yield Said(word.stem, part.start + word.start, signs[word.stem] * thing)
            # After a sentence on both, "it" may be either.
            if len(things) > 1:
                thing = 0

    def _named(self, of_part: tuple[Word, ...]) -> dict[int, int]:
        """Return which of the two is named where: those spoken of, or the first where others are only held against them."""
        named = {at: of for at, word in enumerate(of_part) if (of := self._thing(word))}
        spoken_of, behind = {}, 0
        for at, of in named.items():
            before = of_part[max(behind, at - _BEFORE_NAME) : at]
            if not any(word.text.lower() in _ONLY_COMPARED for word in before):
                spoken_of[at] = of
            behind = at
        return spoken_of or dict(list(named.items())[:1])

    def _thing(self, word: Word) -> int:
        return bool({word.stem, word.text} & self.one) - bool({word.stem, word.text} & self.other)


def _goes_on(of_part: tuple[Word, ...]) -> bool:
    return bool(of_part) and of_part[0].text.lower().partition("'")[0].partition("’")[0] in _GOES_ON


def _parts(sentence: Span) -> Iterator[Span]:
    start = 0
    for found in [*_TURN.finditer(sentence.text), None]:
        end = found.start() if found else len(sentence.text)
        if sentence.text[start:end].strip():
            yield Span(sentence.start + start, sentence.start + end, sentence.text[start:end])
        start = found.end() if found else end


def _names(question: str, key_points: Sequence[str]) -> tuple[frozenset[str], frozenset[str]] | None:
    """Return the stems that name two things of a question that the key points tell apart, or None."""
    if not _COMPARES.search(question):
        return None
    stated = [[word.stem for word in words(text)] for text in key_points]
    first_at = [{stem_: at for at, stem_ in reversed(list(enumerate(stems)))} for stems in stated]
    asked = dict.fromkeys(word.stem for word in words(question) if word.is_content)
    named = [stem_ for stem_ in asked if any(stem_ in at for at in first_at)][:_MOST_NAMES]
    best = None
    for one, other in combinations(named, 2):
        far = len(question) + max(map(len, stated))
        places = [(at.get(one, far), at.get(other, far)) for at in first_at]
        both = sum(max(pair) < far for pair in places)
        rank = (min(sum(a < b for a, b in places), sum(b < a for a, b in places)), -both)
        if rank[0] and (best is None or rank > best[0]):
            best = (rank, one, other)
    if best is None:
        return None
    return _aliases(question, best[1], best[2]), _aliases(question, best[2], best[1])


def _aliases(question: str, name: str, other: str) -> frozenset[str]:
    """Return a name's stem and the initials, in capitals, of the runs of words that hold it: "MSE" for "mean squared error"."""
    of_question = words(_COMPARES.sub(".", question))
    found = {name}
    for length in range(2, _LONGEST_ACRONYM + 1):
        for at in range(len(of_question) - length + 1):
            run = of_question[at : at + length]
            stems = {word.stem for word in run}
            if name in stems and other not in stems and all(word.is_content for word in run):
                found.add("".join(word.text[0].upper() for word in run))
    return frozenset(found)
