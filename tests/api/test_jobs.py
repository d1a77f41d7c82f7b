"""Jobs over HTTP: tables in three formats taken in, steered, graded by a real worker, and given back in their order."""

from __future__ import annotations

import csv
import inspect
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbos import DBOS
from dbos import error as dbos_error
from fastapi.testclient import TestClient

from api.jobs.chunks import CHUNK_ROWS
from api.jobs.engine import ChunkError, Engine, _grade_rows
from api.jobs.work import Work
from api.keys import Scope
from api.metrics import Metrics
from api.storage.database import Database, Store
from api.storage.tables import Job, JobChunk
from api.webhooks.sending import Sender
from grader import Grader, ItemBank
from grader.batch import grade_file

AssertProblem = Callable[..., dict[str, Any]]
MakeKey = Callable[..., dict[str, str]]
ANSWER = "It randomly switches off neurons during training, which reduces overfitting."
ROWS: list[dict[str, Any]] = [
    {"item_id": "dropout", "candidate_answer": ANSWER, "student": 1},
    {"item_id": "no-such-item", "candidate_answer": ANSWER, "student": 2},
    {"item_id": "dropout", "candidate_answer": "", "student": 3},
    {"item_id": "dropout", "student": 4},
]
CSV = {"content-type": "text/csv"}
JSONL = {"content-type": "application/jsonl"}
PARQUET = {"content-type": "application/vnd.apache.parquet"}


@pytest.fixture
def work(database: Database, real_grader: Grader, shipped_bank: ItemBank) -> Work:
    return Work(database=database, bank=shipped_bank, grader=real_grader, metrics=Metrics())


@pytest.fixture
def engine(work: Work) -> Iterator[Engine]:
    """Return a worker that grades what the service takes in."""
    engine = Engine(work, Sender(database=work.database, private_targets=True), beat_s=0.2, lost_after_s=2)
    engine.start()
    yield engine
    engine.stop()


def as_csv(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def queued(service: TestClient, rows: Any = None, **options: Any) -> dict[str, Any]:
    response = service.post("/v1/jobs", json=ROWS if rows is None else rows, params=options)
    assert response.status_code == 202, response.text
    return dict(response.json())


def until(service: TestClient, job_id: str, state: str = "finished") -> dict[str, Any]:
    # Far longer than it takes, for machines that have other things to do.
    deadline = time.monotonic() + 300
    while (job := service.get(f"/v1/jobs/{job_id}").json())["state"] != state:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return dict(job)


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_list_is_graded_in_its_order_with_bad_rows_in_their_place(
    service: TestClient, engine: Engine, real_grader: Grader, shipped_bank: ItemBank
) -> None:
    job = queued(service, name="Spring exam")
    assert (job["state"], job["rows"], job["rows_done"], job["name"]) == ("queued", 4, 0, "Spring exam")
    done = until(service, job["id"])
    assert (done["rows_done"], done["rows_failed"], done["problem"]) == (4, 2, None)
    assert done["columns"] == ["item_id", "candidate_answer", "student"]
    first, unknown, blank, missing = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert first == {**ROWS[0], "result": real_grader.grade(shipped_bank.get("dropout"), ANSWER).to_dict()}
    assert (unknown["student"], "no-such-item" in unknown["problem"]) == (2, True)
    assert blank["result"]["score"] == 0
    assert (missing["student"], "candidate_answer" in missing["problem"]) == (4, True)


def test_row_for_another_bank_than_that_of_the_job_gets_a_problem(service: TestClient, engine: Engine) -> None:
    job = queued(service, [{**ROWS[0], "bank_id": "physics"}, {**ROWS[0], "bank_id": "shipped"}, {**ROWS[0], "bank_id": ""}])
    assert until(service, job["id"])["rows_failed"] == 1
    other, *_ = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert "bank_id names another bank" in other["problem"]


def test_file_comes_back_as_the_command_line_writes_it(
    service: TestClient, engine: Engine, real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    # More rows than a chunk has; equal answers in a row are graded once.
    rows = [
        {"item_id": item.id, "candidate_answer": response.candidate_answer, "note": f'ä,"{n}"\n'}
        for item in shipped_bank.items[:5]
        for response in shipped_bank.responses[item.id][::4]
        for n in range(4)
    ]
    assert len(rows) > CHUNK_ROWS
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = service.post("/v1/jobs", content=source.read_bytes(), headers=JSONL).json()
    until(service, job["id"])
    for kind in ("jsonl", "csv"):
        grade_file(real_grader, shipped_bank, source, tmp_path / f"out.{kind}")
        sent = service.get(f"/v1/jobs/{job['id']}/results?format={kind}")
        # But for the apostrophe before what a spreadsheet would run: "- dropout" in a list of points.
        assert sent.text.replace("'-", "-") == (tmp_path / f"out.{kind}").read_text().replace("'-", "-")
        assert sent.headers["content-disposition"] == f"attachment; filename=job-{job['id']}.{kind}"
    grade_file(real_grader, shipped_bank, source, tmp_path / "out.parquet")
    sent = service.get(f"/v1/jobs/{job['id']}/results?format=parquet")
    assert pq.read_table(io.BytesIO(sent.content)).equals(pq.read_table(tmp_path / "out.parquet"))


@pytest.mark.parametrize(
    ("content", "headers"), [(as_csv(ROWS[:3]), CSV), (as_parquet(ROWS[:3]), PARQUET)], ids=["csv", "parquet"]
)
def test_other_formats_are_taken(service: TestClient, engine: Engine, content: Any, headers: dict[str, str]) -> None:
    job = service.post("/v1/jobs", content=content, headers=headers).json()
    assert until(service, job["id"])["rows_failed"] == 1
    sent = pq.read_table(io.BytesIO(service.get(f"/v1/jobs/{job['id']}/results?format=parquet").content))
    assert [int(student) for student in sent["student"].to_pylist()] == [1, 2, 3]


def test_columns_may_have_other_names(service: TestClient, engine: Engine) -> None:
    job = service.post(
        "/v1/jobs",
        content=f"who,Antwort\nx1,{ANSWER}\n".replace("neurons during training,", "neurons"),
        headers=CSV,
        params={"item_id": "dropout", "candidate_answer_column": "Antwort", "subject_id_column": "who", "store": True},
    ).json()
    until(service, job["id"])
    [stored] = service.get("/v1/results?subject_id=x1").json()["results"]
    assert (stored["item_id"], stored["bank_id"]) == ("dropout", "shipped")
    assert service.get("/v1/usage").json()["days"][0]["answers"] == 1


@pytest.mark.parametrize(
    ("content", "headers", "problem"),
    [
        ("item_id,candidate_answer," + ",".join(f"c{n}" for n in range(2_000)) + "\n", CSV, "more than 2,000 columns"),
        ("item_id,candidate_answer\n" + ("x," * 5_000_001), CSV, "line of more than 10,000,000 characters"),
        (
            "".join(json.dumps({"item_id": "a", **{f"c{n}-{m}": 1 for m in range(30)}}) + "\n" for n in range(100)),
            JSONL,
            "more than 2,000 columns",
        ),
    ],
    ids=["columns", "line", "fields"],
)
def test_table_that_no_class_has_is_refused(
    service: TestClient, assert_problem: AssertProblem, content: str, headers: dict[str, str], problem: str
) -> None:
    assert problem in assert_problem(service.post("/v1/jobs", content=content, headers=headers), 422, "invalid-table")["detail"]
    assert service.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_uploaded_counts_by_its_bytes(
    service: TestClient, make_key: MakeKey, assert_problem: AssertProblem, announced: bool
) -> None:
    headers = {**make_key(Scope.GRADE, rate_limit="30/hour"), **CSV}
    table = as_csv([{**ROWS[0], "note": "x" * 20_000}]).encode()

    def upload() -> Any:
        return service.post("/v1/jobs", content=table if announced else iter([table]), headers=headers)

    assert upload().status_code == 202
    assert_problem(upload(), 429, "rate-limited")


def test_a_formula_is_no_formula_in_a_spreadsheet(service: TestClient, engine: Engine) -> None:
    job = queued(service, [{**ROWS[0], "=1+1": "@x"}])
    until(service, job["id"])
    sent = service.get(f"/v1/jobs/{job['id']}/results").text
    assert "'=1+1" in sent
    assert ",'@x," in sent


def test_summary_adds_up(service: TestClient, engine: Engine) -> None:
    job = queued(service, [*ROWS, *ROWS])
    until(service, job["id"])
    summary = service.get(f"/v1/jobs/{job['id']}/summary").json()
    assert (summary["rows"], summary["graded"], summary["failed"], sum(summary["histogram"])) == (8, 4, 4, 4)
    assert summary["flags"] == {"blank": 2}
    counts = summary["items"]["dropout"]
    assert counts["answers"] == 4
    assert counts["mean_score"] == pytest.approx(summary["mean_score"]) == pytest.approx(counts["standard_deviation"])


def test_rows_are_listed_by_page_kind_and_text(service: TestClient, work: Work) -> None:
    job = queued(service, [{**row, "note": f"N{n}"} for n, row in enumerate(ROWS * 50)])
    work.grade_chunk(job["id"], 0, 0)
    address = f"/v1/jobs/{job['id']}/rows"
    page = service.get(f"{address}?limit=3&first=127").json()
    assert [row["number"] for row in page["rows"]] == [127, 128], "the others are not done"
    assert page["next_first"] == 129
    assert service.get(f"{address}?first=129").json() == {"rows": [], "next_first": None, "total": None}
    work.grade_chunk(job["id"], 1, 0)
    failed = service.get(f"{address}?only=failed&limit=65").json()
    assert [row["number"] % 4 for row in failed["rows"]] == [2, 0] * 32 + [2]
    assert all(row["problem"] for row in failed["rows"])
    assert failed["next_first"] == 132
    [found] = service.get(f"{address}?q=n150").json()["rows"]
    assert (found["number"], found["values"]["note"]) == (151, "N150")
    for_review = service.get(f"{address}?only=for_review&limit=100").json()["rows"]
    assert all(row["result"]["needs_review"] for row in for_review)


def test_events_tell_of_a_job_until_it_is_done(service: TestClient, engine: Engine) -> None:
    job = queued(service)
    with service.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        sent = [json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line.startswith("data: ")]
    assert sent[-1] == service.get(f"/v1/jobs/{job['id']}").json()
    assert sent[-1]["state"] == "finished"


def test_job_can_be_paused_resumed_and_cancelled(service: TestClient, work: Work, assert_problem: AssertProblem) -> None:
    address = f"/v1/jobs/{queued(service)['id']}"
    assert_problem(service.post(f"{address}/resume"), 409, "job-state")
    assert service.post(f"{address}/pause").json()["state"] == "paused"
    work.grade_chunk(address.rpartition("/")[2], 0, 0)
    assert service.get(address).json()["rows_done"] == 0, "a paused job is left alone"
    assert service.post(f"{address}/resume").json()["state"] == "queued"
    work.grade_chunk(address.rpartition("/")[2], 0, 0)
    assert service.get(address).json()["rows_done"] == 0, "what was handed out before the pause is void"
    assert service.post(f"{address}/cancel").json()["state"] == "cancelled"
    for wish in ("pause", "resume", "cancel"):
        assert_problem(service.post(f"{address}/{wish}"), 409, "job-state")


def test_resumed_job_is_finished(service: TestClient, engine: Engine) -> None:
    job = queued(service, ROWS * 100)
    paused = service.post(f"/v1/jobs/{job['id']}/pause").json()
    assert paused["state"] == "paused"
    service.post(f"/v1/jobs/{job['id']}/resume")
    assert until(service, job["id"])["rows_done"] == 400
    assert [line["student"] for line in lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))] == [1, 2, 3, 4] * 100


def test_chunk_is_written_down_once(service: TestClient, work: Work) -> None:
    job = queued(service, store=True)
    task = work._begin(job["id"], 0, 0)
    assert task is not None
    outcomes = work._outcomes(task)
    for _ in range(2):
        work._write_down(task, outcomes, 1.0)
    assert work._begin(job["id"], 0, 0) is None
    assert service.get(f"/v1/jobs/{job['id']}").json()["rows_done"] == 4
    assert len(service.get("/v1/results").json()["results"]) == 2


def test_row_that_fails_fails_alone(service: TestClient, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    class Touchy(Grader):
        def grade_many(self, pairs: Any) -> Any:
            if any("poison" in answer for _, answer in pairs):
                raise ZeroDivisionError
            return super().grade_many(pairs)

    monkeypatch.setattr(work.grader, "__class__", Touchy)
    job = queued(service, [ROWS[0], {**ROWS[0], "candidate_answer": "poison"}, ROWS[0]])
    work.grade_chunk(job["id"], 0, 0)
    outcomes = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert [row.get("problem") for row in outcomes] == [None, "The row could not be graded; the server's log says why.", None]


def test_row_that_ends_the_process_is_given_up(service: TestClient, work: Work, database: Database) -> None:
    job = queued(service, [ROWS[0], ROWS[0]])
    with Store(database, "local").write() as session:
        chunk = session.get_one(JobChunk, (job["id"], 0))
        # As it is after several workers died over the chunk, the last one at its second row.
        chunk.attempts, chunk.suspect = 5, 1
    work.grade_chunk(job["id"], 0, 0)
    first, second = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert "result" in first
    assert second["problem"] == "The row was given up: grading it ended the worker."


def test_fault_stops_a_job_in_a_state_that_resumes(
    service: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left for xylophones")

    def tried_often(*asked: Any) -> None:
        # As DBOS does it, in a moment and not in two minutes.
        with pytest.raises(ChunkError) as failed:
            inspect.unwrap(_grade_rows)(*asked)
        raise dbos_error.DBOSMaxStepRetriesExceeded("grade_rows", 8, [failed.value])

    monkeypatch.setattr(Work, "grade_chunk", full)
    monkeypatch.setattr("api.jobs.engine._grade_rows", tried_often)
    job = queued(service)
    stopped = until(service, job["id"], "stopped")
    assert "OSError" in stopped["problem"]
    assert "xylophones" not in stopped["problem"]
    monkeypatch.undo()
    service.post(f"/v1/jobs/{job['id']}/resume")
    assert until(service, job["id"])["problem"] is None


def test_what_is_over_is_forgotten_by_the_engine(service: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queued(service)
    until(service, job["id"])
    assert DBOS.list_workflows(workflow_id_prefix=job["id"]) != []
    monkeypatch.setattr("api.jobs.engine._REMEMBERED", timedelta(seconds=-10))
    deadline = time.monotonic() + 20
    while DBOS.list_workflows(workflow_id_prefix=job["id"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert service.get(f"/v1/jobs/{job['id']}").json()["state"] == "finished"


def test_job_whose_rows_were_lost_is_stopped(service: TestClient, engine: Engine, work: Work, database: Database) -> None:
    job = queued(service, ROWS * 50)
    until(service, job["id"])
    with Store(database, "local").write() as session:
        chunk = session.get_one(JobChunk, (job["id"], 0))
        chunk.output = chunk.summary = None
        row = session.get_one(Job, job["id"])
        row.state, row.rows_done = "running", row.rows_done - chunk.rows
    assert "lost" in until(service, job["id"], "stopped")["problem"]
    service.post(f"/v1/jobs/{job['id']}/resume")
    assert until(service, job["id"])["rows_done"] == 200


@pytest.mark.parametrize(
    ("content", "headers", "said"),
    [
        ("id,answer\n1,2\n", CSV, "The table lacks the column 'item_id'; its columns are 'id', 'answer'."),
        ("item_id,candidate_answer\n", CSV, "The table has no rows."),
        ("", CSV, "The table lacks the column 'item_id'; its columns are none."),
        (b"no parquet", PARQUET, "The table is not a Parquet file"),
        ("{}", {"content-type": "application/json"}, "The body is no list of rows"),
        ('{"rows": [], "store": true}', {"content-type": "application/json"}, "Beside rows the body holds 'store'"),
        ("[]", {"content-type": "application/json"}, "The table has no rows."),
    ],
)
def test_table_that_cannot_be_graded_is_refused_whole(
    service: TestClient, assert_problem: AssertProblem, content: Any, headers: dict[str, str], said: str
) -> None:
    problem = assert_problem(service.post("/v1/jobs", content=content, headers=headers), 422, "invalid-table")
    assert said in problem["detail"]
    assert "tmp" not in problem["detail"]
    assert service.get("/v1/jobs").json()["jobs"] == []


def test_other_bodies_are_refused(service: TestClient, assert_problem: AssertProblem) -> None:
    assert_problem(service.post("/v1/jobs", content="x", headers={"content-type": "text/html"}), 415, "unsupported-media-type")
    assert_problem(service.post("/v1/jobs", content="[", headers={"content-type": "application/json"}), 400, "malformed-body")
    assert_problem(service.post("/v1/jobs?bank_id=nowhere", json=ROWS), 404, "bank-not-found")
    assert_problem(service.post("/v1/jobs?item_id=nothing", json=ROWS), 404, "item-not-found")
    assert_problem(service.post("/v1/jobs?surplus=1", json=ROWS), 422, "invalid-request")
    assert_problem(service.post("/v1/jobs?name=b%00c", json=ROWS), 422, "invalid-request")
    too_long = json.dumps([{**ROWS[0], "note": "x" * 8_000_000}])
    assert_problem(
        service.post("/v1/jobs", content=too_long, headers={"content-type": "application/json"}), 413, "body-too-large"
    )


def test_upload_may_be_larger_than_other_bodies(service: TestClient) -> None:
    row = json.dumps({**ROWS[0], "note": "x" * 100_000}) + "\n"
    response = service.post("/v1/jobs", content=(row.encode() for _ in range(100)), headers=JSONL)
    assert response.json()["rows"] == 100


def test_more_rows_than_a_job_may_have_leave_nothing_behind(
    service: TestClient, assert_problem: AssertProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.intake.MAX_ROWS", 300)
    content = "item_id,candidate_answer\n" + "dropout,x\n" * 301
    assert_problem(service.post("/v1/jobs", content=content, headers=CSV), 422, "invalid-table")
    assert service.get("/v1/jobs?state=receiving").json()["jobs"] == []


def test_same_upload_twice_is_one_job(service: TestClient, assert_problem: AssertProblem) -> None:
    key = {"idempotency-key": "k1"}
    first = service.post("/v1/jobs", content=as_csv(ROWS), headers={**CSV, **key})
    again = service.post("/v1/jobs", content=as_csv(ROWS), headers={**CSV, **key})
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (202, first.json(), "true")
    assert_problem(service.post("/v1/jobs", content=as_csv(ROWS[:1]), headers={**CSV, **key}), 409, "idempotency-key-reused")
    assert len(service.get("/v1/jobs").json()["jobs"]) == 1


def test_jobs_are_listed_by_page(service: TestClient) -> None:
    ids = [queued(service)["id"] for _ in range(3)]
    page = service.get("/v1/jobs?limit=2").json()
    assert [job["id"] for job in page["jobs"]] == ids[:0:-1]
    rest = service.get(f"/v1/jobs?limit=2&cursor={page['next_cursor']}").json()
    assert ([job["id"] for job in rest["jobs"]], rest["next_cursor"]) == (ids[:1], None)
    assert service.get("/v1/jobs?state=finished").json()["jobs"] == []


def test_person_is_erased_from_jobs_too(service: TestClient, work: Work, database: Database) -> None:
    words = "xylophones are switched off"
    rows = [{**ROWS[0], "subject_id": "s1", "candidate_answer": words}, {**ROWS[0], "subject_id": "s2"}]
    graded, waiting = queued(service, rows), queued(service, [*rows, *rows])
    work.grade_chunk(graded["id"], 0, 0)
    assert service.delete("/v1/subjects/s1").json() == {"results": 0, "replays": 0, "job_rows": 3}
    work.grade_chunk(waiting["id"], 0, 0)
    for job, places in ((graded, [0]), (waiting, [0, 2])):
        sent = service.get(f"/v1/jobs/{job['id']}/results?format=jsonl")
        assert "xylophones" not in sent.text
        assert [n for n, row in enumerate(lines(sent)) if row.get("problem") == "The row was erased."] == places
    if database.is_sqlite:
        path = Path(str(database.url.database))
        assert all(b"xylophones" not in file.read_bytes() for file in path.parent.glob(path.name + "*"))


UNREADABLE = {
    "a number that is none": b'{"subject_id":"kim","candidate_answer":"secret","n":NaN}',
    "cut": b'{"candidate_answer":"secret","subject_id":"kim',
    "no object": b'["kim","secret"]',
    "no JSON": b"kim said: secret",
    "escaped": rb'{"subject_id":"k\u0069m","candidate_answer":"secret","n":NaN}',
    "UTF-16": '{"subject_id":"kim","candidate_answer":"secret"}'.encode("utf-16-le"),
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("is_graded", [True, False])
def test_line_that_cannot_be_read_is_erased_if_it_has_the_name(
    service: TestClient, work: Work, line: bytes, is_graded: bool
) -> None:
    other = b'{"subject_id":"bob","candidate_answer":"his own","n":NaN}'
    job = service.post("/v1/jobs", content=line + b"\n" + other, headers=JSONL).json()
    if is_graded:
        work.grade_chunk(job["id"], 0, 0)
    assert service.delete("/v1/subjects/kim").json()["job_rows"] == 1
    work.grade_chunk(job["id"], 0, 0)
    first, second = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert first == {"problem": "The row was erased."}
    assert second["input"] == other.decode()
    assert service.delete("/v1/subjects/kim").status_code == 404


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("kim", "dropout,I said, secret,kim"),
        ("kim", "dropout,secret,s,kim"),
        ("Doe, Kim", "dropout,secret,Doe, Kim"),
        ("Zoë", "dropout,secret,Zo\xeb"),
    ],
)
def test_row_of_csv_that_cannot_be_read_is_erased_if_it_has_the_name(
    service: TestClient, work: Work, name: str, row: str
) -> None:
    content = f"item_id,candidate_answer,subject_id\n{row}\ndropout,his own,bob,4\n".encode("latin-1")
    job = service.post("/v1/jobs", content=content, headers=CSV).json()
    # The number of a line is no name.
    assert service.delete("/v1/subjects/2").status_code == 404
    work.grade_chunk(job["id"], 0, 0)
    assert service.delete(f"/v1/subjects/{name}").json()["job_rows"] == 1
    rows = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert rows[0] == {"problem": "The row was erased."}
    assert rows[1]["candidate_answer"] == "his own"


@pytest.mark.parametrize("value", [7, 7.0])
@pytest.mark.parametrize("as_table", [json.dumps, as_parquet])
def test_whole_number_is_the_id_of_its_digits(
    service: TestClient, work: Work, value: float, as_table: Callable[[Any], str | bytes]
) -> None:
    rows = [{**ROWS[0], "subject_id": value, "attempt_id": value}, {**ROWS[0], "subject_id": None, "attempt_id": None}]
    media_type = PARQUET if as_table is as_parquet else {"content-type": "application/json"}
    job = service.post("/v1/jobs", params={"store": True}, content=as_table(rows), headers=media_type).json()
    work.grade_chunk(job["id"], 0, 0)
    assert [row.get("problem") for row in lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))] == [None, None]
    [stored] = service.get("/v1/results?subject_id=7&attempt_id=7").json()["results"]
    assert stored["candidate_answer"] == ANSWER
    assert service.delete("/v1/subjects/7").json() == {"results": 1, "replays": 0, "job_rows": 1}


def test_item_may_be_named_by_a_number(service: TestClient, work: Work) -> None:
    job = queued(service, [{"item_id": 7.0, "candidate_answer": ANSWER}])
    work.grade_chunk(job["id"], 0, 0)
    [row] = lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))
    assert "No item '7'" in row["problem"]


@pytest.mark.parametrize("value", [["kim"], {"id": "kim"}, 7.5, True])
def test_row_whose_id_is_none_is_erased_by_what_stands_there(service: TestClient, work: Work, value: Any) -> None:
    job = queued(service, [{**ROWS[0], "subject_id": value}, {**ROWS[0], "subject_id": None}])
    work.grade_chunk(job["id"], 0, 0)
    name = "kim" if isinstance(value, list | dict) else json.dumps(value)
    assert service.delete(f"/v1/subjects/{name}").json()["job_rows"] == 1
    assert "candidate_answer" not in lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl"))[0]


def test_answer_erased_while_it_is_graded_stays_erased(service: TestClient, work: Work) -> None:
    job = queued(service, [{**ROWS[0], "attempt_id": 7}], store=True)
    task = work._begin(job["id"], 0, 0)
    assert task is not None
    outcomes = work._outcomes(task)
    assert service.delete("/v1/results?attempt_id=7").json()["job_rows"] == 1
    work._write_down(task, outcomes, 1.0)
    assert lines(service.get(f"/v1/jobs/{job['id']}/results?format=jsonl")) == [{"problem": "The row was erased."}]
    assert service.get("/v1/results").json()["results"] == []


def test_jobs_are_deleted_one_by_one_and_by_age(service: TestClient, work: Work, assert_problem: AssertProblem) -> None:
    first, second = queued(service), queued(service)
    assert service.delete(f"/v1/jobs/{first['id']}").json() == {"rows": 4}
    assert_problem(service.get(f"/v1/jobs/{first['id']}"), 404, "job-not-found")
    assert service.delete("/v1/results?before=2100-01-01T00:00:00Z").json()["job_rows"] == 0, "it is at work"
    work.grade_chunk(second["id"], 0, 0)
    assert service.delete("/v1/results?before=2100-01-01T00:00:00Z").json()["job_rows"] == 4
    assert service.get("/v1/jobs").json()["jobs"] == []


def test_keys_need_the_right_scopes(service: TestClient, make_key: MakeKey, assert_problem: AssertProblem) -> None:
    grading, reading = make_key(Scope.GRADE), make_key(Scope.READ_RESULTS)
    job = service.post("/v1/jobs", json=ROWS, headers=grading).json()
    assert_problem(service.post("/v1/jobs", json=ROWS, headers=reading), 403, "scope-missing")
    assert_problem(service.get(f"/v1/jobs/{job['id']}", headers=grading), 403, "scope-missing")
    assert service.get(f"/v1/jobs/{job['id']}", headers=reading).status_code == 200
    assert_problem(service.delete(f"/v1/jobs/{job['id']}", headers=reading), 403, "scope-missing")


def test_key_over_its_limit_is_told_before_its_upload_is_read(
    service: TestClient, make_key: MakeKey, assert_problem: AssertProblem
) -> None:
    headers = make_key(Scope.GRADE, rate_limit="1/minute")
    assert service.post("/v1/jobs", json=ROWS, headers=headers).status_code == 202
    assert_problem(service.post("/v1/jobs", json=ROWS, headers=headers), 429, "rate-limited")


@pytest.fixture
def no_room_for_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.app._MAX_UPLOADS", 0)


def test_uploads_do_not_take_the_places_of_other_requests(
    no_room_for_uploads: None, service: TestClient, assert_problem: AssertProblem
) -> None:
    assert_problem(service.post("/v1/jobs", json=ROWS), 429, "busy")
    assert service.post("/v1/grades", json={"item_id": "dropout", "candidate_answer": ANSWER}).status_code == 200
