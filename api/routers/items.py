"""The items of a bank as a learner may see them: without reference answers, key points and misconceptions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.access import AccessDep
from api.bank_shapes import SHIPPED, BankId
from api.calibrating import Calibrate, CalibrationInfo, CalibrationReport
from api.dependencies import GraderDep, require_json, take_slot
from api.errors import (
    BankNotFoundError,
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    CalibrationNotFoundError,
    MalformedBodyError,
    NotReadyError,
    TooFewReviewsError,
    UnsupportedMediaTypeError,
)
from api.keys import Scope
from api.problems import responses
from api.providers import CalibrationsDep, ItemsDep, RegradingDep
from api.regrading import Regrade, RegradeReport
from api.schemas import ItemFilter, ItemId, ItemPage, ItemPublic
from grader import ItemNotFoundError

_READ = (*access.REFUSALS, RequestValidationError, BankNotFoundError, OperationalError, Exception)
_BODY = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError)
_MANAGING = Depends(access.requires(Scope.MANAGE))
_READING = Depends(access.requires(Scope.GRADE))

router = APIRouter(
    prefix="/v1/items", tags=["items"], route_class=idempotency.IdempotentRoute, dependencies=[Depends(access.limit_rate)]
)


class BankItemFilter(ItemFilter):
    """Which items of which bank to list."""

    bank_id: BankId = SHIPPED


@router.get("", dependencies=[_READING], responses=responses(*_READ))
def list_items(items: ItemsDep, wanted: Annotated[BankItemFilter, Query()]) -> ItemPage:
    """List the items of a bank, by id."""
    return ItemPage.of(items.every(wanted.bank_id), wanted)


@router.get("/{item_id}", dependencies=[_READING], responses=responses(*_READ, ItemNotFoundError))
def read_item(items: ItemsDep, item_id: Annotated[ItemId, Path()], bank_id: Annotated[BankId, Query()] = SHIPPED) -> ItemPublic:
    """Show one item."""
    return ItemPublic.model_validate(items.get(bank_id, item_id).gradable)


@router.post(
    "/{item_id}/regrade",
    dependencies=[
        _MANAGING,
        Depends(require_json),
        Depends(idempotency.claim_key),
        Depends(take_slot, scope="function"),
    ],
    responses=responses(*_READ, *_BODY, *idempotency.REFUSALS, ItemNotFoundError, NotReadyError, BusyError),
)
def regrade_item(
    regrading: RegradingDep,
    item_id: Annotated[ItemId, Path()],
    wanted: Annotated[Regrade, Body(openapi_examples=examples.REGRADES)],
) -> RegradeReport:
    """Grade stored answers again that were held against another version of the item, or by another version of the grader."""
    return regrading.run(item_id, wanted)


@router.post(
    "/{item_id}/calibrate",
    dependencies=[
        _MANAGING,
        Depends(require_json),
        Depends(idempotency.claim_key),
        Depends(take_slot, scope="function"),
    ],
    responses=responses(*_READ, *_BODY, *idempotency.REFUSALS, ItemNotFoundError, NotReadyError, BusyError, TooFewReviewsError),
)
def calibrate_item(
    calibrations: CalibrationsDep,
    grader: GraderDep,
    asking: AccessDep,
    item_id: Annotated[ItemId, Path()],
    wanted: Annotated[Calibrate, Body(openapi_examples=examples.CALIBRATES)],
) -> CalibrationReport:
    """Learn from what people decided about answers to an item: its answers are graded by that from then on, for this tenant."""
    return calibrations.learn(item_id, wanted, grader, key_name=asking.name)


@router.get(
    "/{item_id}/calibration", dependencies=[_MANAGING], responses=responses(*_READ, ItemNotFoundError, CalibrationNotFoundError)
)
def read_calibration(
    calibrations: CalibrationsDep, item_id: Annotated[ItemId, Path()], bank_id: Annotated[BankId, Query()] = SHIPPED
) -> CalibrationInfo:
    """Show what was learnt about an item."""
    return calibrations.get(bank_id, item_id)


@router.delete(
    "/{item_id}/calibration", dependencies=[_MANAGING], responses=responses(*_READ, ItemNotFoundError, CalibrationNotFoundError)
)
def delete_calibration(
    calibrations: CalibrationsDep, item_id: Annotated[ItemId, Path()], bank_id: Annotated[BankId, Query()] = SHIPPED
) -> CalibrationInfo:
    """Forget what was learnt about an item: its answers are graded by their general scores again."""
    return calibrations.forget(bank_id, item_id)
