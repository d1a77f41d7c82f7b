"""The trees that give the last word on answers to an author's items, fitted on the marked `dev` responses of banks.

Beside what people have marked stand answers whose mark needs nobody: references, the question, what was said of other items, the
words of references and keywords in no order and in sentences that say nothing; answers made of an item's key points, some left
out or turned round, whose mark is the weight of the others; and every marked answer twice more, its sentences hedged or beside a
denial of something else, and beside something that has nothing to do with it, both of which change nothing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from grader import Grader, Item, ItemBank, ScoringModel
from grader.doubt import doubts
from grader.fusion import DIRECTIONS, FUSED_NAMES, fused_evidence
from grader.scoring import last_word
from grader.trees import NO_TREES, Leaf, Split, Trees
from training import rewrites
from training.marked_items import Verdict, composed

FloatArray = npt.NDArray[np.float64]

# Small trees and few answers to a leaf, drawn several times, each on half of the numbers: within a hundredth of the best of a
# dozen by r on items left out.
_DRAWS = 3
_TREES = 100
_RATE = 0.07
_LEAVES = 8
_DEPTH = 4
_ANSWERS_A_LEAF = 15
_SHRINKAGE = 1.0
_SHARE_OF_NUMBERS = 0.5
# What the other answers of a bank weigh together, as shares of what its marked ones do.
_REFERENCES_WEIGHT = 0.1
_WORTHLESS_WEIGHT = 0.2
_DRESSED_WEIGHT = 0.5
_BESIDE_WEIGHT = 0.25
_COMPOSED_WEIGHT = 0.25
# Of each item.
_COMPOSED = 8
_BESIDE_OWN_WORDS = 0.5
# Which other items' references are held against an item.
_STEPS_TO_OTHERS = (7, 13)
# Of the sentences of a dressed answer; the others stand beside a denial.
_HEDGED = 0.5
_DECIMALS = 6
_MADE = FUSED_NAMES.index("made")
# An item, an answer, the kind of response, and the mark in [0, 1].
_Row = tuple[Item, str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedRows:
    """Numbers of answers, shape `(n, len(FUSED_NAMES))`, whether signs capped them, marks in [0, 1] and weights, shape `(n,)`.

    `items` are the ids of the items, `kinds` those of the responses, empty for answers that nobody marked. `doubts` are what
    `grader.doubt` measures of them, shape `(n, len(DOUBT_NAMES))`, with the score that the trees have before them.
    """

    numbers: FloatArray
    doubts: FloatArray
    capped: npt.NDArray[np.bool_]
    scores: FloatArray
    weights: FloatArray
    items: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]

    def where(self, kept: npt.NDArray[np.bool_]) -> FusedRows:
        """Return the rows of a mask."""
        return FusedRows(**{each.name: getattr(self, each.name)[kept] for each in fields(self)})


def fused_rows(
    model: ScoringModel, grader: Grader, banks: Sequence[ItemBank], *, worth: Sequence[float], split: str = "dev"
) -> FusedRows:
    """Return what the trees are fitted on: the split's responses of banks, and answers whose mark needs nobody.

    Args:
        model: What makes the score that the trees have before them; its own trees are left out.
        grader: Measures the answers.
        banks: The items with their responses.
        worth: How much an answer of each bank weighs.
        split: Of the responses.
    """
    scored = Grader(grader.encoder, verifier=grader.verifier, scoring_model=replace(model, trees=NO_TREES))
    rows: list[_Row] = []
    weights: list[float] = []
    for bank, weight_of_bank in zip(banks, worth, strict=True):
        marked: list[_Row] = [
            (item, response.candidate_answer, response.kind, response.human_mark / item.max_mark)
            for item in bank
            for response in bank.responses[item.id]
            if response.split == split
        ]
        references = [(item, reference.text, "", 1.0) for item in bank for reference in item.reference_answers]
        worthless = [(item, answer, "", 0.0) for item, answer in _worthless(list(bank))]
        rng = random.Random(0)  # noqa: S311 nothing secret
        parts: list[tuple[list[_Row], float]]
        parts = [(marked, 1.0), (references, _REFERENCES_WEIGHT), (worthless, _WORTHLESS_WEIGHT)]
        parts += [(_dressed(marked, rng), _DRESSED_WEIGHT), (_beside(marked, rng), _BESIDE_WEIGHT)]
        parts.append((_composed(list(bank), rng), _COMPOSED_WEIGHT))
        for part, weight in parts:
            rows += part
            weights += [weight_of_bank * weight * len(marked) / len(part)] * len(part)
    found = []
    for (item, _, kind, score), weight, appraised in zip(
        rows, weights, scored.appraise([(item, answer) for item, answer, _, _ in rows]), strict=True
    ):
        if appraised is None:
            continue
        numbers = fused_evidence(appraised.evidence, appraised.matching, made=appraised.score, factor=appraised.signs.factor)
        if numbers is not None:
            doubted = doubts(appraised.answer, appraised.evidence, appraised.matching, appraised.score)
            found.append((numbers, doubted, appraised.signs.ceiling < 1.0, score, weight, item.id, kind))
    columns = (np.array(column) for column in zip(*found, strict=True))
    return FusedRows(**dict(zip((each.name for each in fields(FusedRows)), columns, strict=True)))


def fit_trees(rows: FusedRows) -> Trees:
    """Return the trees of some rows."""
    drawn = []
    for number in range(_DRAWS):
        fitted = HistGradientBoostingRegressor(
            max_iter=_TREES,
            learning_rate=_RATE,
            max_leaf_nodes=_LEAVES,
            max_depth=_DEPTH,
            min_samples_leaf=_ANSWERS_A_LEAF,
            l2_regularization=_SHRINKAGE,
            max_features=_SHARE_OF_NUMBERS,
            monotonic_cst=[DIRECTIONS[name] for name in FUSED_NAMES],
            early_stopping=False,
            random_state=number,
        )
        drawn.append(fitted.fit(rows.numbers, rows.scores, sample_weight=rows.weights / rows.weights.mean()))
    # The library has no public way to the nodes.
    trees = [_nodes(of_round[0].nodes) for each in drawn for of_round in each._predictors]  # noqa: SLF001
    base = float(np.mean([each._baseline_prediction for each in drawn]))  # noqa: SLF001
    return Trees(names=FUSED_NAMES, base=round(base, _DECIMALS), trees=tuple(trees))


def left_out_predictions(rows: FusedRows, *, folds: int) -> FloatArray:
    """Return for each row the last word on it, in [0, 1], of trees that have not seen its item."""
    fold_of = {item: number % folds for number, item in enumerate(dict.fromkeys(rows.items.tolist()))}
    of_rows = np.array([fold_of[item] for item in rows.items])
    found = np.zeros(len(of_rows))
    for fold in range(folds):
        kept = of_rows != fold
        trees = fit_trees(rows.where(kept))
        for at in np.flatnonzero(~kept):
            numbers = rows.numbers[at].tolist()
            found[at] = last_word(trees.predict(numbers), numbers[_MADE], is_capped=bool(rows.capped[at]))
    return found


def _worthless(items: Sequence[Item]) -> list[tuple[Item, str]]:
    """Return answers that say nothing about their items."""
    answers: list[tuple[Item, str]] = []
    for number, item in enumerate(items):
        answers.append((item, item.question))
        others = [items[(number + step) % len(items)] for step in _STEPS_TO_OTHERS]
        answers += [(item, other.reference_answers[0].text) for other in others if other is not item]
        rng = random.Random(number)  # noqa: S311 nothing secret
        keywords = " ".join(alternatives[0] for point in item.key_points for alternatives in point.keywords)
        for words_of in (keywords, *(reference.text for reference in item.reference_answers)):
            empty = (make(words_of, rng) for make in (rewrites.heap, rewrites.empty))
            answers += [(item, answer) for answer in empty if answer is not None]
    return answers


def _dressed(marked: Sequence[_Row], rng: random.Random) -> list[_Row]:
    """Return the same answers in frames that say nothing, with the same scores."""
    topics = [answer for _, answer, _, _ in marked]
    return [(item, rewrites.dress(answer, topics, rng, hedged=_HEDGED), "", score) for item, answer, _, score in marked]


def _beside(marked: Sequence[_Row], rng: random.Random) -> list[_Row]:
    """Return the same answers beside an answer to another item, words to the marker, or their item's words without sense."""
    found = []
    for item, answer, _, score in marked:
        if rng.random() < _BESIDE_OWN_WORDS:
            beside = f"{answer} {rewrites.empty(rng.choice(item.reference_answers).text, rng) or ''}".rstrip()
        else:
            stranger = rng.choice(marked)
            while stranger[0] is item:
                stranger = rng.choice(marked)
            beside = rewrites.set_beside(answer, stranger[1], rng)
        found.append((item, beside, "", score))
    return found


def _composed(items: Sequence[Item], rng: random.Random) -> list[_Row]:
    """Return answers made of the key points of items, with the share of the weight that is said."""
    found = []
    for item in items:
        for _ in range(_COMPOSED):
            judged = composed(item, rng)
            said = sum(p.weight for p, each in zip(item.key_points, judged, strict=False) if each.verdict is Verdict.SAYS)
            if judged:
                found.append((item, judged[0].answer, "", said / sum(point.weight for point in item.key_points)))
    return found


def _nodes(nodes: npt.NDArray[np.void]) -> tuple[Split | Leaf, ...]:
    """Return a tree of the library; each of several draws adds its part of the mean."""
    return tuple(
        (round(float(node["value"]) / _DRAWS, _DECIMALS),)
        if node["is_leaf"]
        else (int(node["feature_idx"]), round(float(node["num_threshold"]), _DECIMALS), int(node["left"]), int(node["right"]))
        for node in nodes
    )
