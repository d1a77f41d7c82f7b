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
from api.errors import RateLimitedError, ScopeMissingError, TokenMismatchError, UnauthenticatedError
from api.keys import KEYLESS, Access, KeyRefusedError, Scope, authenticate, has_keys
from api.middleware import TOKEN_ROUTES
from api.passes import TOKEN_PREFIX, PassKind, admit
from api.storage.database import Store

_UNIT_BYTES = 1_000
# One learner must not use up what all learners of a site share.
_TOKEN_RATE = "60/minute"  # noqa: S105 a rate, and no token
# Where a page's own look-up leaves who is asking.
ENTERED = "access"
BEARER = HTTPBearer(auto_error=False, description="A key as `grader keys create` shows it.")
_NO_KEYS = (
    "The service has no keys yet, and without keys it answers programs of its own machine only. "
    "Run `grader keys create` there, and send the key with the header Authorization: Bearer KEY."
)

# What every route may answer with that asks for access.
REFUSALS = (UnauthenticatedError, ScopeMissingError, TokenMismatchError, RateLimitedError)


def get_access(request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> Access:
    """Return who is asking.

    Raises:
        UnauthenticatedError: If the key or token is not valid, or missing where one is needed.
        TokenMismatchError: If a token is not for this.
    """
    entered = request.scope.get(ENTERED)
    if isinstance(entered, Access):
        return entered
    database = state_of(request)["database"]
    if sent is not None:
        try:
            if sent.credentials.startswith(TOKEN_PREFIX):
                return _with_token(request, admit(database, sent.credentials, PassKind.TOKEN))
            return authenticate(database, sent.credentials)
        except KeyRefusedError as error:
            raise UnauthenticatedError(str(error)) from None
    if has_keys(database):
        raise UnauthenticatedError
    if not _is_of_this_machine(request):
        raise UnauthenticatedError(_NO_KEYS)
    return KEYLESS


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


def requires(scope: Scope) -> Callable[[Access], None]:
    """Return a dependency that lets keys with a scope pass.

    Its callable raises `ScopeMissingError` if the key has it not.
    """

    def check(access: AccessDep) -> None:
        if not access.may(scope):
            raise ScopeMissingError(scope.value)

    return check


async def limit_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends, its tokens included, by its bytes; what is sent without keys is not counted.

    Raises:
        RateLimitedError: If it is more than the key's limit, or a token's own.
    """
    if access.bound is not None:
        count(request, _TOKEN_RATE, access.bound.token_id, len(await request.body()))
    if access.key_id:
        count(request, _rate_of(request, access), access.key_id, len(await request.body()))


def limit_upload_rate(request: Request, access: AccessDep) -> None:
    """Count what a key sends before it is read, or after it was read as a form, by the length that it is said to have.

    Raises:
        RateLimitedError: If it is more than the key's limit.
    """
    announced = request.headers.get("content-length", "")
    if access.key_id:
        count(request, _rate_of(request, access), access.key_id, int(announced) if announced.isdecimal() else 0)


def count(request: Request, rate: str, who: str, size: int) -> None:
    """Count some bytes that somebody sends.

    Raises:
        RateLimitedError: If it is more than the rate allows.
    """
    limiter, limit = state_of(request)["limiter"], _parsed(rate)
    # A body that is larger than the whole limit passes when nothing else was sent, or it never could.
    cost = min(limit.amount, max(1, math.ceil(size / _UNIT_BYTES)))
    if not limiter.hit(limit, who, cost=cost):
        wait = limiter.get_window_stats(limit, who).reset_time - time.time()
        raise RateLimitedError(str(limit), max(1, math.ceil(wait)))


def _rate_of(request: Request, access: Access) -> str:
    return access.rate_limit or state_of(request)["settings"].rate_limit


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
