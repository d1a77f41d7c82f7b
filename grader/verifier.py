"""A second opinion on a suspicion: does a clause of the answer contradict a statement of the item?

A small cross-encoder that reads both texts together, so that it sees who does what to whom, which vectors do not. It is asked
only about close wording that a rule already suspects; see docs/adr/0011.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from grader.encoders import Once, open_session
from grader.errors import EncoderError
from grader.text import normalise

Suspicion = tuple[str, str]
"""A clause of an answer, and the statement of the item that it may contradict."""

_MAX_TOKENS = 128


class Verifier(Protocol):
    """Says how likely it is that one text contradicts another."""

    @property
    def signature(self) -> str:
        """Name everything that can change a probability."""

    def contradicts(self, suspicions: Sequence[Suspicion]) -> npt.NDArray[np.float64]:
        """Return the probability of each suspicion, in [0, 1], shape `(len(suspicions),)`.

        The same for a suspicion alone and among any others.
        """


class OnnxVerifier:
    """The prepared verifier under `onnxruntime`, fp32. Every pair is a run of its own, several side by side."""

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
        # Loaded when it is first asked: most answers never need it.
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

    def contradicts(self, suspicions: Sequence[Suspicion]) -> npt.NDArray[np.float64]:
        """Return the probability of each suspicion, in [0, 1], shape `(len(suspicions),)`."""
        return np.array(list(self._pool.map(self._run, suspicions)), dtype=np.float64)

    def _run(self, suspicion: Suspicion) -> float:
        clause, statement = suspicion
        encoding = self._tokenizer.encode(normalise(clause), normalise(statement))
        ids = np.array([encoding.ids], dtype=np.int64)
        kinds = np.array([encoding.type_ids], dtype=np.int64)
        return float(self._session().run(["contradicts"], {"input_ids": ids, "token_type_ids": kinds})[0][0])
