"""How fast the grader starts, how much memory it takes, and how near its encoder is to what a core can multiply.

    python -m benchmarks.footprint [--starts N] [--json FILE]

The ceiling is the best rate of a single-precision matrix product of five shapes under torch, on one core. The encoder's share of
it is the operations of its products at 60 words over the time of a run on one core. Eight bits may exceed it: whole numbers are
faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from tokenizers import Tokenizer

from benchmarks.measuring import answers, ask, keep, resident_mb, served, show
from grader import ItemBank, default_bank_dir
from grader.encoders import open_session

_SHAPES = ((80, 384, 384), (80, 384, 1536), (80, 1536, 384), (512, 1536, 1536), (2048, 2048, 2048))
_LAYERS, _WIDTH, _INNER = 6, 384, 1536
_ITEM = "dropout"
_ANSWER = "Neurons are switched off at random while training, which regularises the net."


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bank = ItemBank.from_directory(default_bank_dir())
    figures: dict[str, Any] = {"cold_grade_s": statistics.median(_cold_grade_s() for _ in range(arguments.starts))}
    honest = [row for row in answers(bank, words=30, count=50) if row[0].id == _ITEM] or [(bank.get(_ITEM), _ANSWER)]
    denying = [
        (item, r.candidate_answer) for item in bank for r in bank.responses[item.id] if r.kind == "contradiction"
    ][:20]  # fmt: skip
    for name, command, environment in (
        ("grader", [sys.executable, "-m", "grader", "serve"], {}),
        ("grader, fp32", [sys.executable, "-m", "grader", "serve"], {"GRADER_PRECISION": "fp32"}),
        ("naive", [sys.executable, "-m", "benchmarks.naive_service"], {}),
    ):
        began = time.perf_counter()
        with served(command, "/readyz", environment) as (port, pid):
            figures[f"{name}: ready after s"] = time.perf_counter() - began
            _send(port, [(_ITEM, text) for _, text in honest])
            figures[f"{name}: MB"] = resident_mb(pid)
            _send(port, [(item.id, text) for item, text in denying])
            figures[f"{name}: MB with verifier"] = resident_mb(pid)
    show("Start-up (seconds) and resident memory (MB)", ["measured", "value"], [[k, str(v)] for k, v in figures.items()])
    rates = _rates(arguments.home, bank)
    ceiling = max(rate for name, rate in rates.items() if name.startswith("product"))
    show(
        "Operations on one core",
        ["what", "GFLOP/s", "share of the ceiling"],
        [[name, rate, f"{rate / ceiling:.2f}"] for name, rate in rates.items()],
    )
    keep(arguments.json, {"footprint": figures, "gflops": rates})


def _cold_grade_s() -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "grader", "grade", _ITEM, _ANSWER, "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _send(port: int, rows: Iterable[tuple[str, str]]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for item_id, answer in rows:
        ask(connection, "POST", "/v1/grades", json.dumps({"item_id": item_id, "candidate_answer": answer}).encode())


def _rates(home: Path, bank: ItemBank) -> dict[str, float]:
    """Return billions of operations a second: of products, and of the encoder's runs."""
    torch.set_num_threads(1)
    rates = {}
    for rows, inner, columns in _SHAPES:
        one, other = torch.rand(rows, inner), torch.rand(inner, columns)
        seconds = _best_s(lambda one=one, other=other: torch.mm(one, other))
        rates[f"product {rows} x {inner} x {columns}"] = 2 * rows * inner * columns / seconds / 1e9
    tokenizer = Tokenizer.from_file(str(home / "encoder" / "tokenizer.json"))
    tokenizer.no_padding()
    runs = [np.array([tokenizer.encode(text).ids]) for _, text in answers(bank, words=60, count=64)]
    operations = sum(_operations(ids.shape[1]) for ids in runs)
    for name, file in (("fp32", "model.onnx"), ("int8", "model-int8.onnx")):
        session = open_session(home / "encoder" / file, cores=1)
        seconds = _best_s(lambda session=session: [session.run(None, {"input_ids": ids}) for ids in runs], times=3)
        rates[f"encoder, {name}, 64 texts of 60 words"] = operations / seconds / 1e9
    return rates


def _operations(tokens: int) -> int:
    """Return the multiplications and additions in the encoder's products for one text."""
    weights = 4 * _WIDTH * _WIDTH + 2 * _WIDTH * _INNER
    return _LAYERS * tokens * 2 * (weights + 2 * tokens * _WIDTH)


def _best_s(run: Any, *, times: int = 20) -> float:  # noqa: ANN401 whatever is to be timed
    run()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    main()
