"""Every file of the shipped bank: whole, complete and graded as its authors meant it. A new item needs no new test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml

from grader import Grader, Item, ItemBank, MarkedResponse, checksums, default_bank_dir
from grader.bank import ITEM_SUFFIX, RESPONSES_SUFFIX, ResponseKind
from grader.cli import main

BANK_DIR = default_bank_dir()
SCHEMA = BANK_DIR / "schema" / "item.schema.json"
ITEM_FILES = sorted(BANK_DIR.rglob(f"*{ITEM_SUFFIX}"))
KINDS = set(get_args(ResponseKind))
WORTH_NOTHING = {"off_topic", "question_repeated"}

each_item = pytest.mark.parametrize("file", ITEM_FILES, ids=lambda file: file.name.removesuffix(ITEM_SUFFIX))


def item_of(file: Path, bank: ItemBank) -> Item:
    return bank.get(file.name.removesuffix(ITEM_SUFFIX))


def responses_of(file: Path, bank: ItemBank) -> tuple[MarkedResponse, ...]:
    return bank.responses[item_of(file, bank).id]


def test_all_thirty_items_load(shipped_bank: ItemBank) -> None:
    assert len(shipped_bank) == len(ITEM_FILES) >= 30
    assert len(shipped_bank.responses) == len(shipped_bank)


def test_the_version_is_one_line_of_the_calendar() -> None:
    assert re.fullmatch(r"20\d\d\.\d+\n", (BANK_DIR / "VERSION").read_text(encoding="utf-8"))


def test_the_checksums_are_current() -> None:
    assert (BANK_DIR / "checksums.txt").read_text(encoding="utf-8") == checksums(BANK_DIR)


def test_the_changelog_tells_of_the_version(shipped_bank: ItemBank) -> None:
    assert shipped_bank.version in (BANK_DIR / "CHANGELOG.md").read_text(encoding="utf-8")


@each_item
def test_an_item_is_named_after_its_file_and_has_marked_answers_beside_it(file: Path, shipped_bank: ItemBank) -> None:
    item = item_of(file, shipped_bank)
    assert file.name == item.id + ITEM_SUFFIX
    assert file.with_name(item.id + RESPONSES_SUFFIX).is_file()


@each_item
def test_an_item_is_complete(file: Path, shipped_bank: ItemBank) -> None:
    item = item_of(file, shipped_bank)
    assert 2 <= len(item.reference_answers) <= 4
    assert 3 <= len(item.key_points) <= 6
    assert all(point.keywords and point.examples for point in item.key_points)
    assert item.misconceptions


@each_item
def test_marked_answers_are_ten_or_more_and_of_every_kind_in_both_splits(file: Path, shipped_bank: ItemBank) -> None:
    responses = responses_of(file, shipped_bank)
    assert len(responses) >= 10
    for split in ("dev", "test"):
        assert {response.kind for response in responses if response.split == split} == KINDS


@each_item
def test_no_answer_is_marked_twice_or_in_both_splits(file: Path, shipped_bank: ItemBank) -> None:
    answers = [" ".join(response.candidate_answer.lower().split()) for response in responses_of(file, shipped_bank)]
    assert len(set(answers)) == len(answers)


@each_item
def test_every_reference_answer_scores_at_least_90(file: Path, shipped_bank: ItemBank, real_grader: Grader) -> None:
    item = item_of(file, shipped_bank)
    results = real_grader.grade_many([(item, reference.text) for reference in item.reference_answers])
    scores = [(reference.kind.value, result.score) for reference, result in zip(item.reference_answers, results, strict=True)]
    low = [(kind, score) for kind, score in scores if score < 0.9]
    assert not low


@each_item
def test_blank_off_topic_and_question_repeating_answers_score_at_most_15(
    file: Path, shipped_bank: ItemBank, real_grader: Grader
) -> None:
    item = item_of(file, shipped_bank)
    answers = ["", " ", item.question]
    answers += [r.candidate_answer for r in responses_of(file, shipped_bank) if r.kind in WORTH_NOTHING]
    results = real_grader.grade_many([(item, answer) for answer in answers])
    high = [(answer, result.score) for answer, result in zip(answers, results, strict=True) if result.score > 0.15]
    assert not high


def test_the_schema_for_editors_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert SCHEMA.read_text(encoding="utf-8") == printed
    document = json.loads(printed)
    assert document.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert document == Item.model_json_schema()


def test_the_schema_for_editors_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


@each_item
def test_the_schema_for_editors_accepts_an_item(file: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_the_schema_for_editors_refuses_what_is_no_item() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    item = yaml.safe_load(ITEM_FILES[0].read_text(encoding="utf-8"))
    assert validator.is_valid(item)
    changes: list[dict[str, object]] = [{"max_mark": 0}, {"id": "No Slug"}, {"colour": "red"}, {"reference_answers": []}]
    for change in changes:
        assert not validator.is_valid(item | change)
