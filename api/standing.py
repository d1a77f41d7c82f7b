"""Which decisions about a result stand: of each reviewer, by each key that was used under that name, the latest.

And what they come to: the mean of those scores, and the mark for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.storage.tables import GradedItem, Result, Review
from grader import Gradable, mark_from_score

# A mean of sums lies a little off: without this, of two people with marks of 12 one pair in six was given half a mark too little.
_DUST = 1e-9


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reviewer stands by, and by which key that was said; None where the key was not recorded yet."""

    reviewer: str
    key_name: str | None
    score: float

    def replaces(self, earlier: Opinion) -> bool:
        """Tell whether this is the same reviewer who decides anew. A name alone is free text, so the key has to be the same."""
        keys = {self.key_name, earlier.key_name}
        return self.reviewer == earlier.reviewer and (len(keys) == 1 or None in keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What people decided about a result: how many opinions stand, and what they come to, None where nobody has decided."""

    reviews: int = 0
    reviewed_score: float | None = None
    reviewed_mark: float | None = None


def standing(reviews: Iterable[tuple[str, str, str | None, float]]) -> dict[str, list[Opinion]]:
    """Return the opinions that stand by the ids of their results, in the order in which the reviewers first decided.

    Args:
        reviews: Result id, reviewer, name of the key and score of each review, oldest first.
    """
    found: dict[str, list[Opinion]] = {}
    for result_id, reviewer, key_name, score in reviews:
        opinion, opinions = Opinion(reviewer, key_name, score), found.setdefault(result_id, [])
        replaced = [at for at, earlier in enumerate(opinions) if opinion.replaces(earlier)]
        for at in reversed(replaced):
            del opinions[at]
        opinions.insert(replaced[0] if replaced else len(opinions), opinion)
    return found


def opinions_of(session: Session, result_ids: Collection[str]) -> dict[str, list[Opinion]]:
    """Return the opinions that stand on results, those without any left out."""
    query = select(Review.result_id, Review.reviewer, Review.key_name, Review.score)
    rows = session.execute(query.where(Review.result_id.in_(result_ids)).order_by(Review.id))
    return standing((row[0], row[1], row[2], row[3]) for row in rows)


def mean_score(opinions: Sequence[Opinion]) -> float:
    """Return the score in [0, 1] that the people who decided stand by together."""
    return sum(opinion.score for opinion in opinions) / len(opinions)


def decided(session: Session, results: Collection[Result]) -> list[Decided]:
    """Return what people decided about each result, in their order, with two queries for any number of them."""
    reviewed = [result for result in results if result.review_count > 0]
    opinions = opinions_of(session, [result.id for result in reviewed]) if reviewed else {}
    items = _items(session, {result.content_hash for result in reviewed}) if reviewed else {}
    return [
        _decided(opinions[result.id], items[result.content_hash]) if result.id in opinions else Decided() for result in results
    ]


def _items(session: Session, content_hashes: Collection[str]) -> dict[str, Gradable]:
    held = session.execute(select(GradedItem.content_hash, GradedItem.body).where(GradedItem.content_hash.in_(content_hashes)))
    return {row[0]: Gradable.model_validate_json(row[1]) for row in held}


def _decided(opinions: Sequence[Opinion], item: Gradable) -> Decided:
    score = mean_score(opinions)
    mark = mark_from_score(score + _DUST, max_mark=item.max_mark, mark_step=item.mark_step)
    return Decided(reviews=len(opinions), reviewed_score=score, reviewed_mark=mark)
