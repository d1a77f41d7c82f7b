"""`grader prepare`: everything that is done once, ahead of the first answer."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import bank_option, home_option, home_path, open_bank, open_grader


@click.command()
@click.option("--force", is_flag=True, help="Prepare the encoder again even if that was done.")
@home_option
@bank_option
def prepare(home: Path | None, bank_dir: Path | None, *, force: bool) -> None:
    """Prepare the encoder and embed the bank.

    Without it the first answer does this; with it that answer is graded at once.
    """
    from grader import weights

    path = home_path(home)
    bank = open_bank(bank_dir, home)
    if force or not weights.is_prepared(path / "encoder"):
        click.echo("Preparing the encoder; this takes some ten seconds.", err=True)
        weights.prepare(path / "encoder", force=force)
    weights.verify(path / "encoder")
    with open_grader(path) as grader:
        made = grader.embed(bank)
    click.echo(f"Ready in {path}: {len(bank)} items, {made} texts embedded now.")
