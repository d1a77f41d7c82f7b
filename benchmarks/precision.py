"""How far encoder and verifier in eight bits are from fp32.

    GRADER_DATA_DIR=<folder> python -m benchmarks.precision [--pairs N] [--json FILE]

Of the encoder: the cosine of 2,000 real pairs, an answer and its reference each. Of the verifier: its three probabilities for the
answers to the written statements that no fit saw. What it does to marks is `python -m benchmarks.accuracy --precision fp32`.
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from platformdirs import user_cache_path
from tokenizers import Tokenizer

from benchmarks.measuring import keep, show
from grader import OnnxEncoder
from grader.cross_encoder import CrossEncoder, RelationProbabilities
from grader.text import Passage
from grader.verifier import OnnxVerifier
from grader.weights import find_weights, fitted_verifier
from training.data_sets import RULES, measured_rows
from training.fit_verifier import STATEMENTS
from training.verifier_pairs import plain_pairs, written_statements


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = {
        f"cosine of {arguments.pairs} pairs": _figures(_cosine_errors(arguments.home, arguments.pairs)),
        "probabilities of the verifier": _figures(_probability_errors(arguments.home)),
    }
    rows = [[name, *(f"{value:.4f}" for value in found.values())] for name, found in figures.items()]
    show("Error of eight bits", ["of", "mean", "99th percentile", "worst"], rows)
    keep(arguments.json, figures)


def _figures(errors: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"mean": float(errors.mean()), "p99": float(np.quantile(errors, 0.99)), "worst": float(errors.max())}


def _cosine_errors(home: Path, size: int) -> npt.NDArray[np.float64]:
    """Return by how much the cosines of pairs of the marked sets differ, shape `(size,)`."""
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    chance = random.Random(3)  # noqa: S311 no secret is at stake
    chosen = chance.sample([row for rule in RULES for row in measured_rows(rule, data_dir)], size)
    texts = [(row.candidate_answer, row.item.reference_answers[0].text) for row in chosen]
    distinct = list(dict.fromkeys(text for pair in texts for text in pair))
    cosines = {}
    for precision in ("fp32", "int8"):
        encoder = OnnxEncoder(home / "encoder", precision=precision)
        table = dict(zip(distinct, encoder.encode([Passage.whole(text) for text in distinct]), strict=True))
        cosines[precision] = np.array([table[one] @ table[other] for one, other in texts])
    found: npt.NDArray[np.float64] = np.abs(cosines["int8"] - cosines["fp32"])
    return found


def _probability_errors(home: Path) -> npt.NDArray[np.float64]:
    """Return by how much the verifier's probabilities differ, shape `(pairs, 3)`."""
    folder = find_weights()
    network = CrossEncoder(folder)
    fitted, update = fitted_verifier()
    network.load_packed(fitted)
    network.resume_update(update)
    exact = RelationProbabilities(network.eval())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    pairs = [pair for statement in written_statements(STATEMENTS, held_out=True) for pair in plain_pairs(statement)]
    wanted = []
    for pair in pairs:
        encoding = tokenizer.encode(pair.premise, pair.hypothesis)
        with torch.inference_mode():
            wanted.append(exact(torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids]))[0].numpy())
    served = OnnxVerifier(home / "encoder").relations([(pair.premise, pair.hypothesis) for pair in pairs])
    found: npt.NDArray[np.float64] = np.abs(served - np.array(wanted))
    return found


if __name__ == "__main__":
    main()
