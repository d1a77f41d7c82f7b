"""Tables that were sent to the pages and are not taken in yet. They lie in a folder that goes with the server."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

from fastapi import Depends

from api.access import AccessDep
from api.dependencies import UploadsDep
from api.errors import InvalidTableError
from api.pages.words import words_of
from grader.batch import FORMATS

# What is looked at and never started is forgotten.
_KEPT_S = 3_600
_TOKEN_BYTES = 16
_OWNER_BYTES = 16


class UnusableTableError(InvalidTableError):
    """There is nothing to grade in what was sent; `name` is the string of the pages that says why."""

    def __init__(self, name: str) -> None:
        super().__init__(words_of("en")[name])
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """The tables of one tenant: a token stands in addresses, and an address may be seen by somebody of another."""

    folder: Path
    owner: str

    def keep(self, content: IO[bytes] | None, name: str) -> str:
        """Keep a table for an hour, and return the token that it is found by.

        Raises:
            UnusableTableError: If there is no file, or its name's ending is none of those that can be read.
        """
        if content is None or not name:
            raise UnusableTableError("table_none")
        suffix = Path(name).suffix.lower()
        if suffix not in FORMATS:
            raise UnusableTableError("table_ending")
        self._forget_old()
        token = secrets.token_hex(_TOKEN_BYTES) + suffix
        with self._place(token).open("wb") as out:
            shutil.copyfileobj(content, out)
        return token

    def find(self, token: str) -> Path:
        """Return a table that is kept.

        Raises:
            UnusableTableError: If none of the tenant's is.
        """
        table = self._place(token)
        if table.suffix not in FORMATS or not table.is_file():
            raise UnusableTableError("table_gone")
        return table

    def _place(self, token: str) -> Path:
        owner = hashlib.blake2b(self.owner.encode(), digest_size=_OWNER_BYTES).hexdigest()
        return self.folder / f"{owner}-{Path(token).name}"

    def _forget_old(self) -> None:
        for file in self.folder.iterdir():
            if file.stat().st_mtime < time.time() - _KEPT_S:
                file.unlink(missing_ok=True)


async def get_tenant_uploads(folder: UploadsDep, asking: AccessDep) -> Uploads:
    """Return the tables of whoever is asking."""
    return Uploads(folder=folder, owner=asking.tenant_id)


TenantUploadsDep = Annotated[Uploads, Depends(get_tenant_uploads)]
