"""Grading for one tenant: one answer or many, and keeping the results where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from api.answers import RepeatedAnswers
from api.calibrated import Graders
from api.items import HeldAgainst, Items
from api.keys import Access
from api.metrics import Metrics
from api.problems import Location, Problem, problem_of, validation_problem
from api.results import NewResult, add_results
from api.schemas import BatchResult, BatchRow, GradeBatch, GradedAnswer, GradeRequest
from api.storage.database import Store
from api.tokens import narrowed
from api.usage import UsageLedger, note_use
from grader import GraderError, GradingResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """What it takes to grade answers for whoever is asking."""

    graders: Graders
    items: Items
    store: Store
    access: Access
    metrics: Metrics
    answers: RepeatedAnswers
    ledger: UsageLedger

    def grade(self, request: GradeRequest) -> GradedAnswer:
        """Grade one answer.

        Raises:
            ItemNotFoundError: If the bank has no item with the id.
            TokenMismatchError: If it is a token that asks, and is for something else.
        """
        if self.access.bound is not None:
            request = narrowed(request, self.access.bound)
        held = self.items.find(request)
        began = time.perf_counter()
        grader = self.graders.of(held)
        result = self.answers.grade(grader, self.access.tenant_id, held.gradable, request.candidate_answer)
        took_ms = (time.perf_counter() - began) * 1000
        return self._kept([(request, held)], [result], took_ms, store=None)[0]

    def grade_batch(self, batch: GradeBatch) -> BatchResult:
        """Grade what can be graded, in its order; each bad row gets a problem. Every distinct text is encoded once."""
        read = [read_row(self.items, row, ("body", "rows", index)) for index, row in enumerate(batch.rows)]
        good = [row for row in read if not isinstance(row, Problem)]
        began = time.perf_counter()
        graded = self.graders.grade_many([(held, request.candidate_answer) for request, held in good])
        # Answers of a batch are graded together, so each took its share.
        took_ms = (time.perf_counter() - began) * 1000 / max(1, len(good))
        answers = iter(self._kept(good, graded, took_ms, store=batch.store))
        rows = [
            BatchRow(index=index, problem=row) if isinstance(row, Problem) else BatchRow(index=index, result=next(answers))
            for index, row in enumerate(read)
        ]
        return BatchResult(graded=len(good), failed=len(read) - len(good), rows=rows)

    def _kept(
        self,
        asked: Sequence[tuple[GradeRequest, HeldAgainst]],
        graded: Sequence[GradingResult],
        took_ms: float,
        *,
        store: bool | None,
    ) -> list[GradedAnswer]:
        """Return graded answers in their order, counted, with the ids of those that were stored."""
        default = self.access.store_results if store is None else store
        new = [
            NewResult(held=held, request=request, result=result, grading_ms=took_ms)
            if (default if request.store is None else request.store)
            else None
            for (request, held), result in zip(asked, graded, strict=True)
        ]
        ids = iter(self._written([request for request, _ in asked], [each for each in new if each is not None]))
        self.metrics.graded(list(graded))
        return [
            GradedAnswer.of(result, request, next(ids) if each is not None else None)
            for (request, _), result, each in zip(asked, graded, new, strict=True)
        ]

    def _written(self, asked: Sequence[GradeRequest], new: Sequence[NewResult]) -> list[str]:
        """Count a request and store its results, both or neither, and return the ids of the results in order."""
        answers = [request.candidate_answer for request in asked]
        if not new:
            # Where nothing is stored, grading again does no harm, and counts as nothing carried out.
            if answers:
                self.ledger.note(self.access, answers)
            return []
        with self.store.write() as session:
            # In the order in which chunks of jobs do it, or two transactions could wait for each other.
            ids = add_results(session, new, key_name=self.access.name)
            note_use(session, self.access, answers)
            return ids


def read_row(items: Items, row: object, where: Location) -> tuple[GradeRequest, HeldAgainst] | Problem:
    """Return a row with what it is to be held against, or what is wrong with it, at a place of what was sent."""
    try:
        request = GradeRequest.model_validate(row)
        return request, items.find(request)
    except ValidationError as error:
        return validation_problem(error.errors(include_input=False, include_url=False), where)
    except GraderError as error:
        return problem_of(error, where)
