"""The practice pages. They work without scripts, too: what a script adds is saved drafts, a count of words and a timer."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api import access
from api.bank_shapes import SHIPPED
from api.dependencies import GraderDep, take_slot
from api.keys import Scope
from api.pages.practice import MAX_INTERVIEW, interview, pieces, point_name, sections
from api.pages.words import LANGUAGES, language_for, words_of
from api.problems import problem_of
from api.providers import ItemsDep
from api.schemas import ItemId
from grader import GraderError
from grader.items import MAX_ANSWER_CHARS

FOLDER = Path(__file__).parent.parent / "pages"
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


class Interview(BaseModel):
    """Which questions an interview takes, how many, and the minutes for each, 0 for as many as one likes."""

    count: int = Field(default=5, ge=1, le=MAX_INTERVIEW)
    minutes: int = Field(default=0, ge=0, le=120)
    topic: str = ""
    difficulty: str = ""


class Place(BaseModel):
    """Where a question stands in an interview of `of` questions: those that follow it, and the minutes for each."""

    queue: list[ItemId] = Field(default_factory=list, max_length=MAX_INTERVIEW)
    of: int = Field(default=0, ge=0, le=MAX_INTERVIEW)
    minutes: int = Field(default=0, ge=0, le=120)


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
                page = _page(request, "refused.html", {"problem": problem}, status=problem.status)
                page.headers.update(getattr(error, "headers", None) or {})
            except RequestValidationError:
                page = _page(request, "refused.html", {"problem": None}, status=422)
            return page

        return showing


router = APIRouter(
    route_class=PageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(access.requires(Scope.GRADE)), Depends(access.limit_rate)],
)


def _page(request: Request, template: str, context: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    asked = request.query_params.get("lang")
    language = language_for(asked or request.cookies.get(_COOKIE), request.headers.get("accept-language", ""))
    shared = {"base": _base(request), "language": language, "languages": LANGUAGES, "t": words_of(language)}
    page = _templates.TemplateResponse(request, template, {**shared, **context}, status_code=status, headers=PAGE_HEADERS)
    if asked in LANGUAGES:
        page.set_cookie(_COOKIE, language, max_age=31_536_000, samesite="lax", httponly=True)
    return page


@router.get("/")
def show_questions(request: Request, items: ItemsDep, topic: str = "", difficulty: str = "") -> Response:
    """Show the questions to choose from."""
    every = items.every(SHIPPED)
    return _page(
        request,
        "questions.html",
        {
            "sections": sections(every, topic=topic, difficulty=difficulty),
            "topics": list(dict.fromkeys(item.topic for item in every)),
            "difficulties": list(dict.fromkeys(item.difficulty.value for item in every)),
            "topic": topic,
            "difficulty": difficulty,
            "most": MAX_INTERVIEW,
        },
    )


@router.get("/interview")
def start_interview(request: Request, items: ItemsDep, wanted: Annotated[Interview, Query()]) -> Response:
    """Lead to the first of some questions in any order; the address holds the others."""
    found = sections(items.every(SHIPPED), topic=wanted.topic, difficulty=wanted.difficulty)
    chosen = interview([item for section in found for item in section.items], wanted.count, random.SystemRandom())
    if not chosen:
        return RedirectResponse(f"{_base(request)}/", status_code=303)
    rest = "".join(f"&queue={item_id}" for item_id in chosen[1:])
    return RedirectResponse(
        f"{_base(request)}/practice/{chosen[0]}?of={len(chosen)}&minutes={wanted.minutes}{rest}", status_code=303
    )


@router.get("/practice/{item_id}")
def show_question(
    request: Request,
    items: ItemsDep,
    item_id: ItemId,
    place: Annotated[Place, Query()],
) -> Response:
    """Show one question with room for an answer."""
    return _page(request, "question.html", {**_question(request, items, item_id, place), "answer": "", "result": None})


@router.post("/practice/{item_id}", dependencies=[Depends(take_slot, scope="function")])
def show_result(
    request: Request,
    items: ItemsDep,
    grader: GraderDep,
    item_id: ItemId,
    place: Annotated[Place, Query()],
    *,
    candidate_answer: Annotated[str, Form()] = "",
) -> Response:
    """Show the result of an answer below it. Nothing of it is stored."""
    question = _question(request, items, item_id, place)
    # Browsers send line ends as they were on paper tape, and count them as one character.
    answer = candidate_answer.replace("\r\n", "\n")
    result = grader.grade(items.get(SHIPPED, item_id).gradable, answer)
    return _page(request, "question.html", {**question, "answer": answer, "result": result, "pieces": pieces(answer, result)})


def _base(request: Request) -> str:
    """Return the path under which a proxy shows the service, empty if it is the root."""
    return str(request.scope.get("root_path", ""))


def _question(request: Request, items: ItemsDep, item_id: str, place: Place) -> dict[str, object]:
    """Return what a page shows of a question, and where it stands in an interview."""
    following = None
    if place.queue:
        rest = "".join(f"&queue={other}" for other in place.queue[1:])
        following = f"{_base(request)}/practice/{place.queue[0]}?of={place.of}&minutes={place.minutes}{rest}"
    return {
        "item": items.get(SHIPPED, item_id).gradable,
        "following": following,
        "number": max(1, place.of - len(place.queue)) if place.of else 0,
        "of": place.of,
        "minutes": place.minutes,
        "most_characters": MAX_ANSWER_CHARS,
    }
