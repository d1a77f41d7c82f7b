"""The practice pages. They work without scripts, too: what a script adds is saved drafts, a count of words and a timer."""

from __future__ import annotations

import random
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from api import access
from api.bank_shapes import SHIPPED
from api.dependencies import GraderDep, take_slot
from api.keys import Scope
from api.pages.practice import MAX_INTERVIEW, interview, pieces, sections
from api.pages.rendering import KeyedPageRoute, base_of, render
from api.providers import ItemsDep
from api.schemas import ItemId
from grader.items import MAX_ANSWER_CHARS


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


router = APIRouter(
    route_class=KeyedPageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(access.requires(Scope.GRADE)), Depends(access.limit_rate)],
)


@router.get("/")
def show_questions(request: Request, items: ItemsDep, topic: str = "", difficulty: str = "") -> Response:
    """Show the questions to choose from."""
    every = items.every(SHIPPED)
    return render(
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
        return RedirectResponse(f"{base_of(request)}/", status_code=303)
    rest = "".join(f"&queue={item_id}" for item_id in chosen[1:])
    return RedirectResponse(
        f"{base_of(request)}/practice/{chosen[0]}?of={len(chosen)}&minutes={wanted.minutes}{rest}", status_code=303
    )


@router.get("/practice/{item_id}")
def show_question(
    request: Request,
    items: ItemsDep,
    item_id: ItemId,
    place: Annotated[Place, Query()],
) -> Response:
    """Show one question with room for an answer."""
    return render(request, "question.html", {**_question(request, items, item_id, place), "answer": "", "result": None})


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
    return render(request, "question.html", {**question, "answer": answer, "result": result, "pieces": pieces(answer, result)})


def _question(request: Request, items: ItemsDep, item_id: str, place: Place) -> dict[str, object]:
    """Return what a page shows of a question, and where it stands in an interview."""
    following = None
    if place.queue:
        rest = "".join(f"&queue={other}" for other in place.queue[1:])
        following = f"{base_of(request)}/practice/{place.queue[0]}?of={place.of}&minutes={place.minutes}{rest}"
    return {
        "item": items.get(SHIPPED, item_id).gradable,
        "following": following,
        "number": max(1, place.of - len(place.queue)) if place.of else 0,
        "of": place.of,
        "minutes": place.minutes,
        "most_characters": MAX_ANSWER_CHARS,
    }
