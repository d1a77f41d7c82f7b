"""`grader calibrate` and `grader groups` as a teacher has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import Calibration, Grader, ItemBank, with_calibration
from grader import cli as command_line

ALIKE = "Neurons get switched off at random while training, which regularises the net."
TABLE = f"""\
item_id,candidate_answer,human_mark,human_2
dropout,"Neurons are switched off at random while training, which regularises the net.",10,9
dropout,"{ALIKE}",,
dropout,It deletes the data that are noisy.,0,0
dropout,Units are dropped at random so no unit can rely on another.,7,7
dropout,It is a layer that makes images smaller.,0,
dropout,Co-adaptation is prevented since units vanish randomly.,,
nope,x,1,
dropout,x,77,
dropout,x,much,
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, real_grader: Grader, grader_home: Path) -> Run:
    monkeypatch.setenv("GRADER_HOME", str(grader_home))
    monkeypatch.delenv("GRADER_BANK_DIR", raising=False)

    def runner(*arguments: str | Path) -> tuple[int, str, str]:
        code = command_line.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return runner


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "marked.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_calibrate_learns_reports_and_names_what_to_mark_next(
    run: Run, table: Path, tmp_path: Path, real_grader: Grader, shipped_bank: ItemBank
) -> None:
    learnt = tmp_path / "learnt.json"
    code, out, err = run("calibrate", table, learnt, "--json")
    report = json.loads(out)
    assert (code, report["items"], report["before"]["n"], report["people"]["n"]) == (0, 1, 4, 3)
    calibration = Calibration.from_json(learnt.read_bytes())
    assert [answer.score for answer in calibration.items[0].answers] == [1.0, 0.0, 0.7, 0.0]
    assert f"1 of 1 items learnt; {calibration.signature}." in err
    assert "row 7: No item 'nope'" in err
    assert "row 8: human_mark must be a number from 0 to 10, not '77'." in err
    assert "row 9: human_mark must be a number from 0 to 10, not 'much'." in err
    assert "dropout: worth marking next are the rows 6, 2." in err

    taught = with_calibration(real_grader, calibration)
    expected = taught.grade(shipped_bank.get("dropout"), ALIKE)
    assert run("grade", "dropout", ALIKE, "--calibration", learnt, "--json")[1] == expected.to_json() + "\n"
    assert expected.score > real_grader.grade(shipped_bank.get("dropout"), ALIKE).score
    assert run("batch", table, tmp_path / "out.csv", "--calibration", learnt)[0] == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count(taught.signature) == 8


def test_calibrate_prints_a_table_and_does_not_replace_a_file_unasked(run: Run, table: Path, tmp_path: Path) -> None:
    learnt = tmp_path / "learnt.json"
    code, out, _ = run("calibrate", table, learnt, "--next", "0")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()[2:]] == ["before", "after, cross-validated", "of a second person"]
    code, out, err = run("calibrate", table, learnt)
    assert (code, out) == (2, "")
    assert "is there already; --force replaces it." in err
    assert run("calibrate", table, learnt, "--force")[0] == 0


def test_calibrate_without_a_mark_only_suggests(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "free.csv"
    path.write_text("item_id,candidate_answer\ndropout,It regularises.\ndropout,Neurons go.\n", encoding="utf-8")
    code, out, err = run("calibrate", path, tmp_path / "learnt.json", "--next", "1")
    assert (code, out) == (0, "")
    assert "worth marking next are the rows" in err
    assert not (tmp_path / "learnt.json").exists()


def test_files_that_cannot_be_learnt_from_are_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("item_id,candidate_answer,human_mark\ndropout,It regularises.,5\n", encoding="utf-8")
    assert run("calibrate", path, tmp_path / "a.json") == (1, "", "grader: No item has 3 marked answers to learn from.\n")
    path.write_text("item_id,candidate_answer,human_mark\nnope,It regularises.,5\n", encoding="utf-8")
    for command in (("calibrate", path, tmp_path / "a.json"), ("groups", path)):
        code, out, err = run(*command)
        assert (code, out) == (3, "")
        assert err == "row 1: No item 'nope' in the bank.\ngrader: Not a single row could be used.\n"
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    code, _, err = run("grade", "dropout", "x", "--calibration", broken)
    assert (code, err) == (1, "grader: Not a calibration: 1 field(s) are missing or wrong.\n")


def test_groups_are_listed_with_their_rows(run: Run, table: Path) -> None:
    code, out, _ = run("groups", table, "--json")
    first, *others = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert first == {"item_id": "dropout", "rows": [1, 2], "representative": 1}
    assert sorted(row for group in others for row in group["rows"]) == [3, 4, 5, 6]
    code, out, _ = run("groups", table, "--closeness", "1")
    assert code == 0
    assert len(out.splitlines()) == 8
    assert "It deletes the data that are noisy." in out
