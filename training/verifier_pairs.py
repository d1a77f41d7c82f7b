"""Pairs of texts with a known relation, for fitting the verifier: marked answers, public pairs, and rewrites made by rule.

A pair is (premise, hypothesis): what the candidate says, and the statement of the item that it is held against.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import ItemBank
from grader.cross_encoder import Relation
from grader.lexical import WordIndex, coverage
from grader.text import content_stems
from training import exchanges, rewrites


@dataclass(frozen=True, slots=True)
class Pair:
    """A premise, a hypothesis and their relation."""

    premise: str
    hypothesis: str
    relation: Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a marked set with its statements: the references, and the answers that people found right or not.

    Questions of one `subject` are about related things, so that a right answer to one says nothing of another.
    """

    id: str
    subject: str
    text: str
    references: tuple[str, ...]
    answers: tuple[tuple[str, Relation], ...]

    @property
    def right(self) -> list[str]:
        """Statements that are right: references and short right answers."""
        return [*self.references, *(a for a, r in self.answers if r is Relation.ENTAILS and 4 <= len(a.split()) <= _MOST_WORDS)]  # noqa: PLR2004


_MOST_WORDS = 40
_PUBLIC_PAIRS = ("nli_cannot_negation.jsonl", "nli_negation_hossain2020.jsonl", "nli_breaking_nli.jsonl")
# Of one relation in one file and round: two of the files are nearly all contradictions.
_MOST_PUBLIC_PAIRS = 2_000
_SHARE_DENIED = 0.60
_SHARE_AGAINST_ITSELF = 0.6
_SHARE_AGAINST_ANSWERS = 0.5
_SHARE_REPEATED = 0.7
# References longer than this ask for several things, and a right answer may leave another's thing out.
_ONE_THING_WORDS = 15
# Two statements of one subject that share more of their words than this may well say the same.
_SAME_THING_SHARE = 0.5
_PUBLIC_RELATIONS = {
    "entailment": Relation.ENTAILS,
    "neutral": Relation.NEUTRAL,
    "contradiction": Relation.CONTRADICTS,
}
_PARTNERS_DRAWN = 6
_SHARE_EXCHANGED = 0.7
_SHARE_BOTH_WAYS = 0.3
# For each so many pairs with answers to written statements a round has one pair more that is made of the statements.
_MADE_OF_WRITTEN = 3
_NEIGHBOURS = 4
_TURNED_ANSWERS = 2
_SHARE_NEUTRAL_DENIED = 0.5
# In per cent: slips, a hedge, a denial of something else, a sentence beside the point, and nothing.
_DISTURBED = (8, 18, 18, 10, 46)


def marked_questions(path: Path, *, keep: Callable[[str], bool] = lambda _: True) -> list[Question]:
    """Return the questions of a set's train split whose id is to be kept.

    An answer marked correct entails the reference, one marked contradictory contradicts it, and any other is neutral.
    """
    found: dict[str, list[dict[str, object]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] == "train" and row["answer"] and keep(str(row["question_id"])):
            found.setdefault(str(row["question_id"]), []).append(row)
    relations = {"correct": Relation.ENTAILS, "contradictory": Relation.CONTRADICTS}
    return [
        Question(
            id=question_id,
            subject=f"{path.stem}/{rows[0].get('module') or ''}",
            text=str(rows[0]["question"] or ""),
            references=tuple(dict.fromkeys(rows[0]["references"])),  # type: ignore[call-overload]  # JSON's own lists
            answers=tuple((str(r["answer"]), relations.get(str(r["label_3way"]), Relation.NEUTRAL)) for r in rows),
        )
        for question_id, rows in found.items()
    ]


def bank_questions(bank: ItemBank) -> list[Question]:
    """Return the key points of a bank as questions without answers: each is stated in several ways. No response is read."""
    return [
        Question(id=f"{item.id}/{point.id}", subject=item.id, text="", references=(point.text, *point.examples), answers=())
        for item in bank
        for point in item.key_points
    ]


def written_statements(folder: Path, *, held_out: bool = False) -> list[Question]:
    """Return what was written for this project: statements, each with answers that entail it, contradict it or do neither.

    One JSON object a line in any file of the folder: `statement`, and lists `entails`, `contradicts` and `neutral`.

    Args:
        folder: Where the files lie.
        held_out: Return the one in twelve that says `held_out` and that no fit sees, instead of all others.
    """
    found = []
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, start=1):
        row = json.loads(line)
        if row.get("held_out", False) is not held_out:
            continue
        answers = tuple((text, relation) for relation in Relation for text in row[relation.name.lower()])
        references = (row["statement"],)
        found.append(Question(id=str(number), subject="written", text="", references=references, answers=answers))
    return found


def plain_pairs(statement: Question) -> list[Pair]:
    """Return the answers to a written statement against it, as they were written."""
    (reference,) = statement.references
    return [Pair(answer, reference, relation) for answer, relation in statement.answers]


def draw_written(statements: Sequence[Question], neighbours: Sequence[Sequence[Question]], rng: random.Random) -> list[Pair]:
    """Return the pairs of one round from written statements: each answer, some turned round, and fewer made of the statements.

    What contradicts a statement contradicts what says the same, and the other way round. Neither it nor what says the same has
    to do with another statement, even one that shares some of its words.
    """
    plain, made = [], []
    for statement, near in zip(statements, neighbours, strict=True):
        (reference,) = statement.references
        same = [answer for answer, relation in statement.answers if relation is Relation.ENTAILS]
        plain += plain_pairs(statement)
        for answer, relation in statement.answers:
            if relation is Relation.CONTRADICTS:
                other = rng.choice([reference, *same])
                made.append(Pair(other, answer, relation) if rng.random() < _SHARE_BOTH_WAYS else Pair(answer, other, relation))
        plain += _beside_the_point(statement, near, rng)
        made.append(Pair(reference, reference, Relation.ENTAILS))
        made += _rewritten(statement, reference, statements, rng)
        made += _moved(reference, reference, rng)
        plain += _rewritten_answers(statement, rng)
    return [
        _disturbed(pair, statements, rng) for pair in [*plain, *rng.sample(made, min(len(made), len(plain) // _MADE_OF_WRITTEN))]
    ]


def neighbours_of(statements: Sequence[Question]) -> list[list[Question]]:
    """Return for each statement the few others that share most words with it and may not say the same."""
    stems = [frozenset(content_stems(statement.references[0])) for statement in statements]
    found = []
    for at, mine in enumerate(stems):
        shares = [(len(mine & theirs) / max(1, min(len(mine), len(theirs))), n) for n, theirs in enumerate(stems) if n != at]
        near = sorted((pair for pair in shares if 0 < pair[0] < _SAME_THING_SHARE), reverse=True)[:_NEIGHBOURS]
        found.append([statements[n] for _, n in near])
    return found


def _beside_the_point(statement: Question, neighbours: Sequence[Question], rng: random.Random) -> Iterator[Pair]:
    """Yield two answers to a statement, a right one and a wrong one, against another statement with some of its words."""
    if not neighbours:
        return
    (goal,) = rng.choice(neighbours).references
    for wanted in (Relation.ENTAILS, Relation.CONTRADICTS):
        yield Pair(rng.choice([a for a, relation in statement.answers if relation is wanted]), goal, Relation.NEUTRAL)


def _rewritten_answers(statement: Question, rng: random.Random) -> Iterator[Pair]:
    """Yield answers to a written statement turned round, called false, left open, said both ways, and words without sense.

    Of written answers that say the same as many hold a "not" as of those that contradict, since they deny something else to set
    it off: by themselves they teach that a "not" means nothing.
    """
    (goal,) = statement.references
    answers = {wanted: [answer for answer, relation in statement.answers if relation is wanted] for wanted in Relation}
    same = answers[Relation.ENTAILS]
    # One that denies something already may be right when its denial is taken out.
    bare = [answer for answer in same if len(answer.split()) <= _ONE_THING_WORDS * 2 and rewrites.remove_denial(answer) is None]
    for answer in rng.sample(bare, min(_TURNED_ANSWERS, len(bare))):
        # A number in an example, or its parts exchanged, may well leave an answer right.
        turned = rng.choice((rewrites.negate, rewrites.negate, rewrites.oppose))(answer, rng)
        if turned:
            yield Pair(turned, goal, Relation.CONTRADICTS)
    yield Pair(rewrites.frame_denial(rng.choice(same), rng), goal, Relation.CONTRADICTS)
    if rng.random() < _SHARE_NEUTRAL_DENIED:
        yield Pair(rewrites.frame_denial(rng.choice(answers[Relation.NEUTRAL]), rng), goal, Relation.NEUTRAL)
    yield Pair(rewrites.leave_open(rng.choice(statement.answers)[0], rng), goal, Relation.NEUTRAL)
    right = rng.choice([goal, *same])
    opposite = rewrites.turn_round(right, rng) or rng.choice(answers[Relation.CONTRADICTS])
    one, other = rng.sample((right, opposite), 2)
    yield Pair(rewrites.say_both_ways(one, other, rng), goal, Relation.NEUTRAL)
    nothing = rewrites.empty(f"{goal} {rng.choice(same)}" if rng.random() < _SHARE_BOTH_WAYS else goal, rng)
    if nothing:
        yield Pair(nothing, goal, Relation.NEUTRAL)


def draw(questions: Sequence[Question], data_dir: Path, rng: random.Random) -> list[Pair]:
    """Return the pairs of one round: every marked answer, rewrites of right statements, a sample of the public pairs."""
    pairs = list(_marked(questions, rng))
    by_subject: dict[str, list[Question]] = {}
    for question in questions:
        by_subject.setdefault(question.subject, []).append(question)
    for question in questions:
        for statement in question.right:
            pairs += _rewritten(question, statement, questions, rng)
            near = _closest(statement, rng.sample(question.right, min(_PARTNERS_DRAWN, len(question.right))))
            pairs += _moved(statement, statement if rng.random() < _SHARE_AGAINST_ITSELF else near, rng)
            if len(question.references[0].split()) < _ONE_THING_WORDS:
                pairs.append(Pair(statement, near, Relation.ENTAILS))
            pairs += _unrelated(question, statement, by_subject[question.subject], rng)
    for file in _PUBLIC_PAIRS:
        public = _public(data_dir / file)
        for relation in Relation:
            alike = [pair for pair in public if pair.relation is relation]
            pairs += rng.sample(alike, min(len(alike), _MOST_PUBLIC_PAIRS))
    return [_disturbed(pair, questions, rng) for pair in pairs]


def _marked(questions: Collection[Question], rng: random.Random) -> Iterator[Pair]:
    for question in questions:
        right = question.right
        for answer, relation in question.answers:
            yield Pair(answer, _closest(answer, rng.sample(question.references, min(2, len(question.references)))), relation)
            # Right answers to one question say the same thing as each other in other words, where it asks for one thing.
            if len(right[0].split()) < _ONE_THING_WORDS and rng.random() < _SHARE_AGAINST_ANSWERS:
                partners = [other for other in rng.sample(right, min(_PARTNERS_DRAWN, len(right))) if other != answer]
                if partners:
                    yield Pair(answer, _closest(answer, partners), relation)
        if len(question.references) > 1:
            for reference in question.references:
                yield Pair(reference, rng.choice(question.references), Relation.ENTAILS)
        if question.text and rng.random() < _SHARE_REPEATED:
            yield Pair(question.text, rng.choice(question.references), Relation.NEUTRAL)


def _closest(answer: str, statements: Sequence[str]) -> str:
    """Return the statement with the most words in common: the verifier is asked about close wording only."""
    index = WordIndex.of(answer)
    return max(statements, key=lambda s: coverage(content_stems(s), index))


def _moved(statement: str, goal: str, rng: random.Random) -> Iterator[Pair]:
    """Yield the statement with its parts exchanged and with its order changed: the same words, and not the same verdict."""
    exchanged, reordered = exchanges.exchange_parts(statement, rng), exchanges.reorder(statement, rng)
    if exchanged and rng.random() < _SHARE_EXCHANGED:
        yield Pair(exchanged, goal, Relation.CONTRADICTS)
        if rng.random() < _SHARE_BOTH_WAYS:
            yield Pair(statement, exchanged, Relation.CONTRADICTS)
        turned = exchanges.reorder(exchanged, rng)
        if turned:
            yield Pair(turned, goal, Relation.CONTRADICTS)
    if reordered:
        yield Pair(reordered, goal, Relation.ENTAILS)
        yield Pair(statement, reordered, Relation.ENTAILS)


def _rewritten(question: Question, statement: str, questions: Sequence[Question], rng: random.Random) -> Iterator[Pair]:
    """Yield a few rewrites of a right statement, held against the statement or against a reference of its question."""
    goal = statement if rng.random() < _SHARE_AGAINST_ITSELF else rng.choice(question.references)
    other = rewrites.topic_words(rng.choice(rng.choice(questions).right), rng) or "this"
    denied = rewrites.turn_round(statement, rng)
    if denied and rng.random() < _SHARE_DENIED:
        yield Pair(denied, goal, Relation.CONTRADICTS)
        (way,) = rng.choices(("back", "correct", "wrongly correct", "contrast"), weights=(15, 25, 25, 35))
        yield {
            "back": lambda: Pair(statement, denied, Relation.CONTRADICTS),
            "correct": lambda: Pair(rewrites.correct(statement, denied, rng), goal, Relation.ENTAILS),
            "wrongly correct": lambda: Pair(rewrites.correct(denied, statement, rng), goal, Relation.CONTRADICTS),
            "contrast": lambda: Pair(rewrites.contrast(denied, other, rng), goal, Relation.CONTRADICTS),
        }[way]()
    (way,) = rng.choices(("contrast", "heap", "part", "same"), weights=(30, 15, 35, 20))
    if way == "contrast":
        yield Pair(rewrites.contrast(statement, other, rng), goal, Relation.ENTAILS)
    elif way == "heap" and (heap := rewrites.heap(statement, rng)):
        yield Pair(heap, goal, Relation.NEUTRAL)
    elif way == "part" and (parts := rewrites.first_part(statement)):
        yield Pair(parts[0], statement, Relation.NEUTRAL)
        yield Pair(statement, parts[0], Relation.ENTAILS)
    elif way == "same":
        yield Pair(statement, statement, Relation.ENTAILS)


def _unrelated(question: Question, statement: str, related: Sequence[Question], rng: random.Random) -> Iterator[Pair]:
    """Yield a pair with a right answer to another question of the subject, as it is, denied or hedged: it says nothing here."""
    others = [q for q in related if q.id != question.id]
    if not others:
        return
    away = rng.choice(rng.choice(others).right)
    stems = set(content_stems(statement))
    if coverage(stems, WordIndex.of(away)) > _SAME_THING_SHARE:
        return
    way = rng.random()
    changed = rewrites.negate(away, rng) if way < 0.4 else rewrites.hedge(away, rng) if way < 0.6 else away  # noqa: PLR2004
    yield Pair(changed or away, statement, Relation.NEUTRAL)


def _disturbed(pair: Pair, questions: Sequence[Question], rng: random.Random) -> Pair:
    """Return the pair, now and then its premise with slips, a hedge, a denial of something else or a sentence beside the point.

    Whatever the relation: were right answers alone dressed so, "clearly" or "not only" would be what makes an answer right.
    """
    (way,) = rng.choices(("slips", "hedge", "contrast", "aside", "as it is"), weights=_DISTURBED)
    if way == "slips":
        return Pair(rewrites.misspell(pair.premise, rng), pair.hypothesis, pair.relation)
    if way == "hedge":
        return Pair(rewrites.hedge(pair.premise, rng), pair.hypothesis, pair.relation)
    if way == "contrast":
        other = rewrites.topic_words(rng.choice(rng.choice(questions).right), rng) or "this"
        return Pair(rewrites.contrast(pair.premise, other, rng), pair.hypothesis, pair.relation)
    if way == "aside":
        aside = rng.choice(rng.choice(questions).right).rstrip(". ") + "."
        if rng.random() < 0.4:  # noqa: PLR2004
            aside = rewrites.negate(aside, rng) or aside
        if len(aside.split()) + len(pair.premise.split()) <= 2 * _MOST_WORDS:
            both = [pair.premise.rstrip(". ") + ".", aside[:1].upper() + aside[1:]]
            rng.shuffle(both)
            return Pair(" ".join(both), pair.hypothesis, pair.relation)
    return pair


def _public(path: Path) -> list[Pair]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    known = (row for row in rows if row["label"] in _PUBLIC_RELATIONS)
    return [Pair(row["premise"], row["hypothesis"], _PUBLIC_RELATIONS[row["label"]]) for row in known]
