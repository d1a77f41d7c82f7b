"""Kept answers to requests with an `Idempotency-Key`: how long they stay, and which of them go with whom."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from api.storage.columns import now, oldest_id
from api.storage.database import changed_rows
from api.storage.tables import Replay, ReplayName, Result

KEPT = timedelta(days=1)
# What answers are named by that may repeat results stored before, anybody's: a review, what came of grading again.
REPEATS_STORED = "stored"


def delete_replays(
    session: Session, name: str, *, result_ids: Collection[str], attempt_ids: Collection[str], subject_id: str | None = None
) -> int:
    """Delete the kept answers to requests that named somebody, and those that repeat results or say a person's id in a comment.

    Args:
        session: One that has deleted the results.
        name: The attempt or the subject, as `ReplayName` has it.
        result_ids: The results that were deleted.
        attempt_ids: The attempts that they were of.
        subject_id: The person, if it is one that is erased.

    Returns:
        How many there were.
    """
    named = select(ReplayName.replay_id).where(ReplayName.name == name)
    marked = select(ReplayName.replay_id).where(ReplayName.name == REPEATS_STORED)
    # Locked, or an answer that is just being kept would not be seen; in one order, or two who erase could wait for each other.
    kept = session.execute(select(Replay.id, Replay.body).where(Replay.id.in_(marked)).order_by(Replay.id).with_for_update())
    repeating = [
        replay_id
        for replay_id, body in kept
        for part in _parts(body or "{}")
        if not _result_ids(part).isdisjoint(result_ids)
        or part.get("attempt_id") in attempt_ids
        or (subject_id is not None and subject_id in part.get("comment", ""))
    ]
    return changed_rows(session.execute(delete(Replay).where(or_(Replay.id.in_(named), Replay.id.in_(repeating)))))


def delete_expired_replays(session: Session, *, at_most: int) -> int:
    """Delete some of the kept answers whose day is over, the oldest first, and return how many there were.

    Their ids tell their age, so nothing is read of those that are to stay.
    """
    over = select(Replay.id).where(Replay.id < oldest_id(now() - KEPT)).order_by(Replay.id).limit(at_most)
    # Two servers that delete at once would otherwise wait for each other.
    ids = session.scalars(over.with_for_update(skip_locked=True)).all()
    return changed_rows(session.execute(delete(Replay).where(Replay.id.in_(ids)))) if ids else 0


def repeats_what_is_gone(session: Session, body: str) -> bool:
    """Tell whether an answer repeats a result that has been deleted since."""
    ids = {result_id for part in _parts(body) for result_id in _result_ids(part)}
    return session.scalar(select(func.count()).select_from(Result).where(Result.id.in_(ids))) != len(ids)


def _parts(body: str) -> list[dict[str, Any]]:  # Any: JSON
    """Return what an answer is about: a review is about one result, what came of grading again about several."""
    told: dict[str, Any] = json.loads(body)
    differences: list[dict[str, Any]] = told.get("differences", [told])
    return differences


def _result_ids(part: dict[str, Any]) -> set[str]:
    return {part[key] for key in ("result_id", "new_result_id") if part.get(key) is not None}
