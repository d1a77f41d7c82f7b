"""Health checks, what is running, and the start of a server."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.types import ASGIApp

from api.app import create_app
from api.settings import Settings
from grader import Grader, InvalidBankError, ItemBank, Observer
from grader.compiled_file import CompiledFile
from grader.encoders import Precision

OpenClient = Callable[[ASGIApp], TestClient]
ROW = {"item_id": "dropout", "candidate_answer": "Random neurons are switched off."}
# Other C libraries manage memory by other rules, and say nothing of it.
of_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def test_ready_server_says_so(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}


def test_info_tells_what_is_running(client: TestClient, real_grader: Grader, shipped_bank: ItemBank) -> None:
    info = client.get("/v1/info").json()
    assert info["signature"] == real_grader.signature
    assert info["bank"] == {"version": shipped_bank.version, "items": 30}
    assert info["limits"] == {
        "max_answer_chars": 20_000,
        "max_batch_rows": 1_000,
        "max_body_bytes": 8_000_000,
        "max_upload_bytes": 1_000_000_000,
        "max_job_rows": 1_000_000,
        "max_page_items": 100,
        "max_in_flight": min(32, max(2, os.cpu_count() or 1)),
    }
    assert client.post("/v1/grades", json=ROW).json()["signature"].startswith(info["signature"])


def test_server_is_live_and_lists_items_before_it_is_ready(
    settings: Settings,
    open_client: OpenClient,
    until_ready: Callable[[TestClient], None],
    assert_problem: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_load = threading.Event()
    load = Grader.from_directory

    def load_later(home: Path, *, threads: int, precision: Precision, observer: Observer) -> Grader:
        may_load.wait(30)
        return load(home, threads=threads, precision=precision, observer=observer)

    monkeypatch.setattr(Grader, "from_directory", load_later)
    with open_client(create_app(settings)) as client:
        try:
            assert client.get("/livez").status_code == 200
            assert client.get("/v1/items").json()["total"] == 30
            for response in (client.get("/readyz"), client.get("/v1/info"), client.post("/v1/grades", json=ROW)):
                assert_problem(response, 503, "not-ready")
                assert int(response.headers["retry-after"]) > 0
        finally:
            may_load.set()
        until_ready(client)
        assert client.post("/v1/grades", json=ROW).status_code == 200


def test_process_is_told_when_all_is_loaded_that_stays(settings: Settings, open_client: OpenClient) -> None:
    app = create_app(settings)
    told = threading.Event()
    app.state.at_rest = told.set
    with open_client(app) as client:
        assert told.wait(60)
        assert client.app_state["grader"].done()


def test_server_leaves_what_is_loaded_out_of_collections() -> None:
    # In a process of its own: it holds for the whole process.
    program = "import gc; from api.commands.serve import settle; settle(); print(len(gc.get_objects()) < 1_000)"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "True\n"


@of_glibc
@pytest.mark.parametrize(("first", "arenas"), [("tune_allocator()", 1), ("pass", 5)])
def test_threads_of_a_server_take_memory_from_one_place(first: str, arenas: int) -> None:
    # In a process of its own, as above. The C library prints what it has, an element for each arena.
    program = f"""
import ctypes, threading
from grader.allocator import tune_allocator
{first}
together = threading.Barrier(4)
def work():
    taken = bytes(2000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
"""
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)
    assert run.stdout.count("<heap nr=") == arenas


@of_glibc
@pytest.mark.parametrize(("first", "blocks"), [("tune_allocator()", 1), ("pass", 0)])
def test_large_blocks_of_a_server_go_back_to_the_system(first: str, blocks: int, tmp_path: Path) -> None:
    # Once a larger block has gone, the C library would keep those of its size.
    program = f"""
import ctypes, re
from grader.allocator import tune_allocator
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
def large_ones():
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
    file = libc.fopen(b"info", b"w")
    libc.malloc_info(0, file)
    libc.fclose(file)
    return int(re.findall('<total type="mmap" count="(.*?)"', open("info").read())[-1])
{first}
libc.free(libc.malloc(16 << 20))
before = large_ones()
libc.malloc(1 << 20)
print(large_ones() - before)
"""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout == f"{blocks}\n"


def test_server_whose_grader_cannot_be_loaded_asks_for_a_restart(
    open_client: OpenClient, assert_problem: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.write_text("a file where a folder should be")
    with open_client(create_app(Settings(home=home, database_url=SecretStr(f"sqlite:///{tmp_path}/x.sqlite")))) as client:
        deadline = time.monotonic() + 20
        while client.get("/livez").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.02)
        for address in ("/livez", "/readyz", "/v1/info"):
            problem = assert_problem(client.get(address), 503, "not-ready")
            assert str(home) not in problem["detail"]
    assert "The grader could not be loaded." in caplog.text


def test_second_start_embeds_nothing(
    settings: Settings, open_client: OpenClient, until_ready: Callable[[TestClient], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api")
    with open_client(create_app(settings)) as client:
        until_ready(client)
    assert "0 texts newly embedded" in caplog.text


def test_server_of_a_large_bank_reads_items_when_they_are_asked_for(
    *,
    settings: Settings,
    client: TestClient,
    open_client: OpenClient,
    until_ready: Callable[[TestClient], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("grader.compiled._MOST_ITEMS_READ", 1)
    monkeypatch.setattr("grader.grader._PROFILES_KEPT", 10)
    (tmp_path / "encoder").symlink_to(settings.home / "encoder")
    for store in settings.home.glob("embeddings-*.sqlite"):
        shutil.copy(store, tmp_path)
    own = settings.model_copy(update={"home": tmp_path, "database_url": SecretStr(f"sqlite:///{tmp_path}/x.sqlite")})
    with open_client(create_app(own)) as first:
        until_ready(first)
    parsed: list[tuple[bytes, int]] = []
    parse = CompiledFile._parsed

    def counted(file: CompiledFile, row: tuple[bytes, int], how: Callable[[bytes], Any]) -> Any:
        parsed.append(row)
        return parse(file, row, how)

    monkeypatch.setattr(CompiledFile, "_parsed", counted)
    monkeypatch.setattr("grader.bank.strict_document", lambda _: pytest.fail("a file of the bank was read"))
    monkeypatch.setattr("grader.compiled._ITEMS_PER_QUERY", 1)
    caplog.set_level("INFO", "api")
    with open_client(create_app(own)) as second:
        until_ready(second)
        assert "0 texts newly embedded" in caplog.text
        # What the first grade of all takes, and no more.
        assert len(parsed) < 10
        parsed.clear()
        for query in ("limit=10", "limit=3&offset=7", "difficulty=easy&limit=5", "q=dropout", "topic=none"):
            assert second.get(f"/v1/items?{query}").json() == client.get(f"/v1/items?{query}").json()
        assert second.get("/").status_code == 200
        assert parsed == []
        assert second.post("/v1/grades", json=ROW).json() == client.post("/v1/grades", json=ROW).json()
        assert len(parsed) == 1


def test_broken_bank_stops_the_start_and_names_the_file(settings: Settings, open_client: OpenClient, tmp_path: Path) -> None:
    shutil.copytree(settings.bank_dir, tmp_path / "bank")
    broken = next((tmp_path / "bank").rglob("dropout.item.yaml"))
    broken.write_text("id: dropout\n", encoding="utf-8")
    app = create_app(settings.model_copy(update={"bank_dir": tmp_path / "bank"}))
    with pytest.raises(InvalidBankError, match=r"dropout\.item\.yaml: question"), open_client(app):
        pass
