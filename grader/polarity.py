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


# A frame says of the rest of its sentence whether it is so: "it is a myth that", "it is not wrong to say that".
_WRONG = r"false|wrong|incorrect|untrue|mistaken|nonsense|an? (?:\w+ )?(?:myth|misconception|mistake|fallacy)"
_FRAME = re.compile(
    r"(?P<not>\b(?:not|never|hardly)|n['’]?t)?\s*\b(?:really |simply |just |quite |completely |entirely )?"
    rf"(?:(?P<wrong>{_WRONG})|true|correct|right|the case|so)"
    r" (?:that|to (?:say|think|believe|claim|assume|state|suppose)(?: that)?)\b"
    r"|(?P<held>\b(?:contrary to (?:the |a )?(?:\w+ )?(?:belief|idea|view|claim|notion|opinion) that"
    r"|(?:no ?(?:body|one)|nobody) (?:can|could|should|would) (?:say|think|claim|believe) that"
    r"|(?:do|does|did) ?n[o'’]t (?:think|believe|mean|say|agree) that|there is no (?:way|evidence|proof) (?:that|for)"
    r"|(?:wrongly|mistakenly|falsely|incorrectly) (?:think|believe|assume|say|claim)s?(?: that)?"
    r"|the (?:\w+ )?(?:claim|idea|statement|belief|view|notion|myth|misconception) that)\b)",
    re.IGNORECASE,
)
_FRAMED_SHARE = 1 / 2
# "The claim that" says nothing yet; what it is said to be does.
_CLAIM = re.compile(r"the (?:\w+ )?(?:claim|idea|statement|belief|view|notion) that$", re.IGNORECASE)
_CLAIM_FALLS = re.compile(rf"\b(?:is|are|was) (?:{_WRONG}|not (?:true|right|correct|so))\b", re.IGNORECASE)
_FRAME_END = re.compile(r"[;:.!?]|,? but\b|, (?:it|they|this|in fact|instead|rather)\b", re.IGNORECASE)
# "It learns from labels" is taken back by what is said of it afterwards.
_MYTH_AFTER = re.compile(
    r"\b(?:is|are) (?:an? |just an? |only an? )?(?:\w+ )?(?:myth|misconception|fallacy)\W*$|\bis nonsense\W*$", re.IGNORECASE
)
_RETRACTION = re.compile(
    r"(?:but |and |however,? |no,? |actually,? )*(?:this|that|it|which|everything|all|what i)\b(?:(?: of)? (?:this|that|it|the))?"
    r"(?: (?:above|said|wrote|statement|claim|idea|answer|belief))* ?(?:is|was|are|['’]s) "
    r"(?:all |just |simply |completely |totally |of course |actually )*"
    rf"(?:{_WRONG}|not (?:\w+ )?(?:true|right|correct|so|the case))\W*"
    r"|(?:wrong|false|incorrect|untrue|nonsense|not true|not so|not)\W*"
    r"|(?:but |in fact,? )*the opposite is (?:true|the case|right)\W*",
    re.IGNORECASE,
)

# What is denied to set off what is so: "not the wave but", "it isn't the wall that gives, it is", "unlike a prism", "not only".
_NO = r"(?:\b(?:not|never|nor|neither)\b|n['’]t\b)"
_CONTRAST = re.compile(
    rf"{_NO}[^.;!?\n]{{0,200}}?\bbut\b"
    rf"|{_NO}[^.!?\n]{{0,200}}?[,;:–-] ?(?:it|they|he|she|this|that|what)(?:['’](?:s|re)| (?:is|are|was|were))\b(?! not\b)"
    r"|\bunlike\b|\bnot (?:only|just|simply|merely|that)\b",
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
# Beginnings that turn any word round, and those that turn each other round. "In-" and "dis-" begin too many words of their own
# ("input", "display"); such pairs are in the list.
_UN = ("un", "non")
_PREFIX_PAIRS = (
    ("over", "under"), ("endo", "exo"), ("hyper", "hypo"), ("inter", "intra"), ("extra", "intra"), ("hetero", "homo"),
    ("mono", "poly"), ("macro", "micro"), ("post", "pre"), ("down", "up"), ("sub", "super"), ("multi", "uni"), ("anti", "pro"),
)  # fmt: skip
_SHORTEST_REST = 4


def negations(text: str) -> int:
    """Return how many words and phrases of a text deny something, leaving out "not only" and its like."""
    idle, framed = _idle(text), _framed(text)
    return len(framed) + sum(not _overlaps(found, idle) for found in _NEGATION.finditer(text))


@lru_cache(maxsize=200)
def is_negated(text: str) -> bool:
    """Tell whether the denials of a text leave it denied: an odd number of them does."""
    return negations(text) % 2 == 1


def is_retraction(sentence: str) -> bool:
    """Tell whether a sentence says no more than that what was said before it is wrong.

    >>> is_retraction("This is not true."), is_retraction("This is not true of plants.")
    (True, False)
    """
    return _RETRACTION.fullmatch(sentence.strip()) is not None


@lru_cache(maxsize=200)
def is_contrast(sentence: str) -> bool:
    """Tell whether a sentence denies one thing to set off another.

    >>> is_contrast("It is not the water that moves but the wave."), is_contrast("The water does not move.")
    (True, False)
    """
    return _CONTRAST.search(sentence) is not None


def _idle(text: str) -> list[tuple[int, int]]:
    """Return where words stand that look like denials and are none, or whose frame has been counted."""
    return [found.span() for pattern in (_IDLE, _FRAME) for found in pattern.finditer(text)]


def _overlaps(found: re.Match[str], stretches: list[tuple[int, int]]) -> bool:
    return any(start < found.end() and found.start() < end for start, end in stretches)


@lru_cache(maxsize=200)
def _framed(text: str) -> tuple[tuple[int, int], ...]:
    """Return the stretches that a frame or what follows says are not so."""
    stretches = []
    for frame in _FRAME.finditer(text):
        stop = _FRAME_END.search(text, frame.end())
        until = stop.start() if stop else len(text)
        if frame["held"] is None:
            denies = (frame["not"] is None) == (frame["wrong"] is not None) and (frame["not"] or frame["wrong"]) is not None
        elif _CLAIM.fullmatch(frame["held"]):
            falls = _CLAIM_FALLS.search(text, frame.end(), until)
            denies, until = falls is not None, falls.start() if falls else until
        else:
            denies = True
        if denies:
            stretches.append((frame.end(), until))
    after = _MYTH_AFTER.search(text)
    return (*stretches, (0, after.start())) if after else tuple(stretches)


def _denials(text: str) -> list[tuple[int, int]]:
    """Return the stretches of a text that are denied: what follows a denial or a word like "reduces", to the next comma or "but".

    Such words turn round what they act on, so that "reduces overfitting" and "no overfitting" are of one mind. A denial at the
    very end ("it does not") turns round what came before it, and a frame ("it is a myth that") all that it holds.
    """
    idle = _idle(text)
    stretches = list(_framed(text))
    for pattern, end in ((_NEGATION, _SCOPE_END), (_LESSENING, _LESSENING_END)):
        for found in pattern.finditer(text):
            if _overlaps(found, idle):
                continue
            stop = end.search(text, found.end(), found.end() + _SCOPE_CHARS)
            until = stop.start() if stop else len(text)
            ahead = [word for word in words(text[found.end() : min(until, found.end() + _SCOPE_CHARS)]) if word.is_content]
            if ahead:
                stretches.append((found.end(), found.end() + ahead[:_SCOPE_WORDS][-1].end))
            elif pattern is _NEGATION:
                stretches.append((0, found.start()))
    return stretches


@lru_cache(maxsize=1_000)
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
    """Return the stems that the list says to be the opposite of a stem."""
    table: dict[str, set[str]] = {}
    for pair in word_list("opposites"):
        one, other = (stem(word) for word in pair.split("/"))
        if one != other:
            table.setdefault(one, set()).add(other)
            table.setdefault(other, set()).add(one)
    return {key: frozenset(values) for key, values in table.items()}


@lru_cache(maxsize=1_000)
def opposites_of(word: str) -> frozenset[str]:
    """Return the stems that say the opposite of a stem: those of the list, and those with another beginning.

    Most of the latter are no words; they do no harm, as a text is asked for them.

    >>> "unstabl" in opposites_of("stabl"), "hypoton" in opposites_of("hyperton"), "it" in opposites_of("unit")
    (True, True, False)
    """
    found = set(opposites().get(word, ()))
    turns = [("", prefix) for prefix in _UN] + [turn for pair in _PREFIX_PAIRS for turn in (pair, pair[::-1])]
    turns += [(prefix, "") for prefix in _UN]
    for have, other in turns:
        rest = word.removeprefix(have)
        if word.startswith(have) and len(rest) >= _SHORTEST_REST:
            found.add(other + rest)
    return frozenset(found)


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
    agree = disagree = 0
    for word, sign in meant.items():
        if word in said:
            pairs = [said[word] == sign]
        else:
            pairs = [said[other] != sign for other in opposites_of(word) if other in said and other not in meant]
        agree += sum(pairs)
        disagree += len(pairs) - sum(pairs)
    # A frame turns round the subject too ("it is a myth that dropout ..."), which says nothing for itself.
    least = max(share, _FRAMED_SHARE) if _framed(answer) or _framed(reference) else share
    return disagree > 0 and disagree >= least * (agree + disagree)
