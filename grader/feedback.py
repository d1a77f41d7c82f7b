"""From verdicts to full sentences for the person who wrote the answer.

Feedback tells what was found, what is missing and what to put right. It names a missing idea by its keywords and never quotes a
reference answer or a key point: those are the author's.
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.items import Grade
from grader.matching import Matching
from grader.profiles import ItemProfile
from grader.results import Flag, Verdict

_OPENING = {
    Grade.EXCELLENT: "This is an excellent answer.",
    Grade.GOOD: "This is a good answer.",
    Grade.FAIR: "This answer is right in part.",
    Grade.WEAK: "This answer makes a start, but most of what is asked for is missing.",
    Grade.FAIL: "This answer does not yet make the points that are asked for.",
}
_BY_FLAG = {
    Flag.BLANK: "There is no answer to grade.",
    Flag.OFF_TOPIC: "The answer seems to be about something else than the question.",
    Flag.REPEATS_QUESTION: "The answer says the question again without answering it.",
    Flag.KEYWORD_LIST: "The answer lists terms; say in sentences how they hang together.",
    Flag.CONTRADICTS_REFERENCE: "A part of the answer says the opposite of what is right.",
    Flag.TOO_SHORT: "The answer is very short; a sentence or two would show what you mean.",
    Flag.TRUNCATED: "The answer is very long; its end could not be compared as a whole.",
}
_MOST_NAMED = 3


def compose(
    item: ItemProfile, matching: Matching, *, flags: Sequence[Flag], misconceptions: Sequence[int], grade: Grade
) -> tuple[str, ...]:
    """Return the feedback as sentences, the most important first; never empty."""
    lines = [_BY_FLAG[flag] for flag in flags]
    if Flag.BLANK in flags:
        return tuple(lines)
    if not {Flag.OFF_TOPIC, Flag.REPEATS_QUESTION, Flag.KEYWORD_LIST} & set(flags):
        lines.insert(0, _OPENING[grade])
        lines += _on_key_points(item, matching)
    lines += [item.item.misconceptions[at].feedback for at in misconceptions]
    return tuple(dict.fromkeys(lines))


def _on_key_points(item: ItemProfile, matching: Matching) -> list[str]:
    """Return a sentence each on what is there, half there, denied and missing."""
    total = len(matching.matches)
    covered = sum(match.verdict is Verdict.COVERED for match in matching.matches)
    if covered == total:
        return ["It covers every key point." if total > 1 else "It covers the key point."]
    lines = [f"It covers {covered} of {total} key point{'s' if total > 1 else ''}."]
    for verdict, sentence in (
        (Verdict.CONTRADICTED, "Check what you say about {}: it seems to be the wrong way round."),
        (Verdict.PARTIAL, "Say more about {}."),
        (Verdict.MISSING, "Nothing was found about {}."),
    ):
        named = _names(item, matching, verdict)
        if named:
            lines.append(sentence.format(_listed(named)))
    return lines


def _names(item: ItemProfile, matching: Matching, verdict: Verdict) -> list[str]:
    """Return a short name for each key point with a verdict: a keyword that is missing, else its first keyword, else its id."""
    names = []
    for point, match in zip(item.key_points, matching.matches, strict=True):
        if match.verdict is not verdict:
            continue
        terms = [forms[0] for forms in point.key_point.keywords]
        absent = [term for term in terms if term in matching.keywords.missing]
        names.append((absent or terms or [match.id.replace("-", " ")])[0])
    return list(dict.fromkeys(names))


def _listed(names: Sequence[str]) -> str:
    """Return names as a phrase: "a", "a and b", "a, b and c"; the rest is counted."""
    quoted = [f"“{name}”" for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        quoted.append(f"{len(names) - _MOST_NAMED} more")
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
