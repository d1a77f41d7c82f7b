"""Databases of a test's own: SQLite always, PostgreSQL where `GRADER_TEST_DATABASE_URL` names a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from sqlalchemy import URL, create_engine, text

from api.storage.database import parse_url

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
