"""Fit the scoring model from the sets that may be fitted on and write it into the package.

    GRADER_DATA_DIR=<folder> python -m training.fit_scoring_model [--home DIR] [--output FILE]

The general score is a ridge regression on the standardised evidence, every score bin of every set weighing the same, with the
sign of each coefficient held to what its evidence means. The blend comes from the `dev` split of the shipped bank's marked
responses, and the one where a verifier is asked from those of the items of other subjects too. How far a verifier's word on
several references moves the general score comes from BEETLE with all of its references and from these two banks. The half widths
are conformal: the 90 % quantile of the error on sets, and on items, left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path
from scipy.optimize import lsq_linear

from grader import (
    EVIDENCE_NAMES,
    EmbeddingStore,
    Gradable,
    Grader,
    ItemBank,
    OnnxEncoder,
    ScoringModel,
    default_bank_dir,
)
from grader.doubt import DOUBT_NAMES, doubts
from grader.encoders import DEFAULT_PRECISION, Precision
from grader.scoring import blended
from grader.trees import NO_TREES
from grader.verifier import OnnxVerifier
from grader.weights import prepare
from training.data_sets import RULES, MarkedAnswer, StoredEncoder, balanced_weights, fitting_rows
from training.fused_trees import fit_trees, fused_rows, left_out_predictions

FloatArray = npt.NDArray[np.float64]

# Strength of the ridge for weights that sum to 10,000. Chosen from seven between 100 and 10,000 by the mean wRMSE over Beetle,
# SAF and SPRAG, each left out of its fit; between 600 and 3,000 they differ by .001.
_RIDGE = 2_000.0
_TOTAL_WEIGHT = 10_000.0
_INTERVAL_COVERAGE = 0.9
_FOLDS = 5
# Kinds of response that show what a mark is made of; the others are there to be noticed as gaming.
_ORDINARY_KINDS = ("complete", "terse", "partial", "wrong")
_OTHER_SUBJECTS = Path(__file__).parent.parent / "benchmarks" / "banks_of_other_subjects"
_DEV_BANKS = ("dev", "dev_2")
# An answer of the shipped bank, of which there are fewer than of the others, weighs twice for the trees.
_SHIPPED_WORTH = 2.0
_REVIEWED_SHARE = 0.2
_DOUBT_RIDGE = 30.0
_MORE_IS_BETTER = {
    "similarity", "mean_similarity", "demoted_similarity", "recall", "recall_min", "precision", "precision_min", "coverage",
    "new_coverage", "word_precision", "word_f1", "bigram_coverage", "trigram_coverage", "meaning_recall",
    "meaning_precision", "meaning_f1",
}  # fmt: skip
_MORE_IS_WORSE = {"question_similarity", "polarity_mismatch", "question_share"}
_ATTRIBUTION = (
    "Fitted on BEETLE and SciEntsBank, train (SemEval-2013 task 7, Dzikovska et al., CC BY-SA 3.0), SAF English, train "
    "(Filighera et al. 2022, MIT), SPRAG Python (Bonthu et al. 2021; coefficients only); the blends on the dev responses "
    "of this repository's banks."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSet:
    """A set's evidence, shape `(n, len(EVIDENCE_NAMES))`, and people's scores, shape `(n,)`."""

    evidence: FloatArray
    scores: FloatArray


def main() -> None:
    """Fit on everything that may be fitted on and write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "grader" / "data" / "scoring_model.json")
    arguments = parser.parse_args()
    grader = open_training_grader(arguments.home)
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    sets = {rule.name: marked_set(grader, fitting_rows(rule, data_dir)) for rule in RULES if rule.fit_splits}
    model = replace(fit(sets), half_width=left_out_half_width(sets))
    bank, *others = dev_banks()
    model = fit_several(model, sets, grader, rows_of_several_references(data_dir, [bank, *others]))
    # Those of `dev_2` were written so that words and keywords mislead: trees can tell when they do, a line cannot.
    model = fit_judged_blend(fit_blend(model, grader, bank), grader, [bank, others[0]])
    model = fit_fusion(model, grader, [bank, *others])
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(model.to_json(), encoding="utf-8")
    for name, coefficient in zip(model.names, model.coefficients, strict=True):
        print(f"{name:22s} {coefficient:+.4f}")
    print(f"several references {model.entailed_coefficients}")
    print(f"blend {model.blend_slope:.3f} {model.blend_intercept:+.3f}   half widths {model.half_width} {model.blend_half_width}")
    print(f"scoring-{model.signature} -> {arguments.output}")


def dev_banks() -> list[ItemBank]:
    """Return the shipped bank, and those of other subjects whose `dev` responses may be fitted on."""
    return [ItemBank.from_directory(folder) for folder in (default_bank_dir(), *(_OTHER_SUBJECTS / name for name in _DEV_BANKS))]


def open_training_grader(home: Path, precision: Precision = DEFAULT_PRECISION) -> Grader:
    """Return a grader that keeps every vector, answers' too, in the home folder; its scoring model is not used."""
    prepare(home / "encoder")
    encoder = OnnxEncoder(home / "encoder", precision=precision)
    store = EmbeddingStore(
        home / f"training-{precision}.sqlite",
        signature=encoder.signature,
        dimension=encoder.dimension,
    )
    neutral = _model(np.zeros(len(EVIDENCE_NAMES)), np.zeros(len(EVIDENCE_NAMES)), np.ones(len(EVIDENCE_NAMES)), 0.5)
    return Grader(StoredEncoder(encoder, store), verifier=OnnxVerifier(home / "encoder"), scoring_model=neutral)


def marked_set(grader: Grader, rows: Sequence[MarkedAnswer]) -> MarkedSet:
    """Return the evidence of rows; blank answers are left out, since they are no matter of evidence."""
    measured = grader.evidence_of([(row.item, row.candidate_answer) for row in rows])
    kept = [(evidence, row.score) for evidence, row in zip(measured, rows, strict=True) if evidence is not None]
    return MarkedSet(evidence=np.array([e.vector() for e, _ in kept]), scores=np.array([score for _, score in kept]))


def fit(sets: Mapping[str, MarkedSet]) -> ScoringModel:
    """Return the general scoring model of some sets; the half widths and the blend are left at 0."""
    evidence = np.concatenate([s.evidence for s in sets.values()])
    scores = np.concatenate([s.scores for s in sets.values()])
    weights = np.concatenate([balanced_weights(s.scores) for s in sets.values()])
    weights *= _TOTAL_WEIGHT / weights.sum()
    means, scales = evidence.mean(axis=0), evidence.std(axis=0) + 1e-9
    standardised = (evidence - means) / scales
    centre = weights @ standardised / weights.sum()
    mean_score = float(weights @ scores / weights.sum())
    root = np.sqrt(weights)[:, None]
    centred = (standardised - centre) * root
    gram = centred.T @ centred + _RIDGE * np.eye(len(EVIDENCE_NAMES))
    # The ridge as a small least-squares problem with bounds: |L'c - L^-1 X'y| for the Cholesky factor L of the Gram matrix.
    factor = np.linalg.cholesky(gram)
    target = np.linalg.solve(factor, centred.T @ ((scores - mean_score) * root[:, 0]))
    low = np.array([0.0 if name in _MORE_IS_BETTER else -np.inf for name in EVIDENCE_NAMES])
    high = np.array([0.0 if name in _MORE_IS_WORSE else np.inf for name in EVIDENCE_NAMES])
    found = lsq_linear(factor.T, target, bounds=(low, high), method="bvls")
    return _model(found.x, means, scales, mean_score - float(centre @ found.x))


def fit_several(
    model: ScoringModel, sets: Mapping[str, MarkedSet], grader: Grader, several: Mapping[str, Sequence[MarkedAnswer]]
) -> ScoringModel:
    """Return the model with how far a verifier's word on the best of several references moves its scores.

    Args:
        model: What was fitted on `sets`.
        sets: The sets that the general score is fitted on.
        grader: Knows the verifier.
        several: Answers to items of several references, each of these sets weighing the same. A name that is in `sets` as well is
            of the same answers, whose general scores come from a model that has not seen them.
    """
    short, missed, weights = [], [], []
    for name, rows in several.items():
        appraised = grader.appraise([(row.item, row.candidate_answer) for row in rows])
        asked = [
            (found.evidence.vector(), found.matching.reference_entailed, row.score)
            for found, row in zip(appraised, rows, strict=True)
            if found is not None and found.matching.reference_entailed is not None
        ]
        evidence, entailed, scores = (np.array(column) for column in zip(*asked, strict=True))
        general = (fit(_without(name, sets)) if name in sets else model).predict(evidence)
        short.append(1 - np.column_stack([general, entailed]))
        missed.append(1 - scores)
        weights.append(balanced_weights(scores))
    root = np.concatenate(weights) ** 0.5
    inputs, wanted = np.concatenate(short) * root[:, None], np.concatenate(missed) * root
    of_general, of_entailed = lsq_linear(inputs, wanted, bounds=(0.0, np.inf), method="bvls").x
    return replace(model, entailed_coefficients=(round(float(of_general), 6), round(float(of_entailed), 6)))


def rows_of_several_references(data_dir: Path, banks: Sequence[ItemBank]) -> dict[str, list[MarkedAnswer]]:
    """Return BEETLE with all of its references, and banks' `dev` responses held against their references alone."""
    beetle = next(rule for rule in RULES if rule.name == "beetle")
    rows = {beetle.name: fitting_rows(replace(beetle, first_reference=False), data_dir)}
    for number, bank in enumerate(banks):
        rows[f"bank {number}"] = [
            MarkedAnswer(
                item=Gradable(question=item.question, reference_answers=item.reference_answers),
                candidate_answer=response.candidate_answer,
                score=response.human_mark / item.max_mark,
                question_id=item.id,
                label=None,
            )
            for item in bank
            for response in bank.responses[item.id]
            if response.split == "dev" and response.kind in (*_ORDINARY_KINDS, "contradiction")
        ]
    return rows


def _without(name: str, sets: Mapping[str, MarkedSet]) -> dict[str, MarkedSet]:
    return {other: marked for other, marked in sets.items() if other != name}


def left_out_half_width(sets: Mapping[str, MarkedSet]) -> float:
    """Return the half width that holds 90 % of people's scores on a set left out of the fit, each set weighing the same."""
    errors, weights = [], []
    for name, measured in sets.items():
        model = fit(_without(name, sets))
        errors.append(np.abs(model.predict(measured.evidence) - measured.scores))
        weights.append(np.full(len(measured.scores), 1 / len(measured.scores)))
    return _weighted_quantile(np.concatenate(errors), np.concatenate(weights), _INTERVAL_COVERAGE)


def fit_blend(model: ScoringModel, grader: Grader, bank: ItemBank) -> ScoringModel:
    """Return the model with slope, intercept and half width of the blend, fitted on the bank's `dev` responses."""
    rows: list[tuple[str, float, float]] = []
    for item in bank:
        responses = [r for r in bank.responses[item.id] if r.split == "dev" and r.kind in _ORDINARY_KINDS]
        pairs = [(item, r.candidate_answer) for r in responses]
        for response, matching in zip(responses, grader.match(pairs), strict=True):
            if matching is not None:
                blend = blended(matching.said, matching.keyword_coverage)
                rows.append((item.id, blend, response.human_mark / item.max_mark))
    ids, inputs, scores = (np.array(column) for column in zip(*rows, strict=True))
    slope, intercept = np.polyfit(inputs, scores, 1)
    fold_of = {item.id: number % _FOLDS for number, item in enumerate(bank)}
    folds = np.array([fold_of[i] for i in ids])
    errors = np.zeros(len(scores))
    for fold in range(_FOLDS):
        line = np.polyfit(inputs[folds != fold], scores[folds != fold], 1)
        errors[folds == fold] = np.abs(np.clip(np.polyval(line, inputs[folds == fold]), 0, 1) - scores[folds == fold])
    half_width = _weighted_quantile(errors, np.ones(len(errors)), _INTERVAL_COVERAGE)
    return replace(
        model, blend_slope=round(float(slope), 6), blend_intercept=round(float(intercept), 6), blend_half_width=half_width
    )


def fit_judged_blend(model: ScoringModel, grader: Grader, banks: Sequence[ItemBank]) -> ScoringModel:
    """Return the model with the blend's coefficients where a verifier is asked, fitted on the banks' `dev` responses.

    Least squares with no negative coefficient, each bank weighing the same: one alone would be fitted to its author's style.
    """
    rows: list[tuple[int, tuple[float, ...], float]] = []
    for number, bank in enumerate(banks):
        ordinary = [(i, r) for i in bank for r in bank.responses[i.id] if r.split == "dev" and r.kind in _ORDINARY_KINDS]
        matched = grader.match([(item, response.candidate_answer) for item, response in ordinary])
        for (item, response), found in zip(ordinary, matched, strict=True):
            if found is not None and found.entailed is not None:
                evidence = (found.said, found.keyword_coverage, found.entailed, 1.0)
                rows.append((number, evidence, response.human_mark / item.max_mark))
    of_bank, inputs, scores = (np.array(column) for column in zip(*rows, strict=True))
    weights = (1 / np.bincount(of_bank))[of_bank] ** 0.5
    low = np.array([0.0] * (inputs.shape[1] - 1) + [-np.inf])
    found_line = lsq_linear(inputs * weights[:, None], scores * weights, bounds=(low, np.inf), method="bvls").x
    *coefficients, intercept = (round(float(c), 6) for c in found_line)
    return replace(model, judged_coefficients=(coefficients[0], coefficients[1], coefficients[2]), judged_intercept=intercept)


def fit_fusion(model: ScoringModel, grader: Grader, banks: Sequence[ItemBank]) -> ScoringModel:
    """Return the model with its trees, and with half width and doubt as they are for items that the trees have not seen.

    Each bank has the same part in these two. The first of the banks is the shipped one.
    """
    rows = fused_rows(model, grader, banks, worth=[_SHIPPED_WORTH, *[1.0] * (len(banks) - 1)])
    predicted = left_out_predictions(rows, folds=_FOLDS)
    errors = np.abs(predicted - rows.scores)
    number_of = {item.id: number for number, bank in enumerate(banks) for item in bank}
    of_bank = np.array([number_of[item] for item in rows.items])
    ordinary, marked = np.isin(rows.kinds, _ORDINARY_KINDS), rows.kinds != ""
    half_width = _weighted_quantile(errors[ordinary], _alike(of_bank[ordinary]), _INTERVAL_COVERAGE)
    doubted = rescored(rows.doubts[marked], predicted[marked])
    coefficients = doubt_coefficients(doubted, errors[marked] ** 2, _alike(of_bank[marked]))
    line = _weighted_quantile(doubted @ coefficients, _alike(of_bank[marked]), 1 - _REVIEWED_SHARE, decimals=6)
    return replace(
        model,
        trees=fit_trees(rows),
        blend_half_width=half_width,
        doubt_coefficients=tuple(round(float(c), 6) for c in coefficients),
        doubt_line=line,
    )


def _alike(of_bank: npt.NDArray[np.int64]) -> FloatArray:
    """Return weights with which each bank weighs the same."""
    return 1 / np.bincount(of_bank)[of_bank]


def rescored(doubted: FloatArray, scores: FloatArray) -> FloatArray:
    """Return what `grader.doubt` measures of answers as it would be with other scores."""
    changed = doubted.copy()
    changed[:, DOUBT_NAMES.index("middling")] = scores * (1 - scores)
    return changed


def doubtful_rows(grader: Grader, bank: ItemBank, split: str) -> tuple[FloatArray, FloatArray]:
    """Return what `grader.doubt` measures of a split's responses, and their squared errors."""
    rows = [(item, response) for item in bank for response in bank.responses[item.id] if response.split == split]
    features, errors = [], []
    for (item, response), found in zip(rows, grader.appraise([(i, r.candidate_answer) for i, r in rows]), strict=True):
        if found is not None:
            features.append(doubts(found.answer, found.evidence, found.matching, found.score))
            errors.append((found.score - response.human_mark / item.max_mark) ** 2)
    return np.array(features), np.array(errors)


def doubt_coefficients(features: FloatArray, errors: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how much each doubt adds to the squared error, shape `(doubts,)`; a weighted ridge on standardised features."""
    shares = weights / weights.sum()
    means = shares @ features
    scales = np.sqrt(shares @ (features - means) ** 2) + 1e-9
    standardised = (features - means) / scales
    weighed = standardised * (shares * len(shares))[:, None]
    gram = weighed.T @ standardised + _DOUBT_RIDGE * np.eye(features.shape[1])
    found: FloatArray = np.linalg.solve(gram, weighed.T @ (errors - shares @ errors)) / scales
    return found


def _model(coefficients: FloatArray, means: FloatArray, scales: FloatArray, intercept: float) -> ScoringModel:
    # Eight decimals: the file is the same on every processor whose arithmetic differs in the last bits.
    return ScoringModel(
        names=EVIDENCE_NAMES,
        coefficients=tuple(round(float(c), 8) + 0.0 for c in coefficients),
        means=tuple(round(float(m), 8) for m in means),
        scales=tuple(round(float(s), 8) for s in scales),
        intercept=round(intercept, 8),
        half_width=0.0,
        entailed_coefficients=(1.0, 0.0),
        blend_slope=0.0,
        blend_intercept=0.0,
        blend_half_width=0.0,
        judged_coefficients=(0.0, 0.0, 0.0),
        judged_intercept=0.0,
        trees=NO_TREES,
        doubt_coefficients=(0.0,) * len(DOUBT_NAMES),
        doubt_line=0.0,
        provenance=_ATTRIBUTION,
    )


def _weighted_quantile(values: FloatArray, weights: FloatArray, share: float, *, decimals: int = 3) -> float:
    """Return the smallest value with at least this share of the weight at or below it, rounded upwards."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(np.ceil(values[order][np.searchsorted(reached, share)] * 10**decimals) / 10**decimals)


if __name__ == "__main__":
    main()
