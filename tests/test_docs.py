"""What the README shows is what happens: its commands are run and their output compared."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import click
import pytest
import yaml

from api.settings import Settings
from grader import Grader, ItemBank
from grader.cli.app import app
from tests.api.databases import KINDS, new_database

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shell_block(start: str) -> str:
    return next(block for block in blocks("sh") if block.startswith(start))


def run_python(arguments: list[str], grader_home: Path, tmp_path: Path) -> str:
    """Run Python with a cache folder in which the prepared model lies where a user's would."""
    (tmp_path / "grader").symlink_to(grader_home)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "NO_COLOR": "1"}
    environment.pop("GRADER_HOME", None)
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def test_the_result_at_the_top_is_what_the_learners_command_prints(grader_home: Path, tmp_path: Path) -> None:
    command = shlex.split(shell_block('grader grade dropout "'))
    assert run_python(["-m", "grader", *command[1:]], grader_home, tmp_path).strip() == blocks("text")[0].strip()


def test_the_python_example_prints_what_it_says(grader_home: Path, tmp_path: Path) -> None:
    assert run_python(["-c", blocks("python")[0]], grader_home, tmp_path).strip() == blocks("text")[-1].strip()


def test_the_integrators_answer_is_the_one_shown(real_grader: Grader, shipped_bank: ItemBank) -> None:
    found = re.search(r"-d '(.*)'", shell_block("curl"))
    assert found is not None
    request = json.loads(found.group(1))
    result = real_grader.grade(shipped_bank.get(request["item_id"]), request["candidate_answer"])
    assert json.loads(blocks("json")[0]) == {**result.to_dict(), "item_id": request["item_id"]}


def test_the_teachers_file_is_graded_as_the_text_says(grader_home: Path, tmp_path: Path) -> None:
    found = re.search(r"<<'END'\n(.*?)END\n", shell_block("cat > answers.csv"), re.DOTALL)
    assert found is not None
    (tmp_path / "answers.csv").write_text(found.group(1), encoding="utf-8")
    run_python(["-m", "grader", "batch", str(tmp_path / "answers.csv"), str(tmp_path / "marked.csv")], grader_home, tmp_path)
    rows = (tmp_path / "marked.csv").read_text(encoding="utf-8").splitlines()
    stated = re.search(r"`score` \(([\d.]+), ([\d.]+), none\)", README)
    assert stated is not None
    assert f",{stated.group(1)}," in rows[1]
    assert f",{stated.group(2)}," in rows[2]
    assert rows[-1].endswith("No item 'no-such-item' in the bank.")


@pytest.mark.parametrize("kind", KINDS)
def test_the_schools_commands_run_as_they_stand(kind: str, grader_home: Path, tmp_path: Path) -> None:
    with new_database(kind, tmp_path, whole=True) as url, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        done = run_school(url.render_as_string(hide_password=False), port, grader_home, tmp_path)
    assert done.returncode == 0, done.stderr
    for shown in (
        '"items":["gravity"]',
        '{"published":1,',
        '"item_id":"gravity","attempt_id":"17","subject_id":"s5","result_id":',
        '"bank_id":"physics","item_id":"gravity","item_version":"1"',
        '{"waiting":',
        '"state":"finished","bank_id":"physics"',
        '"rows":2,"graded":2,"failed":0,',
        '{"results":1,"replays":1,"job_rows":0}',
    ):
        assert shown in done.stdout, shown
    assert (tmp_path / "results.csv").read_text(encoding="utf-8").count(",The Earth attracts them.,") == 1
    assert [line.split(",")[2] for line in (tmp_path / "marked.csv").read_text(encoding="utf-8").splitlines()] == [
        "student",
        "5",
        "6",
    ]
    assert (tmp_path / "school.backup").stat().st_size > 1_000


def run_school(address: str, port: str, grader_home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the block in a folder of its own, with `grader` meaning the code that is tested."""
    python = shlex.quote(sys.executable)
    block = f'grader() {{ {python} -m grader "$@"; }}\n' + shell_block("export GRADER_DATABASE_URL")
    # In the background a function would be a shell of its own, which passes no signal on.
    block = block.replace("grader serve", f"{python} -m grader serve")
    environment = {
        **os.environ,
        "GRADER_HOME": str(grader_home),
        "GRADER_DATABASE_URL": address,
        "PORT": port,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        ["bash", "-euc", block + "wait $SERVER || true\n"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_page_on_operations_names_every_setting() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    stated = set(re.findall(r"^\| `GRADER_(\w+)` \|", page, re.MULTILINE))
    assert stated == {name.upper() for name in Settings.model_fields}


def test_the_compose_file_names_commands_and_settings_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    commands = {name: service["command"] for name, service in services.items() if name != "database"}
    assert commands.keys() == {"upgrade", "api", "worker"}
    for service, (program, *arguments) in commands.items():
        assert program == "grader"
        command: click.Command = app
        while arguments and not arguments[0].startswith("-"):
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), arguments.pop(0))
            assert found is not None, service
            command = found
        command.make_context(service, list(arguments))
        for name in services[service]["environment"]:
            assert name.removeprefix("GRADER_").lower() in Settings.model_fields


def test_the_integrators_quiz_runs_as_it_stands(grader_home: Path, tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("PORT", "QUIZ_PORT")}
    python = shlex.quote(sys.executable)
    block = next(block for block in blocks("sh") if "quiz/server.py" in block)
    block = f'grader() {{ {python} -m grader "$@"; }}\n' + block.replace("python3", python)
    environment = {**os.environ, **ports, "GRADER_HOME": str(grader_home)}
    environment["GRADER_DATABASE_URL"] = f"sqlite:///{tmp_path / 'quiz.sqlite'}"
    run = subprocess.Popen(["bash", "-euc", block], cwd=ROOT, env=environment, start_new_session=True)
    try:
        grader, quiz = f"http://127.0.0.1:{ports['PORT']}", f"http://127.0.0.1:{ports['QUIZ_PORT']}"
        wait_for(f"{grader}/readyz")
        page = wait_for(quiz)
        for line in blocks("html")[0].splitlines():
            assert line.replace("http://127.0.0.1:8000", grader) in page
        headers = {"Origin": quiz, "Content-Type": "application/json"}
        token = json.loads(wait_for(f"{quiz}/token", {"item_id": "dropout"}, headers))["token"]
        body = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off in training."}
        graded = wait_for(f"{grader}/v1/grades", body, {**headers, "Authorization": f"Bearer {token}"})
        assert json.loads(graded)["item_id"] == "dropout"
    finally:
        os.killpg(run.pid, signal.SIGTERM)
        run.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(address: str, body: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> str:
    """Return what an address of this machine answers, once something listens there."""
    request = Request(address, json.dumps(body).encode() if body else None, headers or {})  # noqa: S310
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(request, timeout=30) as response:  # noqa: S310
                return str(response.read().decode())
        except (URLError, ConnectionError):
            assert time.monotonic() < deadline, address
            time.sleep(0.2)


def test_the_page_on_the_widget_names_every_attribute_and_property() -> None:
    page = (ROOT / "docs" / "widget.md").read_text(encoding="utf-8")
    script = (ROOT / "api" / "pages" / "static" / "widget.js").read_text(encoding="utf-8")
    observed = re.search(r"observedAttributes = \[(.*?)\]", script)
    assert observed is not None
    assert {name for name in re.findall(r'"([\w-]+)"', observed[1]) if f"| `{name}` |" not in page} == set()
    properties = {name for name in re.findall(r"--answer-grader-([\w-]+)", script) if not name.endswith("-ground")}
    assert {name for name in properties if f"-{name}`" not in page} == set()
