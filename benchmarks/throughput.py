"""How many answers are graded a second at 20, 60 and 200 words, beside what a user would pick instead, in the same run.

    python -m benchmarks.throughput [--seconds S] [--json FILE]

Each way is given distinct answers in chunks of 32 until its seconds are over; the ways take turns, so that a disturbance meets
them all, and processor time is told beside, which other load hardly changes. `onnxruntime` is the bare encoder, one text a run,
several side by side: what the grader's encoding can at most reach. `grader batch` with its processes is measured by
`benchmarks.scaling`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path
from sentence_transformers import SentenceTransformer, util

from benchmarks.measuring import Row, answers, keep, show
from benchmarks.naive_service import use_all_cores
from grader import Grader, ItemBank, OnnxEncoder, default_bank_dir
from grader.encoders import Precision, open_session
from grader.text import Passage
from grader.weights import find_weights

_CHUNK = 32
_ROUNDS = 3
Way = Callable[[Sequence[Row]], object]


def main() -> None:
    """Print one table for each number of words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each way, number of words and round")
    parser.add_argument("--words", type=int, nargs="*", default=[20, 60, 200])
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    use_all_cores()
    bank = ItemBank.from_directory(default_bank_dir())
    ways = _ways(Path(arguments.home), bank)
    for way in ways.values():
        way(answers(bank, words=20, count=_CHUNK, seed=0))
    figures: dict[str, dict[int, tuple[float, float]]] = {name: {} for name in ways}
    for words in arguments.words:
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for round_ in range(_ROUNDS):
            rows = answers(bank, words=words, count=2_000, seed=words + round_)
            for name, way in ways.items():
                rates[name].append(_rate(way, rows, arguments.seconds))
        for name, found in rates.items():
            rate, worked_ms = np.median(found, axis=0)
            figures[name][words] = float(rate), float(worked_ms)
    naive = figures["naive: encode one, cos_sim"]
    for at, title, better in ((0, "Answers a second", 1), (1, "Processor time of an answer, ms", -1)):
        show(
            f"{title}, the median of {_ROUNDS} rounds, and how many times better than the naive way",
            ["way", *(f"{words} words" for words in arguments.words)],
            [
                [name, *(f"{found[w][at]:.1f} ({(found[w][at] / naive[w][at]) ** better:.2f})" for w in arguments.words)]
                for name, found in figures.items()
            ],
        )
    keep(arguments.json, {"throughput": figures})


def _rate(way: Way, rows: Sequence[Row], seconds: float) -> tuple[float, float]:
    """Return answers a second, and milliseconds of the processor's time for one."""
    began, worked, done = time.perf_counter(), time.process_time(), 0
    while (took := time.perf_counter() - began) < seconds:
        at = done % len(rows)
        done += len(rows[at : at + _CHUNK])
        way(rows[at : at + _CHUNK])
    return done / took, (time.process_time() - worked) / done * 1000


def _ways(home: Path, bank: ItemBank) -> dict[str, Way]:
    """Return each way of grading a chunk, by its name."""
    ways: dict[str, Way] = {}
    for precision in ("fp32", "int8"):
        whole = Grader.from_directory(home, precision=precision)
        whole.embed(bank)
        plain = Grader(whole.encoder)
        plain.embed(bank)
        ways[f"grader, {precision}, with verifier"] = whole.grade_many
        ways[f"grader, {precision}, without"] = plain.grade_many
        ways[f"grader's encoder alone, {precision}"] = _encoding(whole.encoder)
        ways[f"onnxruntime alone, {precision}"] = _bare(home, precision)
    model = SentenceTransformer(str(find_weights()), device="cpu", local_files_only=True)
    references = {item.id: model.encode([r.text for r in item.reference_answers], convert_to_tensor=True) for item in bank}

    def naive(rows: Sequence[Row]) -> list[float]:
        encoded = ((item, model.encode(answer, convert_to_tensor=True, show_progress_bar=False)) for item, answer in rows)
        return [float(util.cos_sim(vector, references[item.id]).max()) for item, vector in encoded]

    def batched(rows: Sequence[Row]) -> list[float]:
        vectors = model.encode([answer for _, answer in rows], batch_size=_CHUNK, convert_to_tensor=True, show_progress_bar=False)
        return [float(util.cos_sim(vector, references[item.id]).max()) for (item, _), vector in zip(rows, vectors, strict=True)]

    states = {item.id: _states(model, [r.text for r in item.reference_answers]) for item in bank}

    def bert_score(rows: Sequence[Row]) -> list[float]:
        """BERTScore's F1 (Zhang et al. 2020) to the closest reference: greedy matching of token states, without weights."""
        found = _states(model, [answer for _, answer in rows])
        return [max(_f1(mine, theirs) for theirs in states[item.id]) for (item, _), mine in zip(rows, found, strict=True)]

    return ways | {
        "naive: encode one, cos_sim": naive,
        "sentence-transformers, batches of 32, cos_sim": batched,
        "BERTScore's matching on the same model": bert_score,
    }


def _encoding(encoder: object) -> Way:
    assert isinstance(encoder, OnnxEncoder)  # noqa: S101 what `from_directory` makes
    return lambda rows: encoder.encode([Passage.whole(answer) for _, answer in rows])


def _bare(home: Path, precision: Precision) -> Way:
    from tokenizers import Tokenizer  # noqa: PLC0415 beside the session it is for

    session = open_session(home / "encoder" / ("model.onnx" if precision == "fp32" else "model-int8.onnx"), cores=1)
    tokenizer = Tokenizer.from_file(str(home / "encoder" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def run(ids: list[int]) -> object:
        return session.run(["states"], {"input_ids": np.array([ids], dtype=np.int64)})

    return lambda rows: list(pool.map(run, [e.ids for e in tokenizer.encode_batch([answer for _, answer in rows])]))


def _states(model: SentenceTransformer, texts: Sequence[str]) -> list[np.ndarray]:
    """Return the unit states of each text's tokens, without its markers."""
    found = model.encode(list(texts), output_value="token_embeddings", batch_size=_CHUNK, show_progress_bar=False)
    return [(states[1:-1] / states[1:-1].norm(dim=1, keepdim=True)).numpy() for states in found]


def _f1(mine: np.ndarray, theirs: np.ndarray) -> float:
    table = mine @ theirs.T
    precision, recall = table.max(axis=1).mean(), table.max(axis=0).mean()
    return float(2 * precision * recall / (precision + recall))


if __name__ == "__main__":
    main()
