"""Answers that come again: one that was graded a moment ago, or is being graded now, is not graded a second time.

Classes send the same short answers over and over, and clients send a request twice. A result is the same to the byte for the same
item, answer and signature, so it can be given again. It is kept for minutes and in memory only: it quotes the answer, which is
somebody's. Tenants do not share: how fast an answer comes would tell one what another has sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from cachetools import TTLCache

from grader import Gradable, Grader, GradingResult

_KEPT = 256
_KEPT_S = 600.0
# Longer answers hardly come twice, and their results quote them.
_LONGEST_KEPT_CHARS = 4_000


class RepeatedAnswers:
    """Grades, remembering. Safe to use from several threads.

    `hits`, `joined` and `graded` count the answers that were there, that another request was at, and the others.
    """

    def __init__(self, *, kept: int = _KEPT, kept_s: float = _KEPT_S, looked_up: Callable[[bool], None] = lambda _: None) -> None:
        """Start empty.

        Args:
            kept: Results at most.
            kept_s: Seconds that one is kept.
            looked_up: Is told for each answer whether it need not be graded again.
        """
        self._looked_up = looked_up
        self._results: TTLCache[bytes, GradingResult] = TTLCache(kept, kept_s)
        self._under_way: dict[bytes, Future[GradingResult]] = {}
        self._lock = Lock()
        self.hits = self.joined = self.graded = 0

    def grade(self, grader: Grader, tenant_id: str, item: Gradable, candidate_answer: str) -> GradingResult:
        """Return the result of one answer, as `Grader.grade` does, with its errors."""
        parts = (grader.signature, tenant_id, item.content_hash, candidate_answer)
        # No part but the last, the only one that a client chooses freely, can hold a NUL.
        key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            known = self._results.get(key)
            self._looked_up(known is not None or key in self._under_way)
            if known is not None:
                self.hits += 1
                return known
            others = self._under_way.get(key)
            if others is None:
                mine = self._under_way[key] = Future()
                self.graded += 1
            else:
                self.joined += 1
        if others is not None:
            return others.result()
        return self._grade(key, mine, grader, item, candidate_answer)

    def _grade(
        self, key: bytes, mine: Future[GradingResult], grader: Grader, item: Gradable, candidate_answer: str
    ) -> GradingResult:
        try:
            result = grader.grade(item, candidate_answer)
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._under_way[key]
            if len(candidate_answer) <= _LONGEST_KEPT_CHARS:
                self._results[key] = result
        mine.set_result(result)
        return result
