"""The fit of the trees, on numbers made by rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grader.doubt import DOUBT_NAMES
from grader.fusion import DIRECTIONS, FUSED_NAMES
from training.fused_trees import FusedRows, fit_trees, left_out_predictions


def made_rows() -> FusedRows:
    """Return answers whose score is half of what was made and half of whether they are free of contradictions."""
    rng = np.random.default_rng(3)
    numbers = rng.uniform(size=(400, len(FUSED_NAMES)))
    made, against = (numbers[:, FUSED_NAMES.index(name)] for name in ("made", "contradicted_share"))
    return FusedRows(
        numbers=numbers,
        doubts=np.zeros((400, len(DOUBT_NAMES))),
        capped=np.arange(400) % 10 == 0,
        scores=0.5 * made + 0.5 * (against < 0.5),
        weights=np.ones(400),
        items=np.array([f"item-{number % 20}" for number in range(400)]),
        kinds=np.array(["complete"] * 400),
    )


def test_trees_learn_what_speaks_for_and_against_an_answer() -> None:
    rows = made_rows()
    trees = fit_trees(rows)
    assert trees.are_sound()
    found = np.array([trees.predict(row) for row in rows.numbers.tolist()])
    assert np.abs(found - rows.scores).mean() < 0.06


def test_trees_never_go_against_the_direction_of_a_number() -> None:
    # The scores fall with what is said here: no tree may learn that.
    rows = made_rows()
    said = FUSED_NAMES.index("said")
    trees = fit_trees(replace(rows, scores=1 - rows.numbers[:, said]))
    for row in rows.numbers[:100].tolist():
        values = [trees.predict([*row[:said], value, *row[said + 1 :]]) for value in (0.0, 0.3, 0.6, 1.0)]
        assert values == sorted(values)
    assert DIRECTIONS["said"] == 1


def test_a_prediction_comes_from_trees_that_have_not_seen_the_item() -> None:
    rows = made_rows()
    found = left_out_predictions(rows, folds=5)
    assert (found <= rows.numbers[:, FUSED_NAMES.index("made")])[rows.capped].all()
    assert 0.0 < np.abs(found - rows.scores)[~rows.capped].mean() < 0.1
