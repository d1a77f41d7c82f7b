"""Banks of a tenant's own: items are added as drafts, published, and edited as new versions. The shipped bank is among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.bank_shapes import (
    SHIPPED,
    ImportProblem,
    ImportReport,
    ItemState,
    NewBank,
    Published,
    StoredBank,
    StoredItem,
    StoredItemPage,
    VersionFilter,
)
from api.errors import BankExistsError, BankNotFoundError, BankReadOnlyError, InvalidItemsError
from api.storage.columns import now
from api.storage.database import Store
from api.storage.tables import Bank, ItemVersion
from grader import Gradable, ImportFormat, Item, ItemBank, read_items


@dataclass(frozen=True, slots=True)
class Banks:
    """The banks of the tenant that a store belongs to."""

    store: Store
    shipped: ItemBank

    def create(self, new: NewBank) -> StoredBank:
        """Make an empty bank.

        Raises:
            BankExistsError: If there is one of this id.
        """
        if new.id == SHIPPED:
            raise BankExistsError(new.id)
        try:
            with self.store.write() as session:
                session.add(Bank(slug=new.id, title=new.title))
        except IntegrityError:
            raise BankExistsError(new.id) from None
        return self.get(new.id)

    def list(self) -> list[StoredBank]:
        """Return all banks, the shipped one first."""
        with self.store.read() as session:
            rows = session.scalars(select(Bank).order_by(Bank.slug)).all()
            return [self._shipped(), *(_described(session, row) for row in rows)]

    def get(self, bank_id: str) -> StoredBank:
        """Return a bank.

        Raises:
            BankNotFoundError: If the tenant has none of this id.
        """
        if bank_id == SHIPPED:
            return self._shipped()
        with self.store.read() as session:
            return _described(session, find_bank(session, bank_id))

    def versions(self, bank_id: str, wanted: VersionFilter) -> StoredItemPage:
        """Return versions of the items of a bank of the tenant's own, newest first.

        Raises:
            BankNotFoundError: If the tenant has none of this id.
        """
        with self.store.read() as session:
            query = select(ItemVersion).where(ItemVersion.bank_row_id == find_bank(session, bank_id).id)
            if wanted.item_id is not None:
                query = query.where(ItemVersion.item_id == wanted.item_id)
            if wanted.state is not None:
                query = query.where(ItemVersion.state == wanted.state)
            if wanted.cursor is not None:
                query = query.where(ItemVersion.id < wanted.cursor)
            rows = session.scalars(query.order_by(ItemVersion.id.desc()).limit(wanted.limit + 1)).all()
        shown = rows[: wanted.limit]
        cursor = shown[-1].id if len(rows) > wanted.limit else None
        return StoredItemPage(items=[StoredItem.of(row) for row in shown], next_cursor=cursor)

    def import_items(self, bank_id: str, data: bytes, kind: ImportFormat, *, dry_run: bool) -> ImportReport:
        """Add the items of a text as drafts: all of them, or none if one of them is wrong.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If the bank cannot be changed.
            InvalidItemsError: If the text holds mistakes, and this is no dry run.
        """
        with self.store.read() as session:
            find_open_bank(session, bank_id)
        items, problems = read_items(data, kind)
        if problems and not dry_run:
            raise InvalidItemsError(problems)
        unchanged = 0 if dry_run else self.add(bank_id, items)
        return ImportReport(
            valid=not problems,
            saved=not dry_run,
            items=[item.id for item in items],
            unchanged=unchanged,
            problems=[ImportProblem.of(problem) for problem in problems],
        )

    def add(self, bank_id: str, items: Sequence[Item]) -> int:
        """Add items as drafts, and return how many needed none, being published as they are.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If the bank cannot be changed.
        """
        with self.store.write() as session:
            bank = find_open_bank(session, bank_id, lock=True)
            return sum(not draft_item(session, bank, item) for item in items)

    def publish(
        self, bank_id: str, embed: Callable[[Iterable[Gradable]], int], *, only: Collection[str] | None = None
    ) -> Published:
        """Publish the drafts of a bank.

        Args:
            bank_id: The bank.
            embed: Makes and keeps the vectors of items, and tells how many texts were new. It takes long, so it comes before
                the transaction; a draft that is edited meanwhile stays a draft.
            only: The fingerprints of the drafts to publish, as they were looked at; all of them if left out.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If the bank cannot be changed.
        """
        with self.store.read() as session:
            seen = {row.id: row.body for row in session.scalars(_of_state(find_open_bank(session, bank_id), ItemState.DRAFT))}
        if only is not None:
            seen = {row_id: body for row_id, body in seen.items() if fingerprint(body) in only}
        embedded = embed([Item.model_validate_json(body) for body in seen.values()])
        with self.store.write() as session:
            bank = find_open_bank(session, bank_id, lock=True)
            drafts = [row for row in session.scalars(_of_state(bank, ItemState.DRAFT)) if seen.get(row.id) == row.body]
            ids = {row.item_id for row in drafts}
            for old in session.scalars(_of_state(bank, ItemState.PUBLISHED)):
                if old.item_id in ids:
                    old.state = ItemState.RETIRED
            for row in drafts:
                row.state, row.published_at = ItemState.PUBLISHED, now()
        return Published(published=len(drafts), embedded=embedded)

    def archive(self, bank_id: str) -> StoredBank:
        """Grade nothing with a bank any more; what was graded with it stays.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            BankReadOnlyError: If it is the shipped bank.
        """
        with self.store.write() as session:
            row = find_open_bank(session, bank_id, lock=True)
            row.archived_at = now()
            session.flush()
            return _described(session, row)

    def _shipped(self) -> StoredBank:
        title = f"Shipped with the service, version {self.shipped.version}"
        return StoredBank(id=SHIPPED, title=title, read_only=True, archived=False, published=len(self.shipped), drafts=0)


def fingerprint(body: str | None) -> str:
    """Return a hash of an item as it lies in the database; empty where there is none."""
    return "" if body is None else hashlib.sha256(body.encode()).hexdigest()


def find_bank(session: Session, bank_id: str, *, lock: bool = False) -> Bank:
    """Return the row of a bank, locked if it is to be changed.

    Raises:
        BankNotFoundError: If the tenant has none of this id.
    """
    query = select(Bank).where(Bank.slug == bank_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise BankNotFoundError(bank_id)
    return row


def check_bank(session: Session, bank_id: str) -> None:
    """Do nothing if there is a bank of this id, archived or not: what was graded with it is there still.

    Raises:
        BankNotFoundError: If the tenant has none of this id.
    """
    if bank_id != SHIPPED:
        find_bank(session, bank_id)


def find_open_bank(session: Session, bank_id: str, *, lock: bool = False) -> Bank:
    """Return a bank that can be changed; locked, so that versions are counted by one at a time.

    Raises:
        BankNotFoundError: If the tenant has none of this id.
        BankReadOnlyError: If the bank cannot be changed.
    """
    if bank_id == SHIPPED:
        raise BankReadOnlyError(bank_id)
    row = find_bank(session, bank_id, lock=lock)
    if row.archived_at is not None:
        raise BankReadOnlyError(bank_id)
    return row


def _of_state(bank: Bank, state: ItemState) -> Select[ItemVersion]:
    return select(ItemVersion).where(ItemVersion.bank_row_id == bank.id, ItemVersion.state == state).order_by(ItemVersion.item_id)


def draft_item(session: Session, bank: Bank, item: Item) -> bool:
    """Make or change the draft of an item, and tell whether there was anything to do."""
    body = item.model_dump_json()
    of_item = select(ItemVersion).where(ItemVersion.bank_row_id == bank.id, ItemVersion.item_id == item.id)
    latest = session.scalars(of_item.order_by(ItemVersion.version.desc()).limit(1)).first()
    # Compared as items: what was written down by an earlier version may lack a field that has its default.
    if latest is not None and Item.model_validate_json(latest.body) == item:
        return latest.state == ItemState.DRAFT
    if latest is not None and latest.state == ItemState.DRAFT:
        latest.body, latest.content_hash = body, item.content_hash
        return True
    version = latest.version + 1 if latest is not None else 1
    row = ItemVersion(bank_row_id=bank.id, item_id=item.id, version=version, content_hash=item.content_hash, body=body)
    session.add(row)
    return True


def _described(session: Session, row: Bank) -> StoredBank:
    counted = select(ItemVersion.state, func.count()).where(ItemVersion.bank_row_id == row.id).group_by(ItemVersion.state)
    counts = {row[0]: row[1] for row in session.execute(counted)}
    return StoredBank(
        id=row.slug,
        title=row.title,
        read_only=False,
        archived=row.archived_at is not None,
        published=counts.get(ItemState.PUBLISHED, 0),
        drafts=counts.get(ItemState.DRAFT, 0),
    )
