"""Logs as lines of JSON: what happened to which request, and never what was in it.

An exception is logged by its class and the places it came through. Its message is left out, since it may repeat an answer or a
row of the database; so are addresses with their queries, which may name a person.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import Processor

from api import tracing
from api.metrics import Metrics
from api.storage.columns import new_id

_MAX_ID_CHARS = 64
logger = logging.getLogger(__name__)


def configure(level: str) -> None:
    """Send all logs to standard error, unless the program that embeds the service has set up its own.

    They are lines of JSON for programs, and lines of text where a person looks on.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_messages,
    ]
    handler = logging.StreamHandler(sys.stderr)
    renderers: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.dev.ConsoleRenderer(colors=False)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=True),
    ]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=renderers))
    logging.basicConfig(handlers=[handler])
    for name in ("api", "uvicorn"):
        logging.getLogger(name).setLevel(level.upper())


def without_messages(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # Any: structlog's own shape
    """Replace an exception by its class and the places it came through."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, tuple) and info[0] is not None:
        event["exception"] = info[0].__name__
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(info[2])][-12:]
    return event


class RequestLog:
    """Give every request an id, and log and count it once it is answered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its id bound to all that is logged meanwhile."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id", ""))
        status = 500
        began = time.perf_counter()

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        method = _method(scope["method"])
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            tracing.request_span(method, Headers(scope=scope)) as span,
        ):
            try:
                await self.app(scope, receive, with_id)
            finally:
                took_s = time.perf_counter() - began
                route = _route(scope)
                self.metrics.answered(method=method, route=route, status=status, took_s=took_s)
                tracing.answered(span, method=method, route=route, status=status)
                ms = round(took_s * 1000, 1)
                logger.info("request", extra={"method": method, "route": route, "status": status, "ms": ms})


def _request_id(sent: str) -> str:
    """Return the id that a client gave, where it is one that cannot break a log."""
    plain = sent.isascii() and sent.replace("-", "").replace("_", "").isalnum()
    return sent if plain and len(sent) <= _MAX_ID_CHARS else new_id()


def _route(scope: Scope) -> str:
    """Return the route's pattern: the address itself may hold the name of a person."""
    return str(getattr(scope.get("route"), "path_format", "none"))


def _method(name: str) -> str:
    return name if name in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"
