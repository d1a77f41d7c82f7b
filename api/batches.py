"""A batch of rows: the good ones are graded together, the bad ones each get a problem of their own."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from api.problems import Problem, problem_of, validation_problem
from api.schemas import BatchResult, BatchRow, GradedAnswer, GradeRequest
from grader import Gradable, Grader, GraderError, ItemBank


def grade_rows(rows: Sequence[object], grader: Grader, bank: ItemBank) -> BatchResult:
    """Grade what can be graded; order is kept. Every distinct text of the batch is encoded once."""
    read = [_read(row, index, bank) for index, row in enumerate(rows)]
    good = [(gradable, request.candidate_answer) for gradable, request in (r for r in read if not isinstance(r, Problem))]
    results = iter(grader.grade_many(good))
    outcomes = [
        BatchRow(index=index, problem=row)
        if isinstance(row, Problem)
        else BatchRow(index=index, result=GradedAnswer.of(next(results), row[1]))
        for index, row in enumerate(read)
    ]
    return BatchResult(graded=len(good), failed=len(read) - len(good), rows=outcomes)


def _read(row: object, index: int, bank: ItemBank) -> tuple[Gradable, GradeRequest] | Problem:
    """Return a row with what it is to be held against, or what is wrong with it."""
    where = ("body", "rows", index)
    try:
        request = GradeRequest.model_validate(row)
        return request.gradable(bank), request
    except ValidationError as error:
        return validation_problem(error.errors(include_input=False, include_url=False), where)
    except GraderError as error:
        return problem_of(error, where)
