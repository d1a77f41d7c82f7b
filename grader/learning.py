"""The answers of one item side by side: what some of their marks teach about the others, and which to mark next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grader.answer_kernel import AnswerKernel, adapt, given, infer, most_telling, precision, solve
from grader.appraisal import Appraisal
from grader.likeness import Likeness, likeness
from grader.scoring import ScoringModel, rounded

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningItem:
    """One item's answers: `scores` of the general model, `human` ones, and what else adapting needs; shapes `(n,)` and `(n, n)`.

    `entailed` is NaN where no verifier was asked; `texts` has a number for every distinct text.
    """

    scores: Floats
    human: Floats
    factors: Floats
    ceilings: Floats
    evidence: Floats
    entailed: Floats
    texts: Positions
    alike: Likeness

    def scored_by(self, model: ScoringModel) -> LearningItem:
        """Return the item with the scores of another general model."""
        scores = np.minimum(model.predict(self.evidence, self.entailed) * self.factors, self.ceilings)
        return replace(self, scores=np.array([rounded(score) for score in scores]))

    def covariances(self, kernel: AnswerKernel, rows: Positions, columns: Positions) -> Floats:
        """Return the covariances among some of the answers and others."""
        at = np.ix_(rows, columns)
        return kernel.covariances(
            self.scores[rows],
            self.scores[columns],
            cosines=self.alike.cosines[at],
            words=self.alike.words[at],
        )

    def others(self, marked: Positions) -> Positions:
        """Return the answers whose text is not among the marked ones."""
        return np.flatnonzero(~np.isin(self.texts, self.texts[marked]))

    def learn(self, kernel: AnswerKernel, marked: Positions, rows: Positions) -> tuple[Floats, Floats]:
        """Return the adapted scores of some answers given the marks of others, and what is left of their variances.

        An answer that denies the marked one closest to it does not rise, whatever the others say.
        """
        among, across = self.covariances(kernel, marked, marked), self.covariances(kernel, rows, marked)
        errors = self.human[marked] - self.scores[marked]
        posterior = infer(across, precision(among), solve(among, errors), kernel.variances(self.scores[rows]))
        at = np.ix_(rows, marked)
        local = kernel.local_covariances(cosines=self.alike.cosines[at], words=self.alike.words[at])
        scores = adapt(
            self.scores[rows],
            posterior.errors,
            factors=self.factors[rows],
            ceilings=self.ceilings[rows],
            barred=self.alike.denied[rows, marked[local.argmax(axis=1)]],
        )
        return scores, posterior.remaining

    def suggested(self, kernel: AnswerKernel, count: int, *, marked: Sequence[int] = ()) -> list[int]:
        """Return the answers to mark next, the most telling first; each text once, and none that is marked.

        What is told is what answers have in common beyond their scores: a choice that also looks for scores far from the middle
        takes odd answers, and marks of odd answers teach less (docs/adr/0012).
        """
        everything, known = np.arange(len(self.texts)), np.array(marked, dtype=np.int64)
        prior = given(kernel.local_covariances(cosines=self.alike.cosines, words=self.alike.words), known)
        seen = {int(text) for text in self.texts[known]}
        chosen: list[int] = []
        for at in most_telling(prior, len(everything)):
            if len(chosen) == count:
                break
            if int(self.texts[at]) not in seen:
                seen.add(int(self.texts[at]))
                chosen.append(at)
        return chosen

    @classmethod
    def of(cls, appraisals: Sequence[Appraisal], human: Sequence[float], *, denials: bool = True) -> LearningItem:
        """Make an item's answers ready.

        Args:
            appraisals: The answers; repeats of a text, white space aside, are told from others.
            human: The score in [0, 1] that a person gave to each; where none did, any number that is then not used.
            denials: Whether to look for answers that deny each other, which takes by far the longest.
        """
        texts = [" ".join(a.answer.text.split()) for a in appraisals]
        numbers = {text: number for number, text in enumerate(sorted(set(texts)))}
        return cls(
            scores=np.array([a.score for a in appraisals]),
            human=np.array(human, dtype=np.float64),
            factors=np.array([a.signs.factor for a in appraisals]),
            ceilings=np.array([a.signs.ceiling for a in appraisals]),
            evidence=np.array([a.evidence.vector() for a in appraisals]),
            entailed=np.array([a.matching.reference_entailed for a in appraisals], dtype=np.float64),
            texts=np.array([numbers[text] for text in texts], dtype=np.int64),
            alike=likeness(appraisals, appraisals, denials=denials),
        )
