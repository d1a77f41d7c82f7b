"""Right answers that say "not", beside the same answers put without it and beside answers that really contradict.

    python -m benchmarks.negation [--home DIR] [--cases]

`negation_cases.csv` has a question of some school subject, a reference, and three answers. A right answer must not lose its mark
for a "not"; a contradiction must. Nothing is fitted or tuned on these cases.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from grader import Flag, Gradable, Grader, GradingResult, ReferenceAnswer

_FILE = Path(__file__).parent / "negation_cases.csv"
_ANSWERS = ("plain", "with_negation", "contradiction")


@dataclass(frozen=True, slots=True, kw_only=True)
class NegationFigures:
    """Mean scores by kind of answer, and what became of the pairs.

    `moved` is the mean of how far a right answer's score moves through the "not", with `lost` the mean of what it loses;
    `not_fallen` is the share of contradictions that do not score below the plain answer, and `flagged` the share of answers of
    each kind that are flagged as contradicting the reference.
    """

    means: dict[str, float]
    flagged: dict[str, float]
    moved: float
    lost: float
    not_fallen: float


def graded_cases(grader: Grader) -> list[dict[str, GradingResult]]:
    """Return the results of every case by kind of answer."""
    graded = []
    with _FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            item = Gradable(question=row["question"], reference_answers=(ReferenceAnswer(text=row["reference"]),))
            results = grader.grade_many([(item, row[kind]) for kind in _ANSWERS])
            graded.append(dict(zip(_ANSWERS, results, strict=True)))
    return graded


def figures(graded: list[dict[str, GradingResult]]) -> NegationFigures:
    """Return the figures of some graded cases."""
    scores = {kind: np.array([case[kind].score for case in graded]) for kind in _ANSWERS}
    lost = scores["plain"] - scores["with_negation"]
    return NegationFigures(
        means={kind: float(values.mean()) for kind, values in scores.items()},
        flagged={kind: float(np.mean([Flag.CONTRADICTS_REFERENCE in c[kind].flags for c in graded])) for kind in _ANSWERS},
        moved=float(np.abs(lost).mean()),
        lost=float(lost.mean()),
        not_fallen=float(np.mean(scores["contradiction"] >= scores["plain"])),
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    parser.add_argument("--cases", action="store_true", help="print every case's scores too")
    arguments = parser.parse_args()
    grader = Grader.from_directory(arguments.home)
    graded = graded_cases(grader)
    found = figures(graded)
    if arguments.cases:
        for number, case in enumerate(graded, start=1):
            print(f"{number:3d}  " + "  ".join(f"{kind} {case[kind].score:.2f}" for kind in _ANSWERS))
    print("| answer | mean score | flagged as contradicting |\n|---|---|---|")
    for kind in _ANSWERS:
        print(f"| {kind.replace('_', ' ')} | {found.means[kind]:.2f} | {found.flagged[kind]:.0%} |")
    print(
        f"\n{len(graded)} cases. Through the negation a right answer's score moves by {found.moved:.3f}, losing {found.lost:.3f}."
    )
    print(f"Contradictions that do not score below the plain answer: {found.not_fallen:.0%}.")
    grader.close()


if __name__ == "__main__":
    main()
