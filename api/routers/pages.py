"""The practice pages. They work without scripts, too: what a script adds is saved drafts, a count of words and a timer."""

from __future__ import annotations

import random
import secrets
from typing import Annotated, Self
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field, StringConstraints, model_validator

from api import access
from api.bank_shapes import SHIPPED, BankId
from api.dependencies import GraderDep, take_slot
from api.errors import BankNotFoundError
from api.items import HeldAgainst
from api.keys import Scope
from api.pages.access import guard, is_visitor
from api.pages.charts import ROOM, topic_bars
from api.pages.practice import MAX_INTERVIEW, interview, pieces, revealed, sections
from api.pages.rendering import PAGE_HEADERS, KeyedPageRoute, base_of, language_of, render
from api.pages.words import words_of
from api.providers import BanksDep, ItemsDep
from api.schemas import ItemId
from grader.items import MAX_ANSWER_CHARS

# Names an interview in the browser's own history.
Run = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,16}$")]


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
    run: Run = ""


class TopicMeans(BaseModel):
    """What a chart of topics shows: their names, and as many means of best scores in [0, 1]."""

    topic: list[Annotated[str, StringConstraints(min_length=1, max_length=400)]] = Field(min_length=1, max_length=100)
    mean: list[Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if len(self.topic) != len(self.mean):
            raise ValueError(f"{len(self.topic)} topics, but {len(self.mean)} means.")
        return self


router = APIRouter(
    route_class=KeyedPageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(guard(Scope.GRADE, public=True)), Depends(access.limit_upload_rate)],
)


def practice_bank(request: Request, bank: Annotated[BankId, Query()] = SHIPPED) -> str:
    """Return the bank whose questions are practised.

    Raises:
        BankNotFoundError: If a visitor names another one than that which ships.
    """
    if bank != SHIPPED and is_visitor(request):
        raise BankNotFoundError(bank)
    return bank


BankChoice = Annotated[str, Depends(practice_bank)]


@router.get("/")
def show_questions(
    request: Request, items: ItemsDep, banks: BanksDep, bank: BankChoice, *, topic: str = "", difficulty: str = ""
) -> Response:
    """Show the questions to choose from."""
    every = items.every(bank)
    return render(
        request,
        "questions.html",
        {
            "banks": [] if is_visitor(request) else [each for each in banks.list() if each.published and not each.archived],
            "bank": bank,
            "query": _query(bank),
            "sections": sections(every, topic=topic, difficulty=difficulty),
            "topics": list(dict.fromkeys(item.topic for item in every)),
            "difficulties": list(dict.fromkeys(item.difficulty.value for item in every)),
            "topic": topic,
            "difficulty": difficulty,
            "most": MAX_INTERVIEW,
        },
    )


@router.get("/interview")
def start_interview(request: Request, items: ItemsDep, bank: BankChoice, wanted: Annotated[Interview, Query()]) -> Response:
    """Lead to the first of some questions in any order; the address holds the others."""
    found = sections(items.every(bank), topic=wanted.topic, difficulty=wanted.difficulty)
    chosen = interview([item for section in found for item in section.items], wanted.count, random.SystemRandom())
    if not chosen:
        return RedirectResponse(f"{base_of(request)}/{_query(bank)}", status_code=303)
    place = Place(queue=chosen, of=len(chosen), minutes=wanted.minutes, run=secrets.token_hex(4))
    return RedirectResponse(f"{base_of(request)}{_next_address(place, bank)}", status_code=303)


@router.get("/practice/{item_id}")
def show_question(
    request: Request,
    items: ItemsDep,
    bank: BankChoice,
    item_id: ItemId,
    place: Annotated[Place, Query()],
) -> Response:
    """Show one question with room for an answer."""
    return render(request, "question.html", {**_question(request, items.get(bank, item_id), place), "answer": "", "result": None})


@router.post("/practice/{item_id}", dependencies=[Depends(take_slot, scope="function")])
def show_result(
    request: Request,
    items: ItemsDep,
    grader: GraderDep,
    bank: BankChoice,
    *,
    item_id: ItemId,
    place: Annotated[Place, Query()],
    candidate_answer: Annotated[str, Form()] = "",
) -> Response:
    """Show the result of an answer below it. Nothing of it is stored."""
    held = items.get(bank, item_id)
    question = _question(request, held, place)
    # Browsers send line ends as they were on paper tape, and count them as one character.
    answer = candidate_answer.replace("\r\n", "\n")
    result = grader.grade(held.gradable, answer)
    shown = {
        "result": result,
        "pieces": pieces(answer, result),
        "reference": revealed(held.gradable, answer),
        "corrections": [each.feedback for each in held.gradable.misconceptions],
        "is_own": True,
    }
    return render(request, "question.html", {**question, "answer": answer, **shown})


@router.get("/history")
def show_history(request: Request, run: Annotated[Run, Query()] = "") -> Response:
    """Show what was practised, or one interview, as the browser has kept it."""
    return render(request, "history.html", {"run": run, "room": ROOM})


@router.post("/history/topics")
def draw_topics(request: Request, means: Annotated[TopicMeans, Form()]) -> Response:
    """Draw the means of topics that the browser has made of its own history. They are not stored."""
    shown = topic_bars(list(zip(means.topic, means.mean, strict=True)), label=words_of(language_of(request))["by_topic"])
    return Response(shown, media_type="image/svg+xml", headers=PAGE_HEADERS)


def _question(request: Request, held: HeldAgainst, place: Place) -> dict[str, object]:
    """Return what a page shows of a question, and where it stands in an interview."""
    bank = held.bank_id or SHIPPED
    return {
        "item": held.gradable,
        "query": _query(bank),
        "following": f"{base_of(request)}{_next_address(place, bank)}" if place.queue else None,
        "number": max(1, place.of - len(place.queue)) if place.of else 0,
        "of": place.of,
        "minutes": place.minutes,
        "run": place.run,
        "most_characters": MAX_ANSWER_CHARS,
    }


def _query(bank: str) -> str:
    """Return what an address says of the bank, which is nothing for the one that ships."""
    return "" if bank == SHIPPED else f"?bank={bank}"


def _next_address(place: Place, bank: str) -> str:
    """Return the address of the first question that follows; it holds the others."""
    named = [] if bank == SHIPPED else [("bank", bank)]
    rest = [
        *named,
        ("of", place.of),
        ("minutes", place.minutes),
        ("run", place.run),
        *(("queue", other) for other in place.queue[1:]),
    ]
    return f"/practice/{place.queue[0]}?{urlencode(rest)}"
