"""Passages to vectors. A passage's vector is the mean of its token states from one run over the whole text it stands in.

Serving uses `OnnxEncoder` on a model that `grader.weights.prepare` exported once; it starts in a fraction of a second and needs
neither torch nor transformers. `SentenceTransformerEncoder` loads any other model and is the reference that tests compare with.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from grader.errors import EncoderError
from grader.reading import Reading, TextReader, Window, Words
from grader.text import Passage, normalise

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

FloatArray = npt.NDArray[np.float32]
Precision = Literal["fp32", "int8"]
DEFAULT_PRECISION: Precision = "int8"
T = TypeVar("T")
# A sum and its norm, which the run-time would put into one node, take four times as long there as one after the other.
_SLOWER_TOGETHER = ["SkipLayerNormFusion"]
# Longer than the gap between two products of a run, and too short to keep a core from another run (docs/performance.md).
_AWAKE_US = "10"


class Encoder(Protocol):
    """Anything that turns passages into unit vectors."""

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

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        """Return unit vectors, shape `(len(passages), dimension)`. A vector depends on the passage and its context alone."""
        ...

    def read(self, passages: Sequence[Passage]) -> Reading:
        """Return the same vectors, and the words of every text that a passage stands in, from the same runs."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has, untruncated."""
        ...


class OnnxEncoder:
    """The prepared model under `onnxruntime`, its products in eight bits or in fp32 (docs/adr/0019 and 0030).

    Every text is a run of its own, several side by side, and every run shares its rows among the cores that are free. A product's
    last bits depend on its shape and not on how many cores share its rows, so this makes a vector bit-identical alone, in any
    batch and on any number of cores; sharing runs among texts of one length was measured 13 % faster and differs in the seventh
    digit (docs/adr/0003). The passages of a text share its run (docs/adr/0009).
    """

    def __init__(self, model_dir: Path, *, threads: int = 0, precision: Precision = DEFAULT_PRECISION) -> None:
        """Load a folder that `grader.weights.prepare` made.

        Args:
            model_dir: The folder.
            threads: Cores to use; 0 takes all of them.
            precision: "fp32" takes twice as long and gives other vectors, with another signature.

        Raises:
            EncoderError: If a file is missing or not what the manifest says.
        """
        from tokenizers import Tokenizer  # noqa: PLC0415 a run-time's import costs 0.1 s that other encoders need not pay

        from grader.weights import read_manifest  # noqa: PLC0415 weights imports this module's neighbours lazily too

        manifest = read_manifest(model_dir)
        self._max_tokens = manifest.max_tokens
        self._dimension = manifest.dimension
        self._signature = f"{manifest.name}@{manifest.weights_sha256[:12]}/onnx-{precision}-v{manifest.export_version}"
        cores = threads or os.cpu_count() or 1
        graph = model_dir / ("model.onnx" if precision == "fp32" else "model-int8.onnx")
        try:
            self._session = open_session(graph, cores=cores if precision == "fp32" else 1)
            self._tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        except Exception as error:
            raise EncoderError(f"The prepared model in {model_dir} cannot be loaded: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._reader = TextReader(self._tokenizer, max_tokens=self._max_tokens, dimension=self._dimension)
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="encoder")

    @property
    def signature(self) -> str:
        """Model name, hash of its weights, run-time, precision and version of the export."""
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

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        """Return unit vectors, shape `(len(passages), dimension)`, float32. No passage gives shape `(0, dimension)`."""
        return self._read(passages, with_words=False).vectors

    def read(self, passages: Sequence[Passage]) -> Reading:
        """Return unit vectors as `encode` does, and the words of every text that a passage stands in."""
        return self._read(passages, with_words=True)

    def _read(self, passages: Sequence[Passage], *, with_words: bool) -> Reading:
        texts = _places_of_texts(passages)
        run = partial(_run, self._session)

        def side_by_side(planned: Sequence[Window]) -> Iterable[FloatArray]:
            # A lone run need not go by way of the pool.
            return map(run, planned) if len(planned) == 1 else self._pool.map(run, planned)

        if len(texts) == 1:
            found = [self._reader.read(text, places, side_by_side, with_words=with_words) for text, places in texts.items()]
        else:
            # A text is cut into tokens while others are run.
            read = partial(self._reader.read, run=partial(map, run), with_words=with_words)
            found = list(self._pool.map(read, texts.keys(), texts.values()))
        return _put_together(passages, texts, found, self._dimension)


class Once(Generic[T]):
    """Something that is made at its first use, once, by whichever thread is first."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Take what makes it."""
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def __call__(self) -> T:
        """Return it."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def open_session(model: Path, *, cores: int) -> InferenceSession:
    """Return a session of `onnxruntime` that makes one run on so many cores.

    Raises:
        EncoderError: If the graph or its weights cannot be loaded.
    """
    import onnxruntime  # noqa: PLC0415 a run-time's import costs 0.1 s that other encoders need not pay

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    options.inter_op_num_threads = 1
    # A core that shares a run waits awake for its next product, and sleeps where that takes longer: it is other runs' then.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", _AWAKE_US)
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_TOGETHER
        )
    except Exception as error:
        raise EncoderError(f"{model} cannot be loaded: {error}") from error


def _places_of_texts(passages: Iterable[Passage]) -> dict[str, list[tuple[int, int]]]:
    """Return for each text where the passages in it start and end, in their order."""
    found: dict[str, list[tuple[int, int]]] = {}
    for passage in passages:
        found.setdefault(passage.context, []).append((passage.start, passage.end))
    return found


def _put_together(
    passages: Sequence[Passage],
    texts: Iterable[str],
    found: Iterable[tuple[FloatArray, Words | None]],
    dimension: int,
) -> Reading:
    """Return what was read of each text as what was asked for: a vector for each passage, and words by their text."""
    of_texts = dict(zip(texts, found, strict=True))
    next_of = {text: iter(vectors) for text, (vectors, _) in of_texts.items()}
    vectors = np.zeros((len(passages), dimension), dtype=np.float32)
    for row, passage in enumerate(passages):
        vectors[row] = next(next_of[passage.context])
    return Reading(vectors=vectors, words={text: words for text, (_, words) in of_texts.items() if words is not None})


def _run(session: InferenceSession, window: Window) -> FloatArray:
    """Return the vectors of one pass, of its passages and then of its words."""
    states: FloatArray = session.run(["states"], {"input_ids": np.array([window.ids], dtype=np.int64)})[0][0]
    return window.pool(states)


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

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        """Return unit vectors, one text at a time: torch's result depends in its last bits on what shares the batch.

        A whole text is pooled as the model says, a part of one by the mean of its token states.
        """
        return self._read(passages, with_words=False).vectors

    def read(self, passages: Sequence[Passage]) -> Reading:
        """Return unit vectors as `encode` does, and the words of every text that a passage stands in."""
        return self._read(passages, with_words=True)

    def _read(self, passages: Sequence[Passage], *, with_words: bool) -> Reading:
        import torch  # noqa: PLC0415 as heavy as the model that was loaded with it

        def run(planned: Sequence[Window]) -> Iterator[FloatArray]:
            for window in planned:
                ids = torch.tensor([window.ids])
                with torch.inference_mode():
                    states = self._model[0]({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["token_embeddings"][0]
                yield window.pool(states.numpy())

        reader = TextReader(self._tokenizer(), max_tokens=self.max_tokens, dimension=self.dimension)
        texts = _places_of_texts(passages)
        found = [reader.read(text, places, run, with_words=with_words) for text, places in texts.items()]
        reading = _put_together(passages, texts, found, self.dimension)
        wholes = [row for row, passage in enumerate(passages) if passage.is_whole]
        if wholes:
            whole_texts = [normalise(passages[row].context) for row in wholes]
            reading.vectors[wholes] = self._model.encode(
                whole_texts, batch_size=1, normalize_embeddings=True, show_progress_bar=False
            )
        return reading

    def _tokenizer(self) -> Tokenizer:
        """Return the model's tokenizer as one that neither pads nor cuts."""
        from tokenizers import Tokenizer  # noqa: PLC0415 as above

        tokenizer = Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer
