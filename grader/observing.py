"""What a grader tells whoever wants to measure it: how much it encodes at a time, and what it need not make again."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Cache(StrEnum):
    """Where something is looked up that would otherwise be made."""

    PROFILES = "profiles"
    """Items made ready, in memory."""
    VECTORS = "vectors"
    """Vectors of items' passages, on disk."""


class Observer(Protocol):
    """Is told what a grader does, from any thread and while somebody waits: it has to be quick."""

    def encoded(self, passages: int) -> None:
        """Hear that so many passages went to the encoder in one call."""
        ...

    def looked_up(self, cache: Cache, *, hits: int, misses: int) -> None:
        """Hear how much was found where it is kept, and how much had to be made."""
        ...


class Nobody:
    """An observer that does not listen."""

    def encoded(self, passages: int) -> None:
        """Forget it."""

    def looked_up(self, cache: Cache, *, hits: int, misses: int) -> None:
        """Forget it."""
