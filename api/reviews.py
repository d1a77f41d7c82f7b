"""Reviews of one tenant's results: the queue of what waits, the decisions, and how well people and the machine agree."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from api.banks import check_bank
from api.errors import InvalidReviewError, ReviewedMeanwhileError, UnknownCursorError
from api.results import find_result
from api.review_shapes import (
    Agreement,
    AgreementReport,
    NewReview,
    Progress,
    QueueFilter,
    ReviewedFilter,
    ReviewList,
    ReviewQueue,
    StoredReview,
)
from api.standing import standing
from api.storage.database import Store
from api.storage.tables import GradedItem, Result, Review
from api.stored import StoredResult
from api.webhooks.book import announce
from api.webhooks.shapes import WebhookEvent
from grader import Gradable, adjacent_agreement, exact_agreement, mark_from_score, qwk, rmse


@dataclass(frozen=True, slots=True)
class Reviews:
    """The reviews of the tenant that a store belongs to."""

    store: Store

    def queue(self, wanted: QueueFilter) -> ReviewQueue:
        """Return what waits for review, the most worthwhile first.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            UnknownCursorError: If the tenant has no result of the cursor's id.
        """
        query = _waiting(wanted)
        with self.store.read() as session:
            check_bank(session, wanted.bank_id)
            waiting = session.scalar(query.with_only_columns(func.count())) or 0
            if wanted.cursor is not None:
                passed = session.get(Result, wanted.cursor)
                if passed is None:
                    raise UnknownCursorError
                equal = and_(Result.review_worth == passed.review_worth, Result.id > passed.id)
                query = query.where(or_(Result.review_worth < passed.review_worth, equal))
            rows = session.scalars(query.order_by(Result.review_worth.desc(), Result.id).limit(wanted.limit)).all()
        return ReviewQueue(waiting=waiting, results=[StoredResult.of(row) for row in rows])

    def progress(self, wanted: QueueFilter) -> Progress:
        """Return how many answers are reviewed, and how many wait, item by item of the whole bank."""
        waiting = _waiting(wanted.model_copy(update={"item_id": None}))
        by_item = waiting.with_only_columns(Result.item_id, func.count()).group_by(Result.item_id).order_by(Result.item_id)
        reviewed = _of_queue(wanted).where(Result.review_count >= wanted.reviewers)
        with self.store.read() as session:
            return Progress(
                waiting={item_id: count for item_id, count in session.execute(by_item) if item_id is not None},
                reviewed=session.scalar(reviewed.with_only_columns(func.count())) or 0,
            )

    def item_of(self, result_id: str) -> Gradable:
        """Return the exact content that a stored answer was held against.

        Raises:
            ResultNotFoundError: If the tenant has no result of this id.
        """
        with self.store.read() as session:
            return _held(session, find_result(session, result_id))

    def counts(self, result_ids: Sequence[str]) -> dict[str, int]:
        """Return how many reviews each result has, those without any included."""
        counted = select(Review.result_id, func.count()).where(Review.result_id.in_(result_ids)).group_by(Review.result_id)
        with self.store.read() as session:
            found = {row[0]: row[1] for row in session.execute(counted)}
        return {result_id: found.get(result_id, 0) for result_id in result_ids}

    def add(self, result_id: str, new: NewReview, *, key_name: str) -> StoredReview:
        """Add a review; the machine's result stays as it is.

        Raises:
            ResultNotFoundError: If the tenant has no result of this id.
            InvalidReviewError: If the review speaks of a key point that the result does not have.
        """
        with self.store.write() as session:
            return StoredReview.of(_add(session, find_result(session, result_id, lock=True), new, key_name))

    def add_as_seen(self, seen: Mapping[str, int], new: NewReview, *, key_name: str) -> list[StoredReview]:
        """Add the same review to every result of some, each its own, or none where anybody has decided meanwhile.

        Args:
            seen: The results, each with the number of reviews that the reviewer knows of.
            new: What the reviewer decides.
            key_name: Whose key it is.

        Raises:
            ResultNotFoundError: If the tenant has no result of one of the ids.
            InvalidReviewError: If the review speaks of a key point that a result does not have.
            ReviewedMeanwhileError: If one of them has another number of reviews by now.
        """
        with self.store.write() as session:
            # Everybody takes the locks in the same order, or two reviewers could wait for each other.
            rows = [find_result(session, result_id, lock=True) for result_id in sorted(seen)]
            counted = select(func.count()).select_from(Review)
            if any(session.scalar(counted.where(Review.result_id == row.id)) != seen[row.id] for row in rows):
                raise ReviewedMeanwhileError
            return [StoredReview.of(_add(session, row, new, key_name)) for row in rows]

    def of_result(self, result_id: str) -> ReviewList:
        """Return the reviews of a result, oldest first.

        Raises:
            ResultNotFoundError: If the tenant has no result of this id.
        """
        with self.store.read() as session:
            find_result(session, result_id)
            rows = session.scalars(select(Review).where(Review.result_id == result_id).order_by(Review.id)).all()
        return ReviewList(reviews=[StoredReview.of(row) for row in rows])

    def agreement(self, wanted: ReviewedFilter) -> AgreementReport:
        """Compare people with the machine, and with each other. Of several reviews by one person the latest counts.

        Under one reviewer's name the first key's decision counts: who has the same name is no second reviewer.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
        """
        with self.store.read() as session:
            check_bank(session, wanted.bank_id)
            rows = session.execute(_reviewed(wanted)).all()
        machine = {row[0]: row[4] for row in rows}
        with_machine: list[tuple[float, float]] = []
        between: list[tuple[float, float]] = []
        for result_id, opinions in standing((row[0], row[1], row[2], row[3]) for row in rows).items():
            first = opinions[0]
            with_machine.append((first.score, machine[result_id]))
            between += [(first.score, each.score) for each in opinions if each.reviewer != first.reviewer][:1]
        return AgreementReport(with_machine=_agreement(with_machine), between_reviewers=_agreement(between))


def _add(session: Session, result: Result, new: NewReview, key_name: str) -> Review:
    """Add a review of a locked result, count it, and tell of it."""
    known = {point["id"] for point in json.loads(result.result)["key_points"]}
    for point in new.key_points:
        if point.id not in known:
            raise InvalidReviewError(point.id)
    item = _held(session, result)
    score = result.score if new.score is None else new.score
    row = Review(
        result_id=result.id,
        reviewer=new.reviewer or key_name,
        key_name=key_name,
        decision=new.decision,
        score=score,
        mark=mark_from_score(score, max_mark=item.max_mark, mark_step=item.mark_step),
        key_points=json.dumps([point.model_dump(mode="json") for point in new.key_points]),
        comment=new.comment,
    )
    session.add(row)
    session.flush()
    of_result = select(func.count(Review.reviewer.distinct())).where(Review.result_id == result.id)
    result.review_count = session.scalar(of_result) or 0
    told = {"result_id": result.id, "review_id": row.id, "decision": row.decision, "score": row.score, "mark": row.mark}
    announce(session, WebhookEvent.REVIEW_DECIDED, told)
    return row


def _held(session: Session, result: Result) -> Gradable:
    held = session.get_one(GradedItem, (result.tenant_id, result.content_hash))
    return Gradable.model_validate_json(held.body)


def _of_queue(wanted: QueueFilter) -> Select[Result]:
    query = select(Result).where(Result.bank_id == wanted.bank_id, Result.needs_review.is_(True), Result.replaced.is_(False))
    return query if wanted.item_id is None else query.where(Result.item_id == wanted.item_id)


def _waiting(wanted: QueueFilter) -> Select[Result]:
    query = _of_queue(wanted).where(Result.review_count < wanted.reviewers)
    if wanted.reviewer is not None:
        query = query.where(~exists().where(Review.result_id == Result.id, Review.reviewer == wanted.reviewer))
    return query


def _reviewed(wanted: ReviewedFilter) -> Select[str, str, str | None, float, float]:
    """Return the query for the reviews of a bank, oldest first, each with the machine's score at its end."""
    query = (
        select(Review.result_id, Review.reviewer, Review.key_name, Review.score, Result.score)
        .join(Result, Result.id == Review.result_id)
        .where(Result.bank_id == wanted.bank_id)
        .order_by(Review.id)
    )
    return query if wanted.item_id is None else query.where(Result.item_id == wanted.item_id)


def _agreement(pairs: Sequence[tuple[float, float]]) -> Agreement | None:
    """Compare two sides' scores; marks of different items have different scales, so they are compared in tenths."""
    if not pairs:
        return None
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    tenths_one, tenths_other = [math.floor(a * 10 + 0.5) for a in one], [math.floor(b * 10 + 0.5) for b in other]
    kappa = qwk(tenths_one, tenths_other)
    return Agreement(
        answers=len(pairs),
        exact=exact_agreement(tenths_one, tenths_other),
        adjacent=adjacent_agreement(tenths_one, tenths_other),
        qwk=None if math.isnan(kappa) else kappa,
        rmse=rmse(one, other),
    )
