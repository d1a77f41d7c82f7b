"""The service's commands, run as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import select

from api.commands.serve import settle
from api.protocol import BoundedHttpToolsProtocol
from api.storage.columns import new_id, now, oldest_id
from api.storage.database import Database, Store
from api.storage.tables import Replay, Result
from grader.cli.app import main
from tests.api.databases import KINDS, new_database


@pytest.fixture(params=KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with new_database(request.param, tmp_path, whole=True) as url:
        database = Database(url)
        yield database
        database.close()


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


def test_key_is_shown_once_and_listed_without_its_secret(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    capsys.readouterr()
    command = ["keys", "create", "--tenant", "north", "--name", "quiz", "--scope", "grade", "--scope", "review", "--days", "30"]
    assert main(command) == 0
    shown = capsys.readouterr()
    key = shown.out.strip()
    assert shown.err == "Keep it now, it is not shown again. Tenant north, scopes: grade review.\n"
    assert main(["keys", "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["tenant"], listed["name"], listed["scopes"], listed["revoked_at"]) == ("north", "quiz", "grade review", None)
    assert listed["prefix"] == key.split("_")[1]
    assert main(["keys", "list"]) == 0
    assert key.split("_", 2)[2] not in capsys.readouterr().out


def test_key_is_rotated_and_revoked_by_its_prefix(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    main(["keys", "create"])
    old = capsys.readouterr().out.split("_")[1]
    assert main(["keys", "rotate", old, "--overlap-hours", "1"]) == 0
    new = capsys.readouterr().out.split("_")[1]
    assert new != old
    assert main(["keys", "revoke", new]) == 0
    assert main(["keys", "revoke", "nonsense"]) == 1
    assert "No key begins with 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tenant", "North!"],
        ["--rate-limit", "much"],
        ["--rate-limit", "0/minute"],
        ["--scope", "all"],
        ["--days", "0"],
        ["--tenant", ""],
        ["--name", "a\nb"],
        ["--name", "\udcff"],
        ["--name", "x" * 201],
    ],
)
def test_key_that_cannot_be_is_refused(address: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", *arguments]) == 2
    assert "See `grader keys create --help`." in capsys.readouterr().err


def test_another_address_without_keys_is_refused_with_what_to_do(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    capsys.readouterr()
    assert main(["serve", "--host", "0.0.0.0"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("grader: There are no keys yet")
    assert "Run `grader keys create` first, or leave out --host." in said


def test_another_address_with_a_key_is_served(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[uvicorn.Config] = []
    monkeypatch.setenv("GRADER_BANK_DIR", "")
    monkeypatch.setattr("uvicorn.Server.run", lambda server: configs.append(server.config))
    main(["db", "upgrade"])
    main(["keys", "create"])
    assert main(["serve", "--host", "0.0.0.0"]) == 0
    assert [config.host for config in configs] == ["0.0.0.0"]
    # What health checks need under load (docs/adr/0025).
    assert (configs[0].http, configs[0].loop) == (BoundedHttpToolsProtocol, "asyncio")
    assert configs[0].app.state.at_rest is settle  # type: ignore[union-attr]  # the app that was made


def test_serving_over_an_old_database_says_what_to_do(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    if address.startswith("postgresql"):
        assert main(["serve"]) == 1
        assert "run `grader db upgrade`" in capsys.readouterr().err


def test_old_results_are_purged(address: str, empty_database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    old, new = oldest_id(now() - timedelta(days=40)), new_id()
    for tenant in ("north", "south"):
        main(["keys", "create", "--tenant", tenant])
        with Store(empty_database, tenant).write() as session:
            session.add_all(result(each[:-1] + tenant[0].replace("s", "1").replace("n", "2")) for each in (old, new))
    capsys.readouterr()
    assert main(["purge", "--days", "30", "--tenant", "west"]) == 2
    assert "there is no tenant 'west'" in capsys.readouterr().err
    assert main(["purge", "--days", "30", "--tenant", "north"]) == 0
    assert capsys.readouterr().err == "north: 1 results deleted.\n"
    assert main(["purge", "--days", "30"]) == 0
    assert capsys.readouterr().err == "north: 0 results deleted.\nsouth: 1 results deleted.\n"
    with Store(empty_database, "north").read() as session:
        assert [each[:12] for each in session.scalars(select(Result.id))] == [new[:12]]


def test_kept_answers_older_than_a_day_are_purged_whatever_the_days(address: str, empty_database: Database) -> None:
    main(["db", "upgrade"])
    main(["keys", "create", "--tenant", "north"])
    ids = [oldest_id(now() - timedelta(hours=hours)) for hours in (25, 23)]
    with Store(empty_database, "north").write() as session:
        session.add_all(Replay(id=each, key=each, request_hash="") for each in ids)
    assert main(["purge", "--days", "400"]) == 0
    with Store(empty_database, "north").read() as session:
        assert session.scalars(select(Replay.id)).all() == ids[1:]


def result(result_id: str) -> Result:
    return Result(
        id=result_id,
        key_name="",
        content_hash="",
        candidate_answer="",
        score=0.0,
        mark=0.0,
        needs_review=False,
        signature="",
        result="{}",
        grading_ms=0.0,
    )
