"""What is wrong with a field of the form of an item, in the words of its author: each kind of mistake has a string of its own.

What pydantic says is English, for programmers. The messages of the item's own rules are told apart by their words, since a
`ValueError` carries nothing else; what neither knows has a string that says no more than that something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader import MAX_ANSWER_CHARS, InvalidAnswerError, check_answer

# The types of pydantic's errors that texts from a form can cause.
_BY_TYPE: Mapping[str, str] = {
    "missing": "missing",
    "string_too_short": "missing",
    "string_too_long": "long",
    "string_pattern_mismatch": "slug",
    "too_short": "few",
    "too_long": "many",
    "int_parsing": "whole",
    "int_parsing_size": "whole",
    "int_from_float": "whole",
    "float_parsing": "number",
    "greater_than": "above",
    "greater_than_equal": "least",
    "less_than_equal": "most",
    "enum": "choice",
    "bool_parsing": "choice",
}
_BY_MESSAGE: Mapping[str, re.Pattern[str]] = {
    "letter": re.compile(r"must hold at least one letter"),
    "unstorable": re.compile(r"must not hold NUL|must be valid Unicode"),
    "order": re.compile(r"must fall from excellent to weak"),
    "step": re.compile(r"mark_step \S+ is above max_mark"),
    "twice": re.compile(r"(?P<part>key_points|misconceptions) use the id '(?P<id>[^']*)' more than once"),
    "kind": re.compile(r"reference_answers need one of kind (?P<kind>short|full)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """A mistake: the name of its string without `problem_`, what the string tells, and the line of the field from 1, or 0."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)  # Any: texts and numbers
    line: int = 0

    def said(self, words: Mapping[str, str]) -> str:
        """Return the mistake as a sentence."""
        named = {name: words[f"kind_{value}"] if name == "kind" else value for name, value in self.values.items()}
        sentence = words[f"problem_{self.kind}"].format(**named)
        return words["problem_in_line"].format(line=self.line, problem=sentence) if self.line else sentence


def problem_of_detail(detail: Mapping[str, Any], line: int) -> FieldProblem:  # Any: pydantic's error dictionaries
    """Return what one of pydantic's errors, with its context, is to the author of an item."""
    kind = _BY_TYPE.get(detail["type"])
    if kind is not None:
        return FieldProblem(kind=kind, values=detail.get("ctx", {}), line=line)
    for name, message in _BY_MESSAGE.items():
        if found := message.search(detail["msg"]):
            return FieldProblem(kind=name, values=found.groupdict(), line=line)
    return FieldProblem(kind="other", line=line)


def problem_of_answer(candidate_answer: str) -> FieldProblem | None:
    """Return why an answer cannot be graded, None where it can."""
    try:
        check_answer(candidate_answer)
    except InvalidAnswerError:
        if len(candidate_answer) > MAX_ANSWER_CHARS:
            return FieldProblem(kind="long", values={"max_length": MAX_ANSWER_CHARS})
        return FieldProblem(kind="unstorable")
    return None
