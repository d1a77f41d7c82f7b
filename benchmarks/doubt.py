"""How much better the marks are that are left when the most doubtful ones are sent to a person.

    python -m benchmarks.doubt [--home DIR]

References are left out. The doubt is fitted on the errors of `dev` responses whose items its trees had left out; `test` responses
of the shipped bank, and the items of other subjects in `banks_of_other_subjects/test` and `.../test_2`, are in no fit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from benchmarks.other_subjects import BANKS_FOLDER
from grader import Grader, ItemBank, default_bank_dir, default_scoring_model
from training.fit_scoring_model import doubtful_rows

_SENT = (0.1, 0.2, 0.3)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    grader, model = Grader.from_directory(arguments.home), default_scoring_model()
    print("| answers | sent to a person | mean squared error of all | of the rest | less by | root of it, less by |")
    print("|---|---|---|---|---|---|")
    for name, folder, split in (
        ("shipped bank, test", default_bank_dir(), "test"),
        ("other subjects, test", BANKS_FOLDER / "test", "test"),
        ("other subjects, test_2", BANKS_FOLDER / "test_2", "test"),
    ):
        features, errors = doubtful_rows(grader, ItemBank.from_directory(folder), split)
        doubt = features @ np.array(model.doubt_coefficients)
        for share in _SENT:
            rest = errors[doubt <= np.quantile(doubt, 1 - share)].mean()
            less = 1 - rest / errors.mean()
            print(f"| {name} | {share:.0%} | {errors.mean():.4f} | {rest:.4f} | {less:.0%} | {1 - (1 - less) ** 0.5:.0%} |")
    grader.close()


if __name__ == "__main__":
    main()
