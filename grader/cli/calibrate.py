"""`grader calibrate`: learn from marks that a person gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.options import EXIT_ALL_ROWS_FAILED, bank_option, home_option, json_option, open_bank, open_grader

if TYPE_CHECKING:
    from grader.batch.marks import MarkedTableRow
    from grader.cross_validation import AgreementFigures, CalibrationReport
    from grader.grader import Grader

_HEADER = ["agreement with the marks", "n", "QWK", "RMSE", "exact", "adjacent"]
_NEXT_AT_MOST = 200


@click.command()
@click.argument("marked", metavar="MARKED", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", metavar="OUTPUT.json", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace an OUTPUT that is there.")
@click.option(
    "--next",
    "next_count",
    type=click.IntRange(0, _NEXT_AT_MOST),
    default=5,
    show_default=True,
    help="How many unmarked rows of an item to name that are worth marking next.",
)
@bank_option
@home_option
@json_option
@click.pass_context
def calibrate(  # noqa: PLR0917 click passes every option by name
    context: click.Context,
    marked: Path,
    output: Path,
    next_count: int,
    bank_dir: Path | None,
    home: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Learn from marks that a person gave.

    MARKED is a table (.csv, .jsonl, .parquet) with the columns item_id, candidate_answer and human_mark, on the item's scale, and
    human_2 if a second person marked. Items with at least three marks are learnt; `grader grade` and `grader batch` then grade
    with --calibration OUTPUT.json. Rows without a mark are not learnt from: of them those worth marking next are named.

    Printed is the agreement before and after, every mark judged by what the others teach. OUTPUT holds the marked answers' texts.

    Exit codes: 0 done, 3 if not a single row could be used.
    """
    from grader import calibration as learning
    from grader.batch.marks import read_marks
    from grader.cross_validation import cross_validate

    if output.exists() and not force:
        raise click.UsageError(f"{output} is there already; --force replaces it.")
    table = read_marks(open_bank(bank_dir, home), marked)
    for problem in table.problems:
        click.echo(problem, err=True)
    if not table.rows:
        click.echo("grader: Not a single row could be used.", err=True)
        context.exit(EXIT_ALL_ROWS_FAILED)
    with open_grader(home) as grader:
        known = [row for row in table.rows if row.score is not None]
        marks = [(row.item, row.candidate_answer, row.score) for row in known if row.score is not None]
        suggested = _suggested(grader, table.rows, next_count)
        if marks or not suggested:
            found = learning.calibrate(grader, marks)
            report = cross_validate(grader, marks, second=[row.second for row in known])
            output.write_text(found.to_json(), encoding="utf-8")
            click.echo(report.to_json() if as_json else _table(report))
            click.echo(f"{output}: {len(found.items)} of {report.items} items learnt; {found.signature}.", err=True)
    for item_id, rows in suggested.items():
        click.echo(f"{item_id}: worth marking next are the rows {', '.join(map(str, rows))}.", err=True)


def _suggested(grader: Grader, rows: list[MarkedTableRow], count: int) -> dict[str, list[int]]:
    """Return the rows to mark next by item id, for the items that have unmarked ones."""
    from grader.calibration import suggest

    found = {}
    for item in {row.item.id: row.item for row in rows}.values() if count else ():
        marked = [row.candidate_answer for row in rows if row.item.id == item.id and row.score is not None]
        free = [row for row in rows if row.item.id == item.id and row.score is None]
        if free:
            chosen = suggest(grader, item, [row.candidate_answer for row in free], marked=marked, count=count)
            found[item.id] = [free[at].row for at in chosen]
    return {item_id: chosen for item_id, chosen in found.items() if chosen}


def _table(report: CalibrationReport) -> str:
    from grader.cli.tables import text_table

    lines = [_cells("before", report.before), _cells("after, cross-validated", report.after)]
    if report.people is not None:
        lines.append(_cells("of a second person", report.people))
    return text_table(_HEADER, lines, numbers_from=1)


def _cells(name: str, figures: AgreementFigures) -> list[str]:
    qwk = "-" if figures.qwk is None else f"{figures.qwk:.3f}"
    return [name, str(figures.n), qwk, f"{figures.rmse:.3f}", f"{figures.exact:.1%}", f"{figures.adjacent:.1%}"]
