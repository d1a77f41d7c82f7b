"""Who sees the pages: one guard for all of them.

A key in the header is looked at as for the API. Else a session counts, then a visitor where practice is open to everyone, and
without any keys whoever is on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from api.access import ENTERED, count, who_asks
from api.dependencies import state_of
from api.errors import ForeignFormError, ScopeMissingError, SignInNeededError
from api.keys import KEYLESS, Access, KeyRefusedError, Scope, has_keys
from api.passes import PassKind, admit

COOKIE = "session"
# Whoever comes, where practice is open to everyone. They see the shipped bank, and store nothing.
VISITOR = Access(tenant_id=KEYLESS.tenant_id, key_id="", name="visitor", scopes=frozenset({Scope.GRADE}))
_VISITOR_RATE = "120/minute"
_IPV6_SITE_BITS = 64


def enter(request: Request) -> None:
    """Find out who opens a page, before anything that is sent is read; looks into the database.

    Raises:
        SignInNeededError: If it is nobody who is known, and visitors are not welcome.
        UnauthenticatedError: If a key was sent that is not valid, like the errors of `api.access.who_asks`.
        ForeignFormError: If it is the form of another site.
    """
    request.scope[ENTERED] = who_asks(request) if "authorization" in request.headers else _without_key(request)


def guard(*scopes: Scope, public: bool = False) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return a dependency that lets people pass who may do all of this, of those whom `enter` has let in.

    Args:
        scopes: What a key has to have.
        public: Whether visitors pass too, where the setting `GRADER_PUBLIC_PRACTICE` says so.
    """

    async def check(request: Request) -> None:
        access = request.scope[ENTERED]
        if access is VISITOR and not public:
            raise SignInNeededError
        for scope in scopes:
            if not access.may(scope):
                raise ScopeMissingError(scope.value)

    return check


def signed_in_as(request: Request) -> str | None:
    """Return the name of the key whose session this is, or None outside of sessions."""
    access = request.scope.get(ENTERED)
    return access.name if isinstance(access, Access) and access.key_id and COOKIE in request.cookies else None


def is_visitor(request: Request) -> bool:
    """Tell whether this page is shown to somebody who has not signed in and could."""
    return request.scope.get(ENTERED) is VISITOR


def check_form(request: Request) -> None:
    """Refuse a form that a page of another site sends.

    Raises:
        ForeignFormError: If the browser says so, or says nothing.
    """
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    # What a browser says of the site holds behind every proxy; older ones name the origin only.
    is_own = site in ("same-origin", "none") if site else urlsplit(origin).netloc == request.headers.get("host") != ""
    if not is_own:
        raise ForeignFormError


def count_address(request: Request, rate: str, what: str) -> None:
    """Count something that is done from an address; one network of IPv6 counts as one.

    Raises:
        RateLimitedError: If that is done too often.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if isinstance(address, IPv6Address):
        host = str(ip_network((address, _IPV6_SITE_BITS), strict=False))
    count(request, rate, f"{what} {host}", 0)


def _without_key(request: Request) -> Access:
    """Return who is asking without a key in the header."""
    state = state_of(request)
    shown = request.cookies.get(COOKIE)
    if shown:
        try:
            access = admit(state["database"], shown, PassKind.SESSION)
        except KeyRefusedError:
            access = None
        if access is not None:
            check_form(request)
            return access
    if not has_keys(state["database"]):
        return who_asks(request)
    if state["settings"].public_practice:
        check_form(request)
        count_address(request, _VISITOR_RATE, "practice")
        return VISITOR
    raise SignInNeededError
