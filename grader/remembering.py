"""An encoder that remembers: for an author who changes one sentence of an item and has it compared again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from grader.encoders import Encoder, FloatArray
from grader.reading import Reading, Words
from grader.text import Passage

# A vector of 384 numbers takes 1.5 kB, so these take 12 MB.
_PASSAGES_KEPT = 8_000
# The words of sixty-word texts take 90 kB each.
_TEXTS_KEPT = 200


class RememberingEncoder:
    """Gives the vectors of another encoder, to the bit, and makes those that it gave lately only once.

    Passages are remembered by a hash, and the last texts whose words were read with these. Safe to use from several threads.
    """

    def __init__(self, encoder: Encoder, *, kept: int = _PASSAGES_KEPT, texts_kept: int = _TEXTS_KEPT) -> None:
        """Wrap an encoder.

        Args:
            encoder: Makes the vectors. What it gives for a passage must not depend on the others, as `Encoder` demands.
            kept: How many vectors to keep, those longest unused going first.
            texts_kept: Of how many texts to keep the words.
        """
        self._encoder = encoder
        self._kept = kept
        self._vectors: OrderedDict[bytes, FloatArray] = OrderedDict()
        self._texts_kept = texts_kept
        self._words: OrderedDict[bytes, Words] = OrderedDict()
        self._lock = Lock()

    @property
    def signature(self) -> str:
        """Name everything that could change a vector; remembering is not part of it."""
        return self._encoder.signature

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read."""
        return self._encoder.max_tokens

    def read(self, passages: Sequence[Passage]) -> Reading:
        """Return unit vectors, and the words of every text that a passage stands in."""
        texts = {passage.context: _key(Passage.whole(passage.context)) for passage in passages}
        with self._lock:
            words = {text: self._words[key] for text, key in texts.items() if key in self._words}
        new = [passage for passage in passages if passage.context not in words]
        if new:
            reading = self._encoder.read(new)
            words.update(reading.words)
            self._remember(new, reading)
        with self._lock:
            for text, key in texts.items():
                self._words[key] = words[text]
                self._words.move_to_end(key)
            while len(self._words) > self._texts_kept:
                self._words.popitem(last=False)
        return Reading(vectors=self.encode(passages), words=words)

    def _remember(self, passages: Sequence[Passage], reading: Reading) -> None:
        with self._lock:
            self._vectors.update(zip(map(_key, passages), reading.vectors, strict=True))

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        """Return unit vectors, shape `(len(passages), dimension)`."""
        keys = [_key(passage) for passage in passages]
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
        wanted = {key: passage for key, passage in zip(keys, passages, strict=True) if key not in found}
        if wanted:
            found.update(zip(wanted, self._encoder.encode(list(wanted.values())), strict=True))
        with self._lock:
            for key in keys:
                self._vectors[key] = found[key]
                self._vectors.move_to_end(key)
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        return np.stack([found[key] for key in keys]) if keys else self._encoder.encode([])

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, untruncated."""
        return self._encoder.count_tokens(text)


def _key(passage: Passage) -> bytes:
    # A passage's vector depends on the text around it, so that is part of what is hashed.
    place = f"{passage.start}:{passage.end}:".encode()
    return hashlib.sha256(place + passage.context.encode("utf-8", "surrogatepass")).digest()
