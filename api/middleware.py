"""What happens to every request before and after its route: a limit on the body, and headers that keep browsers careful."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLargeError, BodyTooSlowError
from api.passes import TOKEN_PREFIX

MAX_BODY_BYTES = 8_000_000
# At 130 kB/s the largest body gets through; what is slower than that keeps a place for nothing.
MAX_BODY_SECONDS = 60.0
# Tables of answers come in by addresses of their own, and may be large.
UPLOAD_PATHS = frozenset({"/v1/jobs", "/batches"})
MAX_UPLOAD_SECONDS = 1_800.0
# All that a token may ask for; pages of other sites do so.
TOKEN_ROUTES = frozenset({("POST", "/v1/grades"), ("GET", "/v1/items/{item_id}")})
_TOKEN_ADDRESSES = [(method, compile_path(path)[0]) for method, path in TOKEN_ROUTES]
_TOKEN_CORS = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Expose-Headers": "Retry-After, X-Request-ID, Idempotent-Replayed",
    "Access-Control-Max-Age": "600",
}
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


class TokenCors:
    """Let pages of every origin ask with a token, and none of them with a key.

    A browser asks before it sends a token, and does not tell which: so every origin may ask. What it then sends with a token is
    answered readably, since the token's own origin was checked, or the answer is a refusal.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a browser's question, or pass a request on with a `send` that adds the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, asked = headers.get("origin"), headers.get("access-control-request-method")
        is_question = scope["method"] == "OPTIONS" and asked is not None
        if origin is None or not _is_for_tokens(scope, asked if is_question else scope["method"]):
            await self.app(scope, receive, send)
            return
        allowed = {"Access-Control-Allow-Origin": origin, **_TOKEN_CORS}
        if is_question and "authorization" in headers.get("access-control-request-headers", "").lower():
            answer = Response(status_code=204, headers={**allowed, "Access-Control-Allow-Methods": str(asked), "Vary": "Origin"})
            await answer(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added.update({**allowed, "Vary": "Origin"})
            await send(message)

        has_token = headers.get("authorization", "").lower().startswith(f"bearer {TOKEN_PREFIX}")
        await self.app(scope, receive, with_headers if has_token else send)


def _is_for_tokens(scope: Scope, method: str | None) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return any(method == known and pattern.match(path) for known, pattern in _TOKEN_ADDRESSES)


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
