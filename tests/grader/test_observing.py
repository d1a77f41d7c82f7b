"""Whoever measures a grader hears what the encoder gets and what is found in caches."""

from __future__ import annotations

from pathlib import Path

from grader import Cache, EmbeddingStore, Grader, ItemBank


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.lookups: list[tuple[Cache, int, int]] = []

    def encoded(self, passages: int) -> None:
        self.calls.append(passages)

    def looked_up(self, cache: Cache, *, hits: int, misses: int) -> None:
        self.lookups.append((cache, hits, misses))


def observed(grader: Grader, path: Path) -> tuple[Grader, Listener]:
    listener = Listener()
    encoder = grader.encoder
    store = EmbeddingStore(path, signature=encoder.signature, dimension=encoder.dimension)
    return Grader(encoder, store=store, observer=listener), listener


def test_items_are_made_once_and_then_found(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    item = shipped_bank.items[0]
    first, heard = observed(real_grader, tmp_path / "vectors.sqlite")
    made = first.embed([item])
    assert (heard.calls, heard.lookups) == ([made], [(Cache.VECTORS, 0, made)])
    first.grade(item, "Random neurons are switched off. The network overfits less.")
    assert heard.lookups[1:] == [(Cache.PROFILES, 1, 0)]
    # The answer and its two clauses in one call.
    assert heard.calls[1] == 3
    first.close()
    second, heard = observed(real_grader, tmp_path / "vectors.sqlite")
    second.grade(item, "Random neurons.")
    assert heard.lookups == [(Cache.PROFILES, 0, 1), (Cache.VECTORS, made, 0)]
    second.adapted(None).grade(item, "Random neurons.")
    assert heard.lookups[2:] == [(Cache.PROFILES, 0, 1), (Cache.VECTORS, made, 0)]
    second.close()
