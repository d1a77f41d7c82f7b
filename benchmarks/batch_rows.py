"""How long a page of a batch's rows takes: `python -m benchmarks.batch_rows --rows 100000`.

The rows are made up and nothing is graded: outcomes of one answer with scores of every kind are put into a database as a worker
would put them. Each way of asking is timed on its own, the best and the worst of five.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from api.jobs.book import Jobs
from api.jobs.chunks import CHUNK_ROWS, pack_outcomes, pack_rows
from api.jobs.keys import pack_keys
from api.jobs.shapes import JobState, Mapping, RowFilter, RowKind, RowSort
from api.jobs.summary import Summary
from api.storage import migrations
from api.storage.columns import new_id
from api.storage.database import Database, Store, parse_url
from api.storage.tables import Job, JobChunk, JobKeys, Tenant
from grader import Flag
from grader.batch.rows import Row

_TIMES = 5
_ITEMS = 30
_ASKED = {
    "in the table's order": RowFilter(),
    "lowest scores first": RowFilter(sort=RowSort.SCORE),
    "lowest scores first, page 1,000": RowFilter(sort=RowSort.SCORE, first=50_001),
    "of one item": RowFilter(item_id="item-7", sort=RowSort.SCORE),
    "for review, by item": RowFilter(only=RowKind.FOR_REVIEW, sort=RowSort.ITEM),
    "with a text that few rows hold": RowFilter(q="answer 99 ", sort=RowSort.SCORE),
    "with a text that no row holds": RowFilter(q="zebra", sort=RowSort.SCORE),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a database and print what the pages take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args(arguments).rows
    with tempfile.TemporaryDirectory() as folder:
        database = Database(parse_url(f"sqlite:///{Path(folder) / 'rows.sqlite'}"))
        migrations.upgrade(database)
        with database.system() as session:
            session.add(Tenant(id="local"))
        store = Store(database, "local")
        job_id = _fill(store, rows)
        jobs = Jobs(store)
        lines = [(name, *_timed(partial(jobs.rows, job_id, wanted))) for name, wanted in _ASKED.items()]
        lines.append(("summary with discriminations", *_timed(partial(jobs.summary, job_id))))
        database.close()
    for name, best, worst in [("asked", "best ms", "worst ms"), *lines]:
        print(f"{name:<36}{best:>10}{worst:>10}")


def _timed(ask: Callable[[], object]) -> tuple[str, str]:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    return f"{min(took):.0f}", f"{max(took):.0f}"


def _fill(store: Store, rows: int) -> str:
    """Put a job into the database as workers leave it, and return its id."""
    rng = random.Random(0)  # noqa: S311 nothing is secret
    job_id = new_id()
    job = Job(
        id=job_id,
        name="",
        state=JobState.FINISHED,
        key_id="",
        key_name="",
        store_results=False,
        bank_id="shipped",
        columns="[]",
        mapping=Mapping().model_dump_json(),
        rows=rows,
        rows_done=rows,
    )
    with store.write() as session:
        session.add(job)
    for number, first in enumerate(range(0, rows, CHUNK_ROWS)):
        table = [_row(n) for n in range(first, min(rows, first + CHUNK_ROWS))]
        results = [(str(row.values["item_id"]), _result(rng)) for row in table]
        chunk = JobChunk(
            job_id=job_id,
            number=number,
            first_row=first,
            rows=len(table),
            input=pack_rows(table),
            output=pack_outcomes([json.dumps({"result": result}) for _, result in results]),
            summary=Summary().text(),
        )
        keys = pack_keys(job_id, Mapping(), table, results)
        with store.write() as session:
            session.add(chunk)
            session.add(JobKeys(job_id=job_id, number=number, keys=keys))
    return job_id


def _row(n: int) -> Row:
    answer = f"This is answer {n} to its question, with about as many words as learners write when they know something of it."
    return Row(values={"item_id": f"item-{n % _ITEMS}", "candidate_answer": answer, "subject_id": f"s{n // _ITEMS}"})


def _result(rng: random.Random) -> dict[str, object]:
    score = rng.random()
    flags = [Flag.TOO_SHORT.value] if score < 0.1 else []  # noqa: PLR2004 some of them
    points = [{"id": f"point-{n}", "verdict": "covered", "weight": 1, "similarity": score, "evidence": []} for n in range(4)]
    return {"score": score, "mark": score * 10, "max_mark": 10, "flags": flags, "needs_review": score < 0.2, "key_points": points}  # noqa: PLR2004


if __name__ == "__main__":
    main()
