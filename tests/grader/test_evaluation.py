"""Evaluation on the real encoder: what is measured, what is reported, and that no line is ever lost."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grader import Flag, Gradable, Grader, ItemBank, MarkedDataError, ReferenceAnswer, agreement
from grader.evaluation import evaluate
from grader.jsonl import MAX_LINE_BYTES

QUESTION = "Why does a metal spoon in hot tea get warm?"
REFERENCE = "Metal conducts heat from the tea into the spoon."
ANSWERS = [
    ("Metal conducts heat from the hot tea into the spoon.", 1.0, "correct", "correct"),
    ("Metal does not conduct heat from the tea into the spoon.", 0.0, "incorrect", "contradictory"),
    ("Spoons are kept in a drawer.", 0.2, "incorrect", "incorrect"),
    ("My favourite colour is blue.", 0.0, "incorrect", "incorrect"),
]


def row(answer: str | None, score: float | None = None, **extra: Any) -> dict[str, Any]:
    named = {"dataset": "tea", "split": "train", "question_id": "q1", "answer_id": "a1"}
    return {**named, "question": QUESTION, "references": [REFERENCE], "answer": answer, "score": score, **extra}


def write(path: Path, rows: Sequence[dict[str, Any] | bytes]) -> Path:
    path.write_bytes(b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_measures_are_those_of_the_grader_s_own_scores(real_grader: Grader, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [row(a, s, label_2way=two, label_3way=three) for a, s, two, three in ANSWERS])
    report = evaluate(real_grader, data, predictions=tmp_path / "out.jsonl")

    item = Gradable(question=QUESTION, reference_answers=(ReferenceAnswer(text=REFERENCE),))
    results = [real_grader.grade(item, answer) for answer, *_ in ANSWERS]
    system, human = [r.score for r in results], [score for _, score, *_ in ANSWERS]
    assert [line["score"] for line in read(tmp_path / "out.jsonl")] == system
    (group,) = report.groups
    assert (group.dataset, group.split, group.rows, group.problems, group.n) == ("tea", "train", 4, 0, 4)
    assert group.wrmse == agreement.wrmse(human, system)
    assert group.rmse == agreement.rmse(human, system)
    assert group.mae == agreement.mae(human, system)
    assert group.pearson == agreement.pearson(human, system)
    eleven = [math.floor(10 * s + 0.5) for s in system]
    assert group.qwk == pytest.approx(agreement.qwk([10, 0, 2, 0], eleven), abs=1e-12)
    assert group.two_way is not None
    two_way = ["correct" if s >= 0.5 else "incorrect" for s in system]
    assert group.two_way.accuracy == agreement.accuracy([two for *_, two, _ in ANSWERS], two_way)
    assert group.two_way.macro_f1 == agreement.macro_f1([two for *_, two, _ in ANSWERS], two_way)
    assert group.three_way is not None
    three_way = [
        "correct" if r.score >= 0.5 else "contradictory" if Flag.CONTRADICTS_REFERENCE in r.flags else "incorrect"
        for r in results
    ]
    assert three_way == ["correct", "contradictory", "incorrect", "incorrect"]
    assert (group.three_way.n, group.three_way.accuracy, group.three_way.macro_f1) == (4, 1.0, 1.0)
    assert report.signature == real_grader.signature


def test_groups_are_data_set_and_split_in_the_order_of_the_file(real_grader: Grader, tmp_path: Path) -> None:
    rows = [row("Metal conducts.", 0.5, split=split) for split in ("test", "train", "test")]
    report = evaluate(real_grader, write(tmp_path / "data.jsonl", rows))
    assert [(g.dataset, g.split, g.n) for g in report.groups] == [("tea", "test", 2), ("tea", "train", 1)]
    assert report.overall.n == 3


def test_every_line_has_its_prediction_and_bad_ones_a_problem(real_grader: Grader, tmp_path: Path) -> None:
    good = row("Metal conducts heat.", 0.5)
    bad: list[tuple[dict[str, Any] | bytes, str]] = [
        (b"{broken", "The line is not JSON"),
        (b"", "The line is empty"),
        (b'{"answer": "\xff"}', "The line is not valid UTF-8"),
        (b"[]", "The line is not a JSON object"),
        (b"x" * (MAX_LINE_BYTES + 5), "The line is longer than"),
        (row("x" * 20_001, 1.0), "The answer has 20001 characters"),
        (row("nul \x00", 1.0), "NUL"),
        (row("\ud800", 1.0), "not valid Unicode"),
        (row(5, 1.0), "answer must be text"),  # type: ignore[arg-type]
        (row("a", 1.0, references=[]), "references hold no text"),
        (row("a", 1.0, references=None), "references must be a list"),
        (row("a", 1.0, references=["...", None, " "]), "references hold no text"),
        (row("a", 1.0, references=[3]), "references must be a list of texts"),
        (row("a", 1.0, references=["nul \x00"]), "A reference cannot be used"),
        (row("a", 1.0, question=7), "question must be text"),
        (row("a", 1.0, question="nul \x00"), "The question cannot be used"),
    ]
    data = write(tmp_path / "data.jsonl", [good, *(line for line, _ in bad), good])
    report = evaluate(real_grader, data, predictions=tmp_path / "out.jsonl")
    lines = read(tmp_path / "out.jsonl")
    assert len(lines) == len(bad) + 2
    assert list(lines[0]) == ["dataset", "split", "question_id", "answer_id", "score"]
    assert lines[0] == lines[-1]
    assert isinstance(lines[0]["score"], float)
    for number, (line, (_, reason)) in enumerate(zip(lines[1:-1], bad, strict=True), start=2):
        assert list(line) == ["dataset", "split", "question_id", "answer_id", "score", "problem"]
        assert line["score"] is None
        assert line["problem"].startswith(f"Line {number}: ")
        assert reason in line["problem"]
    assert report.overall.rows == len(lines)
    assert report.overall.problems == len(bad)
    assert report.overall.n == 2
    assert [p.line for p in report.problems] == list(range(2, len(bad) + 2))


@pytest.mark.parametrize("score", ["0.5", 3.5, -0.1, True, [1]], ids=repr)
def test_an_unusable_human_score_is_reported_and_the_answer_still_graded(real_grader: Grader, tmp_path: Path, score: Any) -> None:
    data = write(tmp_path / "data.jsonl", [row("Metal conducts heat.", score)])
    report = evaluate(real_grader, data, predictions=tmp_path / "out.jsonl")
    (line,) = read(tmp_path / "out.jsonl")
    assert 0 <= line["score"] <= 1
    assert "score must be a number in [0, 1]" in line["problem"]
    assert (report.overall.n, report.overall.problems) == (0, 1)


def test_rows_without_a_human_score_are_graded_and_not_measured(real_grader: Grader, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [row("Metal conducts heat."), row(None), row("  "), {"references": [REFERENCE]}])
    report = evaluate(real_grader, data, predictions=tmp_path / "out.jsonl")
    first, *blank, bare = [line["score"] for line in read(tmp_path / "out.jsonl")]
    assert first > 0
    assert [*blank, bare] == [0.0, 0.0, 0.0]
    assert [(g.dataset, g.rows, g.n, g.problems) for g in report.groups] == [("tea", 3, 0, 0), ("", 1, 0, 0)]
    assert report.overall.wrmse is None
    assert report.overall.qwk is None
    assert json.loads(report.to_json())["overall"]["pearson"] is None


def test_undefined_measures_are_null_and_never_nan(real_grader: Grader, tmp_path: Path) -> None:
    report = evaluate(real_grader, write(tmp_path / "data.jsonl", [row("My favourite colour is blue.", 0.0)] * 3))
    document = json.loads(report.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert document == report.to_dict() | {"groups": document["groups"], "problems": []}
    assert document["overall"]["pearson"] is None
    assert document["overall"]["wrmse"] is not None


def test_long_references_are_cut_and_only_the_first_twenty_are_used(real_grader: Grader, tmp_path: Path) -> None:
    filler = [f"Unrelated sentence number {n} about gardening." for n in range(19)]
    answer = "Metal conducts heat into the spoon."
    rows = [
        row(answer, references=[*filler, REFERENCE]),
        row(answer, references=[*filler, "Unrelated too.", REFERENCE]),
        row(answer, references=[*filler, "Unrelated too."]),
        row(answer, references=[REFERENCE + " " + "Gardening. " * 600]),
        row(answer, references=["\n " + (REFERENCE + " " + "Gardening. " * 600)[:5_000] + "cut off"], question=QUESTION),
        row(answer, references=[REFERENCE], question=f"  {QUESTION}  " * 200),
    ]
    report = evaluate(real_grader, write(tmp_path / "data.jsonl", rows), predictions=tmp_path / "out.jsonl")
    twentieth, past, without, *long = [line["score"] for line in read(tmp_path / "out.jsonl")]
    assert report.overall.problems == 0
    assert past == without < twentieth
    assert long[0] == long[1] > 0
    assert long[2] > 0


def test_more_rows_than_a_chunk_keep_their_order_and_progress_is_told(
    real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    item = shipped_bank.get("dropout")
    answers = [r.candidate_answer for r in shipped_bank.responses["dropout"]]
    rows = [row(answers[n % len(answers)], 0.5, references=[item.reference_answers[0].text], answer_id=n) for n in range(70)]
    done: list[int] = []
    evaluate(real_grader, write(tmp_path / "data.jsonl", rows), predictions=tmp_path / "out.jsonl", on_progress=done.append)
    lines = read(tmp_path / "out.jsonl")
    assert [line["answer_id"] for line in lines] == list(range(70))
    assert all(lines[n]["score"] == lines[n % len(answers)]["score"] for n in range(70))
    assert done == [64, 70]


def test_files_that_cannot_be_evaluated_are_refused(real_grader: Grader, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [row("a", 1.0)])
    before = data.read_bytes()
    with pytest.raises(MarkedDataError, match="both the data and the predictions"):
        evaluate(real_grader, data, predictions=data)
    assert data.read_bytes() == before
    with pytest.raises(MarkedDataError, match="cannot be read"):
        evaluate(real_grader, tmp_path / "none.jsonl")
    with pytest.raises(MarkedDataError, match="holds no line"):
        evaluate(real_grader, write(tmp_path / "empty.jsonl", []))


if DATA := os.environ.get("GRADER_DATA_DIR"):
    # These need the marked sets; without them the run says so at its end.

    @pytest.mark.parametrize(
        ("name", "split", "expected"),
        [("beetle", "train", 0.4082), ("mohler2009", "all", 0.4280), ("saf_english31", None, 0.4139)],
    )
    def test_wrmse_of_the_mean_is_the_published_constant(name: str, split: str | None, expected: float) -> None:
        rows = read(Path(str(DATA)) / f"{name}.jsonl")
        if split is None:
            scores = [r["raw_score"] for r in rows if r["raw_score"] <= 1]
        else:
            scores = [r["score"] for r in rows if r["split"] == split]
        mean = sum(scores) / len(scores)
        assert agreement.wrmse(scores, [mean] * len(scores)) == pytest.approx(expected, abs=5e-5)

    def test_real_rows_are_all_graded_and_those_with_a_score_measured(real_grader: Grader, tmp_path: Path) -> None:
        rows = [line for name in ("beetle", "gaps_sahu", "scientsbank") for line in read(Path(str(DATA)) / f"{name}.jsonl")[:40]]
        report = evaluate(real_grader, write(tmp_path / "data.jsonl", rows), predictions=tmp_path / "out.jsonl")
        assert report.overall.problems == 0
        assert report.overall.n == sum(r["score"] is not None for r in rows) == 80
        assert [(p["dataset"], p["answer_id"]) for p in read(tmp_path / "out.jsonl")] == [
            (r["dataset"], r["answer_id"]) for r in rows
        ]
        beetle = next(g for g in report.groups if g.dataset == "beetle")
        assert beetle.three_way is not None
        assert beetle.three_way.n == 40
