"""Reading a bank: all of it, and every problem of every file at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader import FileProblem, InvalidBankError, ItemBank, ItemNotFoundError, checksums, default_bank_dir
from grader.bank import _MAX_FILE_BYTES

BANKS = Path(__file__).parent.parent / "data" / "banks"


@pytest.fixture
def bank_dir(tmp_path: Path) -> Path:
    """Return a copy of the good bank, to be broken."""
    return Path(shutil.copytree(BANKS / "good", tmp_path / "bank"))


def problems_of(path: Path) -> list[FileProblem]:
    with pytest.raises(InvalidBankError) as caught:
        ItemBank.from_directory(path)
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return list(caught.value.problems)


def test_a_good_bank_is_read_in_the_order_of_its_ids() -> None:
    bank = ItemBank.from_directory(BANKS / "good")
    assert bank.version == "2026.1"
    assert [item.id for item in bank] == ["evaporation", "gravity"]
    assert len(bank) == 2
    assert bank.get("gravity").misconceptions[0].id == "heavier-faster"


def test_marked_answers_are_read_with_their_quotes_and_commas() -> None:
    bank = ItemBank.from_directory(BANKS / "good")
    assert list(bank.responses) == ["gravity"]
    first, second = bank.responses["gravity"]
    assert first.candidate_answer == "The Earth pulls it, and it gets faster."
    assert (first.human_mark, first.split, first.kind, first.note) == (10.0, "dev", "complete", "both points")
    assert second.candidate_answer == 'Because it is heavy, "that is all".'


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(ItemNotFoundError, match="'levity'") as caught:
        ItemBank.from_directory(BANKS / "good").get("levity")
    assert caught.value.item_id == "levity"


def test_every_problem_of_every_file_is_reported_at_once() -> None:
    found = {(problem.file.removeprefix("physics/"), problem.field) for problem in problems_of(BANKS / "broken")}
    assert found >= {
        ("VERSION", ""),
        ("a-list.item.yaml", ""),
        ("aliased.item.yaml", ""),
        ("falling.item.yaml", "id"),
        ("fields.item.yaml", "question"),
        ("fields.item.yaml", "difficulty"),
        ("fields.item.yaml", "colour"),
        ("fields.item.yaml", "key_points.0.weight"),
        ("fields.item.yaml", "reference_answers.0.text"),
        ("header.responses.csv", "header"),
        ("key-twice.item.yaml", ""),
        ("marks.responses.csv", "line 2.human_mark"),
        ("marks.responses.csv", "line 3.human_mark"),
        ("marks.responses.csv", "line 4.split"),
        ("marks.responses.csv", "line 5.human_mark"),
        ("marks.responses.csv", "line 5.kind"),
        ("marks.responses.csv", "line 6.note"),
        ("named.item.yaml", "id"),
        ("no-short.item.yaml", ""),
        ("no-yaml.item.yaml", ""),
        ("not-utf8.item.yaml", ""),
        ("orphan.responses.csv", ""),
        ("point-twice.item.yaml", ""),
    }
    assert {file for file, _ in found} == {
        "VERSION",
        *(
            f"{name}.item.yaml"
            for name in "a-list aliased falling fields key-twice named no-short no-yaml not-utf8 point-twice".split()
        ),
        *(f"{name}.responses.csv" for name in "header marks orphan unclosed".split()),
    }
    assert not any(field.startswith("line 8") for _, field in found), "the last row is right"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("VERSION", "missing or empty"),
        ("physics/a-list.item.yaml", "valid dictionary"),
        ("physics/aliased.item.yaml", "aliases are not allowed"),
        ("physics/falling.item.yaml", "'falling' is used by another file too"),
        ("physics/header.responses.csv", "must be candidate_answer,human_mark,split,kind,note"),
        ("physics/key-twice.item.yaml", "the key 'question' stands twice"),
        ("physics/marks.responses.csv", "11 is above the item's max_mark 10"),
        ("physics/named.item.yaml", "is 'named-otherwise' but the file is named 'named'"),
        ("physics/no-short.item.yaml", "need one of kind short"),
        ("physics/no-yaml.item.yaml", "is not YAML: .* line 2"),
        ("physics/not-utf8.item.yaml", "is not UTF-8 .byte 24."),
        ("physics/orphan.responses.csv", "has no .item.yaml file beside it"),
        ("physics/point-twice.item.yaml", "use the id 'attraction' more than once"),
        ("physics/unclosed.responses.csv", "is not CSV"),
    ],
)
def test_a_problem_says_what_is_wrong(file: str, message: str) -> None:
    with pytest.raises(InvalidBankError, match=f"{file}: .*{message}"):
        ItemBank.from_directory(BANKS / "broken")


def test_a_problem_never_repeats_the_text_it_is_about() -> None:
    assert not any("Gravity." in str(problem) for problem in problems_of(BANKS / "broken"))


def test_a_bank_without_a_version_is_refused(bank_dir: Path) -> None:
    (bank_dir / "VERSION").unlink()
    assert [problem.file for problem in problems_of(bank_dir)] == ["VERSION"]


@pytest.mark.parametrize("content", [b"", b"\n ", b"\xff\xfe"])
def test_a_version_has_to_be_text(bank_dir: Path, content: bytes) -> None:
    (bank_dir / "VERSION").write_bytes(content)
    assert [problem.file for problem in problems_of(bank_dir)] == ["VERSION"]


def test_a_folder_without_items_is_no_bank(tmp_path: Path) -> None:
    assert [problem.file for problem in problems_of(tmp_path)] == ["VERSION", str(tmp_path)]
    assert [problem.file for problem in problems_of(tmp_path / "missing")] == ["VERSION", str(tmp_path / "missing")]


def test_a_changed_file_differs_from_the_checksums(bank_dir: Path) -> None:
    file = bank_dir / "physics" / "gravity.responses.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("10,dev", "9,dev"), encoding="utf-8")
    (problem,) = problems_of(bank_dir)
    assert problem.file == "physics/gravity.responses.csv"
    assert "checksums.txt" in problem.message


def test_a_file_that_came_or_went_differs_from_the_checksums(bank_dir: Path) -> None:
    (bank_dir / "physics" / "gravity.responses.csv").unlink()
    item = (bank_dir / "physics" / "evaporation.item.yaml").read_text(encoding="utf-8")
    (bank_dir / "physics" / "boiling.item.yaml").write_text(item.replace("id: evaporation", "id: boiling"), encoding="utf-8")
    assert [p.file for p in problems_of(bank_dir)] == ["physics/boiling.item.yaml", "physics/gravity.responses.csv"]


def test_a_bank_needs_no_checksums(bank_dir: Path) -> None:
    (bank_dir / "checksums.txt").unlink()
    assert len(ItemBank.from_directory(bank_dir)) == 2


def test_checksums_are_those_of_the_files() -> None:
    assert checksums(BANKS / "good") == (BANKS / "good" / "checksums.txt").read_text(encoding="utf-8")
    lines = checksums(BANKS / "good").splitlines()
    assert [line.split("  ")[1].split("/")[1] for line in lines] == [
        "evaporation.item.yaml",
        "gravity.item.yaml",
        "gravity.responses.csv",
    ]
    # As sha256sum prints it.
    assert lines[1] == "0d36985abd7bc7d03ea2a8d59a6e7ae71de070b3161d753dc47960cffcc4f90a  physics/gravity.item.yaml"


def test_a_file_too_large_is_not_read(bank_dir: Path) -> None:
    (bank_dir / "checksums.txt").unlink()
    with (bank_dir / "physics" / "gravity.item.yaml").open("ab") as file:
        file.write(b"#" * _MAX_FILE_BYTES)
    (problem,) = problems_of(bank_dir)
    assert problem.file == "physics/gravity.item.yaml"
    assert "larger than" in problem.message


def test_a_dangling_link_is_reported(bank_dir: Path) -> None:
    (bank_dir / "checksums.txt").unlink()
    (bank_dir / "physics" / "gravity.item.yaml").unlink()
    (bank_dir / "physics" / "gravity.item.yaml").symlink_to("nowhere")
    assert "physics/gravity.item.yaml" in [problem.file for problem in problems_of(bank_dir)]


@pytest.mark.parametrize(
    "line",
    ["max_mark: !!python/object/apply:os.system [x]", "? [a, b]\n: c", "x: " + "[" * 3_000, "\x00", "max_mark: '\\ud800'"],
    ids=["python-object", "list-as-key", "nested-deep", "nul", "surrogate"],
)
def test_hostile_yaml_is_a_problem_and_no_crash(bank_dir: Path, line: str) -> None:
    (bank_dir / "checksums.txt").unlink()
    with (bank_dir / "physics" / "gravity.item.yaml").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    assert {problem.file for problem in problems_of(bank_dir)} == {"physics/gravity.item.yaml"}


@pytest.mark.parametrize("mark", ["nan", "inf", "-inf", "", "1e400", "0x5"])
def test_a_mark_has_to_be_a_number(bank_dir: Path, mark: str) -> None:
    (bank_dir / "checksums.txt").unlink()
    file = bank_dir / "physics" / "gravity.responses.csv"
    file.write_text(f"candidate_answer,human_mark,split,kind,note\nIt falls.,{mark},dev,wrong,\n", encoding="utf-8")
    assert [problem.field for problem in problems_of(bank_dir)] == ["line 2.human_mark"]


def test_marked_answers_of_a_broken_item_are_checked_in_the_same_go(bank_dir: Path) -> None:
    (bank_dir / "checksums.txt").unlink()
    (bank_dir / "physics" / "gravity.item.yaml").write_text("max_mark: 0\n", encoding="utf-8")
    (bank_dir / "physics" / "gravity.responses.csv").write_text("wrong,header\n", encoding="utf-8")
    assert {problem.file for problem in problems_of(bank_dir)} == {"physics/gravity.item.yaml", "physics/gravity.responses.csv"}


def test_the_shipped_bank_is_beside_the_package() -> None:
    assert (default_bank_dir() / "VERSION").is_file()
