"""SemEval-2013 task 7 (Dzikovska et al., 2013) on its own terms: fitted on its train split, macro-F1 on its test splits.

    GRADER_DATA_DIR=<folder> python -m benchmarks.semeval [--home DIR]

*Cosine* and *grader* are fitted on nothing of it but a threshold: the median of the train split, and half the marks. *Fitted* is
gradient boosting (scikit-learn) on the grader's evidence for each answer; *and neighbours* knows the marked train answers to the
same question too, as a teacher's marks would be known, and is there for unseen answers only. The verifier's own probabilities are
no evidence here: it was fitted on SciEntsBank's train split, where it is surer than it can be elsewhere.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path
from sklearn.ensemble import HistGradientBoostingClassifier

from grader import EVIDENCE_NAMES, Grader
from grader.agreement import macro_f1
from grader.evaluation import CORRECT_FROM
from training.data_sets import RULES, MarkedAnswer, split_rows
from training.fit_scoring_model import open_training_grader

_SPLITS = ("test-unseen-answers", "test-unseen-questions", "test-unseen-domains")
# What is to be passed by unseen answers, questions and domains: for 2-way the best system of 2013.
_TWO_WAY_TARGETS = {"beetle": (0.833, 0.725), "scientsbank": (0.768, 0.737, 0.705)}
_THREE_WAY_TARGETS = {"beetle": ("–", "–"), "scientsbank": ("0.72", "0.60", "0.62")}
_REACH = 0.15

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The answers of a split: evidence `(n, k)`, vectors `(n, d)`, cosines and scores `(n,)`, question and label of each."""

    evidence: _Floats
    vectors: _Floats
    cosines: _Floats
    scores: _Floats
    questions: tuple[str, ...]
    labels: tuple[str, ...]

    def two_way(self) -> list[str]:
        """Return `correct` or `incorrect` for each answer."""
        return [label if label == "correct" else "incorrect" for label in self.labels]


def measured(grader: Grader, rows: Sequence[MarkedAnswer]) -> Measured:
    """Return what the grader measures of some answers; a blank one has no evidence at all."""
    appraisals = grader.appraise([(row.item, row.candidate_answer) for row in rows])
    nothing = np.zeros(len(EVIDENCE_NAMES) + 3)
    return Measured(
        evidence=np.array(
            [
                nothing
                if a is None
                else [*a.evidence.vector(), a.matching.said, a.matching.keyword_coverage, a.matching.contradicted_share]
                for a in appraisals
            ]
        ),
        vectors=np.array([np.zeros(grader.encoder.dimension) if a is None else a.answer.vector for a in appraisals]),
        cosines=np.array([0.0 if a is None else a.evidence.similarity for a in appraisals]),
        scores=np.array([0.0 if a is None else a.score for a in appraisals]),
        questions=tuple(row.question_id for row in rows),
        labels=tuple(_three_way(row.label) for row in rows),
    )


def _three_way(label: str | None) -> str:
    return label if label in ("correct", "contradictory") else "incorrect"


def neighbours(train: Measured, of: Measured) -> _Floats:
    """Return how near answers are to the marked train answers of their question, shape `(n, 4)`; an answer is not its own.

    Cosine of the closest right and of the closest other answer, their difference, and the share of right ones weighted by
    closeness.
    """
    right = np.array(train.labels) == "correct"
    places: dict[str, list[int]] = {}
    for at, question in enumerate(train.questions):
        places.setdefault(question, []).append(at)
    found = np.zeros((len(of.labels), 4))
    for at, question in enumerate(of.questions):
        known = np.array([other for other in places.get(question, []) if of is not train or other != at], dtype=np.int64)
        if not len(known):
            continue
        cosines, is_right = train.vectors[known] @ of.vectors[at], right[known]
        closest = [float(cosines[kind].max(initial=0.0)) for kind in (is_right, ~is_right)]
        weights = np.exp((cosines - 1) / _REACH)
        found[at] = [*closest, closest[0] - closest[1], float(weights @ is_right / weights.sum())]
    return found


def fitted(evidence: _Floats, labels: Sequence[str]) -> HistGradientBoostingClassifier:
    """Return gradient boosting fitted on a train split; its settings are round numbers and were not searched.

    Of three labels one is rare, so they weigh the same.
    """
    weight = "balanced" if len(set(labels)) > 2 else None  # noqa: PLR2004
    model = HistGradientBoostingClassifier(
        max_depth=4, max_iter=150, learning_rate=0.06, l2_regularization=5, class_weight=weight, random_state=0
    )
    return model.fit(evidence, list(labels))


def figures(train: Measured, test: Measured, *, unseen_answers: bool) -> dict[str, float]:
    """Return macro-F1 of every way to label a test split."""
    line = float(np.median(train.cosines))
    two, three = test.two_way(), list(test.labels)
    named = {True: "correct", False: "incorrect"}
    found = {
        "cosine": macro_f1(two, [named[bool(c >= line)] for c in test.cosines]),
        "grader": macro_f1(two, [named[bool(s >= CORRECT_FROM)] for s in test.scores]),
        "fitted": macro_f1(two, fitted(train.evidence, train.two_way()).predict(test.evidence).tolist()),
        "3-way": macro_f1(three, fitted(train.evidence, train.labels).predict(test.evidence).tolist()),
    }
    if unseen_answers:
        known, asked = (np.hstack([side.evidence, neighbours(train, side)]) for side in (train, test))
        found["neighbours"] = macro_f1(two, fitted(known, train.two_way()).predict(asked).tolist())
        found["3-way neighbours"] = macro_f1(three, fitted(known, train.labels).predict(asked).tolist())
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    training = open_training_grader(arguments.home)
    grader = Grader(training.encoder, verifier=training.verifier)
    print("| set, split | answers | cosine | grader | fitted | and neighbours | more than | 3-way | and neighbours | at least |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ("beetle", "scientsbank"):
        rule = replace(next(rule for rule in RULES if rule.name == name), first_reference=False)
        train = measured(grader, split_rows(rule, data_dir, ("train",)))
        for number, split in enumerate(_SPLITS):
            rows = split_rows(rule, data_dir, (split,))
            if not rows:
                continue
            f = figures(train, measured(grader, rows), unseen_answers=number == 0)
            columns = [
                *(f"{f[column]:.3f}" for column in ("cosine", "grader", "fitted")),
                f"{f['neighbours']:.3f}" if "neighbours" in f else "–",
                str(_TWO_WAY_TARGETS[name][number]),
                f"{f['3-way']:.3f}",
                f"{f['3-way neighbours']:.3f}" if "neighbours" in f else "–",
                _THREE_WAY_TARGETS[name][number],
            ]
            print(f"| {name}, {split.removeprefix('test-')} | {len(rows)} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
