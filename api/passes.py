"""What stands for a key for a while: tokens for pages of other sites, and sessions of people at the service's own pages.

A pass is `gt_` or `gs_` and 256 random bits, of which only the SHA-256 is kept. It is looked up with its key for every request,
so that it ends with its key, on every server at once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from api.keys import ANY_KEY, KEYLESS, Access, Bound, KeyRefusedError, Scope, access_of, hash_of, is_valid
from api.storage.columns import now
from api.storage.database import Database
from api.storage.tables import ApiKey, Pass

SESSION_LASTS = timedelta(hours=12)
TOKEN_PREFIX = "gt_"  # noqa: S105 how every token begins, and no token


class PassKind(StrEnum):
    """What a pass is for."""

    TOKEN = "token"  # noqa: S105 a name, and no token
    SESSION = "session"


_PREFIXES = {PassKind.TOKEN: TOKEN_PREFIX, PassKind.SESSION: "gs_"}
_SHAPE = re.compile(r"g[ts]_[A-Za-z0-9_-]{43}", re.ASCII)
# Built once, since every request with a pass asks.
_WITH_KEY = (
    select(Pass, ApiKey)
    .outerjoin(ApiKey, Pass.key_id == ApiKey.id)
    .where(Pass.secret_hash == bindparam("secret_hash"), Pass.kind == bindparam("kind"))
)


def create_pass(database: Database, access: Access, row: Pass) -> str:
    """Keep a pass that stands for a key, and return it as it is shown this once.

    Args:
        database: The database.
        access: Whose key it is.
        row: The pass, with its kind, its end and what it is bound to.
    """
    shown = _PREFIXES[PassKind(row.kind)] + secrets.token_urlsafe(32)
    row.tenant_id, row.key_id, row.secret_hash = access.tenant_id, access.key_id or None, hash_of(shown)
    with database.system() as session:
        delete_expired(session)
        session.add(row)
    return shown


def create_session(database: Database, access: Access) -> str:
    """Begin a session for a key, and return its secret."""
    return create_pass(database, access, Pass(kind=PassKind.SESSION, expires_at=now() + SESSION_LASTS))


def end_session(database: Database, shown: str) -> None:
    """End a session, if there is one."""
    with database.system() as session:
        session.execute(delete(Pass).where(Pass.secret_hash == hash_of(shown), Pass.kind == PassKind.SESSION))


def delete_expired(session: Session) -> None:
    """Delete the passes whose time is over: a token may name a person."""
    session.execute(delete(Pass).where(Pass.expires_at <= now()))


def admit(database: Database, shown: str, kind: PassKind) -> Access:
    """Return what a pass allows: a session all that its key does, a token to grade answers to what it is bound to.

    Raises:
        KeyRefusedError: If there is no such pass, its time is over, or its key is no longer valid.
    """
    if not _SHAPE.fullmatch(shown):
        raise KeyRefusedError(kind)
    with database.system(read_only=True) as session:
        found = session.execute(_WITH_KEY, {"secret_hash": hash_of(shown), "kind": kind}).first()
        if found is None:
            raise KeyRefusedError(kind)
        row, key = found
        # What was made without keys ends when the first key is made.
        is_alive = is_valid(key) if key is not None else session.scalar(ANY_KEY) is None
    if row.expires_at <= now() or not is_alive:
        raise KeyRefusedError(kind)
    access = access_of(key) if key is not None else KEYLESS
    return access if kind is PassKind.SESSION else replace(access, scopes=frozenset({Scope.GRADE}), bound=_bound(row))


def _bound(row: Pass) -> Bound:
    return Bound(
        token_id=row.id,
        bank_id=row.bank_id or "",
        item_ids=frozenset((row.item_ids or "").split()),
        origin=row.origin,
        attempt_id=row.attempt_id,
        subject_id=row.subject_id,
        store=row.store,
    )
