"""The shapes of banks and their items as their owner sees them, answer keys included."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from api import examples
from api.schemas import MAX_PAGE_ITEMS, ONE_LINE
from api.storage.tables import ItemVersion
from api.stored import RowId
from grader import FileProblem, Item, Slug

# The id of the bank that ships with the program.
SHIPPED = "shipped"
BankId = Annotated[Slug, Field(min_length=1, description="The id of a bank.", examples=[SHIPPED])]


class ItemState(StrEnum):
    """What a version of an item is good for: only a published one is graded with."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class NewBank(BaseModel):
    """A bank to be made."""

    model_config = ConfigDict(extra="forbid")

    id: BankId
    title: Annotated[str, Field(min_length=1, max_length=300, pattern=ONE_LINE)]


class StoredBank(BaseModel):
    """A bank, and how many items it has."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STORED_BANK]})

    id: str
    title: str
    read_only: bool = Field(description="Whether it is the bank that ships with the service.")
    archived: bool = Field(description="Whether nothing is graded with it any more.")
    published: int = Field(description="Items that answers are graded to.")
    drafts: int = Field(description="Items that were added or edited and are not published yet.")


class BankList(BaseModel):
    """All banks, by id, the shipped one first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"banks": [examples.STORED_BANK]}]})

    banks: list[StoredBank]


class StoredItem(BaseModel):
    """A version of an item with all that it holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STORED_ITEM]})

    version: str
    state: ItemState
    content_hash: str
    created_at: datetime
    item: Item

    @classmethod
    def of(cls, row: ItemVersion) -> Self:
        """Return the row of a version as it goes out."""
        return cls(
            version=str(row.version),
            state=ItemState(row.state),
            content_hash=row.content_hash,
            created_at=row.created_at,
            item=Item.model_validate_json(row.body),
        )


class VersionFilter(BaseModel):
    """Which versions of a bank's items to list, and from where on."""

    model_config = ConfigDict(extra="forbid")

    item_id: Slug | None = None
    state: ItemState | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)
    cursor: RowId | None = Field(default=None, description="`next_cursor` of the page before.")


class StoredItemPage(BaseModel):
    """One page of versions of items, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.STORED_ITEM], "next_cursor": "0" * 32}]})

    items: list[StoredItem]
    next_cursor: str | None


class Import(BaseModel):
    """How to import items."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="Only look for problems, and save nothing.")


class ImportProblem(BaseModel):
    """What is wrong with one place of a text."""

    model_config = ConfigDict(from_attributes=True)

    place: str = Field(description="A line of CSV and JSONL, a running number in YAML.")
    field: str
    message: str

    @classmethod
    def of(cls, problem: FileProblem) -> Self:
        """Return a problem as it goes out."""
        return cls(place=problem.file, field=problem.field, message=problem.message)


class ImportReport(BaseModel):
    """What an import holds, and what was done with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.IMPORT_REPORT]})

    valid: bool
    saved: bool
    items: list[str] = Field(description="The ids of the items that could be read.")
    unchanged: int = Field(description="How many of them are published as they are, and need no new version.")
    problems: list[ImportProblem]


class Published(BaseModel):
    """What was published."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"published": 2, "embedded": 19}]})

    published: int = Field(description="Items that answers are graded to from now on, or in a new version.")
    embedded: int = Field(description="Texts whose vectors had to be made; the others were known.")
