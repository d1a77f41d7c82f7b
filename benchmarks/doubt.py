"""How much better the marks are that are left when the most doubtful ones are sent to a person.

    python -m benchmarks.doubt [--home DIR]

The shipped bank's responses, references left out. On `dev`, which the doubt is fitted on, each item's by coefficients that are
fitted on the items of four other fifths; on `test` by the shipped ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from grader import Grader, ItemBank, default_bank_dir, default_scoring_model
from training.fit_scoring_model import doubt_coefficients, doubtful_rows

_FOLDS = 5
_SENT = (0.1, 0.2, 0.3)
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    grader, model = Grader.from_directory(arguments.home), default_scoring_model()
    bank = ItemBank.from_directory(default_bank_dir())
    print("| split | sent to a person | mean squared error of all | of the rest | less by | root of it, less by |")
    print("|---|---|---|---|---|---|")
    for split in ("dev", "test"):
        features, errors, ids = doubtful_rows(model, grader, bank, split)
        doubt = features @ np.array(model.doubt_coefficients)
        if split == "dev":
            fold_of = {item.id: number % _FOLDS for number, item in enumerate(bank)}
            folds = np.array([fold_of[each] for each in ids])
            for fold in range(_FOLDS):
                found = doubt_coefficients(features[folds != fold], errors[folds != fold])
                doubt[folds == fold] = features[folds == fold] @ found
        for share in _SENT:
            rest = errors[doubt <= np.quantile(doubt, 1 - share)].mean()
            less = 1 - rest / errors.mean()
            print(f"| {split} | {share:.0%} | {errors.mean():.4f} | {rest:.4f} | {less:.0%} | {1 - (1 - less) ** 0.5:.0%} |")
    grader.close()


if __name__ == "__main__":
    main()
