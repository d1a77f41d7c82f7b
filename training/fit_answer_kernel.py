"""Fit how strongly errors of the score go together, and write what `grader.answer_kernel` reads.

    GRADER_DATA_DIR=<folder> python -m training.fit_answer_kernel [--home DIR] [--output FILE]

Of every item of the sets that may be fitted on, 3, 5, 10 and 20 answers drawn at random are taken for marked, and the strengths
are those that leave the least wRMSE on the others, relative to that of the general score, every set weighing the same. The
general score of a set is that of a model fitted on the others.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path
from scipy.optimize import minimize

from grader.answer_kernel import AnswerKernel
from grader.learning import Floats, LearningItem
from training.data_sets import RULES, fitting_rows
from training.fit_scoring_model import MarkedSet, fit, marked_set, open_training_grader
from training.learning_items import learning_items, weighted_errors

_MARKS = (3, 5, 10, 20)
# Where the search begins: slope, meaning, reach and words of a first fit by gradient, rounded.
_START = (8.0, 5.0, 0.22, 1.8)
_EVALUATIONS = 150
_DIGITS = 4
_ATTRIBUTION = (
    "Four numbers fitted on BEETLE and SciEntsBank, train (SemEval-2013 task 7, Dzikovska et al., CC BY-SA 3.0), SAF English, "
    "train (Filighera et al. 2022, MIT) and SPRAG Python (Bonthu et al. 2021; coefficients only)."
)


def main() -> None:
    """Fit on everything that may be fitted on and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "grader" / "data" / "answer_kernel.json")
    arguments = parser.parse_args()
    grader = open_training_grader(arguments.home)
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    rows = {rule.name: fitting_rows(rule, data_dir) for rule in RULES if rule.fit_splits}
    marked = {name: marked_set(grader, found) for name, found in rows.items()}
    items = {name: learning_items(grader, found, denials=False) for name, found in rows.items()}
    kernel = fit_kernel(items, marked)
    arguments.output.write_text(kernel.to_json(), encoding="utf-8")
    print(kernel.to_json())


def fit_kernel(
    items: Mapping[str, Sequence[LearningItem]], marked: Mapping[str, MarkedSet], *, left_out: str | None = None
) -> AnswerKernel:
    """Return the kernel of some sets; the set left out is in neither the fit nor the general scores."""
    sets = {}
    for name in items:
        if name != left_out:
            model = fit({other: s for other, s in marked.items() if other not in {name, left_out}})
            sets[name] = [item.scored_by(model) for item in items[name]]
    start = np.log(_START)
    options = {"maxfev": _EVALUATIONS, "xatol": 0.01, "fatol": 1e-5, "initial_simplex": _simplex(start)}
    found = minimize(lambda strengths: _loss(strengths, sets), start, method="Nelder-Mead", options=options)
    return _kernel(found.x)


def _loss(strengths: Floats, sets: Mapping[str, Sequence[LearningItem]]) -> float:
    """Return the mean over sets and numbers of marks of the wRMSE with marks over that without."""
    kernel = _kernel(strengths)
    losses = []
    for items in sets.values():
        for count in _MARKS:
            before, after, human = [], [], []
            for number, item in enumerate(items):
                marked = np.random.default_rng([number, count]).permutation(len(item.human))[:count]
                rows = item.others(marked)
                scores, _ = item.learn(kernel, marked, rows)
                human.append(item.human[rows])
                before.append(item.scores[rows] - item.human[rows])
                after.append(scores - item.human[rows])
            people = np.concatenate(human)
            without = weighted_errors(np.concatenate(before), people)
            losses.append(np.sqrt(weighted_errors(np.concatenate(after), people) / without))
    return float(np.mean(losses))


def _simplex(start: Floats) -> Floats:
    """Return the corners from which the search begins: one, and for each strength one with twice as much of it."""
    return np.vstack([start, start + np.log(2) * np.eye(len(start))])


def _kernel(strengths: Floats) -> AnswerKernel:
    slope, meaning, reach, words = (float(f"{value:.{_DIGITS}g}") for value in np.exp(strengths))
    return AnswerKernel(slope=slope, meaning=meaning, reach=reach, words=words, provenance=_ATTRIBUTION)


if __name__ == "__main__":
    main()
