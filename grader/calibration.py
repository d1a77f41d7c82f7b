"""Learning from teachers: marks that people gave to answers of an item adapt the scores of its other answers.

What the score got wrong on the marked answers is spread to the answers like them (`grader.answer_kernel`), item by item: marks on
one item say nothing about another. A marked answer thereby serves as a further reference or as a known wrong answer, as its
mark has it. Shrunk towards the general score: an answer unlike all marked ones keeps it. See docs/adr/0012.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError

from grader.answer_kernel import AnswerKernel, adapt, default_answer_kernel, infer, precision, solve
from grader.appraisal import AdaptedScore, Appraisal
from grader.errors import CalibrationError
from grader.grader import Grader, check_answer
from grader.items import MAX_ANSWER_CHARS, Gradable
from grader.learning import LearningItem
from grader.likeness import Likeness, denies, likeness
from grader.scoring import rounded

MIN_MARKS = 3
MAX_MARKS = 200
MAX_SUGGESTED_FROM = 2_000
# Items whose marked answers are kept ready in memory: two hundred of them with their vectors are about 4 MB.
_ITEMS_KEPT = 100
_WEIGHT_DECIMALS = 8
# Errors are at most 1 and chance weighs 1, so no weight is larger; a file that says so was not made here.
_MOST_WEIGHT = 1.0 * MAX_MARKS

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedText:
    """An answer and the share of the full mark that a person gave it, in [0, 1]."""

    candidate_answer: Annotated[str, Field(max_length=MAX_ANSWER_CHARS)]
    score: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCalibration:
    """The marked answers of one item, named by its content hash, each with its weight as solved."""

    content_hash: str
    answers: tuple[MarkedText, ...]
    weights: tuple[Annotated[float, Field(ge=-_MOST_WEIGHT, le=_MOST_WEIGHT)], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was learnt from marks, item by item. Holds the answers' texts, which are personal data.

    `grader` is the signature of the grader it was made with, and the only one that can use it; `kernel` that of the strengths.
    """

    grader: str
    kernel: str
    items: tuple[ItemCalibration, ...]

    @classmethod
    def from_json(cls, text: str | bytes) -> Calibration:
        """Read a calibration file.

        Raises:
            CalibrationError: If it is not one.
        """
        try:
            calibration = _FILE.validate_json(text)
            for item in calibration.items:
                for answer in item.answers:
                    check_answer(answer.candidate_answer)
        except ValidationError as error:
            raise CalibrationError(f"Not a calibration: {error.error_count()} field(s) are missing or wrong.") from error
        if any(not len(item.answers) == len(item.weights) <= MAX_MARKS for item in calibration.items):
            raise CalibrationError("Not a calibration: answers and weights of an item differ in number, or are too many.")
        return calibration

    def to_json(self) -> str:
        """Return the calibration as the text of its file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @property
    def signature(self) -> str:
        """`calibration-` and the first twelve digits of the SHA-256 of everything in it."""
        return f"calibration-{hashlib.sha256(self.to_json().encode()).hexdigest()[:12]}"


_FILE = TypeAdapter(Calibration)

Marked = tuple[Gradable, str, float]
"""An item, an answer and the score in [0, 1] that a person gave it."""


def calibrate(grader: Grader, marked: Iterable[Marked]) -> Calibration:
    """Return what marks teach about the items they were given for.

    Items with fewer than three marked answers keep the general score, and blank answers teach nothing.

    Args:
        grader: The grader whose scores are to be adapted, without a calibration of its own.
        marked: The marked answers of one item or of many, in any order.

    Raises:
        CalibrationError: If no item has three marked answers, or one has over two hundred.
        InvalidAnswerError: If an answer cannot be graded.
        ValueError: If a score is not in [0, 1].
    """
    kernel = default_answer_kernel()
    found = []
    for item, answers in marks_by_item(marked):
        appraisals = grader.appraise([(item, answer.candidate_answer) for answer in answers])
        known = [(a, answer) for a, answer in zip(appraisals, answers, strict=True) if a is not None]
        if len(known) < MIN_MARKS:
            continue
        if len(known) > MAX_MARKS:
            raise CalibrationError(f"An item has {len(known)} marked answers; at most {MAX_MARKS} are learnt from.")
        said = [appraisal for appraisal, _ in known]
        among = _covariances(kernel, said)
        errors = np.array([answer.score - appraisal.score for appraisal, answer in known])
        weights = tuple(round(float(weight), _WEIGHT_DECIMALS) + 0.0 for weight in solve(among, errors))
        found.append(
            ItemCalibration(content_hash=item.content_hash, answers=tuple(answer for _, answer in known), weights=weights)
        )
    if not found:
        raise CalibrationError(f"No item has {MIN_MARKS} marked answers to learn from.")
    return Calibration(grader=grader.signature, kernel=kernel.signature, items=tuple(found))


def with_calibration(grader: Grader, calibration: Calibration) -> Grader:
    """Return a grader with the same parts that grades with a calibration, which its signature names.

    Raises:
        CalibrationError: If the calibration was made with another grader.
    """
    if calibration.grader != grader.signature or calibration.kernel != default_answer_kernel().signature:
        raise CalibrationError(
            f"The calibration was made with the grader {calibration.grader!r}, this one is {grader.signature!r}; make it again."
        )
    return grader.adapted(_CalibratedScores(grader, calibration))


def suggest(grader: Grader, item: Gradable, answers: Sequence[str], *, marked: Sequence[str] = (), count: int = 5) -> list[int]:
    """Return the positions of the answers to mark next, the most telling first.

    Each takes most off what is not known about all the answers together, given the marked ones and those before it. What the
    marks were does not matter. Blank answers and repeats of a text are not suggested.

    Raises:
        CalibrationError: If there are over two thousand answers, marked ones included.
        InvalidAnswerError: If an answer cannot be graded.
    """
    if len(answers) + len(marked) > MAX_SUGGESTED_FROM:
        raise CalibrationError(f"There are {len(answers) + len(marked)} answers; at most {MAX_SUGGESTED_FROM} are chosen from.")
    appraisals = grader.appraise([(item, text) for text in [*marked, *answers]])
    said = [(position - len(marked), a) for position, a in enumerate(appraisals) if a is not None]
    if not said:
        return []
    known = [at for at, (position, _) in enumerate(said) if position < 0]
    answered = LearningItem.of([a for _, a in said], np.zeros(len(said)).tolist(), denials=False)
    return [said[at][0] for at in answered.suggested(default_answer_kernel(), count, marked=known)]


def marks_by_item(marked: Iterable[Marked]) -> list[tuple[Gradable, list[MarkedText]]]:
    """Return marked answers item by item, items and answers in their first order.

    Raises:
        ValueError: If a score is not in [0, 1].
    """
    items: dict[str, tuple[Gradable, list[MarkedText]]] = {}
    for item, answer, score in marked:
        if not 0 <= score <= 1:
            raise ValueError(f"a score must be in [0, 1], got {score}")
        entry = items.setdefault(item.content_hash, (item, []))
        entry[1].append(MarkedText(candidate_answer=answer, score=float(score)))
    return list(items.values())


@dataclass(frozen=True, slots=True)
class _Known:
    """The marked answers of one item, made ready."""

    appraisals: list[Appraisal]
    inverse: _Floats
    weights: _Floats


class _CalibratedScores:
    """Adapts scores by a calibration; marked answers are made ready at an item's first use."""

    def __init__(self, grader: Grader, calibration: Calibration) -> None:
        self._grader = grader
        self._kernel = default_answer_kernel()
        self._signature = calibration.signature
        self._items = {item.content_hash: item for item in calibration.items}
        self._ready: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()

    @property
    def signature(self) -> str:
        return self._signature

    def adapt(self, appraisal: Appraisal) -> AdaptedScore:
        item = appraisal.item.item
        found = self._items.get(item.content_hash)
        if found is None:
            return AdaptedScore(score=appraisal.score, half_width=appraisal.half_width)
        known = self._known(item, found)
        alike = likeness([appraisal], known.appraisals, denials=False)
        scores = np.array([appraisal.score])
        across = _covariances_of(self._kernel, scores, np.array([a.score for a in known.appraisals]), alike)
        posterior = infer(across, known.inverse, known.weights, self._kernel.variances(scores))
        local = self._kernel.local_covariances(cosines=alike.cosines, words=alike.words)
        closest = known.appraisals[int(local[0].argmax())]
        score = adapt(
            scores,
            posterior.errors,
            factors=np.array([appraisal.signs.factor]),
            ceilings=np.array([appraisal.signs.ceiling]),
            # What costs an answer its score costs it the rise too, and so does saying the opposite of what was marked.
            barred=np.array([denies(appraisal.answer, closest.answer)]),
        )
        half_width = appraisal.half_width * float(np.sqrt(posterior.remaining[0]))
        return AdaptedScore(score=rounded(score[0]), half_width=half_width)

    def _known(self, item: Gradable, found: ItemCalibration) -> _Known:
        with self._lock:
            if found.content_hash in self._ready:
                self._ready.move_to_end(found.content_hash)
                return self._ready[found.content_hash]
        measured = self._grader.appraise([(item, answer.candidate_answer) for answer in found.answers])
        # Blank answers were left out when the calibration was made; a file that holds one was not made here.
        kept = [(a, weight) for a, weight in zip(measured, found.weights, strict=True) if a is not None]
        appraisals = [a for a, _ in kept]
        known = _Known(
            appraisals=appraisals,
            inverse=precision(_covariances(self._kernel, appraisals)),
            weights=np.array([weight for _, weight in kept]),
        )
        with self._lock:
            self._ready[found.content_hash] = known
            if len(self._ready) > _ITEMS_KEPT:
                self._ready.popitem(last=False)
        return known


def _covariances(kernel: AnswerKernel, answers: Sequence[Appraisal]) -> _Floats:
    alike = likeness(answers, answers, denials=False)
    scores = np.array([a.score for a in answers])
    return _covariances_of(kernel, scores, scores, alike)


def _covariances_of(kernel: AnswerKernel, ones: _Floats, others: _Floats, alike: Likeness) -> _Floats:
    return kernel.covariances(ones, others, cosines=alike.cosines, words=alike.words)
