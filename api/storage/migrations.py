"""Changes of the tables, applied in order and undone in reverse; the scripts are in `api/migrations/versions`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from api.storage.database import Database
from api.storage.errors import OldSchemaError
from api.storage.tables import Base

_SCRIPTS = Path(__file__).parent.parent / "migrations"
# Any number, the same for every server: whoever holds it migrates, the others wait.
_LOCK = 7_236_417_551


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables up to a revision; everything or nothing. Of two that try at once, one waits and finds it done."""
    with _migrating(database) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to a revision; `base` undoes all of them, and with them loses all rows."""
    with _migrating(database) as connection:
        command.downgrade(_config(connection), revision)


def current(database: Database) -> str | None:
    """Return the revision of the tables, None for an empty database."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def latest() -> str:
    """Return the revision that this program needs."""
    head = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    assert head is not None  # noqa: S101 the scripts ship with the program
    return head


def check(database: Database) -> None:
    """Refuse to work on tables of another version.

    Raises:
        OldSchemaError: If they are older or newer than this program's.
    """
    found, wanted = current(database), latest()
    if found != wanted:
        raise OldSchemaError(found, wanted)


def make_ready(database: Database) -> None:
    """Bring the tables of SQLite, which has one user, to this program's version; refuse those of PostgreSQL if they are not.

    Raises:
        OldSchemaError: If PostgreSQL's tables are older or newer than this program's, or there are none.
    """
    if database.is_sqlite:
        upgrade(database)
    else:
        check(database)


def drift(database: Database) -> list[object]:
    """Return what differs between the tables as they are and as the program has them; empty if nothing does."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """Open the one transaction in which tables may change; whoever comes second waits, and finds the change made."""
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            # A table that is made anew is dropped first, which would delete all that refers to its rows. It can be turned off
            # between transactions only; the transaction then begins by taking the only lock that there is.
            raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if database.is_sqlite:
                    yield connection
                    _check_references(connection)
                else:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                    yield connection
        finally:
            if isinstance(raw, sqlite3.Connection):
                raw.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection) -> None:
    """Take a migration back if it left rows that refer to nothing."""
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if lost:
        raise RuntimeError(f"the migration would leave {len(lost)} rows that refer to nothing, the first in {lost[0][0]}")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
