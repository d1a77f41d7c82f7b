"""How much a person's mark on one answer says about the marks of others: a Gaussian process on what the score got wrong.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapter 2. The error of the score is taken to be alike for
answers whose scores are alike, that mean alike and that share words, and 0 where nothing is known, so that few marks change
little. Arithmetic only: texts are compared in `grader.likeness`. Only ratios of the strengths matter; that of chance is 1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from grader.errors import CalibrationError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_MIDDLE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKernel:
    """How strongly errors go together, each strength at least 0 and in units of chance.

    `slope` is for an item's score being too steep or too flat, `meaning` for answers that mean the same, falling by e for every
    `reach` of cosine, `words` for sharing all content words.
    """

    slope: float
    meaning: float
    reach: float
    words: float
    provenance: str

    @property
    def signature(self) -> str:
        """First twelve digits of the SHA-256 of the strengths."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Return the kernel as the text of its file."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @property
    def local(self) -> float:
        """The part of an answer's variance that it shares only with answers like it."""
        return self.meaning + self.words

    def variances(self, scores: Floats) -> Floats:
        """Return the variances of the errors of answers with these scores before any mark, shape as `scores`."""
        result: Floats = self.slope * (scores - _MIDDLE) ** 2 + self.local
        return result

    def covariances(self, ones: Floats, others: Floats, *, cosines: Floats, words: Floats) -> Floats:
        """Return how the errors of some answers go with those of others, shape `(n, m)`.

        Args:
            ones: Scores, shape `(n,)`.
            others: Scores, shape `(m,)`.
            cosines: How alike they mean, in [-1, 1], shape `(n, m)`.
            words: Share of content words in common, in [0, 1], shape `(n, m)`.
        """
        general = self.slope * np.outer(ones - _MIDDLE, others - _MIDDLE)
        result: Floats = general + self.local_covariances(cosines=cosines, words=words)
        return result

    def local_covariances(self, *, cosines: Floats, words: Floats) -> Floats:
        """Return the part of the covariances that comes from answers being alike, whatever their scores."""
        result: Floats = self.meaning * np.exp((cosines - 1) / self.reach) + self.words * words
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What marks say about other answers: the expected error, and its variance relative to before, chance included, in (0, 1]."""

    errors: Floats
    remaining: Floats


def solve(among: Floats, errors: Floats) -> Floats:
    """Return the weight of every marked answer, shape `(m,)`, from their covariances `(m, m)` and the errors of their scores."""
    return np.asarray(np.linalg.solve(among + np.eye(len(among)), errors))


def precision(among: Floats) -> Floats:
    """Return the inverse of the covariances among the marked answers plus chance, shape `(m, m)`; made once an item."""
    return np.asarray(np.linalg.inv(among + np.eye(len(among))))


def infer(across: Floats, inverse: Floats, weights: Floats, variances: Floats) -> Posterior:
    """Return the expected errors of `n` answers.

    Args:
        across: Covariances with the marked answers, shape `(n, m)`.
        inverse: What `precision` returned, shape `(m, m)`.
        weights: What `solve` returned, shape `(m,)`.
        variances: Of the answers before any mark, shape `(n,)`.
    """
    known = ((across @ inverse) * across).sum(axis=1)
    remaining = (np.maximum(variances - known, 0.0) + 1) / (variances + 1)
    # A sum for each answer and not a matrix product, whose last bits would depend on how many answers there are.
    return Posterior(errors=(across * weights).sum(axis=1), remaining=remaining)


def adapt(scores: Floats, errors: Floats, *, factors: Floats, ceilings: Floats, barred: Flags) -> Floats:
    """Return scores with their expected errors made good, in [0, 1]; every argument has shape `(n,)`.

    What costs an answer its score costs it the rise too.

    Args:
        scores: Before any mark was heard, in [0, 1].
        errors: By how much they are expected to be too low.
        factors: What the signs of gaming leave of a score, in [0, 1]; they leave as much of a rise.
        ceilings: What the signs let an answer have at most.
        barred: Answers that may fall and must not rise.
    """
    changes = np.where(errors > 0, errors * factors * ~barred, errors)
    result: Floats = np.minimum(np.clip(scores + changes, 0.0, 1.0), ceilings)
    return result


def most_telling(prior: Floats, count: int) -> list[int]:
    """Return the positions of answers to mark next, the most telling first.

    Greedily the answer whose mark takes most off the summed variance of all answers, given those chosen before it; of equal ones
    the first.

    Args:
        prior: Covariances among all answers given the marks so far, shape `(n, n)`. Costs `n * n * count`.
        count: How many to return at most.
    """
    remaining = prior.copy()
    free = np.ones(len(prior), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(prior))):
        gains = np.where(free, (remaining**2).sum(axis=0) / (np.diag(remaining) + 1), -1.0)
        best = int(gains.argmax())
        chosen.append(best)
        free[best] = False
        remaining -= np.outer(remaining[:, best], remaining[best]) / (remaining[best, best] + 1)
    return chosen


def given(prior: Floats, marked: npt.NDArray[np.int64]) -> Floats:
    """Return the covariances among answers, shape `(n, n)`, after the ones at some positions were marked."""
    if not len(marked):
        return prior
    across, among = prior[:, marked], prior[np.ix_(marked, marked)]
    return np.asarray(prior - across @ np.linalg.solve(among + np.eye(len(marked)), across.T))


_FILE = TypeAdapter(AnswerKernel)


def kernel_from_json(text: str) -> AnswerKernel:
    """Read a kernel file.

    Raises:
        CalibrationError: If it is not one.
    """
    try:
        return _FILE.validate_json(text)
    except ValidationError as error:
        raise CalibrationError(f"Not an answer kernel: {error.error_count()} field(s) are missing or wrong.") from error


@cache
def default_answer_kernel() -> AnswerKernel:
    """Return the kernel that ships with the package."""
    return kernel_from_json((files("grader") / "data" / "answer_kernel.json").read_text(encoding="utf-8"))
