"""A large bank kept as it was read: one SQLite file, from which items are made when they are asked for.

It is a cache of the bank's folder and nothing else. It is used as long as every file of the folder has the name, size and time
that it had when it was read; in any other case the folder is read anew.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

from grader import compiled_file
from grader.bank import ITEM_SUFFIX, RESPONSES_SUFFIX, ItemBank, MarkedResponse
from grader.compiled_file import CompiledFile
from grader.items import Item, ItemHead

# So many are read in two seconds, and the profiles of so many are kept in memory.
_MOST_ITEMS_READ = 1_000
# Made at once where all are gone through.
_ITEMS_PER_QUERY = 100
# What an unusable file gives: it is not there, damaged, of another version or made from other files.
_UNUSABLE = (OSError, sqlite3.Error, ValueError)


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
        return CompiledBank(CompiledFile.opened(file, listing.digest))
    with suppress(*_UNUSABLE):
        compiled_file.write(path, file, listing.digest)
        return CompiledBank(CompiledFile.opened(file, listing.digest))
    return ItemBank.from_directory(path)


class CompiledBank(ItemBank):
    """A bank whose items are read from its compiled form when they are asked for. Safe to use from several threads.

    Pickled, it is the name of that file and what the file has to say of itself: another process reads the same, or nothing.
    """

    _file: CompiledFile

    def __init__(self, file: CompiledFile) -> None:
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

    def __reduce__(self) -> tuple[type[CompiledBank], tuple[CompiledFile]]:
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


class _Items(Sequence[Item]):
    """The items of a compiled file in the order of their ids, made anew whenever they are asked for by their place."""

    def __init__(self, file: CompiledFile) -> None:
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

    def __init__(self, file: CompiledFile) -> None:
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
