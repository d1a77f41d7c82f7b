"""Tables graded in the actors of a Ray cluster: the same bytes, though one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from grader import Grader, ItemBank
from grader.batch import BatchError, GraderRecipe, grade_file
from grader.batch.parquet import ParquetSource
from grader.batch.ray_engine import RayWorkers
from grader.cli.app import app

_PATIENCE_S = 300.0
_ROWS = 400


@pytest.fixture
def source(shipped_bank: ItemBank, tmp_path: Path) -> Path:
    answers = [
        {"student": number, "item_id": item.id, "candidate_answer": response.candidate_answer}
        for item in shipped_bank
        for number, response in enumerate(shipped_bank.responses[item.id])
    ][:_ROWS]
    answers[3]["item_id"] = "nope"
    path = tmp_path / "in.parquet"
    pq.write_table(pa.Table.from_pylist(answers), path, row_group_size=150)
    return path


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes the way Linux shows them")
def test_a_cluster_of_two_gives_the_bytes_of_one_process_though_one_is_killed(
    real_grader: Grader, shipped_bank: ItemBank, grader_home: Path, source: Path, tmp_path: Path
) -> None:
    expected, target = tmp_path / "expected.parquet", tmp_path / "out.parquet"
    grade_file(real_grader, shipped_bank, source, expected)
    command = [sys.executable, "-m", "grader", "batch", str(source), str(target), "--engine", "ray", "--workers", "2"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([*command, "--home", str(grader_home)], stderr=log) as run:
        note = tmp_path / "out.parquet.part.json"
        end = time.monotonic() + _PATIENCE_S
        while not (note.exists() and json.loads(note.read_text(encoding="utf-8"))["rows"] > 0):
            assert run.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        victim, other = _actors()
        assert victim != other
        # Behind everything else on a busy machine they would hardly ever begin.
        assert {os.getpriority(os.PRIO_PROCESS, actor) for actor in (victim, other)} == {0}
        os.kill(victim, signal.SIGKILL)
        assert run.wait(_PATIENCE_S) == 0, (tmp_path / "log").read_text()
    assert target.read_bytes() == expected.read_bytes()
    assert pq.read_table(target).num_rows == _ROWS


def test_rows_can_be_read_from_anywhere(source: Path) -> None:
    table = ParquetSource(source)
    everything = [row.values for row in table.rows()]
    for start, stop in ((0, 1), (149, 151), (150, 300), (299, 400), (0, 400), (390, 1000), (400, 400)):
        assert [row.values for row in table.rows(start, stop)] == everything[start:stop]


def test_only_parquet_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("item_id,candidate_answer\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["batch", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--engine", "ray"])
    assert result.exit_code == 2
    assert "reads Parquet" in result.output


def test_a_cluster_s_address_is_for_ray(source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["batch", str(source), str(tmp_path / "out.parquet"), "--address", "auto"])
    assert result.exit_code == 2
    assert "--engine ray" in result.output


def test_an_installation_without_ray_says_how_to_get_it(
    shipped_bank: ItemBank, grader_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BatchError, match=r"answer-grader\[ray\]"):
        RayWorkers(GraderRecipe(home=grader_home), shipped_bank)


def _actors() -> list[int]:
    """Return the processes that grade."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if name.startswith(b"ray::MapWorker"):
            found.append(int(folder.name))
    return found
