"""`grader groups`: answers so alike that each group can be marked at once."""

from __future__ import annotations

import json
from pathlib import Path

import click

from grader.cli.options import EXIT_ALL_ROWS_FAILED, bank_option, home_option, json_option, open_bank, open_grader

_HEADER = ["item", "answers", "rows", "like"]
_SHOWN_CHARS = 60
_SHOWN_ROWS = 12


@click.command()
@click.argument("table", metavar="TABLE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--closeness", type=click.FloatRange(0, 1), help="Least cosine within a group, 1 for the same wording; .80 if left out."
)
@bank_option
@home_option
@json_option
@click.pass_context
def groups(
    context: click.Context, table: Path, closeness: float | None, bank_dir: Path | None, home: Path | None, *, as_json: bool
) -> None:
    """Group answers that say the same.

    TABLE (.csv, .jsonl, .parquet) has the columns item_id and candidate_answer. For every item the groups are listed, the largest
    first, with their rows, counted from 1 after the header, and the answer most like all the others.

    Exit codes: 0 done, 3 if not a single row could be used.
    """
    from grader.batch.marks import read_marks
    from grader.cli.tables import text_table
    from grader.groups import GROUP_CLOSENESS, group_answers

    read = read_marks(open_bank(bank_dir, home), table)
    for problem in read.problems:
        click.echo(problem, err=True)
    if not read.rows:
        click.echo("grader: Not a single row could be used.", err=True)
        context.exit(EXIT_ALL_ROWS_FAILED)
    lines, documents = [], []
    with open_grader(home) as grader:
        for item in {row.item.id: row.item for row in read.rows}.values():
            rows = [row for row in read.rows if row.item.id == item.id]
            answers = [row.candidate_answer for row in rows]
            for group in group_answers(grader, item, answers, closeness=GROUP_CLOSENESS if closeness is None else closeness):
                members, example = [rows[at].row for at in group.members], rows[group.representative]
                documents.append({"item_id": item.id, "rows": members, "representative": example.row})
                lines.append([item.id, str(len(members)), _listed(members), _shown(example.candidate_answer)])
    click.echo("\n".join(map(json.dumps, documents)) if as_json else text_table(_HEADER, lines))


def _listed(rows: list[int]) -> str:
    return " ".join(map(str, rows[:_SHOWN_ROWS])) + (" ..." if len(rows) > _SHOWN_ROWS else "")


def _shown(answer: str) -> str:
    """Return the beginning of an answer on one line, without what could steer a terminal."""
    plain = "".join(c if c.isprintable() else " " for c in answer)
    line = " ".join(plain.split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"
