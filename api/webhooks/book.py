"""The webhooks of one tenant, and the messages to them."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api.errors import DeliveryNotFoundError, TooManyWebhooksError, WebhookNotFoundError
from api.storage.columns import new_id, now
from api.storage.database import Store
from api.storage.tables import Delivery, Webhook
from api.webhooks.shapes import (
    CreatedWebhook,
    DeliveryFilter,
    DeliveryInfo,
    DeliveryPage,
    DeliveryState,
    NewWebhook,
    WebhookDeleted,
    WebhookEvent,
    WebhookInfo,
    WebhookList,
)

_SECRET_BYTES = 32
_MAX_WEBHOOKS = 20


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of the tenant that a store belongs to."""

    store: Store

    def add(self, new: NewWebhook) -> CreatedWebhook:
        """Add a webhook with a secret of its own.

        Raises:
            TooManyWebhooksError: If the tenant has as many as there may be.
        """
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        row = Webhook(id=new_id(), created_at=now(), url=str(new.url), events=" ".join(sorted(set(new.events))), secret=secret)
        with self.store.write() as session:
            if (session.scalar(select(func.count(Webhook.id))) or 0) >= _MAX_WEBHOOKS:
                raise TooManyWebhooksError(_MAX_WEBHOOKS)
            session.add(row)
        return CreatedWebhook(**_info(row).model_dump(), secret=secret)

    def every(self) -> WebhookList:
        """Return all webhooks, oldest first."""
        with self.store.read() as session:
            return WebhookList(webhooks=[_info(row) for row in session.scalars(select(Webhook).order_by(Webhook.id))])

    def delete(self, webhook_id: str) -> WebhookDeleted:
        """Delete a webhook with the messages to it.

        Raises:
            WebhookNotFoundError: If the tenant has none with the id.
        """
        with self.store.write() as session:
            if session.get(Webhook, webhook_id) is None:
                raise WebhookNotFoundError(webhook_id)
            count = session.scalar(select(func.count(Delivery.id)).where(Delivery.webhook_id == webhook_id))
            session.execute(delete(Webhook).where(Webhook.id == webhook_id))
        return WebhookDeleted(deliveries=count or 0)

    def deliveries(self, wanted: DeliveryFilter) -> DeliveryPage:
        """Return messages, newest first, from a cursor on."""
        query = select(Delivery).order_by(Delivery.id.desc()).limit(wanted.limit + 1)
        if wanted.webhook_id is not None:
            query = query.where(Delivery.webhook_id == wanted.webhook_id)
        if wanted.state is not None:
            query = query.where(Delivery.state == wanted.state)
        if wanted.cursor is not None:
            query = query.where(Delivery.id < wanted.cursor)
        with self.store.read() as session:
            rows = session.scalars(query).all()
        shown = rows[: wanted.limit]
        more = len(rows) > wanted.limit
        infos = [DeliveryInfo.model_validate(row) for row in shown]
        return DeliveryPage(deliveries=infos, next_cursor=shown[-1].id if more else None)

    def replay(self, delivery_id: str) -> DeliveryInfo:
        """Send a message again, whatever became of it, with all attempts it had at first.

        Raises:
            DeliveryNotFoundError: If the tenant has none with the id.
        """
        with self.store.write() as session:
            row = session.get(Delivery, delivery_id, with_for_update=True)
            if row is None:
                raise DeliveryNotFoundError(delivery_id)
            row.state, row.attempts, row.due_at, row.round = DeliveryState.WAITING, 0, now(), row.round + 1
            row.problem = row.delivered_at = None
            session.flush()
            return DeliveryInfo.model_validate(row)


def announce(session: Session, event: WebhookEvent, data: dict[str, Any]) -> None:  # Any: JSON
    """Write down a message for every webhook of the session's tenant that wants to hear of an event.

    It goes out once the transaction is committed, and not at all if that is taken back. It is to name nobody: what was sent
    cannot be erased.
    """
    body = json.dumps({"type": event, "timestamp": now().astimezone(UTC).isoformat(), "data": data}, separators=(",", ":"))
    for webhook in session.scalars(select(Webhook)):
        if event in webhook.events.split():
            session.add(Delivery(webhook_id=webhook.id, event=event, body=body))


def messages_waiting(session: Session) -> int:
    """Return how many messages are not delivered yet; for a session that sees every tenant."""
    return session.scalar(select(func.count(Delivery.id)).where(Delivery.state == DeliveryState.WAITING)) or 0


def _info(row: Webhook) -> WebhookInfo:
    return WebhookInfo(id=row.id, created_at=row.created_at, url=row.url, events=[WebhookEvent(e) for e in row.events.split()])
