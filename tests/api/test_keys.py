"""Keys: shown once, kept as hashes, valid until they expire or are revoked, and rotated with an overlap."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from api.keys import (
    Access,
    KeyNotFoundError,
    KeyRefusedError,
    Scope,
    authenticate,
    create_key,
    has_keys,
    list_keys,
    revoke_key,
    rotate_key,
)
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import ApiKey


def make(database: Database, **options: object) -> str:
    values: dict[str, object] = {"tenant_id": "north", "name": "quiz", "scopes": [Scope.GRADE], **options}
    return create_key(database, **values)[0]  # type: ignore[arg-type]


def test_key_tells_whose_it_is_and_what_it_may_do(database: Database) -> None:
    shown, row = create_key(
        database,
        tenant_id="north",
        name="quiz",
        scopes=[Scope.READ_RESULTS, Scope.GRADE],
        store_results=True,
        rate_limit="5/minute",
    )
    assert authenticate(database, shown) == Access(
        tenant_id="north",
        key_id=row.id,
        name="quiz",
        scopes=frozenset({Scope.GRADE, Scope.READ_RESULTS}),
        store_results=True,
        rate_limit="5/minute",
    )


def test_only_the_hash_of_the_secret_is_kept(database: Database) -> None:
    shown = make(database)
    secret = shown.split("_", 2)[2]
    with database.system(read_only=True) as session:
        row = session.scalars(select(ApiKey)).one()
        columns = [str(getattr(row, column.name)) for column in ApiKey.__table__.columns]
    assert row.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert not any(secret in value for value in columns)
    assert len(secret) == 43
    assert make(database) != shown


@pytest.mark.parametrize(
    "key",
    ["", "gk_", "gk_000000000000_" + "A" * 43, "x" * 100_000, "gk_\x00", "gk_00000000000٠_" + "A" * 43, "\ud800", "Bearer"],
)
def test_what_is_no_key_is_refused(database: Database, key: str) -> None:
    make(database)
    with pytest.raises(KeyRefusedError, match=r"^The key is not valid\.$"):
        authenticate(database, key)


def test_right_prefix_with_another_secret_is_refused(database: Database) -> None:
    shown = make(database)
    other = make(database)
    with pytest.raises(KeyRefusedError):
        authenticate(database, shown[:16] + other[16:])


def test_revocation_acts_at_once_and_for_good(database: Database) -> None:
    shown = make(database)
    prefix = shown.split("_")[1]
    authenticate(database, shown)
    revoke_key(database, prefix)
    with pytest.raises(KeyRefusedError):
        authenticate(database, shown)
    first = list_keys(database)[0].revoked_at
    revoke_key(database, prefix)
    assert list_keys(database)[0].revoked_at == first
    with pytest.raises(KeyNotFoundError):
        rotate_key(database, prefix, overlap=timedelta(hours=1))
    assert has_keys(database)


def test_key_ends_when_it_expires(database: Database) -> None:
    shown = make(database, expires_at=now() + timedelta(hours=1))
    authenticate(database, shown)
    with database.system() as session:
        session.execute(update(ApiKey).values(expires_at=now()))
    with pytest.raises(KeyRefusedError):
        authenticate(database, shown)


def test_rotation_leaves_both_valid_for_the_overlap(database: Database) -> None:
    old = make(database, scopes=[Scope.MANAGE, Scope.GRADE], store_results=True)
    new, _ = rotate_key(database, old.split("_")[1], overlap=timedelta(hours=2))
    was, is_now = authenticate(database, old), authenticate(database, new)
    assert (is_now.tenant_id, is_now.name, is_now.scopes, is_now.store_results) == (was.tenant_id, was.name, was.scopes, True)
    ends = [row.expires_at for row in list_keys(database)]
    assert ends[0] is not None
    assert timedelta(hours=1, minutes=59) < ends[0] - now() <= timedelta(hours=2)
    assert ends[1] is None


def test_rotation_without_overlap_ends_the_old_key_at_once(database: Database) -> None:
    old = make(database)
    new, _ = rotate_key(database, old.split("_")[1], overlap=timedelta())
    authenticate(database, new)
    with pytest.raises(KeyRefusedError):
        authenticate(database, old)


def test_rotation_does_not_lengthen_a_life(database: Database) -> None:
    end = now() + timedelta(minutes=5)
    old = make(database, expires_at=end)
    rotate_key(database, old.split("_")[1], overlap=timedelta(days=1))
    assert [row.expires_at for row in list_keys(database)] == [end, end]


@pytest.mark.parametrize("act", [revoke_key, lambda d, p: rotate_key(d, p, overlap=timedelta())])
def test_unknown_prefix_is_named(database: Database, act: object) -> None:
    with pytest.raises(KeyNotFoundError, match="No key begins with 'abc'; `grader keys list`"):
        act(database, "abc")  # type: ignore[operator]


def test_admin_may_everything() -> None:
    admin = Access(tenant_id="t", key_id="k", name="n", scopes=frozenset({Scope.ADMIN}))
    assert all(admin.may(scope) for scope in Scope)
    grading = Access(tenant_id="t", key_id="k", name="n", scopes=frozenset({Scope.GRADE}))
    assert [scope for scope in Scope if grading.may(scope)] == [Scope.GRADE]
