"""A large bank kept as it was read: one SQLite file, from which items are made when they are asked for.

It is a cache of the bank's folder and nothing else. It is used as long as every file of the folder has the name, size and time
that it had when it was read; in any other case the folder is read anew. What has been written is never changed, so any number of
threads and processes may read it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import astuple, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from grader.bank import ITEM_SUFFIX, RESPONSES_SUFFIX, ItemBank, MarkedResponse, hash_of_hashes, read_files, read_version
from grader.errors import CompiledBankError, FileProblem, InvalidBankError
from grader.items import Difficulty, Item, ItemHead

# So many are read in two seconds, and the profiles of so many are kept in memory.
_MOST_ITEMS_READ = 1_000
# Raised whenever this version could not read what an older one wrote.
_FORMAT = 1
# Those asked for last; an item takes some 30 kB.
_ITEMS_KEPT = 1_000
# Made at once where all are gone through.
_ITEMS_PER_QUERY = 100
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
# What an unusable file gives: it is not there, damaged, of another version or made from other files.
_UNUSABLE = (OSError, sqlite3.Error, ValueError)
_T = TypeVar("_T")


def open_bank(path: Path, *, home: Path) -> ItemBank:
    """Return the bank in a folder; one of many items is kept compiled, and not read again while it stays as it is.

    Args:
        path: The folder.
        home: Folder for the compiled form; where that cannot be written, all items are held in memory.

    Raises:
        InvalidBankError: With every problem of every file.
    """
    listing = _Listing.of(path)
    if listing is None or listing.items <= _MOST_ITEMS_READ:
        return ItemBank.from_directory(path)
    file = home / f"bank-{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]}.sqlite"
    with suppress(*_UNUSABLE):
        return CompiledBank(_CompiledFile.opened(file, listing))
    with suppress(*_UNUSABLE):
        _compile(path, file, listing)
        return CompiledBank(_CompiledFile.opened(file, listing))
    return ItemBank.from_directory(path)


class CompiledBank(ItemBank):
    """A bank whose items are read from its compiled form when they are asked for. Safe to use from several threads.

    Pickled, it is the name of that file and what the file has to say of itself: another process reads the same, or nothing.
    """

    _file: _CompiledFile

    def __init__(self, file: _CompiledFile) -> None:
        """Take the file."""
        super().__init__(version=file.about.bank_version, items=_Items(file), responses=_Responses(file))
        object.__setattr__(self, "_file", file)

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id, or None."""
        return self._file.item(item_id)

    @cached_property
    def heads(self) -> Sequence[ItemHead]:
        """What lists show of the items, in the order of their ids; 100,000 take half a second once and 60 MB."""
        return self._file.heads()

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over what the items say that can change a mark or its evidence, worked out when they were read."""
        return self._file.about.content_hash

    def __reduce__(self) -> tuple[type[CompiledBank], tuple[_CompiledFile]]:
        return CompiledBank, (self._file,)


@dataclass(frozen=True, slots=True)
class _Listing:
    """The data files of a folder: how many are items, and a hash over the names, sizes and times of all."""

    items: int
    digest: str

    @classmethod
    def of(cls, folder: Path) -> _Listing | None:
        """List a folder; None if that cannot be done: whoever reads it will find out why."""
        root = str(folder.resolve())
        at_the_top = {f"{root}{os.sep}{name}" for name in ("VERSION", "checksums.txt")}
        items, lines, waiting = 0, [], [root]
        try:
            while waiting:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        elif entry.name.endswith((ITEM_SUFFIX, RESPONSES_SUFFIX)) or entry.path in at_the_top:
                            items += entry.name.endswith(ITEM_SUFFIX)
                            status = entry.stat()
                            lines.append(b"%b\0%d %d" % (os.fsencode(entry.path), status.st_size, status.st_mtime_ns))
        except OSError:
            return None
        return cls(items, hashlib.sha256(b"\0".join(sorted(lines))).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What a compiled file says of itself: what wrote it, from which files, and what they held together."""

    written_by: str
    listing: str
    bank_version: str
    content_hash: str
    items: int


_ABOUT = TypeAdapter(_About)


class _CompiledFile:
    """A compiled file, open from its first use on."""

    def __init__(self, path: Path, about: _About, connection: sqlite3.Connection | None = None) -> None:
        """Name a file, what it has to say of itself, and the connection to it where it is open already."""
        self.path = path
        self.about = about
        self._connection = connection
        if connection is not None:
            weakref.finalize(self, connection.close)
        self._kept: LRUCache[str, Item] = LRUCache(_ITEMS_KEPT)
        self._lock = Lock()

    @classmethod
    def opened(cls, path: Path, listing: _Listing) -> _CompiledFile:
        """Return the file if it was written by this program from the files of a listing.

        Raises:
            OSError: If it cannot be read.
            sqlite3.Error: If it is damaged.
            ValueError: If it is of other files or another program.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(closing(_connect(path)))
            about = _about(connection, path)
            if (about.written_by, about.listing) != (_program(), listing.digest):
                raise ValueError(f"{path} is of other files or another program")
            # It stays open: by the next moment another process may have put another file in its place.
            stack.pop_all()
        return cls(path, about, connection)

    def __reduce__(self) -> tuple[type[_CompiledFile], tuple[Path, _About]]:
        return _CompiledFile, (self.path, self.about)

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
            about: _About | None = _about(connection, self.path)
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


class _Items(Sequence[Item]):
    """The items of a compiled file in the order of their ids, made anew whenever they are asked for by their place."""

    def __init__(self, file: _CompiledFile) -> None:
        self._file = file

    @overload
    def __getitem__(self, key: int) -> Item: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, key: int | slice) -> Item | tuple[Item, ...]:
        places = range(len(self))[key]
        if isinstance(places, int):
            return self._file.items(start=places, count=1)[0]
        if places.step == 1:
            return self._file.items(start=places.start, count=len(places))
        return tuple(self[place] for place in places)

    def __iter__(self) -> Iterator[Item]:
        last = ""
        while found := self._file.items(after=last, count=_ITEMS_PER_QUERY):
            yield from found
            last = found[-1].id

    def __len__(self) -> int:
        return self._file.about.items


class _Responses(Mapping[str, tuple[MarkedResponse, ...]]):
    """The marked answers of a compiled file by the id of their item."""

    def __init__(self, file: _CompiledFile) -> None:
        self._file = file

    def __getitem__(self, item_id: str) -> tuple[MarkedResponse, ...]:
        found = self._file.responses(item_id)
        if not found:
            raise KeyError(item_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.marked_ids())

    def __len__(self) -> int:
        return len(self._file.marked_ids())


def _connect(path: Path) -> sqlite3.Connection:
    """Open a compiled file for reading; what never changes need not be locked.

    Raises:
        sqlite3.Error: If it is not there.
    """
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _about(connection: sqlite3.Connection, path: Path) -> _About:
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


def _compile(folder: Path, file: Path, listing: _Listing) -> None:
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


def _fill(connection: sqlite3.Connection, folder: Path, listing: _Listing) -> None:
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
    about = _About(
        written_by=_program(),
        listing=listing.digest,
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
