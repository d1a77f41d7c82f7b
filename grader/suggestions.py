"""Key points and keywords suggested to an author from the reference answers: a draft to cut down, not a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from grader.items import Gradable, KeyPoint, ReferenceKind
from grader.profiles import SHORTEST_KEY_POINT_WORDS, effective_key_points, terms_of
from grader.text import sentences, words

# More would be details that no author gives marks for.
_MOST_SUGGESTED = 8
_MOST_KEYWORDS = 4
_MOST_EXAMPLES = 3
# Share of a sentence's terms that another text has to hold for the two to say the same. By eye on the thirty shipped items, with
# their key points taken out: below .4 distinct ideas fall together, above .6 the same idea comes twice.
_SAME_IDEA = 0.5
_FEWEST_SHARED = 2
_ID_TERMS = 2
# Words of no subject that function words do not count, and that would be a poor sign of any idea.
_GENERAL = """
towards toward every many much most more less few fewer other another same several both such like kind form way
example instead therefore because however usually often typically generally common usual useful make makes made use
used using help helps get gives given take takes taken need needs become becomes keep keeps kept mean means call
called happen occurs occur allow allows lead leads thing things one two very too also only
"""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a reference with the terms that carry its matter, each by stem and as it is written."""

    text: str
    terms: dict[str, str]


def suggest_key_points(item: Gradable) -> tuple[KeyPoint, ...]:
    """Return the item's key points completed, and new ones for what its fullest reference says beyond them.

    A key point of the author's stays as it is; where it has no keywords it gets those that its text suggests. A new one is a
    sentence of the first full reference (or a clause, where that is one long sentence, as `effective_key_points` cuts it) that
    no key point says yet. Its keywords are its terms that most references use, without the question's own words; its examples
    are the sentences of other references that share its terms; it weighs 2 where most references have such a sentence, else 1.
    References only confirm, and never add: the same idea in other words would come twice. The same item gives the same
    suggestions. Takes some milliseconds.
    """
    references = sorted(item.reference_answers, key=lambda reference: reference.kind is not ReferenceKind.FULL)
    asked = {word.stem for word in words(item.question)} | _general_stems()
    own, *others = [[_sentence(text.rstrip(" ;,:"), asked) for text in _pieces(item, reference.text)] for reference in references]
    usage = Counter(stem for said in (own, *others) for stem in {stem for each in said for stem in each.terms})
    points = [point if point.keywords else _with_keywords(point, asked, usage) for point in item.key_points]
    known = [_stems(" ".join([p.text, *p.examples, *(form for forms in p.keywords for form in forms)])) for p in points]
    taken = {point.id for point in points}
    for sentence in own:
        if len(points) >= max(_MOST_SUGGESTED, len(item.key_points)):
            break
        if not sentence.terms or any(_held(sentence.terms, stems) for stems in known):
            continue
        point = _suggested(sentence, others, usage, taken)
        points.append(point)
        taken.add(point.id)
        known.append(_stems(point.text))
    return tuple(points)


def _pieces(item: Gradable, text: str) -> list[str]:
    """Return what a reference says, piece by piece, however many pieces there are."""
    spans = sentences(text)
    if len(spans) > 1:
        return [span.text for span in spans if len(words(span.text)) >= SHORTEST_KEY_POINT_WORDS]
    alone = Gradable(question=item.question, reference_answers=tuple(r for r in item.reference_answers if r.text == text)[:1])
    return [point.text for point in effective_key_points(alone)]


def _suggested(sentence: _Sentence, others: Sequence[Sequence[_Sentence]], usage: Counter[str], taken: set[str]) -> KeyPoint:
    """Return a key point for a sentence."""
    same = [found.text for each in others if (found := _closest(sentence, each)) is not None]
    chosen = _chosen(sentence.terms, usage)
    return KeyPoint(
        id=_free_id([sentence.terms[stem] for stem in chosen], taken),
        text=sentence.text,
        weight=2 if 2 * (len(same) + 1) > len(others) + 1 else 1,
        keywords=tuple((sentence.terms[stem],) for stem in chosen),
        examples=tuple(dict.fromkeys(same))[:_MOST_EXAMPLES],
    )


def _closest(sentence: _Sentence, others: Sequence[_Sentence]) -> _Sentence | None:
    """Return the sentence of another reference that shares most terms, if it says the same."""
    best = max(others, key=lambda other: len(sentence.terms.keys() & other.terms.keys()), default=None)
    if best is None:
        return None
    shared = len(sentence.terms.keys() & best.terms.keys())
    fewest = min(len(sentence.terms), len(best.terms))
    return best if shared >= _FEWEST_SHARED and shared >= _SAME_IDEA * fewest else None


def _with_keywords(point: KeyPoint, asked: set[str], usage: Counter[str]) -> KeyPoint:
    terms = _sentence(point.text, asked).terms
    return point.model_copy(update={"keywords": tuple((terms[stem],) for stem in _chosen(terms, usage))})


def _chosen(terms: dict[str, str], usage: Counter[str]) -> list[str]:
    """Return the stems of the terms that most references use, in the order of the sentence; longer words first among equals."""
    ranked = sorted(terms, key=lambda stem: (-usage[stem], -len(terms[stem]), stem))[:_MOST_KEYWORDS]
    return [stem for stem in terms if stem in ranked]


def _sentence(text: str, asked: set[str]) -> _Sentence:
    """Return a sentence with its terms; a capital letter that only the beginning of the sentence asks for is taken back."""
    terms = terms_of(text, asked)
    first = next((word.text for word in words(text)), "")
    plain = [term.lower() if term == first and term.istitle() else term for term in terms]
    return _Sentence(text, {words(term)[0].stem: term for term in plain})


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.stem for word in words(text))


def _held(terms: Iterable[str], stems: frozenset[str]) -> bool:
    distinct = set(terms)
    return len(distinct & stems) >= _SAME_IDEA * len(distinct)


@cache
def _general_stems() -> frozenset[str]:
    return frozenset(word.stem for word in words(_GENERAL))


def _free_id(terms: Sequence[str], taken: set[str]) -> str:
    """Return an id made of the first terms that fit into one, with a number if it is taken."""
    plain = ["".join(c for c in term.lower() if c.isascii() and c.isalnum()) for term in terms]
    name = "-".join([term for term in plain if term][:_ID_TERMS])[:60].strip("-") or "point"
    numbers = (f"{name}-{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(free for free in numbers if free not in taken)
