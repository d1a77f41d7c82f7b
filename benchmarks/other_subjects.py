"""How marks of questions of other subjects compare with a person's, and how far right answers lie above all others.

    python -m benchmarks.other_subjects [--home DIR]

Twice twenty items, from biology to law, each with sixteen answers, written for this and without sight of the rules. Those in
`banks_of_other_subjects/dev` were looked at while rules were made; of those in `.../test` nothing but these tables.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.accuracy import RIGHT_KINDS
from grader import Gradable, Grader, ItemBank
from grader.agreement import auc, pearson
from grader.results import Flag
from grader.scoring import blended

_FOLDER = Path(__file__).with_name("banks_of_other_subjects")
_OTHER_KINDS = ("partial", "wrong", "contradiction", "keyword_heap")


def main() -> None:
    """Print one row for each set of items."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    arguments = parser.parse_args()
    grader = Grader.from_directory(Path(arguments.home))
    print(f"| twenty items, 320 answers | r | RMSE | {' | '.join(_OTHER_KINDS)} | right ones taken for denials |")
    print("|---" * (4 + len(_OTHER_KINDS)) + "|")
    for name in ("dev", "test"):
        print_rows(name, grader, ItemBank.from_directory(_FOLDER / name))


def print_rows(name: str, grader: Grader, bank: ItemBank) -> None:
    """Print the figures of the scores, of those without the author's key points, and of what is said and named alone.

    The last are without any sign of a denial or of gaming.
    """
    rows = [(item, response) for item in bank for response in bank.responses[item.id]]
    pairs = [(item, response.candidate_answer) for item, response in rows]
    results = grader.grade_many(pairs)
    said = [0.0 if matching is None else blended(matching.said, matching.keyword_coverage) for matching in grader.match(pairs)]
    marks = np.array([response.human_mark / item.max_mark for item, response in rows])
    kinds = np.array([response.kind for _, response in rows])
    right = np.isin(kinds, RIGHT_KINDS)
    denials = sum(Flag.CONTRADICTS_REFERENCE in result.flags for result, is_right in zip(results, right, strict=True) if is_right)
    alone = {item.id: Gradable(question=item.question, reference_answers=item.reference_answers) for item in bank}
    without_key_points = grader.grade_many([(alone[item.id], response.candidate_answer) for item, response in rows])
    columns = {
        name: (np.array([result.score for result in results]), f"{denials} of {right.sum()}"),
        f"{name}, references alone": (np.array([result.score for result in without_key_points]), "–"),
        f"{name}, said and named alone": (np.array(said), "–"),
    }
    for title, (scores, hit) in columns.items():
        figures = [pearson(marks, scores), float(np.sqrt(np.mean((scores - marks) ** 2)))]
        figures += [auc(scores[right], scores[kinds == kind]) for kind in _OTHER_KINDS]
        print(f"| {title} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {hit} |")


if __name__ == "__main__":
    main()
