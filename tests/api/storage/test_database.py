"""Addresses, settings of the connections, and writers that wait for each other."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, StatementError

from api.storage import migrations
from api.storage.columns import new_id, oldest_id
from api.storage.database import Database, Store, parse_url
from api.storage.errors import DatabaseUrlError
from api.storage.tables import ApiKey, Tenant
from tests.api.databases import KINDS, new_database


@pytest.mark.parametrize(
    ("address", "driver"),
    [
        ("sqlite:////tmp/x.sqlite", "sqlite+pysqlite"),
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgres://u:p@h:5/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg"),
    ],
)
def test_address_is_read(address: str, driver: str) -> None:
    assert parse_url(address).drivername == driver


@pytest.mark.parametrize(
    "address", ["", "hush", "mysql://u:hush@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://u:hush@h:port/d"]
)
def test_address_that_cannot_be_used_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        parse_url(address)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_name_hides_the_password() -> None:
    assert Database(parse_url("postgresql://u:hush@h/d")).name == "postgresql+psycopg://u:***@h/d"


def test_sqlite_runs_with_its_pragmas(tmp_path: Path) -> None:
    database = Database(parse_url(f"sqlite:///{tmp_path}/new/x.sqlite"))
    with database.engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "secure_delete", "synchronous")
        }
    for file in (tmp_path / "new").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert values == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000, "secure_delete": 1, "synchronous": 1}
    database.close()


def test_moments_keep_their_zone(database: Database) -> None:
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    with database.system() as session:
        session.add(Tenant(id="north", created_at=moment))
    with database.system() as session:
        assert session.scalars(select(Tenant)).one().created_at == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    with pytest.raises(StatementError, match="needs a time zone"), database.system() as session:
        session.add(Tenant(id="south", created_at=datetime(2026, 3, 1)))  # noqa: DTZ001 the point of the test


def test_ids_sort_by_age() -> None:
    moment = datetime.now(UTC)
    ids = [new_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert {len(i) for i in ids} == {32}
    assert oldest_id(moment) <= ids[0][:12] + "f" * 20
    assert oldest_id(moment + timedelta(hours=1)) > ids[-1]
    assert [i[:12] for i in ids] == sorted(i[:12] for i in ids)


def test_writers_wait_for_each_other(database: Database) -> None:
    with database.system() as session:
        session.add(Tenant(id="north"))
    store = Store(database, "north")

    def write(at: int) -> None:
        with store.write() as session:
            count = len(session.scalars(select(ApiKey)).all())
            session.add(ApiKey(name=f"{at} after {count}", prefix=new_id()[-16:], secret_hash="", scopes=""))

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(write, range(40)))
    with store.read() as session:
        assert len(session.scalars(select(ApiKey)).all()) == 40


def test_reader_sees_one_state_while_a_writer_commits(database: Database) -> None:
    with database.system() as session:
        session.add(Tenant(id="north"))
    store = Store(database, "north")
    with store.read() as reading:
        assert reading.scalars(select(ApiKey)).all() == []
        with store.write() as writing:
            writing.add(ApiKey(name="new", prefix="p", secret_hash="", scopes=""))
        assert reading.scalars(select(ApiKey)).all() == []


def test_deleting_a_tenant_deletes_what_it_owns(database: Database) -> None:
    with database.system() as session:
        session.add(Tenant(id="north"))
    with Store(database, "north").write() as session:
        session.add(ApiKey(name="new", prefix="p", secret_hash="", scopes=""))
    with database.system() as session:
        session.execute(text("DELETE FROM tenants"))
        assert session.scalars(select(ApiKey)).all() == []


@pytest.mark.skipif("postgresql" not in KINDS, reason="needs PostgreSQL; what was left out is printed at the end")
def test_reading_session_of_postgresql_cannot_write(tmp_path: Path) -> None:
    with new_database("postgresql", tmp_path) as url:
        database = Database(url)
        migrations.upgrade(database)
        with database.system() as session:
            session.add(Tenant(id="north"))
        with Store(database, "north").read() as session:
            session.add(ApiKey(name="new", prefix="p", secret_hash="", scopes=""))
            with pytest.raises(DBAPIError, match="read-only"):
                session.flush()
        database.close()
