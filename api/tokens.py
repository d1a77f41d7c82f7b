"""Tokens for pages of other sites: what is asked for, what comes back, and what a request with one may say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api import examples
from api.bank_shapes import SHIPPED, BankId
from api.errors import TokenMismatchError
from api.items import Items
from api.keys import Access, Bound
from api.passes import PassKind, create_pass
from api.schemas import AttemptId, GradeRequest, ItemId, Store, SubjectId
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import Pass

_MAX_ITEMS = 50


def _is_origin(text: str) -> str:
    """Refuse what no browser would send as the origin of a page."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError("must be written as in https://quiz.example, in lower case and without a path")
    if "@" in parts.netloc:
        raise ValueError("must not name a user")
    return text


class NewToken(BaseModel):
    """What a token is to be for."""

    model_config = ConfigDict(extra="forbid")

    item_ids: list[ItemId] = Field(min_length=1, max_length=_MAX_ITEMS, description="The items that it may have graded.")
    bank_id: BankId = Field(default=SHIPPED, description="The bank of the items; the one that ships if left out.")
    expires_in_s: int = Field(default=900, ge=30, le=7_200, description="How long it is valid, in seconds.")
    origin: Annotated[str, Field(max_length=300), AfterValidator(_is_origin)] | None = Field(
        default=None,
        description="The only web origin whose pages may use it; without one, those of this server's GRADER_CORS_ORIGINS may.",
        examples=["https://quiz.example"],
    )
    attempt_id: AttemptId | None = None
    subject_id: SubjectId | None = None
    store: Store = None


class Token(BaseModel):
    """A token, shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TOKEN]})

    token: str = Field(description="Goes into the header `Authorization: Bearer TOKEN`.")
    expires_at: datetime
    bank_id: str
    item_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What makes tokens for the key that is asking."""

    database: Database
    items: Items
    access: Access

    def create(self, wanted: NewToken) -> Token:
        """Make a token.

        Raises:
            BankNotFoundError: If the tenant has no bank of this id.
            ItemNotFoundError: If the bank has no published item of one of the ids.
        """
        item_ids = list(dict.fromkeys(wanted.item_ids))
        for item_id in item_ids:
            self.items.get(wanted.bank_id, item_id)
        row = Pass(
            kind=PassKind.TOKEN,
            expires_at=now() + timedelta(seconds=wanted.expires_in_s),
            bank_id=wanted.bank_id,
            item_ids=" ".join(item_ids),
            **wanted.model_dump(include={"origin", "attempt_id", "subject_id", "store"}),
        )
        shown = create_pass(self.database, self.access, row)
        return Token(token=shown, expires_at=row.expires_at, bank_id=wanted.bank_id, item_ids=item_ids)


def narrowed(request: GradeRequest, bound: Bound) -> GradeRequest:
    """Return a request with the attempt and the person that its token names.

    Raises:
        TokenMismatchError: If the request names others: whoever holds a token must not answer for somebody else.
    """
    fixed = {"attempt_id": bound.attempt_id, "subject_id": bound.subject_id, "store": bound.store}
    for name, value in fixed.items():
        if getattr(request, name) not in (None, value):
            raise TokenMismatchError(name)
    return request.model_copy(update=fixed)
