"""`grader db`: the service's database."""

from __future__ import annotations

from pathlib import Path

import click

from api.commands.options import with_database
from api.storage import backups, migrations
from api.storage.database import Database

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def db() -> None:
    """Set up, back up and restore the service's database."""


@db.command()
@with_database
def upgrade(database: Database) -> None:
    """Make the tables, or bring them up to this version."""
    before = migrations.current(database)
    migrations.upgrade(database)
    click.echo(f"{database.name}: version {before or 'none'} -> {migrations.current(database)}.", err=True)


@db.command()
@click.argument("file", type=_FILE)
@with_database
def backup(database: Database, file: Path) -> None:
    """Copy the database into the new FILE; the service may go on meanwhile."""
    backups.backup(database, file)
    click.echo(f"{file}: {file.stat().st_size} bytes.", err=True)


@db.command()
@click.argument("file", type=_FILE)
@with_database
def restore(database: Database, file: Path) -> None:
    """Put the backup FILE into an empty database."""
    backups.restore(database, file)
    click.echo(f"{database.name}: restored, version {migrations.current(database)}.", err=True)
