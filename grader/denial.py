"""Clauses of an answer that say the opposite of a statement of the item, by a rule on the signs of the words they share.

Denied wording is close wording: only a clause near to a statement and sharing most of its words can be that statement turned
round. Right answers in other words may hold any number of negations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from grader.encoders import FloatArray
from grader.lexical import WordIndex, shared_words
from grader.polarity import disagrees, is_contrast, is_retraction
from grader.profiles import ItemProfile, Statement, TextProfile
from grader.text import Span, sentences
from grader.verifier import Pair, Relations

# Cosine and share of words from which wording is close; dev split, 2026.1. Without an author's key points there are fewer
# statements to weigh a clause against, so it has to share more: at the looser line as many right answers of the marked sets were
# taken for denials as wrong ones; see docs/adr/0006.
_CLOSE_WORDING = 0.70
_SHARED_WORDS = 0.60
_SHARED_WORDS_DERIVED = 0.70
# Looser wording, in which the rule by itself means little, but a verifier that is sure does: of right answers of Beetle with a
# negation put in, .38 are found instead of .30, and of those without one 1.3 % instead of .7 %; see docs/adr/0013.
_LOOSE_WORDING = 0.50
_LOOSELY_SHARED_WORDS = 0.35
_DISAGREEING_SHARE = 1 / 3
_DISAGREEING_SHARE_DERIVED = 1 / 5
# A statement this much less similar than the closest one still has a say on what the clause means.
_RIVAL_MARGIN = 0.06
# From which a verifier is asked about a clause that the rule has nothing against, on an author's items only: on the marked sets,
# whose key points are derived, its lone word hits right answers as often as wrong ones.
_SAME_WORDING = 0.80
# In such wording one word is enough to ask about: of the clauses of right answers of the dev split thirteen have one, and the
# verifier thinks none of them a denial; of sentences turned round by rule, which the rule on shares lets pass, two in three.
_TURNED_SHARE = 1 / 20
# Pairs that are not proof one by one are proof together: what one weighs is the verifier's word, and more by its ground if
# that is not out of the question. Fitted by a logistic regression over answers as wholes, see docs/adr/0023.
_OUT_OF_THE_QUESTION = 0.10
# Who lists words says nothing of either of two things.
_LEAST_FUNCTION_SHARE = 0.15
_ENDS_SENTENCE = re.compile(r"[.!?;\n]")
_OF_EVERYTHING = re.compile(r"\b(?:all|everything|above|said|wrote)\b", re.IGNORECASE)


class Ground(Enum):
    """Why a clause is suspected; the value is the probability from which a verifier's word is enough.

    The first figure is for a clause by itself, the second for one beside another clause that is a denial already; see
    docs/adr/0011.
    """

    RULE = (0.3, 0.15)
    """The rule on signed words, in close wording, on an author's item."""
    RULE_DERIVED = (0.9, 0.8)
    """The same where there are no key points of an author's."""
    LOOSE_RULE = (0.9, 0.6)
    """The rule, in looser wording, on an author's item."""
    LOOSE_RULE_DERIVED = (0.97, 0.95)
    """The same where there are no key points of an author's."""
    TURNED = (0.5, 0.3)
    """A statement's wording but for a word that is turned round, on an author's item."""
    EXCHANGED = (0.0, 0.0)
    """What is so of one of two things is said of the other; certain, and no verifier is asked. It weighs as the rule does."""


# How far the key points have to be upheld for a suspicion to fall. For the dev split and twenty items of other subjects: looser
# wording is suspected in forty right answers whose key points are upheld by half and in two contradictions; of close wording with
# more than .70 there is no contradiction. See docs/adr/0031.
_OUTVOTED_FROM = {Ground.RULE: 0.75, Ground.TURNED: 0.75, Ground.LOOSE_RULE: 0.50}
_GROUND_WEIGHTS = {Ground.RULE: 0.8, Ground.LOOSE_RULE: 0.0, Ground.TURNED: 0.6, Ground.EXCHANGED: 0.8}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A clause that may deny the item: the pairs to ask a verifier about, and why it is suspected.

    What the rule suspects without pairs is certain.
    """

    pairs: tuple[Pair, ...]
    ground: Ground

    def is_confirmed(self, probabilities: Mapping[Pair, float], *, beside_another: bool = False) -> bool:
        """Tell whether a verifier's word on one of the pairs is enough; where none was asked, the rule in close wording is.

        Args:
            probabilities: The verifier's word, in [0, 1].
            beside_another: Whether another clause of the answer is a denial already.
        """
        if not self.pairs:
            return True
        alone, beside = self.ground.value
        unasked = float(self.ground in (Ground.RULE, Ground.RULE_DERIVED))
        return max(probabilities.get(pair, unasked) for pair in self.pairs) >= (beside if beside_another else alone)

    def weight(self, probabilities: Mapping[Pair, float]) -> float:
        """Return what the suspicion adds to that against the answer as a whole, in [0, 2]; 0 where key points are derived."""
        if self.ground not in _GROUND_WEIGHTS:
            return 0.0
        unasked = float(self.ground is Ground.RULE)
        word = max((probabilities.get(pair, unasked) for pair in self.pairs), default=1.0)
        is_weighed = self.ground is Ground.RULE or word >= _OUT_OF_THE_QUESTION
        return word + _GROUND_WEIGHTS[self.ground] * is_weighed


def suspected_clauses(item: ItemProfile, answer: TextProfile) -> dict[int, Suspect]:
    """Return the clauses that may say the opposite of the statements they are closest to, by position.

    The rule counts a clause only if every statement about as close as the closest one disagrees with it: a reference that itself
    says "not" speaks for an answer that does. A clause that the answer takes back ("This is wrong.") means its opposite. Where
    the key points are an author's, a clause nearly in the words of a statement is suspect for a single word that is turned round.
    """
    table = _comparable(item, answer)
    wrong = item.misconception_vectors
    retracted = retracted_clauses(answer)
    contrasting = _contrasts(answer)
    left_out = [*contrasting, *(answer.clauses[at] for at in sorted(retracted))]
    suspects = dict.fromkeys(_exchanged_clauses(item, answer, left_out), Suspect((), Ground.EXCHANGED))
    for at, clause in enumerate(answer.clauses):
        closest = int(table[:, at].argmax())
        best = float(table[closest, at])
        # To take back what is wrong is right.
        takes_back_wrong = at in retracted and best < float((wrong @ answer.vectors[at]).max(initial=-1.0))
        if at in suspects or best < _LOOSE_WORDING or takes_back_wrong:
            continue
        near = [s for s, cosine in zip(item.statements, table[:, at], strict=True) if cosine >= best - _RIVAL_MARGIN]
        # Half of a contrast denies what nobody holds. Where the item draws one as well, it may have been turned round.
        is_half = any(sentence.start <= clause.start and clause.end <= sentence.end for sentence in contrasting)
        if is_half and not any(is_contrast(s.text) for s in near):
            continue
        suspect = _suspect(item, clause.text, near=near, best=best, is_retracted=at in retracted)
        if suspect is not None:
            suspects[at] = suspect
    return suspects


def _suspect(item: ItemProfile, clause: str, *, near: Sequence[Statement], best: float, is_retracted: bool) -> Suspect | None:
    """Return what is held against a clause whose closest statement has the cosine `best`, or None."""
    close = _SHARED_WORDS_DERIVED if item.derived else _SHARED_WORDS
    denied = _denied_statements(clause, near, close, item, is_retracted=is_retracted) if best >= _CLOSE_WORDING else []
    if denied:
        ground = Ground.RULE_DERIVED if item.derived and not is_retracted else Ground.RULE
        return Suspect(() if is_retracted else _pairs(clause, denied), ground)
    if is_retracted:
        return None
    is_same = not item.derived and best >= _SAME_WORDING
    if is_same and (turned := _turned_statements(clause, near)):
        return Suspect(_pairs(clause, turned), Ground.TURNED)
    if denied := _denied_statements(clause, near, _LOOSELY_SHARED_WORDS, item):
        return Suspect(_pairs(clause, denied), Ground.LOOSE_RULE_DERIVED if item.derived else Ground.LOOSE_RULE)
    return None


def _comparable(item: ItemProfile, answer: TextProfile) -> FloatArray:
    """Return the cosines of statements (rows) and clauses (columns), those that cannot deny each other made -1.

    A condition claims nothing; and what is said of one of two things that the item compares is no denial of what is said of the
    other.
    """
    table: FloatArray = item.statement_vectors @ answer.vectors.T
    table[~item.claims] = -1.0
    if item.comparison is not None:
        of_clauses = np.array([item.comparison.named_in(clause.text) for clause in answer.clauses], dtype=np.int64)
        table[np.multiply.outer(item.things, of_clauses) < 0] = -1.0
    return table


def _exchanged_clauses(item: ItemProfile, answer: TextProfile, left_out: Sequence[Span]) -> list[int]:
    """Return the positions of the clauses that say of one of two compared things what is so of the other.

    Args:
        item: The item's profile.
        answer: The answer's profile.
        left_out: Stretches of the answer that it takes back or denies, and which say nothing of either.
    """
    if item.comparison is None or answer.function_share < _LEAST_FUNCTION_SHARE:
        return []
    text = answer.text
    for span in left_out:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    attribution = item.comparison.attribution(text)
    if not attribution.is_exchanged:
        return []
    return [at for at, clause in enumerate(answer.clauses) if attribution.goes_against(clause)]


def word_against(
    suspects: Mapping[int, Suspect],
    relations: Mapping[Pair, Relations],
    answer: TextProfile,
    said: Mapping[Span, Mapping[str, float]],
) -> dict[Pair, float]:
    """Return how likely each suspected pair is a denial, in [0, 1]: the verifier's word, unless it finds the contrary likelier.

    The contrary is that the clause says the statement, or its sentence the key point that the statement is an example of. "Units
    are switched off at random" denies "It is not a fixed choice of units" to it, and says that dropout switches off neurons.

    Args:
        suspects: What `suspected_clauses` returned.
        relations: The verifier's word on their pairs; those it was not asked about are left out.
        answer: The answer's profile.
        said: For each sentence, the statements that it says, with how likely it does; see `grader.entailment`.
    """
    against: dict[Pair, float] = {}
    for at, suspect in suspects.items():
        clause = answer.clauses[at]
        around = [statements for place, statements in said.items() if place.start <= clause.start and clause.end <= place.end]
        for pair in suspect.pairs:
            if pair not in relations:
                continue
            word = relations[pair].contradicts
            contrary = max(relations[pair].entails, *(statements.get(pair[1], 0.0) for statements in around), 0.0)
            against[pair] = word if word >= contrary else 0.0
    return against


def confirmed_clauses(suspects: Mapping[int, Suspect], probabilities: Mapping[Pair, float]) -> frozenset[int]:
    """Return the positions of the suspected clauses that deny the item.

    Args:
        suspects: What `suspected_clauses` returned.
        probabilities: A verifier's word on the suspicions, in [0, 1].
    """
    sure = {at for at, suspect in suspects.items() if suspect.is_confirmed(probabilities)}
    # Who turns one statement round is likely to have turned the others round too.
    return frozenset(
        at for at, suspect in suspects.items() if suspect.is_confirmed(probabilities, beside_another=bool(sure - {at}))
    )


def not_outvoted(suspects: Mapping[int, Suspect], upheld: float) -> dict[int, Suspect]:
    """Return the suspicions that stand against an answer whose sentences say the key points in a verifier's opinion.

    Those that are certain always do. A clause that has lost its subject is easily taken for a denial, a whole answer is not.

    Args:
        suspects: What `suspected_clauses` returned.
        upheld: How far the key points are entailed rather than contradicted, in [0, 1], see `grader.entailment`.
    """
    return {at: each for at, each in suspects.items() if not each.pairs or upheld < _OUTVOTED_FROM.get(each.ground, 1.0)}


def suspicion(suspects: Mapping[int, Suspect], probabilities: Mapping[Pair, float], answer: TextProfile) -> float:
    """Return how much speaks for an answer's being a denial as a whole, in [0, 2]: the weight of its suspicions for each clause.

    A lone suspicion counts nothing: it has to stand by itself, see `confirmed_clauses`. Nor do those against an answer that
    denies things to set off what is so: one right answer in five does, and of eighty contradictions one did.

    Args:
        suspects: What `suspected_clauses` returned.
        probabilities: A verifier's word on the suspicions, in [0, 1].
        answer: The answer's profile.
    """
    if len(suspects) <= 1 or _contrasts(answer):
        return 0.0
    return sum(suspect.weight(probabilities) for suspect in suspects.values()) / len(answer.clauses)


def _pairs(clause: str, statements: Sequence[Statement]) -> tuple[Pair, ...]:
    return tuple(dict.fromkeys((clause, statement.text) for statement in statements))


def _denied_statements(
    clause: str, near: Sequence[Statement], shared: float, item: ItemProfile, *, is_retracted: bool = False
) -> list[Statement]:
    """Return the near statements that share so much of their words with a clause if it disagrees with them all, else none."""
    index = WordIndex.of(clause)
    share = _DISAGREEING_SHARE_DERIVED if item.derived else _DISAGREEING_SHARE
    alike = [s for s in near if shared_words(s.index, index) >= shared]
    return alike if all(disagrees(clause, s.text, share=share) != is_retracted for s in alike) else []


def _contrasts(answer: TextProfile) -> list[Span]:
    """Return the sentences of an answer that deny one thing to set off another."""
    return [sentence for sentence in sentences(answer.text) if is_contrast(sentence.text)]


def _turned_statements(clause: str, near: Sequence[Statement]) -> list[Statement]:
    """Return the near statements of which a clause turns round as little as a word, which the rule on shares lets pass."""
    return [s for s in near if disagrees(clause, s.text, share=_TURNED_SHARE)]


def retracted_clauses(answer: TextProfile) -> frozenset[int]:
    """Return the positions of the clauses that a sentence after them takes back: those of the sentence before it."""
    retracted: set[int] = set()
    for at, clause in enumerate(answer.clauses):
        if at and is_retraction(clause.text):
            first = at - 1
            while first and not _ENDS_SENTENCE.search(
                answer.text, answer.clauses[first - 1].end - 1, answer.clauses[first].start
            ):
                first -= 1
            retracted.update(range(0 if _OF_EVERYTHING.search(clause.text) else first, at))
    return frozenset(retracted)
