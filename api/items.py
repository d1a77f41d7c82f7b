"""Where items come from: a request may bring its own, or name one of a bank."""

from __future__ import annotations

from dataclasses import dataclass

from api.schemas import GradeRequest
from grader import Gradable, ItemBank

# The id of the bank that ships with the program.
SHIPPED = "shipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAgainst:
    """What an answer is held against, and where that is from; an item that was sent along is from nowhere."""

    gradable: Gradable
    bank_id: str | None = None
    item_id: str | None = None
    item_version: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """The items that a tenant may have answers graded to."""

    shipped: ItemBank

    def find(self, request: GradeRequest) -> HeldAgainst:
        """Return what a request's answer is to be held against.

        Raises:
            ItemNotFoundError: If the bank has no item with the id.
        """
        if request.item is not None:
            return HeldAgainst(gradable=request.item)
        item = self.shipped.get(request.item_id or "")
        return HeldAgainst(gradable=item, bank_id=SHIPPED, item_id=item.id, item_version=self.shipped.version)
