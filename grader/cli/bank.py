"""`grader bank`: look at a bank and check it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from grader.cli.options import bank_option, bank_path, home_option, json_option, open_bank


@click.group()
def bank() -> None:
    """Look at the items of a bank and check its files."""


@bank.command("list")
@bank_option
@home_option
@json_option
def list_items(bank_dir: Path | None, home: Path | None, *, as_json: bool) -> None:
    """List the items by id."""
    opened = open_bank(bank_dir, home)
    if as_json:
        items = [item.model_dump(mode="json") for item in opened]
        click.echo(json.dumps({"version": opened.version, "items": items}, ensure_ascii=False))
        return
    from grader.cli.tables import text_table

    rows = [[head.id, head.topic, head.section, str(head.difficulty), " ".join(head.question.split())] for head in opened.heads]
    click.echo(text_table(["id", "topic", "section", "difficulty", "question"], rows))
    click.echo(f"{len(opened)} items, bank version {opened.version}.", err=True)


@bank.command("show")
@click.argument("item_id")
@bank_option
@home_option
@json_option
def show_item(item_id: str, bank_dir: Path | None, home: Path | None, *, as_json: bool) -> None:
    """Show the item ITEM_ID, reference answers and key points included."""
    item = open_bank(bank_dir, home).get(item_id)
    if as_json:
        click.echo(item.model_dump_json())
        return
    import yaml

    data = item.model_dump(mode="json")
    first = {name: data.pop(name) for name in ("id", "topic", "section", "difficulty", "question")}
    click.echo(yaml.safe_dump({**first, **data}, sort_keys=False, allow_unicode=True, width=110), nl=False)


@bank.command()
@bank_option
@json_option
@click.pass_context
def validate(context: click.Context, bank_dir: Path | None, *, as_json: bool) -> None:
    """Report every problem of every file; exit with 1 if there is any."""
    from dataclasses import asdict

    from grader.bank import ItemBank
    from grader.errors import FileProblem, InvalidBankError

    path = bank_path(bank_dir)
    problems: tuple[FileProblem, ...] = ()
    summary = ""
    try:
        opened = ItemBank.from_directory(path)
        answers = sum(len(responses) for responses in opened.responses.values())
        summary = f"{len(opened)} items with {answers} marked answers, version {opened.version}: no problem."
    except InvalidBankError as error:
        problems = error.problems
    if as_json:
        document = {"valid": not problems, "problems": [asdict(problem) for problem in problems]}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo("\n".join(map(str, problems)) or summary)
    if problems:
        click.echo(f"grader: The bank in {path} has {len(problems)} problem{'s'[: len(problems) > 1]}.", err=True)
        context.exit(1)


@bank.command()
@bank_option
def checksums(bank_dir: Path | None) -> None:
    """Write checksums.txt anew, after a change that is meant; raise VERSION with it."""
    from grader.bank import checksums as checksums_of

    path = bank_path(bank_dir)
    text = checksums_of(path)
    file = path / "checksums.txt"
    new = file.with_name(".checksums.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, file)
    click.echo(f"{file}: {len(text.splitlines())} files.")
