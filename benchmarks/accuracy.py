"""How well the scores agree with people's, each set measured by a model that has not seen any of it.

    GRADER_DATA_DIR=<folder> python -m benchmarks.accuracy [--home DIR]

Prints one table for the marked sets, cosine beside the whole grader, and two for the shipped bank's `test` responses. The first
run encodes every answer and takes some six minutes on two cores; later ones a minute.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from grader import Grader, GradingResult, ItemBank, default_bank_dir, default_scoring_model
from grader.agreement import auc, pearson, wrmse
from grader.encoders import DEFAULT_PRECISION
from training.data_sets import RULES, MarkedAnswer, fitting_rows, measured_rows
from training.fit_scoring_model import MarkedSet, fit, marked_set, open_training_grader

RIGHT_KINDS = ("complete", "terse")
SEPARATION_TARGETS = {
    "contradiction": 0.97,
    "keyword_heap": 0.99,
    "question_repeated": 0.995,
    "off_topic": 0.995,
    "wrong": 0.99,
    "partial": 0.93,
}
TARGETS = {"beetle": 0.31, "saf": 0.29, "mohler2009": 0.24, "mohler2011": 0.24, "sprag_python": 0.245}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFigures:
    """What was measured on one set."""

    rows: int
    cosine_wrmse: float
    system_wrmse: float
    cosine_pearson: float
    system_pearson: float


def left_out_figures(grader: Grader, measured: str, rows: Sequence[MarkedAnswer], sets: dict[str, MarkedSet]) -> SetFigures:
    """Return the figures of rows of one set, by its name, from a model fitted on the others."""
    model = fit({name: marked for name, marked in sets.items() if name != measured})
    blind = Grader(
        grader.encoder, verifier=grader.verifier, scoring_model=replace(model, half_width=default_scoring_model().half_width)
    )
    results = blind.grade_many([(row.item, row.candidate_answer) for row in rows])
    people = np.array([row.score for row in rows])
    system = np.array([result.score for result in results])
    cosine = np.clip([result.semantic_similarity for result in results], 0, 1)
    return SetFigures(
        rows=len(rows),
        cosine_wrmse=wrmse(people, cosine),
        system_wrmse=wrmse(people, system),
        cosine_pearson=pearson(people, cosine),
        system_pearson=pearson(people, system),
    )


def bank_results(grader: Grader, bank: ItemBank, split: str) -> dict[str, dict[str, list[GradingResult]]]:
    """Return the results of the bank's responses of one split by item id and kind; references are a kind of their own."""
    results: dict[str, dict[str, list[GradingResult]]] = {}
    for item in bank:
        rows: list[tuple[str, str]] = [(r.kind, r.candidate_answer) for r in bank.responses[item.id] if r.split == split]
        rows += [("reference", reference.text) for reference in item.reference_answers]
        by_kind: dict[str, list[GradingResult]] = defaultdict(list)
        for (kind, _), result in zip(rows, grader.grade_many([(item, answer) for _, answer in rows]), strict=True):
            by_kind[kind].append(result)
        results[item.id] = by_kind
    return results


def by_item_and_kind(
    results: dict[str, dict[str, list[GradingResult]]], number: Callable[[GradingResult], float]
) -> dict[str, dict[str, list[float]]]:
    """Return one number of every result, by item id and kind."""
    return {
        item_id: {kind: [number(result) for result in found] for kind, found in by_kind.items()}
        for item_id, by_kind in results.items()
    }


def of_kinds(scores: dict[str, dict[str, list[float]]], kinds: Sequence[str]) -> list[float]:
    """Return the scores of some kinds of answer over all items."""
    return [score for by_kind in scores.values() for kind in kinds for score in by_kind.get(kind, [])]


def share_in_order(scores: dict[str, dict[str, list[float]]], kinds: tuple[str, ...]) -> float:
    """Return the share of pairs within an item, one answer of each of two kinds, that stand in the order of the kinds."""
    pairs = [
        better > worse
        for by_kind in scores.values()
        for at, kind in enumerate(kinds)
        for lower in kinds[at + 1 :]
        for better, worse in product(by_kind[kind], by_kind[lower])
    ]
    return sum(pairs) / len(pairs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    parser.add_argument("--bank-split", choices=["dev", "test"], default="test")
    parser.add_argument("--bank-only", action="store_true")
    parser.add_argument("--precision", choices=["fp32", "int8"], default=DEFAULT_PRECISION, help="of the encoder")
    arguments = parser.parse_args()
    grader = open_training_grader(arguments.home, arguments.precision)
    if not arguments.bank_only:
        data_dir = Path(os.environ["GRADER_DATA_DIR"])
        sets = {rule.name: marked_set(grader, fitting_rows(rule, data_dir)) for rule in RULES if rule.fit_splits}
        print("| set, left out of the fit | answers | wRMSE cosine | wRMSE grader | target | r cosine | r grader |")
        print("|---|---|---|---|---|---|---|")
        for rule in RULES:
            f = left_out_figures(grader, rule.name, measured_rows(rule, data_dir), sets)
            target = TARGETS.get(rule.name, "–")
            print(
                f"| {rule.name} | {f.rows} | {f.cosine_wrmse:.3f} | {f.system_wrmse:.3f} | {target}"
                f" | {f.cosine_pearson:.2f} | {f.system_pearson:.2f} |"
            )
        print()
    results = bank_results(
        Grader(grader.encoder, verifier=grader.verifier), ItemBank.from_directory(default_bank_dir()), arguments.bank_split
    )
    scores = by_item_and_kind(results, lambda result: result.score)
    cosines = by_item_and_kind(results, lambda result: result.semantic_similarity)
    print(f"| kind of answer, `{arguments.bank_split}` | answers | least | median | most |\n|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for by_kind in scores.values() for kind in by_kind):
        values = np.array(of_kinds(scores, [kind]))
        print(f"| {kind} | {len(values)} | {values.min():.2f} | {np.median(values):.2f} | {values.max():.2f} |")
    print(
        f"\nIn order, complete > partial > wrong within an item: {share_in_order(scores, ('complete', 'partial', 'wrong')):.1%}"
    )
    print(f"\n| right answers told from, AUC on `{arguments.bank_split}` | cosine | grader | target |\n|---|---|---|---|")
    for kind, aim in SEPARATION_TARGETS.items():
        cosine, system = (auc(of_kinds(numbers, RIGHT_KINDS), of_kinds(numbers, [kind])) for numbers in (cosines, scores))
        print(f"| {kind} | {cosine:.3f} | {system:.3f} | {aim} |")


if __name__ == "__main__":
    main()
