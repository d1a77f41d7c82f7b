"""Where items come from: a request may bring its own, or name one of a bank."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import bindparam, select

from api.bank_shapes import SHIPPED, ItemState
from api.errors import BankNotFoundError, TokenMismatchError
from api.keys import Bound
from api.schemas import GradeRequest
from api.storage.database import Store
from api.storage.tables import Bank, ItemVersion
from grader import Gradable, Item, ItemBank, ItemHead, ItemNotFoundError

_SLUG = re.compile(r"[a-z0-9-]{1,80}", re.ASCII)
# Built once, since every answer to an item of a tenant's bank asks for it.
_OPEN = select(Bank.id).where(Bank.slug == bindparam("bank_id"), Bank.archived_at.is_(None))
_PUBLISHED = select(ItemVersion).where(ItemVersion.bank_row_id.in_(_OPEN), ItemVersion.state == ItemState.PUBLISHED)
_ALL_PUBLISHED = _PUBLISHED.order_by(ItemVersion.item_id)
_ONE_PUBLISHED = _PUBLISHED.where(ItemVersion.item_id == bindparam("item_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAgainst:
    """What an answer is held against, and where that is from; an item that was sent along is from nowhere."""

    gradable: Gradable
    bank_id: str | None = None
    item_id: str | None = None
    item_version: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """The items that a tenant may have answers graded to, as of one request."""

    shipped: ItemBank
    store: Store
    # Where it is a token that asks.
    bound: Bound | None = None
    # A batch names few items many times.
    _found: dict[tuple[str, str], HeldAgainst] = field(default_factory=dict)

    def find(self, request: GradeRequest) -> HeldAgainst:
        """Return what a request's answer is to be held against.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
            TokenMismatchError: If it is a token that asks, and is for other items.
        """
        if request.item is not None:
            if self.bound is not None:
                raise TokenMismatchError("item")
            return HeldAgainst(gradable=request.item)
        return self.get(request.bank_id or SHIPPED, request.item_id or "")

    def get(self, bank_id: str, item_id: str) -> HeldAgainst:
        """Return the published version of an item.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
            ItemNotFoundError: If the bank has no published item of this id.
            TokenMismatchError: If it is a token that asks, and is for other items.
        """
        key = (bank_id, item_id)
        if self.bound is not None and not (bank_id == self.bound.bank_id and item_id in self.bound.item_ids):
            raise TokenMismatchError("item_id")
        if key not in self._found:
            self._found[key] = self._shipped(item_id) if bank_id == SHIPPED else self._own(bank_id, item_id)
        return self._found[key]

    def every(self, bank_id: str) -> Sequence[ItemHead]:
        """Return what lists show of the published items of a bank, by id.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id, or it is archived.
        """
        if bank_id == SHIPPED:
            return self.shipped.heads
        with self.store.read() as session:
            rows = session.scalars(_ALL_PUBLISHED, {"bank_id": bank_id}).all()
            if not rows and session.scalar(_OPEN, {"bank_id": bank_id}) is None:
                raise BankNotFoundError(bank_id)
        return [ItemHead.of(_parsed(row.body)) for row in rows]

    def _shipped(self, item_id: str) -> HeldAgainst:
        item = self.shipped.get(item_id)
        return HeldAgainst(gradable=item, bank_id=SHIPPED, item_id=item.id, item_version=self.shipped.version)

    def _own(self, bank_id: str, item_id: str) -> HeldAgainst:
        if not _SLUG.fullmatch(item_id):
            # No item has such an id, and PostgreSQL refuses to look for some of them.
            raise ItemNotFoundError(item_id)
        with self.store.read() as session:
            row = session.scalar(_ONE_PUBLISHED, {"bank_id": bank_id, "item_id": item_id})
            if row is None and session.scalar(_OPEN, {"bank_id": bank_id}) is None:
                raise BankNotFoundError(bank_id)
        if row is None:
            raise ItemNotFoundError(item_id)
        return HeldAgainst(gradable=_parsed(row.body), bank_id=bank_id, item_id=item_id, item_version=str(row.version))


@lru_cache(maxsize=2_000)
def _parsed(body: str) -> Item:
    """Return an item; what is published stays the same, so it need not be read again."""
    return Item.model_validate_json(body)
