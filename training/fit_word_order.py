"""Count which classes of words follow each other in people's sentences, and write the table that `grader.word_order` reads.

    GRADER_DATA_DIR=<folder> python -m training.fit_word_order

SciEntsBank's train split (questions, references, answers) and the first sentences of two public sets of pairs. BEETLE and SAF
might be counted too and are not, so that figures on them are figures on sets that no part of the grader has seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from grader.word_order import count_followers

_OUTPUT = Path(__file__).parents[1] / "grader" / "data" / "word_order.json"
_PAIRS = ("nli_cannot_negation.jsonl", "nli_negation_hossain2020.jsonl")
_FEWEST_WORDS = 3
_PROVENANCE = (
    "Counted in SciEntsBank's train split (SemEval-2013 task 7, CC BY-SA 3.0), CANNOT (CC BY-SA 4.0) and the negation pairs of "
    "Hossain et al. 2020 (MIT) by training/fit_word_order.py."
)


def main() -> None:
    """Count and write."""
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    texts = sorted({text for text in _texts(data_dir) if len(text.split()) >= _FEWEST_WORDS})
    counts = count_followers(texts)
    ordered = {before: dict(sorted(counts[before].items())) for before in sorted(counts)}
    rows = ",\n".join(f"{json.dumps(before)}: {json.dumps(followers)}" for before, followers in ordered.items())
    _OUTPUT.write_text(f'{{"provenance": {json.dumps(_PROVENANCE)},\n"counts": {{\n{rows}\n}}}}\n', encoding="utf-8")
    print(f"{len(texts)} texts, {sum(map(len, counts.values()))} pairs of classes -> {_OUTPUT}")


def _texts(data_dir: Path) -> Iterator[str]:
    for line in (data_dir / "scientsbank.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["split"] == "train":
            yield from (row["question"] or "", *row["references"], row["answer"] or "")
    for file in _PAIRS:
        for line in (data_dir / file).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["premise"]


if __name__ == "__main__":
    main()
