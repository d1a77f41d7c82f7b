"""Fit the verifier and write its weights file.

    GRADER_DATA_DIR=<folder> python -m training.fit_verifier --output FILE [--pairs N] [--seed N] [--update-of FILE ...]

A cross-encoder over (what the candidate says, a statement of the item) that says entails, neutral or contradicts. It starts from
the encoder's own weights; the word vectors stay as they are, so that the file holds the layers alone, at half precision.

With `--update-of` the weights of an earlier fit stay as well, and what is fitted and written is an update of low rank. Beside
each batch of pairs it sees one of whole answers, with a verdict on a key point or with a mark, see `training/marked_items.py`.
Of the pairs three quarters are from `training/statements`, statements of many subjects with answers written to say the same, the
contrary, or neither, and a quarter is what the earlier fit saw.

BEETLE and SAF might be fitted on and are not, so that figures on them are figures on sets that no part of the grader has seen.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from grader import ItemBank, default_bank_dir
from grader.agreement import auc
from grader.cross_encoder import CrossEncoder, Relation
from grader.weights import find_weights
from training.marked_items import (
    MARKED_ITEMS,
    Shown,
    answers_to_shipped_items,
    judged_answers,
    loss_of,
    marked_answers,
    round_of,
    short_answers,
)
from training.verifier_pairs import (
    Pair,
    bank_questions,
    draw,
    draw_written,
    marked_questions,
    neighbours_of,
    plain_pairs,
    written_statements,
)

_LEARNING_RATE = 1.5e-4
_HEAD_LEARNING_RATE = 1e-3
_UPDATE_LEARNING_RATE = 8e-4
_UPDATE_HEAD_LEARNING_RATE = 3e-4
# For so many pairs from written statements an update sees one of what was fitted on before.
_SEEN_BEFORE = 3
STATEMENTS = Path(__file__).with_name("statements")
_BATCH = 32
# Answers with a verdict, and the pairs beside them.
_JUDGED_BATCH = 16
_BATCH_BESIDE_JUDGED = 8
_MAX_TOKENS = 160
_MOST_WORDS = 60  # of a pair: clauses are shorter
_WARM_UP = 0.04
_PROVENANCE = (
    "Differences from all-MiniLM-L6-v2 (Apache-2.0), fitted by training/fit_verifier.py on SciEntsBank, train (SemEval-2013 "
    "task 7, Dzikovska et al., CC BY-SA 3.0), CANNOT (CC BY-SA 4.0), the negation pairs of Hossain et al. 2020 (MIT), Breaking "
    "NLI (Glockner et al. 2018, CC BY-SA 4.0), rewrites of these made by rule, the key points of this repository's bank, the "
    "statements in training/statements, and the answers in training/marked_items, training/answers_to_shipped_items and "
    "training/short_answers."
)
T = TypeVar("T")
# Elsewhere a product of 16 bits is made up of many steps and takes thirty times as long as one of 32.
_HAS_SHORT_PRODUCTS = torch.backends.cpu.get_cpu_capability().startswith("AVX512")


class Batches:
    """Turns pairs into padded batches of about one length each."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS, strategy="longest_first")
        self._tokenizer.enable_padding()

    def encode(self, pairs: Sequence[Pair]) -> dict[str, torch.Tensor]:
        """Return the network's inputs for some pairs."""
        encodings = self._tokenizer.encode_batch([(p.premise, p.hypothesis) for p in pairs])
        return {
            "input_ids": torch.tensor([e.ids for e in encodings]),
            "token_type_ids": torch.tensor([e.type_ids for e in encodings]),
            "attention_mask": torch.tensor([e.attention_mask for e in encodings]),
        }

    @staticmethod
    def cut(pairs: Sequence[Pair], rng: random.Random, *, size: int = _BATCH) -> list[list[Pair]]:
        """Return the pairs in batches of similar length, in any order."""
        return _cut(pairs, lambda pair: len(pair.premise) + len(pair.hypothesis), size, rng)

    @staticmethod
    def cut_judged(judged: Sequence[Shown], rng: random.Random) -> list[list[Shown]]:
        """Return answers with a verdict in batches of similar length, in any order."""
        return _cut(judged, lambda each: len(each.answer) + len(each.statement), _JUDGED_BATCH, rng)


def _cut(things: Sequence[T], length: Callable[[T], int], size: int, rng: random.Random) -> list[list[T]]:
    ordered = sorted(things, key=lambda thing: length(thing) + rng.random() * 20)
    batches = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    rng.shuffle(batches)
    return batches


def main() -> None:
    """Fit and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=220_000, help="pairs to show, repeats counted")
    parser.add_argument("--update-of", type=Path, help="weights of an earlier fit, of which an update is fitted")
    parser.add_argument("--start-from", type=Path, help="weights, or an update, of an earlier fit to go on from")
    parser.add_argument("--seed", type=int, default=20261124, help="another one gives another fit to take the mean with")
    arguments = parser.parse_args()
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    rng = random.Random(arguments.seed)  # noqa: S311 no secret is at stake
    torch.manual_seed(arguments.seed)
    folder = find_weights()
    model, batches = CrossEncoder(folder), Batches(folder)
    rounds, judged = _rounds(data_dir, rng), None
    if arguments.update_of:
        model.load_packed(arguments.update_of)
        if arguments.start_from:
            model.resume_update(arguments.start_from)
        else:
            model.begin_update()
        rounds = _rounds_of_an_update(rounds, rng)
        judged = _rounds_of_judged(rng)
        rates = _UPDATE_LEARNING_RATE, _UPDATE_HEAD_LEARNING_RATE
    else:
        if arguments.start_from:
            model.load_packed(arguments.start_from)
        rates = _LEARNING_RATE, _HEAD_LEARNING_RATE
    fit(model, batches, rounds, judged, size=arguments.pairs, rng=rng, rate=rates[0], head_rate=rates[1])
    report(model, batches)
    packed = model.packed_update() if arguments.update_of else model.packed()
    save_file(packed, arguments.output, metadata={"licence": "Apache-2.0", "provenance": _PROVENANCE})
    print(f"{arguments.output.stat().st_size / 1e6:.1f} MB -> {arguments.output}")


def fit(
    model: CrossEncoder,
    batches: Batches,
    rounds: Iterator[list[Pair]],
    judged: Iterator[list[Shown]] | None,
    *,
    size: int,
    rng: random.Random,
    rate: float,
    head_rate: float,
) -> None:
    """Fit on `size` pairs with learning rates that rise to `rate` and `head_rate`, and then fall to nothing.

    Where there are judged answers, a batch of them stands beside each batch of pairs; both weigh the same.
    """
    backbone = [p for p in model.network.parameters() if p.requires_grad]
    head = [*model.hidden.parameters(), *model.output.parameters()]
    optimiser = torch.optim.AdamW([{"params": backbone}, {"params": head}], lr=rate, weight_decay=0.01)
    model.train()
    start, seen = time.monotonic(), 0
    losses: list[tuple[float, float]] = []
    queue: list[list[Pair]] = []
    judged_queue: list[list[Shown]] = []
    while seen < size:
        if not queue:
            queue = Batches.cut(next(rounds), rng, size=_BATCH if judged is None else _BATCH_BESIDE_JUDGED)
        pairs = queue.pop()
        done = seen / size
        scale = min(1.0, done / _WARM_UP + 0.01) * (1 - done)
        optimiser.param_groups[0]["lr"] = rate * scale
        optimiser.param_groups[1]["lr"] = head_rate * scale
        loss = torch.nn.functional.cross_entropy(
            _logits(model, batches, pairs), torch.tensor([int(p.relation) for p in pairs]), label_smoothing=0.05
        )
        loss.backward()  # type: ignore[no-untyped-call]  # the library has no type for it
        judged_loss = 0.0
        if judged is not None:
            if not judged_queue:
                judged_queue = Batches.cut_judged(next(judged), rng)
            of_judged = _loss_of_judged(model, batches, judged_queue.pop())
            of_judged.backward()  # type: ignore[no-untyped-call]  # as above
            judged_loss = of_judged.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seen += len(pairs)
        losses.append((loss.item(), judged_loss))
        if len(losses) % 200 == 0:
            speed = seen / (time.monotonic() - start)
            of_pairs, of_answers = np.mean(losses[-200:], axis=0)
            print(f"{seen:7d} pairs  {speed:5.1f}/s  loss {of_pairs:.4f}  of answers {of_answers:.4f}", flush=True)
    model.eval()


def _logits(model: CrossEncoder, batches: Batches, pairs: Sequence[Pair]) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_HAS_SHORT_PRODUCTS):
        logits: torch.Tensor = model(**batches.encode(pairs))
    return logits.float()


def _loss_of_judged(model: CrossEncoder, batches: Batches, judged: Sequence[Shown]) -> torch.Tensor:
    """Return the mean loss of answers with a verdict, of which each passage is a pair."""
    counts = [len(each.passages) for each in judged]
    # The relation of a passage by itself is not known, and not looked at.
    pairs = [Pair(passage, each.statement, Relation.NEUTRAL) for each in judged for passage in each.passages]
    probabilities = torch.split(torch.softmax(_logits(model, batches, pairs), dim=-1), counts)
    losses = [loss_of(of_one, each.said, is_denied=each.is_denied) for of_one, each in zip(probabilities, judged, strict=True)]
    return torch.stack(losses).mean()


def report(model: CrossEncoder, batches: Batches) -> None:
    """Print how well contradictions of the written statements that no fit sees are told from the other answers to them."""
    pairs = [pair for statement in written_statements(STATEMENTS, held_out=True) for pair in plain_pairs(statement)]
    with torch.inference_mode():
        found = [torch.softmax(model(**batches.encode([pair])), dim=-1)[0].numpy() for pair in pairs]
    scores = np.array(found)
    relations = np.array([pair.relation for pair in pairs])
    for relation in Relation:
        of_it, others = scores[relations == relation, relation], scores[relations != relation, relation]
        print(f"{relation.name.lower()}: AUC {auc(of_it, others):.3f} of {len(of_it)} against {len(others)}")


def _rounds(data_dir: Path, rng: random.Random) -> Iterator[list[Pair]]:
    questions = bank_questions(ItemBank.from_directory(default_bank_dir()))
    questions += marked_questions(data_dir / "scientsbank.jsonl")
    while True:
        yield [pair for pair in draw(questions, data_dir, rng) if len(f"{pair.premise} {pair.hypothesis}".split()) <= _MOST_WORDS]


def _rounds_of_an_update(before: Iterator[list[Pair]], rng: random.Random) -> Iterator[list[Pair]]:
    statements = written_statements(STATEMENTS)
    neighbours = neighbours_of(statements)
    for pairs in before:
        written = draw_written(statements, neighbours, rng)
        yield [*written, *rng.sample(pairs, min(len(written) // _SEEN_BEFORE, len(pairs)))]


def _rounds_of_judged(rng: random.Random) -> Iterator[list[Shown]]:
    shipped, bank = ItemBank.from_directory(default_bank_dir()), ItemBank.from_directory(MARKED_ITEMS)
    judged = [*judged_answers(MARKED_ITEMS), *answers_to_shipped_items(shipped)]
    marked = [*marked_answers(bank), *short_answers()]
    items = [*bank.items, *shipped.items]
    while True:
        yield round_of(judged, marked, items, rng)


if __name__ == "__main__":
    main()
