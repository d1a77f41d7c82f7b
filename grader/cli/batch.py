"""`grader batch`: a table of answers."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
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
    from grader.batch import GraderRecipe
    from grader.batch.grading import Grading
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
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Grade on this machine, or in the actors of a Ray cluster, which reads Parquet (docs/scale.md).",
)
@click.option("--address", help="The Ray cluster's head, or auto; without it one is started on this machine.")
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
    engine: str,
    address: str | None,
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
    if address and engine != "ray":
        raise click.UsageError("--address is for --engine ray.")
    if engine == "ray" and source.suffix.lower() != ".parquet":
        raise click.UsageError("--engine ray reads Parquet, so that every worker can begin anywhere in INPUT.")
    from grader.allocator import tune_allocator
    from grader.batch import BatchReport, GraderRecipe, grade_file
    from grader.cli.progress import progress_bar

    tune_allocator()
    bank = open_bank(bank_dir, home)
    started = time.monotonic()
    if engine == "local" and not workers:
        workers = (os.cpu_count() or 1) if source.stat().st_size >= _WORKERS_FROM_BYTES else 1
    if engine == "local" and workers == 1:
        opened: AbstractContextManager[Grader | Grading] = open_grader(home, calibration, precision)
    else:
        learnt = None if calibration is None else calibration.read_bytes()
        recipe = GraderRecipe(home=prepared_home(home), calibration=learnt, precision=precision)
        opened = _open_workers(recipe, bank, engine, workers, address)
    with opened as grader:
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


def _open_workers(
    recipe: GraderRecipe, bank: ItemBank, engine: str, workers: int, address: str | None
) -> AbstractContextManager[Grading]:
    if engine == "ray":
        from grader.batch.ray_engine import RayWorkers

        return RayWorkers(recipe, bank, workers=workers, address=address)
    from grader.batch import WorkerProcesses

    return WorkerProcesses(recipe, bank, workers=workers)
