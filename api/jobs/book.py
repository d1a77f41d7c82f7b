"""The jobs of one tenant: listed, steered, summed up, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from api.errors import JobNotFoundError, JobStateError
from api.jobs.chunks import unpack_outcomes, unpack_rows
from api.jobs.discrimination import discriminations
from api.jobs.keys import FAILED, read_keys
from api.jobs.listing import is_wanted, rows_of, sorted_rows
from api.jobs.shapes import (
    UNFINISHED,
    WORKING,
    Deleted,
    GradedRow,
    JobFilter,
    JobInfo,
    JobPage,
    JobState,
    JobSummary,
    Mapping,
    RowFilter,
    RowPage,
    RowSort,
)
from api.jobs.summary import Summary
from api.storage.columns import now
from api.storage.database import Store
from api.storage.tables import Job, JobChunk
from grader.batch.rows import Row

_SUMMARIES_AT_ONCE = 500
# A chunk is unpacked and read in a few milliseconds.
_CHUNKS_A_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of the tenant that a store belongs to."""

    store: Store

    def get(self, job_id: str) -> JobInfo:
        """Return a job.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
        """
        with self.store.read() as session:
            return JobInfo.of(_find(session, job_id))

    def mapping(self, job_id: str) -> Mapping:
        """Return which columns of a job's table hold what.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
        """
        with self.store.read() as session:
            return Mapping.model_validate_json(_find(session, job_id).mapping)

    def page(self, wanted: JobFilter) -> JobPage:
        """Return jobs, newest first, from a cursor on."""
        query = select(Job).order_by(Job.id.desc()).limit(wanted.limit + 1)
        query = query.where(Job.state != JobState.RECEIVING) if wanted.state is None else query.where(Job.state == wanted.state)
        if wanted.cursor is not None:
            query = query.where(Job.id < wanted.cursor)
        with self.store.read() as session:
            rows = session.scalars(query).all()
        shown = rows[: wanted.limit]
        more = len(rows) > wanted.limit
        return JobPage(jobs=[JobInfo.of(row) for row in shown], next_cursor=shown[-1].id if more else None)

    def pause(self, job_id: str) -> JobInfo:
        """Hand out no more rows of a job; what is being graded is finished.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
            JobStateError: If the job is not at work.
        """
        return self._change(job_id, JobState.PAUSED, frm=WORKING, wish="be paused")

    def cancel(self, job_id: str) -> JobInfo:
        """End a job for good; the rows that are graded stay.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
            JobStateError: If the job has ended already.
        """
        return self._change(job_id, JobState.CANCELLED, frm=UNFINISHED, wish="be cancelled")

    def resume(self, job_id: str) -> JobInfo:
        """Go on with a job that was paused or stopped.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
            JobStateError: If the job is neither.
        """
        return self._change(job_id, JobState.QUEUED, frm=UNFINISHED - WORKING, wish="be resumed")

    def delete(self, job_id: str) -> Deleted:
        """Delete a job with its rows and results; results that were stored by themselves stay.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
        """
        with self.store.write() as session:
            rows = _find(session, job_id).rows
            session.execute(delete(Job).where(Job.id == job_id))
        self.store.database.forget()
        return Deleted(rows=rows)

    def summary(self, job_id: str) -> JobSummary:
        """Return what came of a job, as far as it is.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
        """
        total = Summary()
        with self.store.read() as session:
            job = _find(session, job_id)
            query = select(JobChunk.summary).where(JobChunk.job_id == job_id, JobChunk.summary.is_not(None))
            for text in session.scalars(query.execution_options(yield_per=_SUMMARIES_AT_ONCE)):
                total.add(Summary.read(text or ""))
            keys = read_keys(session, job_id, Mapping.model_validate_json(job.mapping))
            rows = job.rows
        graded = keys.kind != FAILED
        figures = discriminations(keys.subject[graded], keys.item[graded], keys.score[graded], len(keys.items))
        return total.shape(rows=rows, discrimination=dict(zip(keys.items, figures, strict=True)))

    def graded(self, job_id: str) -> Iterator[Sequence[tuple[Row, str]]]:
        """Yield the rows that are done, with what became of each as a line of JSON, in the order of the table.

        No transaction stays open between chunks, however slowly they are read.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
        """
        with self.store.read() as session:
            _find(session, job_id)
        columns = (JobChunk.number, JobChunk.input, JobChunk.output)
        query = select(*columns).where(JobChunk.job_id == job_id, JobChunk.output.is_not(None)).order_by(JobChunk.number)
        seen = -1
        while True:
            with self.store.read() as session:
                found = session.execute(query.where(JobChunk.number > seen).limit(1)).first()
            if found is None:
                return
            seen, rows, outcomes = found
            yield list(zip(unpack_rows(rows), unpack_outcomes(outcomes or b""), strict=True))

    def rows(self, job_id: str, wanted: RowFilter) -> RowPage:
        """Return rows that are done, from one on. After a long search without enough of them it says where to go on.

        Raises:
            JobNotFoundError: If the tenant has none with the id.
            InvalidTableError: If a text is to be found in too many rows to sort them.
        """
        if wanted.sort is not RowSort.ROW or wanted.item_id is not None or wanted.flag is not None:
            with self.store.read() as session:
                keys = read_keys(session, job_id, Mapping.model_validate_json(_find(session, job_id).mapping))
            return sorted_rows(self.store, job_id, keys, wanted)
        found: list[GradedRow] = []
        at = wanted.first
        for number in self._chunks_from(job_id, wanted):
            with self.store.read() as session:
                chunk = session.get(JobChunk, (job_id, number))
            if chunk is None or chunk.output is None:
                continue
            for row in rows_of(chunk):
                if row.number < wanted.first or not is_wanted(row, wanted):
                    continue
                if len(found) == wanted.limit:
                    return RowPage(rows=found, next_first=row.number, total=None)
                found.append(row)
            at = chunk.first_row + chunk.rows + 1
        more = at > wanted.first and at <= self.get(job_id).rows
        return RowPage(rows=found, next_first=at if more else None, total=None)

    def _chunks_from(self, job_id: str, wanted: RowFilter) -> Sequence[int]:
        """Return the chunks to look into, by number: no more than can be looked into while somebody waits."""
        with self.store.read() as session:
            _find(session, job_id)
            query = select(JobChunk.number).where(JobChunk.job_id == job_id, JobChunk.summary.is_not(None))
            query = query.where(JobChunk.first_row + JobChunk.rows >= wanted.first).order_by(JobChunk.number)
            return session.scalars(query.limit(_CHUNKS_A_SEARCH)).all()

    def _change(self, job_id: str, state: JobState, *, frm: frozenset[JobState], wish: str) -> JobInfo:
        with self.store.write() as session:
            job = _find(session, job_id, lock=True)
            if job.state not in frm:
                raise JobStateError(wish, job.state)
            job.state = state
            if state is JobState.QUEUED:
                job.run, job.problem = job.run + 1, None
                job.begun_at, job.begun_rows = now(), job.rows_done
            if state is JobState.CANCELLED:
                job.finished_at = now()
            session.flush()
            return JobInfo.of(job)


def rows_waiting(session: Session) -> int:
    """Return how many rows of all jobs at work are not done yet; for a session that sees every tenant."""
    query = select(func.coalesce(func.sum(Job.rows - Job.rows_done), 0)).where(Job.state.in_(WORKING))
    return int(session.scalar(query) or 0)


def _find(session: Session, job_id: str, *, lock: bool = False) -> Job:
    job = session.get(Job, job_id, with_for_update=lock)
    if job is None or job.state == JobState.RECEIVING:
        raise JobNotFoundError(job_id)
    return job
