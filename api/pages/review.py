"""What the review pages show, and how what a reviewer fills in becomes a review."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from api.bank_shapes import SHIPPED, BankId
from api.jobs.summary import BINS, bin_of
from api.review_shapes import Comment, Decision, KeyPointReview, NewReview, QueueFilter
from api.stored import RowId, StoredResult
from grader import AnswerGroup, Gradable, Slug, Verdict, effective_key_points

# What a verdict is worth where a reviewer gives verdicts and no mark. A contradiction earns nothing, as silence does.
WORTH: Mapping[Verdict, float] = {Verdict.COVERED: 1.0, Verdict.PARTIAL: 0.5, Verdict.MISSING: 0.0, Verdict.CONTRADICTED: 0.0}


_UNTYPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What a button of the forms asks for: a decision, or the page again as it is filled in.
Wish = Decision | Literal["look"]


def _as_typed(text: object) -> object:
    """Take out what no keyboard writes and some programs copy, and the second half of line ends, which browsers do not count.

    A comment that is refused for them would be lost to somebody who cannot see them.
    """
    return _UNTYPED.sub(" ", text.replace("\r\n", "\n")) if isinstance(text, str) else text


TypedComment = Annotated[Comment, BeforeValidator(_as_typed)]


class Desk(BaseModel):
    """Which answers a reviewer is at: the filters of the queue, and the answer that was the last."""

    bank_id: BankId = SHIPPED
    item_id: Slug | Literal[""] = ""
    reviewers: int = Field(default=1, ge=1, le=5)
    cursor: RowId | None = None
    decided: int = Field(default=0, ge=0, le=1_000)

    def queue(self, reviewer: str, *, limit: int = 1) -> QueueFilter:
        """Return the filter of the queue. Where several people are to look at an answer, nobody gets one twice."""
        return QueueFilter(
            bank_id=self.bank_id,
            item_id=self.item_id or None,
            reviewers=self.reviewers,
            reviewer=reviewer if self.reviewers > 1 else None,
            cursor=self.cursor,
            limit=limit,
        )

    def address(self, **changes: object) -> str:
        """Return the query of an address with these filters, changed where that is asked for."""
        values = {**self.model_dump(exclude={"decided"}), **changes}
        return urlencode({name: value for name, value in values.items() if value not in (None, "")})


class Given(BaseModel):
    """What a reviewer filled in for one answer: `verdict` holds `id:verdict` for each key point."""

    wish: Wish
    seen: int = Field(ge=0)
    verdict: list[Annotated[str, StringConstraints(max_length=120)]] = Field(default_factory=list, max_length=30)
    mark: str = Field(default="", max_length=20)
    comment: TypedComment = ""


class GivenToAll(BaseModel):
    """What a reviewer filled in for a group of answers: `result` holds `id:reviews seen` for each that is chosen.

    `group` is the answer that the group began with on the page, so that the same group is open when the page comes back.
    """

    wish: Wish
    group: RowId | None = None
    # None at all is a slip that the page answers: as an error of the form it would lose what was filled in beside it.
    result: list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}:[0-9]{1,4}$")]] = Field(
        default_factory=list, max_length=100
    )
    mark: str = Field(default="", max_length=20)
    comment: TypedComment = ""

    def seen(self) -> dict[str, int]:
        """Return how many reviews of each answer the reviewer knows of."""
        return {result_id: int(count) for result_id, count in (each.split(":") for each in self.result)}

    def is_about(self, result_ids: Collection[str]) -> bool:
        """Tell whether a group of these answers is the one that was filled in; others may have taken answers out of it since."""
        return self.group in result_ids or not self.seen().keys().isdisjoint(result_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A key point as a reviewer sees it, with the machine's verdict and the one that is filled in."""

    id: str
    text: str
    weight: int
    machine: str
    chosen: str
    has_evidence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An answer of a group, how many reviews it has, and whether it is among those to be marked."""

    result: StoredResult
    seen: int
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Answers that say the same, the most typical one first; marks are the machine's.

    `histogram` counts the scores in equal bins over [0, 1]; `given` is what was filled in for the group.
    """

    members: Sequence[Member]
    given: GivenToAll | None
    histogram: Sequence[int]
    lowest: float
    highest: float
    mean: float


def points(result: StoredResult, item: Gradable, given: Given | None = None) -> list[Point]:
    """Return the key points of a result with their texts."""
    texts = {point.id: point.text for point in effective_key_points(item)}
    chosen = _verdicts(given.verdict) if given is not None else {}
    return [
        Point(
            id=each["id"],
            text=texts.get(each["id"], each["id"]),
            weight=each["weight"],
            machine=each["verdict"],
            chosen=chosen.get(each["id"], each["verdict"]),
            has_evidence=bool(each["evidence"]),
        )
        for each in result.result["key_points"]
    ]


def review_of(result: StoredResult, item: Gradable, given: Given, reviewer: str | None) -> NewReview | str:
    """Return the review that a reviewer filled in, or the name of the string that says what is unclear about it.

    Where nothing was decided the name is empty. Verdicts without a mark give the mark: the mean of what they are worth, weighted
    as the key points are.
    """
    if not isinstance(given.wish, Decision):
        return ""
    return _decided(result, item, given, given.wish, reviewer)


def _decided(result: StoredResult, item: Gradable, given: Given, wish: Decision, reviewer: str | None) -> NewReview | str:
    machine = {each["id"]: each["verdict"] for each in result.result["key_points"]}
    chosen = _verdicts(given.verdict)
    if not chosen.keys() <= machine.keys() or not set(chosen.values()) <= {*Verdict}:
        return "review_unknown_point"
    changed = [KeyPointReview(id=name, verdict=Verdict(v)) for name, v in chosen.items() if v != machine[name]]
    score = score_from_mark(given.mark, item)
    if isinstance(score, str):
        return score
    if wish is Decision.ACCEPT:
        if changed or score is not None:
            return "review_changed"
        return NewReview(decision=Decision.ACCEPT, reviewer=reviewer, comment=given.comment)
    if not changed and score is None:
        return "review_nothing"
    if score is None:
        score = score_by_verdicts(result.result["key_points"], {**machine, **chosen})
    return NewReview(decision=Decision.OVERRIDE, reviewer=reviewer, score=score, key_points=changed, comment=given.comment)


def review_of_all(item: Gradable | None, given: GivenToAll, reviewer: str | None) -> NewReview | str:
    """Return the review that is to be given to each answer of a group, or the name of the string that says what is unclear.

    Where nothing was decided the name is empty. The item is that of the chosen answers, None where there are none.
    """
    if not isinstance(given.wish, Decision):
        return ""
    if item is None:
        return "review_none_chosen"
    score = score_from_mark(given.mark, item)
    if isinstance(score, str):
        return score
    if given.wish is Decision.ACCEPT and score is not None:
        return "review_changed"
    if given.wish is Decision.OVERRIDE and score is None:
        return "review_no_mark"
    return NewReview(decision=given.wish, reviewer=reviewer, score=score, comment=given.comment)


def score_by_verdicts(key_points: Iterable[Mapping[str, Any]], verdicts: Mapping[str, str]) -> float:  # Any: JSON
    """Return the score, in [0, 1], that verdicts on key points give by themselves."""
    weighted = [(int(each["weight"]), WORTH[Verdict(verdicts[each["id"]])]) for each in key_points]
    return sum(weight * worth for weight, worth in weighted) / sum(weight for weight, _ in weighted)


def score_from_mark(text: str, item: Gradable) -> float | str | None:
    """Return the score of a mark that was filled in, None for an empty field, or the name of the string that says it is none."""
    if not text.strip():
        return None
    try:
        mark = float(text.replace(",", "."))
    except ValueError:
        return "review_bad_mark"
    return mark / item.max_mark if 0 <= mark <= item.max_mark else "review_bad_mark"


def group_of(
    results: Sequence[StoredResult], seen: Mapping[str, int], found: AnswerGroup, given: GivenToAll | None = None
) -> Group:
    """Return a group of answers for showing, with what was filled in for it."""
    places = [found.representative, *(at for at in found.members if at != found.representative)]
    ids = [results[at].id for at in places]
    chosen = set(ids) if given is None else given.seen().keys()
    # Who only looked knows of no other reviews than before.
    known = {**seen, **given.seen()} if given is not None and given.wish == "look" else seen
    members = [
        Member(result=results[at], seen=known[each], is_chosen=each in chosen) for at, each in zip(places, ids, strict=True)
    ]
    marks = [float(member.result.result["mark"]) for member in members]
    bins = [bin_of(member.result.result["score"]) for member in members]
    return Group(
        members=members,
        given=given,
        histogram=[bins.count(n) for n in range(BINS)],
        lowest=min(marks),
        highest=max(marks),
        mean=sum(marks) / len(marks),
    )


def _verdicts(given: Iterable[str]) -> dict[str, str]:
    pairs = (each.rpartition(":") for each in given)
    return {point_id: verdict for point_id, _, verdict in pairs}
