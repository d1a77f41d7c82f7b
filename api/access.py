"""Who may ask for what, and how much: dependencies that come before every route but the health checks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

import limits
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem

from api.dependencies import state_of
from api.errors import RateLimitedError, ScopeMissingError, UnauthenticatedError
from api.keys import KEYLESS, Access, KeyRefusedError, Scope, authenticate, has_keys
from api.storage.database import Store

_UNIT_BYTES = 1_000
_BEARER = HTTPBearer(auto_error=False, description="A key as `grader keys create` shows it.")
_NO_KEYS = (
    "The service has no keys yet, and without keys it answers programs of its own machine only. "
    "Run `grader keys create` there, and send the key with the header Authorization: Bearer KEY."
)

# What `ask` may answer with; routes that need it declare these.
REFUSALS = (UnauthenticatedError, ScopeMissingError, RateLimitedError)


def get_access(request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Access:
    """Return who is asking.

    Raises:
        UnauthenticatedError: If the key is not valid, or missing where one is needed.
    """
    database = state_of(request)["database"]
    if sent is not None:
        try:
            return authenticate(database, sent.credentials)
        except KeyRefusedError as error:
            raise UnauthenticatedError(str(error)) from None
    if has_keys(database):
        raise UnauthenticatedError
    if not _is_of_this_machine(request):
        raise UnauthenticatedError(_NO_KEYS)
    return KEYLESS


AccessDep = Annotated[Access, Depends(get_access)]


def requires(scope: Scope) -> Callable[[Access], None]:
    """Return a dependency that lets keys with a scope pass.

    Its callable raises `ScopeMissingError` if the key has it not.
    """

    def check(access: AccessDep) -> None:
        if not access.may(scope):
            raise ScopeMissingError(scope.value)

    return check


async def limit_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends, by its bytes; what is sent without keys is not counted.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    if access.key_id:
        _count(request, access, len(await request.body()))


def limit_upload_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends before it is read, by the length that it is said to have.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    announced = request.headers.get("content-length", "")
    if access.key_id:
        _count(request, access, int(announced) if announced.isdecimal() else 0)


def _count(request: Request, access: Access, size: int) -> None:
    state = state_of(request)
    limit = _parsed(access.rate_limit or state["settings"].rate_limit)
    # A body that is larger than the whole limit passes when nothing else was sent, or it never could.
    cost = min(limit.amount, max(1, math.ceil(size / _UNIT_BYTES)))
    if not state["limiter"].hit(limit, access.key_id, cost=cost):
        wait = state["limiter"].get_window_stats(limit, access.key_id).reset_time - time.time()
        raise RateLimitedError(str(limit), max(1, math.ceil(wait)))


def get_store(request: Request, access: AccessDep) -> Store:
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
