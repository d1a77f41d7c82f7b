"""Every migration goes up and down on both databases, and ends at the tables that the program has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select

from api.storage import migrations
from api.storage.columns import new_id
from api.storage.database import Database, Store
from api.storage.errors import OldSchemaError
from api.storage.tables import Base, Result, Review, Tenant

REVISIONS = [script.revision for script in ScriptDirectory(str(migrations._SCRIPTS)).walk_revisions()][::-1]


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_migrations_end_at_the_tables_of_the_program(empty_database: Database) -> None:
    migrations.upgrade(empty_database)
    assert migrations.drift(empty_database) == []
    assert tables(empty_database) == {*Base.metadata.tables, "alembic_version"}


def test_every_migration_can_be_undone_and_done_again(empty_database: Database) -> None:
    seen = []
    for revision in REVISIONS:
        migrations.upgrade(empty_database, revision)
        seen.append(tables(empty_database))
    for at in range(len(REVISIONS) - 1, 0, -1):
        migrations.downgrade(empty_database, REVISIONS[at - 1])
        assert tables(empty_database) == seen[at - 1]
    migrations.downgrade(empty_database, "base")
    assert tables(empty_database) <= {"alembic_version"}
    migrations.upgrade(empty_database)
    assert migrations.drift(empty_database) == []


def test_a_drift_would_be_noticed(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE tenants ADD COLUMN surplus INTEGER")
    assert len(migrations.drift(database)) == 1


def test_servers_that_start_at_once_migrate_once(empty_database: Database) -> None:
    with ThreadPoolExecutor(4) as executor:
        for done in [executor.submit(migrations.upgrade, empty_database) for _ in range(4)]:
            done.result()
    assert migrations.current(empty_database) == migrations.latest()


def test_tables_of_another_version_are_refused(empty_database: Database) -> None:
    with pytest.raises(
        OldSchemaError, match=f"version none and this program needs {migrations.latest()}; run `grader db upgrade`"
    ):
        migrations.check(empty_database)
    migrations.upgrade(empty_database)
    migrations.check(empty_database)


def test_undoing_a_migration_and_doing_it_again_loses_no_other_row(database: Database) -> None:
    with database.system() as session:
        session.add(Tenant(id="north"))
    old, new = new_id(), new_id()
    with Store(database, "north").write() as session:
        session.add(result(old))
        session.flush()
        session.add(result(new, replaces_id=old))
    migrations.downgrade(database, "0003")
    migrations.upgrade(database)
    with Store(database, "north").read() as session:
        assert {row.id: (row.replaces_id, row.review_count) for row in session.scalars(select(Result))} == {
            old: (None, 0),
            new: (old, 0),
        }


def test_reviews_of_before_their_keys_were_recorded_stay(database: Database) -> None:
    with database.system() as session:
        session.add(Tenant(id="north"))
    result_id = new_id()
    with Store(database, "north").write() as session:
        session.add(result(result_id))
        session.flush()
        given = {"decision": "accept", "score": 0.5, "mark": 5.0, "key_points": "[]", "comment": ""}
        session.add(Review(result_id=result_id, reviewer="Ada", key_name="quiz", **given))
    migrations.downgrade(database, "0011")
    migrations.upgrade(database)
    with Store(database, "north").read() as session:
        [row] = session.scalars(select(Review))
    assert (row.reviewer, row.key_name, row.score) == ("Ada", None, 0.5)


def result(result_id: str, replaces_id: str | None = None) -> Result:
    return Result(
        id=result_id,
        replaces_id=replaces_id,
        key_name="",
        content_hash="",
        candidate_answer="",
        score=0.0,
        mark=0.0,
        needs_review=False,
        signature="",
        result="{}",
        grading_ms=0.0,
    )
