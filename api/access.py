"""Who may ask for what, and how much: dependencies that come before every route but the health checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import limits
from anyio import to_thread
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem

from api.attempts import origin_of
from api.dependencies import needs_slot, state_of
from api.errors import RateLimitedError, ScopeMissingError, TokenMismatchError, TooManyAttemptsError, UnauthenticatedError
from api.keys import KEYLESS, Access, KeyRefusedError, Scope, authenticate, has_keys
from api.middleware import TOKEN_ROUTES
from api.passes import TOKEN_PREFIX, PassKind, admit
from api.storage.database import Store

T = TypeVar("T")
_UNIT_BYTES = 1_000
# One learner must not use up what all learners of a site share.
_TOKEN_RATE = "60/minute"  # noqa: S105 a rate, and no token
# Where a page's own look-up leaves who is asking.
ENTERED = "access"
BEARER = HTTPBearer(auto_error=False, description="A key as `grader keys create` shows it.")
_SET_BY_PROXIES = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"})
_NO_KEYS = (
    "The service has no keys yet, and without keys it answers programs of its own machine only. "
    "Run `grader keys create` there, and send the key with the header Authorization: Bearer KEY."
)

# What `get_access` may answer with; routes that need it declare these.
REFUSALS = (UnauthenticatedError, ScopeMissingError, TokenMismatchError, RateLimitedError, TooManyAttemptsError)


class KeyedRoute(APIRoute):
    """A route that asks who is sending before it reads the body: nobody else's megabytes are taken in and parsed.

    Dependencies come too late for that, as FastAPI reads a body that a route declares before it calls them. Where there is no
    place for a request, that is said first of all: many clients that come back every second must cost next to nothing.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the question before it."""
        handle = super().get_route_handler()
        takes_slot = needs_slot(self)

        async def asking(request: Request) -> Response:
            # What was answered before is given again without a place.
            if takes_slot and "idempotency-key" not in request.headers:
                state_of(request)["slots"].check()
            request.scope[ENTERED] = await look_up(who_asks, request)
            return await handle(request)

        return asking


async def look_up(find: Callable[[Request], T], request: Request) -> T:
    """Return what a function finds in the database about who asks, in one of the few threads that there are for that."""
    return await to_thread.run_sync(find, request, limiter=state_of(request)["look_ups"])


async def get_access(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Access:
    """Return who is asking.

    Raises:
        UnauthenticatedError: If the key or token is not valid, or missing where one is needed.
        TokenMismatchError: If a token is not for this.
        TooManyAttemptsError: If too many keys that are not valid came from the same address.
    """
    known = request.scope.get(ENTERED)
    return known if isinstance(known, Access) else await look_up(who_asks, request)


def who_asks(request: Request) -> Access:
    """Return who is asking by the header, or without keys from this machine; looks into the database.

    Raises:
        UnauthenticatedError: As `get_access`, like the two others.
        TokenMismatchError: As well.
        TooManyAttemptsError: As well.
    """
    database = state_of(request)["database"]
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and sent:
        return _whose_key(request, sent.strip())
    if has_keys(database):
        raise UnauthenticatedError
    if not _is_of_this_machine(request):
        raise UnauthenticatedError(_NO_KEYS)
    return KEYLESS


def _whose_key(request: Request, sent: str) -> Access:
    """Return what a key or token allows."""
    database, attempts, origin = state_of(request)["database"], state_of(request)["attempts"], origin_of(request)
    is_token = sent.startswith(TOKEN_PREFIX)
    attempts.check(origin, sent)
    try:
        access = admit(database, sent, PassKind.TOKEN) if is_token else authenticate(database, sent)
    except KeyRefusedError as error:
        attempts.failed(origin, sent)
        raise UnauthenticatedError(str(error)) from None
    attempts.succeeded(sent)
    return _with_token(request, access) if is_token else access


def _with_token(request: Request, access: Access) -> Access:
    """Return what a token allows, where it is for this route and comes from its own site."""
    if (request.method, getattr(request.scope.get("route"), "path", "")) not in TOKEN_ROUTES:
        raise TokenMismatchError("address")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    origin = request.headers.get("origin")
    if access.bound is not None and access.bound.origin is not None:
        # A page of the service itself sends none when it only reads.
        welcome = (origin or own) == access.bound.origin
    else:
        allowed = state_of(request)["settings"].cors_origins
        welcome = origin is None or origin in {own, *allowed} or "*" in allowed
    if not welcome:
        raise TokenMismatchError("origin")
    return access


AccessDep = Annotated[Access, Depends(get_access)]


def requires(scope: Scope) -> Callable[[Access], Coroutine[Any, Any, None]]:
    """Return a dependency that lets keys with a scope pass.

    Its callable raises `ScopeMissingError` if the key has it not.
    """

    async def check(access: AccessDep) -> None:
        if not access.may(scope):
            raise ScopeMissingError(scope.value)

    return check


async def limit_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends, its tokens included, by its bytes; what is sent without keys is not counted.

    Raises:
        RateLimitedError: If it is more than the key's limit, or a token's own.
    """
    if access.bound is not None:
        await _count(request, _TOKEN_RATE, access.bound.token_id, len(await request.body()))
    if access.key_id:
        await _count(request, _rate_of(request, access), access.key_id, len(await request.body()))


async def limit_upload_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends before it is read, or after it was read as a form, by the length that it is said to have.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    announced = request.headers.get("content-length", "")
    if access.key_id:
        await _count(request, _rate_of(request, access), access.key_id, int(announced) if announced.isdecimal() else 0)


async def count_unannounced(request: Request, access: Access, size: int) -> None:
    """Count what a key has sent without saying how much it would be, now that it is known.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    if access.key_id and not request.headers.get("content-length", "").isdecimal():
        await _count(request, _rate_of(request, access), access.key_id, size)


def count(request: Request, rate: str, who: str, size: int) -> None:
    """Count some bytes that somebody sends; where counts are shared this asks Redis.

    Raises:
        RateLimitedError: If it is more than the rate allows.
    """
    limit = _parsed(rate)
    # A body that is larger than the whole limit passes when nothing else was sent, or it never could.
    cost = min(limit.amount, max(1, math.ceil(size / _UNIT_BYTES)))
    wait = state_of(request)["rates"].hit(limit, who, cost=cost)
    if wait:
        raise RateLimitedError(str(limit), wait)


async def _count(request: Request, rate: str, who: str, size: int) -> None:
    # Counting in memory takes microseconds; Redis is another program, and the event loop waits for none.
    if state_of(request)["rates"].is_shared:
        await run_in_threadpool(count, request, rate, who, size)
    else:
        count(request, rate, who, size)


def _rate_of(request: Request, access: Access) -> str:
    return access.rate_limit or state_of(request)["settings"].rate_limit


async def get_store(request: Request, access: AccessDep) -> Store:
    """Return what the asking tenant has stored."""
    return Store(state_of(request)["database"], access.tenant_id)


StoreDep = Annotated[Store, Depends(get_store)]


@lru_cache(maxsize=1_000)
def _parsed(limit: str) -> RateLimitItem:
    return limits.parse(limit)


def _is_of_this_machine(request: Request) -> bool:
    """Tell whether a program of this machine asks, and neither a proxy nor a page of another site that a browser shows here.

    The connection has to end at a loopback address. A page on the web can have its own name lead to 127.0.0.1, so the name
    has to be a loopback one too; and it can send what needs no permission of the service, so its origin has to be welcome.
    """
    address = (request.scope.get("server") or ("",))[0]
    named = _host_of(f"//{request.headers.get('host', '')}")
    origin = request.headers.get("origin")
    welcome = {*state_of(request)["settings"].cors_origins, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return (
        is_loopback(address)
        and is_loopback(named)
        and not _SET_BY_PROXIES & set(request.headers)
        and (origin is None or origin in welcome or "*" in welcome)
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host, by name or address, is this machine and cannot be reached from others."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
