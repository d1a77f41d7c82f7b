"""`grader grade`: one answer, to an item of the bank or to a question given with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.cli.options import bank_option, calibration_option, home_option, json_option, open_bank, open_grader, precision_option

if TYPE_CHECKING:
    from pydantic import ValidationError

    from grader.encoders import Precision
    from grader.items import Gradable

# An answer may have 20,000 characters of at most four bytes; what is longer is not read to its end.
_MAX_STDIN_BYTES = 100_000


@click.command(no_args_is_help=True)
@click.argument("item_id", required=False)
@click.argument("answer", required=False)
@click.option("--question", metavar="TEXT", help="Grade against a question of your own; needs --reference.")
@click.option("--reference", "references", multiple=True, metavar="TEXT", help="A reference answer; may be given several times.")
@click.option(
    "--item",
    "item_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Grade against an item in a YAML or JSON file.",
)
@precision_option
@bank_option
@calibration_option
@home_option
@json_option
def grade(  # noqa: PLR0917 click passes every option by name
    item_id: str | None,
    answer: str | None,
    question: str | None,
    references: tuple[str, ...],
    item_file: Path | None,
    precision: Precision,
    bank_dir: Path | None,
    calibration: Path | None,
    home: Path | None,
    *,
    as_json: bool,
) -> None:
    """Grade one answer.

    ANSWER is graded to the item ITEM_ID of the bank; without ANSWER it is read from standard input.

    With --reference or --item the item is not looked up, and ANSWER is the only argument:

    \b
      grader grade dropout "It switches off random neurons while training."
      grader grade dropout < answer.txt
      grader grade --question "What is 2 + 2?" --reference "It is four." "four"

    Put -- before an answer that begins with a dash.
    """  # noqa: D301 \b is click's mark for lines to leave as they are
    if question is not None or references or item_file:
        if answer is not None:
            raise click.UsageError("With --question, --reference or --item there is only one argument, the answer.")
        answer = item_id
        item = _own_item(question, references, item_file)
    elif item_id is None:
        raise click.UsageError("Missing argument 'ITEM_ID'.")
    else:
        item = open_bank(bank_dir, home).get(item_id)
    text = _read_stdin() if answer is None else answer
    with open_grader(home, calibration, precision) as grader:
        result = grader.grade(item, text)
    if as_json:
        click.echo(result.to_json())
        return
    from grader.cli.report import print_result

    print_result(item, result)


def _own_item(question: str | None, references: tuple[str, ...], item_file: Path | None) -> Gradable:
    """Return the item that the options describe."""
    from pydantic import ValidationError

    from grader.items import Gradable, ReferenceAnswer

    if item_file is not None:
        if question is not None or references:
            raise click.UsageError("--item holds the question and the reference answers; leave out --question and --reference.")
        return _item_from_file(item_file)
    if not references:
        raise click.UsageError("--question needs at least one --reference.")
    try:
        answers = tuple(ReferenceAnswer(text=text) for text in references)
        return Gradable(question=question or "", reference_answers=answers)
    except ValidationError as error:
        raise click.UsageError(f"--question or --reference cannot be used: {_first_problem(error)}.") from error


def _item_from_file(path: Path) -> Gradable:
    """Return the item of a file: a whole item as the bank has it, or the part that grading needs."""
    import yaml
    from pydantic import ValidationError

    from grader.items import Gradable, Item

    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))  # Any: checked below
        return (Item if isinstance(data, dict) and "id" in data else Gradable).model_validate(data)
    except ValidationError as error:
        raise click.UsageError(f"{path} is no item: {_first_problem(error)}.") from error
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{place}: {message}" if place else message


def _read_stdin() -> str:
    """Return standard input as text, without the line end that `echo` or an editor adds.

    Raises:
        InvalidAnswerError: If it is longer than any answer, or not UTF-8.
    """
    from grader.errors import InvalidAnswerError
    from grader.items import MAX_ANSWER_CHARS

    if sys.stdin.isatty():
        click.echo("Type the answer and end it with Ctrl-D on a line of its own:", err=True)
    data = sys.stdin.buffer.read(_MAX_STDIN_BYTES + 1)
    if len(data) > _MAX_STDIN_BYTES:
        raise InvalidAnswerError(f"The answer on standard input is longer than {MAX_ANSWER_CHARS:,} characters.")
    try:
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InvalidAnswerError(f"The answer on standard input is not valid UTF-8 (byte {error.start + 1}).") from error
