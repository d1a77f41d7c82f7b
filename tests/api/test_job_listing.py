"""Rows of jobs in other orders than the table's, and figures of items: from keys that go with their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from api.jobs.chunks import pack_rows, unpack_rows, unpack_rows_with
from api.jobs.discrimination import discriminations
from api.jobs.keys import FAILED, read_keys
from api.jobs.listing import has_text
from api.jobs.shapes import Mapping
from api.jobs.work import Work
from api.metrics import Metrics
from api.storage.database import Database, Store
from api.storage.tables import JobKeys
from grader import Grader, ItemBank
from grader.batch.rows import Row

AssertProblem = Callable[..., dict[str, Any]]
GOOD = "Random neurons are switched off during training, so that the network does not overfit."
ROWS = [
    {"item_id": "dropout", "candidate_answer": "It is random.", "subject_id": "s1", "note": "Zebra"},
    {"item_id": "no-such-item", "candidate_answer": "x", "subject_id": "s2", "note": "zebra"},
    {"item_id": "dropout", "candidate_answer": GOOD, "subject_id": "s2", "note": "lion"},
    {"item_id": "dropout", "candidate_answer": "", "subject_id": "s3", "note": 'zebra "quoted"'},
    {"item_id": "overfitting", "candidate_answer": "The model learns the noise of its training data.", "subject_id": "s1"},
]


@pytest.fixture
def work(database: Database, real_grader: Grader, shipped_bank: ItemBank) -> Work:
    return Work(database=database, bank=shipped_bank, grader=real_grader, metrics=Metrics())


@pytest.fixture
def job_id(service: TestClient, work: Work) -> str:
    """Return a job whose rows are done."""
    job_id = str(service.post("/v1/jobs", json=ROWS).json()["id"])
    work.grade_chunk(job_id, 0, 0)
    return job_id


def listed(service: TestClient, job_id: str, **query: Any) -> list[int]:
    response = service.get(f"/v1/jobs/{job_id}/rows", params=query)
    assert response.status_code == 200, response.text
    return [row["number"] for row in response.json()["rows"]]


def test_rows_are_sorted_filtered_searched_and_paged(service: TestClient, job_id: str) -> None:
    score = {n: service.get(f"/v1/jobs/{job_id}/rows?first={n}&limit=1").json()["rows"][0].get("result") for n in (1, 3, 4, 5)}
    by_score = sorted(score, key=lambda n: (score[n]["score"], n))
    assert listed(service, job_id, sort="score") == [*by_score, 2], "what failed comes last"
    assert listed(service, job_id, sort="-score")[0] == by_score[-1]
    assert listed(service, job_id, sort="-score")[-1] == 2
    assert listed(service, job_id, sort="item") == [1, 3, 4, 5, 2]
    assert listed(service, job_id, sort="-flags")[0] in (1, 4)
    assert listed(service, job_id, item_id="dropout") == [1, 3, 4]
    assert listed(service, job_id, item_id="none") == []
    assert listed(service, job_id, flag="blank") == [4]
    assert listed(service, job_id, sort="item", only="failed") == [2]
    assert listed(service, job_id, sort="item", q="ZEBRA") == [1, 4, 2]
    assert listed(service, job_id, sort="item", q='zebra "') == [4]
    assert listed(service, job_id, sort="item", q="none") == []
    first = service.get(f"/v1/jobs/{job_id}/rows?sort=item&limit=2").json()
    assert (first["total"], first["next_first"]) == (5, 3)
    last = service.get(f"/v1/jobs/{job_id}/rows?sort=item&limit=2&first=5").json()
    assert ([row["number"] for row in last["rows"]], last["next_first"]) == ([2], None)
    assert last["rows"][0]["problem"]


def test_what_cannot_be_asked_is_a_problem(service: TestClient, job_id: str, assert_problem: AssertProblem) -> None:
    for query in ("sort=mark", "flag=none", "item_id=" + "x" * 100):
        assert_problem(service.get(f"/v1/jobs/{job_id}/rows?{query}"), 422, "invalid-request")
    assert_problem(service.get(f"/v1/jobs/{'0' * 32}/rows?sort=score"), 404, "job-not-found")


def test_a_search_through_too_much_is_refused_when_sorted(
    service: TestClient, job_id: str, monkeypatch: pytest.MonkeyPatch, assert_problem: AssertProblem
) -> None:
    monkeypatch.setattr("api.jobs.listing._MOST_SEARCHED_CHUNKS", 0)
    assert listed(service, job_id, q="zebra") == [1, 2, 4]
    assert_problem(service.get(f"/v1/jobs/{job_id}/rows?q=zebra&sort=score"), 422, "invalid-table")


def test_rows_graded_before_there_were_keys_are_sorted_too(service: TestClient, job_id: str, database: Database) -> None:
    sorted_before = listed(service, job_id, sort="score")
    summary = service.get(f"/v1/jobs/{job_id}/summary").json()
    with Store(database, "local").write() as session:
        session.execute(delete(JobKeys))
    assert listed(service, job_id, sort="score") == sorted_before
    assert listed(service, job_id, flag="blank") == [4]
    assert service.get(f"/v1/jobs/{job_id}/summary").json() == summary


def test_keys_go_with_the_person_and_with_the_job(service: TestClient, job_id: str, database: Database) -> None:
    service.delete("/v1/subjects/s1")
    assert listed(service, job_id, sort="item") == [3, 4, 1, 2, 5]
    with Store(database, "local").read() as session:
        keys = read_keys(session, job_id, Mapping())
    erased = np.isin(keys.number, [1, 5])
    assert not keys.subject[erased].any()
    assert not keys.score[erased].any()
    assert set(keys.kind[erased]) == {FAILED}
    assert keys.subject[~erased][1] != 0
    service.post(f"/v1/jobs/{job_id}/cancel")
    service.delete(f"/v1/jobs/{job_id}")
    with Store(database, "local").read() as session:
        assert session.scalar(select(func.count()).select_from(JobKeys)) == 0


def test_summary_tells_how_well_items_discriminate(service: TestClient, work: Work, shipped_bank: ItemBank) -> None:
    items = [shipped_bank.get(item_id) for item_id in ("dropout", "overfitting", "pooling-layer")]
    rows = [
        {
            "item_id": item.id,
            "candidate_answer": item.reference_answers[1].text if learner % 2 else "It is random.",
            "subject_id": f"s{learner}",
        }
        for learner in range(12)
        for item in items
    ]
    job_id = service.post("/v1/jobs", json=[*rows, {**rows[0], "subject_id": ""}]).json()["id"]
    work.grade_chunk(job_id, 0, 0)
    counts = service.get(f"/v1/jobs/{job_id}/summary").json()["items"]
    assert counts["dropout"]["discrimination"] == pytest.approx(1.0), "there are two kinds of learners"
    again = {**rows[0], "candidate_answer": shipped_bank.get("dropout").reference_answers[1].text}
    twice = service.post("/v1/jobs", json=[*rows, again]).json()["id"]
    work.grade_chunk(twice, 0, 0)
    of_first = {name: each["discrimination"] for name, each in counts.items()}
    counts = service.get(f"/v1/jobs/{twice}/summary").json()["items"]
    assert {name: each["discrimination"] for name, each in counts.items()} == of_first
    assert counts["dropout"]["answers"] == 13


def table(answers: dict[tuple[int, int], float]) -> list[float | None]:
    """Return the discriminations of items 0, 1, 2 for scores by learner and item."""
    subjects, items = (np.array([key[n] for key in answers], dtype=np.int64) for n in (0, 1))
    return discriminations(subjects.astype(np.uint64), items, np.array(list(answers.values())), 3)


def test_discrimination_is_the_correlation_with_the_rest() -> None:
    scores = np.random.default_rng(3).random((15, 3))
    expected = [np.corrcoef(scores[:, i], np.delete(scores, i, axis=1).mean(axis=1))[0, 1] for i in range(3)]
    found = table({(learner + 1, item): scores[learner, item] for learner in range(15) for item in range(3)})
    assert found == pytest.approx(expected, abs=1e-4)


def test_discrimination_is_not_told_where_it_cannot_be() -> None:
    few = {(learner, item): learner / 9 for learner in range(1, 10) for item in range(3)}
    assert table(few) == [None, None, None], "nine learners"
    alone = {(learner, 0): learner / 20 for learner in range(1, 20)}
    assert table(alone) == [None, None, None], "nothing to compare with"
    same = {(learner, item): 0.5 if item == 0 else learner / 20 for learner in range(1, 20) for item in range(3)}
    assert table(same) == [None, 1.0, 1.0], "no variance in the first"
    nobody = {(0, item): 0.5 for item in range(3)}
    assert table(nobody) == [None, None, None]


def test_first_answer_of_a_learner_to_an_item_counts() -> None:
    scores = np.random.default_rng(5).random((15, 3))
    subject, item = (each.ravel() for each in np.meshgrid(np.arange(1, 16), np.arange(3), indexing="ij"))
    once = discriminations(subject, item, scores.ravel(), 3)
    again = np.array([3, 3, 9])
    twice = discriminations(np.append(subject, again), np.append(item, [0, 0, 2]), np.append(scores.ravel(), [1.0, 0.0, 1.0]), 3)
    assert None not in once
    assert twice == once


@given(
    values=st.lists(st.one_of(st.text(max_size=8), st.integers(), st.none()), max_size=4),
    text=st.text(max_size=4),
    as_line=st.booleans(),
)
def test_no_row_with_the_text_is_passed_over(values: list[Any], text: str, as_line: bool) -> None:
    import json

    named = {f"c{n}": value for n, value in enumerate(values)}
    row = Row(values=named, text=json.dumps(named) if as_line else None)
    packed = pack_rows([row, Row(values={"c": "other"})])
    hits = {place for place, _ in unpack_rows_with(packed, text)}
    wanted = {place for place, each in enumerate(unpack_rows(packed)) if has_text(each.values.values(), text)}
    assert wanted <= hits
