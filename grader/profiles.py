"""Texts made ready for comparison: cut, indexed and with their vectors. An item's profile is made once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from grader.comparison import Comparison
from grader.decoration import undecorated
from grader.encoders import FloatArray
from grader.items import Gradable, KeyPoint
from grader.lexical import Phrase, WordIndex
from grader.reading import PackedWords
from grader.text import Passage, Span, clauses, function_words, normalise, sentences, words
from grader.word_meaning import Goals
from grader.word_order import word_order

# Clauses of one answer that are compared one by one. More than a careful answer has; a longer text is flagged as truncated.
MAX_CLAUSES = 80
# Of what a reference answer says, piece by piece. More would be clauses without a thought of their own.
_MAX_PIECES = 6
SHORTEST_KEY_POINT_WORDS = 3
# References that a verifier is asked about; see docs/adr/0032.
_MAX_REFERENCES = 3
# Longer than any word; a keyword may not be as long as a text.
_LONGEST_TERM_CHARS = 100

_CONDITION = re.compile(r"(?:if|when|whenever|where|whether|unless|until|once|in case)\b[^,.!?]*$", re.IGNORECASE)

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Lookup = Callable[[Passage], FloatArray]
WordLookup = Callable[[str], PackedWords]


@dataclass(frozen=True, kw_only=True)
class TextProfile:
    """A text with its clauses and their vectors. `vectors` has shape `(clauses, dimension)`; a blank text has no clause.

    `text` is what is read of what was `written`, without decoration or the question's own words, and has the same places.
    """

    written: str
    text: str
    vector: FloatArray
    clauses: tuple[Span, ...]
    vectors: FloatArray

    @cached_property
    def index(self) -> WordIndex:
        """The words of the text, for finding."""
        return WordIndex(words(self.text))

    @cached_property
    def order(self) -> float:
        """How far the words stand in an order that sentences have, see `grader.word_order`."""
        return word_order(self.text)

    @cached_property
    def function_share(self) -> float:
        """Share of function words among the words, in [0, 1]; 0.0 for a blank text."""
        return sum(not word.is_content for word in self.index.words) / max(1, len(self.index.words))

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of the content words; all stems where a text has none, such as "to be or not to be"."""
        return self.index.content_stems or self.index.stems

    @cached_property
    def bigrams(self) -> frozenset[tuple[str, str]]:
        """Pairs of neighbouring stems: what is left of a text's meaning in its word order."""
        stems = [w.stem for w in self.index.words]
        return frozenset(pairwise(stems))

    @cached_property
    def trigrams(self) -> frozenset[str]:
        """Distinct runs of three letters of the lower-cased text, words set apart by single spaces."""
        plain = unicodedata.normalize("NFC", f" {' '.join(word.text.lower() for word in self.index.words)} ")
        return frozenset(plain[i : i + 3] for i in range(len(plain) - 2))


@dataclass(frozen=True, kw_only=True)
class KeyPointProfile:
    """A key point with the sentences that state it, their words as goals, and for each keyword its forms as words."""

    key_point: KeyPoint
    forms: tuple[TextProfile, ...]
    goals: Goals
    keywords: tuple[tuple[Phrase, ...], ...]

    @cached_property
    def vectors(self) -> FloatArray:
        """Vectors of the forms, shape `(forms, dimension)`."""
        return np.stack([form.vector for form in self.forms])


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or clause of an item, with its vector and its words.

    A condition cut out of a sentence ("if the null hypothesis were true") claims nothing that could be denied.
    """

    text: str
    vector: FloatArray
    index: WordIndex
    is_condition: bool = False


class Piece(NamedTuple):
    """A sentence or clause of a reference, with the vectors of its clauses, shape `(clauses, dimension)`."""

    text: str
    vectors: FloatArray


@dataclass(frozen=True, kw_only=True)
class ItemProfile:
    """Everything of an item that an answer is compared with.

    `right` has the vectors of all that is right, shape `(n, dimension)`: the sentences of the key points, the references and,
    where there are misconceptions to be told from, each clause of the references by itself. `asked` are the words of the
    question, `goals` those of the references.
    """

    item: Gradable
    question: TextProfile | None
    asked: PackedWords | None
    references: tuple[TextProfile, ...]
    goals: Goals
    key_points: tuple[KeyPointProfile, ...]
    misconceptions: tuple[TextProfile, ...]
    right: FloatArray
    derived: bool

    @cached_property
    def content_hash(self) -> str:
        """The item's, which takes half a millisecond to work out and stands in every result."""
        return self.item.content_hash

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What the item says, piece by piece: the sentences of its key points, and the clauses of its references."""
        forms = [Statement(form.text, form.vector, form.index) for point in self.key_points for form in point.forms]
        clauses_ = [
            Statement(clause.text, vector, WordIndex.of(clause.text), _is_condition(reference.text, clause))
            for reference in self.references
            for clause, vector in zip(reference.clauses, reference.vectors, strict=True)
        ]
        return (*forms, *clauses_)

    @cached_property
    def reference_pieces(self) -> tuple[tuple[Piece, ...], ...]:
        """What each of several references says, piece by piece: nothing where the key points are an author's.

        Nor where there is but one reference, whose one wording tells too little; one that is repeated is in no other words.
        """
        distinct = {normalise(reference.text).casefold(): reference for reference in self.references if reference.clauses}
        references = list(distinct.values())[:_MAX_REFERENCES]
        return tuple(_pieces_of(reference) for reference in references) if self.derived and len(references) > 1 else ()

    @cached_property
    def words_of_references(self) -> frozenset[str]:
        """Stems of the content words of all references."""
        return frozenset[str]().union(*(reference.content for reference in self.references))

    @cached_property
    def pairs_of_references(self) -> frozenset[tuple[str, str]]:
        """Pairs of neighbouring stems in any reference."""
        return frozenset[tuple[str, str]]().union(*(reference.bigrams for reference in self.references))

    @cached_property
    def claims(self) -> BoolArray:
        """Which of the statements claim something, shape `(statements,)`."""
        return np.array([not statement.is_condition for statement in self.statements])

    @cached_property
    def things(self) -> IntArray:
        """Which of the two things that the item compares a statement is about, 1 or -1, or 0 for both or neither."""
        if self.comparison is None:
            return np.zeros(len(self.statements), dtype=np.int64)
        return np.array([self.comparison.named_in(statement.text) for statement in self.statements], dtype=np.int64)

    @cached_property
    def comparison(self) -> Comparison | None:
        """The two things that the question compares, or None; only an author's key points tell them apart for sure."""
        if self.derived or self.question is None:
            return None
        stated = [point.key_point.text for point in self.key_points]
        texts = [form.text for point in self.key_points for form in point.forms] + [r.text for r in self.references]
        return Comparison.of(self.question.text, stated, texts)

    @cached_property
    def statement_vectors(self) -> FloatArray:
        """Vectors of the statements, shape `(statements, dimension)`."""
        return np.stack([statement.vector for statement in self.statements])

    @cached_property
    def misconception_vectors(self) -> FloatArray:
        """Vectors of the misconceptions, shape `(misconceptions, dimension)`."""
        vectors = [misconception.vector for misconception in self.misconceptions]
        return np.array(vectors, dtype=np.float32).reshape(len(vectors), self.right.shape[1])

    @cached_property
    def asked_keywords(self) -> tuple[tuple[bool, ...], ...]:
        """For each key point and each of its keywords, whether the question itself holds it in any form."""
        index = None if self.question is None else self.question.index
        return tuple(
            tuple(index is not None and any(index.find_phrase(form) for form in forms) for forms in point.keywords)
            for point in self.key_points
        )

    @cached_property
    def question_stems(self) -> frozenset[str]:
        """Stems of the question's content words: saying them again earns nothing."""
        return self.question.content if self.question else frozenset()


def _is_condition(text: str, clause: Span) -> bool:
    """Tell whether a clause is a condition and the rest of its sentence stands elsewhere."""
    goes_on = text[clause.end :].lstrip()[:1] not in {"", ".", "!", "?"}
    return goes_on and _CONDITION.match(clause.text) is not None


def passages(text: str) -> list[Passage]:
    """Return a text and its clauses: what has to be encoded for its profile."""
    return [Passage.whole(text), *(Passage(text, clause.start, clause.end) for clause in clauses(text)[:MAX_CLAUSES])]


def item_passages(item: Gradable) -> list[Passage]:
    """Return every passage of an item that has to be encoded, each once, in a stable order."""
    found: list[Passage] = [_whole(item.question)] if item.question.strip() else []
    for reference in item.reference_answers:
        found += passages(undecorated(reference.text))
    for key_point in effective_key_points(item):
        found += [_whole(text) for text in (key_point.text, *key_point.examples)]
    if item.misconceptions:
        found += [_whole(m.text) for m in item.misconceptions]
        # A misconception is told from what is right clause by clause, each by itself; see `matching.second_looks`.
        texts = [undecorated(reference.text) for reference in item.reference_answers]
        found += [Passage.whole(span.text) for text in texts for span in clauses(text)[:MAX_CLAUSES]]
    return list(dict.fromkeys(found))


def item_texts(item: Gradable) -> list[str]:
    """Return the texts of an item whose words are held against an answer's, each once, in a stable order."""
    found = [item.question] if item.question.strip() else []
    found += [reference.text for reference in item.reference_answers]
    found += [text for key_point in effective_key_points(item) for text in (key_point.text, *key_point.examples)]
    return list(dict.fromkeys(map(undecorated, found)))


def profile_text(text: str, lookup: Lookup) -> TextProfile:
    """Return a text's profile; a text without letters or digits has a zero vector and no clause."""
    spans = tuple(clauses(text)[:MAX_CLAUSES])
    whole = lookup(Passage.whole(text))
    if not spans:
        return TextProfile(written=text, text=text, vector=whole * 0, clauses=(), vectors=whole[None, :][:0])
    vectors = np.stack([lookup(Passage(text, span.start, span.end)) for span in spans])
    return TextProfile(written=text, text=text, vector=whole, clauses=spans, vectors=vectors)


def profile_item(item: Gradable, lookup: Lookup, words_of: WordLookup) -> ItemProfile:
    """Return an item's profile. Every passage of `item_passages` and text of `item_texts` is looked up; nothing is encoded."""
    asked = words_of(undecorated(item.question)) if item.question.strip() else None
    references = tuple(profile_text(undecorated(reference.text), lookup) for reference in item.reference_answers)
    key_points = tuple(_profile_key_point(point, lookup, words_of, asked) for point in effective_key_points(item))
    right = [form.vector for point in key_points for form in point.forms] + [reference.vector for reference in references]
    if item.misconceptions:
        right += [lookup(Passage.whole(clause.text)) for reference in references for clause in reference.clauses]
    return ItemProfile(
        item=item,
        question=_profile_sentence(item.question, lookup) if item.question.strip() else None,
        asked=asked,
        references=references,
        goals=Goals.of([words_of(reference.text) for reference in references], asked),
        key_points=key_points,
        misconceptions=tuple(_profile_sentence(m.text, lookup) for m in item.misconceptions),
        right=np.stack(right),
        derived=not item.key_points,
    )


def _profile_key_point(key_point: KeyPoint, lookup: Lookup, words_of: WordLookup, asked: PackedWords | None) -> KeyPointProfile:
    texts = (key_point.text, *key_point.examples)
    return KeyPointProfile(
        key_point=key_point,
        forms=tuple(_profile_sentence(text, lookup) for text in texts),
        goals=Goals.of([words_of(undecorated(text)) for text in texts], asked),
        keywords=tuple(tuple(Phrase.of(words(form)) for form in forms) for forms in key_point.keywords),
    )


def effective_key_points(item: Gradable) -> tuple[KeyPoint, ...]:
    """Return the item's key points, or those derived from the first reference answer: one for each of its sentences.

    A single long sentence gives one for each clause. Keywords are the words that the question does not already hold.
    """
    if item.key_points:
        return item.key_points
    asked = {w.stem for w in words(undecorated(item.question))}
    first = undecorated(item.reference_answers[0].text)
    return tuple(
        KeyPoint(id=f"point-{number}", text=span.text, keywords=tuple((term,) for term in terms_of(span.text, asked)))
        for number, span in enumerate(_spans_said(first), start=1)
    )


def _spans_said(text: str) -> list[Span]:
    """Return the sentences of a reference, or the clauses of a lone one, up to six; those of a word or two say nothing."""
    spans = sentences(text)
    if len(spans) == 1:
        spans = clauses(text)
    return ([s for s in spans if len(words(s.text)) >= SHORTEST_KEY_POINT_WORDS] or [Span(0, len(text), text)])[:_MAX_PIECES]


def _pieces_of(reference: TextProfile) -> tuple[Piece, ...]:
    starts = np.array([clause.start for clause in reference.clauses])
    found = (
        Piece(span.text, reference.vectors[(span.start <= starts) & (starts < span.end)]) for span in _spans_said(reference.text)
    )
    return tuple(piece for piece in found if len(piece.vectors))


def terms_of(sentence: str, asked: set[str]) -> list[str]:
    """Return up to eight words of a sentence that carry subject matter and are not the question's own, in order."""
    seen = set(asked)
    terms = []
    for word in words(sentence):
        if word.text.lower() in function_words() or word.stem in seen or not 1 < len(word.text) <= _LONGEST_TERM_CHARS:
            continue
        seen.add(word.stem)
        terms.append(word.text)
    return terms[:8]


def _profile_sentence(written: str, lookup: Lookup) -> TextProfile:
    """Return the profile of a text that says one thing: it is its own only clause."""
    whole = _whole(written)
    vector, text = lookup(whole), whole.text
    return TextProfile(written=written, text=text, vector=vector, clauses=(Span(0, len(text), text),), vectors=vector[None, :])


def _whole(written: str) -> Passage:
    return Passage.whole(undecorated(written))
