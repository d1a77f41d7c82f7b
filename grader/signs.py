"""Signs that a mark cannot be taken at its face: gaming, contradiction, an answer about something else.

Each sign sets a flag, a ceiling or factor on the score, and where a person should look, a reason for review.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from grader.evidence import Evidence
from grader.lexical import coverage
from grader.matching import Matching, ramp
from grader.profiles import MAX_CLAUSES, ItemProfile, TextProfile
from grader.results import Flag
from grader.text import clauses, has_words, words

# Repeating the question: hardly a word of the reference that the question does not hold, in words close to the question's. An
# author's keywords make sure of it, so items that have them need less proof; all figures from the dev split, see docs/adr/0006.
_NO_NEWS = 0.10
_SAME_WORDS = 0.80
_ECHO_SIMILARITY = 0.95
_ECHO_SIMILARITY_WITH_WORDS = 0.80
_ECHO_SIMILARITY_AUTHORED = 0.65
_ECHO_SHARE_AUTHORED = 0.20
_ECHO_KEYWORD_COVERAGE = 0.35
_ECHO_CEILING = 0.10

# A heap: terms in a row that form no sentence. Telegraphic answers have some function words or longer runs between commas.
_HEAP_WORDS = 8
_HEAP_FUNCTION_SHARE = 0.20
_HEAP_RUN_WORDS = 2.3
_HEAP_RUNS = 4
# Notes have longer runs among their short ones ("encodes data into a latent distribution, samples, decodes"): of nearly all terse
# answers .29 of the words stand in runs of four or .50 in runs of three, of the heaps of the dev split at most .17 and .41.
_LONG_RUNS = ((4, 0.25), (3, 0.45))
# But an author's keywords may be of three words themselves: in notes at most .79 of the words are some of them.
_NOTES_KEYWORDS = 0.85
# Words to a run, and the share of function words up to which so long a run has no grammar; hardly a right answer of the dev split
# or of the marked sets that is no sum has ten words to a run and less than .14.
_JUMBLES = ((8, 0.08), (10, 0.14))
_PROSE_FUNCTION_SHARE = 0.32
# Sums, code and lists of addresses have no function words either, and are no heaps of terms.
_HEAP_NUMBER_SHARE = 0.2
_CODE = re.compile(r"[=(){}\[\]<>]")
_CODE_MARKS = 3
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_HEAP_CEILING = 0.15
# Who is asked for a list may give one. An author's key points tell what a list is worth; elsewhere the question has to.
_ASKS_FOR_LIST = re.compile(
    r"\b(?:name|list|enumerate|mention|which|(?:give|what) (?:are )?(?:some|two|three|four|(?:an )?examples?))\b", re.IGNORECASE
)
# Nothing but an author's keywords, of several key points that are not said: a heap however short it is.
_ONLY_KEYWORDS = 0.90
_ONLY_KEYWORDS_POINTS = 2
_ONLY_KEYWORDS_SAID = 0.45
# Sentences that only hold keywords take them from anywhere. A clause may have keywords of this many key points, and of more the
# fewer clauses there are to judge by, the better the answer says its key points, and the more of the reference's word pairs it
# holds: near the line that best tells the answers
# of the dev split from keywords in eight frames of nonsense. Past it the mark falls over a ramp; see docs/adr/0006.
_POINTS_ALLOWED = 1.05
_POINTS_ALLOWED_BY_CHANCE = 1.60
_POINTS_ALLOWED_BY_SAID = 1.10
_POINTS_ALLOWED_BY_PAIRS = 0.60
_SCATTER_FROM = 0.0
_SCATTER_FULL = 0.20
# Without an author's keywords: nearly every word of the references and hardly a pair of neighbours among them. Of people's right
# answers 98 in a hundred lie below .70 on Beetle, SciEntsBank, SAF and SPRAG, and nonsense around a reference's words near 1.
_PAIRS_WEIGHT = 1.5
_LOOSE_WORDS_LEAST = 6
_LOOSE_WORDS_FROM = 0.70
_LOOSE_WORDS_FULL = 0.90
# Or the words of one reference, which a right answer may well hold without its pairs, among as many others. That hits none of the
# right answers of Beetle, SAF and SciEntsBank and two in a hundred of Mohler's; see docs/adr/0033.
_FEW_WORDS_LEAST = 4
_REFERENCE_WORDS_HALF = 0.50
_REFERENCE_WORDS_MOST = 0.80
_SCATTER_COST = 0.55
_SCATTER_FLAG_ABOVE = 0.5
# Words in an order that sentences do not have: below a line that lies lower for short texts, where chance has more play, the
# mark falls over a ramp. Nine in ten references with their words shuffled lie below it, and of the answers of people one or two
# in a hundred; on an author's items none of the dev split. See docs/adr/0006.
_ORDER_LINE_AUTHORED = -0.10
_ORDER_LINE = -0.20
_ORDER_LINE_PER_WORD = 1.5
_ORDER_RAMP = 0.20
# What is left of the mark where key points are derived: enough below a pass for words in no order, and not all is lost where
# people wrote keywords, formulas or another language's order of words.
_ORDER_LEAST_DERIVED = 0.35
_ORDER_WORDS = 10
# Things listed between commas are in no order; what is a heap of them is told by the rules above.
_LIST_RUN_WORDS = 4.0
_ORDER_FLAG_BELOW = 0.5
_RUN_BREAK = re.compile(r"[,;:.\n|•]|\s[-–—]\s")

# Off topic: closeness to reference and question, and new words shared. A short text has little to be close with, so less is
# asked of it: the line rises by this much a word up to the ceiling. Chosen from seven settings as the strictest that costs
# Beetle, SAF and SPRAG nothing; answers from another set then score under .15 in 90 to 99 % of cases (docs/adr/0006).
_TOPIC_LINE = 0.10
_TOPIC_LINE_PER_WORD = 0.015
_TOPIC_LINE_MOST = 0.45
_TOPIC_RAMP = 0.20
_OFF_TOPIC_BELOW = 0.5
_OFF_TOPIC_AUTHORED = 0.62
_OFF_TOPIC_SAID = 0.30
_OFF_TOPIC_KEYWORDS = 0.55
# Who makes half of the points by examples that share no word with them is on the subject.
_OFF_TOPIC_ENTAILED = 0.50
# But of what has nothing to do with a reference a verifier knows nothing: a timetable of buses "entails" a key point at .6.
_UNRELATED = 0.15
_OFF_TOPIC_CEILING = 0.15

# What contradictions cost: nothing up to a share that one right answer in fifteen of the dev split has by mistake, most of
# the mark from nearly half of the answer on. A little is always left because a rule can be wrong, and a person is asked to look.
_CONTRADICTION_FROM = 0.08
_CONTRADICTION_FULL = 0.40
_CONTRADICTION_COST = 0.85
# Less where key points are derived, and there is less to tell a denial by.
_CONTRADICTION_COST_DERIVED = 0.75
_CONTRADICTED_SHARE = 0.20
# What suspicions cost that are no proof one by one, on an author's items: nothing up to two chances in five that the answer is a
# contradiction, all from nine in ten on; see docs/adr/0023.
_SUSPICION_FROM = 0.08
_SUSPICION_FULL = 0.28
_SUSPICION_COST = 0.90
_SUSPECTED = 0.5
# What a misconception costs that an answer states as its own, by how much nearer it is to it than to what is right: from the
# margin .08 on, which 75 % of the wrong answers of the dev split have and none of the complete ones, two thirds and more.
_MISCONCEPTION_FROM = 0.03
_MISCONCEPTION_FULL = 0.10
_MISCONCEPTION_COST = 0.85
# Less of an answer that says most of what is right beside it: of right answers that are taken for a misconception three quarters
# say and name more than .75 of it, of wrong ones a tenth more than .6 (dev split and answers written anew, docs/adr/0023).
_MISCONCEPTION_COST_KNOWING = 0.35
_KNOWING_FROM = 0.60
_KNOWING_FULL = 0.90
_MISCONCEPTION_STATED = 0.05
# What terms without sense cost counts with its square root where a verifier finds the key points in the answer's sentences, and
# in full where it does not: right answers in notes or in an odd order keep their marks, and nonsense around the right terms not.
_BELIEVED = 0.5
_BELIEVED_FROM = 0.25
_BELIEVED_FULL = 0.50
_TOO_SHORT_WORDS = 4
_LONG_REFERENCE_WORDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was noticed: flags in the order of their definition, and the factor and ceiling they put on the score.

    `misconceptions` are the positions of those that the answer clearly states.
    """

    flags: tuple[Flag, ...]
    misconceptions: tuple[int, ...]
    factor: float
    ceiling: float
    review_reasons: tuple[str, ...]


def notice(
    item: ItemProfile, answer: TextProfile, evidence: Evidence, matching: Matching, *, authored: bool, too_long: bool
) -> Signs:
    """Return the signs in an answer that holds at least one clause.

    Args:
        item: The item's profile.
        answer: The answer's profile.
        evidence: The answer's evidence.
        matching: What the answer does with the key points.
        authored: Whether the key points and their keywords are an author's and not derived.
        too_long: Whether the encoder read only the beginning of the answer.
    """
    flags: list[Flag] = []
    reasons: list[str] = []
    factor, ceiling = 1.0, 1.0
    if _is_off_topic(answer, evidence, matching, authored=authored):
        flags.append(Flag.OFF_TOPIC)
        ceiling = _OFF_TOPIC_CEILING
    elif not authored:
        factor *= _topic_factor(answer, evidence)
    if item.question is not None and _repeats_question(evidence, matching, authored=authored):
        flags.append(Flag.REPEATS_QUESTION)
        ceiling = min(ceiling, _ECHO_CEILING)
    terms = _terms_sign(item, answer, evidence, matching, authored=authored)
    if terms.reason is not None:
        flags.append(Flag.KEYWORD_LIST)
        reasons.append(terms.reason)
    factor *= terms.factor ** (1 - _BELIEVED * ramp(matching.entailed or 0.0, _BELIEVED_FROM, _BELIEVED_FULL))
    ceiling = min(ceiling, terms.ceiling)
    cost = _CONTRADICTION_COST if authored else _CONTRADICTION_COST_DERIVED
    cost *= ramp(matching.contradicted_share, _CONTRADICTION_FROM, _CONTRADICTION_FULL)
    suspected = ramp(matching.suspicion, _SUSPICION_FROM, _SUSPICION_FULL) if authored else 0.0
    kept = 1 - max(cost, _SUSPICION_COST * suspected)
    nearest = max((margin for _, margin in matching.misconceptions), default=0.0)
    kept *= 1 - _misconception_cost(matching) * ramp(nearest, _MISCONCEPTION_FROM, _MISCONCEPTION_FULL)
    # Much of what denials and misconceptions stand for the verifier sees as well, and it would cost twice (docs/adr/0029).
    factor *= kept if matching.upheld is None else sqrt(kept)
    if matching.contradicted_share >= _CONTRADICTED_SHARE or suspected >= _SUSPECTED:
        flags.append(Flag.CONTRADICTS_REFERENCE)
        reasons.append("A part of the answer seems to say the opposite of a reference answer.")
    if _is_too_short(item, answer):
        flags.append(Flag.TOO_SHORT)
    if too_long or len(clauses(answer.text)) > MAX_CLAUSES:
        flags.append(Flag.TRUNCATED)
        reasons.append("The answer is longer than what is compared as a whole; its end counted less.")
    if _is_in_another_script(item, answer):
        reasons.append("The answer is written in another script than the reference answers.")
    stated = tuple(position for position, margin in matching.misconceptions if margin >= _MISCONCEPTION_STATED)
    return Signs(flags=tuple(flags), misconceptions=stated, factor=factor, ceiling=ceiling, review_reasons=tuple(reasons))


@dataclass(frozen=True, slots=True)
class _TermsSign:
    """What terms without sentences, or without sense, cost, and the reason for review where that is much."""

    reason: str | None
    factor: float
    ceiling: float


def _terms_sign(item: ItemProfile, answer: TextProfile, evidence: Evidence, matching: Matching, *, authored: bool) -> _TermsSign:
    """Return what is to be said of an answer as a heap of terms, in no order or in sentences that only hold them."""
    order = _order_factor(item, answer, authored=authored)
    scatter = _scatter(evidence, matching) if authored else _words_without_pairs(item, answer, evidence)
    least = 0.0 if authored else _ORDER_LEAST_DERIVED
    factor = (least + (1 - least) * order) * (1 - _SCATTER_COST * scatter)
    is_heap = _is_heap(item, answer, matching) and (authored or not _ASKS_FOR_LIST.search(item.item.question))
    is_heap = is_heap or (authored and _is_only_keywords(item, answer, matching))
    if is_heap or order < _ORDER_FLAG_BELOW:
        ceiling = _HEAP_CEILING if is_heap or authored else 1.0
        return _TermsSign("The answer looks like a list of terms without sentences.", factor, ceiling)
    mixed = scatter > _SCATTER_FLAG_ABOVE
    return _TermsSign("The answer's sentences hold terms that do not belong together." if mixed else None, factor, 1.0)


def _topic(evidence: Evidence) -> float:
    """Return how near an answer is to the subject: closeness to reference or question, and words shared beyond the question's."""
    return max(evidence.similarity, evidence.question_similarity) + evidence.new_coverage


def _topic_factor(answer: TextProfile, evidence: Evidence) -> float:
    """Return 1.0 for an answer on the subject, falling to 0.0 over a ramp below the line for its length."""
    line = min(_TOPIC_LINE_MOST, _TOPIC_LINE + _TOPIC_LINE_PER_WORD * len(answer.index.words))
    return ramp(_topic(evidence), line - _TOPIC_RAMP, line)


def _misconception_cost(matching: Matching) -> float:
    """Return what a misconception costs at most, in [0, 1]: the less, the more of the key points the answer makes all the same.

    Whoever turns statements round has their words as well.
    """
    knowing = ramp((matching.said + matching.keyword_coverage) / 2, _KNOWING_FROM, _KNOWING_FULL)
    knowing *= 1 - ramp(matching.suspicion, 0.0, _SUSPICION_FROM)
    return _MISCONCEPTION_COST + (_MISCONCEPTION_COST_KNOWING - _MISCONCEPTION_COST) * knowing


def _is_off_topic(answer: TextProfile, evidence: Evidence, matching: Matching, *, authored: bool) -> bool:
    """Tell whether an answer is about something else, by an author's key points if there are any."""
    if authored:
        return (
            evidence.similarity + evidence.new_coverage < _OFF_TOPIC_AUTHORED
            and matching.clauses_said < _OFF_TOPIC_SAID
            and matching.keyword_coverage < _OFF_TOPIC_KEYWORDS
            and ((matching.entailed or 0.0) < _OFF_TOPIC_ENTAILED or evidence.similarity < _UNRELATED)
        )
    return _topic_factor(answer, evidence) < _OFF_TOPIC_BELOW


def _repeats_question(evidence: Evidence, matching: Matching, *, authored: bool) -> bool:
    """Tell whether an answer says no more than the question."""
    if evidence.new_coverage >= _NO_NEWS:
        return False
    close = evidence.question_similarity
    if authored and close >= _ECHO_SIMILARITY_AUTHORED and evidence.question_share >= _ECHO_SHARE_AUTHORED:
        return matching.keyword_coverage < _ECHO_KEYWORD_COVERAGE
    if close >= _ECHO_SIMILARITY:
        return True
    return close >= _ECHO_SIMILARITY_WITH_WORDS and evidence.question_share >= _SAME_WORDS


def _is_heap(item: ItemProfile, answer: TextProfile, matching: Matching) -> bool:
    """Tell whether an answer is terms in a row, a list or one long run without grammar, where references are prose."""
    count = len(answer.index.words)
    if count < _HEAP_WORDS or _is_code(item, answer):
        return False
    per_run, share = _words_per_run(answer), answer.function_share
    is_list = share <= _HEAP_FUNCTION_SHARE and per_run <= _HEAP_RUN_WORDS and count >= _HEAP_RUNS * per_run
    is_list = is_list and not _is_notes(item, answer, matching)
    is_run = any(per_run >= least and share <= most for least, most in _JUMBLES)
    return (is_list or is_run) and any(reference.function_share >= _PROSE_FUNCTION_SHARE for reference in item.references)


def _is_notes(item: ItemProfile, answer: TextProfile, matching: Matching) -> bool:
    """Tell whether a list has longer runs among its short ones, and is not an author's keywords one after the other.

    So has one that tells two things apart that the item compares: "TCP: in order, resends; UDP: fast, for games".
    """
    if item.comparison is not None and item.comparison.attribution(answer.text).is_kept_apart:
        return True
    runs = _run_words(answer)
    count = len(answer.index.words)
    return matching.keyword_use.share <= _NOTES_KEYWORDS and any(
        sum(length for length in runs if length >= long) >= least * count for long, least in _LONG_RUNS
    )


def _is_only_keywords(item: ItemProfile, answer: TextProfile, matching: Matching) -> bool:
    """Tell whether an answer is keywords of several key points and hardly a word beside, where every reference is prose."""
    use = matching.keyword_use
    return (
        use.share >= _ONLY_KEYWORDS
        and use.points_per_clause >= _ONLY_KEYWORDS_POINTS
        and matching.clauses_said < _ONLY_KEYWORDS_SAID
        and answer.function_share <= _HEAP_FUNCTION_SHARE
        and all(reference.function_share >= _PROSE_FUNCTION_SHARE for reference in item.references)
    )


def _scatter(evidence: Evidence, matching: Matching) -> float:
    """Return how far an answer's clauses mix the keywords of more key points than sentences that say something do, in [0, 1].

    Telegraphic answers name one thing after another without a verb between; they are no sentences, and are not judged here.
    """
    if evidence.function_share < _PROSE_FUNCTION_SHARE:
        return 0.0
    use = matching.keyword_use
    # One sentence may well name every key point; only one that holds nothing but keywords is judged by itself.
    if use.clauses <= 1 and use.share < _ONLY_KEYWORDS:
        return 0.0
    allowed = _POINTS_ALLOWED + _POINTS_ALLOWED_BY_CHANCE / max(1, use.clauses) ** 2
    allowed += _POINTS_ALLOWED_BY_SAID * matching.clauses_said + _POINTS_ALLOWED_BY_PAIRS * evidence.bigram_coverage
    return ramp(use.points_per_clause - allowed, _SCATTER_FROM, _SCATTER_FULL)


def _words_without_pairs(item: ItemProfile, answer: TextProfile, evidence: Evidence) -> float:
    """Return how far an answer holds the words of all references and none of their word pairs, as no right answer does.

    In [0, 1]. Words of one reference that are strewn among as many others count as well; one of a few words has hardly a pair.
    """
    loose = 0.0
    if len(item.words_of_references) >= _LOOSE_WORDS_LEAST:
        pairs = len(item.pairs_of_references & answer.bigrams) / max(1, len(item.pairs_of_references))
        held = coverage(item.words_of_references, answer.index)
        loose = ramp(held - _PAIRS_WEIGHT * pairs, _LOOSE_WORDS_FROM, _LOOSE_WORDS_FULL)
    if min(len(reference.content) for reference in item.references) < _FEW_WORDS_LEAST:
        return loose
    strewn = 1 - ramp(evidence.word_precision, _REFERENCE_WORDS_HALF, _REFERENCE_WORDS_MOST)
    strewn *= ramp(evidence.coverage - evidence.bigram_coverage, _LOOSE_WORDS_FROM, _LOOSE_WORDS_FULL)
    return max(loose, strewn)


def _words_per_run(answer: TextProfile) -> float:
    """Return the mean number of words between commas, stops and line ends."""
    return len(answer.index.words) / max(1, len(_run_words(answer)))


def _run_words(answer: TextProfile) -> list[int]:
    """Return the numbers of words between commas, stops and line ends; tags are no words."""
    return [len(words(run)) for run in _RUN_BREAK.split(_TAG.sub(" ", answer.text)) if has_words(run)]


def _order_factor(item: ItemProfile, answer: TextProfile, *, authored: bool) -> float:
    """Return 1.0 for words in an order that sentences have, falling to 0.0 where they have none at all.

    Where a reference is no prose itself, an answer need not be any more of it than the reference is.
    """
    count = len(answer.index.words)
    if count < _ORDER_WORDS or _is_code(item, answer) or _words_per_run(answer) <= _LIST_RUN_WORDS:
        return 1.0
    line = (_ORDER_LINE_AUTHORED if authored else _ORDER_LINE) - _ORDER_LINE_PER_WORD / count
    line = min(line, *(reference.order for reference in item.references))
    return ramp(answer.order, line - _ORDER_RAMP, line)


def _is_code(item: ItemProfile, answer: TextProfile) -> bool:
    """Tell whether a text is sums, code or a list of addresses; tags around words make no code of them.

    Nor do the numbers that an author's references have, where nothing is worked out: "3 %" is a term like any other.
    """
    all_words = answer.index.words
    is_worked_out = item.derived or "=" in answer.text
    given = set() if is_worked_out else {word.text for reference in item.references for word in reference.index.words}
    numbers = sum(any(c.isdigit() for c in word.text) and word.text not in given for word in all_words)
    return numbers > _HEAP_NUMBER_SHARE * len(all_words) or len(_CODE.findall(_TAG.sub(" ", answer.text))) >= _CODE_MARKS


def _is_too_short(item: ItemProfile, answer: TextProfile) -> bool:
    """Tell whether an answer is a word or two where every reference takes a sentence."""
    shortest = min(len(reference.index.words) for reference in item.references)
    return len(answer.index.words) < _TOO_SHORT_WORDS and shortest >= _LONG_REFERENCE_WORDS


def _is_in_another_script(item: ItemProfile, answer: TextProfile) -> bool:
    """Tell whether most letters of the answer belong to a script that no reference answer uses."""
    known = {_script(c) for reference in item.references for c in set(reference.text) if c.isalpha()}
    letters = Counter(c for c in answer.text if c.isalpha())
    return sum(count for c, count in letters.items() if _script(c) not in known) > letters.total() / 2


@lru_cache(maxsize=2_000)
def _script(letter: str) -> str:
    """Return the first word of a letter's Unicode name: LATIN, CYRILLIC, CJK."""
    return unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0]
