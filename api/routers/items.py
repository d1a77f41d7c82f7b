"""The items of the bank as a learner may see them: without reference answers, key points and misconceptions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api.access import REFUSALS, limit_rate, requires
from api.dependencies import BankDep, ItemDep
from api.keys import Scope
from api.problems import responses
from api.schemas import ItemFilter, ItemPage, ItemPublic
from grader import ItemNotFoundError

router = APIRouter(
    prefix="/v1/items",
    tags=["items"],
    dependencies=[Depends(requires(Scope.GRADE)), Depends(limit_rate)],
    responses=responses(*REFUSALS, RequestValidationError, OperationalError, Exception),
)


@router.get("")
def list_items(bank: BankDep, wanted: Annotated[ItemFilter, Query()]) -> ItemPage:
    """List the bank's items, by id."""
    found = [item for item in bank if wanted.admits(item)]
    page = found[wanted.offset : wanted.offset + wanted.limit]
    items = [ItemPublic.model_validate(item) for item in page]
    return ItemPage(items=items, total=len(found), limit=wanted.limit, offset=wanted.offset)


@router.get("/{item_id}", responses=responses(ItemNotFoundError))  # noqa: FAST003 ItemDep takes it
def read_item(item: ItemDep) -> ItemPublic:
    """Show one item."""
    return ItemPublic.model_validate(item)
