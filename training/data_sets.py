"""The sets of marked answers: which rows are measured, which may be fitted on.

The files are read from the folder that `GRADER_DATA_DIR` names (docs/accuracy.md says where they come from and under which
licences). Nothing of their text is kept in this repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grader import EmbeddingStore, Encoder, Gradable, ReferenceAnswer
from grader.reading import PackedWords, Reading, Words
from grader.text import Passage

_MAX_TEXT_CHARS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRule:
    """How a file is read for measuring and for fitting.

    `fit_splits` are the splits that licence and purpose allow to fit on, empty where there are none; `first_reference` takes the
    best reference alone and `raw_scores` the raw score of the rows where it is at most 1, both as ASAG2024 does.
    """

    name: str
    file: str
    measured_splits: tuple[str, ...]
    fit_splits: tuple[str, ...] = ()
    first_reference: bool = False
    raw_scores: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedAnswer:
    """One row: the item, the answer and a person's score in [0, 1]; `people` are those of two, where both are known."""

    item: Gradable
    candidate_answer: str
    score: float
    question_id: str
    label: str | None
    people: tuple[float, float] | None = None


RULES: tuple[SetRule, ...] = (
    SetRule(name="beetle", file="beetle.jsonl", measured_splits=("train",), fit_splits=("train",), first_reference=True),
    SetRule(
        name="saf",
        file="saf_english31.jsonl",
        measured_splits=("train", "test-unseen-answers", "test-unseen-questions"),
        fit_splits=("train",),
        raw_scores=True,
    ),
    SetRule(name="mohler2009", file="mohler2009.jsonl", measured_splits=("all",)),
    SetRule(name="mohler2011", file="mohler2011.jsonl", measured_splits=("published80",)),
    SetRule(name="sprag_python", file="sprag_python.jsonl", measured_splits=("all",), fit_splits=("all",)),
    SetRule(
        name="scientsbank",
        file="scientsbank.jsonl",
        measured_splits=("test-unseen-answers", "test-unseen-questions", "test-unseen-domains"),
        fit_splits=("train",),
    ),
)


def measured_rows(rule: SetRule, data_dir: Path) -> list[MarkedAnswer]:
    """Return the rows of a set that its figure is measured on."""
    return list(_rows(rule, data_dir, rule.measured_splits, raw_scores=rule.raw_scores))


def fitting_rows(rule: SetRule, data_dir: Path) -> list[MarkedAnswer]:
    """Return the rows of a set that may be fitted on; none where it may not."""
    return list(_rows(rule, data_dir, rule.fit_splits, raw_scores=False))


def split_rows(rule: SetRule, data_dir: Path, splits: Iterable[str]) -> list[MarkedAnswer]:
    """Return the rows of some splits of a set, for measuring by another rule than the set's own."""
    return list(_rows(rule, data_dir, splits, raw_scores=False))


def balanced_weights(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return weights that give each non-empty bin of width 0.1 the same total, summing to 1; shape as `scores`."""
    bins = np.minimum((scores * 10 + 1e-9).astype(int), 9)
    weights = np.zeros(len(scores))
    filled = np.unique(bins)
    for number in filled:
        weights[bins == number] = 1 / len(filled) / (bins == number).sum()
    return weights


class StoredEncoder:
    """An encoder that keeps every vector it made, so that a second fit or measurement takes seconds."""

    def __init__(self, encoder: Encoder, store: EmbeddingStore) -> None:
        """Wrap an encoder."""
        self._encoder = encoder
        self._store = store

    @property
    def signature(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.signature

    @property
    def dimension(self) -> int:
        """The wrapped encoder's."""
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """The wrapped encoder's."""
        return self._encoder.max_tokens

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return self._encoder.count_tokens(text)

    def encode(self, passages: Sequence[Passage]) -> npt.NDArray[np.float32]:
        """Return unit vectors, from the store where it has them."""
        return self._store.get_or_make(passages, self._encoder.encode)[0]

    def read(self, passages: Sequence[Passage]) -> Reading:
        """Return vectors and words, from the store where it has them. Words come in eight bits, which moves cosines by .005."""
        read: dict[str, Words] = {}

        def make(missing: Sequence[Passage]) -> npt.NDArray[np.float32]:
            reading = self._encoder.read(missing)
            read.update(reading.words)
            return reading.vectors

        def make_words(missing: Sequence[str]) -> list[PackedWords]:
            contexts = {passage.context: passage for passage in passages}
            make([passage for passage in passages if passage.context in missing and passage.context not in read])
            return [PackedWords.of(read[contexts[text].context]) for text in missing]

        vectors = self._store.get_or_make(passages, make)[0]
        words = self._store.get_or_make_words(list(dict.fromkeys(p.context for p in passages)), make_words)
        return Reading(vectors=vectors, words={text: packed.unpacked() for text, packed in words.items()})


def _rows(rule: SetRule, data_dir: Path, splits: Iterable[str], *, raw_scores: bool) -> Iterator[MarkedAnswer]:
    wanted = set(splits)
    items: dict[tuple[str, tuple[str, ...]], Gradable] = {}
    with (data_dir / rule.file).open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            score = row["raw_score"] if raw_scores else row["score"]
            references = tuple(text for text in row["references"] if text.strip())
            if row["split"] not in wanted or not references or not row["answer"] or score is None or score > 1:
                continue
            if rule.first_reference:
                references = references[:1]
            key = (row["question"] or "", references)
            if key not in items:
                answers = tuple(ReferenceAnswer(text=text[:_MAX_TEXT_CHARS]) for text in references)
                items[key] = Gradable(question=key[0][:_MAX_TEXT_CHARS], reference_answers=answers)
            yield MarkedAnswer(
                item=items[key],
                candidate_answer=row["answer"],
                score=float(score),
                question_id=str(row["question_id"]),
                label=row.get("label_3way") or row.get("label"),
                people=_people(row),
            )


def _people(row: Mapping[str, Any]) -> tuple[float, float] | None:  # Any: JSON
    """Return what two people gave by themselves as shares of the full mark, or None where that is not kept."""
    for names in (("score_me", "score_other"), ("score1", "score2")):
        one, other = (row.get(name) for name in names)
        if one is not None and other is not None:
            return float(one) / row["max_score"], float(other) / row["max_score"]
    return None
