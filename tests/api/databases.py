"""Databases of a test's own: SQLite always, PostgreSQL where `GRADER_TEST_DATABASE_URL` names a server."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import Any

from sqlalchemy import URL, create_engine, event, text

from api.storage import migrations
from api.storage.database import Database, parse_url

KINDS = ["sqlite", *(["postgresql"] if "GRADER_TEST_DATABASE_URL" in os.environ else [])]


@contextmanager
def new_database(kind: str, folder: Path, *, whole: bool = False) -> Iterator[URL]:
    """Make an empty database, and drop it afterwards. A server that cannot be reached is an error, not a reason to skip.

    Args:
        kind: One of `KINDS`.
        folder: Where a file may be made.
        whole: Make a database of its own on PostgreSQL, and not only a schema, which takes a tenth of the time.
    """
    if kind == "sqlite":
        yield parse_url(f"sqlite:///{folder / 'test.sqlite'}")
        return
    server = parse_url(os.environ["GRADER_TEST_DATABASE_URL"])
    name = f"grader_test_{token_hex(6)}"
    what, how = ("DATABASE", "WITH (FORCE)") if whole else ("SCHEMA", "CASCADE")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE {what} {name}"))
        yield server.set(database=name) if whole else server.update_query_dict({"options": f"-csearch_path={name}"})
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP {what} IF EXISTS {name} {how}"))
        engine.dispose()


@contextmanager
def own_name_for_schema() -> Iterator[str]:
    """Give a name to a schema that others will make, and drop it afterwards."""
    name = f"grader_test_{token_hex(6)}"
    yield name
    if "GRADER_TEST_DATABASE_URL" in os.environ:
        engine = create_engine(parse_url(os.environ["GRADER_TEST_DATABASE_URL"]), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
        engine.dispose()


@contextmanager
def migrated_database(kind: str, folder: Path) -> Iterator[Database]:
    """Open a database of a test's own as the migrations leave one; they run once for a kind, and what they did is done again."""
    with new_database(kind, folder) as url, closing(Database(url)) as database:
        if database.is_sqlite:
            shutil.copyfile(_migrated_file(), str(url.database))
        else:
            with database.engine.begin() as connection:
                connection.exec_driver_sql(_migrating_statements())
        yield database


@cache
def _migrated_file() -> Path:
    folder = Path(mkdtemp(prefix="grader-tests-"))
    atexit.register(shutil.rmtree, folder)
    with new_database("sqlite", folder) as url, closing(Database(url)) as database:
        migrations.upgrade(database)
    return folder / "test.sqlite"


@cache
def _migrating_statements() -> str:
    statements: list[str] = []

    def note(*call: Any) -> None:
        statement: str = call[2]
        if not statement.startswith("SELECT"):
            statements.append(statement)

    with new_database("postgresql", Path()) as url, closing(Database(url)) as database:
        event.listen(database.engine, "before_cursor_execute", note)
        migrations.upgrade(database)
    return ";".join(statements)
