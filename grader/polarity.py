"""Whether a text affirms or denies: negation words, and words that say the opposite.

A rule-made judgement of two texts that speak of the same thing. It is used only where the wording is close, since a right answer
in other words may hold any number of negations.
"""

from __future__ import annotations

import re
from functools import cache

from grader.text import stem, word_list, words

_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without|neither|nor|none|nothing|nobody|hardly|barely|scarcely|unable|fails? to|failed to"
    r"|lacks?|lacking|instead of|rather than|avoids? (?:all|any)|stops? (?=\w+ing\b)|far from"
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
_SCOPE_END = re.compile(r"[,;:.!?()]|\s[-–—]\s|\b(?:but|rather|instead|however)\b", re.IGNORECASE)


def negations(text: str) -> int:
    """Return how many words of a text deny something, leaving out "not only" and its like."""
    return len(_denials(text))


def is_negated(text: str) -> bool:
    """Tell whether the denials of a text leave it denied: an odd number of them does."""
    return negations(text) % 2 == 1


def _denials(text: str) -> list[int]:
    """Return where each denial of a text ends, so that what follows is what it denies."""
    idle = [found.span() for found in _IDLE.finditer(text)]
    return [found.end() for found in _NEGATION.finditer(text) if not any(start <= found.start() < end for start, end in idle)]


def _denials_about(text: str, subject: frozenset[str]) -> int:
    """Return how many denials of a text are about a subject: one of the next content words belongs to it.

    It reaches to the next comma or "but": in "it is not the maths, it is the picture" the picture is affirmed. A denial at the
    very end ("it does not") is about what came before. "No technical words" says nothing against a text that never spoke of them.
    """
    text_words = [word for word in words(text) if word.is_content]
    count = 0
    for end in _denials(text):
        stop = _SCOPE_END.search(text, end)
        until = stop.start() if stop else len(text)
        scope = [word.stem for word in text_words if end <= word.start < until][:_SCOPE_WORDS]
        if not scope:
            scope = [word.stem for word in text_words][-_SCOPE_WORDS:]
        count += any(word in subject for word in scope)
    return count


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


def reversals(answer: str, reference: str) -> int:
    """Return how many words of the reference the answer puts the opposite of in its place.

    A word counts where the reference has it, the answer lacks it, and the answer has its opposite while the reference has not.
    """
    in_answer = {word.stem for word in words(answer)}
    in_reference = {word.stem for word in words(reference)}
    table = opposites()
    return sum(bool(table.get(word, frozenset()) & in_answer - in_reference) for word in in_reference - in_answer)


def disagrees(answer: str, reference: str) -> bool:
    """Tell whether one text denies what the other says, by its negations and opposites together.

    Each negation and each opposite turns the sense round, so two of them cancel: "does not increase" agrees with "reduces".

    >>> disagrees("Dropout does not reduce overfitting.", "Dropout reduces overfitting.")
    True
    >>> disagrees("It does not increase overfitting.", "It reduces overfitting.")
    False
    """
    in_answer = frozenset(word.stem for word in words(answer))
    in_reference = frozenset(word.stem for word in words(reference))
    denials = _denials_about(answer, in_reference) + _denials_about(reference, in_answer)
    return (denials + reversals(answer, reference)) % 2 == 1
