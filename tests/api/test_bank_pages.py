"""The pages of banks as they are sent: browsing, editing with problems beside their fields, trying out, publishing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.keys import Scope
from api.pages.field_problems import FieldProblem
from api.pages.item_form import ItemForm
from api.pages.words import LANGUAGES, words_of
from grader import Item, ItemBank, KeyPoint

MakeKey = Callable[..., dict[str, str]]
BANK = {"id": "physics", "title": "Physics <b>I</b>"}
ITEM: dict[str, Any] = {
    "id": "gravity",
    "topic": "Physics",
    "section": "Forces",
    "difficulty": "easy",
    "question": "Why do things fall <i>down</i>?",
    "reference_answers": [
        {"kind": "short", "text": "Gravity pulls them."},
        {"kind": "full", "text": "The gravity of the Earth pulls all things towards its centre. Air slows light bodies down."},
    ],
    "key_points": [{"id": "pull", "text": "Gravity pulls things down.", "keywords": [["gravity", "P(A|B)"], ["pull"]]}],
}


@pytest.fixture
def bank(service: TestClient) -> str:
    """Make a bank with one published item, and return its address."""
    assert service.post("/v1/banks", json=BANK).status_code == 200
    assert service.post("/v1/banks/physics/items", json=ITEM).status_code == 200
    assert service.post("/v1/banks/physics/publish").status_code == 200
    return "/banks/physics"


def fields(page: str) -> dict[str, str]:
    """Return the fields of the form of an item as a browser would send them."""
    found = dict(re.findall(r'<input name="([^"]+)"[^>]* value="([^"]*)"', page))
    found |= dict(re.findall(r'<input type="hidden" name="(seen)" value="([^"]*)"', page))
    found |= dict(re.findall(r'<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>', page))
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        [found[name]] = re.findall(r'value="([^"]+)" selected', options)
    return {name: unescape(value) for name, value in found.items()}


def edit(service: TestClient, address: str, wish: str, **changes: str) -> Any:
    given = {**fields(service.get(address).text), **{name.replace("__", "."): value for name, value in changes.items()}}
    return service.post(address, data={**given, "wish": wish}, follow_redirects=False)


def error(page: str, name: str) -> str:
    [found] = re.findall(rf'id="error-{re.escape(name)}">([^<]*)<', page)
    return unescape(found)


def test_banks_are_listed_and_made(service: TestClient) -> None:
    assert "Shipped with the service" in service.get("/banks").text
    response = service.post("/banks", data=BANK, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/banks/physics")
    assert "Physics &lt;b&gt;I&lt;/b&gt;" in service.get("/banks").text
    again = service.post("/banks", data=BANK)
    assert again.status_code == 409
    assert "There is a bank physics already; choose another short name." in again.text
    assert 'value="Physics &lt;b&gt;I&lt;/b&gt;"' in again.text
    assert "Es gibt schon eine Sammlung physics" in service.post("/banks?lang=de", data=BANK).text
    assert service.post("/banks", data={"id": "No Slug", "title": "x"}).status_code == 422


def test_the_shipped_bank_can_be_read_and_tried_and_not_changed(service: TestClient, shipped_bank: ItemBank) -> None:
    page = service.get("/banks/shipped").text
    assert page.count('href="/banks/shipped/items/') == len(shipped_bank)
    assert "/banks/shipped/new" not in page
    assert service.get("/banks/shipped/new").status_code == 409
    address = "/banks/shipped/items/dropout"
    assert 'value="save"' not in service.get(address).text
    assert edit(service, address, "save").status_code == 409
    tried = edit(service, address, "try", candidate_answer="Random neurons are switched off during training.")
    assert tried.status_code == 200
    assert f"Marks that are not as by the published question: 0 of {len(shipped_bank.responses['dropout'])}" in tried.text


def test_markup_is_shown_and_never_run(service: TestClient, bank: str) -> None:
    answer = "<script>alert(1)</script> Gravity pulls."
    for response in (
        service.get(bank),
        service.get(f"{bank}/items/gravity"),
        edit(service, f"{bank}/items/gravity", "try", candidate_answer=answer, question="</textarea><script>alert(2)</script>"),
        edit(service, f"{bank}/items/gravity", "save", question='"><img src=x onerror=alert(1)>'),
        service.get(f"{bank}/publish"),
    ):
        assert "<script>alert" not in response.text
        assert "<i>down" not in response.text
        assert "<b>I" not in response.text
        assert "<img src=x" not in response.text
        assert " style=" not in response.text
        assert "unsafe-inline" not in response.headers["content-security-policy"] if response.status_code == 200 else True
    assert "&lt;img src=x onerror=alert(1)&gt;" in service.get(f"{bank}/publish").text


def test_an_item_comes_back_from_its_form_as_it_was(service: TestClient, bank: str, shipped_bank: ItemBank) -> None:
    given = fields(service.get(f"{bank}/items/gravity").text)
    assert given["point.0.keywords"] == "gravity | P(A\\|B)\npull"
    item, problems = ItemForm.read(given.items()).item()
    assert (item, problems) == (None, {"id": FieldProblem(kind="missing")}), "the address has it"
    for shipped in shipped_bank:
        again, problems = ItemForm.read(_sent(ItemForm.of(shipped))).item()
        assert (again, problems) == (shipped, {})


def _sent(form: ItemForm) -> list[tuple[str, str]]:
    rows = [
        (f"{group}.{row.number}.{name}", text)
        for group, rows in form.rows.items()
        for row in rows
        for name, text in row.values.items()
    ]
    return [*form.plain.items(), *((name, text.replace("\n", "\r\n")) for name, text in rows)]


def test_every_problem_stands_beside_its_field(service: TestClient, bank: str) -> None:
    response = edit(
        service, f"{bank}/items/gravity", "save",
        question=" ", max_mark="many", point__0__id="Not A Slug", point__7__text="Another idea.", point__7__keywords="fine\n!!",
        reference__1__kind="short", excellent="0.1",
    )  # fmt: skip
    page = response.text
    assert response.status_code == 422
    assert error(page, "question") == "This has to be filled in."
    assert error(page, "max_mark") == "This has to be a whole number."
    assert error(page, "point.0.id").startswith("Small letters, figures and hyphens only")
    assert error(page, "point.7.id") == "This has to be filled in."
    assert error(page, "point.7.keywords") == "Line 2: This has to hold at least one letter or figure."
    assert error(page, "grade_boundaries") == "These have to fall from the first to the last."
    assert "<details open>" in page, "what is wrong is not folded away"
    assert 'name="point.7.text" rows="2" dir="auto" aria-describedby="error-point.7.text">Another idea.' in page
    assert service.get("/v1/banks/physics").json()["drafts"] == 0
    fixed = edit(service, f"{bank}/items/gravity", "save", reference__1__kind="short")
    assert error(fixed.text, "reference_answers") == "One of the kind “full” is needed."


@pytest.mark.parametrize(
    ("changes", "name", "kind"),
    [
        ({"topic": ""}, "topic", "missing"),
        ({"topic": "x" * 301}, "topic", "long"),
        ({"point.0.id": "Not a slug"}, "point.0.id", "slug"),
        ({"reference.1.text": ""}, "reference_answers", "few"),
        ({f"point.{n}.{part}": f"n{n}" for n in range(31) for part in ("id", "text")}, "key_points", "many"),
        ({"max_mark": "many"}, "max_mark", "whole"),
        ({"max_mark": "2.5"}, "max_mark", "whole"),
        ({"max_mark": "9" * 5_000}, "max_mark", "whole"),
        ({"mark_step": "half"}, "mark_step", "number"),
        ({"mark_step": "0"}, "mark_step", "above"),
        ({"max_mark": "0"}, "max_mark", "least"),
        ({"max_mark": "1001"}, "max_mark", "most"),
        ({"difficulty": "impossible"}, "difficulty", "choice"),
        ({"reveal_reference": "perhaps"}, "reveal_reference", "choice"),
        ({"question": "?!"}, "question", "letter"),
        ({"question": "A\x00"}, "question", "unstorable"),
        ({"point.0.keywords": "fine\n|"}, "point.0.keywords", "few"),
        ({"good": "0.9"}, "grade_boundaries", "order"),
        ({"mark_step": "11"}, "mark_step", "step"),
        ({"point.4.id": "pull", "point.4.text": "Again."}, "point.4.id", "twice"),
        (
            {f"misconception.{n}.{part}": "same" for n in (0, 3) for part in ("id", "text", "feedback")},
            "misconception.3.id",
            "twice",
        ),
        ({"reference.1.kind": "short"}, "reference_answers", "kind"),
    ],
)
def test_every_kind_of_mistake_has_a_sentence_beside_its_field(changes: dict[str, str], name: str, kind: str) -> None:
    """Rules of the library are told apart by their words: one that is put otherwise would be `other` here."""
    item, problems = ItemForm.read({**dict(_sent(ItemForm.of(Item.model_validate(ITEM)))), **changes}.items()).item()
    assert item is None
    assert problems[name].kind == kind
    for language in LANGUAGES:
        said = problems[name].said(words_of(language))
        assert said.endswith(".")
        assert "{" not in said


@pytest.mark.parametrize(
    ("answer", "said"), [("x" * 20_001, "At most 20000 characters."), ("\x00", "This holds a character that cannot be kept.")]
)
def test_an_answer_that_cannot_be_graded_hides_no_other_problem(service: TestClient, bank: str, answer: str, said: str) -> None:
    page = edit(service, f"{bank}/items/gravity", "try", candidate_answer=answer, topic=" ").text
    assert error(page, "candidate_answer").startswith(said)
    assert error(page, "topic") == "This has to be filled in."


def test_a_draft_is_saved_compared_and_published(service: TestClient, bank: str) -> None:
    address = f"{bank}/items/gravity"
    saved = edit(
        service, address, "save", question="Why does everything fall?", point__1__id="air", point__1__text="Air slows bodies."
    )
    assert saved.status_code == 303
    assert "Kept as a draft." in service.get(saved.headers["location"]).text
    assert service.get("/v1/items/gravity?bank_id=physics").json()["question"] == ITEM["question"], "still published as it was"
    page = service.get(f"{bank}/publish").text
    assert "Why <del>do</del><ins>does</ins> <del>things</del><ins>everything</ins> fall" in page
    assert "Key point air" in page
    [seen] = re.findall(r'name="seen" value="([0-9a-f]{64})"', page)
    done = service.post(f"{bank}/publish", data={"seen": seen})
    assert "1 published." in done.text
    assert service.get("/v1/items/gravity?bank_id=physics").json()["question"] == "Why does everything fall?"
    assert "There is no draft" in service.get(f"{bank}/publish").text


def test_what_is_published_is_what_was_looked_at(service: TestClient, bank: str) -> None:
    edit(service, f"{bank}/items/gravity", "save", question="Why?")
    [seen] = re.findall(r'name="seen" value="([0-9a-f]{64})"', service.get(f"{bank}/publish").text)
    edit(service, f"{bank}/items/gravity", "save", question="Why, then?")
    response = service.post(f"{bank}/publish", data={"seen": seen})
    assert response.status_code == 409
    assert "A draft has changed since you looked." in response.text
    assert service.get("/v1/banks/physics").json()["drafts"] == 1


def test_of_two_authors_at_once_the_second_is_told(service: TestClient, bank: str) -> None:
    address = f"{bank}/items/gravity"
    first, second = fields(service.get(address).text), fields(service.get(address).text)
    assert service.post(address, data={**first, "topic": "First", "wish": "save"}, follow_redirects=False).status_code == 303
    response = service.post(address, data={**second, "topic": "Second", "wish": "save"})
    assert response.status_code == 409
    assert "Somebody has saved this question since you opened it" in response.text
    assert 'value="Second"' in response.text
    again = service.post(address, data={**fields(response.text), "wish": "save"}, follow_redirects=False)
    assert again.status_code == 303
    assert 'value="Second"' in service.get(address).text


def test_a_new_item_is_made_and_does_not_replace_another(service: TestClient, bank: str) -> None:
    new = dict(_sent(ItemForm.of(Item.model_validate({**ITEM, "id": "falling"}))))
    made = service.post(f"{bank}/new", data={**new, "wish": "save"}, follow_redirects=False)
    assert made.headers["location"] == f"{bank}/items/falling?saved=true"
    page = service.get(f"{bank}/publish").text
    assert "A new question; this is all of it." in page
    said = ("Gravity pulls them.", "Gravity pulls things down. [1]\ngravity | P(A|B)\npull", "short", "Physics", "Forces")
    assert [text for text in said if f"<ins>{text}" not in page and f"({text})" not in page] == []
    assert service.post(f"{bank}/new", data={**new, "id": "gravity", "wish": "save"}).status_code == 409
    assert error(service.post(f"{bank}/new", data={"wish": "save"}).text, "id") == "This has to be filled in."


def test_a_draft_is_discarded(service: TestClient, bank: str) -> None:
    address = f"{bank}/items/gravity"
    assert "Discard" not in service.get(address).text, "there is no draft"
    edit(service, address, "save", topic="Draft")
    page = service.get(address).text
    assert "The published question stays as it is." in page
    seen = fields(page)["seen"]
    edit(service, address, "save", topic="Later draft")
    late = service.post(f"{address}/discard", data={"seen": seen})
    assert late.status_code == 409
    assert "This is how it is now." in late.text
    assert 'value="Later draft"' in late.text
    done = service.post(f"{address}/discard", data={"seen": fields(late.text)["seen"]})
    assert "The draft is gone." in done.text
    assert 'value="Physics"' in service.get(address).text
    assert service.post(f"{address}/discard", data={"seen": seen}).status_code == 409
    new = dict(_sent(ItemForm.of(Item.model_validate({**ITEM, "id": "falling"}))))
    service.post(f"{bank}/new", data={**new, "wish": "save"})
    page = service.get(f"{bank}/items/falling").text
    assert "nothing of this question is left" in page
    assert service.post(f"{bank}/items/falling/discard", data={"seen": fields(page)["seen"]}).status_code == 200
    assert service.get(f"{bank}/items/falling").status_code == 404
    assert service.post("/banks/shipped/items/dropout/discard", data={"seen": ""}).status_code == 409


def test_a_bank_is_archived(service: TestClient, bank: str) -> None:
    assert "Archive this bank" in service.get(bank).text
    assert "Archive this bank" not in service.get("/banks/shipped").text
    page = service.post(f"{bank}/archive").text
    assert "This bank is archived" in page
    assert "Archive this bank" not in page
    assert service.get("/v1/banks/physics").json()["archived"] is True
    assert service.post("/banks/shipped/archive").status_code == 409
    assert service.post(f"{bank}/archive", headers={"origin": "https://evil.example"}).status_code == 401


def test_a_row_is_taken_out_by_its_button(service: TestClient, bank: str) -> None:
    address = f"{bank}/items/gravity"
    assert 'name="wish" value="remove.point.0"' in service.get(address).text
    page = edit(service, address, "remove.point.0", point__3__id="air", point__3__text="Air slows bodies.").text
    given = fields(page)
    assert "point.0.id" not in given
    assert given["point.3.text"] == "Air slows bodies."
    for nothing in ("remove.point.9", "remove.none.1", "remove."):
        assert fields(edit(service, address, nothing).text)["point.0.id"] == "pull"


def test_trying_shows_the_unsaved_item_at_work(service: TestClient, bank: str) -> None:
    stored = {"bank_id": "physics", "item_id": "gravity", "candidate_answer": "Magic.", "store": True, "subject_id": "s1"}
    result_id = service.post("/v1/grades", json=stored).json()["result_id"]
    service.post(f"/v1/results/{result_id}/reviews", json={"decision": "override", "score": 0.9})
    address = f"{bank}/items/gravity"
    same = edit(service, address, "try").text
    assert "Marks that are not as by the published question: 0 of 1" in same
    changed = edit(
        service,
        address,
        "try",
        candidate_answer="It is magic.",
        point__0__text="Magic pulls things down.",
        point__0__keywords="magic",
    )
    assert '<tr class="has-changed"><td dir="auto"><span class="clipped">Magic.' in changed.text
    assert "Marks that are not as by the published question: 1 of 1" in changed.text
    assert 'class="card result' in changed.text
    assert service.get("/v1/results").json()["results"][0]["candidate_answer"] == "Magic.", "nothing tried is stored"
    service.delete("/v1/subjects/s1")
    assert "No answer to this question has been marked" in edit(service, address, "try").text
    assert "It can be tried as soon as" in edit(service, address, "try", max_mark="0").text


def test_key_points_are_suggested_from_the_references(service: TestClient, bank: str) -> None:
    page = edit(service, f"{bank}/items/gravity", "suggest").text
    given = fields(page)
    assert given["point.0.id"] == "pull"
    assert (given["point.1.id"], given["point.1.text"]) == ("air-slows", "Air slows light bodies down.")
    assert given["point.1.keywords"].split("\n") == ["air", "slows", "light", "bodies"]
    assert service.get("/v1/banks/physics").json()["drafts"] == 0
    nothing = service.post(f"{bank}/new", data={"wish": "suggest", "difficulty": "hard"})
    assert nothing.status_code == 200
    assert fields(nothing.text)["point.0.id"] == "", "there is room for one all the same"


def test_a_file_is_imported_or_every_problem_shown(service: TestClient, bank: str) -> None:
    def send(name: str, content: str) -> Any:
        return service.post(f"{bank}/import", files={"file": (name, content.encode())})

    good = json.dumps({**ITEM, "id": "falling"}) + "\n" + json.dumps(ITEM) + "\n"
    assert "Read and kept as drafts: 2. Published as they are already: 1." in send("a.jsonl", good).text
    bad = send("a.jsonl", json.dumps({**ITEM, "topic": ""}) + "\n<b>no json\n")
    assert bad.status_code == 422
    assert "Nothing was imported. What is wrong (2):" in bad.text
    assert "line 1, topic: String should have at least 1 character" in bad.text
    assert send("a.xlsx", "x").status_code == 422
    assert service.post(f"{bank}/import", data={"file": "no file"}).status_code == 400
    assert service.post("/banks/shipped/import", files={"file": ("a.jsonl", good.encode())}).status_code == 409


@pytest.mark.parametrize(
    "address", ["/banks/none", "/banks/none/new", "/banks/none/publish", "/banks/none/items/x", "/banks/physics/items/none"]
)
def test_what_is_not_there_is_said(service: TestClient, bank: str, address: str) -> None:
    assert service.get(address).status_code == 404


def test_banks_of_others_are_not_there(service: TestClient, make_key: MakeKey, bank: str) -> None:
    other = make_key(Scope.ADMIN, tenant="south")
    assert service.get("/banks", headers=other).status_code == 200
    assert "physics" not in service.get("/banks", headers=other).text
    item = {**dict(_sent(ItemForm.of(Item.model_validate(ITEM)))), "wish": "save"}
    for path in ("", "/new", "/publish", "/items/gravity"):
        assert service.get(bank + path, headers=other).status_code == 404
    for path in ("/new", "/items/gravity"):
        assert service.post(bank + path, data=item, headers=other).status_code == 404
    assert service.post(f"{bank}/publish", data={"seen": "0"}, headers=other).status_code == 404


def test_bank_pages_need_the_right_to_manage(service: TestClient, make_key: MakeKey) -> None:
    assert service.get("/banks", headers=make_key(Scope.GRADE, Scope.REVIEW)).status_code == 403
    assert service.get("/banks").status_code == 401
    manager = make_key(Scope.MANAGE)
    assert service.get("/banks", headers=manager).status_code == 200


def test_who_may_not_review_sees_no_reviewed_answer(service: TestClient, make_key: MakeKey, shipped_bank: ItemBank) -> None:
    everything, manager = make_key(Scope.ADMIN), make_key(Scope.MANAGE)
    body = {"item_id": "dropout", "candidate_answer": "Zebras.", "store": True}
    result_id = service.post("/v1/grades", json=body, headers=everything).json()["result_id"]
    service.post(f"/v1/results/{result_id}/reviews", json={"decision": "accept"}, headers=everything)
    item = dict(_sent(ItemForm.of(shipped_bank.get("dropout"))))
    for headers, shown in ((everything, True), (manager, False)):
        page = service.post("/banks/shipped/items/dropout", data={**item, "wish": "try"}, headers=headers).text
        assert ("Zebras." in page) == shown


def test_a_form_of_another_site_changes_nothing(service: TestClient) -> None:
    assert service.post("/banks", data=BANK, headers={"origin": "https://evil.example"}).status_code == 401
    assert len(service.get("/v1/banks").json()["banks"]) == 1


def test_rows_keep_their_numbers_and_blank_ones_are_no_rows() -> None:
    sent = [("point.3.id", "a"), ("point.1.weight", "2"), ("point.x.id", "b"), ("point.2000.id", "c"), ("point.4.colour", "d")]
    form = ItemForm.read(sent)
    assert [(row.number, row.values["id"]) for row in form.rows["point"]] == [(3, "a")]
    form.set_points([KeyPoint(id="b", text="One.")])
    form.add_blank()
    assert [row.number for row in form.rows["point"]] == [0, 1]


def test_another_language_keeps_what_is_not_saved(service: TestClient, bank: str) -> None:
    page = service.get(f"{bank}/new").text
    assert re.findall(r'form="item-form" name="wish" value="(\w+)"', page) == ["try", "look"], "Enter does not press the language"
    [query] = re.findall(r'formaction="([^"]+)"[^>]*>Deutsch', page)
    german = service.post(f"{bank}/new{query}", data={"wish": "look", "question": "Why do things rise?"})
    assert '<html lang="de"' in german.text
    assert "Why do things rise?</textarea>" in german.text
    imported = service.post(f"{bank}/import", files={"file": ("a.jsonl", json.dumps(ITEM).encode())})
    assert f'href="{bank}?lang=en"' in imported.text, "there is no page of an import to go back to"


def test_pages_of_banks_speak_german(service: TestClient, bank: str) -> None:
    for address, said in (
        ("/banks", "Sammlung anlegen"),
        (bank, "Neue Frage"),
        (f"{bank}/items/gravity", "Als Entwurf speichern"),
        (f"{bank}/publish", "Es gibt keinen Entwurf"),
    ):
        assert said in service.get(address, params={"lang": "de"}).text
