"""A second opinion: does what an answer says entail a statement of the item, contradict it, or neither?

A small cross-encoder that reads both texts together, so that it sees who does what to whom, which vectors do not. See
docs/adr/0011 for what a rule suspects, and docs/adr/0029 for key points.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from grader.encoders import Once, open_session
from grader.errors import EncoderError
from grader.text import normalise

Pair = tuple[str, str]
"""What an answer says, and a statement of the item."""

_MAX_TOKENS = 160


class Relations(NamedTuple):
    """How likely a pair is to be an entailment, neither, or a contradiction; the order is that of the network's outputs."""

    entails: float
    neither: float
    contradicts: float


class Verifier(Protocol):
    """Says how likely it is that one text entails or contradicts another."""

    @property
    def signature(self) -> str:
        """Name everything that can change a probability."""

    def relations(self, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        """Return how likely each pair is to be an entailment, neither, or a contradiction, shape `(len(pairs), 3)`.

        The same for a pair alone and among any others.
        """


class OnnxVerifier:
    """The prepared verifier under `onnxruntime`, in eight bits. Every pair is a run of its own, several side by side."""

    def __init__(self, model_dir: Path, *, threads: int = 0) -> None:
        """Load a folder that `grader.weights.prepare` made.

        Args:
            model_dir: The folder.
            threads: Cores to use; 0 takes all of them.

        Raises:
            EncoderError: If a file is missing or not what the manifest says.
        """
        from tokenizers import Tokenizer  # noqa: PLC0415 a run-time's import costs 0.1 s that other users need not pay

        from grader.weights import read_manifest  # noqa: PLC0415 weights imports this module's neighbours lazily too

        manifest = read_manifest(model_dir)
        self._signature = f"verifier-{manifest.verifier_weights_sha256[:12]}"
        # Loaded when it is first asked: answers to items of one reference seldom need it.
        self._session = Once(partial(open_session, model_dir / "verifier.onnx", cores=1))
        try:
            self._tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        except Exception as error:
            raise EncoderError(f"The prepared verifier in {model_dir} cannot be loaded: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS, strategy="longest_first")
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="verifier")

    @property
    def signature(self) -> str:
        """Hash of the fitted weights."""
        return self._signature

    def relations(self, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        """Return how likely each pair is to be an entailment, neither, or a contradiction, shape `(len(pairs), 3)`."""
        return np.array(list(self._pool.map(self._run, pairs)), dtype=np.float64).reshape(-1, 3)

    def _run(self, pair: Pair) -> npt.NDArray[np.float32]:
        said, statement = pair
        encoding = self._tokenizer.encode(normalise(said), normalise(statement))
        ids = np.array([encoding.ids], dtype=np.int64)
        kinds = np.array([encoding.type_ids], dtype=np.int64)
        found: npt.NDArray[np.float32] = self._session().run(["relations"], {"input_ids": ids, "token_type_ids": kinds})[0][0]
        return found
