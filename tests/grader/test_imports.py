"""Items are read from YAML, JSONL and CSV alike, every problem is named with its place, and no text takes the machine down."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from grader import FileProblem, ImportFormat, ItemBank, read_items
from grader.imports import MAX_IMPORT_ITEMS
from grader.strict_yaml import InvalidYamlError, strict_document

ITEM = {
    "id": "gravity",
    "topic": "Physics",
    "section": "Forces",
    "difficulty": "easy",
    "question": "Why do things fall?",
    "reference_answers": [
        {"kind": "short", "text": "Gravity pulls them."},
        {"kind": "full", "text": "The Earth's gravity pulls all things towards its centre."},
    ],
    "key_points": [{"id": "point-1", "text": "Gravity pulls.", "weight": 2, "keywords": [["gravity", "gravitation"], ["pull"]]}],
}
HEADER = "id,topic,section,difficulty,question,reference_short,reference_full,key_point_1,key_point_1_weight,key_point_1_keywords"
ROW = (
    "gravity,Physics,Forces,easy,Why do things fall?,Gravity pulls them.,"
    "The Earth's gravity pulls all things towards its centre.,Gravity pulls.,2,gravity | gravitation ; pull"
)
TEXTS = {
    "yaml-one": (ImportFormat.YAML, yaml.safe_dump(ITEM)),
    "yaml-list": (ImportFormat.YAML, yaml.safe_dump([ITEM])),
    "yaml-items": (ImportFormat.YAML, yaml.safe_dump({"items": [ITEM]})),
    "yaml-documents": (ImportFormat.YAML, "---\n" + yaml.safe_dump(ITEM)),
    "jsonl": (ImportFormat.JSONL, json.dumps(ITEM) + "\n\n"),
    "csv": (ImportFormat.CSV, f"\ufeff{HEADER}\r\n{ROW}\r\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_same_item_is_read_from_every_kind(name: str) -> None:
    kind, text = TEXTS[name]
    items, problems = read_items(text.encode(), kind)
    assert problems == []
    [item] = items
    assert item.model_dump(mode="json", exclude_defaults=True, exclude={"reference_answers"}) == {
        key: value for key, value in ITEM.items() if key != "reference_answers"
    }
    assert [(r.kind, r.text) for r in item.reference_answers] == [
        ("short", "Gravity pulls them."),
        ("full", "The Earth's gravity pulls all things towards its centre."),
    ]


def test_shipped_items_come_through_every_kind_that_can_hold_them(shipped_bank: ItemBank) -> None:
    plain = [item.model_dump(mode="json") for item in shipped_bank]
    lines = "\n".join(json.dumps(item) for item in plain).encode()
    assert read_items(lines, ImportFormat.JSONL) == (list(shipped_bank), [])
    assert read_items(yaml.safe_dump_all(plain[:3]).encode(), ImportFormat.YAML) == (list(shipped_bank)[:3], [])


def test_every_problem_is_named_with_its_place() -> None:
    bad = {**ITEM, "id": "Not a slug", "difficulty": "hopeless"}
    lines = [json.dumps(ITEM), "{", json.dumps(bad), json.dumps(ITEM)]
    items, problems = read_items("\n".join(lines).encode(), ImportFormat.JSONL)
    assert [item.id for item in items] == ["gravity"]
    assert [(p.file, p.field) for p in problems] == [("line 2", ""), ("line 3", "id"), ("line 3", "difficulty"), ("line 4", "id")]
    assert problems[-1].message == "'gravity' is used by another item too"


def test_rows_of_a_table_are_told_apart_by_their_lines() -> None:
    rows = [HEADER, ROW, ROW.replace("gravity,", "light,", 1).replace("easy", ""), "too,short", ROW + ",more"]
    items, problems = read_items("\n".join(rows).encode(), ImportFormat.CSV)
    assert [item.id for item in items] == ["gravity"]
    assert [str(problem) for problem in problems] == [
        "line 3: difficulty: Field required",
        "line 4: has more or fewer fields than the header",
        "line 5: has more or fewer fields than the header",
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "lacks 'id', 'topic', 'section', 'difficulty', 'question', 'reference_short', 'reference_full'"),
        (HEADER + ",surplus", "has the unknown 'surplus'"),
        (HEADER + ",key_point_31", "has the unknown 'key_point_31'"),
        (HEADER + ",id", "repeats 'id'"),
    ],
)
def test_header_that_cannot_be_is_one_problem(header: str, message: str) -> None:
    assert read_items(header.encode() + b"\n", ImportFormat.CSV) == ([], [FileProblem(file="header", field="", message=message)])


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (ImportFormat.YAML, b"a: &a [x]\nb: *a\n", "aliases are not allowed"),
        (ImportFormat.YAML, b"id: a\nid: b\n", "the key 'id' stands twice"),
        (ImportFormat.YAML, b"!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        (ImportFormat.YAML, b"\xff", "is not UTF-8 (byte 0)"),
        (ImportFormat.YAML, b"a: \x00", "control characters are not allowed"),
        (ImportFormat.YAML, b"x" * 1_000_001, "is larger than 1,000,000 bytes"),
        (ImportFormat.YAML, b"", "holds no item"),
        (ImportFormat.YAML, b"max_mark: 2026-99-99", "has a value that cannot be read"),
        (ImportFormat.YAML, b"max_mark: 1" + b":1" * 400_000, "a number has more than 40 characters"),
        (ImportFormat.YAML, b"[" * 300_000, "is not YAML"),
        (ImportFormat.YAML, b"- " * 300_000, "is not YAML"),
        (ImportFormat.YAML, b"? " * 100_000, "is not YAML"),
        (ImportFormat.JSONL, b"[" * 300_000, "nested too deeply"),
        (ImportFormat.JSONL, b"\xff", "is not valid UTF-8"),
        (ImportFormat.CSV, b'id,"topic', "is not CSV"),
        (ImportFormat.CSV, b"\xff", "is not UTF-8 (byte 0)"),
        (ImportFormat.CSV, (HEADER + '\na,"' + "x" * 200_000).encode(), "is not CSV"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_hostile_text_is_a_problem_and_soon(kind: ImportFormat, data: bytes, message: str) -> None:
    began = time.monotonic()
    items, problems = read_items(data, kind)
    assert items == []
    assert message in problems[0].message
    assert time.monotonic() - began < 10


def test_many_keys_are_not_compared_pair_by_pair() -> None:
    data = "".join(f"k{at}: 1\n" for at in range(20_000)).encode()
    began = time.monotonic()
    read_items(data, ImportFormat.YAML)
    assert time.monotonic() - began < 10


def test_no_more_items_are_read_than_the_limit() -> None:
    lines = [json.dumps({**ITEM, "id": f"item-{at}"}) for at in range(MAX_IMPORT_ITEMS + 5)]
    items, problems = read_items("\n".join(lines).encode(), ImportFormat.JSONL)
    assert len(items) == MAX_IMPORT_ITEMS
    assert [str(problem) for problem in problems] == ["line 1001: is one item too many; 1000 are read at a time"]


def test_a_file_of_a_bank_holds_one_document() -> None:
    assert strict_document("") is None
    assert strict_document("a: 1") == {"a": 1}
    with pytest.raises(InvalidYamlError, match="a second document"):
        strict_document("a: 1\n---\nb: 2")
