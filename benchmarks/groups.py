"""Whether answers that are grouped together were given the same mark by people.

    GRADER_DATA_DIR=<folder> python -m benchmarks.groups [--home DIR]

Purity is the share of answers whose human mark is the most frequent one of their group; beside it the same for groups of the same
sizes filled at random from the item's answers, since small groups are pure by themselves. The error is that of giving a whole
group the mark of its representative.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from grader import AnswerGroup, Grader, group_answers
from training.data_sets import RULES, MarkedAnswer, measured_rows
from training.fit_scoring_model import open_training_grader
from training.learning_items import FEWEST_ANSWERS

_CLOSENESS = (0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What grouping does to one set: marks needed for each answer, purity, purity by chance, and RMSE of marking by group.

    `shared_purity` is the purity among answers that share their group with another.
    """

    answers: int
    marks_per_answer: float
    purity: float
    chance_purity: float
    shared_purity: float
    rmse: float


def group_figures(grader: Grader, rows: Sequence[MarkedAnswer], closeness: float) -> GroupFigures:
    """Return the figures of one set, over its items with enough answers."""
    by_item: dict[str, list[MarkedAnswer]] = {}
    for row in rows:
        by_item.setdefault(row.item.content_hash, []).append(row)
    random = np.random.default_rng(0)
    answers = groups_made = shared = 0
    pure, chance, shared_pure, squares = 0, 0, 0, 0.0
    for found in by_item.values():
        if len(found) < FEWEST_ANSWERS:
            continue
        human = np.array([row.score for row in found])
        groups = group_answers(grader, found[0].item, [row.candidate_answer for row in found], closeness=closeness)
        answers, groups_made = answers + len(found), groups_made + len(groups)
        pure, chance = pure + _pure(groups, human), chance + _pure(groups, random.permutation(human))
        together = [group for group in groups if len(group.members) > 1]
        shared += sum(len(group.members) for group in together)
        shared_pure += _pure(together, human)
        squares += sum(float(((human[list(g.members)] - human[g.representative]) ** 2).sum()) for g in groups)
    return GroupFigures(
        answers=answers,
        marks_per_answer=groups_made / answers,
        purity=pure / answers,
        chance_purity=chance / answers,
        shared_purity=shared_pure / max(1, shared),
        rmse=float(np.sqrt(squares / answers)),
    )


def _pure(groups: Sequence[AnswerGroup], human: np.typing.NDArray[np.float64]) -> int:
    """Return how many answers have the most frequent mark of their group."""
    return sum(Counter(human[list(group.members)].tolist()).most_common(1)[0][1] for group in groups)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    grader = open_training_grader(arguments.home)
    print("| set | closeness | answers | groups per answer | purity | by chance | of groups of two and more | RMSE |")
    print("|---|---|---|---|---|---|---|---|")
    for rule in RULES:
        rows = measured_rows(rule, Path(os.environ["GRADER_DATA_DIR"]))
        for closeness in _CLOSENESS:
            f = group_figures(grader, rows, closeness)
            print(
                f"| {rule.name} | {closeness:.1f} | {f.answers} | {f.marks_per_answer:.2f} | {f.purity:.1%}"
                f" | {f.chance_purity:.1%} | {f.shared_purity:.1%} | {f.rmse:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
