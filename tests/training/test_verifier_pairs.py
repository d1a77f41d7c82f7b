"""Pairs of texts for the verifier: what was written for it, and what is made of that."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from grader.cross_encoder import Relation
from training.fit_verifier import STATEMENTS
from training.verifier_pairs import draw_written, neighbours_of, plain_pairs, written_statements

HEDGED = re.compile(r"^(I think|I believe|In my|Basically|Of course|Well,|In general|In other)|, (I think|of course)\.$")
SET_OFF = re.compile(r"^(It is not (about|only)|Unlike|Not because|This is not|Without any|Rather than|No, )|nothing to do with")
ROWS = [
    {
        "statement": f"The {one} opens the {other}.",
        "entails": [f"The {other} is opened by the {one}."],
        "contradicts": [f"The {one} does not open the {other}.", f"The {other} opens the {one}."],
        "neutral": [f"There is a {one}."],
    }
    for one, other in (("switch", "gate"), ("key", "door"), ("guard", "window"))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in (("one", ROWS[:1]), ("two", ROWS[1:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_answers_to_a_written_statement_are_held_against_it(folder: Path) -> None:
    switch, *_ = written_statements(folder)
    pairs = plain_pairs(switch)
    assert {pair.hypothesis for pair in pairs} == {"The switch opens the gate."}
    assert [pair.relation for pair in pairs] == [Relation.ENTAILS, Relation.NEUTRAL, *[Relation.CONTRADICTS] * 2]


def test_a_round_has_every_written_pair_and_fewer_that_are_made_of_them(folder: Path) -> None:
    statements = written_statements(folder)
    drawn = draw_written(statements, neighbours_of(statements), random.Random(1))  # noqa: S311 no secret is at stake
    plain = sum(len(plain_pairs(statement)) for statement in statements)
    beside_the_point = 2 * len(statements)
    turned = 3 * len(statements)
    assert plain + beside_the_point + turned < len(drawn) <= (plain + beside_the_point + 6 * len(statements)) * 4 / 3
    assert {pair.relation for pair in drawn} == set(Relation)


def test_a_right_answer_turned_round_or_called_false_contradicts_and_its_words_without_sense_say_nothing(folder: Path) -> None:
    statements = written_statements(folder)
    drawn = [p for n in range(400) for p in draw_written(statements, neighbours_of(statements), random.Random(n))]  # noqa: S311
    goal = "The switch opens the gate."
    by_text = {pair.premise: pair.relation for pair in drawn if pair.hypothesis == goal}
    assert by_text["The gate isn't opened by the switch."] is Relation.CONTRADICTS
    assert by_text["It is not true that the gate is opened by the switch"] is Relation.CONTRADICTS
    assert by_text["It is not true that there is a switch"] is Relation.NEUTRAL
    assert by_text["In my opinion, the gate is opened by the switch"] is Relation.ENTAILS
    assert by_text["In my opinion, the switch does not open the gate"] is Relation.CONTRADICTS
    assert by_text["I do not know whether the gate is opened by the switch."] is Relation.NEUTRAL
    assert by_text["I do not know whether the switch does not open the gate."] is Relation.NEUTRAL


@pytest.mark.parametrize("dress", [HEDGED, SET_OFF], ids=["hedged", "set-off"])
def test_pairs_of_every_relation_are_dressed_alike(dress: re.Pattern[str]) -> None:
    # Dressing must tell nothing of what is right, or whoever says "clearly" is.
    statements = written_statements(STATEMENTS)[:600]
    drawn = draw_written(statements, neighbours_of(statements), random.Random(1))  # noqa: S311 no secret is at stake
    shares = []
    for relation in Relation:
        of_it = [pair for pair in drawn if pair.relation is relation]
        shares.append(sum(dress.search(pair.premise) is not None for pair in of_it) / len(of_it))
    assert min(shares) > 0.03
    assert max(shares) < 1.4 * min(shares)


def test_no_statement_is_both_fitted_on_and_held_out() -> None:
    fitted, kept = (
        {statement.references[0].casefold() for statement in written_statements(STATEMENTS, held_out=is_held_out)}
        for is_held_out in (False, True)
    )
    assert not fitted & kept
    assert len(kept) == pytest.approx(len(fitted) / 11, rel=0.05)


def test_written_statements_are_distinct_and_have_clear_answers() -> None:
    lines = [line for path in STATEMENTS.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in lines]
    assert len({row["statement"] for row in rows}) == len(rows)
    for row in rows:
        answers = [row["entails"], row["contradicts"], row["neutral"]]
        assert all(answers)
        texts = [row["statement"], *(text for part in answers for text in part)]
        assert all(isinstance(text, str) and text.strip() == text and len(text.split()) <= 60 for text in texts)
        assert not set(row["contradicts"]) & {row["statement"], *row["entails"], *row["neutral"]}
