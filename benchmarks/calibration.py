"""Agreement with a person's marks before and after learning from that person, beside the agreement of a second one.

    GRADER_DATA_DIR=<folder> python -m benchmarks.calibration [--home DIR]

All marks of every item but those of the part that is scored are learnt, in five parts. Where two people marked, the first one's
marks are learnt and measured, and the second one is compared with them. The measured set is not in the fit of the scoring model.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from platformdirs import user_cache_path

from grader import AgreementFigures, CalibrationReport, Gradable, Grader, cross_validate
from training.data_sets import RULES, MarkedAnswer, fitting_rows, measured_rows
from training.fit_scoring_model import fit, marked_set, open_training_grader

# The full mark and the step in which people marked; sets that are not named have marks of their own for every question.
_MARKS = {"beetle": (3, 1.0), "mohler2009": (5, 0.5), "mohler2011": (5, 0.5), "sprag_python": (5, 0.5), "scientsbank": (1, 1.0)}
_OTHER_MARKS = (10, 0.5)


def report_on(grader: Grader, rows: list[MarkedAnswer], *, max_mark: int, mark_step: float) -> CalibrationReport:
    """Return the cross-validated report on a set."""
    items: dict[str, Gradable] = {}
    for row in rows:
        scale = {"max_mark": max_mark, "mark_step": mark_step}
        items.setdefault(row.item.content_hash, row.item.model_copy(update=scale))
    marks = [(items[row.item.content_hash], row.candidate_answer, row.people[0] if row.people else row.score) for row in rows]
    return cross_validate(grader, marks, second=[row.people[1] if row.people else None for row in rows])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader"))
    arguments = parser.parse_args()
    data_dir = Path(os.environ["GRADER_DATA_DIR"])
    grader = open_training_grader(arguments.home)
    sets = {rule.name: marked_set(grader, fitting_rows(rule, data_dir)) for rule in RULES if rule.fit_splits}
    print("| set | marks by | answers | QWK | RMSE | exact | within a step |\n|---|---|---|---|---|---|---|")
    for rule in RULES:
        model = fit({name: marked for name, marked in sets.items() if name != rule.name})
        blind = Grader(grader.encoder, verifier=grader.verifier, scoring_model=model)
        max_mark, mark_step = _MARKS.get(rule.name, _OTHER_MARKS)
        report = report_on(blind, measured_rows(rule, data_dir), max_mark=max_mark, mark_step=mark_step)
        for name, figures in (("grader", report.before), ("grader, having learnt", report.after), ("a person", report.people)):
            if figures is not None:
                print(f"| {rule.name} | {name} | {_cells(figures)} |", flush=True)


def _cells(figures: AgreementFigures) -> str:
    qwk = "–" if figures.qwk is None else f"{figures.qwk:.3f}"
    return f"{figures.n} | {qwk} | {figures.rmse:.3f} | {figures.exact:.1%} | {figures.adjacent:.1%}"


if __name__ == "__main__":
    main()
