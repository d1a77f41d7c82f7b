"""A tenant's session sees, changes and writes the rows of that tenant only, whatever the query forgets."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.orm import aliased

from api.storage.columns import new_id
from api.storage.database import Database, Store
from api.storage.tables import ApiKey, Tenant


def key(name: str, **values: str) -> ApiKey:
    return ApiKey(name=name, prefix=new_id()[-16:], secret_hash="0" * 64, scopes="grade", **values)


@pytest.fixture
def stores(database: Database) -> tuple[Store, Store]:
    with database.system() as session:
        session.add_all([Tenant(id="north"), Tenant(id="south")])
    north, south = Store(database, "north"), Store(database, "south")
    with north.write() as session:
        session.add_all([key("n1"), key("n2")])
    with south.write() as session:
        session.add(key("s1"))
    return north, south


def test_new_rows_belong_to_the_tenant_of_their_session(database: Database, stores: tuple[Store, Store]) -> None:
    with database.system() as session:
        rows = {found.name: found.tenant_id for found in session.scalars(select(ApiKey))}
    assert rows == {"n1": "north", "n2": "north", "s1": "south"}


def test_every_way_to_ask_is_filtered(stores: tuple[Store, Store]) -> None:
    north, south = stores
    with south.read() as session:
        foreign = session.scalars(select(ApiKey)).one().id
    other = aliased(ApiKey)
    with north.read() as session:
        assert {found.name for found in session.scalars(select(ApiKey))} == {"n1", "n2"}
        assert set(session.scalars(select(ApiKey.name))) == {"n1", "n2"}
        assert session.scalar(select(func.count()).select_from(ApiKey)) == 2
        assert session.scalar(select(func.count(ApiKey.id))) == 2
        assert session.get(ApiKey, foreign) is None
        assert set(session.scalars(select(other.name))) == {"n1", "n2"}
        assert session.execute(select(ApiKey.name, other.name).join(other, other.id != ApiKey.id)).all() != []
        assert "s1" not in {b for _, b in session.execute(select(ApiKey.name, other.name).join(other, other.id != ApiKey.id))}
        assert session.scalars(select(ApiKey).where(exists().where(other.id == foreign))).all() == []
        assert session.scalars(select(ApiKey).where(ApiKey.id.in_(select(other.id).where(other.id == foreign)))).all() == []


def test_changes_and_deletions_are_filtered(stores: tuple[Store, Store]) -> None:
    north, south = stores
    with north.write() as session:
        session.execute(update(ApiKey).values(name="changed"))
        session.execute(delete(ApiKey).where(ApiKey.name == "s1"))
    with south.write() as session:
        assert session.scalars(select(ApiKey.name)).all() == ["s1"]
        session.execute(delete(ApiKey))
    with north.read() as session:
        assert session.scalars(select(ApiKey.name)).all() == ["changed", "changed"]


def test_row_cannot_be_given_to_another_tenant(stores: tuple[Store, Store]) -> None:
    north, _ = stores
    with pytest.raises(RuntimeError, match="a row of ApiKey belongs to another tenant"), north.write() as session:
        session.add(key("smuggled", tenant_id="south"))
    with pytest.raises(RuntimeError, match="a row of ApiKey belongs to another tenant"), north.write() as session:
        session.scalars(select(ApiKey)).all()[0].tenant_id = "south"


@pytest.mark.parametrize(
    "statement",
    [
        text("SELECT * FROM api_keys"),
        select(ApiKey.__table__.c.name),
        select(ApiKey.name).union_all(select(ApiKey.name)),
        insert(ApiKey).values(name="x"),
        select(Tenant),
    ],
    ids=["text", "table", "union", "insert", "tenants"],
)
def test_what_cannot_be_filtered_is_refused(stores: tuple[Store, Store], statement: object) -> None:
    with pytest.raises(RuntimeError, match="a tenant's session"), stores[0].read() as session:
        session.execute(statement)  # type: ignore[call-overload]


def test_row_that_belongs_to_nobody_is_refused(stores: tuple[Store, Store]) -> None:
    with pytest.raises(TypeError, match="got Tenant"), stores[0].write() as session:
        session.add(Tenant(id="west"))


def test_an_error_takes_everything_back(stores: tuple[Store, Store]) -> None:
    north, _ = stores
    with pytest.raises(ZeroDivisionError), north.write() as session:  # noqa: PT012 the flush has to be inside
        session.add(key("n3"))
        session.flush()
        raise ZeroDivisionError
    with north.read() as session:
        assert session.scalar(select(func.count()).select_from(ApiKey)) == 2
