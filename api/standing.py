"""Which decisions about a result stand: of each reviewer, by each key that was used under that name, the latest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.storage.tables import Review


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
