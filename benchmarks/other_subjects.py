"""How marks of questions of other subjects compare with a person's, and how far right answers lie above all others.

    python -m benchmarks.other_subjects [--home DIR]

Four sets of items from biology to law, written for this and without sight of the rules. `banks_of_other_subjects/dev` and
`.../test` have twenty items each, with sixteen answers. The 39 items of `.../dev_2` and the twenty of `.../test_2` have 24
answers each, of authors who were asked to write right answers in other words and wrong ones in the right words; in `test_2` even
more so.

The `dev` sets were looked at while rules were made, and are fitted on; of the `test` sets nothing was looked at but these tables.

The second table says what becomes of the key points of `.../dev_2` and `.../test_2` that an answer says, denies, or does neither
with in a person's opinion (`training.marked_items`).
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.accuracy import RIGHT_KINDS
from grader import Gradable, Grader, ItemBank
from grader.agreement import auc, pearson
from grader.results import Flag, Verdict
from grader.scoring import blended
from training.marked_items import judged_answers

BANKS_FOLDER = Path(__file__).with_name("banks_of_other_subjects")
_BANKS = ("dev", "dev_2", "test", "test_2")
_BANKS_WITH_VERDICTS = ("dev_2", "test_2")
_OTHER_KINDS = ("partial", "wrong", "contradiction", "keyword_heap")


def main() -> None:
    """Print one row for each set of items."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    arguments = parser.parse_args()
    grader = Grader.from_directory(Path(arguments.home))
    print(f"| items | r | RMSE | {' | '.join(_OTHER_KINDS)} | right ones taken for denials |")
    print("|---" * (4 + len(_OTHER_KINDS)) + "|")
    for name in _BANKS:
        print_rows(name, grader, ItemBank.from_directory(BANKS_FOLDER / name))
    print(f"\n| key points | n | {' | '.join(Verdict)} |\n|{'---|' * (2 + len(Verdict))}")
    for name in _BANKS_WITH_VERDICTS:
        print_verdicts(name, grader)


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


def print_verdicts(name: str, grader: Grader) -> None:
    """Print for each verdict of a person's the shares of the grader's verdicts on the same key points."""
    bank = ItemBank.from_directory(BANKS_FOLDER / name)
    judged = iter(judged_answers(BANKS_FOLDER / name))
    found: dict[str, Counter[Verdict]] = {}
    for item in bank:
        for result in grader.grade_many([(item, response.candidate_answer) for response in bank.responses[item.id]]):
            for match in result.key_points:
                found.setdefault(next(judged).verdict, Counter())[match.verdict] += 1
    for verdict, counts in sorted(found.items()):
        shares = (f"{counts[each] / counts.total():.0%}" for each in Verdict)
        print(f"| {name}, {verdict} | {counts.total()} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
