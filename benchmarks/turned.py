"""What a word costs that turns one key point round, and what one costs that changes nothing.

    python -m benchmarks.turned [--home DIR]

`turned_answers` has three right answers to each item of `banks_of_other_subjects/test` and `.../test_2`, each with two that
differ from it in a word or a few and deny one key point, and one that differs as little and says the same. No fit sees them.

A turned answer should lose the weight of the key point that it denies. "Half of it" is how many lose half of that or more,
"lower" how many score lower at all by .02, "covered" how often the grader calls the denied key point covered, before the turn and
after it. A harmless change should move nothing: "moved" is how many move by more than .1.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.other_subjects import BANKS_FOLDER
from grader import Grader, GradingResult, Item, ItemBank
from grader.results import Verdict

_FOLDER = Path(__file__).with_name("turned_answers")
_NAMES = ("test", "test_2")
_LOWER = 0.02
_MOVED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A right answer and what was made of it; `denies` is the key point that it turns round, None where it says the same."""

    item: Item
    answer: str
    changed: str
    how: str
    denies: str | None


def main() -> None:
    """Print a row for each bank and kind of turn, and one for each bank's harmless changes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=os.environ.get("GRADER_HOME") or user_cache_path("grader", appauthor=False))
    arguments = parser.parse_args()
    grader = Grader.from_directory(Path(arguments.home))
    print(
        "| turned | n | score before | after | half of it | lower | covered before | after |\n|---|---|---|---|---|---|---|---|"
    )
    harmless: list[str] = []
    for name in _NAMES:
        changes = changes_of(name)
        before = grader.grade_many([(each.item, each.answer) for each in changes])
        after = grader.grade_many([(each.item, each.changed) for each in changes])
        graded = list(zip(changes, before, after, strict=True))
        turned = [each for each in graded if each[0].denies is not None]
        print(row_of_turned(name, turned))
        for how in sorted({change.how for change, _, _ in turned}):
            print(row_of_turned(f"{name}, {how}", [each for each in turned if each[0].how == how]))
        moves = np.array([two.score - one.score for change, one, two in graded if change.denies is None])
        harmless.append(f"| {name} | {len(moves)} | {moves.mean():+.3f} | {np.mean(np.abs(moves) > _MOVED):.0%} |")
    print("\n| harmless | n | mean move | moved |\n|---|---|---|---|\n" + "\n".join(harmless))
    grader.close()


def changes_of(name: str) -> list[Change]:
    """Return the changes of answers to the items of a bank.

    Raises:
        ItemNotFoundError: If there is a file for no item of the bank.
        KeyError: If a line lacks a field.
    """
    bank = ItemBank.from_directory(BANKS_FOLDER / name)
    found = []
    for file in sorted((_FOLDER / name).glob("*.jsonl")):
        item = bank.get(file.stem)
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            made = [(turned["answer"], turned["how"], turned["denies"]) for turned in row["turned"]]
            made.append((row["harmless"]["answer"], "harmless", None))
            found += [
                Change(item=item, answer=row["answer"], changed=changed, how=how, denies=denies) for changed, how, denies in made
            ]
    return found


def row_of_turned(title: str, graded: Sequence[tuple[Change, GradingResult, GradingResult]]) -> str:
    """Return a row of the first table."""
    due = np.array([weight_of(change) for change, _, _ in graded])
    before = np.array([result.score for _, result, _ in graded])
    after = np.array([result.score for _, _, result in graded])
    half = np.mean(before - after >= due / 2)
    covered = [np.mean([covers(one, change) for change, one, _ in graded]), np.mean([covers(two, c) for c, _, two in graded])]
    lower = np.mean(before - after >= _LOWER)
    return (
        f"| {title} | {len(graded)} | {before.mean():.2f} | {after.mean():.2f} | {half:.0%} | {lower:.0%} "
        f"| {covered[0]:.0%} | {covered[1]:.0%} |"
    )


def weight_of(change: Change) -> float:
    """Return the share of the item's weight that the denied key point has, in [0, 1]."""
    weights = {point.id: point.weight for point in change.item.key_points}
    return weights[change.denies or ""] / sum(weights.values())


def covers(result: GradingResult, change: Change) -> bool:
    """Tell whether a result says that the key point is covered that the change turns round."""
    return any(match.id == change.denies and match.verdict is Verdict.COVERED for match in result.key_points)


if __name__ == "__main__":
    main()
