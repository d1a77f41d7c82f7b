"""What happens to every request before and after its route: a limit on the body, and headers that keep browsers careful."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLargeError, BodyTooSlowError

MAX_BODY_BYTES = 8_000_000
# At 130 kB/s the largest body gets through; what is slower than that keeps a place for nothing.
MAX_BODY_SECONDS = 60.0
# Tables of answers come in by addresses of their own, and may be large.
UPLOAD_PATHS = frozenset({"/v1/jobs", "/batches"})
MAX_UPLOAD_SECONDS = 1_800.0
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The page of API docs holds a script of its own, and its style sheet holds pictures; everything else comes from here.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}


class BodyLimit:
    """Stop reading a body once it is too large, whatever its length was said to be, or takes too long.

    FastAPI's own `max_body_size` answers with plain text where the length was announced, and not with a problem.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_seconds: float = MAX_BODY_SECONDS, max_upload_bytes: int = 0) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a `receive` that raises inside the route that reads the body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"] in UPLOAD_PATHS
        max_bytes = self.max_upload_bytes if is_upload else self.max_bytes
        max_seconds = MAX_UPLOAD_SECONDS if is_upload else self.max_seconds
        announced = Headers(scope=scope).get("content-length", "")
        read = 0
        deadline: float | None = asyncio.get_running_loop().time() + max_seconds

        async def limited() -> Message:
            nonlocal read, deadline
            if announced.isdecimal() and int(announced) > max_bytes:
                raise BodyTooLargeError(max_bytes)
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlowError from None
            if not message.get("more_body", False):
                # What follows the body is the client going away, for which there is no deadline.
                deadline = None
            read += len(message.get("body", b""))
            if read > max_bytes:
                raise BodyTooLargeError(max_bytes)
            return message

        await self.app(scope, limited, send)


class SecurityHeaders:
    """Add the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a `send` that adds the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
