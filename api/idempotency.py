"""The same request sent twice is carried out once: a POST with an `Idempotency-Key` gives its first answer again for a day.

A dependency claims the key once the asking tenant is known. What the request writes is committed together with the note that it
was carried out, so that no crash makes it happen twice. The route class then keeps the answer, gives it again, or lets go of
the key where nothing was done, because the request failed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.access import AccessDep, KeyedRoute, StoreDep
from api.errors import AnswerLostError, ClaimLostError, KeyReusedError, StillRunningError
from api.replays import KEPT, REPEATS_STORED, repeats_what_is_gone
from api.schemas import SubjectId
from api.storage.columns import new_id, now
from api.storage.database import Store, changed_rows
from api.storage.tables import Replay, ReplayName

# A claim without an answer after this long is of a server that died.
_RUNS_AT_MOST = timedelta(minutes=2)
# Built once, since every request with a key asks. No session that changes a claim has loaded it.
_KNOWN = select(Replay).where(Replay.key == bindparam("key"))
_MINE = update(Replay).where(Replay.id == bindparam("replay_id")).execution_options(synchronize_session=False)
_MARK = _MINE.values(carried_out=True)
_KEEP = _MINE.values(status=bindparam("given_status"), body=bindparam("given_body"))

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A name of your own for this request; sent again with it, the same request gives the same answer.",
    ),
]
_ID = TypeAdapter[str](SubjectId)
# Parameters of the addresses of what is stored: answers there may speak of whom the request does not name.
_REPEATED = frozenset({"result_id", "item_id"})
REFUSALS = (KeyReusedError, StillRunningError, AnswerLostError, ClaimLostError)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that this request is the first to come with."""

    store: Store
    replay_id: str
    repeats_stored: bool = False

    def mark(self, session: Session) -> None:
        """Note in the transaction of what the request does that it was carried out.

        Raises:
            ClaimLostError: If another request has claimed the key since, having waited for this one long enough.
        """
        if not changed_rows(session.execute(_MARK, {"replay_id": self.replay_id})):
            raise ClaimLostError

    def keep(self, response: Response) -> None:
        """Keep the answer for the next request with the key, unless what it repeats was erased meanwhile."""
        body = bytes(response.body).decode()
        given = {"given_status": response.status_code, "given_body": body}
        with self.store.aside().write() as session:
            # First, as it is what an erasure waits for: either that sees the answer, or we see what it has deleted.
            session.execute(_KEEP, {"replay_id": self.replay_id} | given)
            if self.repeats_stored and repeats_what_is_gone(session, body):
                session.execute(delete(Replay).where(Replay.id == self.replay_id))

    def release(self) -> None:
        """Let the key be used again, unless something was done before the request failed."""
        with self.store.aside().write() as session:
            session.execute(delete(Replay).where(Replay.id == self.replay_id, Replay.carried_out.is_(False)))


class ReplayedError(Exception):
    """The request was answered before."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.response = Response(body, status, {"Idempotent-Replayed": "true"}, "application/json")


class IdempotentRoute(KeyedRoute):
    """A keyed route whose answers are kept for requests that claimed a key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the keeping around it."""
        handle = super().get_route_handler()

        async def keeping(request: Request) -> Response:
            try:
                response = await handle(request)
            except ReplayedError as replayed:
                return replayed.response
            except BaseException:
                claim = _claim_of(request)
                if claim is not None:
                    await run_in_threadpool(claim.release)
                raise
            claim = _claim_of(request)
            if claim is not None:
                await run_in_threadpool(claim.keep, response)
            return response

        return keeping


async def claim_key(request: Request, store: StoreDep, access: AccessDep, idempotency_key: IdempotencyKey = None) -> None:
    """Claim a key for this request.

    Raises:
        ReplayedError: If the request was answered before.
        KeyReusedError: If another request came with the key.
        StillRunningError: If the first request with the key is in progress.
    """
    if idempotency_key is not None and request.method == "POST":
        body = await request.body()
        digest = hashlib.sha256(body).digest()
        names = _names_in(body)
        if access.bound is not None:
            # Whoever holds a token must not take the names of requests that the site's own server sends.
            idempotency_key = hashlib.sha256(f"{access.bound.token_id} {idempotency_key}".encode()).hexdigest()
            names |= {f"{kind}:{name}" for kind, name in access.bound.names() if name is not None}
        if not _REPEATED.isdisjoint(request.path_params):
            names.add(REPEATS_STORED)
        request.scope["claim"] = await run_in_threadpool(_claim, store, idempotency_key, _hash_of(request, digest), names)


def claim_upload(request: Request, store: Store, idempotency_key: str | None, digest: bytes) -> None:
    """Claim a key for a request whose body went to disk, by the SHA-256 of that.

    Its answer repeats nothing of the body, so there are no names to note.

    Raises:
        ReplayedError: If the request was answered before.
        KeyReusedError: If another request came with the key.
        StillRunningError: If the first request with the key is in progress.
    """
    if idempotency_key is not None:
        request.scope["claim"] = _claim(store, idempotency_key, _hash_of(request, digest), set())


def _claim_of(request: Request) -> Claim | None:
    claim = request.scope.get("claim")
    return claim if isinstance(claim, Claim) else None


def _claim(store: Store, key: str, request_hash: str, names: set[str]) -> Claim:
    replay_id = new_id()
    try:
        with store.write() as session:
            known = session.scalar(_KNOWN, {"key": key})
            if known is not None and not _is_over(known):
                raise _answer_of(known, request_hash)
            if known is not None:
                # By its id: by its key it would take away what another server has claimed since.
                session.execute(delete(Replay).where(Replay.id == known.id))
            session.add(Replay(id=replay_id, key=key, request_hash=request_hash))
            session.flush()
            session.add_all(ReplayName(replay_id=replay_id, name=name) for name in sorted(names))
    except IntegrityError:
        # Another server has claimed it between our look and our row.
        raise StillRunningError from None
    claim = Claim(store, replay_id, REPEATS_STORED in names)
    store.seal = claim.mark
    return claim


def _is_over(known: Replay) -> bool:
    is_done = known.carried_out or known.status is not None
    return now() - known.created_at > (KEPT if is_done else _RUNS_AT_MOST)


def _answer_of(known: Replay, request_hash: str) -> Exception:
    if known.request_hash != request_hash:
        return KeyReusedError()
    if known.status is None:
        # Its answer is a moment away, if its server is still there.
        is_lost = known.carried_out and now() - known.created_at > _RUNS_AT_MOST
        return AnswerLostError() if is_lost else StillRunningError()
    return ReplayedError(known.status, known.body or "")


def _hash_of(request: Request, digest: bytes) -> str:
    address = f"{request.method} {request.url.path}?{request.url.query} {request.headers.get('content-type', '')}"
    return hashlib.sha256(address.encode() + b"\0" + digest).hexdigest()


def _names_in(body: bytes) -> set[str]:
    """Return the attempts and subjects that a body speaks of, so that erasing one finds the kept answer."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return set()
    rows = sent.get("rows", [sent]) if isinstance(sent, dict) else sent
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    pairs = ((kind, row.get(f"{kind}_id")) for row in named for kind in ("attempt", "subject"))
    return {f"{kind}:{name}" for kind, name in pairs if _is_id(name)}


def _is_id(name: object) -> bool:
    """Tell whether a name is one that routes accept, as attempts and subjects are named alike."""
    try:
        _ID.validate_python(name, strict=True)
    except ValidationError:
        return False
    return True
