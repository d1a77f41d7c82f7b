"""Sentences that speak to whoever marks an answer and not of its question: praise of the answer, orders, made-up results.

They say nothing of the item, and a network that reads them beside a failing answer finds it likelier right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import cache

from grader.text import content_stems, sentences, stem, word_list

# Words of marking that make such a sentence, and the share of its content words that they are at least.
_LEAST_WORDS = 2
_LEAST_SHARE = 0.6


@cache
def _marking_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in word_list("marking_words"))


@cache
def _may_be_of_marking() -> re.Pattern[str]:
    """Return what finds at least the words of marking, in no time: most answers hold hardly any."""
    beginnings = sorted({*_marking_stems(), *word_list("marking_words")})
    return re.compile(rf"\b(?:{'|'.join(beginnings)})", re.IGNORECASE)


def is_of_marking(sentence: str) -> bool:
    """Tell whether a sentence is made of words of marking."""
    stems = {each for each in content_stems(sentence) if not each[0].isdigit()}
    of_marking = len(stems & _marking_stems())
    return of_marking >= _LEAST_WORDS and of_marking >= _LEAST_SHARE * len(stems)


def without_words_to_the_marker(text: str, known: Callable[[], AbstractSet[str]]) -> str:
    """Return a text without the sentences of marking that share no word with the item; as it is where it has no others.

    Args:
        text: What an answer says.
        known: Gives the stems of the item's content words, if they are needed: who is asked about marking may speak of it.
    """
    if len(_may_be_of_marking().findall(text)) < _LEAST_WORDS:
        return text
    said = [span.text for span in sentences(text)]
    of_marking = [sentence for sentence in said if is_of_marking(sentence)]
    if not of_marking:
        return text
    stems = known()
    kept = [each for each in said if each not in of_marking or not stems.isdisjoint(content_stems(each))]
    return " ".join(kept) if kept and len(kept) < len(said) else text
