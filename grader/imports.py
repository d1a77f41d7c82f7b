"""Items from a text that holds many: YAML, JSONL or CSV. Every problem of every item is reported, not the first one only.

CSV has one row for an item and the columns `id, topic, section, difficulty, question, reference_short, reference_full`; it may
have `max_mark`, `reveal_reference` (true or false), `reference_alternative`, and for N from 1 on `key_point_N`,
`key_point_N_weight`, `key_point_N_keywords`, where keywords are written `dropout | drop out ; random`: a semicolon between terms,
a bar between other words for the same term.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from pydantic import ValidationError

from grader.errors import FileProblem
from grader.items import Item, ReferenceKind
from grader.jsonl import InvalidLineError, parse_object, read_lines
from grader.strict_yaml import InvalidYamlError, strict_documents

MAX_IMPORT_ITEMS = 1_000
# YAML is read by Python, 0.1 MB in a second or so.
_MAX_YAML_BYTES = 1_000_000
_REQUIRED = ("id", "topic", "section", "difficulty", "question", "reference_short", "reference_full")
_OPTIONAL = ("max_mark", "reveal_reference", "reference_alternative")
_KEY_POINT = re.compile(r"key_point_([1-9]|[12][0-9]|30)(?:_(weight|keywords))?", re.ASCII)


class ImportFormat(StrEnum):
    """The kinds of texts that items can be read from."""

    YAML = "yaml"
    CSV = "csv"
    JSONL = "jsonl"


class _UnreadableError(ValueError):
    """Nothing after this place of the text can be read."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.problem = FileProblem(file=where, field="", message=message)


def read_items(data: bytes, kind: ImportFormat) -> tuple[list[Item], list[FileProblem]]:
    """Return the items of a text, and what is wrong with the others; `file` of a problem is the item's place in the text."""
    items: dict[str, Item] = {}
    problems: list[FileProblem] = []
    try:
        for where, value in _limited(_READERS[kind](data)):
            item = _validated(where, value, problems)
            if item is None:
                continue
            if item.id in items:
                problems.append(FileProblem(file=where, field="id", message=f"{item.id!r} is used by another item too"))
            items[item.id] = item
    except _UnreadableError as error:
        problems.append(error.problem)
    if not items and not problems:
        problems.append(FileProblem(file="text", field="", message="holds no item"))
    return list(items.values()), problems


def _limited(values: Iterator[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    for count, (where, value) in enumerate(values):
        if count >= MAX_IMPORT_ITEMS:
            raise _UnreadableError(where, f"is one item too many; {MAX_IMPORT_ITEMS} are read at a time")
        yield where, value


def _validated(where: str, value: object, problems: list[FileProblem]) -> Item | None:
    if isinstance(value, FileProblem):
        problems.append(value)
        return None
    try:
        return Item.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            field = ".".join(map(str, detail["loc"]))
            problems.append(FileProblem(file=where, field=field, message=detail["msg"].removeprefix("Value error, ")))
        return None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError("text", f"is not UTF-8 (byte {error.start})") from error


def _from_yaml(data: bytes) -> Iterator[tuple[str, object]]:
    """Yield the items of documents that hold one each, a list of them, or such a list under the name `items`."""
    if len(data) > _MAX_YAML_BYTES:
        raise _UnreadableError("text", f"is larger than {_MAX_YAML_BYTES:,} bytes; JSONL may be larger")
    at = 0
    try:
        for document in strict_documents(_decoded(data)):
            value = document["items"] if isinstance(document, dict) and set(document) == {"items"} else document
            for item in value if isinstance(value, list) else [value]:
                at += 1
                yield f"item {at}", item
    except InvalidYamlError as error:
        raise _UnreadableError("text", str(error)) from error


def _from_jsonl(data: bytes) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(read_lines(io.BytesIO(data)), 1):
        where = f"line {number}"
        try:
            if line.strip():
                yield where, parse_object(line)
        except InvalidLineError as error:
            yield where, FileProblem(file=where, field="", message=str(error))


def _from_csv(data: bytes) -> Iterator[tuple[str, object]]:
    reader = csv.DictReader(io.StringIO(_decoded(data), newline=""), strict=True)
    try:
        _check_header(list(reader.fieldnames or ()))
        for row in reader:
            where = f"line {reader.line_num}"
            if None in row or None in row.values():
                yield where, FileProblem(file=where, field="", message="has more or fewer fields than the header")
            else:
                yield where, _item_of_row(row)
    except csv.Error as error:
        raise _UnreadableError(f"line {reader.line_num}", f"is not CSV: {error}") from error


def _check_header(names: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    unknown = [name for name in names if name not in _REQUIRED + _OPTIONAL and not _KEY_POINT.fullmatch(name)]
    twice = sorted({name for name in names if names.count(name) > 1})
    for found, said in ((missing, "lacks"), (unknown, "has the unknown"), (twice, "repeats")):
        if found:
            raise _UnreadableError("header", f"{said} {', '.join(repr(name[:80]) for name in found[:20])}")


def _item_of_row(row: Mapping[str, str]) -> dict[str, object]:
    """Return a row in the shape of an item; what is blank is left out, so that its absence is what is reported."""
    given = {name: value for name, value in row.items() if value.strip()}
    item: dict[str, object] = {name: given[name] for name in (*_REQUIRED[:5], *_OPTIONAL[:2]) if name in given}
    item["reference_answers"] = [
        {"kind": kind, "text": given[f"reference_{kind}"]} for kind in ReferenceKind if f"reference_{kind}" in given
    ]
    numbers = sorted({int(found[1]) for name in given if (found := _KEY_POINT.fullmatch(name))})
    item["key_points"] = [_key_point(number, given) for number in numbers]
    return item


def _key_point(number: int, given: Mapping[str, str]) -> dict[str, object]:
    name = f"key_point_{number}"
    point: dict[str, object] = {"id": f"point-{number}"}
    if name in given:
        point["text"] = given[name]
    if f"{name}_weight" in given:
        point["weight"] = given[f"{name}_weight"]
    terms = given.get(f"{name}_keywords", "").split(";")
    point["keywords"] = [[word for word in term.split("|") if word.strip()] for term in terms if term.strip()]
    return point


_READERS = {ImportFormat.YAML: _from_yaml, ImportFormat.JSONL: _from_jsonl, ImportFormat.CSV: _from_csv}
