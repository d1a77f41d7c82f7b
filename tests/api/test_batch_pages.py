"""The pages of batches as they are sent: a table is looked at, taken in, watched and read, without any script."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api.jobs.shapes import GradedRow, Mapping
from api.jobs.work import FAILED_ALONE, Work
from api.metrics import Metrics
from api.pages.batches import problem_of
from api.pages.words import words_of
from api.storage.database import Database
from grader import Flag, Grader, ItemBank

ANSWER = "It randomly switches off neurons during training, which reduces overfitting."
TABLE = f'item_id,Antwort,who\ndropout,"{ANSWER}",=s1\nno-such-item,<b>bold</b>,s2\ndropout,,s3\n'


@pytest.fixture
def work(database: Database, real_grader: Grader, shipped_bank: ItemBank) -> Work:
    return Work(database=database, bank=shipped_bank, grader=real_grader, metrics=Metrics())


def look(service: TestClient, content: Any, name: str = "spring.csv") -> Any:
    return service.post("/batches", files={"file": (name, content)})


def start(service: TestClient, looked: Any, **chosen: str) -> Any:
    """Send the form of a page that shows a table, with some fields filled in, and return what is answered."""
    [address] = re.findall(r'action="(/batches/start[^"]*)"', looked.text)
    [token] = re.findall(r'name="token" value="([^"]+)"', looked.text)
    return service.post(address, data={"token": token, **chosen}, follow_redirects=False)


def started(service: TestClient, content: Any = TABLE, file_name: str = "spring.csv", **chosen: str) -> str:
    """Have a table graded, and return the job's id."""
    fields = {"name": "spring", "candidate_answer_column": "Antwort", "item_id_column": "item_id", **chosen}
    response = start(service, look(service, content, file_name), **fields)
    assert response.status_code == 303, response.text
    return str(response.headers["location"].rpartition("/")[2])


def test_table_is_looked_at_before_anything_is_graded(service: TestClient) -> None:
    page = look(service, TABLE).text
    assert '<td dir="auto">&lt;b&gt;bold&lt;/b&gt;</td>' in page
    assert "Row 2: No item &#39;no-such-item&#39; in the bank." in page
    assert page.count('<option value="Antwort"') == 4
    assert service.get("/v1/jobs").json()["jobs"] == []


def test_batch_is_graded_and_read(service: TestClient, work: Work) -> None:
    job_id = started(service)
    assert "Rows: 0 of 3" in service.get(f"/batches/{job_id}").text
    work.grade_chunk(job_id, 0, 0)
    page = service.get(f"/batches/{job_id}").text
    said = ("Rows: 3 of 3", "finished", "Not graded: 1.", "No item &#39;no-such-item&#39;", "&lt;b&gt;bold")
    assert [text for text in (*said, "Save as Parquet") if text not in page] == []
    assert service.get("/batches").text.count(f"/batches/{job_id}") == 1
    failed = service.get(f"/batches/{job_id}?only=failed").text
    assert (f"/batches/{job_id}/rows/2" in failed, f"/batches/{job_id}/rows/1" in failed) == (True, False)
    found = service.get(f"/batches/{job_id}?q=SWITCHES").text
    assert (f"/batches/{job_id}/rows/1" in found, f"/batches/{job_id}/rows/3" in found) == (True, False)
    sent = service.get(f"/v1/jobs/{job_id}/results?format=csv").text
    assert ",'=s1," in sent


def test_row_is_shown_with_its_evidence(service: TestClient, work: Work) -> None:
    job_id = started(service)
    assert service.get(f"/batches/{job_id}/rows/1").status_code == 422
    work.grade_chunk(job_id, 0, 0)
    page = service.get(f"/batches/{job_id}/rows/1").text
    assert "What is dropout" in page
    assert "<mark data-points=" in page
    wrong = service.get(f"/batches/{job_id}/rows/2").text
    assert "No item &#39;no-such-item&#39;" in wrong
    assert "<b>bold" not in wrong
    assert service.get(f"/batches/{job_id}/rows/4").status_code == 422


def test_deleting_is_asked_before_it_is_done(service: TestClient) -> None:
    job_id = started(service)
    assert f'action="/batches/{job_id}/delete"' not in service.get(f"/batches/{job_id}").text
    page = service.post(f"/batches/{job_id}/cancel").text
    [details] = re.findall(r"<details.*?</details>", page, re.DOTALL)
    assert page.count(f'action="/batches/{job_id}/delete"') == details.count(f'action="/batches/{job_id}/delete"') == 1
    assert "cannot be brought back" in details
    assert page.index("Save as Parquet") < page.index("<details")


def test_row_leads_back_to_the_rows_it_was_found_among(service: TestClient, work: Work) -> None:
    job_id = started(service)
    work.grade_chunk(job_id, 0, 0)
    query = "only=all&q=o&sort=-score&first=2&limit=1"
    [link] = re.findall(rf'href="(/batches/{job_id}/rows/[^"]+)"', service.get(f"/batches/{job_id}?{query}").text)
    [back] = re.findall(rf'href="(/batches/{job_id}[^"]+)"', service.get(link.replace("&amp;", "&")).text)
    assert back == f"/batches/{job_id}?q=o&amp;sort=-score&amp;first=2&amp;limit=1#rows"
    assert link in service.get(back.replace("&amp;", "&").partition("#")[0]).text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("spring", "filename=spring-results.csv"),
        ("Größe 3", "filename*=UTF-8''Gr%C3%B6%C3%9Fe%203-results.csv"),
        ('../a"b\\c;\r\nd.exe', "filename=a_b_c_d_exe-results.csv"),
        ("x" * 200, f"filename={'x' * 80}-results.csv"),
        ("/.", "filename=job-"),
    ],
)
def test_download_is_called_as_the_batch(service: TestClient, name: str, file: str) -> None:
    sent = service.get(f"/batches/{started(service, name=name)}/results?format=csv")
    assert sent.headers["content-disposition"].startswith(f"attachment; {file}")


def test_batch_is_steered_by_forms(service: TestClient) -> None:
    job_id = started(service)
    for wish, state in (("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")):
        assert state in service.post(f"/batches/{job_id}/{wish}").text
    assert service.post(f"/batches/{job_id}/pause").status_code == 409
    assert "There is no batch yet." in service.post(f"/batches/{job_id}/delete").text
    assert service.get(f"/batches/{job_id}").status_code == 404


def as_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"item_id": ["dropout"], "candidate_answer": [ANSWER]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"), [("a.parquet", as_parquet()), ("a.jsonl", b'{"item_id": "dropout", "candidate_answer": "x"}\nno json\n')]
)
def test_other_formats_can_be_looked_at(service: TestClient, name: str, content: bytes) -> None:
    page = look(service, content, name).text
    assert '<option value="candidate_answer" selected' in page
    assert ("Row 2: Line 2 is not JSON" in page) == name.endswith("jsonl")


def numbers_as_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"item_id": ["dropout", "dropout"], "candidate_answer": [5.5, None]}), sink)
    return sink.getvalue()


NO_TEXTS = b"""{"item_id":"dropout","candidate_answer":5}
{"item_id":"dropout","candidate_answer":["a"]}
{"item_id":["dropout"],"candidate_answer":"a"}
{"item_id":"dropout"}
{"item_id":"dropout","candidate_answer":"a","subject_id":{}}
"""
NO_TEXT, NO_ANSWER, NO_NAME = "The answer is no text.", "The row has no answer.", "The id of the question is no text."


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", NO_TEXTS, [NO_TEXT, NO_TEXT, NO_NAME, NO_ANSWER, "row.subject_id: Input should be a valid string."]),
        ("a.parquet", numbers_as_parquet(), [NO_TEXT, NO_ANSWER]),
    ],
    ids=["jsonl", "parquet"],
)
def test_what_is_no_text_is_a_problem_of_its_row(
    service: TestClient, work: Work, name: str, content: bytes, said: list[str]
) -> None:
    page = look(service, content, name).text
    assert re.findall("<li>(Row .*?)</li>", page) == [f"Row {number}: {text}" for number, text in enumerate(said, start=1)]
    job_id = started(service, content, file_name=name, candidate_answer_column="candidate_answer", subject_id_column="subject_id")
    work.grade_chunk(job_id, 0, 0)
    page = service.get(f"/batches/{job_id}").text
    assert re.findall('<span class="wrong">(.*?)</span>', page) == said
    assert said[0] in service.get(f"/batches/{job_id}/rows/1").text


def test_every_problem_that_is_found_is_listed(service: TestClient) -> None:
    rows = "".join(f"no-such-item-{number},Text.\n" for number in range(30))
    page = look(service, f"item_id,candidate_answer\n{rows}").text
    assert [int(number) for number in re.findall(r"<li>Row (\d+):", page)] == list(range(1, 31))


def test_flags_and_problems_are_said_in_the_language_of_the_page(service: TestClient, work: Work) -> None:
    job_id = started(service, NO_TEXTS, "a.jsonl", candidate_answer_column="candidate_answer")
    work.grade_chunk(job_id, 0, 0)
    page = service.get(f"/batches/{job_id}?lang=de").text
    assert re.findall('<span class="wrong">(.*?)</span>', page)[:2] == ["Die Antwort ist kein Text."] * 2
    job_id = started(service)
    work.grade_chunk(job_id, 0, 0)
    page = service.get(f"/batches/{job_id}?lang=de").text
    assert "Die Sammlung hat keine Frage „no-such-item“." in page
    assert '<span class="tag">leer</span>' in page
    assert '<option value="blank">leer</option>' in page


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_flag_and_late_problem_has_words(language: str) -> None:
    words = words_of(language)
    assert [flag for flag in Flag if f"flag_{flag}" not in words] == []
    row = GradedRow(number=1, values={"item_id": "dropout", "candidate_answer": "a"}, problem=FAILED_ALONE)
    assert problem_of(row, Mapping(), words) == words["row_problem_failed"]
    unforeseen = row.model_copy(update={"problem": "row.item_id: Something new."})
    assert problem_of(unforeseen, Mapping(), words).endswith("row.item_id: Something new.")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"PK", "must end in .csv, .jsonl or .parquet"),
        ("a.parquet", b"no parquet", "The table is not a Parquet file"),
        ("a.csv", b"item_id,candidate_answer\n", "The table has no rows."),
    ],
)
def test_what_is_no_table_is_said(service: TestClient, name: str, content: bytes, said: str) -> None:
    response = look(service, content, name)
    assert response.status_code == 422
    assert said in response.text
    assert "grader-uploads" not in response.text
    assert '<input id="file" type="file"' in response.text


def test_that_a_file_is_missing_is_said_in_the_language_of_the_page(service: TestClient) -> None:
    part = '--x\r\ncontent-disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n{content}\r\n--x--\r\n'
    of_a_form = {"content-type": "multipart/form-data; boundary=x"}
    for name, file, content in (("file", "", ""), ("other", "a.csv", TABLE)):
        sent = part.format(name=name, file=file, content=content)
        page = service.post("/batches?lang=de", content=sent, headers=of_a_form).text
        assert "Bitte zuerst eine Datei wählen." in page
    assert "Die Datei ist nicht mehr da." in service.get("/batches/check?token=x.csv&lang=de").text


@pytest.mark.parametrize("token", ["0" * 32 + ".csv", "../../etc/passwd", "%2e%2e%2f.csv", ""])
def test_only_what_was_looked_at_can_be_started(service: TestClient, token: str) -> None:
    for response in (
        service.post("/batches/start", data={"name": "x", "token": token}),
        service.get("/batches/check", params={"token": token}),
    ):
        assert response.status_code == 422
        assert "no longer here" in response.text
        assert '<input id="file" type="file"' in response.text


def test_look_at_a_table_has_an_address_of_its_own(service: TestClient) -> None:
    sent = service.post("/batches", files={"file": ("Spring & summer.csv", TABLE)}, follow_redirects=False)
    assert sent.status_code == 303
    address = sent.headers["location"]
    assert [service.get(address).text == service.get(address).text, service.get(address).status_code] == [True, 200]
    assert 'name="name" value="Spring &amp; summer"' in service.get(address).text
    [german] = re.findall(r'href="(\?[^"]+)" hreflang="de"', service.get(address).text)
    assert "Ist das die richtige Tabelle?" in service.get("/batches/check" + german.replace("&amp;", "&")).text


FOREIGN = "frage,antwort,schueler\ndropout,Neurons are switched off.,s1\n"


def test_missing_columns_are_said_before_the_start(service: TestClient) -> None:
    looked = look(service, FOREIGN)
    said = ["Choose below which column holds the answers.", "Choose below which column holds the ids of the questions"]
    assert [text for text in said if text not in looked.text] == []
    assert "can be read" not in looked.text
    again = start(service, looked, candidate_answer_column="antwort", name="spring")
    assert again.status_code == 303
    looked = service.get(again.headers["location"])
    assert [text in looked.text for text in said] == [False, True]
    assert '<option value="antwort" selected>' in looked.text
    assert 'name="name" value="spring"' in looked.text
    assert "All rows can be read (1)." in service.get(f"{again.headers['location']}&item_id=dropout").text
    response = start(service, looked, candidate_answer_column="antwort", item_id="dropout")
    assert response.headers["location"].startswith("/batches/")


@pytest.mark.parametrize(("separator", "said"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs")])
def test_separator_of_a_table_is_seen_and_said(service: TestClient, work: Work, separator: str, said: str) -> None:
    table = f"item_id{separator}candidate_answer\ndropout{separator}{ANSWER.replace(',', '')}\n"
    page = look(service, table).text
    assert f"Columns are divided by {said}." in page
    job_id = started(service, table, candidate_answer_column="candidate_answer")
    work.grade_chunk(job_id, 0, 0)
    assert "Not graded: 0." in service.get(f"/batches/{job_id}").text


def test_table_that_is_refused_at_the_start_stays_on_the_page(service: TestClient) -> None:
    looked = look(service, "item_id,candidate_answer,candidate_answer\ndropout,a,b\n")
    refused = start(service, looked, item_id="dropout", subject_id_column="item_id")
    assert refused.status_code == 422
    assert "has more than one column &#39;candidate_answer&#39;" in refused.text
    assert '<option value="dropout" selected>' in refused.text
    [german] = re.findall(r'href="(\?[^"]+)" hreflang="de"', refused.text)
    assert "Ist das die richtige Tabelle?" in service.get("/batches/start" + german.replace("&amp;", "&")).text


def test_pages_of_batches_hold_no_script_in_line(service: TestClient) -> None:
    pages = [service.get("/batches"), look(service, TABLE), service.get(f"/batches/{started(service)}")]
    for response in pages:
        assert response.status_code == 200
        assert "unsafe-inline" not in response.headers["content-security-policy"]
        assert " style=" not in response.text
        assert "<style" not in response.text


@pytest.fixture(autouse=True)
def nothing_is_left(service: TestClient) -> Iterator[None]:
    """Check that German readers get every page too: no name of a string is shown in place of the string."""
    yield
    page = service.get("/batches?lang=de").text
    assert "Alle Stapel" in page
