"""What is backed up comes back, and what is no backup is refused."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select

from api.storage import backups, migrations
from api.storage.database import Database, Store, parse_url
from api.storage.errors import BackupError
from api.storage.tables import ApiKey, Tenant
from tests.api.databases import KINDS, new_database


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return a database that is no schema in another one, for a backup is of all that there is."""
    with new_database(request.param, tmp_path, whole=True) as url:
        opened = Database(url)
        migrations.upgrade(opened)
        yield opened
        opened.close()


@pytest.fixture
def filled(database: Database) -> Database:
    with database.system() as session:
        session.add(Tenant(id="north"))
    with Store(database, "north").write() as session:
        session.add(ApiKey(name="schlüssel", prefix="p", secret_hash="", scopes=""))
    return database


@pytest.fixture
def target(database: Database, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "target").mkdir()
    with new_database("sqlite" if database.is_sqlite else "postgresql", tmp_path / "target", whole=True) as url:
        opened = Database(url)
        yield opened
        opened.close()


def test_backup_made_in_use_comes_back(filled: Database, target: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    with Store(filled, "north").read() as session:
        assert len(session.scalars(select(ApiKey)).all()) == 1
        backups.backup(filled, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    backups.restore(target, file)
    assert migrations.drift(target) == []
    with Store(target, "north").read() as session:
        assert session.scalars(select(ApiKey.name)).all() == ["schlüssel"]


def test_backup_overwrites_nothing(filled: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("mine")
    with pytest.raises(BackupError, match="is there already"):
        backups.backup(filled, file)
    assert file.read_text() == "mine"
    backups.backup(filled, tmp_path / "other")
    with pytest.raises(BackupError, match="is not empty"):
        backups.restore(filled, tmp_path / "other")


def test_file_that_is_no_backup_is_refused(target: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    with pytest.raises(BackupError, match="is not a file"):
        backups.restore(target, file)
    file.write_text("no backup;")
    with pytest.raises(BackupError, match=r"is no backup|psql failed"):
        backups.restore(target, file)


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "copy") as connection:
        connection.execute("CREATE TABLE songs (id INTEGER)")
    connection.close()
    target = Database(parse_url(f"sqlite:///{tmp_path}/target.sqlite"))
    with pytest.raises(BackupError, match="no whole backup of this program's database"):
        backups.restore(target, tmp_path / "copy")
    target.close()


def test_program_is_told_all_that_the_address_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" "$PGPASSWORD" > {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    address = "postgresql://me:se%20cret@/marks?host=10.0.0.7&port=5999&sslmode=require"
    backups.backup(Database(parse_url(address)), tmp_path / "copy")
    stated, secret = told.read_text().splitlines()
    assert conninfo_to_dict(stated.removeprefix("--dbname=")) == {
        "user": "me", "dbname": "marks", "host": "10.0.0.7", "port": "5999", "sslmode": "require"
    }  # fmt: skip
    assert secret == "se cret"  # noqa: S105 of no database


def test_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="pg_dump is not installed"):
        backups.backup(Database(parse_url("postgresql://h/d")), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
