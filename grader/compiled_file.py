"""The file of a large bank as it was read: how it is written, and how one of many threads and processes reads it.

Once it has its name it is never changed. Each item and the marked responses of each are a row with a checksum.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
import weakref
import zlib
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from grader.bank import MarkedResponse, hash_of_hashes, read_files, read_version
from grader.errors import CompiledBankError, FileProblem, InvalidBankError
from grader.items import Difficulty, Item, ItemHead

# Raised whenever this version could not read what an older one wrote.
_FORMAT = 1
# Those asked for last; an item takes some 30 kB.
_ITEMS_KEPT = 1_000
# The most that SQLite maps.
_MAPPED_BYTES = 0x7FFF0000
# Whoever has been writing for longer was killed.
_LONGEST_WRITE_S = 86_400
_SCHEMA = """
    CREATE TABLE about (body TEXT NOT NULL);
    CREATE TABLE heads (
        id TEXT PRIMARY KEY, question TEXT NOT NULL, topic TEXT NOT NULL, section TEXT NOT NULL, difficulty TEXT NOT NULL,
        max_mark INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE items (id TEXT PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL);
    CREATE TABLE responses (id TEXT PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL);
"""
_MARKED = TypeAdapter(tuple[MarkedResponse, ...])
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a compiled file says of itself: what wrote it, from which files, and what they held together."""

    written_by: str
    listing: str
    bank_version: str
    content_hash: str
    items: int


_ABOUT = TypeAdapter(About)


class CompiledFile:
    """A compiled file, open from its first use on."""

    def __init__(self, path: Path, about: About, connection: sqlite3.Connection | None = None) -> None:
        """Name a file, what it has to say of itself, and the connection to it where it is open already."""
        self.path = path
        self.about = about
        self._connection = connection
        if connection is not None:
            weakref.finalize(self, connection.close)
        self._kept: LRUCache[str, Item] = LRUCache(_ITEMS_KEPT)
        self._lock = Lock()

    @classmethod
    def opened(cls, path: Path, listing: str) -> CompiledFile:
        """Return the file if it was written by this program from the files of a listing.

        Raises:
            OSError: If it cannot be read.
            sqlite3.Error: If it is damaged.
            ValueError: If it is of other files or another program.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(closing(_connect(path)))
            about = _about(connection, path)
            if (about.written_by, about.listing) != (_program(), listing):
                raise ValueError(f"{path} is of other files or another program")
            # It stays open: by the next moment another process may have put another file in its place.
            stack.pop_all()
        return cls(path, about, connection)

    def __reduce__(self) -> tuple[type[CompiledFile], tuple[Path, About]]:
        return CompiledFile, (self.path, self.about)

    def item(self, item_id: str) -> Item | None:
        """Return the item with this id, or None; those asked for last are kept."""
        # Ids are ASCII, and SQLite refuses some of what is not.
        if not item_id.isascii():
            return None
        with self._lock:
            found = self._kept.get(item_id)
        if found is None:
            for row in self._rows("SELECT body, crc FROM items WHERE id = ?", item_id):
                found = self._parsed(row, Item.model_validate_json)
                with self._lock:
                    self._kept[item_id] = found
        return found

    def items(self, *, after: str = "", start: int = 0, count: int) -> tuple[Item, ...]:
        """Return so many items in the order of their ids, from the one at `start` of those after an id."""
        rows = self._rows("SELECT body, crc FROM items WHERE id > ? ORDER BY id LIMIT ? OFFSET ?", after, count, start)
        return tuple(self._parsed(row, Item.model_validate_json) for row in rows)

    def heads(self) -> list[ItemHead]:
        """Return what lists show of all items, which takes five microseconds an item."""
        rows = self._rows("SELECT id, question, topic, section, difficulty, max_mark FROM heads ORDER BY id")
        return [
            ItemHead(
                id=id_, question=question, topic=topic, section=section, difficulty=Difficulty(difficulty), max_mark=max_mark
            )
            for id_, question, topic, section, difficulty, max_mark in rows
        ]

    def responses(self, item_id: str) -> tuple[MarkedResponse, ...]:
        """Return the marked answers of an item, none where it has none."""
        rows = self._rows("SELECT body, crc FROM responses WHERE id = ?", item_id)
        return self._parsed(rows[0], _MARKED.validate_json) if rows else ()

    def marked_ids(self) -> list[str]:
        """Return the ids of the items that have marked answers."""
        return [item_id for (item_id,) in self._rows("SELECT id FROM responses ORDER BY id")]

    def _rows(self, query: str, *values: object) -> list[Any]:  # Any: a tuple of the query's columns
        """Return what a query finds; a query takes some twenty microseconds, so one at a time is enough.

        Raises:
            CompiledBankError: If the file is damaged, or another one by now.
        """
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = self._open()
                return self._connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            raise CompiledBankError(self.path, f"cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged() from error

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self.path)
        weakref.finalize(self, connection.close)
        try:
            about: About | None = _about(connection, self.path)
        except ValueError:
            about = None
        if about != self.about:
            raise CompiledBankError(self.path, "is of other files by now than when this process was started")
        return connection

    def _parsed(self, row: tuple[bytes, int], parse: Callable[[bytes], _T]) -> _T:
        """Return what a row holds.

        Raises:
            CompiledBankError: If the row is damaged.
        """
        body, crc = row
        if zlib.crc32(body) == crc:
            with suppress(ValidationError):
                return parse(body)
        raise self._damaged()

    def _damaged(self) -> CompiledBankError:
        """Remove the file, so that the next start writes another, and return what to raise."""
        with suppress(OSError):
            self.path.unlink()
        return CompiledBankError(self.path, "is damaged, and was removed: the next start reads the bank's own files")


def _connect(path: Path) -> sqlite3.Connection:
    """Open a compiled file for reading; what never changes need not be locked.

    Raises:
        sqlite3.Error: If it is not there.
    """
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _about(connection: sqlite3.Connection, path: Path) -> About:
    """Return what an open file says of itself.

    Raises:
        sqlite3.Error: If it is damaged.
        ValueError: If it says nothing that can be understood.
    """
    connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
    pages, page_size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * page_size != path.stat().st_size:
        raise sqlite3.DatabaseError(f"{path} is cut short")
    return _ABOUT.validate_json("".join(body for (body,) in connection.execute("SELECT body FROM about")))


def write(folder: Path, file: Path, listing: str) -> None:
    """Read a bank and write it to a file, item by item; the file appears when it is complete.

    Processes that do this at once each write a file of their own, and the last one stays. The listing is of before the files were
    read, so that whatever is changed meanwhile is noticed at the next start.

    Raises:
        InvalidBankError: With every problem of every file; nothing is left then.
        OSError: If the file cannot be written.
        sqlite3.Error: As above.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in file.parent.glob(f"{file.stem}-*.new"):
        if old.stat().st_mtime < time.time() - _LONGEST_WRITE_S:
            old.unlink(missing_ok=True)
    # Nobody but the user may read it, whatever the folder allows: it holds the reference answers.
    handle, name = tempfile.mkstemp(prefix=f"{file.stem}-", suffix=".new", dir=file.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN")
            _fill(connection, folder, listing)
            connection.execute("COMMIT")
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def _fill(connection: sqlite3.Connection, folder: Path, listing: str) -> None:
    problems: list[FileProblem] = []
    bank_version = read_version(folder, problems)
    hashes: dict[str, str] = {}
    for item, marked in read_files(folder, problems):
        # Once there is a problem the rest is only looked at.
        if not problems:
            hashes[item.id] = item.content_hash
            connection.execute("INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?)", astuple(ItemHead.of(item)))
            _insert(connection, "items", item.id, item.model_dump_json().encode())
            if marked:
                _insert(connection, "responses", item.id, _MARKED.dump_json(marked))
    if problems:
        raise InvalidBankError(problems)
    about = About(
        written_by=_program(),
        listing=listing,
        bank_version=bank_version,
        content_hash=hash_of_hashes(hashes[item_id] for item_id in sorted(hashes)),
        items=len(hashes),
    )
    connection.execute("INSERT INTO about VALUES (?)", (_ABOUT.dump_json(about).decode(),))


def _insert(connection: sqlite3.Connection, table: str, item_id: str, body: bytes) -> None:
    connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (item_id, body, zlib.crc32(body)))  # noqa: S608 one of two names


def _program() -> str:
    """Name what writes and reads compiled files, as another version may find other items right."""
    return f"{version('answer-grader')}, format {_FORMAT}"
