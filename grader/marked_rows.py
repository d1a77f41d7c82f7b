"""Lines of marked answers, made ready for grading: what is graded against, the answer, and what people said about it.

One line is one JSON object with `question`, `references`, `answer` and `score` in [0, 1]; `dataset`, `split`, `question_id` and
`answer_id` name the row, `label_2way` and `label_3way` classify it. A line that cannot be used becomes a row that says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from grader.errors import InvalidAnswerError
from grader.grader import check_answer
from grader.items import Gradable, ReferenceAnswer
from grader.jsonl import InvalidLineError, parse_object

IDENTIFYING_FIELDS = ("dataset", "split", "question_id", "answer_id")
_MAX_TEXT_CHARS = 5_000
_MAX_REFERENCES = 20
_TWO_WAY = frozenset({"correct", "incorrect"})
_THREE_WAY = frozenset({"correct", "contradictory", "incorrect"})

Scalar = str | int | float | bool | None


@dataclass(slots=True, kw_only=True)
class MarkedRow:
    """One line of the file, counted from 1.

    `item` is None if the line cannot be graded, and then `problem` says why. A row with an item and a problem is graded but not
    measured. Labels are None where they are absent or not of the known ones.
    """

    line: int
    identity: dict[str, Scalar]
    item: Gradable | None = None
    answer: str = ""
    human_score: float | None = None
    label_2way: str | None = None
    label_3way: str | None = None
    problem: str | None = None

    @property
    def group(self) -> tuple[str, str]:
        """Data set and split; an absent one is the empty text."""
        dataset, split = self.identity["dataset"], self.identity["split"]
        return "" if dataset is None else str(dataset), "" if split is None else str(split)


def marked_rows(lines: Iterable[bytes]) -> Iterator[MarkedRow]:
    """Yield one row for every line, in order; no line is left out."""
    for number, line in enumerate(lines, start=1):
        try:
            data = parse_object(line)
        except InvalidLineError as error:
            yield MarkedRow(line=number, identity=dict.fromkeys(IDENTIFYING_FIELDS), problem=f"The line {error}.")
            continue
        row = MarkedRow(line=number, identity={name: _scalar(data.get(name)) for name in IDENTIFYING_FIELDS})
        try:
            _fill(row, data)
        except (_UnusableRowError, InvalidAnswerError) as error:
            row.problem = str(error)
        yield row


class _UnusableRowError(Exception):
    """A row that cannot be graded; the message is a sentence."""


def _fill(row: MarkedRow, data: dict[str, Any]) -> None:  # Any: JSON
    """Take from a line what grading and measuring need; `row.item` is set last, when nothing stands in the way of grading."""
    answer = data.get("answer")
    if answer is not None and not isinstance(answer, str):
        raise _UnusableRowError("answer must be text or null.")
    row.answer = answer or ""
    check_answer(row.answer)
    question, references = data.get("question"), data.get("references")
    if question is not None and not isinstance(question, str):
        raise _UnusableRowError("question must be text or null.")
    if not isinstance(references, list) or not all(isinstance(r, str | None) for r in references):
        raise _UnusableRowError("references must be a list of texts.")
    item = _item(question or "", tuple(r for r in references if r))
    row.label_2way = _known_label(data.get("label_2way"), _TWO_WAY)
    row.label_3way = _known_label(data.get("label_3way"), _THREE_WAY)
    score = data.get("score")
    if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
        row.human_score = float(score)
    elif score is not None:
        row.problem = f"score must be a number in [0, 1] or null, not {json.dumps(score)[:40]}; graded but not measured."
    row.item = item


# One item for each question: the grader prepares an item once. Bounded, because a file may have a question for every row.
@lru_cache(maxsize=1_024)
def _item(question: str, references: tuple[str, ...]) -> Gradable:
    """Return what is graded against: long texts cut, references without a letter or digit and those past the limit left out."""
    cut = [reference.strip()[:_MAX_TEXT_CHARS] for reference in references]
    usable = [text for text in cut if any(c.isalnum() for c in text)]
    if not usable:
        raise _UnusableRowError("references hold no text.")
    try:
        answers = tuple(ReferenceAnswer(text=text) for text in usable[:_MAX_REFERENCES])
        return Gradable(question=question.strip()[:_MAX_TEXT_CHARS], reference_answers=answers)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "A reference" if "text" in first["loc"] else "The question"
        raise _UnusableRowError(f"{place} cannot be used: {first['msg'].removeprefix('Value error, ')}.") from error


def _scalar(value: Any) -> Scalar:  # noqa: ANN401 JSON
    """Return an identifying field as it is; lists and objects identify nothing."""
    return value if isinstance(value, str | int | float | bool) else None


def _known_label(value: Any, labels: frozenset[str]) -> str | None:  # noqa: ANN401 JSON
    return value if isinstance(value, str) and value in labels else None
