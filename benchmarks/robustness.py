"""How often a mark moves the wrong way when an answer is disturbed, and by how much.

    GRADER_DATA_DIR=<folder> python -m benchmarks.robustness [--home DIR] [--sample N] [--json FILE]

Disturbs references and `dev` responses of the shipped bank, and a seeded sample of the answers to Beetle and SciEntsBank (train)
that people marked right. Without GRADER_DATA_DIR only the bank is measured. Prints a table for each and one for the targets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.disturbances import DISTURBANCES, Base, Demand, Disturbance, Subject
from grader import Gradable, Grader, ItemBank, default_bank_dir
from grader.evaluation import CORRECT_FROM
from grader.text import words
from training.data_sets import RULES, fitting_rows
from training.fit_scoring_model import open_training_grader

# A mark that is to stay may move by this much; one that is not to rise, or to be full, may miss by half a mark of ten.
_TOLERANCE = {Demand.STAYS: 0.1, Demand.NOT_ABOVE: 0.05, Demand.FULL: 0.05, Demand.FALLS: 0.0, Demand.FAILS: 0.0}
_STEP = 0.05
# Answers of 20,000 characters take a second each.
_LONG = "20,000"
_LONG_SAMPLE = 20
_SEED = 20_261
_SETS = ("beetle", "scientsbank")
TARGETS = (("negation", 0.15), ("contradiction", 0.15), ("deletion", 0.40), ("echo", 0.03), ("nonsense", 0.03))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of one disturbance: `wrong` is the share of the `n` marks that moved the wrong way.

    `moved` is the mean change of the score, the score itself where nothing was disturbed; `mean` and `p95` say by how much the
    marks went the wrong way, over all of them.
    """

    name: str
    group: str
    demand: str
    n: int
    wrong: float
    moved: float
    mean: float
    p95: float


def astray(demand: Demand, before: float, after: float) -> float:
    """Return by how much a score went the wrong way, from 0 upwards.

    A score that is to fall is to fall by half a mark of ten.
    """
    if demand is Demand.STAYS:
        return abs(after - before)
    if demand is Demand.FALLS:
        return max(0.0, round(after - before + _STEP, 4))
    if demand is Demand.NOT_ABOVE:
        return max(0.0, after - before)
    return max(0.0, after - CORRECT_FROM + 1e-4) if demand is Demand.FAILS else 1 - after


def measure(grader: Grader, subjects: Sequence[Subject], disturbance: Disturbance) -> Figures | None:
    """Return the figures of one disturbance, None where it could be made of no subject.

    Failing answers that the grader passes as they are do not count: nothing is gained by disturbing them.
    """
    cases: dict[tuple[str, str | None, str], tuple[Gradable, str | None, str]] = {}
    for number, subject in enumerate(subjects[:_LONG_SAMPLE] if _LONG in disturbance.name else subjects):
        made = disturbance.make(subject, random.Random(_SEED + number))  # noqa: S311 no secret is at stake
        base = {Base.RIGHT: subject.right, Base.FAILING: subject.failing, Base.NONE: None}[disturbance.base]
        if made is not None:
            # What depends on the item alone, such as its question, is one case however many right answers the item has.
            cases[subject.item.content_hash, base, made] = (subject.item, base, made)
    after = np.array([r.score for r in grader.grade_many([(item, made) for item, _, made in cases.values()])])
    before = np.array([r.score for r in grader.grade_many([(item, base or "") for item, base, _ in cases.values()])])
    counts = before < CORRECT_FROM if disturbance.base is Base.FAILING else np.full(len(cases), fill_value=True)
    if disturbance.demand is Demand.FALLS:
        counts = before > 0
    if not counts.any():
        return None
    before, after = before[counts], after[counts]
    off = np.array([astray(disturbance.demand, b, a) for b, a in zip(before, after, strict=True)])
    return Figures(
        name=disturbance.name,
        group=disturbance.group,
        demand=disturbance.demand.value,
        n=len(off),
        wrong=float(np.mean(off > _TOLERANCE[disturbance.demand])),
        moved=float(np.mean(after - before)),
        mean=float(off.mean()),
        p95=float(np.quantile(off, 0.95)),
    )


def bank_subjects(bank: ItemBank) -> list[Subject]:
    """Return the references and the complete and terse `dev` responses of a bank's items, in the order of the items."""
    items = list(bank)
    found = []
    for at, item in enumerate(items):
        dev = [r for r in bank.responses[item.id] if r.split == "dev"]
        right = [ref.text for ref in item.reference_answers] + [
            r.candidate_answer for r in dev if r.kind in ("complete", "terse")
        ]
        failing = [r.candidate_answer for r in dev if r.kind in ("wrong", "contradiction")]
        other = items[(at + len(items) // 2) % len(items)]
        terms = tuple(dict.fromkeys(forms[0] for point in item.key_points for forms in point.keywords))
        found += [
            Subject(
                item=item, right=text, failing=failing[n % len(failing)], foreign=other.reference_answers[0].text, terms=terms
            )
            for n, text in enumerate(right)
        ]
    return found


def set_subjects(name: str, data_dir: Path, sample: int) -> list[Subject]:
    """Return a seeded sample of the right answers of a set's train split, graded against all references of their questions."""
    rule = next(rule for rule in RULES if rule.name == name)
    rows = fitting_rows(replace(rule, first_reference=False), data_dir)
    right = [row for row in rows if row.label == "correct"]
    failing: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.score < CORRECT_FROM and row.label != "correct":
            failing[row.question_id].append(row.candidate_answer)
    rng = random.Random(_SEED)  # noqa: S311
    found = []
    for row in rng.sample(right, min(sample, len(right))):
        foreign = rng.choice([other for other in right if other.question_id != row.question_id])
        wrong = rng.choice(failing[row.question_id]) if failing[row.question_id] else None
        held = [w.text.lower() for reference in row.item.reference_answers for w in words(reference.text) if w.is_content]
        found.append(
            Subject(
                item=row.item,
                right=row.candidate_answer,
                failing=wrong,
                foreign=foreign.candidate_answer,
                terms=tuple(dict.fromkeys(held)),
            )
        )
    return found


def grouped(figures: Sequence[Figures], group: str) -> tuple[int, float]:
    """Return how many cases of a group there are and the share of them that went wrong."""
    of_group = [f for f in figures if f.group == group]
    n = sum(f.n for f in of_group)
    return n, sum(f.wrong * f.n for f in of_group) / max(1, n)


def main() -> None:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    parser.add_argument("--sample", type=int, default=150, help="right answers of each marked set")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    training = open_training_grader(arguments.home)
    grader = Grader(training.encoder, verifier=training.verifier)
    populations = {"bank": bank_subjects(ItemBank.from_directory(default_bank_dir()))}
    if "GRADER_DATA_DIR" in os.environ:
        data_dir = Path(os.environ["GRADER_DATA_DIR"])
        populations |= {name: set_subjects(name, data_dir, arguments.sample) for name in _SETS}
    tables: dict[str, list[Figures]] = {}
    for name, subjects in populations.items():
        tables[name] = [f for d in DISTURBANCES if (f := measure(grader, subjects, d)) is not None]
        print(f"\n| {name} | mark must | n | wrong way | mean move | astray, mean | astray, p95 |\n|---|---|---|---|---|---|---|")
        for f in tables[name]:
            print(f"| {f.name} | {f.demand} | {f.n} | {f.wrong:.1%} | {f.moved:+.3f} | {f.mean:.3f} | {f.p95:.3f} |", flush=True)
    print("\n| wrong way | at most | " + " | ".join(tables) + " |\n|---|---|" + "---|" * len(tables))
    for group, most in TARGETS:
        shares = " | ".join(f"{grouped(figures, group)[1]:.1%} of {grouped(figures, group)[0]}" for figures in tables.values())
        print(f"| {group} | {most:.0%} | {shares} |")
    if arguments.json:
        plain = {name: [asdict(f) for f in figures] for name, figures in tables.items()}
        arguments.json.write_text(json.dumps({"signature": grader.signature, "figures": plain}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
