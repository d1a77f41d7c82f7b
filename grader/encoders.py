"""Texts to vectors. The only module that runs a neural network.

Serving uses `OnnxEncoder` on a model that `grader.weights.prepare` exported once; it starts in a fraction of a second and needs
neither torch nor transformers. `SentenceTransformerEncoder` loads any other model and is the reference that tests compare with.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from grader.errors import EncoderError
from grader.text import normalise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FloatArray = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Anything that turns texts into unit vectors."""

    @property
    def signature(self) -> str:
        """Name everything that could change a vector: weights, run-time, precision."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what follows is not."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, shape `(len(texts), dimension)`. A text's vector does not depend on the other texts."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, untruncated."""
        ...


class OnnxEncoder:
    """The prepared model under `onnxruntime`, fp32.

    Every text is a run of its own, on one core, and several runs go side by side. A matrix product's last bits depend on its
    shape, so this is what makes a text's vector bit-identical alone, in any batch and on any number of cores; sharing runs
    among texts of one length was measured 13 % faster and differs in the seventh digit (docs/adr/0003).
    """

    def __init__(self, model_dir: Path, *, threads: int = 0) -> None:
        """Load a folder that `grader.weights.prepare` made.

        Args:
            model_dir: Folder with `model.onnx`, `tokenizer.json` and `encoder.json`.
            threads: Cores to use; 0 takes all of them.

        Raises:
            EncoderError: If a file is missing or not what the manifest says.
        """
        import onnxruntime  # noqa: PLC0415 a run-time's import costs 0.1 s that other encoders need not pay
        from tokenizers import Tokenizer  # noqa: PLC0415 as above

        from grader.weights import read_manifest  # noqa: PLC0415 weights imports this module's neighbours lazily too

        manifest = read_manifest(model_dir)
        self._max_tokens = manifest.max_tokens
        self._dimension = manifest.dimension
        self._signature = f"{manifest.name}@{manifest.weights_sha256[:12]}/onnx-fp32"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(model_dir / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        except Exception as error:
            raise EncoderError(f"The prepared model in {model_dir} cannot be loaded: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="encoder")

    @property
    def signature(self) -> str:
        """Model name, hash of its weights, run-time and precision."""
        return self._signature

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read, the two markers included."""
        return self._max_tokens

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, the two markers included."""
        return len(self._tokenizer.encode(normalise(text)).ids)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, shape `(len(texts), dimension)`, float32. No text gives shape `(0, dimension)`."""
        if not texts:
            return np.zeros((0, self._dimension), dtype=np.float32)
        encodings = self._tokenizer.encode_batch([normalise(text) for text in texts])
        rows = list(self._pool.map(self._run, (self._truncate(e.ids) for e in encodings)))
        return np.concatenate(rows)

    def _run(self, ids: list[int]) -> FloatArray:
        """Return the vector of one tokenised text, shape `(1, dimension)`."""
        token_ids = np.array([ids], dtype=np.int64)
        feed = {"input_ids": token_ids, "attention_mask": np.ones_like(token_ids)}
        vector: FloatArray = self._session.run(["embedding"], feed)[0]
        return vector

    def _truncate(self, ids: list[int]) -> list[int]:
        """Keep the first tokens and the end marker."""
        return ids if len(ids) <= self._max_tokens else [*ids[: self._max_tokens - 1], ids[-1]]


class SentenceTransformerEncoder:
    """Any local `sentence-transformers` model: the slow, general way, and the reference for the fast one."""

    def __init__(self, model: SentenceTransformer, *, signature: str) -> None:
        """Wrap a loaded model; `signature` has to change whenever its weights do."""
        self._model = model
        self._signature = signature

    @classmethod
    def from_directory(cls, path: Path) -> SentenceTransformerEncoder:
        """Load a model folder from disk; nothing is downloaded.

        Raises:
            EncoderError: If the folder is not a model.
        """
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 takes seconds; only callers of this pay

        try:
            model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
        except (OSError, ValueError) as error:
            raise EncoderError(f"{path} holds no sentence-transformers model: {error}") from error
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*.safetensors")):
            digest.update(file.read_bytes())
        return cls(model, signature=f"{path.name}@{digest.hexdigest()[:12]}/torch-fp32")

    @property
    def signature(self) -> str:
        """What the constructor was told."""
        return self._signature

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read."""
        return int(self._model.max_seq_length or 512)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self._model.tokenizer(normalise(text), truncation=False, verbose=False)["input_ids"])

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, one text at a time: torch's result depends in its last bits on what shares the batch."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        encoded = self._model.encode(
            [normalise(t) for t in texts], batch_size=1, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(encoded, dtype=np.float32)
