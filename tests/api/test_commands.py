"""The service's commands, run as a user runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.storage.database import Database
from grader.cli.app import main


@pytest.fixture
def address(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    address = empty_database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("GRADER_DATABASE_URL", address)
    return address


def test_database_is_set_up_and_backed_up(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade"]) == 0
    assert ": version none -> " in capsys.readouterr().err
    assert main(["db", "backup", str(tmp_path / "copy")]) == 0
    assert main(["db", "backup", str(tmp_path / "copy")]) == 1
    assert capsys.readouterr().err.endswith("is there already; name a new file.\n")


def test_backup_is_restored_into_an_empty_database_only(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    main(["db", "backup", str(tmp_path / "copy")])
    assert main(["db", "restore", str(tmp_path / "copy")]) == 1
    assert "is not empty" in capsys.readouterr().err
    if address.startswith("sqlite"):
        assert main(["db", "restore", str(tmp_path / "copy"), "--database", f"sqlite:///{tmp_path}/new.sqlite"]) == 0
        assert "new.sqlite: restored, version " in capsys.readouterr().err


@pytest.mark.parametrize("url", ["mysql://u:hush@h/d", "postgresql://u:hush@127.0.0.1:1/d", "sqlite:////proc/none/x.sqlite"])
def test_database_that_cannot_be_used_is_one_sentence(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--database", url]) == 1
    said = capsys.readouterr().err
    assert said.startswith("grader: ")
    assert said.count("\n") == 1
    assert "hush" not in said


def test_help_names_the_services_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "\n  db " in capsys.readouterr().out
    assert main(["db", "backup", "--help"]) == 0
    assert "GRADER_DATABASE_URL" in capsys.readouterr().out
