"""Counts and times for Prometheus. Nothing here names a tenant, a person or an answer."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from grader import Cache, GradingResult

_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The measures of one server; its grader's observer too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter("grader_requests", "Requests answered.", (*labels, "status"), registry=self.registry)
        self._seconds = Histogram(
            "grader_request_seconds", "Seconds until an answer was sent.", labels, buckets=_SECONDS, registry=self.registry
        )
        self._graded = Counter("grader_answers_graded", "Candidate answers graded.", registry=self.registry)
        self._for_review = Counter(
            "grader_answers_for_review", "Of those, the ones that a person should look at.", registry=self.registry
        )
        self._reviews = Counter("grader_reviews", "Decisions of people about results.", ("decision",), registry=self.registry)
        self._encoder_batch = Histogram(
            "grader_encoder_batch_texts", "Texts in one call of the encoder.", buckets=_TEXTS, registry=self.registry
        )
        self._lookups = Counter(
            "grader_cache_lookups", "What was looked up before it is made.", ("cache", "outcome"), registry=self.registry
        )
        self._job_rows = Counter("grader_job_rows", "Rows of jobs that are done.", ("outcome",), registry=self.registry)
        self.rows_waiting = Gauge(
            "grader_job_rows_waiting", "Rows of jobs at work that are not done, on all servers together.", registry=self.registry
        )
        self.messages_waiting = Gauge(
            "grader_webhook_messages_waiting", "Messages to webhooks not delivered yet, on all servers.", registry=self.registry
        )
        self.waiting = Gauge("grader_waiting", "Grading requests that wait for a place.", registry=self.registry)
        self.in_flight = Gauge("grader_in_flight", "Grading requests in progress.", registry=self.registry)

    def answered(self, *, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(took_s)

    def graded(self, results: list[GradingResult]) -> None:
        """Count answers."""
        self._graded.inc(len(results))
        self._for_review.inc(sum(result.needs_review for result in results))

    def job_rows(self, *, graded: int, failed: int) -> None:
        """Count rows of a job."""
        self._job_rows.labels("graded").inc(graded)
        self._job_rows.labels("failed").inc(failed)

    def reviewed(self, decision: str) -> None:
        """Count a person's decision."""
        self._reviews.labels(decision).inc()

    def encoded(self, passages: int) -> None:
        """Count a call of the encoder."""
        self._encoder_batch.observe(passages)

    def looked_up(self, cache: Cache, *, hits: int, misses: int) -> None:
        """Count what was found in a cache, and what was not."""
        self._lookups.labels(cache, "hit").inc(hits)
        self._lookups.labels(cache, "miss").inc(misses)

    def looked_up_answer(self, is_known: bool) -> None:
        """Count an answer that was graded a moment ago, or that was not."""
        self._lookups.labels("answers", "hit" if is_known else "miss").inc()

    def page(self) -> bytes:
        """Return all measures in the format that Prometheus reads."""
        return generate_latest(self.registry)
