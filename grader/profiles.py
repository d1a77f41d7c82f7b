"""Texts made ready for comparison: cut, indexed and with their vectors. An item's profile is made once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from grader.encoders import FloatArray
from grader.items import Gradable, KeyPoint
from grader.lexical import WordIndex
from grader.text import Passage, Span, Word, clauses, function_words, sentences, words

# Clauses of one answer that are compared one by one. More than a careful answer has; a longer text is flagged as truncated.
MAX_CLAUSES = 80
# Key points derived from a reference answer. More would be clauses without a thought of their own.
_MAX_DERIVED_KEY_POINTS = 6
SHORTEST_KEY_POINT_WORDS = 3
# Longer than any word; a keyword may not be as long as a text.
_LONGEST_TERM_CHARS = 100

Lookup = Callable[[Passage], FloatArray]


@dataclass(frozen=True, kw_only=True)
class TextProfile:
    """A text with its clauses and their vectors. `vectors` has shape `(clauses, dimension)`; a blank text has no clause."""

    text: str
    vector: FloatArray
    clauses: tuple[Span, ...]
    vectors: FloatArray

    @cached_property
    def index(self) -> WordIndex:
        """The words of the text, for finding."""
        return WordIndex(words(self.text))

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of the content words; all stems where a text has none, such as "to be or not to be"."""
        return frozenset(w.stem for w in self.index.words if w.is_content) or self.index.stems

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
    """A key point with the sentences that state it and, for each keyword, its forms as words."""

    key_point: KeyPoint
    forms: tuple[TextProfile, ...]
    keywords: tuple[tuple[tuple[Word, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or clause of an item, with its vector and its words."""

    text: str
    vector: FloatArray
    index: WordIndex


@dataclass(frozen=True, kw_only=True)
class ItemProfile:
    """Everything of an item that an answer is compared with.

    `right` has the vectors of all that is right, shape `(n, dimension)`: the sentences of the key points, the references and,
    where there are misconceptions to be told from, each clause of the references by itself.
    """

    item: Gradable
    question: TextProfile | None
    references: tuple[TextProfile, ...]
    key_points: tuple[KeyPointProfile, ...]
    misconceptions: tuple[TextProfile, ...]
    right: FloatArray
    derived: bool

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What the item says, piece by piece: the sentences of its key points, and the clauses of its references."""
        forms = [Statement(form.text, form.vector, form.index) for point in self.key_points for form in point.forms]
        clauses_ = [
            Statement(clause.text, vector, WordIndex.of(clause.text))
            for reference in self.references
            for clause, vector in zip(reference.clauses, reference.vectors, strict=True)
        ]
        return (*forms, *clauses_)

    @cached_property
    def question_stems(self) -> frozenset[str]:
        """Stems of the question's content words: saying them again earns nothing."""
        return self.question.content if self.question else frozenset()


def passages(text: str) -> list[Passage]:
    """Return a text and its clauses: what has to be encoded for its profile."""
    return [Passage.whole(text), *(Passage(text, clause.start, clause.end) for clause in clauses(text)[:MAX_CLAUSES])]


def item_passages(item: Gradable) -> list[Passage]:
    """Return every passage of an item that has to be encoded, each once, in a stable order."""
    found: list[Passage] = [Passage.whole(item.question)] if item.question.strip() else []
    for reference in item.reference_answers:
        found += passages(reference.text)
    for key_point in effective_key_points(item):
        found += [Passage.whole(text) for text in (key_point.text, *key_point.examples)]
    if item.misconceptions:
        found += [Passage.whole(m.text) for m in item.misconceptions]
        # A misconception is told from what is right clause by clause, each by itself; see `matching.second_looks`.
        found += [Passage.whole(span.text) for r in item.reference_answers for span in clauses(r.text)[:MAX_CLAUSES]]
    return list(dict.fromkeys(found))


def profile_text(text: str, lookup: Lookup) -> TextProfile:
    """Return a text's profile; a text without letters or digits has a zero vector and no clause."""
    spans = tuple(clauses(text)[:MAX_CLAUSES])
    whole = lookup(Passage.whole(text))
    if not spans:
        return TextProfile(text=text, vector=whole * 0, clauses=(), vectors=whole[None, :][:0])
    vectors = np.stack([lookup(Passage(text, span.start, span.end)) for span in spans])
    return TextProfile(text=text, vector=whole, clauses=spans, vectors=vectors)


def profile_item(item: Gradable, lookup: Lookup) -> ItemProfile:
    """Return an item's profile. Every passage of `item_passages` is looked up; nothing is encoded here."""
    references = tuple(profile_text(reference.text, lookup) for reference in item.reference_answers)
    key_points = tuple(
        KeyPointProfile(
            key_point=key_point,
            forms=tuple(_profile_sentence(text, lookup) for text in (key_point.text, *key_point.examples)),
            keywords=tuple(tuple(tuple(words(form)) for form in forms) for forms in key_point.keywords),
        )
        for key_point in effective_key_points(item)
    )
    right = [form.vector for point in key_points for form in point.forms] + [reference.vector for reference in references]
    if item.misconceptions:
        right += [lookup(Passage.whole(clause.text)) for reference in references for clause in reference.clauses]
    return ItemProfile(
        item=item,
        question=_profile_sentence(item.question, lookup) if item.question.strip() else None,
        references=references,
        key_points=key_points,
        misconceptions=tuple(_profile_sentence(m.text, lookup) for m in item.misconceptions),
        right=np.stack(right),
        derived=not item.key_points,
    )


def effective_key_points(item: Gradable) -> tuple[KeyPoint, ...]:
    """Return the item's key points, or those derived from the first reference answer: one for each of its sentences.

    A single long sentence gives one for each clause. Keywords are the words that the question does not already hold.
    """
    if item.key_points:
        return item.key_points
    text = item.reference_answers[0].text
    spans = sentences(text)
    if len(spans) == 1:
        spans = clauses(text)
    said = [s.text for s in spans if len(words(s.text)) >= SHORTEST_KEY_POINT_WORDS] or [text]
    asked = {w.stem for w in words(item.question)}
    return tuple(
        KeyPoint(id=f"point-{number}", text=sentence, keywords=tuple((term,) for term in terms_of(sentence, asked)))
        for number, sentence in enumerate(said[:_MAX_DERIVED_KEY_POINTS], start=1)
    )


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


def _profile_sentence(text: str, lookup: Lookup) -> TextProfile:
    """Return the profile of a text that says one thing: it is its own only clause."""
    vector = lookup(Passage.whole(text))
    return TextProfile(text=text, vector=vector, clauses=(Span(0, len(text), text),), vectors=vector[None, :])
