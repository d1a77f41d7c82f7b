"""The review pages: one answer at a time, or a group of answers that say the same. Forms do all of it; a script adds keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from api import access
from api.access import AccessDep
from api.banks import Banks
from api.dependencies import GraderDep, take_slot
from api.errors import ReviewedMeanwhileError, UnknownCursorError
from api.keys import Scope
from api.pages.access import guard
from api.pages.practice import pieces_of
from api.pages.rendering import KeyedPageRoute, base_of, render
from api.pages.review import WORTH, Desk, Given, GivenToAll, group_of, points, review_of, review_of_all
from api.providers import BanksDep, ResultsDep, ReviewsDep
from api.review_shapes import NewReview, Reviewer
from api.reviews import Reviews
from api.stored import RowId, StoredResult
from grader import Gradable, Grader, group_answers

_REVIEWER = TypeAdapter(Reviewer)
_COOKIE = "reviewer"
_A_YEAR_S = 31_536_000
# Grouping encodes every answer anew, a second for some fifty of them.
_MOST_GROUPED = 100

ResultPath = Annotated[RowId, Path()]
router = APIRouter(
    prefix="/review",
    route_class=KeyedPageRoute,
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(guard(Scope.REVIEW)), Depends(access.limit_upload_rate)],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who reviews, and which answers."""

    reviews: Reviews
    banks: Banks
    reviewer: str
    key_name: str
    desk: Desk


def get_place(request: Request, reviews: ReviewsDep, banks: BanksDep, asking: AccessDep, desk: Annotated[Desk, Query()]) -> Place:
    """Return who reviews, by the name that was given on the page or that of the key, and which answers."""
    try:
        reviewer = _REVIEWER.validate_python(unquote(request.cookies.get(_COOKIE, "")))
    except ValidationError:
        reviewer = asking.name
    return Place(reviews=reviews, banks=banks, reviewer=reviewer, key_name=asking.name, desk=desk)


PlaceDep = Annotated[Place, Depends(get_place)]


@router.get("")
def show_queue(request: Request, place: PlaceDep) -> Response:
    """Show the answer that is most worth a look, and how far the reviews are."""
    wanted = place.desk.queue(place.reviewer)
    try:
        waiting = place.reviews.queue(wanted).results
    except UnknownCursorError:
        # The answer that was the last has been deleted. A person sees where the queue goes on and does not loop.
        return RedirectResponse(f"{base_of(request)}/review?{place.desk.address(cursor=None)}", status_code=303)
    answer = _answer(place.reviews, waiting[0]) if waiting else {"result": None}
    return render(request, "review.html", {**_desk(place), **answer})


@router.post("/name")
def name_reviewer(request: Request, desk: Annotated[Desk, Query()], reviewer: Annotated[Reviewer, Form()]) -> Response:
    """Remember in the browser who reviews."""
    response = RedirectResponse(f"{base_of(request)}/review?{desk.address()}", status_code=303)
    response.set_cookie(_COOKIE, quote(reviewer), max_age=_A_YEAR_S, samesite="lax", httponly=True)
    return response


@router.get("/answers/{result_id}")
def show_answer(request: Request, place: PlaceDep, results: ResultsDep, result_id: ResultPath) -> Response:
    """Show one answer, whether it waits or not."""
    answer = _answer(place.reviews, results.get(result_id))
    return render(request, "review.html", {**_desk(place), **answer})


@router.post("/answers/{result_id}")
def decide(
    request: Request, place: PlaceDep, results: ResultsDep, result_id: ResultPath, given: Annotated[Given, Form()]
) -> Response:
    """Keep a decision and lead to the next answer; where there is none, show the answer again with what was filled in.

    What is unclear, or was decided by somebody else meanwhile, is shown again with what was filled in.
    """
    result = results.get(result_id)
    review = review_of(result, place.reviews.item_of(result_id), given, place.reviewer)
    refused, status = (review, 422) if isinstance(review, str) and review else ("", 200)
    if isinstance(review, NewReview):
        try:
            place.reviews.add_as_seen({result_id: given.seen}, review, key_name=place.key_name)
            address = place.desk.address(cursor=result_id, decided=1)
            return RedirectResponse(f"{base_of(request)}/review?{address}", status_code=303)
        except ReviewedMeanwhileError:
            refused, status = "review_meanwhile", 409
    shown = {**_desk(place), **_answer(place.reviews, result, given), "refused": refused}
    return render(request, "review.html", shown, status=status)


@router.get("/groups", dependencies=[Depends(take_slot, scope="function")])
def show_groups(request: Request, place: PlaceDep, grader: GraderDep) -> Response:
    """Show the answers to one question that wait, in groups that say the same."""
    return render(request, "review_groups.html", {**_desk(place), **_groups(place, grader)})


@router.post("/groups", dependencies=[Depends(take_slot, scope="function")])
def decide_group(request: Request, place: PlaceDep, grader: GraderDep, given: Annotated[GivenToAll, Form()]) -> Response:
    """Review every chosen answer of a group, each by itself and all in one transaction.

    What is unclear, or was decided by somebody else meanwhile, is shown again with the group open and what was filled in.
    """
    item = next((place.reviews.item_of(result_id) for result_id in given.seen()), None)
    review = review_of_all(item, given, place.reviewer)
    refused, status = (review, 422) if isinstance(review, str) and review else ("", 200)
    if isinstance(review, NewReview):
        try:
            made = place.reviews.add_as_seen(given.seen(), review, key_name=place.key_name)
            address = place.desk.address(cursor=None, decided=len(made))
            return RedirectResponse(f"{base_of(request)}/review/groups?{address}", status_code=303)
        except ReviewedMeanwhileError:
            refused, status = "review_meanwhile", 409
    shown = {**_desk(place), **_groups(place, grader, given), "refused": refused}
    return render(request, "review_groups.html", shown, status=status)


def _desk(place: Place) -> dict[str, object]:
    """Return what every review page shows: the filters and the progress."""
    desk = place.desk
    place.banks.get(desk.bank_id)
    progress = place.reviews.progress(desk.queue(place.reviewer))
    left = progress.waiting.get(desk.item_id, 0) if desk.item_id else sum(progress.waiting.values())
    return {
        "desk": desk,
        "banks": place.banks.list(),
        "reviewer": place.reviewer,
        "progress": progress,
        "left": left,
        "total": left + progress.reviewed,
    }


def _answer(reviews: Reviews, result: StoredResult, given: Given | None = None) -> Mapping[str, Any]:
    """Return what is shown of one answer."""
    item = reviews.item_of(result.id)
    earlier = reviews.of_result(result.id).reviews
    return {
        "result": result,
        "item": item,
        "pieces": pieces_of(result.candidate_answer, result.result),
        "points": points(result, item, given),
        "worth": {verdict.value: worth for verdict, worth in WORTH.items()},
        "earlier": earlier,
        "given": given,
    }


def _groups(place: Place, grader: Grader, given: GivenToAll | None = None) -> dict[str, object]:
    """Return the groups of the waiting answers to one question that were held against the same content.

    One answer is no group, unless it is what is left of the one that was filled in.
    """
    reviews, desk = place.reviews, place.desk
    if not desk.item_id:
        return {"groups": [], "item": None, "alone": 0, "grouped": 0, "given": given}
    queue = desk.queue(place.reviewer, limit=_MOST_GROUPED).model_copy(update={"cursor": None})
    waiting = reviews.queue(queue).results
    content = waiting[0].content_hash if waiting else ""
    results = [result for result in waiting if result.content_hash == content]
    item: Gradable | None = reviews.item_of(results[0].id) if results else None
    found = group_answers(grader, item, [result.candidate_answer for result in results]) if item is not None else ()
    seen = reviews.counts([result.id for result in results])
    about = next((group for group in found if given and given.is_about({results[at].id for at in group.members})), None)
    shown = [group for group in found if len(group.members) > 1 or group is about]
    return {
        "groups": [group_of(results, seen, group, given if group is about else None) for group in shown],
        "item": item,
        "alone": len(found) - len(shown),
        "grouped": len(results),
        "given": given,
    }
