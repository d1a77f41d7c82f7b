"""What of a text goes into one run of the encoder's network, and which of the states that come out make which vector.

A text is read once; its clauses and its words get the means of their own tokens' states from that one run. Pure arithmetic on
token numbers and states: the network itself is the encoder's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from grader.text import normalise

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# Words of one text that are compared one by one; a text of so many has some eighty clauses.
MAX_WORDS = 1_500
_CONTINUES = "##"
# The commonest word of English; a vocabulary that is ordered by frequency has its words from there on.
_COMMONEST = "the"
# Of letters, digits and signs, which a vocabulary lists by themselves, nothing is known.
_UNKNOWN_RARITY = 0.5
_STEPS = 127
_LEAST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a text as the encoder cuts them, in order, without punctuation.

    `texts` are in lower case. `rarity` in [0, 1] says how rare each is, shape `(n,)`; `vectors` are unit vectors of the words
    where they stand in the text, shape `(n, dimension)`.
    """

    texts: tuple[str, ...]
    rarity: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedWords:
    """Words with their vectors in eight bits, as they are kept for items: a quarter of the room, and cosines to .005.

    Only the direction of a vector counts, so `steps`, shape `(n, dimension)`, come without a scale.
    """

    texts: tuple[str, ...]
    rarity: npt.NDArray[np.float32]
    steps: npt.NDArray[np.int8]

    @classmethod
    def of(cls, words: Words) -> PackedWords:
        """Pack words."""
        largest = np.abs(words.vectors).max(axis=1, keepdims=True, initial=_LEAST)
        steps = np.round(words.vectors / largest * _STEPS).astype(np.int8)
        return cls(texts=words.texts, rarity=words.rarity, steps=steps)

    def unpacked(self) -> Words:
        """Return the words with unit vectors again."""
        vectors = self.steps.astype(np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1.0))
        return Words(texts=self.texts, rarity=self.rarity, vectors=vectors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Vectors of passages, shape `(passages, dimension)`, and the words of each text that they stand in."""

    vectors: npt.NDArray[np.float32]
    words: Mapping[str, Words]


class TokenWord(NamedTuple):
    """A word: which of the text's tokens it is, what it says, and the token number of its rarest piece."""

    start: int
    end: int
    text: str
    rarest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One pass of the network: token ids with both markers, and which of their states make which vector.

    `rows` are the positions of its passages among those asked for, `words` those of its words among the text's.
    """

    ids: list[int]
    ranges: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    word_ranges: list[tuple[int, int]] = field(default_factory=list)
    words: list[int] = field(default_factory=list)

    def pool(self, states: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return unit vectors of the passages and then of the words, from states of shape `(len(ids), dimension)`."""
        ranges = [*self.ranges, *self.word_ranges]
        # Most words are one token, whose state is the mean. Of the others one sum for each and no matrix product, whose last bits
        # would depend on how many passages share it.
        pooled = states[[start for start, _ in ranges]]
        for row, (start, end) in enumerate(ranges):
            if end - start > 1:
                pooled[row] = states[start:end].mean(axis=0)
        vectors: npt.NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors


class TextReader:
    """Reads one text after another: plans the passes of a network, and makes vectors of the states that they give.

    One pass for each text, and more for the passages of a text longer than `max_tokens`. Windows start at every half of their
    length, and a passage or word is read in the first one that holds all of it, or in the last one that holds its beginning. So
    the end of a long answer still counts, and a vector depends on nothing but its text. Safe to use from several threads.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int, dimension: int) -> None:
        """Take a tokenizer that neither pads nor cuts, how many tokens the network reads, and the length of its states."""
        self._tokenizer = tokenizer
        self._dimension = dimension
        self._markers = tuple(tokenizer.encode("").ids)
        self._room = max_tokens - len(self._markers)
        self._rarities = rarities(tokenizer)

    def read(
        self,
        context: str,
        places: Sequence[tuple[int, int]],
        run: Callable[[Sequence[Window]], Iterable[npt.NDArray[np.float32]]],
        *,
        with_words: bool,
    ) -> tuple[npt.NDArray[np.float32], Words | None]:
        """Return the vectors of places in a text, shape `(len(places), dimension)`, and its words, the first `MAX_WORDS`.

        Args:
            context: The text.
            places: Where each passage starts and ends.
            run: Returns for each pass what `Window.pool` makes of its states.
            with_words: Whether to return the words too.
        """
        planned, found = self._plan(context, places, with_words=with_words)
        vectors = np.zeros((len(places), self._dimension), dtype=np.float32)
        of_words = np.zeros((len(found), self._dimension), dtype=np.float32)
        for window, pooled in zip(planned, run(planned), strict=True):
            vectors[window.rows] = pooled[: len(window.rows)]
            of_words[window.words] = pooled[len(window.rows) :]
        if not with_words:
            return vectors, None
        rarity = self._rarities[[word.rarest for word in found]]
        return vectors, Words(texts=tuple(word.text for word in found), rarity=rarity, vectors=of_words)

    def _plan(self, context: str, places: Sequence[tuple[int, int]], *, with_words: bool) -> tuple[list[Window], list[TokenWord]]:
        """Return the passes that places of a text need, and its words where they are wanted."""
        ids, ranges, in_text = _tokens(context, places, self._tokenizer, with_words=with_words)
        cut = _Cut(ids, self._markers, self._room)
        for row, (start, end) in enumerate(ranges):
            # A passage that is all of its text but for outer white space is the text; one without a token has nothing of its own.
            whole = start == end or (start == 0 and end == len(ids))
            window = cut.window(0 if whole else cut.number(start, end))
            window.ranges.append((0, len(window.ids)) if whole else cut.within(start, end))
            window.rows.append(row)
        words = in_text[:MAX_WORDS]
        for number, word in enumerate(words):
            window = cut.window(cut.number(word.start, word.end))
            window.word_ranges.append(cut.within(word.start, word.end))
            window.words.append(number)
        return list(cut.opened.values()), words


class _Cut:
    """A text's tokens cut into windows, which are opened as they are needed."""

    def __init__(self, ids: list[int], markers: tuple[int, ...], room: int) -> None:
        self.opened: dict[int, Window] = {}
        self._ids, self._markers, self._room = ids, markers, room
        self._stride = room // 2

    def number(self, start: int, end: int) -> int:
        """Return the first window that holds all of a range of tokens, or the last that holds its beginning."""
        return min(max(0, -(-(end - self._room) // self._stride)), start // self._stride)

    def window(self, number: int) -> Window:
        """Return a window."""
        if number not in self.opened:
            begin = number * self._stride
            first, last = self._markers
            ids = [first, *self._ids[begin : begin + self._room], last]
            self.opened[number] = Window(ids=ids)
        return self.opened[number]

    def within(self, start: int, end: int) -> tuple[int, int]:
        """Return a range of the text's tokens as one of its window's."""
        number = self.number(start, end)
        shift = 1 - number * self._stride
        return start + shift, min(end + shift, len(self.window(number).ids) - 1)


def _tokens(
    context: str, places: Sequence[tuple[int, int]], tokenizer: Tokenizer, *, with_words: bool
) -> tuple[list[int], list[tuple[int, int]], list[TokenWord]]:
    """Return a text's token ids without markers, for each place the range of its tokens, and where wanted the text's words.

    The text is cut at every place's ends and the pieces are tokenised one by one: places end at the ends of words, where the
    tokeniser cuts as well, so that together the pieces give the tokens of the whole.
    """
    cuts = sorted({0, len(context), *(end for place in places for end in place)})
    pieces = [normalise(context[start:end]) for start, end in pairwise(cuts)]
    ids: list[int] = []
    at = {0: 0}
    words: list[TokenWord] = []
    for end, encoding in zip(cuts[1:], (tokenizer.encode(piece, add_special_tokens=False) for piece in pieces), strict=True):
        words += _words(encoding, len(ids)) if with_words else []
        ids += encoding.ids
        at[end] = len(ids)
    return ids, [(at[start], at[end]) for start, end in places], words


def _words(encoding: Encoding, shift: int) -> list[TokenWord]:
    """Return the words of a piece of a text whose tokens come after so many others."""
    ids, tokens = encoding.ids, encoding.tokens
    starts = [at for at, token in enumerate(tokens) if at == 0 or not token.startswith(_CONTINUES)]
    words = []
    for start, end in pairwise([*starts, len(tokens)]):
        text = "".join(token.removeprefix(_CONTINUES) for token in tokens[start:end])
        if any(letter.isalnum() for letter in text):
            words.append(TokenWord(start + shift, end + shift, text, max(ids[start:end])))
    return words


def rarities(tokenizer: Tokenizer) -> npt.NDArray[np.float32]:
    """Return how rare each token of a vocabulary is, in [0, 1], shape `(tokens,)`: the logarithm of its place among the words.

    WordPiece vocabularies list words by their frequency. Where one does not know the commonest word of English, all are alike.
    """
    size = tokenizer.get_vocab_size()
    first = tokenizer.token_to_id(_COMMONEST)
    found = np.full(size, _UNKNOWN_RARITY, dtype=np.float32)
    if first is not None:
        found[first:] = np.log(np.arange(1, size - first + 1)) / math.log(size - first)
    return found
