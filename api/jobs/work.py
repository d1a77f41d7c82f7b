"""The rows of a chunk graded and written down, once, whatever becomes of those who try."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from opentelemetry.trace import Span
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, defer

from api.calibrated import Graders, LearntGraders
from api.grading import read_row
from api.items import HeldAgainst, Items
from api.jobs.chunks import pack_outcomes, unpack_rows
from api.jobs.erasure import ERASED, is_erased
from api.jobs.keys import pack_keys
from api.jobs.second_process import LEAST_ROWS, SecondProcess
from api.jobs.shapes import UNFINISHED, WORKING, JobInfo, JobState, Mapping
from api.jobs.summary import Summary
from api.keys import Access
from api.metrics import Metrics
from api.problems import Problem
from api.results import NewResult, add_results
from api.schemas import GradeRequest
from api.storage.columns import now
from api.storage.database import Database, Store
from api.storage.tables import Job, JobChunk, JobKeys
from api.tracing import chunk_span
from api.usage import note_use
from api.webhooks.book import announce
from api.webhooks.shapes import WebhookEvent
from grader import Grader, GradingResult, ItemBank
from grader.batch import BatchError
from grader.batch.output import outcome_json
from grader.batch.rows import Row

# A chunk that was begun so often and never finished may hold a row that ends the process: its rows are then graded one by one.
_HASTY_ATTEMPTS = 3
# Where a field is that cannot be read, as the first part of its place.
ROW = "row"
FAILED_ALONE = "The row could not be graded; the server's log says why."
OTHER_BANK = "bank_id names another bank than that of the job; a job is for one bank."
GIVEN_UP = "The row was given up: grading it ended the worker."
logger = logging.getLogger(__name__)

Pair = tuple[HeldAgainst, str]
Graded = tuple[GradeRequest, HeldAgainst, GradingResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A chunk that is to be graded, as it was when it was begun."""

    job_id: str
    number: int
    tenant_id: str
    access: Access
    bank_id: str
    mapping: Mapping
    rows: Sequence[Row]
    given_up: frozenset[int]
    one_by_one: bool
    is_of_a_large_job: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What it takes to grade the rows of anybody's jobs."""

    database: Database
    bank: ItemBank
    grader: Grader
    metrics: Metrics
    learnt: LearntGraders = field(default_factory=LearntGraders)
    # Shares the chunks of large jobs with this process.
    second: SecondProcess | None = None
    # Chunks whose grading failed here without ending the process, so that no row of them is to blame for that.
    _survived: set[tuple[str, int]] = field(default_factory=set)

    def grade_chunk(self, job_id: str, number: int, run: int) -> None:
        """Grade the rows of a chunk and write down what became of them, unless that is done or no longer wanted."""
        with chunk_span(job_id, number, run) as span:
            self._grade(job_id, number, run, span)

    def _grade(self, job_id: str, number: int, run: int, span: Span) -> None:
        task = self._begin(job_id, number, run)
        if task is None:
            return
        span.set_attribute("grader.chunk.rows", len(task.rows))
        try:
            began = time.perf_counter()
            outcomes = self._outcomes(task)
            took_ms = (time.perf_counter() - began) * 1000 / len(outcomes)
            self._write_down(task, outcomes, took_ms)
        except Exception:
            self._survived.add((job_id, number))
            # For another process, should this one not come back to the chunk; what failed may be the database itself.
            with suppress(SQLAlchemyError):
                self._suspect(task, None)
            raise
        self._survived.discard((job_id, number))

    def stop_job(self, job_id: str, run: int, problem: str) -> None:
        """End the work on a job because of a fault of the server; it can be resumed."""
        with self.database.system() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is not None and job.run == run and job.state in WORKING:
                job.state, job.problem = JobState.STOPPED, problem
            # Who resumes the job may be another process, which does not know that no row ended this one.
            survived = [number for of_job, number in self._survived if of_job == job_id]
            chunks = update(JobChunk).where(JobChunk.job_id == job_id, JobChunk.number.in_(survived))
            session.execute(chunks.values(suspect=None))

    def _begin(self, job_id: str, number: int, run: int) -> _Task | None:
        """Note that a chunk is begun, and return it; None if there is nothing to do."""
        with self.database.system() as session:
            job = session.get(Job, job_id)
            if job is None or job.run != run or job.state not in WORKING:
                return None
            chunk = session.get(JobChunk, (job_id, number), with_for_update=True, options=[defer(JobChunk.output)])
            if chunk is None or chunk.summary is not None:
                return None
            given_up: list[int] = json.loads(chunk.given_up)
            if chunk.suspect is not None and (job_id, number) not in self._survived:
                given_up.append(chunk.suspect)
                chunk.given_up = json.dumps(given_up)
            chunk.suspect = None
            chunk.attempts += 1
            return _Task(
                job_id=job_id,
                number=number,
                tenant_id=job.tenant_id,
                access=_access_of(job),
                bank_id=job.bank_id,
                mapping=Mapping.model_validate_json(job.mapping),
                rows=unpack_rows(chunk.input),
                given_up=frozenset(given_up),
                one_by_one=chunk.attempts > _HASTY_ATTEMPTS,
                is_of_a_large_job=job.rows >= LEAST_ROWS,
            )

    def _outcomes(self, task: _Task) -> list[Graded | str]:
        """Return what becomes of each row: its result, or a sentence that says why there is none."""
        store = Store(self.database, task.tenant_id)
        second = self.second if task.is_of_a_large_job else None
        graders = Graders(general=self.grader, learnt=self.learnt, store=store, second=second)
        items = Items(self.bank, store)
        read = [GIVEN_UP if n in task.given_up else _read(items, task, row) for n, row in enumerate(task.rows)]
        good = [(n, each) for n, each in enumerate(read) if not isinstance(each, str)]
        pairs = [(n, (held, request.candidate_answer)) for n, (request, held) in good]
        results = dict(zip((n for n, _ in pairs), self._results(task, graders, pairs), strict=True))
        return [each if isinstance(each, str) else _joined(each, results[n]) for n, each in enumerate(read)]

    def _results(self, task: _Task, graders: Graders, pairs: Sequence[tuple[int, Pair]]) -> Sequence[GradingResult | str]:
        if not task.one_by_one:
            try:
                return graders.grade_many([pair for _, pair in pairs])
            except BatchError:
                # Whatever ended the second process could end this one as well: another attempt, and then row by row.
                raise
            except Exception:
                logger.exception("A chunk could not be graded in one go.")
        alone = [self._alone(task, graders, number, pair) for number, pair in pairs]
        if task.one_by_one:
            # None of them ended the process: whatever goes wrong from here on, no row is to blame.
            self._suspect(task, None)
        return alone

    def _alone(self, task: _Task, graders: Graders, number: int, pair: Pair) -> GradingResult | str:
        if task.one_by_one:
            self._suspect(task, number)
        try:
            return graders.grade(*pair)
        except Exception:
            logger.exception("A row of a job could not be graded.")
            return FAILED_ALONE

    def _suspect(self, task: _Task, number: int | None) -> None:
        """Note which row is graded now, so that it is known should that end the process."""
        with self.database.system() as session:
            session.execute(update(JobChunk).where(*_named(task)).values(suspect=number))

    def _write_down(self, task: _Task, outcomes: Sequence[Graded | str], took_ms: float) -> None:
        """Write down the outcomes of a chunk, unless another worker was faster; its counts and results go with them."""
        with Store(self.database, task.tenant_id).write() as session:
            chunk = session.get(JobChunk, (task.job_id, task.number), with_for_update=True, options=[defer(JobChunk.output)])
            if chunk is None or chunk.summary is not None:
                return
            # A person may have been erased since the rows were read.
            rows = unpack_rows(chunk.input)
            kept = [ERASED if is_erased(row) else each for row, each in zip(rows, outcomes, strict=True)]
            graded = [each for each in kept if not isinstance(each, str)]
            lines = [outcome_json(each if isinstance(each, str) else each[2]) for each in kept]
            summary = Summary.of(None if isinstance(each, str) else (each[1].item_id or "", each[2]) for each in kept)
            chunk.output, chunk.summary, chunk.suspect = pack_outcomes(lines), summary.text(), None
            results = [None if isinstance(each, str) else (each[1].item_id or "", asdict(each[2])) for each in kept]
            keys = pack_keys(task.job_id, task.mapping, rows, results)
            session.merge(JobKeys(tenant_id=task.tenant_id, job_id=task.job_id, number=task.number, keys=keys))
            if task.access.store_results:
                new = [NewResult(held=h, request=request, result=r, grading_ms=took_ms) for request, h, r in graded]
                add_results(session, new, key_name=task.access.name)
            if graded:
                note_use(session, task.access, [request.candidate_answer for request, _, _ in graded])
            _count(session, task.job_id, len(kept), summary)
        self.metrics.graded([result for _, _, result in graded])
        self.metrics.job_rows(graded=len(graded), failed=len(kept) - len(graded))


def _count(session: Session, job_id: str, rows: int, summary: Summary) -> None:
    """Add a chunk to what is done of its job, which with its last one is finished."""
    # Added up by the database: two workers may finish chunks at once.
    added = {
        Job.rows_done: Job.rows_done + rows,
        Job.rows_failed: Job.rows_failed + summary.failed,
        Job.rows_for_review: Job.rows_for_review + summary.for_review,
    }
    session.execute(update(Job).where(Job.id == job_id).values(added).execution_options(synchronize_session=False))
    job = session.get_one(Job, job_id, populate_existing=True)
    if job.rows_done == job.rows and job.state in UNFINISHED:
        job.state, job.finished_at, job.problem = JobState.FINISHED, now(), None
        session.flush()
        announce(session, WebhookEvent.JOB_FINISHED, JobInfo.of(job).model_dump(mode="json", exclude={"columns"}))


def _read(items: Items, task: _Task, row: Row) -> tuple[GradeRequest, HeldAgainst] | str:
    """Return a row with what it is to be held against, or a sentence that says why it cannot be."""
    if row.problem is not None:
        return row.problem
    if row.values.get("bank_id") not in (None, "", task.bank_id):
        # Both banks may have an item with the id.
        return OTHER_BANK
    read = read_row(items, {"bank_id": task.bank_id, **task.mapping.asked(row.values)}, (ROW,))
    return read.detail if isinstance(read, Problem) else read


def _joined(asked: tuple[GradeRequest, HeldAgainst], result: GradingResult | str) -> Graded | str:
    return result if isinstance(result, str) else (*asked, result)


def _named(task: _Task) -> tuple[Any, ...]:
    return JobChunk.job_id == task.job_id, JobChunk.number == task.number


def _access_of(job: Job) -> Access:
    """Return whom a job's answers are graded for."""
    return Access(
        tenant_id=job.tenant_id, key_id=job.key_id, name=job.key_name, scopes=frozenset(), store_results=job.store_results
    )
