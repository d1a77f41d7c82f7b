"""Grade a file of answers that people have marked, and measure how well the grader agrees with them.

The file is read line by line and graded in chunks, so its size does not matter. Where rows carry labels, these are compared
too: an answer counts as correct from a score of .5, and below it as contradictory if it is flagged as contradicting a reference.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from grader import agreement
from grader.errors import MarkedDataError
from grader.grader import Grader
from grader.jsonl import read_lines
from grader.marked_rows import MarkedRow, marked_rows
from grader.results import Flag, GradingResult

# QWK needs discrete marks, and a file of scores in [0, 1] does not say which: both sides are rounded to 0, 1, ... 10.
QWK_SCALE = 10
# The score from which an answer is called correct in the two- and three-way measures.
CORRECT_FROM = 0.5
# Rows graded at once: enough to keep every core busy, little enough to see progress.
_CHUNK = 64
# Problems that a report quotes; all of them are counted, and each stands in the predictions.
_QUOTED_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Why one line could not be graded or measured. Lines count from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAgreement:
    """Agreement on labels over `n` answers: `accuracy` and `macro_f1`, both in [0, 1]."""

    n: int
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """Agreement on one split of one data set, or on everything.

    `rows` is how many lines there are, `problems` how many of them have one, `n` how many were graded and have a human score.
    A measure is None where it is not defined: without measured answers, or (`pearson`, `qwk`) if the marks do not vary. `qwk`
    is over scores rounded to the eleven marks 0 to 10.
    """

    dataset: str
    split: str
    rows: int
    problems: int
    n: int
    wrmse: float | None
    rmse: float | None
    mae: float | None
    pearson: float | None
    qwk: float | None
    two_way: LabelAgreement | None
    three_way: LabelAgreement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """Agreement per data set and split, in the order of the file, and over all rows; with the signature of what graded."""

    signature: str
    groups: tuple[GroupReport, ...]
    overall: GroupReport
    problems: tuple[RowProblem, ...]

    def to_dict(self) -> dict[str, Any]:  # Any: JSON
        """Return the report as plain JSON values, in the order of the fields."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the report as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class _Tally:
    """What is kept of a group's rows: a few bytes each."""

    rows: int = 0
    problems: int = 0
    human: array[float] = field(default_factory=lambda: array("d"))
    system: array[float] = field(default_factory=lambda: array("d"))
    two_way: list[tuple[str, str]] = field(default_factory=list)
    three_way: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: MarkedRow, result: GradingResult | None) -> None:
        """Count a row and, if it was graded, compare it with what people said."""
        self.rows += 1
        self.problems += row.problem is not None
        if result is None:
            return
        if row.human_score is not None:
            self.human.append(row.human_score)
            self.system.append(result.score)
        correct = result.score >= CORRECT_FROM
        contradictory = not correct and Flag.CONTRADICTS_REFERENCE in result.flags
        if row.label_2way is not None:
            self.two_way.append((row.label_2way, "correct" if correct else "incorrect"))
        if row.label_3way is not None:
            label = "correct" if correct else "contradictory" if contradictory else "incorrect"
            self.three_way.append((row.label_3way, label))

    def report(self, dataset: str, split: str) -> GroupReport:
        """Return the measures over the rows so far."""
        human, system = np.asarray(self.human), np.asarray(self.system)
        measured = len(human) > 0
        return GroupReport(
            dataset=dataset,
            split=split,
            rows=self.rows,
            problems=self.problems,
            n=len(human),
            wrmse=agreement.wrmse(human, system) if measured else None,
            rmse=agreement.rmse(human, system) if measured else None,
            mae=agreement.mae(human, system) if measured else None,
            pearson=_defined(agreement.pearson(human, system)) if measured else None,
            qwk=_defined(agreement.qwk(_eleven_marks(human), _eleven_marks(system))) if measured else None,
            two_way=_label_agreement(self.two_way),
            three_way=_label_agreement(self.three_way),
        )


def evaluate(
    grader: Grader,
    path: Path,
    *,
    predictions: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> EvaluationReport:
    """Grade a file of marked answers and compare the scores with people's.

    A row without a human score is graded but not measured. A row that cannot be used is counted and reported, never lost: it
    has its line in the predictions, with a `score` of null and a `problem`.

    Args:
        grader: What grades.
        path: The JSONL file; its size does not matter.
        predictions: File to write, one line for every line read and in the same order: what identifies the row, and `score`
            as the result has it, not rounded.
        on_progress: Called with the number of lines done so far, after every chunk.

    Raises:
        MarkedDataError: If the file cannot be read, holds no line, or is the one to write to.
    """
    overall, groups = _Tally(), dict[tuple[str, str], _Tally]()
    quoted: list[RowProblem] = []
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise MarkedDataError(f"{path} cannot be read: {error.strerror}.") from error
        if predictions is not None and predictions.exists() and predictions.samefile(path):
            raise MarkedDataError(f"{path} cannot be both the data and the predictions.")
        output = stack.enter_context(predictions.open("w", encoding="ascii")) if predictions else None
        for row, result in _grade_rows(grader, marked_rows(read_lines(file)), on_progress):
            overall.add(row, result)
            groups.setdefault(row.group, _Tally()).add(row, result)
            if row.problem is not None and len(quoted) < _QUOTED_PROBLEMS:
                quoted.append(RowProblem(line=row.line, message=row.problem))
            if output:
                output.write(_prediction(row, result))
    if not overall.rows:
        raise MarkedDataError(f"{path} holds no line.")
    return EvaluationReport(
        signature=grader.signature,
        groups=tuple(tally.report(*group) for group, tally in groups.items()),
        overall=overall.report("", ""),
        problems=tuple(quoted),
    )


def _grade_rows(
    grader: Grader, rows: Iterator[MarkedRow], on_progress: Callable[[int], None] | None
) -> Iterator[tuple[MarkedRow, GradingResult | None]]:
    """Yield every row with its result, in order; the result is None if the row cannot be graded."""
    while chunk := list(islice(rows, _CHUNK)):
        pairs = [(row.item, row.answer) for row in chunk if row.item is not None]
        results = iter(grader.grade_many(pairs))
        for row in chunk:
            yield row, next(results) if row.item is not None else None
        if on_progress:
            on_progress(chunk[-1].line)


def _prediction(row: MarkedRow, result: GradingResult | None) -> str:
    """Return the row's line of the predictions: ASCII, so that no text in an id can break it."""
    line: dict[str, Any] = {**row.identity, "score": result.score if result else None}
    if row.problem is not None:
        line["problem"] = f"Line {row.line}: {row.problem}"
    return json.dumps(line) + "\n"


def _label_agreement(pairs: list[tuple[str, str]]) -> LabelAgreement | None:
    if not pairs:
        return None
    human, system = zip(*pairs, strict=True)
    return LabelAgreement(n=len(pairs), accuracy=agreement.accuracy(human, system), macro_f1=agreement.macro_f1(human, system))


def _eleven_marks(scores: agreement.Numbers) -> agreement.Numbers:
    """Round scores to the marks 0 to 10, halves up."""
    return np.floor(np.asarray(scores, dtype=np.float64) * QWK_SCALE + 0.5)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
