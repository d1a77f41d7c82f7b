"""What the library raises on purpose. No status codes and no HTTP words: the service maps these in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class GraderError(Exception):
    """Base class of every error the library raises on purpose."""


class ItemNotFoundError(GraderError):
    """No item with this id is in the bank."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"No item {item_id!r} in the bank.")
        self.item_id = item_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One thing wrong with one place of one file."""

    file: str
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.field}" if self.field else self.file
        return f"{where}: {self.message}"


class InvalidBankError(GraderError):
    """A bank's files hold mistakes; every one of them is listed."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The bank has {len(problems)} problem(s):\n{lines}")
        self.problems = tuple(problems)


class CompiledBankError(GraderError):
    """The compiled form of a large bank cannot be read on; the bank's own files may well be right."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}.")
        self.path = path
        self.reason = reason


class InvalidAnswerError(GraderError):
    """A candidate answer cannot be graded at all: it is too long or not text.

    A blank or off-topic answer is no error; it is a result with a mark of 0.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EncoderError(GraderError):
    """The encoder's weights are missing or are not the ones that were asked for."""


class ScoringModelError(GraderError):
    """A scoring-model file cannot be read or does not fit this version's evidence."""


class MarkedDataError(GraderError):
    """A file of marked answers cannot be read."""


class CalibrationError(GraderError):
    """A calibration cannot be made from the marks given, cannot be read, or was made with another grader."""
