"""API keys: made, shown once, kept as hashes, and looked up again.

A key is `gk_<prefix>_<secret>`: the prefix finds the row, the secret is 256 random bits of which only the SHA-256 is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import ApiKey, Tenant
from grader import GraderError

_SHAPE = re.compile(r"gk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
# Built once, since every request asks.
ANY_KEY = select(ApiKey.id).limit(1)
_BY_PREFIX = select(ApiKey).where(ApiKey.prefix == bindparam("prefix"))


class Scope(StrEnum):
    """What a key may do."""

    GRADE = "grade"
    READ_RESULTS = "read_results"
    REVIEW = "review"
    MANAGE = "manage"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a token is bound to: the items that it grades answers to, whose attempt that is, and whether it is stored."""

    token_id: str
    bank_id: str
    item_ids: frozenset[str]
    origin: str | None
    attempt_id: str | None
    subject_id: str | None
    store: bool | None

    def names(self) -> tuple[tuple[str, str | None], ...]:
        """Return the attempt and the person, each with what it is."""
        return (("attempt", self.attempt_id), ("subject", self.subject_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is asking, and what they may do."""

    tenant_id: str
    key_id: str
    name: str
    scopes: frozenset[Scope]
    store_results: bool = False
    rate_limit: str | None = None
    # Where it is a token that asks.
    bound: Bound | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether a scope is among those of the key; `admin` holds all of them."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


# Whoever asks on a server without keys, which answers on loopback only.
KEYLESS = Access(tenant_id="local", key_id="", name="local", scopes=frozenset({Scope.ADMIN}))


class KeyNotFoundError(GraderError):
    """No key has this prefix."""

    def __init__(self, prefix: str) -> None:
        super().__init__(f"No key begins with {prefix!r}; `grader keys list` shows them all.")


class KeyRefusedError(GraderError):
    """The key is unknown, has expired or was revoked; which of them is not told."""

    def __init__(self, what: str = "key") -> None:
        super().__init__(f"The {what} is not valid.")


def create_key(
    database: Database,
    *,
    tenant_id: str,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None = None,
    store_results: bool = False,
    rate_limit: str | None = None,
) -> tuple[str, ApiKey]:
    """Make a key, and its tenant if that is new.

    Returns:
        The key as it is shown this once, and its row.
    """
    row = ApiKey(
        tenant_id=tenant_id,
        name=name,
        scopes=" ".join(sorted(set(scopes))),
        expires_at=expires_at,
        store_results=store_results,
        rate_limit=rate_limit,
    )
    ensure_tenant(database, tenant_id)
    shown = _give_secret(row)
    with database.system() as session:
        session.add(row)
    return shown, row


def ensure_tenant(database: Database, tenant_id: str) -> None:
    """Make a tenant where there is none of this id; several may try at once."""
    with database.system(read_only=True) as session:
        if session.get(Tenant, tenant_id) is not None:
            return
    with suppress(IntegrityError), database.system() as session:
        session.add(Tenant(id=tenant_id))


def rotate_key(database: Database, prefix: str, *, overlap: timedelta) -> tuple[str, ApiKey]:
    """Make a key that may do the same as another one, which ends after the overlap.

    Raises:
        KeyNotFoundError: If there is none with the prefix, or it is no longer valid.
    """
    with database.system() as session:
        old = session.scalar(_BY_PREFIX, {"prefix": prefix})
        if old is None or not is_valid(old):
            raise KeyNotFoundError(prefix)
        same = {name: getattr(old, name) for name in ("tenant_id", "name", "scopes", "expires_at", "store_results", "rate_limit")}
        row = ApiKey(**same)
        shown = _give_secret(row)
        session.add(row)
        end = now() + overlap
        old.expires_at = min(end, old.expires_at or end)
    return shown, row


def revoke_key(database: Database, prefix: str) -> None:
    """End a key at once, in every server: each of them looks it up for every request.

    Raises:
        KeyNotFoundError: If there is none with the prefix.
    """
    with database.system() as session:
        row = session.scalar(_BY_PREFIX, {"prefix": prefix})
        if row is None:
            raise KeyNotFoundError(prefix)
        row.revoked_at = row.revoked_at or now()


def list_keys(database: Database) -> list[ApiKey]:
    """Return all keys, those that are no longer valid included, oldest first."""
    with database.system(read_only=True) as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.id)))


def has_keys(database: Database) -> bool:
    """Tell whether a key was ever made: from then on nothing works without one."""
    with database.system(read_only=True) as session:
        return session.scalar(ANY_KEY) is not None


def authenticate(database: Database, key: str) -> Access:
    """Return what a key may do.

    Raises:
        KeyRefusedError: If it is not, not yet or no longer a key.
    """
    shape = _SHAPE.fullmatch(key)
    if shape is None:
        raise KeyRefusedError
    prefix, secret = shape.groups()
    with database.system(read_only=True) as session:
        row = session.scalar(_BY_PREFIX, {"prefix": prefix})
    same = hmac.compare_digest(hash_of(secret), row.secret_hash if row is not None else "0" * 64)
    if row is None or not same or not is_valid(row):
        raise KeyRefusedError
    return access_of(row)


def access_of(row: ApiKey) -> Access:
    """Return what a key that is valid may do."""
    return Access(
        tenant_id=row.tenant_id,
        key_id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes.split())),
        store_results=row.store_results,
        rate_limit=row.rate_limit,
    )


def _give_secret(row: ApiKey) -> str:
    """Give a row a prefix and the hash of a secret, and return the key."""
    row.prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row.secret_hash = hash_of(secret)
    return f"gk_{row.prefix}_{secret}"


def hash_of(secret: str) -> str:
    """Return what is kept of a secret of 256 random bits, which nobody can guess: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_valid(row: ApiKey) -> bool:
    """Tell whether a key is neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or now() < row.expires_at)
