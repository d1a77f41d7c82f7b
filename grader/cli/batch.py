"""`grader batch`: a table of answers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.options import (
    EXIT_ALL_ROWS_FAILED,
    bank_option,
    calibration_option,
    home_option,
    open_bank,
    open_grader,
    precision_option,
    prepared_home,
)

if TYPE_CHECKING:
    from grader.bank import ItemBank
    from grader.batch import WorkerProcesses
    from grader.encoders import Precision
    from grader.grader import Grader

# Of the input. Smaller tables are graded before workers, which take a second to load, would be.
_WORKERS_FROM_BYTES = 100_000


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; start if there is none.")
@click.option("--force", is_flag=True, help="Replace an OUTPUT that is there, and a stopped run.")
@click.option(
    "--workers",
    type=click.IntRange(min=0, max=1024),
    default=0,
    help="Processes to grade in, each on one core and of some 400 MB; 0 takes as many as there are cores if INPUT is not small.",
)
@precision_option
@bank_option
@calibration_option
@home_option
@click.pass_context
def batch(  # noqa: PLR0917 click passes every option by name
    context: click.Context,
    source: Path,
    target: Path,
    workers: int,
    precision: Precision,
    bank_dir: Path | None,
    calibration: Path | None,
    home: Path | None,
    *,
    resume: bool,
    force: bool,
) -> None:
    """Grade a table of answers.

    Both end in .csv, .jsonl or .parquet and may differ. INPUT has the columns item_id and candidate_answer; all others are
    passed through. A row that cannot be graded stays in its place with a problem that says why.

    Text is written as it came: a cell that begins with = + - or @ is a formula to some spreadsheets, so import as text.

    Exit codes: 0 done, 3 if not a single row could be graded.
    """
    if resume and force:
        raise click.UsageError("--resume and --force exclude each other.")
    from grader.batch import BatchReport, grade_file
    from grader.cli.progress import progress_bar

    bank = open_bank(bank_dir)
    started = time.monotonic()
    with _open_grading(source, bank, home, calibration, workers=workers, precision=precision) as grader:
        try:
            with progress_bar() as show:
                report: BatchReport = grade_file(grader, bank, source, target, resume=resume, force=force, on_progress=show)
        except KeyboardInterrupt as error:
            click.echo("grader: Stopped; the same command with --resume goes on from here.", err=True)
            raise click.exceptions.Exit(130) from error
    seconds = time.monotonic() - started
    graded_now = report.rows - report.resumed_rows
    parts = [f"{report.rows} rows", f"{report.failed} with a problem", f"{report.needs_review} to review"]
    if report.resumed_rows:
        parts.append(f"{report.resumed_rows} from the stopped run")
    click.echo(f"{target}: {', '.join(parts)}; {seconds:.1f} s, {graded_now / max(seconds, 1e-9):.1f} rows/s.", err=True)
    if report.rows and report.failed == report.rows:
        click.echo("grader: Not a single row could be graded.", err=True)
        context.exit(EXIT_ALL_ROWS_FAILED)


@contextmanager
def _open_grading(
    source: Path, bank: ItemBank, home: Path | None, calibration: Path | None, *, workers: int, precision: Precision
) -> Iterator[Grader | WorkerProcesses]:
    """Open workers where they are wanted or worth it, else one grader in this process."""
    from grader.batch import GraderRecipe, WorkerProcesses

    if not workers:
        workers = (os.cpu_count() or 1) if source.stat().st_size >= _WORKERS_FROM_BYTES else 1
    if workers == 1:
        with open_grader(home, calibration, precision) as grader:
            yield grader
        return
    learnt = None if calibration is None else calibration.read_bytes()
    recipe = GraderRecipe(home=prepared_home(home), calibration=learnt, precision=precision)
    with WorkerProcesses(recipe, bank, workers=workers) as processes:
        yield processes
