"""`grader batch`: a table of answers."""

from __future__ import annotations

import time
from pathlib import Path

import click

from grader.cli.options import EXIT_ALL_ROWS_FAILED, bank_option, calibration_option, home_option, open_bank, open_grader


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; start if there is none.")
@click.option("--force", is_flag=True, help="Replace an OUTPUT that is there, and a stopped run.")
@bank_option
@calibration_option
@home_option
@click.pass_context
def batch(  # noqa: PLR0917 click passes every option by name
    context: click.Context,
    source: Path,
    target: Path,
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
    with open_grader(home, calibration) as grader:
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
