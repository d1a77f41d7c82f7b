"""Accuracy floors on the real weights. Those on marked sets need the folder that `GRADER_DATA_DIR` names.

Without it their tests are not there, and the summary of the run names the floors that were left out (see conftest.py).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import gaming
from benchmarks.accuracy import TARGETS, bank_results, by_item_and_kind, left_out_figures, share_in_order
from grader import EmbeddingStore, Grader, ItemBank, OnnxEncoder
from grader.verifier import OnnxVerifier
from training.data_sets import RULES, MarkedAnswer, SetRule, StoredEncoder, fitting_rows, measured_rows
from training.fit_scoring_model import MarkedSet, marked_set

# Of a larger set rows are taken at equal distances: floors tell of faults, and benchmarks.accuracy measures whole sets.
MOST_ROWS = 1_000
MOST_FITTED_ROWS = 500
ORDERED_KINDS = ("complete", "partial", "wrong")


def thinned(rows: list[MarkedAnswer], most: int) -> list[MarkedAnswer]:
    """Return every so many rows of a set, so that there are not more than `most`."""
    return rows[:: -(-len(rows) // most)]


@pytest.fixture(scope="session")
def test_scores(real_grader: Grader, shipped_bank: ItemBank) -> dict[str, dict[str, list[float]]]:
    """Return the scores of the shipped bank's test responses by item and kind."""
    return by_item_and_kind(bank_results(real_grader, shipped_bank, "test"), lambda result: result.score)


def test_complete_answers_stand_above_partial_ones_and_those_above_wrong_ones(
    test_scores: dict[str, dict[str, list[float]]],
) -> None:
    # The aim is .95; docs/accuracy.md says how far this version is from it and why.
    assert share_in_order(test_scores, ORDERED_KINDS) >= 0.93


@pytest.mark.parametrize("kinds", [("complete", "keyword_heap"), ("partial", "off_topic")])
def test_gaming_stands_below_honest_answers(test_scores: dict[str, dict[str, list[float]]], kinds: tuple[str, str]) -> None:
    assert share_in_order(test_scores, kinds) >= 0.95


def test_no_failing_answer_is_talked_into_a_pass_by_frames_that_sound_sure(real_grader: Grader, shipped_bank: ItemBank) -> None:
    rng = random.Random(1)  # noqa: S311 no secret is at stake
    failing = [
        (item, response.candidate_answer)
        for item in shipped_bank
        for kind in ("wrong", "contradiction")
        for response in [r for r in shipped_bank.responses[item.id] if r.split == "dev" and r.kind == kind][:1]
    ]
    framed = real_grader.grade_many([(item, gaming.framed(answer, rng)) for item, answer in failing])
    # While the fit of the verifier dressed right answers alone, the mean was .25, and 5 of the 60 passed.
    assert sum(result.score for result in framed) / len(framed) <= 0.14
    assert sum(result.score >= 0.5 for result in framed) <= 5


if "GRADER_DATA_DIR" in os.environ:
    DATA_DIR = Path(os.environ["GRADER_DATA_DIR"])

    @pytest.fixture(scope="session")
    def storing_grader(prepared_model: Path, request: pytest.FixtureRequest) -> Iterator[Grader]:
        """Return a grader whose vectors pytest's cache keeps: the first run encodes every marked answer, later ones none."""
        assert request.config.cache is not None
        encoder = OnnxEncoder(prepared_model, threads=1)
        path = request.config.cache.mkdir("marked-sets") / "vectors.sqlite"
        with EmbeddingStore(path, signature=encoder.signature, dimension=encoder.dimension) as store:
            yield Grader(StoredEncoder(encoder, store), verifier=OnnxVerifier(prepared_model, threads=1))

    @pytest.fixture(scope="session")
    def marked_sets(storing_grader: Grader) -> dict[str, MarkedSet]:
        """Return the evidence of what is taken of every set that may be fitted on."""
        rows = {rule.name: thinned(fitting_rows(rule, DATA_DIR), MOST_FITTED_ROWS) for rule in RULES if rule.fit_splits}
        return {name: marked_set(storing_grader, some) for name, some in rows.items()}

    @pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name in TARGETS], ids=lambda rule: rule.name)
    def test_the_error_on_a_set_left_out_of_the_fit_is_within_its_floor(
        rule: SetRule, storing_grader: Grader, marked_sets: dict[str, MarkedSet]
    ) -> None:
        figures = left_out_figures(storing_grader, rule.name, thinned(measured_rows(rule, DATA_DIR), MOST_ROWS), marked_sets)
        assert figures.rows >= 400
        assert figures.system_wrmse <= TARGETS[rule.name], f"r = {figures.system_pearson:.2f} on {figures.rows} answers"
