"""The shapes of webhooks and of the messages to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, UrlConstraints, field_validator
from pydantic_core import PydanticCustomError

from api import examples
from api.schemas import MAX_PAGE_ITEMS
from api.stored import RowId

_MAX_URL_CHARS = 2_000


class WebhookEvent(StrEnum):
    """What a message can be about."""

    JOB_FINISHED = "job.finished"
    REVIEW_DECIDED = "review.decided"


class DeliveryState(StrEnum):
    """Where a message is; one that failed at every attempt is dead until it is replayed."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class NewWebhook(BaseModel):
    """An address to be told at, and of what."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[AnyHttpUrl, UrlConstraints(max_length=_MAX_URL_CHARS)] = Field(
        examples=["https://school.example/hooks/grader"]
    )
    events: list[WebhookEvent] = Field(default_factory=lambda: list(WebhookEvent), min_length=1, max_length=len(WebhookEvent))

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise PydanticCustomError("with_password", "a name and password in the address would not be sent; leave them out")
        return url


class WebhookInfo(BaseModel):
    """A webhook, without its secret."""

    id: str
    created_at: datetime
    url: str
    events: list[WebhookEvent]


class CreatedWebhook(WebhookInfo):
    """A webhook with the secret that its messages are signed with, which is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CREATED_WEBHOOK]})

    secret: str


class WebhookList(BaseModel):
    """All webhooks of a tenant."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.WEBHOOK_LIST]})

    webhooks: list[WebhookInfo]


class DeliveryFilter(BaseModel):
    """Which messages to list, and from where on."""

    model_config = ConfigDict(extra="forbid")

    webhook_id: RowId | None = None
    state: DeliveryState | None = None
    limit: int = Field(default=50, ge=1, le=MAX_PAGE_ITEMS)
    cursor: RowId | None = Field(default=None, description="`next_cursor` of the page before.")


class DeliveryInfo(BaseModel):
    """A message and what became of it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [examples.DELIVERY]})

    id: str = Field(description="The message's header `webhook-id`, the same at every attempt.")
    created_at: datetime
    webhook_id: str
    event: WebhookEvent
    state: DeliveryState
    attempts: int
    problem: str | None = Field(default=None, description="Why the last attempt failed.")
    delivered_at: datetime | None = None


class DeliveryPage(BaseModel):
    """One page of messages, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DELIVERY_PAGE]})

    deliveries: list[DeliveryInfo]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class WebhookDeleted(BaseModel):
    """What was deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deliveries": 12}]})

    deliveries: int
