"""The review pages as they are sent: the queue, decisions by form, groups, and what happens when two people review at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.keys import Scope
from api.pages.review import score_by_verdicts
from api.storage.columns import new_id
from api.storage.database import Database, Store
from api.storage.tables import Result
from grader import mark_from_score

MakeKey = Callable[..., dict[str, str]]
ANSWER = "Random neurons are switched off during training."
MARKUP = "<script>alert(1)</script> Random neurons are switched off."


def waiting(service: TestClient, database: Database, *answers: str, item_id: str = "dropout") -> list[str]:
    """Store answers that wait for review, the first one first."""
    ids = []
    for worth, answer in enumerate(reversed(answers)):
        body = {"item_id": item_id, "candidate_answer": answer, "store": True}
        result_id = str(service.post("/v1/grades", json=body).json()["result_id"])
        with Store(database, "local").write() as session:
            row = session.get_one(Result, result_id)
            row.needs_review, row.review_worth = True, worth + 1
        ids.append(result_id)
    return ids[::-1]


def reviews(service: TestClient, result_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get(f"/v1/results/{result_id}/reviews").json()["reviews"]
    return found


def decide(service: TestClient, result_id: str, **given: Any) -> Any:
    address = f"/review/answers/{result_id}"
    return service.post(address, data={"wish": "accept", "seen": "0", **given}, follow_redirects=False)


def shown(page: str) -> str:
    """Return the id of the result that a page is about."""
    [found] = re.findall(r' action="/review/answers/([0-9a-f]{32})', page)
    return str(found)


def test_answers_are_shown_one_after_the_other(service: TestClient, database: Database) -> None:
    first, second = waiting(service, database, ANSWER, MARKUP)
    page = service.get("/review").text
    assert shown(page) == first
    assert "0 reviewed, 2 left" in page
    said = (
        "What is dropout, and why is it used?",
        "Dropout randomly switches off neurons during training.",
        "<mark data-points=",
    )
    assert [text for text in said if text not in page] == []
    assert shown(service.get(f"/review?cursor={first}").text) == second
    assert "You have seen all that waits. Still undecided: 2." in service.get(f"/review?cursor={second}").text


def test_queue_begins_again_where_the_last_answer_is_deleted(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, ANSWER)
    page = service.get(f"/review?cursor={new_id()}&reviewers=2")
    assert (page.url.query, shown(page.text)) == (b"bank_id=shipped&reviewers=2", result_id)


def test_markup_is_shown_and_never_run(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, MARKUP)
    decide(service, result_id, comment="<img src=x onerror=alert(1)>")
    service.cookies.set("reviewer", "%3Cb%3EAda%3C%2Fb%3E")
    page = service.get(f"/review/answers/{result_id}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page.replace('<img src="/static/', "")
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert " style=" not in page
    assert "unsafe-inline" not in service.get("/review").headers["content-security-policy"]


def test_decisions_are_kept_and_lead_to_the_next_answer(service: TestClient, database: Database) -> None:
    first, second, third = waiting(service, database, ANSWER, ANSWER + " Truly.", ANSWER + " Indeed.")
    response = decide(service, first, comment="Right.\r\nYes.")
    assert response.status_code == 303
    page = service.get(response.headers["location"]).text
    assert shown(page) == second
    assert "Kept: 1 decided." in page
    [kept] = reviews(service, first)
    assert (kept["decision"], kept["comment"], kept["reviewer"]) == ("accept", "Right.\nYes.", "local")
    decide(service, second, wish="override", mark="6.5")
    assert (reviews(service, second)[0]["mark"], reviews(service, second)[0]["key_points"]) == (6.5, [])
    given = ["regularisation:covered", "random-switch-off:covered", "robust-features:partial"]
    decide(service, third, wish="override", verdict=given)
    [kept] = reviews(service, third)
    assert kept["score"] == pytest.approx((3 + 4 + 0.5 * 3) / 10)
    machine = {p["id"]: p["verdict"] for p in service.get(f"/v1/results/{third}").json()["result"]["key_points"]}
    assert {p["id"] for p in kept["key_points"]} == {p for p, v in machine.items() if f"{p}:{v}" not in given}
    assert "No answer waits for review here." in service.get("/review").text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"wish": "override"}, "Nothing is changed."),
        ({"wish": "override", "mark": "11"}, "The mark must be a number"),
        ({"wish": "override", "mark": "nan"}, "The mark must be a number"),
        ({"wish": "override", "mark": "many"}, "The mark must be a number"),
        ({"wish": "accept", "mark": "3"}, "You changed a verdict or a mark."),
        ({"wish": "override", "verdict": "none:covered"}, "does not fit this answer"),
        ({"wish": "override", "verdict": "regularisation:perfect"}, "does not fit this answer"),
        ({"wish": "perhaps"}, "Something in the address or the form"),
        ({"seen": "-1"}, "Something in the address or the form"),
    ],
)
def test_what_is_unclear_is_said_and_nothing_is_kept(
    service: TestClient, database: Database, given: dict[str, str], said: str
) -> None:
    [result_id] = waiting(service, database, ANSWER)
    response = decide(service, result_id, **given)
    assert response.status_code == 422
    assert said in response.text
    assert reviews(service, result_id) == []


def test_a_comment_is_not_refused_for_what_cannot_be_seen(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, ANSWER)
    assert decide(service, result_id, comment="Copied\x0bfrom elsewhere." + "\r\n" * 2_480).status_code == 303
    assert reviews(service, result_id)[0]["comment"] == "Copied from elsewhere." + "\n" * 2_480


def test_of_two_reviewers_at_once_the_second_is_told_and_nothing_is_lost(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, ANSWER)
    decide(service, result_id, wish="override", mark="4", comment="Too short.")
    response = decide(service, result_id, wish="override", mark="9", comment="In other words.")
    assert response.status_code == 409
    assert "Somebody has decided about this meanwhile" in response.text
    assert [
        text for text in ("Too short.", "In other words.", 'value="9"', 'name="seen" value="1"') if text not in response.text
    ] == []
    assert [each["mark"] for each in reviews(service, result_id)] == [4.0]
    assert decide(service, result_id, wish="override", mark="9", seen="1").status_code == 303
    assert [each["mark"] for each in reviews(service, result_id)] == [4.0, 9.0]


def test_reviewers_have_names_and_second_opinions_are_asked_of_others(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, ANSWER)
    assert service.post("/review/name?reviewers=2", data={"reviewer": "Ms Rähman"}, follow_redirects=False).status_code == 303
    decide(service, result_id)
    assert [(each["reviewer"], each["key_name"]) for each in reviews(service, result_id)] == [("Ms Rähman", "local")]
    assert "<strong>Ms Rähman</strong> (local):" in service.get(f"/review/answers/{result_id}").text
    assert "No answer waits" in service.get("/review?reviewers=2").text
    service.post("/review/name", data={"reviewer": "Mr Other"})
    assert shown(service.get("/review?reviewers=2").text) == result_id
    service.cookies.clear()
    service.cookies.set("reviewer", "%00")
    assert "You review as local" in service.get("/review").text


def test_groups_are_marked_at_once_each_answer_by_itself(service: TestClient, database: Database) -> None:
    same = [ANSWER, "During training, random neurons are switched off.", "random neurons are switched off during training"]
    ids = waiting(service, database, *same, "It is a loss function for regression.")
    page = service.get("/review/groups?item_id=dropout").text
    assert "Waiting: 4. In groups: 1. Alone: 1." in page
    assert sorted(re.findall(r'name="result" value="([0-9a-f]{32}):0"', page)) == sorted(ids[:3])
    given = {"wish": "override", "mark": "5", "comment": "As one.", "result": [f"{each}:0" for each in ids[:2]]}
    response = service.post("/review/groups?item_id=dropout", data=given, follow_redirects=False)
    assert response.status_code == 303
    assert "Kept: 2 decided." in service.get(response.headers["location"]).text
    assert [[each["mark"] for each in reviews(service, result_id)] for result_id in ids] == [[5.0], [5.0], [], []]
    service.post("/review/groups?item_id=dropout", data={"wish": "accept", "result": f"{ids[2]}:0"})
    assert [each["decision"] for each in reviews(service, ids[2])] == ["accept"]


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"wish": "override"}, 422, "Fill in the mark that all chosen answers are to get"),
        ({"wish": "override", "mark": "12"}, 422, "The mark must be a number"),
        ({"wish": "accept", "mark": "2"}, 422, "You changed a verdict or a mark."),
        ({"wish": "override", "mark": "5"}, 409, "Somebody has decided about this meanwhile"),
    ],
)
def test_a_group_is_marked_as_a_whole_or_not_at_all(
    service: TestClient, database: Database, given: dict[str, str], status: int, said: str
) -> None:
    ids = waiting(service, database, ANSWER, "During training, random neurons are switched off.")
    decide(service, ids[1])
    response = service.post("/review/groups?item_id=dropout", data={**given, "result": [f"{each}:0" for each in ids]})
    assert response.status_code == status
    assert said in response.text
    assert reviews(service, ids[0]) == []


def test_a_group_that_is_refused_comes_back_as_it_was_filled_in(service: TestClient, database: Database) -> None:
    ids = waiting(service, database, ANSWER, "During training, random neurons are switched off.")
    address = "/review/groups?item_id=dropout"
    [group] = re.findall(r'name="group" value="([0-9a-f]{32})"', service.get(address).text)
    assert "<details open>" not in service.get(address).text
    given = {"wish": "override", "mark": "", "comment": "As one.", "group": group, "result": f"{ids[1]}:0"}
    page = service.post(address, data=given).text
    assert "<details open>" in page
    assert f'id="about-{group}"' in page
    assert f'action="{address.replace("?", "?bank_id=shipped&amp;")}&amp;reviewers=1#about-{group}"' in page
    assert re.findall(r'value="([0-9a-f]{32}:0)" checked', page) == [f"{ids[1]}:0"]
    assert '<textarea name="comment" rows="2" maxlength="5000" dir="auto">As one.</textarea>' in page
    nothing = service.post(address, data={"wish": "override", "mark": "4", "comment": "As one.", "group": group})
    assert nothing.status_code == 422
    assert "No answer of the group is chosen." in nothing.text
    assert re.findall(r'value="([0-9a-f]{32}:0)" checked', nothing.text) == []
    assert 'value="4"' in nothing.text
    assert "As one." in nothing.text
    decide(service, ids[0])
    left = service.post(address, data={**given, "mark": "4", "result": [f"{each}:0" for each in ids]})
    assert left.status_code == 409
    assert re.findall(r'value="([0-9a-f]{32}:0)" checked', left.text) == [f"{ids[1]}:0"], "one answer is left of the group"
    decide(service, ids[1])
    gone = service.post(address, data={**given, "mark": "4"})
    assert gone.status_code == 409
    assert "As one." in gone.text, "a comment is not lost with its group"
    assert [len(reviews(service, each)) for each in ids] == [1, 1]


def test_another_language_keeps_what_was_filled_in_and_decides_nothing(service: TestClient, database: Database) -> None:
    ids = waiting(service, database, ANSWER, "During training, random neurons are switched off.")
    page = service.get(f"/review/answers/{ids[0]}").text
    [address] = re.findall(r'formaction="([^"]+)"', page)
    given = {"wish": "look", "seen": "0", "verdict": "regularisation:covered", "mark": "7", "comment": "Why not?"}
    decide(service, ids[0])
    german = service.post(unescape(address), data=given)
    assert german.status_code == 200
    assert '<html lang="de"' in german.text
    assert 'value="regularisation:covered" data-worth="1.0" selected' in german.text
    assert [text for text in ("Why not?", 'value="7"', 'name="seen" value="0"') if text not in german.text] == []
    assert 'role="alert"' not in german.text
    assert len(reviews(service, ids[0])) == 1
    assert decide(service, ids[0], wish="override", mark="7").status_code == 409, "who looked has not seen the other's decision"
    group = {"wish": "look", "group": ids[1], "mark": "", "comment": "As one."}
    page = service.post("/review/groups?item_id=dropout&lang=en", data=group).text
    assert "As one." in page
    assert 'role="alert"' not in page


def test_a_group_with_somebody_elses_answer_is_not_there(service: TestClient, database: Database) -> None:
    [own] = waiting(service, database, ANSWER)
    with Store(database, "local").read() as session:
        values = {column.name: getattr(session.get_one(Result, own), column.name) for column in Result.__table__.columns}
    theirs = new_id()
    with database.system() as session:
        from api.storage.tables import GradedItem, Tenant

        session.add(Tenant(id="south"))
        session.flush()
        held = session.get_one(GradedItem, ("local", values["content_hash"]))
        session.add(GradedItem(tenant_id="south", content_hash=held.content_hash, body=held.body))
        session.add(Result(**{**values, "id": theirs, "tenant_id": "south"}))
    assert service.get(f"/review/answers/{theirs}").status_code == 404
    assert decide(service, theirs).status_code == 404
    given = {"wish": "override", "mark": "5", "result": [f"{own}:0", f"{theirs}:0"]}
    assert service.post("/review/groups?item_id=dropout", data=given).status_code == 404
    assert reviews(service, own) == []


@pytest.mark.parametrize("address", ["/review?bank_id=none", f"/review/answers/{'0' * 32}", "/review/groups?bank_id=none"])
def test_what_is_not_there_is_said(service: TestClient, address: str) -> None:
    assert service.get(address).status_code == 404


def test_review_pages_need_the_right_to_review(service: TestClient, make_key: MakeKey) -> None:
    others = make_key(Scope.GRADE, Scope.READ_RESULTS, Scope.MANAGE)
    assert service.get("/review", headers=others).status_code == 403
    assert service.get("/review", headers=make_key(Scope.REVIEW)).status_code == 200
    assert service.get("/review").status_code == 401
    assert service.post("/review/groups", data={"wish": "accept"}).status_code == 401


def test_a_form_of_another_site_decides_nothing(service: TestClient, database: Database) -> None:
    [result_id] = waiting(service, database, ANSWER)
    given = {"wish": "accept", "seen": "0"}
    response = service.post(f"/review/answers/{result_id}", data=given, headers={"origin": "https://evil.example"})
    assert response.status_code == 401
    assert reviews(service, result_id) == []


@pytest.mark.parametrize("step", [0.5, 1, 0.25])
def test_a_mark_that_is_filled_in_is_the_mark_that_is_kept(step: float) -> None:
    for maximum in (1, 3, 7, 10, 30):
        marks = [n * step for n in range(int(maximum / step) + 1)]
        assert [mark_from_score(mark / maximum, max_mark=maximum, mark_step=step) for mark in marks] == marks


def test_verdicts_weigh_as_key_points_do() -> None:
    key_points = [{"id": "a", "weight": 3}, {"id": "b", "weight": 1}]
    assert score_by_verdicts(key_points, {"a": "covered", "b": "missing"}) == 0.75
    assert score_by_verdicts(key_points, {"a": "partial", "b": "contradicted"}) == 0.375


def test_every_review_page_speaks_german(service: TestClient, database: Database) -> None:
    waiting(service, database, ANSWER, "During training, random neurons are switched off.")
    assert "So übernehmen" in service.get("/review?lang=de").text
    assert "Alle ansehen und bewerten" in service.get("/review/groups?item_id=dropout&lang=de").text
