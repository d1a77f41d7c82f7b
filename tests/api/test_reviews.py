"""Reviews: the queue in order of worth, decisions that stay beside the machine's result, and agreement between people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Response
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api.idempotency import Claim
from api.keys import Scope
from api.results import Results, worth_of_a_look
from api.reviews import _agreement
from api.storage.columns import new_id
from api.storage.database import Database, Store
from api.storage.tables import GradedItem, Replay, Result, Review
from grader import Grader, ItemBank

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ANSWERS = [
    "Dropout does not switch off neurons and does not reduce overfitting.",
    "Random neurons are switched off during training.",
    "Der Dropout schaltet zufällig Neuronen aus, während das Netz lernt, damit es nicht auswendig lernt.",
]


def store(service: TestClient, answer: str = ANSWERS[1], **ids: str) -> str:
    body = {"item_id": "dropout", "candidate_answer": answer, "store": True, "subject_id": "s", "attempt_id": "a", **ids}
    return str(service.post("/v1/grades", json=body).json()["result_id"])


def waiting(service: TestClient, database: Database, *, worths: list[float]) -> list[str]:
    """Store results that need review, each of a worth."""
    ids = [store(service) for _ in worths]
    with Store(database, "local").write() as session:
        for result_id, worth in zip(ids, worths, strict=True):
            row = session.get_one(Result, result_id)
            row.needs_review, row.review_worth = True, worth
    return ids


def queue(service: TestClient, **query: Any) -> list[str]:
    response = service.get("/v1/reviews/queue", params=query)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["results"]]


def review(service: TestClient, result_id: str, **body: Any) -> dict[str, Any]:
    response = service.post(f"/v1/results/{result_id}/reviews", json=body)
    assert response.status_code == 200, response.text
    answered: dict[str, Any] = response.json()
    return answered


def test_answers_that_need_review_wait_in_order_of_worth(service: TestClient, database: Database) -> None:
    low, high, middle = waiting(service, database, worths=[0.2, 0.9, 0.5])
    sure = store(service)
    with Store(database, "local").write() as session:
        session.get_one(Result, sure).needs_review = False
    assert queue(service) == [high, middle, low]
    assert queue(service, limit=1) == [high]
    assert service.get("/v1/reviews/queue?limit=1").json()["waiting"] == 3
    assert queue(service, item_id="overfitting") == []


def test_queue_goes_on_after_a_cursor_and_ends(service: TestClient, database: Database) -> None:
    ids = waiting(service, database, worths=[0.9, 0.5, 0.2])
    assert [queue(service, limit=2, cursor=each) for each in ids] == [ids[1:], ids[2:], []]
    review(service, ids[0], decision="accept")
    assert queue(service, cursor=ids[0]) == ids[1:]


def test_cursor_of_no_result_is_a_problem(
    service: TestClient, database: Database, assert_problem: AssertProblem, make_key: MakeKey
) -> None:
    [gone] = waiting(service, database, worths=[0.9])
    elsewhere = make_key(Scope.ADMIN, tenant="south")
    address = f"/v1/reviews/queue?cursor={gone}"
    assert_problem(service.get(address, headers=elsewhere), 422, "invalid-request", ["query", "cursor"])
    admin = make_key(Scope.ADMIN, tenant="local")
    assert service.get(address, headers=admin).json()["results"] == []
    service.delete("/v1/subjects/s", headers=admin)
    for cursor in (gone, new_id(), "x"):
        response = service.get(f"/v1/reviews/queue?cursor={cursor}", headers=admin)
        assert_problem(response, 422, "invalid-request", ["query", "cursor"])


@pytest.mark.parametrize("path", ["queue", "agreement"])
def test_reviews_of_a_bank_that_is_not_there_are_a_problem(service: TestClient, assert_problem: AssertProblem, path: str) -> None:
    assert_problem(service.get(f"/v1/reviews/{path}?bank_id=other"), 404, "bank-not-found")
    service.post("/v1/banks", json={"id": "other", "title": "Other"})
    assert service.get(f"/v1/reviews/{path}?bank_id=other").status_code == 200
    service.post("/v1/banks/other/archive")
    assert service.get(f"/v1/reviews/{path}?bank_id=other").status_code == 200


def test_worth_is_the_width_of_the_interval_and_a_quarter_for_each_reason(
    real_grader: Grader, shipped_bank: ItemBank, service: TestClient, database: Database
) -> None:
    item = shipped_bank.get("dropout")
    for answer in ANSWERS:
        result = real_grader.grade(item, answer)
        expected = result.interval.high - result.interval.low + 0.25 * len(result.review_reasons)
        assert worth_of_a_look(result) == pytest.approx(expected, abs=1e-4)
        stored = store(service, answer)
        with Store(database, "local").read() as session:
            assert session.get_one(Result, stored).review_worth == worth_of_a_look(result)
    assert any(real_grader.grade(item, answer).needs_review for answer in ANSWERS)


def test_what_was_reviewed_waits_no_longer(service: TestClient, database: Database) -> None:
    [first, second] = waiting(service, database, worths=[0.9, 0.5])
    review(service, first, decision="accept")
    assert queue(service) == [second]


def test_two_people_review_one_answer(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, worths=[0.9])
    review(service, result_id, decision="accept", reviewer="Ada")
    review(service, result_id, decision="override", reviewer="Ada", score=0.4)
    assert queue(service, reviewers=2) == queue(service, reviewers=2, reviewer="Bob") == [result_id]
    assert queue(service, reviewers=2, reviewer="Ada") == []
    review(service, result_id, decision="accept", reviewer="Bob")
    assert queue(service, reviewers=2) == []


def test_machines_and_persons_results_both_stay(service: TestClient) -> None:
    result_id = store(service)
    before = service.get(f"/v1/results/{result_id}").json()
    points = [{"id": "robust-features", "verdict": "covered"}]
    made = review(
        service, result_id, decision="override", score=0.87, key_points=points, comment="Said\nso.", reviewer="Ms Rähman"
    )
    assert (made["score"], made["mark"], made["key_points"], made["reviewer"]) == (0.87, 8.5, points, "Ms Rähman")
    reviewed = {"reviews": 1, "reviewed_score": 0.87, "reviewed_mark": 8.5}
    assert {name: before[name] for name in reviewed} == {"reviews": 0, "reviewed_score": None, "reviewed_mark": None}
    assert service.get(f"/v1/results/{result_id}").json() == {**before, **reviewed}
    assert service.get(f"/v1/results/{result_id}/reviews").json() == {"reviews": [made]}


def test_accepted_score_is_the_machines(service: TestClient, make_key: MakeKey) -> None:
    headers = make_key(Scope.ADMIN, name="front end")
    body = {"item_id": "dropout", "candidate_answer": ANSWERS[1], "store": True}
    graded = service.post("/v1/grades", json=body, headers=headers).json()
    made = service.post(f"/v1/results/{graded['result_id']}/reviews", json={"decision": "accept"}, headers=headers).json()
    assert (made["score"], made["mark"], made["reviewer"]) == (graded["score"], graded["mark"], "front end")
    assert made["key_name"] == "front end"


def test_whose_key_it_was_is_recorded_whoever_is_named(service: TestClient, make_key: MakeKey) -> None:
    keys = [make_key(Scope.ADMIN, name=name) for name in ("front end", "front end", "scripts")]
    body = {"item_id": "dropout", "candidate_answer": ANSWERS[1], "store": True}
    address = f"/v1/results/{service.post('/v1/grades', json=body, headers=keys[0]).json()['result_id']}/reviews"
    for headers in keys:
        service.post(address, json={"decision": "accept", "reviewer": "Ada"}, headers=headers)
    made = service.get(address, headers=keys[0]).json()["reviews"]
    assert {each["reviewer"] for each in made} == {"Ada"}
    assert [each["key_name"] for each in made] == ["front end", "front end", "scripts"]


def test_override_of_a_verdict_alone_keeps_the_score(service: TestClient) -> None:
    result_id = store(service)
    made = review(service, result_id, decision="override", key_points=[{"id": "regularisation", "verdict": "missing"}])
    assert made["score"] == service.get(f"/v1/results/{result_id}").json()["result"]["score"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "maybe"},
        {"decision": "accept", "score": 0.5},
        {"decision": "override"},
        {"decision": "override", "score": 1.1},
        {"decision": "override", "score": float("nan")},
        {"decision": "override", "key_points": [{"id": "x", "verdict": "yes"}]},
        {"decision": "override", "key_points": [{"id": f"x-{number}", "verdict": "covered"} for number in range(31)]},
        {"decision": "override", "key_points": [{"id": "regularisation", "verdict": each} for each in ("covered", "missing")]},
        {"decision": "accept", "comment": "a\x00b"},
        {"decision": "accept", "comment": "\ud800"},
        {"decision": "accept", "comment": "x" * 5_001},
        {"decision": "accept", "reviewer": ""},
        {"decision": "accept", "reviewer": "a\nb"},
        {"decision": "accept", "extra": 1},
    ],
)
def test_review_that_cannot_be_is_a_problem(service: TestClient, assert_problem: AssertProblem, body: dict[str, Any]) -> None:
    address = f"/v1/results/{store(service)}/reviews"
    response = service.post(address, content=json.dumps(body), headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid-request")


def test_review_of_a_key_point_that_is_not_there_is_a_problem(service: TestClient, assert_problem: AssertProblem) -> None:
    address = f"/v1/results/{store(service)}/reviews"
    body = {"decision": "override", "key_points": [{"id": "none", "verdict": "covered"}]}
    problem = assert_problem(service.post(address, json=body), 422, "invalid-review")
    assert problem["detail"] == "The result has no key point 'none'."
    assert service.get(address).json() == {"reviews": []}


def test_review_of_no_result_is_a_problem(service: TestClient, assert_problem: AssertProblem) -> None:
    address = f"/v1/results/{new_id()}/reviews"
    assert_problem(service.get(address), 404, "result-not-found")
    assert_problem(service.post(address, json={"decision": "accept"}), 404, "result-not-found")


def test_reviews_go_with_the_person_they_are_about(service: TestClient, database: Database) -> None:
    review(service, store(service), decision="accept")
    service.delete("/v1/subjects/s")
    with Store(database, "local").read() as session:
        assert session.scalar(select(func.count()).select_from(Review)) == 0


@pytest.mark.parametrize("address", ["/v1/subjects/s", "/v1/results?attempt_id=a"])
def test_kept_answers_about_reviews_go_with_the_person(service: TestClient, database: Database, address: str) -> None:
    ids = [store(service), store(service, subject_id="other", attempt_id="b")]
    for number, result_id in enumerate(ids):
        body = {"decision": "accept", "comment": "Short."}
        kept = {"idempotency-key": f"k{number}"}
        assert service.post(f"/v1/results/{result_id}/reviews", json=body, headers=kept).status_code == 200
    assert service.delete(address).json()["replays"] == 1
    with Store(database, "local").read() as session:
        [kept_body] = session.scalars(select(Replay.body))
    assert ids[1] in str(kept_body)


def test_kept_answer_goes_with_the_person_whom_its_comment_names(service: TestClient, database: Database) -> None:
    result_id = store(service, subject_id="other")
    store(service, subject_id="kim")
    body = {"decision": "accept", "comment": "Copied from kim, word by word."}
    service.post(f"/v1/results/{result_id}/reviews", json=body, headers={"idempotency-key": "k"})
    assert service.delete("/v1/subjects/kim").json() == {"results": 1, "replays": 1, "job_rows": 0}


def test_answer_about_a_person_who_was_erased_meanwhile_is_not_kept(
    service: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, keep = f"/v1/results/{store(service)}/reviews", Claim.keep

    def erase_first(claim: Claim, response: Response) -> None:
        Results(Store(database, "local")).erase_subject("s")
        keep(claim, response)

    monkeypatch.setattr(Claim, "keep", erase_first)
    assert service.post(address, json={"decision": "accept"}, headers={"idempotency-key": "k"}).status_code == 200
    with Store(database, "local").read() as session:
        assert session.scalars(select(Replay)).all() == []


def test_agreement_compares_the_latest_of_each_person(service: TestClient, database: Database) -> None:
    assert service.get("/v1/reviews/agreement").json() == {"with_machine": None, "between_reviewers": None}
    # Machine .3, .5, .9; Ada .3, .6, .9 after changing her mind; Bob .4, .6 and nothing.
    ids = [insert(database, score) for score in (0.3, 0.5, 0.9)]
    for result_id, score in zip(ids, (0.9, 0.6, 0.9), strict=True):
        review(service, result_id, decision="override", reviewer="Ada", score=score)
    for result_id, score in zip(ids[:2], (0.4, 0.6), strict=True):
        review(service, result_id, decision="override", reviewer="Bob", score=score)
    review(service, ids[0], decision="override", reviewer="Ada", score=0.3)
    report = service.get("/v1/reviews/agreement").json()
    machine, people = report["with_machine"], report["between_reviewers"]
    assert (machine["answers"], machine["exact"], machine["adjacent"]) == (3, pytest.approx(2 / 3), 1.0)
    assert machine["rmse"] == pytest.approx((0.01 / 3) ** 0.5)
    # Tenths 3 6 9 and 3 5 9: 1 - (1/3) / (6 + 56/9 + (1/3)**2).
    assert machine["qwk"] == pytest.approx(1 - (1 / 3) / (6 + 56 / 9 + 1 / 9))
    assert (people["answers"], people["exact"], people["adjacent"]) == (2, 0.5, 1.0)
    assert service.get("/v1/reviews/agreement?item_id=other").json()["with_machine"] is None


def test_another_key_with_a_reviewers_name_is_no_second_reviewer_and_replaces_nothing(
    service: TestClient, database: Database, make_key: MakeKey
) -> None:
    result_id = insert(database, 0.9)
    ours, others = (make_key(Scope.REVIEW, tenant="local", name=name) for name in ("ours", "others"))

    def decide(score: float, headers: dict[str, str], reviewer: str = "Ada") -> list[Any]:
        body = {"decision": "override", "score": score, "reviewer": reviewer}
        assert service.post(f"/v1/results/{result_id}/reviews", json=body, headers=headers).status_code == 200
        report = service.get("/v1/reviews/agreement", headers=headers).json()
        return [each and each["rmse"] for each in (report["with_machine"], report["between_reviewers"])]

    assert decide(0.8, ours) == [pytest.approx(0.1), None]
    assert decide(0.1, others) == [pytest.approx(0.1), None]
    waits = service.get("/v1/reviews/queue?reviewers=2", headers=ours).json()["waiting"]
    assert waits == 1
    assert decide(0.5, others, "Bob") == [pytest.approx(0.1), pytest.approx(0.3)]
    assert decide(0.7, ours) == [pytest.approx(0.2), pytest.approx(0.2)]


def insert(database: Database, score: float) -> str:
    with Store(database, "local").write() as session:
        if session.get(GradedItem, ("local", "h")) is None:
            session.add(GradedItem(content_hash="h", body='{"reference_answers": [{"text": "Gravity."}]}'))
        row = Result(
            id=new_id(),
            bank_id="shipped",
            item_id="gravity",
            key_name="",
            content_hash="h",
            candidate_answer="",
            score=score,
            mark=score * 10,
            needs_review=True,
            signature="",
            result='{"key_points": []}',
            grading_ms=0.0,
        )
        session.add(row)
    return row.id


def test_agreement_without_any_difference_has_no_kappa() -> None:
    agreement = _agreement([(0.5, 0.5), (0.5, 0.5)])
    assert agreement is not None
    assert (agreement.exact, agreement.qwk, agreement.rmse) == (1.0, None, 0.0)


@pytest.mark.parametrize("path", ["/v1/reviews/queue", "/v1/reviews/agreement", "/v1/results/" + "0" * 32 + "/reviews"])
def test_reviews_need_their_scope(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem, path: str) -> None:
    others = make_key(Scope.GRADE, Scope.READ_RESULTS, Scope.MANAGE)
    assert_problem(service.get(path, headers=others), 403, "scope-missing")
    assert service.get(path, headers=make_key(Scope.REVIEW)).status_code in {200, 404}
