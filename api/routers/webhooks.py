"""Webhooks: addresses that are told when something has happened, and what became of the messages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError

from api import access, examples, idempotency
from api.dependencies import require_json
from api.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    DeliveryNotFoundError,
    MalformedBodyError,
    TooManyWebhooksError,
    UnsupportedMediaTypeError,
    WebhookNotFoundError,
)
from api.keys import Scope
from api.problems import responses
from api.providers import WebhooksDep
from api.stored import RowId
from api.webhooks.shapes import (
    CreatedWebhook,
    DeliveryFilter,
    DeliveryInfo,
    DeliveryPage,
    NewWebhook,
    WebhookDeleted,
    WebhookList,
)

WebhookId = Annotated[RowId, Path(examples=[examples.CREATED_WEBHOOK["id"]])]
DeliveryId = Annotated[RowId, Path(examples=[examples.DELIVERY["id"]])]
_READ = (*access.REFUSALS, RequestValidationError, OperationalError, Exception)
_BODY = (MalformedBodyError, BodyTooLargeError, BodyTooSlowError, UnsupportedMediaTypeError)
_CLAIM = Depends(idempotency.claim_key)

router = APIRouter(
    prefix="/v1",
    tags=["webhooks"],
    route_class=idempotency.IdempotentRoute,
    dependencies=[Depends(access.requires(Scope.ADMIN)), Depends(access.limit_rate)],
    responses=responses(*_READ),
)


@router.post(
    "/webhooks",
    dependencies=[Depends(require_json), _CLAIM],
    responses=responses(*_BODY, *idempotency.REFUSALS, TooManyWebhooksError),
)
def create_webhook(
    new: Annotated[NewWebhook, Body(openapi_examples=examples.NEW_WEBHOOKS)], webhooks: WebhooksDep
) -> CreatedWebhook:
    """Add a webhook; the secret that its messages are signed with is shown this once."""
    return webhooks.add(new)


@router.get("/webhooks")
def list_webhooks(webhooks: WebhooksDep) -> WebhookList:
    """List all webhooks."""
    return webhooks.every()


@router.delete("/webhooks/{webhook_id}", responses=responses(WebhookNotFoundError))
def delete_webhook(webhooks: WebhooksDep, webhook_id: WebhookId) -> WebhookDeleted:
    """Delete a webhook with the messages to it."""
    return webhooks.delete(webhook_id)


@router.get("/deliveries")
def list_deliveries(webhooks: WebhooksDep, wanted: Annotated[DeliveryFilter, Query()]) -> DeliveryPage:
    """List messages, newest first; those that failed at every attempt have the state `dead`."""
    return webhooks.deliveries(wanted)


@router.post(
    "/deliveries/{delivery_id}/replay",
    dependencies=[_CLAIM],
    responses=responses(DeliveryNotFoundError, *idempotency.REFUSALS),
)
def replay_delivery(webhooks: WebhooksDep, delivery_id: DeliveryId) -> DeliveryInfo:
    """Send a message again."""
    return webhooks.replay(delivery_id)
