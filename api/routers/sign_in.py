"""Signing in at the pages with a key, and out again."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.dependencies import DatabaseDep
from api.keys import KeyRefusedError, authenticate, has_keys
from api.pages.access import COOKIE, check_form, count_address
from api.pages.rendering import PageRoute, base_of, render
from api.passes import SESSION_LASTS, create_session, end_session

# Nobody guesses a key of 256 bits; this keeps the looking up of guesses cheap.
_RATE = "30/minute"
# A path of this service: what begins with two slashes would be another host.
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]*", re.ASCII)

router = APIRouter(route_class=PageRoute, include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/sign-in")
def show_sign_in(request: Request, database: DatabaseDep, following: str = "/") -> Response:
    """Show room for a key; where there are no keys, there is nothing to sign in to."""
    if not has_keys(database):
        return RedirectResponse(f"{base_of(request)}/", status_code=303)
    return render(request, "sign_in.html", {"following": following, "said": None})


@router.post("/sign-in")
def sign_in(
    request: Request,
    database: DatabaseDep,
    key: Annotated[str, Form(max_length=200)] = "",
    following: Annotated[str, Form()] = "/",
) -> Response:
    """Begin a session for a key."""
    check_form(request)
    count_address(request, _RATE, "sign-in")
    try:
        access = authenticate(database, key.strip())
    except KeyRefusedError:
        return render(request, "sign_in.html", {"following": following, "said": "refused"}, status=401)
    to = following if _OWN_PATH.fullmatch(following) else "/"
    response = RedirectResponse(f"{base_of(request)}{to}", status_code=303)
    response.set_cookie(
        COOKIE,
        create_session(database, access),
        max_age=int(SESSION_LASTS.total_seconds()),
        path=f"{base_of(request)}/",
        # A proxy may talk to us without TLS, and the browser still says what it sees.
        secure=request.url.scheme == "https" or request.headers.get("origin", "").startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, database: DatabaseDep) -> Response:
    """End the session, here and in the database."""
    check_form(request)
    end_session(database, request.cookies.get(COOKIE, ""))
    response = RedirectResponse(f"{base_of(request)}/sign-in", status_code=303)
    response.delete_cookie(COOKIE, path=f"{base_of(request)}/", httponly=True, samesite="strict")
    return response
