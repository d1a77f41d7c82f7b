"""The database behind the service: one engine, set up for SQLite or PostgreSQL, and sessions of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from api.storage.errors import DatabaseUrlError
from api.storage.sessions import TenantSession

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# How long a request waits for another one's write, for a connection, for a statement.
_LOCK_TIMEOUT_S = 10
_STATEMENT_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 5
# Every request that touches the database does so in one of the server's 40 threads, or in one of ten that look up who asks.
_POOL_SIZE, _POOL_OVERFLOW = 10, 40

_READING_POSTGRESQL = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # readers and the writer do not wait for each other
    "PRAGMA synchronous=NORMAL",  # safe with WAL: a power cut may cost the last commits and never the file
    f"PRAGMA busy_timeout={_LOCK_TIMEOUT_S * 1000}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten, not only forgotten
    "PRAGMA trusted_schema=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-4000",  # 4 MB for each of up to 50 connections; the system keeps the file in memory too
)


def parse_url(text: str) -> URL:
    """Return the address of a database.

    Raises:
        DatabaseUrlError: If it is no address, or one of another kind of database. The message does not repeat it: it may hold a
            password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError from None
    backend = "postgresql" if url.drivername == "postgres" else url.get_backend_name()
    if backend == POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if backend != SQLITE or not url.database or url.database == ":memory:":
        raise DatabaseUrlError
    return url.set(drivername="sqlite+pysqlite")


class Database:
    """An engine and the sessions of it. Safe to use from several threads."""

    def __init__(self, url: URL, *, statement_timeout_s: int = _STATEMENT_TIMEOUT_S) -> None:
        """Set up an engine; nothing is connected yet.

        Args:
            url: From `parse_url`.
            statement_timeout_s: How long PostgreSQL may work on one statement; 0 is without end, as a migration needs it.
        """
        self.url = url
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url, statement_timeout_s)
        # The same connections, used otherwise.
        options = {"read_only": True} if self.is_sqlite else _READING_POSTGRESQL
        self._reading = self.engine.execution_options(**options)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether this is SQLite, and not PostgreSQL."""
        return self.url.get_backend_name() == SQLITE

    @property
    def name(self) -> str:
        """Name the database for people: without its password."""
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def forget(self) -> None:
        """Let go of what was deleted: SQLite keeps it in its log until the log is written over.

        Waits for readers as long as a writer does; what they hold up after that is done by the next call, or at the last close.
        """
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                connection.close()

    def system(self, *, read_only: bool = False) -> AbstractContextManager[Session]:
        """Open a session that sees every tenant's rows: for signing in and for the command line. Commits at the end."""
        return self.session(Session, read_only=read_only)

    @contextmanager
    def session(self, kind: type[Session], *, read_only: bool, info: dict[str, Any] | None = None) -> Iterator[Session]:
        """Open a session in a transaction of its own, which is taken back if an error passes through.

        Args:
            kind: The class of the session.
            read_only: See one state of the database throughout, and change nothing.
            info: Facts that the session carries.
        """
        bind = self._reading if read_only else self.engine
        with kind(bind, info=info, expire_on_commit=False) as session, session.begin():
            yield session


def changed_rows(done: object) -> int:
    """Return how many rows an update or a deletion was about."""
    assert isinstance(done, CursorResult)  # noqa: S101 what these give
    return done.rowcount


class Store:
    """One tenant's view of the database: the only way by which routes get at rows."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self.database = database
        self.tenant_id = tenant_id
        # Written with everything else that this view writes, in the same transaction.
        self.seal: Callable[[Session], None] | None = None

    def read(self) -> AbstractContextManager[Session]:
        """Open a session that only reads, and sees one state of the database throughout."""
        return self.database.session(TenantSession, read_only=True, info={"tenant_id": self.tenant_id})

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that reads and writes. Commits at the end, or takes everything back if an error passes through."""
        with self.database.session(TenantSession, read_only=False, info={"tenant_id": self.tenant_id}) as session:
            yield session
            if self.seal is not None:
                self.seal(session)

    def aside(self) -> Store:
        """Return the same view without the seal: for what a request writes on the way, and may be begun anew."""
        return Store(self.database, self.tenant_id)


def _sqlite_engine(url: URL) -> Engine:
    file = Path(str(url.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        # Answers of candidates will be in it: for the owner's eyes only. Its log takes over what the file has.
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    engine = create_engine(url, pool_size=_POOL_SIZE, max_overflow=_POOL_OVERFLOW, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 the driver that the address is set to
    # The driver's own idea of when a transaction begins leaves reads and changes of tables outside.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    """Begin so that a writer waits for its turn at once: one that reads first and then writes could only fail."""
    reading = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgresql_engine(url: URL, statement_timeout_s: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=_LOCK_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,  # answers of candidates are among them, and messages end up in logs
        connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
    )

    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET statement_timeout = '{statement_timeout_s}s'")
        cursor.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_S}s'")
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine
