"""The grader: encoder, store and scoring model put together. `grade` and `grade_many` are the same path."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np

from grader import weights
from grader.appraisal import AdaptedScore, Adapter, Appraisal
from grader.bank import ItemBank
from grader.decoration import undecorated
from grader.denial import Suspect, confirmed_clauses, not_outvoted, suspected_clauses, suspicion, word_against
from grader.doubt import doubts
from grader.echo import without_echo
from grader.encoders import DEFAULT_PRECISION, Encoder, FloatArray, OnnxEncoder, Precision
from grader.entailment import Question, entailed_share, questions_of, questions_of_references, statements_said, told
from grader.errors import InvalidAnswerError
from grader.evidence import NAMES, Evidence, measure
from grader.feedback import compose
from grader.fusion import fused_evidence
from grader.items import MAX_ANSWER_CHARS, Gradable, Item
from grader.matching import Looks, Matching, blank_matching, match_key_points, second_looks, upheld_share, words_said
from grader.observing import Cache, Nobody, Observer
from grader.profiles import ItemProfile, TextProfile, item_passages, item_texts, passages, profile_item, profile_text
from grader.reading import PackedWords, Words
from grader.results import Flag, GradingResult, Interval
from grader.scoring import ScoringModel, default_scoring_model, grade_from_mark, last_word, mark_from_score, rounded
from grader.signs import notice
from grader.store import EmbeddingStore
from grader.text import Passage, normalise
from grader.verifier import OnnxVerifier, Pair, Relations, Verifier

# Profiles kept in memory: a bank of this many items is compared without reading the store again. Some 250 kB each.
_PROFILES_KEPT = 1_000
# Embedded in one go, which takes some 100 MB where all of it is new; the shipped bank is one go.
_ITEMS_PER_GO = 32
# Of distinct passages, and of answers whose words are wanted, in one call of the encoder: bounds the memory of a large batch.
_PASSAGES_PER_CALL = 4_096
_CHARACTERS_PER_CALL = 100_000
_DOUBTFUL = "The grader is less sure of this answer than of most."
# Of an answer that names things and says nothing of them.
_NAMES_ONLY = frozenset({Flag.KEYWORD_LIST, Flag.REPEATS_QUESTION})


class Grader:
    """Grades answers to items. Safe to use from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        verifier: Verifier | None = None,
        scoring_model: ScoringModel | None = None,
        store: EmbeddingStore | None = None,
        adapter: Adapter | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Put a grader together from ready parts.

        Args:
            encoder: Turns passages into vectors.
            verifier: Confirms that a clause contradicts the item; without one, the rule that suspects it is believed.
            scoring_model: Turns evidence into a score; the shipped one if left out.
            store: Keeps the vectors of items on disk; without it they are made again in every process.
            adapter: Adapts scores to marks that people gave, see `grader.calibration`; without one they are the general ones.
            observer: Is told what the encoder gets and what is found in caches.

        Raises:
            ValueError: If the scoring model was made for other evidence.
        """
        self.encoder = encoder
        self.verifier = verifier
        self._model = scoring_model or default_scoring_model()
        if self._model.names != NAMES:
            raise ValueError(f"the scoring model is for the evidence {self._model.names}, this version measures {NAMES}")
        self._store = store
        self._adapter = adapter
        self._observer = observer or Nobody()
        parts = [f"grader-{_package_version()}", encoder.signature, f"scoring-{self._model.signature}"]
        parts += [] if verifier is None else [verifier.signature]
        self._signature = "|".join(parts if adapter is None else [*parts, adapter.signature])
        self._profiles: OrderedDict[str, ItemProfile] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def from_directory(
        cls,
        home: Path,
        *,
        prepare: bool = True,
        threads: int = 0,
        precision: Precision = DEFAULT_PRECISION,
        observer: Observer | None = None,
    ) -> Self:
        """Return a grader that keeps its prepared model and its vectors in a folder.

        Args:
            home: The folder; made if it is missing.
            prepare: Export the encoder if that was not done yet, which takes some ten seconds once.
            threads: Cores for the encoder; 0 takes all.
            precision: Of the encoder; "fp32" takes twice as long and gives slightly other marks, with another signature.
            observer: Is told what the encoder gets and what is found in caches.

        Raises:
            EncoderError: If the encoder is not prepared, or its weights are missing or not genuine.
        """
        model_dir = home / "encoder"
        if prepare:
            weights.prepare(model_dir)
        encoder = OnnxEncoder(model_dir, threads=threads, precision=precision)
        path = home / f"embeddings-{encoder.signature.replace('/', '-')}.sqlite"
        verifier = OnnxVerifier(model_dir, threads=threads)
        store = EmbeddingStore(path, signature=encoder.signature, dimension=encoder.dimension)
        return cls(encoder, verifier=verifier, store=store, observer=observer)

    @property
    def signature(self) -> str:
        """Name everything but the item that can change a result: package, encoder, scoring model, verifier and calibration."""
        return self._signature

    def adapted(self, adapter: Adapter | None) -> Grader:
        """Return a grader with the same parts whose scores are adapted, or with None the general ones again."""
        return Grader(
            self.encoder,
            verifier=self.verifier,
            scoring_model=self._model,
            store=self._store,
            adapter=adapter,
            observer=self._observer,
        )

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()

    def embed(self, items: Iterable[Gradable]) -> int:
        """Make and keep the vectors of items, so that grading them encodes nothing more, and reads nothing more from disk.

        Of more than a thousand, each is read from disk when it is first graded. Of a bank of so many the store remembers that it
        has all of it, and nothing is read here where it does. Memory is bounded, however many there are.

        Returns:
            How many passages were encoded; 0 where the store had them all.
        """
        wanted = items if isinstance(items, ItemBank) else list(items)
        are_few = len(wanted) <= _PROFILES_KEPT
        # Another version may have to encode other passages.
        name = f"{_package_version()}:{wanted.content_hash}" if isinstance(wanted, ItemBank) and not are_few else None
        if name is not None and self._store is not None and self._store.is_whole(name):
            return 0
        made = 0
        waiting = iter(wanted)
        while together := list(islice(waiting, _ITEMS_PER_GO)):
            vectors, words, new = self._item_parts(together, keep=True)
            made += new
            if are_few:
                for item in together:
                    self._keep(item.content_hash, profile_item(item, vectors.__getitem__, words.__getitem__))
        if name is not None and self._store is not None:
            self._store.note_whole(name)
        return made

    def grade(self, item: Gradable, candidate_answer: str) -> GradingResult:
        """Return the result of one answer.

        Raises:
            InvalidAnswerError: If the answer is longer than 20,000 characters or is no text.
        """
        return self.grade_many([(item, candidate_answer)])[0]

    def grade_many(self, pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult]:
        """Return the results of many answers, in their order, each the same to the byte as from `grade`.

        Equal answers to one item are graded once and have one result together.

        Raises:
            InvalidAnswerError: If an answer cannot be graded; check answers first with `check_answer` to keep the good ones.
        """
        distinct = {(id(item), text): (item, text) for item, text in pairs}
        appraisals = self.appraise(list(distinct.values()))
        results = {
            key: self._blank_result(self._profile(item)) if appraisal is None else self._result(appraisal)
            for (key, (item, _)), appraisal in zip(distinct.items(), appraisals, strict=True)
        }
        return [results[id(item), text] for item, text in pairs]

    def appraise(self, pairs: Sequence[tuple[Gradable, str]]) -> list[Appraisal | None]:
        """Return what many answers are worth before any adapting, in their order, None for a blank one.

        Raises:
            InvalidAnswerError: If an answer cannot be graded.
        """
        for _, text in pairs:
            check_answer(text)
        measured = self._measure(pairs)
        matched = self._match(measured)
        evidence = np.array([m.evidence.vector() for m in measured if m.evidence is not None]).reshape(-1, len(NAMES))
        entailed = np.array([found.reference_entailed for found in matched if found is not None], dtype=np.float64)
        scores = iter(self._model.predict(evidence, entailed))
        return [
            None if each.evidence is None or matching is None else self._appraise(each, each.evidence, matching, next(scores))
            for each, matching in zip(measured, matched, strict=True)
        ]

    def evidence_of(self, pairs: Sequence[tuple[Gradable, str]]) -> list[Evidence | None]:
        """Return the evidence of many answers in their order, None for a blank one. This is what scoring models are fitted on."""
        return [each.evidence for each in self._measure(pairs)]

    def _measure(self, pairs: Sequence[tuple[Gradable, str]]) -> list[_Measured]:
        """Return profiles and evidence of many answers; every distinct answer is encoded once."""
        profiles = {key: self._profile(item) for key, item in {id(item): item for item, _ in pairs}.items()}
        at: dict[str, list[int]] = {}
        for place, (item, written) in enumerate(pairs):
            at.setdefault(_read(profiles[id(item)], written), []).append(place)
        found: dict[int, _Measured] = {}
        for chunk in _chunks(at):
            # Words take much room, so what they say is taken down before the next answers are read.
            wanted = [passage for text in chunk for passage in passages(text)]
            reading = self.encoder.read(wanted)
            self._observer.encoded(len(wanted))
            vectors = iter(reading.vectors)
            for text in chunk:
                answered = profile_text(text, dict(zip(passages(text), vectors, strict=False)).__getitem__)
                for place in at[text]:
                    item, written = pairs[place]
                    answer = answered if written == text else replace(answered, written=written)
                    found[place] = _measured(profiles[id(item)], answer, reading.words[text])
        return [found[place] for place in range(len(pairs))]

    def match(self, pairs: Sequence[tuple[Gradable, str]]) -> list[Matching | None]:
        """Return what many answers do with the key points, in their order, None for a blank one."""
        return self._match(self._measure(pairs))

    def _match(self, measured: Sequence[_Measured]) -> list[Matching | None]:
        """Return the verdicts on answers, None for a blank one; what cheap evidence leaves in doubt is looked at again here."""
        looks = self._encode(passage for each in measured for passage in second_looks(each.item, each.answer))
        suspected = [suspected_clauses(each.item, each.answer) if each.evidence is not None else {} for each in measured]
        asked = [_Asked.of(each, suspects) for each, suspects in zip(measured, suspected, strict=True)]
        relations = self._verify(pair for of_answer in asked for pair in of_answer.pairs)
        return [
            self._matching(each, looks, of_answer, relations) if each.evidence is not None else None
            for each, of_answer in zip(measured, asked, strict=True)
        ]

    @staticmethod
    def _matching(measured: _Measured, looks: Looks, asked: _Asked, relations: Mapping[Pair, Relations]) -> Matching:
        """Return the verdicts on an answer that says something."""
        is_reference = _is_reference(measured)
        told_ = told(asked.of_points, relations, is_reference=is_reference)
        suspects: Mapping[int, Suspect] = asked.suspects
        if told_:
            suspects = not_outvoted(suspects, upheld_share(measured.item, told_))
        said = statements_said(measured.item, asked.of_points, relations)
        against = word_against(suspects, relations, measured.answer, said)
        return match_key_points(
            measured.item,
            measured.answer,
            looks,
            denied=confirmed_clauses(suspects, against),
            suspicion=suspicion(suspects, against, measured.answer),
            said=measured.said,
            told=told_,
            reference_entailed=entailed_share(asked.of_references, relations, is_reference=is_reference),
        )

    def _verify(self, wanted: Iterable[Pair]) -> dict[Pair, Relations]:
        """Return the verifier's word on pairs, each asked once; nothing where there is no verifier."""
        distinct = list(dict.fromkeys(wanted))
        if self.verifier is None or not distinct:
            return {}
        return {pair: Relations(*found) for pair, found in zip(distinct, self.verifier.relations(distinct).tolist(), strict=True)}

    def _encode(self, wanted: Iterable[Passage]) -> dict[Passage, FloatArray]:
        """Return the vectors of passages, each made once."""
        distinct = list(dict.fromkeys(wanted))
        table: dict[Passage, FloatArray] = {}
        for at in range(0, len(distinct), _PASSAGES_PER_CALL):
            chunk = distinct[at : at + _PASSAGES_PER_CALL]
            self._observer.encoded(len(chunk))
            table.update(zip(chunk, self.encoder.encode(chunk), strict=True))
        return table

    def _appraise(self, measured: _Measured, evidence: Evidence, matching: Matching, general: float) -> Appraisal:
        """Return what an answer that says something is worth."""
        item, answer = measured.item, measured.answer
        authored = not item.derived and all(point.keywords for point in item.key_points)
        too_long = self.encoder.count_tokens(answer.text) > self.encoder.max_tokens
        signs = notice(item, answer, evidence, matching, authored=authored, too_long=too_long)
        score = float(general)
        half_width = self._model.half_width
        if authored:
            score = self._model.blend(
                said=matching.said, keyword_coverage=matching.keyword_coverage, entailed=matching.entailed, upheld=matching.upheld
            )
            half_width = self._model.blend_half_width
        score = min(score * signs.factor, signs.ceiling)
        # A reference word for word is right, whatever is weighed.
        if authored and self._model.trees.names and not _is_reference(measured):
            numbers = fused_evidence(evidence, matching, made=score, factor=signs.factor)
            if numbers is not None:
                score = last_word(self._model.trees.predict(numbers), score, is_capped=signs.ceiling < 1.0)
        score = rounded(score)
        if authored and self._model.is_doubtful(doubts(answer, evidence, matching, score)):
            signs = replace(signs, review_reasons=(*signs.review_reasons, _DOUBTFUL))
        if _NAMES_ONLY.intersection(signs.flags):
            matching = matching.named_only()
        return Appraisal(
            item=item,
            answer=answer,
            evidence=evidence,
            matching=matching,
            signs=signs,
            score=score,
            half_width=half_width,
        )

    def _result(self, appraisal: Appraisal) -> GradingResult:
        """Return the result of an answer that says something."""
        adapted = AdaptedScore(score=appraisal.score, half_width=appraisal.half_width)
        if self._adapter is not None:
            adapted = self._adapter.adapt(appraisal)
        signs = appraisal.signs
        return self._compose(
            appraisal.item,
            appraisal.matching,
            score=adapted.score,
            half_width=adapted.half_width,
            similarity=appraisal.evidence.similarity,
            flags=signs.flags,
            misconceptions=signs.misconceptions,
            review_reasons=signs.review_reasons,
        )

    def _blank_result(self, item: ItemProfile) -> GradingResult:
        """Return the result of an answer without a letter or digit: nothing was said, and that is certain."""
        return self._compose(
            item,
            blank_matching(item),
            score=0.0,
            half_width=0.0,
            similarity=0.0,
            flags=(Flag.BLANK,),
            misconceptions=(),
            review_reasons=(),
        )

    def _compose(
        self,
        item: ItemProfile,
        matching: Matching,
        *,
        score: float,
        half_width: float,
        similarity: float,
        flags: tuple[Flag, ...],
        misconceptions: tuple[int, ...],
        review_reasons: tuple[str, ...],
    ) -> GradingResult:
        gradable = item.item
        mark = mark_from_score(score, max_mark=gradable.max_mark, mark_step=gradable.mark_step)
        grade = grade_from_mark(mark, max_mark=gradable.max_mark, boundaries=gradable.grade_boundaries)
        return GradingResult(
            score=score,
            mark=mark,
            max_mark=gradable.max_mark,
            grade=grade,
            interval=Interval(low=rounded(max(0.0, score - half_width)), high=rounded(min(1.0, score + half_width))),
            semantic_similarity=rounded(similarity),
            keyword_coverage=rounded(matching.keyword_coverage),
            keywords=matching.keywords,
            key_points=matching.matches,
            flags=flags,
            needs_review=bool(review_reasons),
            review_reasons=review_reasons,
            feedback=compose(item, matching, flags=flags, misconceptions=misconceptions, grade=grade),
            signature=f"{self.signature}|item-{item.content_hash[:12]}",
        )

    def _profile(self, item: Gradable) -> ItemProfile:
        """Return an item's profile, made at its first use."""
        key = item.content_hash
        with self._lock:
            profile = self._profiles.get(key)
            if profile is not None:
                self._profiles.move_to_end(key)
        self._observer.looked_up(Cache.PROFILES, hits=int(profile is not None), misses=int(profile is None))
        if profile is not None:
            return profile
        # A caller's own item is not kept on disk: it is theirs, and there is no end of them.
        vectors, words, _ = self._item_parts([item], keep=isinstance(item, Item))
        return self._keep(key, profile_item(item, vectors.__getitem__, words.__getitem__))

    def _keep(self, key: str, profile: ItemProfile) -> ItemProfile:
        """Keep a profile in memory, letting go of the one longest unused if there are too many."""
        with self._lock:
            self._profiles[key] = profile
            if len(self._profiles) > _PROFILES_KEPT:
                self._profiles.popitem(last=False)
        return profile

    def _item_parts(
        self, items: Sequence[Gradable], *, keep: bool
    ) -> tuple[dict[Passage, FloatArray], dict[str, PackedWords], int]:
        """Return the vectors and words of items, from the store or straight from the encoder, and how many vectors were made."""
        wanted = list(dict.fromkeys(passage for item in items for passage in item_passages(item)))
        texts = list(dict.fromkeys(text for item in items for text in item_texts(item)))
        read: dict[str, Words] = {}

        def make(missing: Sequence[Passage]) -> FloatArray:
            reading = self.encoder.read(missing)
            if missing:
                self._observer.encoded(len(missing))
            read.update(reading.words)
            return reading.vectors

        def make_words(missing: Sequence[str]) -> list[PackedWords]:
            make([Passage.whole(text) for text in missing if text not in read])
            return [PackedWords.of(read[text]) for text in missing]

        if self._store is None or not keep:
            vectors, made = make(wanted), len(wanted)
            words = dict(zip(texts, make_words(texts), strict=True))
        else:
            vectors, made = self._store.get_or_make(wanted, make)
            self._observer.looked_up(Cache.VECTORS, hits=len(wanted) - made, misses=made)
            words = self._store.get_or_make_words(texts, make_words)
        return dict(zip(wanted, vectors, strict=True)), words, made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """An answer with what was measured of it; `evidence` is None for a blank one. `said` is how far it says each key point."""

    item: ItemProfile
    answer: TextProfile
    evidence: Evidence | None
    said: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a verifier is to be asked about an answer: what is suspected of its clauses, and whether they say the item."""

    suspects: Mapping[int, Suspect]
    of_points: tuple[tuple[Question, ...], ...]
    of_references: tuple[tuple[Question, ...], ...]

    @classmethod
    def of(cls, measured: _Measured, suspects: Mapping[int, Suspect]) -> Self:
        """Put together what to ask about an answer."""
        item, answer = measured.item, measured.answer
        return cls(suspects=suspects, of_points=questions_of(item, answer), of_references=questions_of_references(item, answer))

    @property
    def pairs(self) -> list[Pair]:
        """All that is to be asked, in a stable order; the same pair may be there twice."""
        found = [pair for suspect in self.suspects.values() for pair in suspect.pairs]
        return found + [question.pair for questions in (*self.of_points, *self.of_references) for question in questions]


def _read(item: ItemProfile, written: str) -> str:
    """Return what is read of an answer: not its decoration, nor the question where it is said again."""
    text = undecorated(written)
    return text if item.question is None else without_echo(text, item.question.text)


def _measured(item: ItemProfile, answer: TextProfile, words: Words) -> _Measured:
    """Return what an answer's words and vectors say of an item."""
    evidence = measure(item, answer, words) if answer.clauses else None
    said = words_said(item, words, 0.0 if evidence is None else evidence.meaning_f1)
    return _Measured(item=item, answer=answer, evidence=evidence, said=said)


def _is_reference(measured: _Measured) -> bool:
    """Tell whether an answer is one of the references, but for capitals and white space."""
    said = normalise(measured.answer.text).casefold()
    return any(normalise(reference.text).casefold() == said for reference in measured.item.references)


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield texts in groups to be read in one go, so that the memory of a large batch is bounded."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if chunk and characters + len(text) > _CHARACTERS_PER_CALL:
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk


@cache
def _package_version() -> str:
    """Return the version that is installed; looking it up takes half a millisecond, which every result would pay."""
    return version("answer-grader")


def check_answer(candidate_answer: str) -> None:
    """Refuse what cannot be graded at all.

    Raises:
        InvalidAnswerError: If the answer is over 20,000 characters, or holds NUL characters or broken Unicode.
    """
    if len(candidate_answer) > MAX_ANSWER_CHARS:
        raise InvalidAnswerError(f"The answer has {len(candidate_answer)} characters; at most {MAX_ANSWER_CHARS} are read.")
    if "\x00" in candidate_answer:
        raise InvalidAnswerError("The answer holds NUL characters.")
    try:
        candidate_answer.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidAnswerError("The answer is not valid Unicode text.") from error
