"""Whether a text affirms or denies: negation words, and words that say the opposite.

A rule-made judgement of two texts that speak of the same thing. It is used only where the wording is close, since a right answer
in other words may hold any number of negations.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from grader.text import stem, word_list, words

_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without|neither|nor|none|nothing|nobody|hardly|barely|scarcely|unable|fails? to|failed to"
    r"|lacks?|lacking|instead of|rather than|far from"
    r"|(?:is|are|was|were|do|does|did|ca|wo|would|should|could|has|have|had)n['’]?t)\b",
    re.IGNORECASE,
)
# Negation words that deny nothing: "not only", "no matter", "without doubt", "if not".
_IDLE = re.compile(
    r"\b(?:not (?:only|just|merely|simply|necessarily)|no (?:matter|doubt|longer than)|without (?:doubt|question)"
    r"|whether or not|if not)\b",
    re.IGNORECASE,
)


# Content words after a denial that it can be about: "not yet learn complex patterns" denies the learning and the patterns.
_SCOPE_WORDS = 3
# More than three content words take, so that a long text without commas is not read again for each denial.
_SCOPE_CHARS = 200
# Verbs and prepositions that turn round what they act on, without denying themselves.
_LESSENING = re.compile(
    r"\b(?:reduc(?:e|es|ed|ing)|decreas(?:e|es|ed|ing)|lower(?:s|ed|ing)|lessen(?:s|ed|ing)?|prevent(?:s|ed|ing)?|avoid(?:s|ed|ing)?"
    r"|against|fight(?:s|ing)?|combat(?:s|ing)?|counter(?:s|ing)?|limit(?:s|ed|ing)?|mitigat(?:e|es|ing)|suppress(?:es|ing)?"
    r"|eliminat(?:e|es|ing)|remov(?:e|es|ed|ing)|stop(?:s|ped|ping)? from|curb(?:s|ing)?|less|fewer|ignor(?:e|es|ed|ing)"
    r"|discard(?:s|ed|ing)?)\b",
    re.IGNORECASE,
)
# "A technique against overfitting that switches neurons off" is not against the switching.
_LESSENING_END = re.compile(r"[,;:.!?()]|\s[-–—]\s|\b(?:but|rather|instead|however|that|which|who)\b", re.IGNORECASE)
_SCOPE_END = re.compile(r"[,;:.!?()]|\s[-–—]\s|\b(?:but|rather|instead|however)\b", re.IGNORECASE)


def negations(text: str) -> int:
    """Return how many words of a text deny something, leaving out "not only" and its like."""
    idle = [found.span() for found in _IDLE.finditer(text)]
    found = [m.start() for m in _NEGATION.finditer(text)]
    return sum(not any(start <= at < end for start, end in idle) for at in found)


def is_negated(text: str) -> bool:
    """Tell whether the denials of a text leave it denied: an odd number of them does."""
    return negations(text) % 2 == 1


def _denials(text: str) -> list[tuple[int, int]]:
    """Return the stretches of a text that are denied: what follows a denial or a word like "reduces", to the next comma or "but".

    Such words turn round what they act on, so that "reduces overfitting" and "no overfitting" are of one mind. A denial at the
    very end ("it does not") turns round what came before it.
    """
    idle = [found.span() for found in _IDLE.finditer(text)]
    stretches = []
    for pattern, end in ((_NEGATION, _SCOPE_END), (_LESSENING, _LESSENING_END)):
        for found in pattern.finditer(text):
            if any(start <= found.start() < end for start, end in idle):
                continue
            stop = end.search(text, found.end(), found.end() + _SCOPE_CHARS)
            until = stop.start() if stop else len(text)
            ahead = [word for word in words(text[found.end() : min(until, found.end() + _SCOPE_CHARS)]) if word.is_content]
            if ahead:
                stretches.append((found.end(), found.end() + ahead[:_SCOPE_WORDS][-1].end))
            elif pattern is _NEGATION:
                stretches.append((0, found.start()))
    return stretches


@lru_cache(maxsize=50_000)
def signed_words(text: str) -> dict[str, int]:
    """Return the stems of a text's content words with +1 where they are affirmed and -1 where they are denied.

    Two denials cancel out. A word that is both affirmed and denied is left out: it says nothing of the text's mind.

    >>> signed_words("It reduces overfitting")["overfit"], signed_words("It does not reduce overfitting")["overfit"]
    (-1, 1)
    """
    denied = _denials(text)
    found: dict[str, set[int]] = {}
    for word in words(text):
        if word.is_content:
            turns = sum(start <= word.start < end for start, end in denied)
            found.setdefault(word.stem, set()).add(-1 if turns % 2 else 1)
    return {stem_: signs.pop() for stem_, signs in found.items() if len(signs) == 1}


@cache
def opposites() -> dict[str, frozenset[str]]:
    """Return the stems that say the opposite of a stem."""
    table: dict[str, set[str]] = {}
    for pair in word_list("opposites"):
        one, other = (stem(word) for word in pair.split("/"))
        if one != other:
            table.setdefault(one, set()).add(other)
            table.setdefault(other, set()).add(one)
    return {key: frozenset(values) for key, values in table.items()}


def disagrees(answer: str, reference: str, *, share: float = 1 / 3) -> bool:
    """Tell whether one text denies what the other says.

    Words that both hold are compared by their signs, and a word of the one with its opposite in the other by the reverse. The
    texts disagree if at least `share` of these pairs do; among texts that are alike but for a word, a small share is enough.

    >>> disagrees("Dropout does not reduce overfitting.", "Dropout reduces overfitting.")
    True
    >>> disagrees("It does not increase overfitting.", "It reduces overfitting.")
    False
    """
    said, meant = signed_words(answer), signed_words(reference)
    table = opposites()
    agree = disagree = 0
    for word, sign in meant.items():
        if word in said:
            pairs = [said[word] == sign]
        else:
            pairs = [said[other] != sign for other in table.get(word, ()) if other in said and other not in meant]
        agree += sum(pairs)
        disagree += len(pairs) - sum(pairs)
    return disagree > 0 and disagree >= share * (agree + disagree)
