"""Items of a bank as their owner edits them: the draft, what is published, and saving without losing what others saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from api.bank_shapes import SHIPPED, ItemState
from api.banks import draft_item, find_bank, find_open_bank, fingerprint
from api.errors import DraftChangedError
from api.storage.database import Store
from api.storage.tables import ItemVersion, Result, Review
from grader import Item, ItemBank, ItemNotFoundError

# Marked examples of an item, the latest first: more would not be graded again while somebody waits.
MOST_EXAMPLES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item of a bank: what is published, and the draft that is to take its place."""

    published: Item | None
    draft: Item | None
    version: str
    # Of the newest of the two; empty where there is none yet.
    fingerprint: str

    @property
    def item(self) -> Item:
        """The newest of the two."""
        newest = self.draft or self.published
        assert newest is not None  # noqa: S101 an entry has one of them
        return newest


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedExample:
    """An answer that a person marked; the score is in [0, 1]."""

    candidate_answer: str
    human_score: float


@dataclass(frozen=True, slots=True)
class Drafts:
    """The items of the banks of the tenant that a store belongs to."""

    store: Store
    shipped: ItemBank

    def entries(self, bank_id: str) -> list[Entry]:
        """Return the items of a bank, by id.

        Raises:
            BankNotFoundError: If the tenant has none of this id.
        """
        if bank_id == SHIPPED:
            return [self._of_shipped(item) for item in self.shipped]
        with self.store.read() as session:
            bank = find_bank(session, bank_id)
            query = select(ItemVersion).where(ItemVersion.bank_row_id == bank.id, ItemVersion.state != ItemState.RETIRED)
            rows = session.scalars(query.order_by(ItemVersion.item_id, ItemVersion.version)).all()
        by_item: dict[str, list[ItemVersion]] = {}
        for row in rows:
            by_item.setdefault(row.item_id, []).append(row)
        return [_entry(versions) for versions in by_item.values()]

    def entry(self, bank_id: str, item_id: str) -> Entry:
        """Return an item of a bank.

        Raises:
            BankNotFoundError: If the tenant has none of this id.
            ItemNotFoundError: If the bank has no item of this id.
        """
        if bank_id == SHIPPED:
            return self._of_shipped(self.shipped.get(item_id))
        with self.store.read() as session:
            bank = find_bank(session, bank_id)
            query = select(ItemVersion).where(ItemVersion.bank_row_id == bank.id, ItemVersion.item_id == item_id)
            query = query.where(ItemVersion.state != ItemState.RETIRED).order_by(ItemVersion.version)
            rows = list(session.scalars(query).all())
        if not rows:
            raise ItemNotFoundError(item_id)
        return _entry(rows)

    def save(self, bank_id: str, item: Item, *, seen: str) -> None:
        """Keep an item as a draft.

        Args:
            bank_id: The bank.
            item: The item as it is to be.
            seen: The fingerprint of what the author began with; empty for an item that is new.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If the bank cannot be changed.
            DraftChangedError: If somebody has saved the item meanwhile, or there is one of its id already.
        """
        with self.store.write() as session:
            bank = find_open_bank(session, bank_id, lock=True)
            query = select(ItemVersion.body).where(ItemVersion.bank_row_id == bank.id, ItemVersion.item_id == item.id)
            body = session.scalar(query.order_by(ItemVersion.version.desc()).limit(1))
            if fingerprint(body) != seen:
                raise DraftChangedError
            draft_item(session, bank, item)

    def discard(self, bank_id: str, item_id: str, *, seen: str) -> None:
        """Delete the draft of an item: what is published stays, and an item that never was is gone.

        Args:
            bank_id: The bank.
            item_id: The item.
            seen: The fingerprint of the draft that is to go.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If the bank cannot be changed.
            DraftChangedError: If somebody has saved, published or discarded the draft meanwhile.
        """
        with self.store.write() as session:
            bank = find_open_bank(session, bank_id, lock=True)
            query = select(ItemVersion).where(ItemVersion.bank_row_id == bank.id, ItemVersion.item_id == item_id)
            draft = session.scalar(query.where(ItemVersion.state == ItemState.DRAFT))
            if draft is None or fingerprint(draft.body) != seen:
                raise DraftChangedError
            session.delete(draft)

    def examples(self, bank_id: str, item_id: str, *, reviewed: bool) -> list[MarkedExample]:
        """Return answers to an item that people marked, each text once.

        Args:
            bank_id: The bank.
            item_id: The item; one that is not there has no examples.
            reviewed: Whether to take stored answers that were reviewed too, which are personal data.
        """
        found: dict[str, float] = {}
        if bank_id == SHIPPED and item_id in self.shipped.responses:
            most = self.shipped.get(item_id).max_mark
            found = {each.candidate_answer: each.human_mark / most for each in self.shipped.responses[item_id]}
        if reviewed:
            query = (
                select(Result.candidate_answer, Review.score)
                .join(Review, Review.result_id == Result.id)
                .where(Result.bank_id == bank_id, Result.item_id == item_id)
                .order_by(Review.id.desc())
            )
            with self.store.read() as session:
                for answer, score in session.execute(query.limit(MOST_EXAMPLES)):
                    found.setdefault(answer, score)
        pairs = list(found.items())[:MOST_EXAMPLES]
        return [MarkedExample(candidate_answer=answer, human_score=score) for answer, score in pairs]

    def _of_shipped(self, item: Item) -> Entry:
        body = item.model_dump_json()
        return Entry(published=item, draft=None, version=self.shipped.version, fingerprint=fingerprint(body))


def fingerprint_of_all(entries: Iterable[Entry]) -> str:
    """Return one hash over all drafts, so that what is published can be what was looked at."""
    lines = sorted(f"{entry.item.id} {entry.fingerprint}\n" for entry in entries if entry.draft is not None)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _entry(versions: list[ItemVersion]) -> Entry:
    """Return an item from its published version and its draft, of which one may be missing."""
    by_state = {row.state: Item.model_validate_json(row.body) for row in versions}
    return Entry(
        published=by_state.get(ItemState.PUBLISHED),
        draft=by_state.get(ItemState.DRAFT),
        version=str(versions[-1].version),
        fingerprint=fingerprint(versions[-1].body),
    )
