"""Text to pieces: normalised text, sentences and words, each with its place in the text as the candidate wrote it.

Pure functions of strings. Every piece carries `start` and `end`, character offsets into the text that was given, so that
whatever is found later can be shown as proof in the candidate's own words.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock
from typing import NamedTuple

import Stemmer

# Without a cache of its own: `stem` keeps what it returns.
_STEMMER = Stemmer.Stemmer("english", 0)
# It keeps the word it is at in itself: two threads at once would get each other's stems, and keep them.
_STEMMER_LOCK = Lock()


# A letter with the marks that follow it, so that a text in decomposed form has the same words.
_LETTERS = r"(?:[^\W\d_][\u0300-\u036f]*)+"
_WORD = re.compile(rf"(?:{_LETTERS}\d+[^\W_]*)|\d+(?:[.,]\d+)*%?|{_LETTERS}(?:['’]{_LETTERS})*")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|fig|eq|dr|mr|mrs|ms|prof|al|resp)|\b[A-Za-z])\.$", re.IGNORECASE)
# "No. 5" counts something; any other "no." is a whole answer.
_NUMERO = re.compile(r"\bno\.\s+\d", re.IGNORECASE)
_BULLET_ALONE = re.compile(r"\s*\(?(?:\d{1,3}|[a-z]|[ivx]{2,5})[.)]", re.IGNORECASE)
_BREAK = re.compile(r"(?<=[.!?。！？])[\"'”’)\]]*\s+|(?<=;)\s+|\n\s*|[。！？]|\s[•▪◦‣]\s+")
_BULLET = re.compile(r"^(?:(?:[-*•▪◦‣·–—]|\(?\d{1,3}[.)]|\(?(?:[a-z]|[ivx]{2,5})[.)])\s+|\d{1,2}[.)](?=[^\W\d]))")
# A stop after a single letter is that of a name's initial, unless a new sentence plainly begins behind it ("Vitamin C. It is").
_INITIAL = re.compile(r"\b[A-Za-z]\.$")
_NEXT_WORD = re.compile(r"\s*([A-Z][a-z]+)\b")
_CLAUSE_BREAK = re.compile(r"(?:,|:|\s[-–—])\s+|\s(?=(?:and|but|so|because|which|while|whereas|where|however|since)\s)")
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF, 0x00AD])

# A clause is split off a sentence longer than this; shorter sentences say one thing.
LONG_SENTENCE_WORDS = 18
SHORTEST_CLAUSE_WORDS = 4
# Stems of words that end in -our and -re in Britain; other words with these endings ("hour", "acre") are spelt alike everywhere.
_OUR = re.compile(
    r"(ard|arm|behavi|cand|clam|col|endeav|fav|ferv|flav|glam|harb|hon|hum|lab|neighb|od|rig|rum|sav|splend|tum|val|vap|vig)our"
)
_RE = re.compile(r"(calib|cent|fib|lit|lust|met|scept|somb|spect|theat)re(?:(s)|d)?$")
# A doubled l after an unstressed syllable is British ("labelled"); after the only syllable it is everybody's ("stalled").
_DOUBLED_L = re.compile(r"([aeiou][^aeiou]+[aeiou]+l)l(ed|ing)$")
# Letters before -ise: a shorter base is another word altogether, such as "wise".
_SHORTEST_BASE = 3


@cache
def word_list(name: str) -> tuple[str, ...]:
    """Return the entries of a word list that ships as data, in the order of its file."""
    return tuple((files("grader") / "data" / f"{name}.txt").read_text(encoding="utf-8").split())


@cache
def function_words() -> frozenset[str]:
    """Return the words that carry grammar and not subject matter, "not" and "no" among them: they are `polarity`'s."""
    return frozenset(word_list("function_words"))


@cache
def irregular_forms() -> dict[str, str]:
    """Return the forms that a stemmer cannot join, with their base; the regular ones are its business."""
    return dict(pair.split(":") for pair in word_list("irregular_forms"))


@cache
def _true_ise() -> frozenset[str]:
    """Return the words that end in -ise and are not the British spelling of -ize."""
    return frozenset(word_list("true_ise"))


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: `text[start:end]` of the text it was cut from."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text that gets a vector of its own: `context[start:end]`, understood within the whole of `context`."""

    context: str
    start: int
    end: int

    @classmethod
    def whole(cls, text: str) -> Passage:
        """Return the passage that is all of a text."""
        return cls(text, 0, len(text))

    @property
    def text(self) -> str:
        """The words of the passage."""
        return self.context[self.start : self.end]

    @property
    def is_whole(self) -> bool:
        """Whether the passage is all of its context."""
        return self.start == 0 and self.end == len(self.context)


class Word(NamedTuple):
    """A word as written, with its place, the stem under which it is compared, and whether it carries subject matter.

    "The" and "is" carry none. A tuple, since an answer has hundreds of words, counting those of its clauses.
    """

    start: int
    end: int
    text: str
    stem: str
    is_content: bool


def normalise(text: str) -> str:
    r"""Return the text in the form in which it is encoded and compared.

    Compatibility characters are folded (NFKC), invisible and directional marks dropped, white space runs become one space.
    The result has no offsets in common with the input: cut sentences and words from the original text first.

    >>> normalise("ﬁne  tuning\u200b ")
    'fine tuning'
    """
    folded = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    return " ".join(folded.replace("’", "'").split())


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text in order; bullets and lines count as sentences. Empty text gives none.

    >>> [s.text for s in sentences("It regularises, e.g. by dropout. It helps!")]
    ['It regularises, e.g. by dropout.', 'It helps!']
    """
    spans: list[Span] = []
    start = 0
    for found in _BREAK.finditer(text):
        if "\n" not in found.group() and _is_inside(text, start, found):
            continue
        _append_piece(spans, text, start, found.start())
        start = found.end()
    _append_piece(spans, text, start, len(text))
    return spans


def _is_inside(text: str, start: int, found: re.Match[str]) -> bool:
    """Tell whether a stop ends no sentence: that of an abbreviation, or of a bullet at the start of its line."""
    near = max(start, found.start() - 8)
    following = _NEXT_WORD.match(text, found.end())
    if following and following[1].lower() in function_words() and _INITIAL.search(text, near, found.start()):
        return bool(_BULLET_ALONE.fullmatch(text, start, found.start()))
    return bool(
        _ABBREVIATION.search(text, near, found.start())
        or _NUMERO.match(text, max(near, found.start() - 3))
        or _BULLET_ALONE.fullmatch(text, start, found.start())
    )


def clauses(text: str) -> list[Span]:
    """Return the clauses of a text: its sentences, the long ones cut further at commas and conjunctions.

    A piece too short to say anything by itself stays with its neighbour, so that "and fast" is never judged alone.
    """
    return list(_clauses(text))


@lru_cache(maxsize=500)
def _clauses(text: str) -> tuple[Span, ...]:
    """Return what `clauses` does; the last texts are remembered, since one grade asks several times."""
    spans: list[Span] = []
    for sentence in sentences(text):
        starts = [sentence.start + found.start() for found in _WORD.finditer(sentence.text)]
        if len(starts) <= LONG_SENTENCE_WORDS:
            spans.append(sentence)
            continue
        start = sentence.start
        for found in _CLAUSE_BREAK.finditer(text, sentence.start, sentence.end):
            behind = bisect_left(starts, found.start()) - bisect_left(starts, start)
            ahead = len(starts) - bisect_left(starts, found.end())
            if behind >= SHORTEST_CLAUSE_WORDS and ahead >= SHORTEST_CLAUSE_WORDS:
                _append_piece(spans, text, start, found.start())
                start = found.end()
        _append_piece(spans, text, start, sentence.end)
    return tuple(spans)


@lru_cache(maxsize=500)
def words(text: str) -> tuple[Word, ...]:
    """Return the words and numbers of a text in order; "snake_case" and "x-y" count as two words.

    The last texts are remembered: one grade asks for the words of its clauses many times.
    """
    return tuple(Word(m.start(), m.end(), m.group(), *_seen_as(m.group())) for m in _WORD.finditer(text))


def has_words(text: str) -> bool:
    """Tell whether a text holds a word or number."""
    return _WORD.search(text) is not None


@lru_cache(maxsize=4_000)
def _seen_as(word: str) -> tuple[str, bool]:
    """Return a word's stem, and whether it carries subject matter."""
    return stem(word), word.lower().replace("’", "'") not in function_words()


def content_stems(text: str) -> list[str]:
    """Return the stems of a text's content words in order, repeats kept."""
    return [word.stem for word in words(text) if word.is_content]


@lru_cache(maxsize=4_000)
def stem(word: str) -> str:
    """Return the form under which a word is compared: lower case, British and irregular forms joined, Snowball's stem.

    A number stands for itself, without thousands separators.

    >>> stem("regularisation") == stem("regularizing")
    True
    >>> stem("1,000")
    '1000'
    """
    lowered = unicodedata.normalize("NFKC", word).lower().replace("’", "'")
    if lowered[:1].isdigit():
        return lowered.replace(",", "")
    lowered = lowered.removesuffix("'s")
    lowered = irregular_forms().get(lowered, lowered)
    with _STEMMER_LOCK:
        return str(_STEMMER.stemWord(_american(lowered)))


def _american(word: str) -> str:
    """Return the American spelling of the endings that keep British forms apart from them under the stemmer."""
    for british, american in (
        ("isation", "ization"),
        ("ising", "izing"),
        ("iser", "izer"),
        ("ised", "ized"),
        ("ises", "izes"),
        ("ise", "ize"),
    ):
        if word.endswith(british):
            base = word.removesuffix(british)
            return word if base + "ise" in _true_ise() or len(base) < _SHORTEST_BASE else base + american
    for british, american in (
        ("ysing", "yzing"),
        ("ysed", "yzed"),
        ("yse", "yze"),
    ):
        if word.endswith(british) and len(word) > len(british) + 2:
            return word.removesuffix(british) + american
    word = _DOUBLED_L.sub(r"\1\2", word)
    return _RE.sub(lambda found: f"{found[1]}er{'ed' if word.endswith('d') else found[2] or ''}", _OUR.sub(r"\1or", word))


def _append_piece(spans: list[Span], text: str, start: int, end: int) -> None:
    """Add `text[start:end]` without its bullet and outer white space, unless nothing with a letter or digit is left."""
    piece = text[start:end]
    bullet = _BULLET.match(piece.lstrip())
    start += len(piece) - len(piece.lstrip()) + (bullet.end() if bullet else 0)
    end -= len(piece) - len(piece.rstrip())
    if start < end and any(c.isalnum() for c in text[start:end]):
        spans.append(Span(start, end, text[start:end]))
