"""The question said again in an answer: it is the question's and says nothing, so it is passed over beside what does."""

from __future__ import annotations

import re
from functools import lru_cache

from grader.text import has_words, words

# A shorter question, such as "Osmosis", is what an answer is about, and may stand in it as a line of its own.
_SHORTEST_ECHO_WORDS = 5
# As sentences of their own: behind a stop or nothing, or with the question's own capital behind a word, as stops get left out;
# and before a stop, a line's end or nothing. Bounded, as texts are hostile.
_BEFORE = r"(?:\A|(?<=[.!?:;\n])|(?<=\s)(?=(?-i:%s)))(?P<before>[\W_]{0,10}?)\b"
_BEHIND = r"\b[ \t\"'”’)\]]{0,10}(?:[.!?:;]{1,10}|(?=\s{0,10}(?:\n|\Z)))"


def without_echo(text: str, question: str) -> str:
    """Return a text with spaces where it repeats the question word for word, as sentences of their own.

    A text that says nothing besides is returned as it is. It stays as long as it was, so that places hold.

    >>> without_echo("Why does water boil at 100 °C? It gets hot.", "Why does water boil at 100 °C?").strip()
    'It gets hot.'
    """
    echo = _echo(question)
    if echo is None:
        return text
    said = echo.sub(lambda found: found["before"].ljust(len(found[0])), text)
    return said if said == text or has_words(said) else text


@lru_cache(maxsize=500)
def _echo(question: str) -> re.Pattern[str] | None:
    found = [re.escape(word.text) for word in words(question)]
    if len(found) < _SHORTEST_ECHO_WORDS:
        return None
    before = _BEFORE % (found[0] if found[0][0].isupper() else r"(?!)")
    return re.compile(before + r"[\W_]{0,10}".join(found) + _BEHIND, re.IGNORECASE)
