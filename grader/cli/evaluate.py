"""`grader evaluate`: agreement with people's marks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.options import EXIT_ALL_ROWS_FAILED, home_option, json_option, open_grader

if TYPE_CHECKING:
    from grader.evaluation import EvaluationReport, GroupReport, LabelAgreement

_HEADER = ["data set", "split", "rows", "n", "wRMSE", "RMSE", "MAE", "Pearson", "QWK", "2-way acc", "F1", "3-way acc", "F1"]
_TEXT_COLUMNS = 2


@click.command()
@click.argument("data", metavar="DATA.jsonl", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.jsonl",
    help="Write one line with a score for every line of the data.",
)
@home_option
@json_option
@click.pass_context
def evaluate(context: click.Context, data: Path, predictions: Path | None, home: Path | None, *, as_json: bool) -> None:
    """Measure the agreement with people's marks.

    Every line of DATA.jsonl is graded, and the scores are compared per data set and split.

    A line holds question, references, answer and score in [0, 1] (null: graded, not measured), and dataset, split, question_id
    and answer_id. QWK is over scores rounded to the eleven marks 0 to 10. Labels: correct from a score of .5; below it
    contradictory if the answer is flagged as contradicting a reference, else incorrect.

    Exit codes: 0 done, 3 if not a single line could be used.
    """
    from grader import evaluation
    from grader.cli.progress import progress_bar
    from grader.jsonl import read_lines

    with data.open("rb") as file:
        total = sum(1 for _ in read_lines(file))
    with open_grader(home) as grader, progress_bar() as show:
        report = evaluation.evaluate(grader, data, predictions=predictions, on_progress=lambda done: show(done, total))
    click.echo(report.to_json() if as_json else _table(report))
    for problem in report.problems:
        click.echo(f"line {problem.line}: {problem.message}", err=True)
    if report.overall.problems:
        click.echo(f"grader: {report.overall.problems} of {report.overall.rows} lines had a problem.", err=True)
    if report.overall.problems == report.overall.rows:
        context.exit(EXIT_ALL_ROWS_FAILED)


def _table(report: EvaluationReport) -> str:
    from grader.cli.tables import text_table

    rows = [_cells(group.dataset or "-", group.split or "-", group) for group in report.groups]
    if len(rows) > 1:
        rows.append(_cells("all", "", report.overall))
    return f"{text_table(_HEADER, rows, numbers_from=_TEXT_COLUMNS)}\n\nQWK is over scores rounded to 0..10.  {report.signature}"


def _cells(dataset: str, split: str, group: GroupReport) -> list[str]:
    measures = (group.wrmse, group.rmse, group.mae, group.pearson, group.qwk)
    labels = [*_label_cells(group.two_way), *_label_cells(group.three_way)]
    return [dataset, split, str(group.rows), str(group.n), *(_number(m, 4) for m in measures), *labels]


def _label_cells(labels: LabelAgreement | None) -> list[str]:
    return ["-", "-"] if labels is None else [_number(labels.accuracy, 3), _number(labels.macro_f1, 3)]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
