"""Vectors on disk: made once for a passage or the words of a text and an encoder, read ever after.

One SQLite file for each encoder signature. A row is keyed by the hash of the passage with its context and carries a checksum of
what it holds, so a changed reference embeds only itself, a damaged row is made again, and a damaged or foreign file is moved
aside and rebuilt. SQLite's locking lets any number of processes start together.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import numpy as np

from grader.encoders import FloatArray
from grader.reading import PackedWords
from grader.text import Passage, normalise

try:
    import fcntl
except ImportError:  # Windows: two processes that rebuild one file at once are then not kept apart
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS vectors (passage_hash BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS words (text_hash BLOB PRIMARY KEY, words BLOB NOT NULL, crc INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS whole (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class _Table(NamedTuple):
    """How one table is read, with the question marks put in, and written."""

    select: str
    insert: str


_VECTORS = _Table(
    "SELECT passage_hash, vector, crc FROM vectors WHERE passage_hash IN ({})", "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
)
_WORDS = _Table(
    "SELECT text_hash, words, crc FROM words WHERE text_hash IN ({})", "INSERT OR REPLACE INTO words VALUES (?, ?, ?)"
)
# Seconds to wait for another process that writes; embedding happens outside the lock, so writes are short.
_BUSY_TIMEOUT_S = 30.0
# SQLite's oldest limit on parameters in one statement is 999.
_KEYS_PER_QUERY = 500
# A file of this size is looked through in a tenth of a second when it is opened, a larger one only where it is read: each row has
# its checksum, and SQLite notices a page that cannot be.
_CHECKED_BYTES = 64_000_000
# Mapped into memory, pages are read without a copy, and shared by all processes; this is the most that SQLite maps.
_MAPPED_BYTES = 0x7FFF0000


class EmbeddingStore:
    """A persistent map from passage to vector for one encoder.

    Use it as a context manager or call `close`; threads may share it.
    """

    def __init__(self, path: Path, *, signature: str, dimension: int) -> None:
        """Open or create the store.

        Args:
            path: The file; its folder is created.
            signature: The encoder's signature; a file made with another one is foreign and replaced.
            dimension: Length of a vector.
        """
        self._path = path
        self._signature = signature
        self._dimension = dimension
        self._lock = RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._connection = self._open_or_rebuild(checked_bytes=_CHECKED_BYTES)

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __len__(self) -> int:
        """Return the number of vectors in the file."""
        return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def get_or_make(self, passages: Sequence[Passage], make: Callable[[Sequence[Passage]], FloatArray]) -> tuple[FloatArray, int]:
        """Return the vectors of passages, making and keeping those that are not there yet.

        Args:
            passages: Any passages; repeats are made once.
            make: Called at most once, with the distinct passages that are missing; returns shape `(n, dimension)`.

        Returns:
            The vectors, shape `(len(passages), dimension)`, and how many had to be made.
        """
        keys = [_key(passage) for passage in passages]
        blobs = self._unless_damaged(lambda: self._read(keys, _VECTORS)) or {}
        size = 4 * self._dimension
        found = {key: np.frombuffer(blob, dtype="<f4") for key, blob in blobs.items() if len(blob) == size}
        missing = {key: passage for key, passage in zip(keys, passages, strict=True) if key not in found}
        if missing:
            made = make(list(missing.values()))
            self._keep({key: vector.astype("<f4").tobytes() for key, vector in zip(missing, made, strict=True)}, _VECTORS)
            found.update(zip(missing, made, strict=True))
        vectors = np.zeros((len(passages), self._dimension), dtype=np.float32)
        for row, key in enumerate(keys):
            vectors[row] = found[key]
        return vectors, len(missing)

    def get_or_make_words(
        self, texts: Sequence[str], make: Callable[[Sequence[str]], Sequence[PackedWords]]
    ) -> dict[str, PackedWords]:
        """Return the words of texts, making and keeping those that are not there yet.

        Args:
            texts: Any texts; repeats are made once.
            make: Called at most once, with the distinct texts that are missing.
        """
        keys = {text: _key(Passage.whole(text)) for text in texts}
        found = self._unless_damaged(lambda: self._read(list(keys.values()), _WORDS)) or {}
        decoded = {text: _words_of(found[key], self._dimension) for text, key in keys.items() if key in found}
        known = {text: words for text, words in decoded.items() if words is not None}
        missing = [text for text in keys if text not in known]
        if missing:
            made = dict(zip(missing, make(missing), strict=True))
            self._keep({keys[text]: _words_blob(words) for text, words in made.items()}, _WORDS)
            known.update(made)
        return known

    def is_whole(self, name: str) -> bool:
        """Tell whether all vectors of something, by the name that it was noted by, were kept here once.

        Rows that have been damaged since are made again when they are asked for, as ever.
        """
        query = "SELECT 1 FROM whole WHERE name = ?"
        return self._unless_damaged(lambda: self._connection.execute(query, (name,)).fetchone()) is not None

    def note_whole(self, name: str) -> None:
        """Note that all vectors of something are kept here, so that whoever starts next need not look for each of them."""
        with self._lock:
            self._connection.execute("INSERT OR IGNORE INTO whole VALUES (?)", (name,))

    def _unless_damaged(self, read: Callable[[], _T]) -> _T | None:
        """Return what is read; None from a file that turns out to be damaged, which is replaced."""
        with self._lock:
            try:
                return read()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._connection.close()
                with self._alone():
                    # Another process may have replaced it by now, and then it is whole.
                    self._connection = self._open_or_rebuild(checked_bytes=None)
                return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other processes that create or rebuild the same file."""
        with self._path.with_name(self._path.name + ".lock").open("wb") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open_or_rebuild(self, *, checked_bytes: int | None) -> sqlite3.Connection:
        """Open the file, or replace one that is damaged or foreign; a larger one than so many bytes is not looked through."""
        try:
            return self._open(checked_bytes)
        except sqlite3.OperationalError:
            # Locked, read-only or no space: nothing is wrong with the file, so it is not thrown away.
            raise
        except sqlite3.DatabaseError:
            return self._rebuild()

    def _open(self, checked_bytes: int | None) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            connection.executescript(_SCHEMA)
            _check_shape(connection)
            # The first process of several to start writes the identity; the others read what it wrote.
            identity = {"signature": self._signature, "dimension": str(self._dimension)}
            connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", identity.items())
            if dict(connection.execute("SELECT key, value FROM meta")) != identity:
                raise sqlite3.DatabaseError("made by another encoder")
            is_checked = checked_bytes is None or self._path.stat().st_size <= checked_bytes
            if is_checked and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _rebuild(self) -> sqlite3.Connection:
        """Move the unusable file aside, one copy only, and start an empty one."""
        with suppress(FileNotFoundError):  # another process may have moved it already
            os.replace(self._path, self._path.with_name(self._path.name + ".damaged"))
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return self._open(checked_bytes=None)

    def _read(self, keys: Sequence[bytes], table: _Table) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        distinct = list(dict.fromkeys(keys))
        for at in range(0, len(distinct), _KEYS_PER_QUERY):
            chunk = distinct[at : at + _KEYS_PER_QUERY]
            rows = self._connection.execute(table.select.format(",".join("?" * len(chunk))), chunk)
            found |= {key: blob for key, blob, crc in rows if zlib.crc32(blob) == crc}
        return found

    def _keep(self, blobs: dict[bytes, bytes], table: _Table) -> None:
        """Write rows; to a new file where this one turns out to be damaged."""
        with self._lock:
            if self._unless_damaged(lambda: self._write(blobs, table)) is None:
                self._write(blobs, table)

    def _write(self, blobs: dict[bytes, bytes], table: _Table) -> int:
        """Write all rows or none, and return how many."""
        rows = [(key, blob, zlib.crc32(blob)) for key, blob in blobs.items()]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(table.insert, rows)
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return len(rows)


def _words_blob(words: PackedWords) -> bytes:
    """Return words as a row holds them: how long the texts are, the texts, the rarities, the vectors."""
    texts = "\n".join(words.texts).encode("utf-8", errors="replace")
    return len(texts).to_bytes(4, "little") + texts + words.rarity.astype("<f4").tobytes() + words.steps.tobytes()


def _words_of(blob: bytes, dimension: int) -> PackedWords | None:
    """Return the words of a row, or None if it does not hold any that could be."""
    end = 4 + int.from_bytes(blob[:4], "little")
    texts = tuple(blob[4:end].decode("utf-8", errors="replace").split("\n")) if end > 4 else ()  # noqa: PLR2004 no text
    if len(blob) != end + len(texts) * (4 + dimension):
        return None
    rarity = np.frombuffer(blob, dtype="<f4", count=len(texts), offset=end)
    steps = np.frombuffer(blob, dtype=np.int8, offset=end + 4 * len(texts)).reshape(len(texts), dimension)
    return PackedWords(texts=texts, rarity=rarity, steps=steps)


def _check_shape(connection: sqlite3.Connection) -> None:
    """Refuse a file whose tables are not this version's."""
    try:
        connection.execute("SELECT passage_hash, vector, crc FROM vectors LIMIT 0")
        connection.execute("SELECT text_hash, words, crc FROM words LIMIT 0")
        connection.execute("SELECT key, value FROM meta LIMIT 0")
        connection.execute("SELECT name FROM whole LIMIT 0")
    except sqlite3.OperationalError as error:
        if "no such column" not in str(error):
            raise
        raise sqlite3.DatabaseError("made by another version") from error


def _key(passage: Passage) -> bytes:
    """Return the hash of the passage as it is encoded, with what stands before and after it."""
    around = (passage.context[: passage.start], passage.text, passage.context[passage.end :])
    # The separator cannot stand in a normalised text, so no two passages are joined alike.
    return hashlib.sha256("\n".join(normalise(part) for part in around).encode("utf-8", errors="replace")).digest()
