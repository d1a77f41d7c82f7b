"""How much a few marks of a teacher improve the scores of an item's other answers.

    GRADER_DATA_DIR=<folder> python -m benchmarks.learning_curve [--home DIR]

For every marked set, 3, 5, 10 and 20 answers an item are taken for marked, drawn at random (five times) or as suggested, and the
others are scored before and after; repeats of a marked text are left out. The measured set is in no fit: neither of the scoring
model nor of the answer kernel. The first run encodes every answer; later ones take some four minutes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from grader import Grader, default_scoring_model
from grader.answer_kernel import AnswerKernel
from grader.learning import Floats, LearningItem, Positions
from training.data_sets import RULES, SetRule, fitting_rows, measured_rows
from training.fit_answer_kernel import fit_kernel
from training.fit_scoring_model import fit, left_out_half_width, marked_set, open_training_grader
from training.learning_items import learning_items, weighted_errors

MARKS = (3, 5, 10, 20)
_SEEDS = 5
_DRAWS = 500

Choice = Callable[[LearningItem, int, int], Positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One item's answers that were not marked: the errors before and after, people's scores, and whether the interval held."""

    before: Floats
    after: Floats
    human: Floats
    held: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """wRMSE before and after, its relative change with an interval, that of the RMSE, and the share of intervals that hold."""

    before: float
    after: float
    change: float
    low: float
    high: float
    plain_change: float
    coverage: float


def at_random(item: LearningItem, count: int, seed: int) -> Positions:
    """Return answers drawn at random."""
    return np.random.default_rng([seed, len(item.human), count]).permutation(len(item.human))[:count]


def as_suggested(kernel: AnswerKernel) -> Choice:
    """Return the choice of the answers that tell most about the others."""
    return lambda item, count, _: np.array(item.suggested(kernel, count))


def outcome(item: LearningItem, kernel: AnswerKernel, marked: Positions, half_width: float) -> Outcome:
    """Return what became of the answers that were not marked."""
    rows = item.others(marked)
    scores, remaining = item.learn(kernel, marked, rows)
    human = item.human[rows]
    after = scores - human
    return Outcome(
        before=item.scores[rows] - human,
        after=after,
        human=human,
        held=(np.abs(after) <= half_width * np.sqrt(remaining)).astype(np.float64),
    )


def curve_point(
    items: Sequence[LearningItem], kernel: AnswerKernel, choose: Choice, *, count: int, seeds: int, half_width: float
) -> CurvePoint:
    """Return one point of the curve; the interval is over items drawn again with replacement, with all their draws of marks."""
    outcomes = [[outcome(item, kernel, choose(item, count, seed), half_width) for seed in range(seeds)] for item in items]
    before, after = _wrmse_pair(outcomes)
    random = np.random.default_rng(0)
    changes = []
    for _ in range(_DRAWS):
        drawn = _wrmse_pair([outcomes[at] for at in random.integers(len(outcomes), size=len(outcomes))])
        changes.append(drawn[1] / drawn[0] - 1)
    low, high = np.quantile(changes, [0.025, 0.975])
    held = np.concatenate([o.held for of_item in outcomes for o in of_item])
    return CurvePoint(
        before=before,
        after=after,
        change=after / before - 1,
        low=float(low),
        high=float(high),
        plain_change=_rmse(outcomes, "after") / _rmse(outcomes, "before") - 1,
        coverage=float(held.mean()),
    )


def _wrmse_pair(outcomes: Sequence[Sequence[Outcome]]) -> tuple[float, float]:
    human = np.concatenate([o.human for of_item in outcomes for o in of_item])
    before = np.concatenate([o.before for of_item in outcomes for o in of_item])
    after = np.concatenate([o.after for of_item in outcomes for o in of_item])
    return float(np.sqrt(weighted_errors(before, human))), float(np.sqrt(weighted_errors(after, human)))


def _rmse(outcomes: Sequence[Sequence[Outcome]], side: str) -> float:
    errors = np.concatenate([getattr(o, side) for of_item in outcomes for o in of_item])
    return float(np.sqrt(np.mean(errors**2)))


def left_out_items(grader: Grader, rule: SetRule, data_dir: Path) -> list[LearningItem]:
    """Return the items of a set as measured; their scores are still to be given by a model that has not seen it."""
    return learning_items(grader, measured_rows(rule, data_dir), denials=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    grader = open_training_grader(arguments.home)
    grader = Grader(grader.encoder, verifier=grader.verifier, scoring_model=replace(default_scoring_model(), half_width=0.0))
    fitting = {rule.name: fitting_rows(rule, data_dir) for rule in RULES if rule.fit_splits}
    marked = {name: marked_set(grader, rows) for name, rows in fitting.items()}
    fit_items = {name: learning_items(grader, rows, denials=False) for name, rows in fitting.items()}
    print("| set, left out | marks | wRMSE before | random | change | RMSE | suggested: wRMSE | RMSE | intervals hold |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    changes: dict[int, list[tuple[float, ...]]] = {count: [] for count in MARKS}
    for rule in RULES:
        others = {name: s for name, s in marked.items() if name != rule.name}
        model, half_width = fit(others), left_out_half_width(others)
        kernel = fit_kernel(fit_items, marked, left_out=rule.name)
        items = [item.scored_by(model) for item in left_out_items(grader, rule, data_dir)]
        for count in MARKS:
            drawn = curve_point(items, kernel, at_random, count=count, seeds=_SEEDS, half_width=half_width)
            chosen = curve_point(items, kernel, as_suggested(kernel), count=count, seeds=1, half_width=half_width)
            changes[count].append((drawn.change, drawn.plain_change, chosen.change, chosen.plain_change))
            print(
                f"| {rule.name} | {count} | {drawn.before:.3f} | {drawn.after:.3f} | {_percent(drawn)}"
                f" | {drawn.plain_change:+.1%} | {_percent(chosen)} | {chosen.plain_change:+.1%} | {drawn.coverage:.0%} |",
                flush=True,
            )
    for count, found in changes.items():
        random, plain, suggested, suggested_plain = np.mean(found, axis=0)
        print(f"| mean | {count} | | | {random:+.1%} | {plain:+.1%} | {suggested:+.1%} | {suggested_plain:+.1%} | |")


def _percent(point: CurvePoint) -> str:
    return f"{point.change:+.1%} ({point.low:+.1%} to {point.high:+.1%})"


if __name__ == "__main__":
    main()
