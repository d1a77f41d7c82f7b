"""The engine that hands the chunks of jobs to workers: DBOS, on the service's own database.

What is to be done stands in the tables of jobs alone. DBOS carries it out: its queue gives each chunk to one worker, retries what
fails, and keeps what a dead worker had until another takes it over. Handing a chunk out twice does no harm, since its outcomes
are written down once. DBOS knows one engine in a process, and so does this module.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import uuid4

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID, error
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from api.jobs.shapes import JobState
from api.jobs.work import Work
from api.storage.columns import now, oldest_id
from api.storage.database import Database
from api.storage.tables import Job, JobChunk, Worker
from api.webhooks.sending import Sender

# Where DBOS keeps its tables in a PostgreSQL database. Engines that share it share their work.
SYSTEM_SCHEMA = "dbos"
_QUEUE = "grading"
# While one chunk is encoded, which takes all cores, another one is read or written.
_CHUNKS_AT_ONCE = 2
# A look costs some milliseconds whether or not there is work, and the other chunk keeps the cores busy meanwhile.
_POLL_S = 0.25
_MESSAGES = "messages"
_MESSAGES_AT_ONCE = 8
_MESSAGES_POLL_S = 1.0
_MESSAGES_A_LOOK = 200
_OVER = ["SUCCESS", "ERROR", "CANCELLED"]
_REMEMBERED = timedelta(hours=1)
_FORGOTTEN_A_LOOK = 500
_ACTIVE = ["ENQUEUED", "PENDING", "DELAYED"]
# The largest number that DBOS takes; lower ones are served first.
_LAST_PRIORITY = 2**31 - 1
# Eight tries with doubling pauses last two minutes, longer than a database takes to restart.
_TRIES = 8
_LONGEST_UPLOAD = timedelta(hours=1)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FAULT = "The server could not go on ({reason}); its log says why. Resume the job when that is mended."
_LOST = "Rows of the job were handed out and lost. Resume the job to have them graded."
logger = logging.getLogger(__name__)

_engine: Engine | None = None


class ChunkError(Exception):
    """A chunk could not be graded; the message is the class of the error, and nothing else of it."""


class Engine:
    """One worker: it looks for queued jobs, grades their chunks, and takes over what dead workers had."""

    def __init__(self, work: Work, sender: Sender, *, beat_s: float = 2.0, lost_after_s: float = 15.0) -> None:
        """Set up a worker that does nothing yet.

        Args:
            work: What grades chunks.
            sender: What delivers messages to webhooks.
            beat_s: Seconds between two signs of life.
            lost_after_s: Seconds without one after which a worker is taken for dead.
        """
        self.work = work
        self.sender = sender
        self.id = str(uuid4())
        self._database = work.database
        self._beat_s = beat_s
        self._lost_after = timedelta(seconds=lost_after_s)
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._idle_looks: dict[str, int] = {}
        # Workflows that run in this process, and those that should and do not, with the time since when that is seen.
        self._in_hand: set[str] = set()
        self._dropped: dict[str, float] = {}

    def start(self) -> None:
        """Begin to work, in threads of its own.

        Raises:
            RuntimeError: If there is an engine in this process already.
        """
        global _engine  # noqa: PLW0603 functions that DBOS calls by name have nothing else to find it by
        if _engine is not None:
            raise RuntimeError("there is an engine in this process already")
        _engine = self
        try:
            self._launch()
        except BaseException:
            _engine = None
            DBOS.destroy()
            raise
        logger.info("Worker %s is ready for jobs.", self.id)

    def _launch(self) -> None:
        DBOS(config=_config(self._database, self.id))
        # Its lines go where all others go.
        log = logging.getLogger("dbos")
        log.handlers, log.propagate = [], True
        self._beat()
        DBOS.launch()
        DBOS.register_queue(_QUEUE, worker_concurrency=_CHUNKS_AT_ONCE, polling_interval_sec=_POLL_S)
        DBOS.register_queue(_MESSAGES, worker_concurrency=_MESSAGES_AT_ONCE, polling_interval_sec=_MESSAGES_POLL_S)
        acts = (("beat", self._beat), ("feed", self._feed), ("tell", self._tell), ("look-after", self._look_after))
        for name, act in acts:
            thread = Thread(target=self._repeat, args=(act,), name=f"jobs-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, grace_s: int = 20) -> None:
        """Finish the chunks in progress, or leave them to other workers after so many seconds."""
        global _engine  # noqa: PLW0603 as above
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        DBOS.destroy(workflow_completion_timeout_sec=grace_s)
        _engine = None
        if self.work.second is not None:
            self.work.second.close()
        # Taken for dead at once, so that nobody waits for what was left; without the database that takes its fifteen seconds.
        with suppress(SQLAlchemyError), self._database.system() as session:
            session.execute(update(Worker).where(Worker.id == self.id).values(seen_at=_LONG_AGO))

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """Note that the workflow that DBOS runs here is being worked on."""
        workflow_id = DBOS.workflow_id or ""
        self._in_hand.add(workflow_id)
        try:
            yield
        finally:
            self._in_hand.discard(workflow_id)

    def _repeat(self, act: Callable[[], None]) -> None:
        """Do something again and again until the engine stops, however often the database goes away."""
        while not self._stopping.wait(min(self._beat_s, 0.5) if act in (self._feed, self._tell) else self._beat_s):
            try:
                act()
            except SQLAlchemyError as failed:
                logger.warning("Jobs have to wait: the database is not available (%s).", type(failed).__name__)
            except Exception:
                logger.exception("Jobs have to wait.")

    def _beat(self) -> None:
        """Give a sign of life."""
        with self._database.system() as session:
            session.merge(Worker(id=self.id, seen_at=now()))

    def _feed(self) -> None:
        """Hand out the chunks of queued jobs. If two workers do so at once, or one again after a crash, nothing is doubled."""
        with self._database.system(read_only=True) as session:
            queued = session.execute(select(Job.id, Job.run).where(Job.state == JobState.QUEUED).order_by(Job.id)).all()
        for job_id, run in queued:
            with self._database.system(read_only=True) as session:
                open_chunks = select(JobChunk.number).where(JobChunk.job_id == job_id, JobChunk.summary.is_(None))
                numbers = list(session.scalars(open_chunks.order_by(JobChunk.number)))
            for number in numbers:
                # The first chunks of every job come first, so that a small one need not wait for a large one.
                with SetWorkflowID(_name(job_id, run, number)), SetEnqueueOptions(priority=min(number + 1, _LAST_PRIORITY)):
                    DBOS.enqueue_workflow(_QUEUE, _grade_chunk, job_id, number, run)
                if self._stopping.is_set():
                    return
            with self._database.system() as session:
                fed = update(Job).where(Job.id == job_id, Job.run == run, Job.state == JobState.QUEUED)
                session.execute(fed.values(state=JobState.RUNNING))

    def _tell(self) -> None:
        """Hand out the messages to webhooks that are due."""
        for delivery_id, in_round, attempts in self.sender.due(_MESSAGES_A_LOOK):
            with SetWorkflowID(f"{delivery_id}/{in_round}/{attempts}"):
                DBOS.enqueue_workflow(_MESSAGES, _deliver, delivery_id, in_round, attempts)

    def _look_after(self) -> None:
        """Take over what dead workers had, and notice jobs that nobody works on."""
        with self._database.system(read_only=True) as session:
            dead = list(session.scalars(select(Worker.id).where(Worker.seen_at < now() - self._lost_after)))
            running = session.execute(select(Job.id, Job.run).where(Job.state == JobState.RUNNING)).all()
        for worker_id in dead:
            self._take_over(worker_id)
        self._pick_up_what_was_dropped()
        self._forget_what_is_over()
        idle = [(job_id, run) for job_id, run in running if not self._is_active(job_id, run)]
        # Between a look at the job and a look at its chunks it may have been finished.
        self._idle_looks = {_name(*job): self._idle_looks.get(_name(*job), 0) + 1 for job in idle}
        for job_id, run in idle:
            if self._idle_looks[_name(job_id, run)] > 1:
                self.work.stop_job(job_id, run, _LOST)

    def _forget_what_is_over(self) -> None:
        """Delete what DBOS keeps of chunks and messages that are done: the tables of jobs and webhooks tell of them."""
        over = DBOS.list_workflows(
            status=_OVER,
            completed_before=(now() - _REMEMBERED).isoformat(),
            limit=_FORGOTTEN_A_LOOK,
            load_input=False,
            load_output=False,
        )
        if over:
            DBOS.delete_workflows([workflow.workflow_id for workflow in over])

    def _pick_up_what_was_dropped(self) -> None:
        """Hand out again what this worker let fall: DBOS could not write down how it ended, as the disk was full or away."""
        mine = DBOS.list_workflows(executor_id=self.id, status="PENDING", load_input=False, load_output=False)
        idle = {each.workflow_id: each.queue_name for each in mine if each.workflow_id not in self._in_hand}
        # Before it is run and after, a workflow is idle for a moment.
        self._dropped = {name: self._dropped.get(name, time.monotonic()) for name in idle}
        long_ago = time.monotonic() - self._lost_after.total_seconds()
        for name in [name for name, since in self._dropped.items() if since < long_ago]:
            logger.warning("Work that was let fall is handed out again.")
            DBOS.resume_workflow(name, queue_name=idle[name])
            del self._dropped[name]

    def _take_over(self, worker_id: str) -> None:
        """Hand out again what a dead worker had in hand."""
        left = DBOS.list_workflows(executor_id=worker_id, status="PENDING", load_input=False, load_output=False)
        for workflow in left:
            DBOS.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)
        with self._database.system() as session:
            session.execute(delete(Worker).where(Worker.id == worker_id))
            # What a server was receiving when it died never becomes a job; its client was told nothing.
            session.execute(delete(Job).where(Job.state == JobState.RECEIVING, Job.id < oldest_id(now() - _LONGEST_UPLOAD)))
        if left:
            logger.warning("Worker %s is gone; %d of its chunks are handed out again.", worker_id, len(left))

    def _is_active(self, job_id: str, run: int) -> bool:
        prefix = _name(job_id, run)
        found = DBOS.list_workflows(workflow_id_prefix=prefix, status=_ACTIVE, limit=1, load_input=False, load_output=False)
        return bool(found)


def _name(job_id: str, run: int, number: int | None = None) -> str:
    """Return the name of a chunk's workflow, or what the names of all of a job's begin with."""
    return f"{job_id}/{run}/{'' if number is None else number}"


def _config(database: Database, worker_id: str) -> DBOSConfig:
    return DBOSConfig(
        name="answer-grader",
        system_database_url=database.url.render_as_string(hide_password=False),
        dbos_system_schema=SYSTEM_SCHEMA,
        executor_id=worker_id,
        # One for all versions of the service: what a job is made of is understood by the next version too.
        application_version="1",
        log_level="WARNING",
        # Whoever can write to the database must not be able to run code here, as pickles would let them.
        serializer=DBOSPortableJSONSerializer(),
    )


def _running() -> Engine:
    if _engine is None:
        raise RuntimeError("there is no engine in this process")
    return _engine


@DBOS.step(name="grade_rows", retries_allowed=True, max_attempts=_TRIES, interval_seconds=1.0, backoff_rate=2.0)
def _grade_rows(job_id: str, number: int, run: int) -> None:
    try:
        _running().work.grade_chunk(job_id, number, run)
    except Exception as failed:
        logger.exception("A chunk of job %s could not be graded.", job_id)
        # DBOS keeps and logs what is raised here, and a message may repeat an answer: only its class goes on.
        raise ChunkError(type(failed).__name__) from None


@DBOS.step(name="stop_job", retries_allowed=True, max_attempts=_TRIES, interval_seconds=1.0, backoff_rate=2.0)
def _stop_job(job_id: str, run: int, reason: str) -> None:
    _running().work.stop_job(job_id, run, _FAULT.format(reason=reason))


@DBOS.workflow(name="grade_chunk")
def _grade_chunk(job_id: str, number: int, run: int) -> None:
    with _running().in_hand():
        _try_to_grade(job_id, number, run)


def _try_to_grade(job_id: str, number: int, run: int) -> None:
    try:
        _grade_rows(job_id, number, run)
    except error.DBOSMaxStepRetriesExceeded as tried:
        _stop_job(job_id, run, str(tried.errors[-1]))


@DBOS.step(name="send_message", retries_allowed=True, max_attempts=_TRIES, interval_seconds=1.0, backoff_rate=2.0)
def _send_message(delivery_id: str, in_round: int, attempts: int) -> None:
    _running().sender.attempt(delivery_id, in_round, attempts)


@DBOS.workflow(name="deliver")
def _deliver(delivery_id: str, in_round: int, attempts: int) -> None:
    with _running().in_hand():
        _send_message(delivery_id, in_round, attempts)
