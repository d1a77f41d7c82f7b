"""Rewrites that move the parts of a statement: parts exchanged, which turns it round, and order changed, which does not.

Beside each other they make a reader of order: the words are the same in all of them.
"""

from __future__ import annotations

import random
import re

from grader.text import Word, words
from training.rewrites import inner, verb_forms

_DETERMINERS = frozenset({"the", "a", "an", "its", "their", "each", "every", "this", "that", "these", "those", "one", "both"})
# What stands between two things of which neither comes first.
_SYMMETRIC = re.compile(
    r"\b(?:same|similar|similarly|equal|equally|equals|between|both|different|differ|differs|together|opposite|connected|touch"
    r"|touches|touching|mix|mixed|compare|compared|trade|balance|either|meet|meets|joined?|linked|related|relationship)\b",
    re.IGNORECASE,
)
_ONLY_JOINED = re.compile(r"^\s*(?:,|and|or|,\s*and|,\s*or|/|&)\s*$", re.IGNORECASE)
_JOINED = re.compile(r"\b(?P<a>[a-z-]{3,}) (?P<j>and|or) (?P<b>[a-z-]{3,})\b", re.IGNORECASE)
_REASON_FIRST = re.compile(
    r"^(?P<w>because|when|if|since|while|after|before|although) (?P<a>[^,]+), (?P<b>[^,]+?)[.!?]?$", re.IGNORECASE
)
_REASON_LAST = re.compile(
    r"^(?P<b>[^,]+?),? (?P<w>because|when|if|since|while|after|before|although) (?P<a>[^,]+?)[.!?]?$", re.IGNORECASE
)
_THING = r"(?:the|a|an|this|each|its) (?:[a-z-]+ ){0,2}?[a-z-]+"
_ACTIVE = re.compile(
    rf"^(?P<a>{_THING}) (?P<v>[a-z]{{3,}}) (?P<b>{_THING})"
    r"(?P<end>(?: (?:in|on|by|from|to|when|if|so|for|at|during|with|into)\b.*)?[.!?]?)$",
    re.IGNORECASE,
)
_IRREGULAR = {
    "make": "made", "give": "given", "take": "taken", "draw": "drawn", "build": "built", "break": "broken", "catch": "caught",
    "drive": "driven", "eat": "eaten", "feed": "fed", "find": "found", "get": "got", "hold": "held", "keep": "kept",
    "know": "known", "lead": "led", "learn": "learnt", "lose": "lost", "send": "sent", "shine": "shone", "show": "shown",
    "tell": "told", "wear": "worn", "write": "written", "choose": "chosen", "bring": "brought", "see": "seen", "spin": "spun",
    "read": "read", "put": "put", "cut": "cut", "set": "set", "let": "let", "hide": "hidden", "strike": "struck",
}  # fmt: skip
_FEWEST_APART = 1
_SHORTEST_NOUN = 3
# Content words that are seldom nouns; a word in -ly is none either.
_NO_NOUNS = frozenset(
    """
    also already always anyway away back better enough even ever exactly far farther fast faster first further good hard
    harder here high higher inside instead just last less likely long longer low lower maybe more most much near new next
    now off often old once only open opened out outside over perhaps possible quite same second slow slower small smaller
    so some soon sometimes still strong stronger sure then there third together too true up very well whole yes yet no
    wrong right large larger big bigger many several few different important correct easy easier
    """.split()
)


def exchange_parts(text: str, rng: random.Random) -> str | None:
    """Return the statement with two of its nouns in each other's place, or None where it has no two that are not equals.

    "The switch opens the circuit" becomes "The circuit opens the switch". What is said to be alike, or only listed, is left:
    there the order says nothing.
    """
    if _SYMMETRIC.search(text):
        return None
    heads = _heads(text)
    found = [
        (one, other)
        for at, one in enumerate(heads)
        for other in heads[at + 1 :]
        if one.stem != other.stem and not _ONLY_JOINED.match(text[one.end : other.start]) and _verb_between(text, one, other)
    ]
    if not found:
        return None
    one, other = rng.choice(found)
    swapped = text[: one.start] + _cased(other.text, one.text) + text[one.end : other.start] + _cased(one.text, other.text)
    return swapped + text[other.end :]


def reorder(text: str, rng: random.Random) -> str | None:
    """Return the statement put in another order that says the same: "A because B", "B and A", "B is done by A"."""
    ways = [way for way in (passive(text), _reason_moved(text), _joined_turned(text, rng)) if way]
    return rng.choice(ways) if ways else None


def passive(text: str) -> str | None:
    """Return a plain active statement in the passive: "The switch opens a circuit" as "A circuit is opened by the switch"."""
    found = _ACTIVE.match(text.strip())
    if not found or found["v"].lower() not in verb_forms():
        return None
    base = verb_forms()[found["v"].lower()]
    if any(word.lower() in _DETERMINERS for word in (found["a"].split()[-1], found["b"].split()[-1])):
        return None
    done = _participle(base)
    be = "were" if found["v"].lower().endswith("ed") and found["b"].endswith("s") else None
    be = be or ("was" if found["v"].lower().endswith("ed") else "are" if found["b"].endswith("s") else "is")
    end = found["end"] or "."
    return f"{found['b'][:1].upper()}{found['b'][1:]} {be} {done} by {inner(found['a'])}{end}"


def _heads(text: str) -> list[Word]:
    """Return the words that are most likely nouns at the end of a noun phrase: before a verb, a small word or a stop."""
    all_words = words(text)
    heads = []
    for at, word in enumerate(all_words):
        small = word.text.lower()
        if (
            not word.is_content
            or small in verb_forms()
            or small in _NO_NOUNS
            or small.endswith("ly")
            or len(small) < _SHORTEST_NOUN
        ):
            continue
        if small in verb_forms() or small in _NO_NOUNS or any(c.isdigit() for c in small):
            continue
        following = all_words[at + 1] if at + 1 < len(all_words) else None
        gap = text[word.end : following.start] if following else "."
        if following is None or gap.strip() or not following.is_content or following.text.lower() in verb_forms():
            heads.append(word)
    return heads


def _verb_between(text: str, one: Word, other: Word) -> bool:
    """Tell whether two words stand on the two sides of something: more than a comma or an "and" is between them."""
    return len(words(text[one.end : other.start])) >= _FEWEST_APART


def _reason_moved(text: str) -> str | None:
    first = _REASON_FIRST.match(text.strip())
    if first:
        return f"{first['b'][:1].upper()}{first['b'][1:]} {first['w'].lower()} {inner(first['a'])}."
    last = _REASON_LAST.match(text.strip())
    if last and min(len(last["a"].split()), len(last["b"].split())) > 1:
        return f"{last['w'].capitalize()} {inner(last['a'])}, {inner(last['b'])}."
    return None


def _joined_turned(text: str, rng: random.Random) -> str | None:
    spots = [found for found in _JOINED.finditer(text) if all(words(found[side])[0].is_content for side in "ab")]
    if not spots:
        return None
    spot = rng.choice(spots)
    turned = f"{_cased(spot['b'], spot['a'])} {spot['j']} {_cased(spot['a'], spot['b'])}"
    return text[: spot.start()] + turned + text[spot.end() :]


def _cased(word: str, like: str) -> str:
    """Return a word with its first letter as large or small as that of another, unless one of them is an abbreviation."""
    if word[1:2].isupper() or like[1:2].isupper():
        return word
    return word[:1].upper() + word[1:] if like[:1].isupper() else word[:1].lower() + word[1:]


def _participle(base: str) -> str:
    if base in _IRREGULAR:
        return _IRREGULAR[base]
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ied"
    return base + "ed"
