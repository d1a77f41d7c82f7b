"""How far the encoder in eight bits is from fp32: the cosine of 2,000 real pairs, an answer and its reference each.

    GRADER_DATA_DIR=<folder> python -m benchmarks.precision [--pairs N] [--json FILE]

What it does to marks is `python -m benchmarks.accuracy --precision int8`.
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.measuring import keep, show
from grader import OnnxEncoder
from grader.text import Passage
from training.data_sets import RULES, measured_rows


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    chance = random.Random(3)  # noqa: S311 no secret is at stake
    rows = [row for rule in RULES for row in measured_rows(rule, data_dir)]
    chosen = chance.sample(rows, arguments.pairs)
    texts = [(row.candidate_answer, row.item.reference_answers[0].text) for row in chosen]
    distinct = list(dict.fromkeys(text for pair in texts for text in pair))
    cosines = {}
    for precision in ("fp32", "int8"):
        encoder = OnnxEncoder(arguments.home / "encoder", precision=precision)
        table = dict(zip(distinct, encoder.encode([Passage.whole(text) for text in distinct]), strict=True))
        cosines[precision] = np.array([table[one] @ table[other] for one, other in texts])
    errors = np.abs(cosines["int8"] - cosines["fp32"])
    figures = {"mean": float(errors.mean()), "p99": float(np.quantile(errors, 0.99)), "worst": float(errors.max())}
    shown = [f"{value:.4f}" for value in figures.values()]
    show(f"Error of the cosine, {len(texts)} pairs", ["mean", "99th percentile", "worst"], [shown])
    keep(arguments.json, {"cosine_error": figures})


if __name__ == "__main__":
    main()
