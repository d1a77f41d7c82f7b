"""A bank: a folder of item files, read whole and checked whole.

`<folder>/**/<id>.item.yaml` holds an item, `<id>.responses.csv` beside it answers that people have marked. `VERSION` at the top
names the bank's version and `checksums.txt` the SHA-256 of every data file.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from grader.errors import FileProblem, InvalidBankError, ItemNotFoundError
from grader.items import Item, ItemHead
from grader.strict_yaml import InvalidYamlError, strict_document

ITEM_SUFFIX = ".item.yaml"
RESPONSES_SUFFIX = ".responses.csv"
# A larger file is a mistake or an attack; the shipped items have 5 kB.
_MAX_FILE_BYTES = 1_000_000
_RESPONSE_COLUMNS = ["candidate_answer", "human_mark", "split", "kind", "note"]

ResponseKind = Literal["complete", "terse", "partial", "wrong", "contradiction", "keyword_heap", "question_repeated", "off_topic"]


class MarkedResponse(BaseModel):
    """A candidate answer with the mark a person gave it. Thresholds are tuned on `dev`; `test` is for measuring only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate_answer: Annotated[str, StringConstraints(max_length=20_000)]
    human_mark: float = Field(ge=0)
    split: Literal["dev", "test"]
    kind: ResponseKind
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ItemBank:
    """The items of a bank in the order of their ids, and the answers marked by people.

    All of it is in memory here; `grader.compiled` has a bank for many items, which are read when they are asked for.
    """

    version: str
    items: Sequence[Item]
    responses: Mapping[str, tuple[MarkedResponse, ...]]

    @classmethod
    def from_directory(cls, path: Path) -> ItemBank:
        """Read a bank, which takes two milliseconds an item.

        Raises:
            InvalidBankError: With every problem of every file.
        """
        problems: list[FileProblem] = []
        version = read_version(path, problems)
        read = {item.id: (item, marked) for item, marked in read_files(path, problems)}
        if problems:
            raise InvalidBankError(problems)
        in_order = [read[item_id] for item_id in sorted(read)]
        return ItemBank(
            version=version,
            items=tuple(item for item, _ in in_order),
            responses={item.id: marked for item, marked in in_order if marked},
        )

    @cached_property
    def heads(self) -> Sequence[ItemHead]:
        """What lists show of the items, in the order of their ids."""
        return [ItemHead.of(item) for item in self.items]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over what the items say that can change a mark or its evidence; takes half a millisecond an item."""
        return hash_of_hashes(item.content_hash for item in self.items)

    def get(self, item_id: str) -> Item:
        """Return the item with this id.

        Raises:
            ItemNotFoundError: If there is none.
        """
        item = self.find(item_id)
        if item is None:
            raise ItemNotFoundError(item_id)
        return item

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id, or None."""
        return self._by_id.get(item_id)

    @cached_property
    def _by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items in the order of their ids."""
        return iter(self.items)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)


def read_files(path: Path, problems: list[FileProblem]) -> Iterator[tuple[Item, tuple[MarkedResponse, ...]]]:
    """Yield every item of a folder with its marked answers, by the name of its file, and note every problem of every file.

    One at a time, so that a folder of any size can be gone through; what was yielded is of use only if there is no problem in the
    end.
    """
    ids: set[str] = set()
    files = sorted(path.rglob(f"*{ITEM_SUFFIX}"))
    if not files:
        problems.append(FileProblem(file=str(path), field="", message=f"holds no *{ITEM_SUFFIX} file"))
    for file in files:
        name = file.relative_to(path).as_posix()
        item = _read_item(file, name, problems)
        beside = file.with_name(file.name.removesuffix(ITEM_SUFFIX) + RESPONSES_SUFFIX)
        marked = _read_responses(beside, beside.relative_to(path).as_posix(), item, problems) if beside.is_file() else ()
        if item is None:
            continue
        if item.id in ids:
            problems.append(FileProblem(file=name, field="id", message=f"{item.id!r} is used by another file too"))
        ids.add(item.id)
        yield item, marked
    problems += _orphans(path)
    problems += _checksum_problems(path)


def hash_of_hashes(content_hashes: Iterable[str]) -> str:
    """Return one SHA-256 for the content hashes of items in the order of their ids."""
    return hashlib.sha256("".join(content_hashes).encode()).hexdigest()


def checksums(path: Path) -> str:
    """Return the text of `checksums.txt` for a bank folder: one `sha256  file` line for every data file, by name."""
    found = [*path.rglob(f"*{ITEM_SUFFIX}"), *path.rglob(f"*{RESPONSES_SUFFIX}")]
    files = sorted(file for file in found if file.is_file())
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(path).as_posix()}\n" for f in files]
    return "".join(lines)


def read_version(path: Path, problems: list[FileProblem]) -> str:
    """Return the version of the bank in a folder, or an empty text after noting that there is none."""
    file = path / "VERSION"
    try:
        version = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        version = ""
    if not version:
        problems.append(FileProblem(file="VERSION", field="", message="is missing or empty; one line with the bank's version"))
    return version


def _read_text(file: Path, name: str, problems: list[FileProblem]) -> str | None:
    """Return a file's text, or None after noting why it cannot be read."""
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            problems.append(FileProblem(file=name, field="", message=f"is larger than {_MAX_FILE_BYTES} bytes"))
            return None
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problems.append(FileProblem(file=name, field="", message=f"is not UTF-8 (byte {error.start})"))
    except OSError as error:
        problems.append(FileProblem(file=name, field="", message=f"cannot be read: {error.strerror}"))
    return None


def _read_item(file: Path, name: str, problems: list[FileProblem]) -> Item | None:
    text = _read_text(file, name, problems)
    if text is None:
        return None
    try:
        item = Item.model_validate(strict_document(text))
    except InvalidYamlError as error:
        problems.append(FileProblem(file=name, field="", message=str(error)))
        return None
    except ValidationError as error:
        problems += _from_pydantic(error, name)
        return None
    expected = file.name.removesuffix(ITEM_SUFFIX)
    if item.id != expected:
        problems.append(FileProblem(file=name, field="id", message=f"is {item.id!r} but the file is named {expected!r}"))
    return item


def _read_responses(file: Path, name: str, item: Item | None, problems: list[FileProblem]) -> tuple[MarkedResponse, ...]:
    """Return the marked answers of a file; those of an item that could not be read are checked all the same."""
    text = _read_text(file, name, problems)
    if text is None:
        return ()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: list[MarkedResponse] = []
    try:
        if reader.fieldnames is None or list(reader.fieldnames) != _RESPONSE_COLUMNS:
            problems.append(FileProblem(file=name, field="header", message=f"must be {','.join(_RESPONSE_COLUMNS)}"))
            return ()
        for row in reader:
            where = f"line {reader.line_num}"
            try:
                response = MarkedResponse.model_validate(row)
            except ValidationError as error:
                problems += _from_pydantic(error, name, prefix=where)
                continue
            if item is not None and response.human_mark > item.max_mark:
                message = f"{response.human_mark:g} is above the item's max_mark {item.max_mark}"
                problems.append(FileProblem(file=name, field=f"{where}.human_mark", message=message))
            rows.append(response)
    except csv.Error as error:
        problems.append(FileProblem(file=name, field=f"line {reader.line_num}", message=f"is not CSV: {error}"))
    return tuple(rows)


def _orphans(path: Path) -> list[FileProblem]:
    """Return a problem for every responses file without its item."""
    problems = []
    for file in sorted(path.rglob(f"*{RESPONSES_SUFFIX}")):
        if not file.with_name(file.name.removesuffix(RESPONSES_SUFFIX) + ITEM_SUFFIX).is_file():
            name = file.relative_to(path).as_posix()
            problems.append(FileProblem(file=name, field="", message=f"has no {ITEM_SUFFIX} file beside it"))
    return problems


def _checksum_problems(path: Path) -> list[FileProblem]:
    """Compare the files with `checksums.txt`, where a bank has one."""
    file = path / "checksums.txt"
    if not file.is_file():
        return []
    stated = dict(_checksum_lines(file.read_text(encoding="utf-8", errors="replace")))
    actual = dict(_checksum_lines(checksums(path)))
    return [
        FileProblem(
            file=name,
            field="",
            message="differs from checksums.txt; if the change is meant, raise VERSION and run `grader bank checksums`",
        )
        for name in sorted(stated.keys() | actual.keys())
        if stated.get(name) != actual.get(name)
    ]


def _checksum_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _from_pydantic(error: ValidationError, name: str, prefix: str = "") -> list[FileProblem]:
    """Return one problem for each thing pydantic found, with the path of its field."""
    problems = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join([prefix, *map(str, detail["loc"])] if prefix else map(str, detail["loc"]))
        problems.append(FileProblem(file=name, field=field, message=detail["msg"].removeprefix("Value error, ")))
    return problems


def default_bank_dir() -> Path:
    """Return the folder of the shipped bank: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "reference_answers"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "reference_answers"
