"""Copies of the database: SQLite by its own online backup, PostgreSQL by `pg_dump` and `psql`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import inspect

from api.storage import migrations
from api.storage.database import Database
from api.storage.errors import BackupError

# The largest piece that a writer may have to wait for, in pages of 4 kB.
_PAGES_AT_ONCE = 2_000


def backup(database: Database, file: Path) -> None:
    """Copy the database into a new file while it is in use.

    Raises:
        BackupError: If the file is there already, or the copy fails.
    """
    if file.exists():
        raise BackupError(f"{file} is there already; name a new file.")
    # Answers of candidates are in it: for the owner's eyes only, from the first byte on.
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if database.is_sqlite:
            _copy_sqlite(_path(database), file)
        else:
            _run("pg_dump", database, "--no-owner", "--no-privileges", f"--file={file}")
    except BackupError:
        file.unlink(missing_ok=True)
        raise


def restore(database: Database, file: Path) -> None:
    """Put a backup into an empty database, and bring its tables up to this program's version.

    Raises:
        BackupError: If the database is not empty, or the file is no whole backup.
    """
    if inspect(database.engine).get_table_names():
        raise BackupError(
            f"The database {database.name} is not empty; restore into a new one and point GRADER_DATABASE_URL at it."
        )
    if not file.is_file():
        raise BackupError(f"{file} is not a file.")
    if database.is_sqlite:
        _check_sqlite(file)
        database.close()
        _copy_sqlite(file, _path(database))
    else:
        _run("psql", database, "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={file}")
    if migrations.current(database) is None:
        raise BackupError(f"{file} is no backup of this program's database.")
    migrations.upgrade(database)


def _path(database: Database) -> Path:
    return Path(str(database.url.database))


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, pages=_PAGES_AT_ONCE, sleep=0.01)
    except sqlite3.Error as error:
        raise BackupError(f"The copy to {target} failed: {error}.") from error


def _check_sqlite(file: Path) -> None:
    """Refuse a file that SQLite finds damaged, or that is none of its own."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise BackupError(f"{file} is no backup: {error}.") from error
    if found != "ok" or "alembic_version" not in tables:
        raise BackupError(f"{file} is no whole backup of this program's database.")


def _run(program: str, database: Database, *arguments: str) -> None:
    """Run a program of PostgreSQL on a database, which it is told of by all that the address says.

    The password goes by the environment, where other users cannot read it.
    """
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is not installed; it comes with PostgreSQL's client programs.")
    # What the engine connects with; what is no text or number in it is for the library in between.
    connects_with = database.engine.dialect.create_connect_args(database.url)[1]
    stated = {name: value for name, value in connects_with.items() if isinstance(value, str | int)}
    environment = dict(os.environ)
    if "password" in stated:
        environment["PGPASSWORD"] = str(stated.pop("password"))
    address = f"--dbname={make_conninfo('', **stated)}"
    done = subprocess.run([found, address, *arguments], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 a fixed program
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise BackupError(f"{program} failed: {reason.rstrip('.')}.")
