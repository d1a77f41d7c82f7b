"""The practice pages as they are sent, before any browser: headers, languages, refusals, and text that stays text."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.keys import Scope
from api.pages.practice import interview, pieces, point_name, revealed, sections, told
from api.pages.rendering import FOLDER
from api.pages.words import LANGUAGES, language_for, words_of
from grader import Grader, Item, ItemBank

MakeKey = Callable[..., dict[str, str]]
GOOD = "While training, dropout switches off a random share of the neurons, so that the network does not overfit."


def test_the_front_page_lists_every_question_by_section(client: TestClient, shipped_bank: ItemBank) -> None:
    page = client.get("/").text
    assert all(f'href="/practice/{item.id}"' in page for item in shipped_bank)
    chosen = client.get("/", params={"topic": "Basics", "difficulty": "hard"}).text
    hard = [item for item in shipped_bank if (item.topic, item.difficulty.value) == ("Basics", "hard")]
    assert chosen.count('href="/practice/') == len(hard)


def test_pages_allow_no_script_or_style_in_line_and_have_none(client: TestClient) -> None:
    for response in (client.get("/"), client.post("/practice/dropout", data={"candidate_answer": GOOD})):
        policy = response.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "default-src 'none'" in policy
        assert not {"<style", " style=", "onclick=", "javascript:"} & set(response.text.split('"'))
        assert "<style" not in response.text
        assert " style=" not in response.text


def test_a_form_without_scripts_leads_to_the_score_and_stores_nothing(service: TestClient) -> None:
    page = service.post("/practice/dropout", data={"candidate_answer": GOOD}).text
    score = service.post("/v1/grades", json={"item_id": "dropout", "candidate_answer": GOOD}).json()["score"]
    assert f'data-score="{score}"' in page
    assert service.get("/v1/results").json()["results"] == []


def test_means_of_topics_are_drawn_in_the_reader_s_language(client: TestClient) -> None:
    means: dict[str, list[str]] = {"topic": ["Basics (2)", "<script>alert(1)</script> (1)"], "mean": ["0.5", "1"]}
    drawn = client.post("/history/topics", data=means)
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
    assert "default-src 'none'" in drawn.headers["content-security-policy"]
    assert "Basics (2): 50 %" in drawn.text
    assert "<script" not in drawn.text
    assert "Nach Thema" in client.post("/history/topics", data=means, headers={"Accept-Language": "de"}).text


@pytest.mark.parametrize(
    "means",
    [
        {},
        {"topic": ["Basics"], "mean": []},
        {"topic": ["Basics"], "mean": [0.5, 0.5]},
        {"topic": ["Basics"], "mean": [1.5]},
        {"topic": ["Basics"], "mean": ["nan"]},
        {"topic": [""], "mean": [0.5]},
        {"topic": ["a"] * 101, "mean": [0.5] * 101},
    ],
    ids=["nothing", "no mean", "too many means", "over one", "not a number", "no name", "too many"],
)
def test_means_that_cannot_be_drawn_are_refused(client: TestClient, means: dict[str, list[str | float]]) -> None:
    assert client.post("/history/topics", data=means).status_code == 422


def test_markup_in_an_answer_is_shown_and_never_run(client: TestClient) -> None:
    page = client.post("/practice/dropout", data={"candidate_answer": f"<script>alert(1)</script> {GOOD}"}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_no_page_holds_a_reference_answer_before_an_attempt(client: TestClient, shipped_bank: ItemBank) -> None:
    pages = [client.get(address).text for address in ("/", "/history", "/history?run=0a", "/batches")]
    pages += [client.get(f"/practice/{item.id}?of=2&queue=dropout").text for item in shipped_bank]
    pages += [client.post(f"/practice/{item.id}", data={"candidate_answer": " . "}).text for item in shipped_bank]
    shown = "\n".join(html.unescape(page) for page in pages)
    assert all(item.question in shown for item in shipped_bank)
    secrets = [reference.text for item in shipped_bank for reference in item.reference_answers]
    secrets += [point.text for item in shipped_bank for point in item.key_points]
    assert [secret for secret in secrets if secret in shown] == []


def test_after_an_attempt_one_reference_answer_can_be_seen_and_no_key_point(client: TestClient, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    page = html.unescape(client.post("/practice/dropout", data={"candidate_answer": "No idea."}).text)
    assert [ref.kind for ref in item.reference_answers if ref.text in page] == ["full"]
    assert not [point.text for point in item.key_points if point.text in page]


def test_reference_answer_stays_hidden_where_the_item_does_not_say_otherwise(shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    assert revealed(item, GOOD) is not None
    assert revealed(item, " ?! ") is None
    plain = Item.model_validate(item.model_dump(exclude={"reveal_reference"}))
    assert revealed(plain, GOOD) is None
    assert plain.content_hash == item.content_hash


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/practice/no-such-item", 404, "There is no such question."),
        ("/?bank=none", 404, "There is no such bank."),
        ("/banks/none", 404, "There is no such bank."),
        ("/banks/shipped/items/none", 404, "There is no such question."),
        (f"/review/answers/{'0' * 32}", 404, "There is no such answer."),
        (f"/batches/{'0' * 32}", 404, "There is no such batch."),
        ("/practice/dropout?of=99", 422, "Something in the address"),
        ("/interview?count=0", 422, "Something in the address"),
    ],
)
def test_a_refusal_is_a_page(client: TestClient, address: str, status: int, said: str) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert said in response.text


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_unknown_address_is_a_page_for_browsers_and_a_problem_for_programs(
    client: TestClient, assert_problem: Callable[..., Any], language: str
) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": language}
    for method, address, status in (("GET", "/nowhere", 404), ("GET", "/batches/check/x/y/z", 404), ("PUT", "/banks", 405)):
        response = client.request(method, address, headers=browser)
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/html")
        assert "unsafe-inline" not in response.headers["content-security-policy"]
        assert words_of(language)["refused"] in response.text
    assert words_of(language)["refused_unknown"] in client.get("/nowhere", headers=browser).text
    assert "allow" in client.put("/banks", headers=browser).headers
    assert_problem(client.get("/nowhere"), 404, "route-not-found")
    assert_problem(client.get("/v1/nowhere", headers=browser), 404, "route-not-found")
    assert_problem(client.get("/v1/items/none", headers=browser), 404, "item-not-found")


def test_a_refusal_leads_back_to_where_its_reader_was(client: TestClient) -> None:
    for address, section in (
        ("/banks/none", "banks"),
        (f"/review/answers/{'0' * 32}", "review"),
        (f"/batches/{'0' * 32}", "batches"),
    ):
        assert f'<a class="button primary" href="/{section}">' in client.get(address).text
    assert 'class="button primary"' not in client.get("/practice/none").text
    refused = client.post("/banks/none/import", files={"file": ("a.csv", b"")})
    assert 'href="/banks?lang=de"' in refused.text, "there is no page at the address of an import"


def test_too_long_an_answer_is_refused_with_a_sentence(client: TestClient) -> None:
    response = client.post("/practice/dropout", data={"candidate_answer": "x" * 20_001})
    assert response.status_code == 422
    assert "at most 20000 are read" in response.text


def test_where_there_are_keys_the_pages_ask_for_one(service: TestClient, make_key: MakeKey) -> None:
    make_key(Scope.GRADE)
    response = service.get("/")
    assert response.status_code == 401
    assert "Please sign in" in response.text
    assert 'name="key"' in response.text


def test_a_form_of_another_site_is_not_graded(client: TestClient) -> None:
    response = client.post("/practice/dropout", data={"candidate_answer": GOOD}, headers={"origin": "https://evil.example"})
    assert response.status_code == 401


def test_an_interview_names_the_questions_that_follow(client: TestClient) -> None:
    response = client.get("/interview", params={"count": 3, "minutes": 2}, follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"].count("queue=") == 2
    assert "Question 1 of 3" in client.get(response.headers["location"]).text
    nothing = client.get("/interview", params={"topic": "Cooking"}, follow_redirects=False)
    assert nothing.headers["location"] == "/"


def test_no_question_is_asked_twice_in_an_interview(shipped_bank: ItemBank) -> None:
    every = [item for section in sections(shipped_bank.heads, topic="", difficulty="") for item in section.items]
    chosen = interview(every, 20, random.Random(1))  # noqa: S311 nothing is secret
    assert len(chosen) == len(set(chosen)) == 20


def test_the_pieces_of_an_answer_join_to_the_answer(real_grader: Grader, shipped_bank: ItemBank) -> None:
    answer = f"{GOOD}\n\nIt is a kind of regularisation; <b>robust</b> features result."
    result = real_grader.grade(shipped_bank.get("dropout"), answer)
    cut = pieces(answer, result)
    assert "".join(piece.text for piece in cut) == answer
    proven = {number for piece in cut for number in piece.points}
    assert proven == {n for n, point in enumerate(result.key_points, start=1) if point.evidence}


def test_feedback_is_told_by_what_it_is_for(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    corrections = [each.feedback for each in item.misconceptions]
    lines = real_grader.grade(item, f"It adds neurons. {item.misconceptions[0].text}").feedback
    found = told(lines, corrections)
    assert corrections[0] in found.wrong
    silent = told(real_grader.grade(item, "It adds neurons to the network.").feedback)
    assert any(line.startswith("Nothing was found about") for line in silent.following)
    assert sorted([*found.said, *found.wrong, *found.following]) == sorted(lines)
    denied = told(real_grader.grade(item, "Dropout never switches off neurons and it does not reduce overfitting.").feedback)
    assert any(line.startswith("Check what you say about") for line in denied.wrong)
    assert not any("“" in line for line in [*found.said, *denied.said]), "what is said of a key point is advice"


def test_parts_of_the_feedback_have_headings_in_the_language_of_the_page(client: TestClient) -> None:
    answer = {"candidate_answer": "Dropout never switches off neurons and it does not reduce overfitting."}
    page = client.post("/practice/dropout?lang=de", data=answer).text
    assert "<h3>Richtigstellen</h3>" in page
    assert '<ul class="feedback" lang="en">' in page
    assert "<h3>Ihre Worte</h3>" in page
    blank = client.post("/practice/dropout?lang=en", data={"candidate_answer": " . "}).text
    assert "Score 0 %; a person would most likely give 0 %." in blank


def test_a_key_point_is_named_by_its_id() -> None:
    assert point_name("random-switch-off") == "Random switch off"


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "de-AT,de;q=0.9,en;q=0.5", "de"),
        (None, "fr, en-GB", "en"),
        (None, "", "en"),
        ("de", "en", "de"),
        ("xx", "en", "en"),
    ],
)
def test_the_language_is_the_one_chosen_or_the_first_accepted(chosen: str | None, accepted: str, language: str) -> None:
    assert language_for(chosen, accepted) == language


def test_every_language_has_the_same_strings_with_the_same_places() -> None:
    english = words_of("en")
    for language in LANGUAGES:
        words = words_of(language)
        assert words.keys() == english.keys()
        for name, text in words.items():
            assert sorted(part.split("}")[0] for part in text.split("{")[1:]) == sorted(
                part.split("}")[0] for part in english[name].split("{")[1:]
            )


def test_german_is_polite_and_has_one_word_for_one_thing() -> None:
    said = " ".join([*words_of("de").values(), (FOLDER / "static" / "widget.js").read_text(encoding="utf-8")])
    assert not re.search(r"\b([Dd]ein\w*|[Dd]u|Kernaussage\w*|Prüfer)\b", said)


def test_every_string_is_used() -> None:
    folder = files("api.pages") / "templates"
    templates = "".join(entry.read_text(encoding="utf-8") for entry in folder.iterdir())
    families = (
        "difficulty_",
        "flag_",
        "grade_",
        "kind_",
        "missing_",
        "part_",
        "problem_",
        "review_",
        "row_problem_",
        "rows_",
        "separator_",
        "sort_",
        "state_",
        "table_",
        "unknown_",
        "verdict_",
        "wish_",
    )
    assert [name for name in words_of("en") if f"t.{name}" not in templates and not name.startswith(families)] == []


def test_another_language_keeps_the_place_in_an_interview(client: TestClient) -> None:
    page = client.get("/practice/dropout?of=2&minutes=3&queue=optimiser").text
    assert 'href="?of=2&amp;minutes=3&amp;queue=optimiser&amp;lang=de"' in page
