"""What people decided about an item's answers adapts the scores of its other answers, for their tenant and until it is erased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.calibrated import LearntGraders
from api.examples import NEW_ITEMS
from api.jobs.work import Work
from api.keys import Scope
from api.metrics import Metrics
from api.storage.database import Database
from grader import Grader, ItemBank

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
# What the teacher of this class does not accept, however close it is to the reference.
WRONG = [
    "Dropout randomly switches off neurons during training.",
    "It randomly switches off some neurons while training.",
    "During training neurons are randomly switched off.",
    "Neurons are switched off at random in training.",
]
OTHER = "Some neurons are randomly switched off during training."
LEARN: dict[str, Any] = {"dry_run": False}


def graded(service: TestClient, answer: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    response = service.post("/v1/grades", json={"item_id": "dropout", "candidate_answer": answer, **more}, headers=headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


def own(service: TestClient, answer: str, where: dict[str, str]) -> dict[str, Any]:
    """Have an answer to an item of a bank of one's own graded and stored."""
    return dict(service.post("/v1/grades", json={**where, "candidate_answer": answer, "store": True}).json())


def review(service: TestClient, result_id: str, score: float, headers: dict[str, str] | None = None, **more: Any) -> None:
    body = {"decision": "override", "score": score, **more}
    assert service.post(f"/v1/results/{result_id}/reviews", json=body, headers=headers).status_code == 200


def reviewed(service: TestClient, headers: dict[str, str] | None = None) -> None:
    """Have four answers stored, and every one of them reviewed as worth next to nothing."""
    for number, answer in enumerate(WRONG):
        result = graded(service, answer, headers, store=True, subject_id=f"person-{number}")
        review(service, result["result_id"], 0.1, headers)


def calibrate(service: TestClient, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return service.post("/v1/items/dropout/calibrate", json=body, headers=headers)


def test_answers_are_graded_by_what_people_decided(service: TestClient, assert_problem: AssertProblem) -> None:
    before = graded(service, OTHER)
    reviewed(service)
    looked = calibrate(service).json()
    assert (looked["stored"], looked["answers"]) == (False, 4)
    assert looked["after"]["rmse"] < looked["before"]["rmse"]
    assert graded(service, OTHER) == before
    assert_problem(service.get("/v1/items/dropout/calibration"), 404, "calibration-not-found")
    learnt = calibrate(service, **LEARN).json()
    assert learnt == {**looked, "stored": True}
    after = graded(service, OTHER)
    assert after["score"] < before["score"]
    assert f"|{learnt['signature']}|item-" in after["signature"]
    in_batch = service.post(
        "/v1/grades/batch",
        json=[
            {"item_id": "dropout", "candidate_answer": OTHER},
            {"item_id": "pooling-layer", "candidate_answer": OTHER},
            {"item_id": "dropout", "candidate_answer": ""},
        ],
    ).json()["rows"]
    assert in_batch[0]["result"] == after
    assert "calibration" not in in_batch[1]["result"]["signature"]
    assert learnt["signature"] in in_batch[2]["result"]["signature"]
    info = service.get("/v1/items/dropout/calibration").json()
    assert (info["bank_id"], info["answers"], info["in_use"]) == ("shipped", 4, True)
    assert service.delete("/v1/items/dropout/calibration").json() == info
    assert graded(service, OTHER) == before


def test_jobs_and_regrading_go_by_it_too(
    service: TestClient, database: Database, real_grader: Grader, shipped_bank: ItemBank
) -> None:
    graded(service, OTHER, store=True, attempt_id="a1")
    reviewed(service)
    signature = calibrate(service, **LEARN).json()["signature"]
    after = graded(service, OTHER)
    job_id = service.post("/v1/jobs", json=[{"item_id": "dropout", "candidate_answer": OTHER}]).json()["id"]
    Work(database=database, bank=shipped_bank, grader=real_grader, metrics=Metrics()).grade_chunk(job_id, 0, 0)
    [row] = service.get(f"/v1/jobs/{job_id}/rows").json()["rows"]
    assert row["result"]["score"] == after["score"]
    report = service.post("/v1/items/dropout/regrade", json={"dry_run": False}).json()
    assert report["affected"] == 5
    assert {each["reviews"] for each in report["differences"]} == {0, 1}
    [new] = service.get("/v1/results?attempt_id=a1").json()["results"]
    assert signature in new["result"]["signature"]
    # Nothing is left that another grader would grade differently.
    assert service.post("/v1/items/dropout/regrade", json={}).json()["affected"] == 0
    # What was learnt from has got successors without reviews, and teaches the same.
    assert calibrate(service).json()["signature"] == signature


def test_result_that_takes_a_reviewed_ones_place_waits_for_review(service: TestClient) -> None:
    reviewed(service)
    calibrate(service, **LEARN)
    service.post("/v1/items/dropout/regrade", json=LEARN)
    queue = service.get("/v1/reviews/queue?limit=100").json()["results"]
    assert len(queue) == 4
    for waiting in queue:
        [old] = service.get(f"/v1/results/{waiting['replaces_id']}/reviews").json()["reviews"]
        assert old["score"] == 0.1


def test_who_is_erased_is_forgotten_here_too(service: TestClient, assert_problem: AssertProblem) -> None:
    general = graded(service, OTHER)
    reviewed(service)
    calibrate(service, **LEARN)
    with_four = graded(service, OTHER)
    service.delete("/v1/subjects/person-0")
    with_three = graded(service, OTHER)
    assert len({general["signature"], with_four["signature"], with_three["signature"]}) == 3
    assert service.get("/v1/items/dropout/calibration").json()["answers"] == 3
    service.delete("/v1/subjects/person-1")
    assert graded(service, OTHER) == general
    info = service.get("/v1/items/dropout/calibration").json()
    assert (info["answers"], info["in_use"]) == (2, False)
    assert_problem(calibrate(service), 409, "too-few-reviews")


def test_other_tenants_are_graded_as_before(service: TestClient, make_key: MakeKey) -> None:
    north, south = (make_key(Scope.ADMIN, tenant=tenant) for tenant in ("north", "south"))
    before = graded(service, OTHER, south)
    reviewed(service, north)
    assert calibrate(service, south).status_code == 409
    assert calibrate(service, north, **LEARN).status_code == 200
    assert graded(service, OTHER, south) == before != graded(service, OTHER, north)
    assert service.delete("/v1/items/dropout/calibration", headers=south).status_code == 404


def test_of_several_reviews_the_latest_of_each_person_counts(service: TestClient) -> None:
    reviewed(service)
    first = calibrate(service).json()["signature"]
    newest = service.get("/v1/results").json()["results"][0]["id"]
    review(service, newest, 0.9, reviewer="Ms Rahman")
    second = calibrate(service).json()["signature"]
    review(service, newest, 0.1, reviewer="Ms Rahman")
    assert calibrate(service).json()["signature"] == first != second


def test_another_keys_review_under_the_same_name_is_counted_beside_the_first(service: TestClient, make_key: MakeKey) -> None:
    teacher, other = (make_key(Scope.ADMIN, name=name) for name in ("teacher", "other"))
    reviewed(service, teacher)
    newest = service.get("/v1/results", headers=teacher).json()["results"][0]["id"]
    signatures = []
    for score, headers in ((0.9, other), (0.1, other), (0.1, teacher), (0.5, teacher)):
        review(service, newest, score, headers, reviewer="teacher")
        signatures.append(calibrate(service, teacher).json()["signature"])
    # Means of .1 and .9, twice .1 and .1, and .5 and .1.
    assert signatures[0] != signatures[1] == signatures[2] != signatures[3] != signatures[0]


def test_item_that_changes_is_graded_by_general_scores(service: TestClient) -> None:
    item: Any = NEW_ITEMS["item"]["value"]
    where = {"bank_id": "physics", "item_id": "gravity"}
    service.post("/v1/banks", json={"id": "physics", "title": "Physics"})
    service.post("/v1/banks/physics/items", json=item)
    service.post("/v1/banks/physics/publish")
    for answer in ("Gravity pulls.", "The Earth pulls them by gravity.", "It is gravity that pulls them."):
        review(service, own(service, answer, where)["result_id"], 0.2)
    assert service.post("/v1/items/gravity/calibrate", json={"bank_id": "physics", **LEARN}).status_code == 200
    assert "calibration" in own(service, "Gravity.", where)["signature"]
    service.post("/v1/banks/physics/items", json={**item, "question": "Why do things fall down?"})
    service.post("/v1/banks/physics/publish")
    assert "calibration" not in own(service, "Gravity.", where)["signature"]
    assert service.get("/v1/items/gravity/calibration?bank_id=physics").json()["in_use"] is False


def test_no_more_graders_are_kept_than_there_is_room_for(real_grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.calibrated._KEPT", 2)
    learnt = LearntGraders()
    for name in "abc":
        learnt.keep(name, 3, real_grader)
    assert [learnt.get(name, 3) for name in "abc"] == [None, real_grader, real_grader]
    assert learnt.get("b", 4) is None
    assert learnt.get("b", 3) is None
