"""How a page becomes a response: its language, its headers, and refusals shown as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from api.access import KeyedRoute
from api.pages.practice import point_name
from api.pages.words import LANGUAGES, language_for, words_of
from api.problems import problem_of
from grader import GraderError

FOLDER = Path(__file__).parent
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    # Without a referrer a browser says nothing of the origin of a form either, and only pages of the service itself may send one.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_templates = Jinja2Templates(directory=FOLDER / "templates")
_templates.env.filters["point_name"] = point_name
_COOKIE = "language"


class PageRoute(APIRoute):
    """A route that shows a refusal as a page, and not as a problem for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the refusals around it."""
        handle = super().get_route_handler()

        async def showing(request: Request) -> Response:
            try:
                return await handle(request)
            except (HTTPException, GraderError) as error:
                problem = problem_of(error)
                page = render(request, "refused.html", {"problem": problem}, status=problem.status)
                page.headers.update(getattr(error, "headers", None) or {})
            except RequestValidationError:
                page = render(request, "refused.html", {"problem": None}, status=422)
            return page

        return showing


class KeyedPageRoute(PageRoute, KeyedRoute):
    """Such a route that asks who is sending before it reads what is sent."""


def render(request: Request, template: str, context: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """Return a page in the reader's language."""
    asked = request.query_params.get("lang")
    language = language_for(asked or request.cookies.get(_COOKIE), request.headers.get("accept-language", ""))
    shared = {"base": base_of(request), "language": language, "languages": LANGUAGES, "t": words_of(language)}
    page = _templates.TemplateResponse(request, template, {**shared, **context}, status_code=status, headers=PAGE_HEADERS)
    if asked in LANGUAGES:
        page.set_cookie(_COOKIE, language, max_age=31_536_000, samesite="lax", httponly=True)
    return page


def base_of(request: Request) -> str:
    """Return the path under which a proxy shows the service, empty if it is the root."""
    return str(request.scope.get("root_path", ""))
