"""An item tried out as it stands in a form: an answer graded by it, and the marked examples graded again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from api.drafts import MarkedExample
from api.pages.practice import Piece, pieces
from grader import Gradable, Grader, GradingResult, Item, RememberingEncoder, mark_from_score

# Marks of published items by a hash of all they depend on, so that no answer stays in memory.
_KNOWN: dict[bytes, tuple[float, ...]] = {}
_MOST_KNOWN = 200
_LOCK = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A marked example graded by the published item, if there is one, and by the form; marks are the form's item's."""

    answer: str
    human: float
    before: float | None
    now: float

    @property
    def has_changed(self) -> bool:
        """Whether the form's item gives another mark than the published one."""
        return self.before is not None and self.before != self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What an item does as it stands in the form; no result where no answer was written.

    `corrections` is what the item has to say about misconceptions.
    """

    max_mark: int
    corrections: Sequence[str]
    result: GradingResult | None
    pieces: Sequence[Piece]
    again: Sequence[Again]

    @property
    def changed(self) -> int:
        """How many examples get another mark than from the published item."""
        return sum(each.has_changed for each in self.again)


def try_out(grader: Grader, item: Gradable, answer: str, *, published: Item | None, examples: Sequence[MarkedExample]) -> Tried:
    """Grade an answer and marked examples by an item that is not saved.

    Vectors are made once for each text that was not compared lately, so that after a change only what changed costs time;
    profiles of what an item looked like for a moment are not kept.

    Raises:
        InvalidAnswerError: If the answer cannot be graded.
    """
    trying = Grader(_remembering(grader), verifier=grader.verifier)
    texts = [each.candidate_answer for each in examples]
    now = trying.grade_many([(item, text) for text in texts])
    before: Sequence[float | None] = [None] * len(texts)
    if published is not None:
        before = [each.mark for each in now] if published.content_hash == item.content_hash else _marks(trying, published, texts)
    result = trying.grade(item, answer) if answer.strip() else None
    again = [
        Again(
            answer=example.candidate_answer,
            human=mark_from_score(example.human_score, max_mark=item.max_mark, mark_step=item.mark_step),
            before=old,
            now=new.mark,
        )
        for example, old, new in zip(examples, before, now, strict=True)
    ]
    return Tried(
        max_mark=item.max_mark,
        corrections=[each.feedback for each in item.misconceptions],
        result=result,
        pieces=() if result is None else pieces(answer, result),
        again=again,
    )


def _marks(trying: Grader, item: Item, texts: Sequence[str]) -> tuple[float, ...]:
    """Return the marks that a published item gives: every change of a form is compared with the same ones."""
    digest = hashlib.sha256("\0".join([trying.signature, item.content_hash, *texts]).encode("utf-8", "surrogatepass")).digest()
    with _LOCK:
        known = _KNOWN.get(digest)
    if known is None:
        known = tuple(each.mark for each in trying.grade_many([(item, text) for text in texts]))
        with _LOCK:
            _KNOWN[digest] = known
            while len(_KNOWN) > _MOST_KNOWN:
                _KNOWN.pop(next(iter(_KNOWN)))
    return known


@lru_cache(maxsize=1)
def _remembering(grader: Grader) -> RememberingEncoder:
    """Return the encoder that all who try items out share."""
    return RememberingEncoder(grader.encoder)
