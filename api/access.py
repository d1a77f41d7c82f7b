"""Who may ask for what, and how much: dependencies that come before every route but the health checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

import limits
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem

from api.attempts import Attempts, origin_of
from api.dependencies import state_of
from api.errors import RateLimitedError, ScopeMissingError, TooManyAttemptsError, UnauthenticatedError
from api.keys import KEYLESS, Access, KeyRefusedError, Scope, authenticate, has_keys
from api.storage.database import Database, Store

_UNIT_BYTES = 1_000
_BEARER = HTTPBearer(auto_error=False, description="A key as `grader keys create` shows it.")
_NO_KEYS = (
    "The service has no keys yet, and without keys it answers programs of its own machine only. "
    "Run `grader keys create` there, and send the key with the header Authorization: Bearer KEY."
)

# What `get_access` may answer with; routes that need it declare these.
REFUSALS = (UnauthenticatedError, ScopeMissingError, RateLimitedError, TooManyAttemptsError)


class KeyedRoute(APIRoute):
    """A route that asks who is sending before it reads the body: nobody else's megabytes are taken in and parsed.

    Dependencies come too late for that, as FastAPI reads a body that a route declares before it calls them.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the question before it."""
        handle = super().get_route_handler()

        async def asking(request: Request) -> Response:
            request.scope["access"] = await run_in_threadpool(_who_asks, request)
            return await handle(request)

        return asking


async def get_access(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Access:
    """Return who is asking.

    Raises:
        UnauthenticatedError: If the key is not valid, or missing where one is needed.
        TooManyAttemptsError: If too many keys that are not valid came from the same address.
    """
    known = request.scope.get("access")
    return known if isinstance(known, Access) else await run_in_threadpool(_who_asks, request)


def _who_asks(request: Request) -> Access:
    database = state_of(request)["database"]
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and sent:
        return _whose_key(database, state_of(request)["attempts"], origin_of(request), sent.strip())
    if has_keys(database):
        raise UnauthenticatedError
    if not _is_of_this_machine(request):
        raise UnauthenticatedError(_NO_KEYS)
    return KEYLESS


def _whose_key(database: Database, attempts: Attempts, origin: str, key: str) -> Access:
    attempts.check(origin, key)
    try:
        access = authenticate(database, key)
    except KeyRefusedError as error:
        attempts.failed(origin, key)
        raise UnauthenticatedError(str(error)) from None
    attempts.succeeded(key)
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
    """Count what a key sends, by its bytes; what is sent without keys is not counted.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    if access.key_id:
        await _count(request, access, len(await request.body()))


async def limit_upload_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends before it is read, by the length that it is said to have.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    announced = request.headers.get("content-length", "")
    if access.key_id:
        await _count(request, access, int(announced) if announced.isdecimal() else 0)


async def count_unannounced(request: Request, access: Access, size: int) -> None:
    """Count what a key has sent without saying how much it would be, now that it is known.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    if access.key_id and not request.headers.get("content-length", "").isdecimal():
        await _count(request, access, size)


async def _count(request: Request, access: Access, size: int) -> None:
    state = state_of(request)
    limit = _parsed(access.rate_limit or state["settings"].rate_limit)
    # A body that is larger than the whole limit passes when nothing else was sent, or it never could.
    cost = min(limit.amount, max(1, math.ceil(size / _UNIT_BYTES)))
    rates = state["rates"]
    # Counting in memory takes microseconds; Redis is another program, and the event loop waits for none.
    if rates.is_shared:
        wait = await run_in_threadpool(rates.hit, limit, access.key_id, cost=cost)
    else:
        wait = rates.hit(limit, access.key_id, cost=cost)
    if wait:
        raise RateLimitedError(str(limit), wait)


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
        and not {"forwarded", "x-forwarded-for"} & set(request.headers)
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
