"""Evidence to score: arithmetic only. This module never sees a text and never loads a network.

The model is linear in the standardised evidence, with the signs of the coefficients held to what each number means, so that more
in common never lowers a score. It ships as a small data file that `training/fit_scoring_model.py` makes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from grader.errors import ScoringModelError
from grader.items import Grade, GradeBoundaries
from grader.trees import Trees

FloatArray = npt.NDArray[np.float64]

# Four decimals: finer than any mark, coarser than the differences between processors' arithmetic.
_DECIMALS = 4
_UPHELD_FROM = 0.05
_UPHELD_FULL = 0.40
_CONTRADICTED_COST = 0.70
# Of the last word; the score that was made has the rest. Of .5, .7, .85 and 1.0 on items left out, where .85 and 1.0 differ by
# less than .003 by r (docs/adr/0042).
_TREES_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringModel:
    """The coefficients that turn evidence into a score.

    `names`, `coefficients`, `means` and `scales` have one entry for each kind of evidence; together they give the general score.
    The `entailed` ones move it where a verifier was asked how far the answer says the best of several references: what the
    general score and the verifier's word fall short of 1 is weighed and taken off. Items whose author gave key points with
    keywords are scored by the `blend` ones instead, and by the `judged` ones where a verifier was asked. The half widths are
    those of the intervals that hold 90 % of people's scores on answers the model was not fitted on, of the general score and of
    the others; `trees` have the last word where a verifier was asked, see `grader.fusion`. `doubt_coefficients` weigh what
    `grader.doubt` measures, see `is_doubtful`. `provenance` tells the sets.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    intercept: float
    half_width: float
    entailed_coefficients: tuple[float, float]
    blend_slope: float
    blend_intercept: float
    blend_half_width: float
    judged_coefficients: tuple[float, float, float]
    judged_intercept: float
    trees: Trees
    doubt_coefficients: tuple[float, ...]
    doubt_line: float
    provenance: str

    @classmethod
    def from_json(cls, text: str) -> ScoringModel:
        """Read a model file.

        Raises:
            ScoringModelError: If it is not one.
        """
        try:
            model = _FILE.validate_json(text)
        except ValidationError as error:
            raise ScoringModelError(f"Not a scoring model: {error.error_count()} field(s) are missing or wrong.") from error
        sizes = {len(model.names), len(model.coefficients), len(model.means), len(model.scales)}
        if len(sizes) != 1:
            raise ScoringModelError("Not a scoring model: names, coefficients, means and scales differ in length.")
        if not model.trees.are_sound():
            raise ScoringModelError("Not a scoring model: a tree asks for what is not there.")
        return model

    def to_json(self) -> str:
        """Return the model as the text of its file."""
        lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(self).items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @property
    def signature(self) -> str:
        """First twelve digits of the SHA-256 of the coefficients."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def predict(self, evidence: FloatArray, entailed: FloatArray | None = None) -> FloatArray:
        """Return scores in [0, 1], shape `(n,)`, for evidence of shape `(n, len(names))`.

        They are the general ones, moved where `entailed`, of shape `(n,)`, says how far the answers say a reference in a
        verifier's opinion, and is no NaN.

        Written as a sum over columns and not as a matrix product, whose last bits would depend on the number of rows.
        """
        score = np.full(len(evidence), self.intercept)
        for column, (coefficient, mean, scale) in enumerate(zip(self.coefficients, self.means, self.scales, strict=True)):
            score = score + coefficient * (evidence[:, column] - mean) / scale
        general: FloatArray = np.clip(score, 0.0, 1.0)
        if entailed is None:
            return general
        of_general, of_entailed = self.entailed_coefficients
        moved = np.clip(1.0 - of_general * (1.0 - general) - of_entailed * (1.0 - entailed), 0.0, 1.0)
        return np.where(np.isnan(entailed), general, moved)

    def blend(self, *, said: float, keyword_coverage: float, entailed: float | None = None, upheld: float | None = None) -> float:
        """Return the score of an answer to an item with authored key points and keywords, in [0, 1].

        Args:
            said: Weighted mean over key points of how far the answer's words say them, in [0, 1].
            keyword_coverage: Weighted share of keywords found, in [0, 1].
            entailed: The same mean of how likely a sentence entails them, or None where no verifier was asked.
            upheld: The same mean of how far they are entailed rather than contradicted, or None as well.
        """
        if entailed is None or upheld is None:
            return min(1.0, max(0.0, self.blend_slope * blended(said, keyword_coverage) + self.blend_intercept))
        evidence = (said, keyword_coverage, entailed)
        made = sum(c * value for c, value in zip(self.judged_coefficients, evidence, strict=True)) + self.judged_intercept
        return min(1.0, max(0.0, made)) * upheld_factor(upheld)

    def is_doubtful(self, doubts: tuple[float, ...]) -> bool:
        """Tell whether a score is among the fifth that is likeliest to be far from a person's; see `grader.doubt`."""
        return sum(c * d for c, d in zip(self.doubt_coefficients, doubts, strict=True)) > self.doubt_line


_FILE = TypeAdapter(ScoringModel)


def blended(said: float, keyword_coverage: float) -> float:
    """Return the blend before it is put on the scale of marks: half what is said of the key points, half keywords.

    Round shares near the best of fifteen that were tried on the dev split, and not fitted; see docs/adr/0013.
    """
    return (said + keyword_coverage) / 2


def last_word(of_trees: float, made: float, *, is_capped: bool = False) -> float:
    """Return the score of an answer, in [0, 1], from what trees make of it and what blend and signs have made.

    Where a sign has capped that, it can only fall.
    """
    fused = min(1.0, max(0.0, _TREES_SHARE * of_trees + (1.0 - _TREES_SHARE) * made))
    return min(made, fused) if is_capped else fused


def upheld_factor(upheld: float) -> float:
    """Return what is left of a score whose key points are contradicted rather than entailed, in [.3, 1].

    The ramp and its depth are near the best of 48 for the `dev` split and twenty items of other subjects; see docs/adr/0031.
    """
    share = min(1.0, max(0.0, (upheld - _UPHELD_FROM) / (_UPHELD_FULL - _UPHELD_FROM)))
    return 1.0 - _CONTRADICTED_COST * (1.0 - share)


@cache
def default_scoring_model() -> ScoringModel:
    """Return the model that ships with the package."""
    return ScoringModel.from_json((files("grader") / "data" / "scoring_model.json").read_text(encoding="utf-8"))


def rounded(value: float) -> float:
    """Return a number as results carry it: four decimals, and never a negative zero."""
    return round(float(value), _DECIMALS) + 0.0


def mark_from_score(score: float, *, max_mark: int, mark_step: float) -> float:
    """Return the mark for a score: the nearest multiple of the step, halves upwards, at most `max_mark`.

    >>> mark_from_score(0.725, max_mark=10, mark_step=0.5)
    7.5
    """
    step = Decimal(str(mark_step))
    steps = (Decimal(str(score)) * max_mark / step).to_integral_value(rounding=ROUND_HALF_UP)
    return float(min(steps * step, Decimal(max_mark)))


def grade_from_mark(mark: float, *, max_mark: int, boundaries: GradeBoundaries) -> Grade:
    """Return the best grade whose boundary the mark reaches."""
    share = mark / max_mark
    for grade in (Grade.EXCELLENT, Grade.GOOD, Grade.FAIR, Grade.WEAK):
        if share >= getattr(boundaries, grade.value):
            return grade
    return Grade.FAIL
