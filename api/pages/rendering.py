"""How a page becomes a response: its language, its headers, and refusals shown as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from api.access import look_up
from api.errors import SignInNeededError
from api.pages.access import enter, is_visitor, signed_in_as
from api.pages.charts import histogram
from api.pages.practice import point_name, told
from api.pages.words import LANGUAGES, language_for, words_of
from api.problems import Problem, problem_of
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
STATIC = StaticFiles(directory=FOLDER / "static")
_templates = Jinja2Templates(directory=FOLDER / "templates")
_templates.env.filters["point_name"] = point_name
_templates.env.globals["histogram"] = histogram
_templates.env.filters["told"] = told
_COOKIE = "language"
# Each with a page of its own at its address, and a string of its name.
_SECTIONS = ("batches", "review", "banks")


def _page_asked_for(request: Request) -> str:
    """Return the address of the page that was asked for, and of a form the page that it stands on."""
    url = urlsplit(str(request.url))
    if request.method != "GET":
        url = urlsplit(request.headers.get("referer", ""))
        if url.netloc != request.url.netloc:
            return "/"
    path = url.path.removeprefix(base_of(request))
    return f"{path}?{url.query}" if url.query else path


class PageRoute(APIRoute):
    """A route that shows a refusal as a page, and not as a problem for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the refusals around it."""
        handle = self._handler()

        async def showing(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeededError:
                page = render(request, "sign_in.html", {"following": _page_asked_for(request), "said": "needed"}, status=401)
            except (HTTPException, GraderError) as error:
                page = refuse(request, problem_of(error))
                page.headers.update(getattr(error, "headers", None) or {})
            except RequestValidationError:
                page = refuse(request, None)
            return page

        return showing

    def _handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return super().get_route_handler()


class KeyedPageRoute(PageRoute):
    """Such a route that asks who opens it before it reads what is sent."""

    def _handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super()._handler()

        async def asking(request: Request) -> Response:
            await look_up(enter, request)
            return await handle(request)

        return asking


def render(request: Request, template: str, context: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """Return a page in the reader's language."""
    language = language_of(request)
    shared = {
        "base": base_of(request),
        "language": language,
        "languages": LANGUAGES,
        "t": words_of(language),
        "signed_in": signed_in_as(request),
        "visitor": is_visitor(request),
    }
    page = _templates.TemplateResponse(request, template, {**shared, **context}, status_code=status, headers=PAGE_HEADERS)
    if request.query_params.get("lang") in LANGUAGES:
        page.set_cookie(_COOKIE, language, max_age=31_536_000, samesite="lax", httponly=True)
    return page


def language_of(request: Request) -> str:
    """Return the language that the reader has chosen, or that the browser prefers."""
    asked = request.query_params.get("lang") or request.cookies.get(_COOKIE)
    return language_for(asked, request.headers.get("accept-language", ""))


def refuse(request: Request, problem: Problem | None) -> HTMLResponse:
    """Return the page that says what did not work and leads back to where its reader was; None is a form that cannot be read."""
    path = request.url.path.removeprefix(base_of(request))
    section = next((name for name in _SECTIONS if path == f"/{name}" or path.startswith(f"/{name}/")), "")
    # What was sent has no page of its own to be shown in another language.
    again = {} if request.method == "GET" else {"again": f"{base_of(request)}/{section}"}
    status = 422 if problem is None else problem.status
    return render(request, "refused.html", {"problem": problem, "section": section, **again}, status=status)


def install(app: FastAPI) -> None:
    """Show browsers a page where there is nothing at an address, or nothing for that method; programs get their problem."""
    as_problem = cast("Callable[[Request, Exception], Coroutine[Any, Any, Response]]", app.exception_handlers[HTTPException])

    async def answer(request: Request, error: Exception) -> Response:
        response = await as_problem(request, error)
        is_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(f"{base_of(request)}/v1/")
        if not is_page or type(error) is not HTTPException or error.status_code not in (404, 405):
            return response
        page = await run_in_threadpool(refuse, request, Problem.model_validate_json(bytes(response.body)))
        page.headers.update(error.headers or {})
        return page

    app.add_exception_handler(HTTPException, answer)


def base_of(request: Request) -> str:
    """Return the path under which a proxy shows the service, empty if it is the root."""
    return str(request.scope.get("root_path", ""))
