"""Grade a table of answers, however long, so that a killed run can go on where it stopped.

Rows are graded in chunks. A chunk's text is appended to `<output>.part` and only then, in one step, noted in
`<output>.part.json`: how many rows and bytes are done, of which input, by which grader. Going on means cutting the part back to
the noted bytes and skipping the noted rows, so the finished file is the same to the byte as that of a run that never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from grader.bank import ItemBank
from grader.batch.grading import GradedRow, Grading, InThisProcess
from grader.batch.output import CsvFormat, JsonlFormat, OutcomeFormat, RowFormat
from grader.batch.rows import REQUIRED_COLUMNS, BatchError, CsvSource, JsonlSource, Row, Source, check_format
from grader.grader import Grader

try:
    import fcntl
except ImportError:  # Windows: two runs with one output are then not kept apart
    fcntl = None  # type: ignore[assignment]

# Raised whenever a part written by an older version could not be continued by this one.
_PART_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """How a run ended: `rows` in the output, of which `failed` have a problem instead of a result.

    `resumed_rows` were there from a stopped run; `signature` names the grader.
    """

    rows: int
    failed: int
    needs_review: int
    resumed_rows: int
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """What `<output>.part.json` holds: what the part was made from, and how far it is complete."""

    version: int
    input_sha256: str
    bank_sha256: str
    signature: str
    output_format: str
    rows: int = 0
    size: int = 0
    failed: int = 0
    needs_review: int = 0


def grade_file(
    grader: Grader | Grading,
    bank: ItemBank,
    source: Path,
    target: Path,
    *,
    resume: bool = False,
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> BatchReport:
    """Grade every row of a table into another; memory does not grow with the rows.

    Both are CSV, JSONL or Parquet by their extension. The input needs the columns `item_id` and `candidate_answer`; the others
    are passed through. A row that cannot be graded keeps its place, with a problem instead of a result. A blank answer is no
    problem but a result with a mark of 0; an answer that is absent or null is a problem.

    Args:
        grader: What grades: a grader, or workers that have one each (`WorkerProcesses`; `grader.batch.ray_engine.RayWorkers`).
        bank: Where item ids are looked up; the workers' own if there are any.
        source: The table of answers; it must not change while the run lasts.
        target: The table to write. It appears under its name only when it is complete.
        resume: Go on with a stopped run, or start if there is none.
        force: Replace a target that is there already, and a stopped run.
        on_progress: Called with rows done and rows in all, at the start and after every chunk.

    Raises:
        BatchError: If a file cannot be read or written, the target is there already, or a stopped run does not fit.
    """
    grading = InThisProcess(grader, bank) if isinstance(grader, Grader) else grader
    table = open_source(source)
    output_format = check_format(target)
    part, note = _part_and_note(target)
    _check_target(source, target, resume=resume, force=force)
    start = _nothing_done(grading.signature, bank, source, output_format)
    row_format = _row_format(output_format, table)
    total = table.count() if on_progress else 0
    with _locked(part) as file:
        output = _Part(file, note, start)
        if not (resume and output.go_on()):
            output.begin(row_format.header())
        resumed_rows = output.progress.rows
        if on_progress:
            on_progress(output.progress.rows, total)
        for chunk, graded in grading.grade(table, resumed_rows):
            output.append(chunk, graded, row_format)
            if on_progress:
                on_progress(output.progress.rows, total)
        if output_format == ".parquet":
            _finish_parquet(table, part, target)
        else:
            os.replace(part, target)
    part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
    done = output.progress
    return BatchReport(
        rows=done.rows,
        failed=done.failed,
        needs_review=done.needs_review,
        resumed_rows=resumed_rows,
        signature=grading.signature,
    )


def _nothing_done(signature: str, bank: ItemBank, source: Path, output_format: str) -> _Progress:
    """Return the progress of a run that is about to start: what a part has to be made from to be continued by it."""
    return _Progress(
        version=_PART_VERSION,
        input_sha256=_sha256(source),
        bank_sha256=bank.content_hash,
        signature=signature,
        output_format=output_format,
    )


def _row_format(output_format: str, table: Source) -> RowFormat:
    if output_format == ".csv":
        return CsvFormat(table.columns())
    return JsonlFormat() if output_format == ".jsonl" else OutcomeFormat()


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """Open the part for appending while no other run does; the lock goes with the process, however that ends."""
    try:
        file = part.open("a+b")
    except OSError as error:
        raise BatchError(f"{part} cannot be written: {error.strerror}.") from error
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BatchError(f"Another run is writing {part}.") from error
        yield file


class _Part:
    """The unfinished output and the note of how far it is. The note is never ahead of the part: it is written after it."""

    def __init__(self, file: BinaryIO, note: Path, start: _Progress) -> None:
        self._file = file
        self._note = note
        self.progress = start

    def begin(self, header: str) -> None:
        """Empty the part and write the header."""
        self._write_note()
        self._file.truncate(0)
        self._write(header)

    def go_on(self) -> bool:
        """Cut the part back to what is noted; tell whether there is anything to go on with.

        Raises:
            BatchError: If the stopped run had another input, bank, grader or format, or its part is not whole.
        """
        size = self._file.seek(0, os.SEEK_END)
        hopeless = "so the stopped run cannot be continued; --force starts again."
        try:
            noted = _Progress(**json.loads(self._note.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if size > 0:
                raise BatchError(f"{self._note} is missing, {hopeless}") from None
            return False
        except (OSError, ValueError, TypeError) as error:
            raise BatchError(f"{self._note} cannot be read, {hopeless}") from error
        for name in ("input_sha256", "bank_sha256", "signature", "output_format", "version"):
            if getattr(noted, name) != getattr(self.progress, name):
                what = {"signature": "grader", "version": "grader"}.get(name, name.removesuffix("_sha256").replace("_", " "))
                raise BatchError(f"The {what} is not that of the stopped run, {hopeless}")
        if size < noted.size:
            raise BatchError(f"{self._note} tells of more than the part holds, {hopeless}")
        self._file.truncate(noted.size)
        # Without a row there may not even be a header.
        if noted.rows:
            self.progress = noted
        return noted.rows > 0

    def append(self, rows: Sequence[Row], graded: Sequence[GradedRow], row_format: RowFormat) -> None:
        """Write rows with what became of them, and count them."""
        self.progress = replace(
            self.progress,
            rows=self.progress.rows + len(rows),
            failed=self.progress.failed + sum(not row.is_graded for row in graded),
            needs_review=self.progress.needs_review + sum(row.needs_review for row in graded),
        )
        self._write("".join(row_format.row(row, became.outcome) for row, became in zip(rows, graded, strict=True)))

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8"))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.progress = replace(self.progress, size=self._file.seek(0, os.SEEK_END))
        self._write_note()

    def _write_note(self) -> None:
        new = self._note.with_name(self._note.name + ".new")
        new.write_text(json.dumps(asdict(self.progress)) + "\n", encoding="utf-8")
        os.replace(new, self._note)


def _part_and_note(target: Path) -> tuple[Path, Path]:
    """Return where an unfinished output lies, and the note of how far it is."""
    return target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")


def _check_target(source: Path, target: Path, *, resume: bool, force: bool) -> None:
    """Refuse to overwrite what was not meant to be overwritten."""
    part, note = _part_and_note(target)
    if target.exists() and target.samefile(source):
        raise BatchError(f"{source} cannot be both input and output.")
    if resume and _was_killed_at_the_very_end(part, note, target):
        os.replace(target, part)
    if target.exists() and not (force or (resume and note.exists())):
        raise BatchError(f"{target} exists already; --force replaces it.")
    if part.exists() and not (resume or force):
        raise BatchError(f"A stopped run lies in {part}; --resume goes on with it, --force starts again.")


def _was_killed_at_the_very_end(part: Path, note: Path, target: Path) -> bool:
    """Tell whether a run finished its output and was killed before it could remove its note."""
    if part.exists() or not note.exists() or not target.exists():
        return False
    try:
        return bool(json.loads(note.read_text(encoding="utf-8"))["size"] == target.stat().st_size)
    except (ValueError, TypeError, KeyError):
        return False


def _finish_parquet(table: Source, part: Path, target: Path) -> None:
    from grader.batch.parquet import write_parquet  # noqa: PLC0415 pyarrow takes a third of a second to import

    new = target.with_name(target.name + ".part.parquet")
    write_parquet(table, part, new)
    os.replace(new, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_source(path: Path, required: Sequence[str] = REQUIRED_COLUMNS) -> Source:
    """Return the table at a path, by the path's extension.

    Args:
        path: A file of one of `FORMATS`.
        required: The columns that a CSV or Parquet table has to have.

    Raises:
        BatchError: If the extension is none of `FORMATS`, or if the file cannot be read or lacks a column.
    """
    check_format(path)
    if not path.is_file():
        raise BatchError(f"{path} is not a file.")
    source: Source
    try:
        if path.suffix.lower() == ".csv":
            source = CsvSource(path, required)
        elif path.suffix.lower() == ".jsonl":
            source = JsonlSource(path)
        else:
            from grader.batch.parquet import ParquetSource  # noqa: PLC0415 pyarrow takes a third of a second to import

            source = ParquetSource(path, required)
    except OSError as error:
        raise BatchError(f"{path} cannot be read: {error.strerror or error}.") from error
    return source
