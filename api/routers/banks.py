"""Banks of a tenant's own: made, filled, published, archived."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.bank_shapes import (
    BankId,
    BankList,
    Import,
    ImportReport,
    NewBank,
    Published,
    StoredBank,
    StoredItemPage,
    VersionFilter,
)
from api.dependencies import GraderDep, import_format, require_json, take_slot
from api.errors import (
    BankExistsError,
    BankNotFoundError,
    BankReadOnlyError,
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    InvalidItemsError,
    MalformedBodyError,
    NotReadyError,
    UnsupportedMediaTypeError,
)
from api.keys import Scope
from api.problems import responses
from api.providers import BanksDep
from grader import ImportFormat, Item

BankPath = Annotated[BankId, Path()]
# Every route names all its problems: of a status that router and route both name, FastAPI keeps the route's only.
_READ = (*access.REFUSALS, RequestValidationError, OperationalError, Exception)
_WRITE = (*_READ, *idempotency.REFUSALS)
_CHANGE = (*_WRITE, BankNotFoundError, BankReadOnlyError)
_BODY = (BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError)
_CLAIM = Depends(idempotency.claim_key)
_JSON = Depends(require_json)
_SLOT = Depends(take_slot, scope="function")

router = APIRouter(
    prefix="/v1/banks",
    tags=["banks"],
    route_class=idempotency.IdempotentRoute,
    dependencies=[Depends(access.requires(Scope.MANAGE)), Depends(access.limit_rate)],
)


@router.get("", responses=responses(*_READ))
def list_banks(banks: BanksDep) -> BankList:
    """List all banks, the shipped one first."""
    return BankList(banks=banks.list())


@router.post("", dependencies=[_JSON, _CLAIM], responses=responses(*_WRITE, *_BODY, MalformedBodyError, BankExistsError))
def create_bank(new: Annotated[NewBank, Body(openapi_examples=examples.NEW_BANKS)], banks: BanksDep) -> StoredBank:
    """Make an empty bank."""
    return banks.create(new)


@router.get("/{bank_id}", responses=responses(*_READ, BankNotFoundError))
def read_bank(bank_id: BankPath, banks: BanksDep) -> StoredBank:
    """Show a bank."""
    return banks.get(bank_id)


@router.get("/{bank_id}/items", responses=responses(*_READ, BankNotFoundError))
def list_versions(bank_id: BankPath, banks: BanksDep, wanted: Annotated[VersionFilter, Query()]) -> StoredItemPage:
    """List all versions of the items of a bank of your own, newest first, with reference answers and key points."""
    return banks.versions(bank_id, wanted)


@router.post("/{bank_id}/items", dependencies=[_JSON, _CLAIM], responses=responses(*_CHANGE, *_BODY, MalformedBodyError))
def add_item(bank_id: BankPath, item: Annotated[Item, Body(openapi_examples=examples.NEW_ITEMS)], banks: BanksDep) -> StoredBank:
    """Add an item as a draft; where the bank has published one of its id, the draft is its next version."""
    banks.add(bank_id, [item])
    return banks.get(bank_id)


@router.post(
    "/{bank_id}/import",
    dependencies=[_CLAIM, _SLOT],
    responses=responses(*_CHANGE, *_BODY, InvalidItemsError, BusyError),
    openapi_extra={"requestBody": {"required": True, "content": examples.IMPORTS}},
)
async def import_items(
    request: Request,
    bank_id: BankPath,
    kind: Annotated[ImportFormat, Depends(import_format)],
    banks: BanksDep,
    how: Annotated[Import, Query()],
) -> ImportReport:
    """Add the items of a YAML, CSV or JSONL text as drafts, all or none; a dry run reports every problem and saves nothing."""
    return await run_in_threadpool(banks.import_items, bank_id, await request.body(), kind, dry_run=how.dry_run)


@router.post(
    "/{bank_id}/publish",
    dependencies=[_CLAIM, _SLOT],
    responses=responses(*_CHANGE, NotReadyError, BusyError),
)
def publish_bank(bank_id: BankPath, banks: BanksDep, grader: GraderDep) -> Published:
    """Publish the drafts of a bank: their texts are embedded now, once, and answers are graded to them from now on."""
    return banks.publish(bank_id, grader.embed)


@router.post("/{bank_id}/archive", dependencies=[_CLAIM], responses=responses(*_CHANGE))
def archive_bank(bank_id: BankPath, banks: BanksDep) -> StoredBank:
    """Grade nothing with a bank any more; what was graded with it stays."""
    return banks.archive(bank_id)
