"""Batches on the real encoder: three formats in and out, bad rows in their place, nothing of the input lost."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grader import Gradable, Grader, GradingResult, ItemBank
from grader.batch import BatchError, grade_file
from grader.batch.grading import CHUNK_ROWS, InThisProcess
from grader.batch.output import SCALAR_COLUMNS, kept_names
from grader.batch.rows import CsvSource, JsonlSource, Row

ANSWER = "It randomly switches off neurons during training, which reduces overfitting."


def write_csv(path: Path, header: list[str], *rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture
def answers(shipped_bank: ItemBank) -> list[tuple[str, str]]:
    """Return real answers to several items."""
    return [(item.id, r.candidate_answer) for item in shipped_bank.items[:3] for r in shipped_bank.responses[item.id][:4]]


@pytest.fixture
def expected(real_grader: Grader, shipped_bank: ItemBank, answers: list[tuple[str, str]]) -> list[str]:
    """Return what grading one by one gives, as JSON."""
    return [real_grader.grade(shipped_bank.get(item_id), answer).to_json() for item_id, answer in answers]


def scalars_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return the scalar columns of a result, written down a second time."""
    same = ("score", "mark", "max_mark", "grade", "semantic_similarity", "keyword_coverage", "needs_review", "signature")
    interval = {"interval_low": result["interval"]["low"], "interval_high": result["interval"]["high"]}
    return {name: result[name] for name in same} | interval | {"flags": ";".join(result["flags"])}


def test_jsonl_to_jsonl_is_the_input_line_plus_the_library_s_result(
    real_grader: Grader, shipped_bank: ItemBank, answers: list[tuple[str, str]], expected: list[str], tmp_path: Path
) -> None:
    # Spelling that a parser would change: spaces, a trailing zero, more digits than a float has, an escape, a repeated key.
    extras = '"price": 1.10, "id" :12345678901234567890123, "x": 0.1000000000000000055511151231257827, "u": "\\u00fc", "u": "ü"'
    lines = [f'{{"item_id": {json.dumps(i)}, "candidate_answer": {json.dumps(a)}, {extras}}}' for i, a in answers]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = grade_file(real_grader, shipped_bank, source, target)
    assert target.read_text(encoding="utf-8") == "".join(
        f'{line[:-1]},"result":{result}}}\n' for line, result in zip(lines, expected, strict=True)
    )
    assert (report.rows, report.failed, report.resumed_rows) == (len(answers), 0, 0)
    assert report.signature == real_grader.signature
    assert report.needs_review == sum(json.loads(result)["needs_review"] for result in expected)


def test_what_is_written_again_and_again_is_graded_once_a_while(
    real_grader: Grader, shipped_bank: ItemBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    grade_many = real_grader.grade_many

    def counted(pairs: Sequence[tuple[Gradable, str]]) -> list[GradingResult]:
        asked.extend(answer for _, answer in pairs)
        return grade_many(pairs)

    monkeypatch.setattr(real_grader, "grade_many", counted)
    first, second = shipped_bank.items[:2]

    def rows(*texts: str) -> list[Row]:
        return [Row(values={"item_id": item.id, "candidate_answer": text}) for text in texts for item in (first, second)]

    grading = InThisProcess(real_grader, shipped_bank)
    before = grading.graded(rows("no idea", "a gradient vanishes"))
    assert grading.graded(rows("a gradient vanishes", "no idea", "")) == [*before[2:], *before[:2], *grading.graded(rows(""))]
    assert asked == ["no idea", "no idea", "a gradient vanishes", "a gradient vanishes", "", ""]
    # Room for the last outcome alone.
    monkeypatch.setattr("grader.batch.grading._REMEMBERED_CHARACTERS", len(before[0].outcome) + 100)
    grading.graded(rows("it is learnt"))
    asked.clear()
    assert grading.graded(rows("no idea")) == before[:2]
    assert asked == ["no idea", "no idea"]


@pytest.mark.parametrize("kind_in", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind_out", ["csv", "jsonl", "parquet"])
def test_every_format_becomes_every_other(
    *,
    real_grader: Grader,
    shipped_bank: ItemBank,
    answers: list[tuple[str, str]],
    expected: list[str],
    tmp_path: Path,
    kind_in: str,
    kind_out: str,
) -> None:
    source, target = tmp_path / f"in.{kind_in}", tmp_path / f"out.{kind_out}"
    rows = [{"name": f"Zoë {n}", "item_id": i, "candidate_answer": a} for n, (i, a) in enumerate(answers)]
    if kind_in == "csv":
        write_csv(source, list(rows[0]), *(list(row.values()) for row in rows))
    elif kind_in == "jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), source)
    grade_file(real_grader, shipped_bank, source, target)
    results = [json.loads(result) for result in expected]
    if kind_out == "jsonl":
        assert read_jsonl(target) == [row | {"result": result} for row, result in zip(rows, results, strict=True)]
    elif kind_out == "parquet":
        want = [
            row | scalars_of(result) | {"problem": None, "result": text}
            for row, result, text in zip(rows, results, expected, strict=True)
        ]
        assert pq.read_table(target).to_pylist() == want
    else:
        written = read_csv(target)
        assert list(written[0]) == ["name", "item_id", "candidate_answer", *SCALAR_COLUMNS]
        for line, row, result in zip(written, rows, results, strict=True):
            plain = {name: v if isinstance(v, str) else json.dumps(v) for name, v in scalars_of(result).items()}
            assert line == row | plain | {"problem": ""}


def test_bad_csv_rows_keep_their_place_and_say_why(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    lines = [
        b"\xef\xbb\xbfitem_id,candidate_answer,name",
        b'dropout,"First line,\r\n""second"" line",good',
        b"nope,text,unknown",
        b",text,no id",
        b"dropout,\xe4\xff,latin",
        b"dropout,nul \x00 byte,nul",
        b"dropout," + b"x" * 20_001 + b",long",
        b"",
        b"dropout,short",
        b"dropout,a,b,c,d",
        b'dropout,"' + b"y" * 1_000_001 + b'",huge field',
        b"dropout,,blank",
        b"dropout,=1+1,formula",
    ]
    source.write_bytes(b"\r\n".join(lines))
    report = grade_file(real_grader, shipped_bank, source, tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    problems = [row["problem"] for row in rows]
    assert problems == [
        "",
        "No item 'nope' in the bank.",
        "item_id is missing.",
        "The row that ends in line 6 is not valid UTF-8.",
        "The answer holds NUL characters.",
        "The answer has 20001 characters; at most 20000 are read.",
        "The row that ends in line 10 has 2 fields, the header 3.",
        "The row that ends in line 11 has 5 fields, the header 3. Left over: c,d",
        "Line 12 is not CSV: field larger than field limit (1000000).",
        "",
        "",
    ]
    assert rows[0]["candidate_answer"] == 'First line,\r\n"second" line'
    assert rows[3]["candidate_answer"] == r"\xe4\xff"
    assert [row["flags"] for row in rows if row["name"] == "blank"] == ["blank"]
    assert rows[-1]["candidate_answer"] == "=1+1"
    assert all((row["score"] == "") == (row["problem"] != "") for row in rows)
    assert (report.rows, report.failed) == (11, 8)


def test_a_quote_that_is_never_closed_is_a_problem(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text('item_id,candidate_answer\ndropout,Units are off.\ndropout,"It helps.\ndropout,It regularises.\n')
    report = grade_file(real_grader, shipped_bank, source, tmp_path / "out.csv")
    assert [row["problem"] for row in read_csv(tmp_path / "out.csv")] == ["", "Line 4 is not CSV: unexpected end of data."]
    assert (report.rows, report.failed) == (2, 1)


def test_bad_jsonl_lines_keep_their_place_and_say_why(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    lines = [
        (b'{"item_id": "dropout", "candidate_answer": ""}', None),
        (b"{broken", "Line 2 is not JSON: Expecting property name enclosed in double quotes (column 2)."),
        (b"", "Line 3 is empty."),
        (b"[1]", "Line 4 is not a JSON object."),
        (b'{"a": "\xff"}', "Line 5 is not valid UTF-8 (byte 8)."),
        (b"{}", "item_id is missing."),
        (b'{"item_id": "dropout"}', "candidate_answer is missing."),
        (b'{"item_id": "dropout", "candidate_answer": null}', "candidate_answer is missing."),
        (b'{"item_id": 5, "candidate_answer": "x"}', "item_id must be text, not int."),
        (b'{"item_id": "dropout", "candidate_answer": ["x"]}', "candidate_answer must be text, not list."),
        (b'{"item_id": "dropout", "candidate_answer": "\\ud800"}', "The answer is not valid Unicode text."),
        (b'{"item_id": "dropout", "candidate_answer": "\\u0000"}', "The answer holds NUL characters."),
        (b'{"item_id": "\\ud800", "candidate_answer": "x"}', "No item '\\ud800' in the bank."),
        (b'{"item_id": "' + b"i" * 5_000 + b'", "candidate_answer": "x"}', f"No item '{'i' * 100}' in the bank."),
    ]
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\n".join(line for line, _ in lines))
    for kind in ("jsonl", "csv", "parquet"):
        report = grade_file(real_grader, shipped_bank, source, tmp_path / f"out.{kind}")
        assert (report.rows, report.failed) == (len(lines), len(lines) - 1)
    written = read_jsonl(tmp_path / "out.jsonl")
    want = [problem for _, problem in lines]
    assert [row.get("problem") for row in written] == want
    assert [row["problem"] or None for row in read_csv(tmp_path / "out.csv")] == want
    assert pq.read_table(tmp_path / "out.parquet").column("problem").to_pylist() == want
    assert [row["input"] for row in written[1:5]] == ["{broken", "", "[1]", r'{"a": "\xff"}']
    assert written[0]["result"]["flags"] == ["blank"]


def test_parquet_columns_keep_their_types(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    day = dt.datetime(2025, 3, 1, 12, 30, tzinfo=dt.UTC)
    table = pa.table(
        {
            "item_id": pa.array(["dropout", None, "dropout"]).dictionary_encode(),
            "candidate_answer": pa.array([ANSWER, "x", None], pa.large_string()),
            "when": pa.array([day, None, day], pa.timestamp("us", tz="UTC")),
            "price": pa.array([Decimal("1.10"), None, Decimal("2.00")], pa.decimal128(5, 2)),
            "tags": pa.array([["a"], [], None], pa.list_(pa.string())),
            "raw": pa.array([b"\xff", None, b"ok"]),
            "share": pa.array([float("nan"), 0.5, None]),
        }
    ).replace_schema_metadata({"made by": "a test"})
    source = tmp_path / "in.parquet"
    pq.write_table(table, source, row_group_size=2)
    for kind in ("parquet", "jsonl", "csv"):
        grade_file(real_grader, shipped_bank, source, tmp_path / f"out.{kind}")
    written = pq.read_table(tmp_path / "out.parquet")
    # A nan is not equal to itself, and what was dictionary-encoded may come back in larger or smaller pieces.
    exact = [name for name in table.column_names if name != "share"]
    assert written.select(exact).to_pylist() == table.select(exact).to_pylist()
    assert [written.schema.field(name).type for name in ("when", "price", "tags", "raw", "share")] == [
        table.schema.field(name).type for name in ("when", "price", "tags", "raw", "share")
    ]
    assert written.schema.metadata[b"made by"] == b"a test"
    assert written.column("problem").to_pylist() == [None, "item_id is missing.", "candidate_answer is missing."]
    first = read_jsonl(tmp_path / "out.jsonl")[0]
    assert (first["when"], first["price"], first["tags"], first["raw"], first["share"]) == (
        "2025-03-01T12:30:00+00:00", "1.10", ["a"], r"\xff", None,
    )  # fmt: skip
    row = read_csv(tmp_path / "out.csv")[0]
    assert (row["when"], row["price"], row["tags"], row["share"]) == ("2025-03-01T12:30:00+00:00", "1.10", '["a"]', "")


def test_parquet_text_that_is_not_utf_8_is_a_bad_row(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    broken = pa.array([b"\xff\xfe", ANSWER.encode(), b"fine"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"item_id": ["dropout"] * 3, "candidate_answer": broken}), tmp_path / "in.parquet")
    grade_file(real_grader, shipped_bank, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    rows = read_jsonl(tmp_path / "out.jsonl")
    assert rows[0]["problem"] == r"A field is not valid UTF-8: \xff\xfe"
    assert ["result" in row for row in rows] == [False, True, True]


def test_jsonl_fields_become_parquet_columns_of_a_common_type(
    real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    rows: list[dict[str, object]] = [
        {"whole": 1, "number": 1, "truth": True, "mixed": "a", "nested": {"b": [1]}, "huge": 2**70, "none": None},
        {"whole": None, "number": 0.5, "truth": None, "mixed": 2, "late": "\ud800"},
    ]
    full = [{"item_id": "dropout", "candidate_answer": ANSWER} | row for row in rows]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in full), encoding="utf-8")
    grade_file(real_grader, shipped_bank, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    names = ["whole", "number", "truth", "mixed", "nested", "huge", "none", "late"]
    types = ["int64", "double", "bool", "string", "string", "string", "string", "string"]
    assert [str(table.schema.field(name).type) for name in names] == types
    first, second = table.select(names).to_pylist()
    assert list(first.values()) == [1, 1.0, True, "a", '{"b":[1]}', str(2**70), None, None]
    assert list(second.values()) == [None, 0.5, None, "2", None, None, None, r"\ud800"]


def test_input_columns_with_the_name_of_an_added_one_are_kept(
    real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    source = write_csv(tmp_path / "in.csv", ["item_id", "candidate_answer", "score"], ["dropout", ANSWER, "7"])
    grade_file(real_grader, shipped_bank, source, tmp_path / "once.csv")
    grade_file(real_grader, shipped_bank, tmp_path / "once.csv", tmp_path / "twice.csv")
    once, twice = read_csv(tmp_path / "once.csv")[0], read_csv(tmp_path / "twice.csv")[0]
    assert once["input_score"] == twice["input_score"] == "7"
    assert once["score"] == twice["score"] == twice["input_input_score"]
    grade_file(real_grader, shipped_bank, source, tmp_path / "once.jsonl")
    grade_file(real_grader, shipped_bank, tmp_path / "once.jsonl", tmp_path / "twice.jsonl")
    assert [list(read_jsonl(tmp_path / f"{name}.jsonl")[0]) for name in ("once", "twice")] == [
        ["item_id", "candidate_answer", "score", "result"],
        ["item_id", "candidate_answer", "score", "input_result", "result"],
    ]


def test_kept_names_never_collide() -> None:
    columns = ["score", "input_score", "name", "input_input_score"]
    kept = kept_names(columns, SCALAR_COLUMNS)
    assert kept["name"] == "name"
    assert len(set(kept.values())) == len(columns)
    assert not set(kept.values()) & set(SCALAR_COLUMNS)


@pytest.mark.parametrize(
    ("text", "separator", "first"),
    [
        ("item_id,candidate_answer\na,b", ",", ["a", "b"]),
        ("item_id;candidate_answer\na;b, c and d", ";", ["a", "b, c and d"]),
        ("item_id\tcandidate_answer\na\tb; c, d", "\t", ["a", "b; c, d"]),
        ("\ufeffitem_id;answer (short, plain);candidate_answer\r\na;;b\r\n", ";", ["a", "", "b"]),
        ('"item_id","candidate_answer; in your own words; all of it"\na,b', ",", ["a", "b"]),
        ("item_id,note; or; so,candidate_answer\n\na,n; m,b", ",", ["a", "n; m", "b"]),
        ("item_id,notes; or; so\na,b", ",", ["a", "b"]),
        ("item_id;candidate_answer\na;b;c\n", ";", ["a", "b"]),
        ("item_id,candidate_answer\na,b,c;d\n", ",", ["a", "b"]),
        ("candidate_answer\na; b", ",", ["a; b"]),
        ("item_id;candidate_answer", ";", None),
        ("", ",", None),
    ],
)
def test_separator_of_a_csv_file_is_seen_from_its_first_lines(
    tmp_path: Path, text: str, separator: str, first: list[str] | None
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text, encoding="utf-8", newline="")
    source = CsvSource(path, ())
    assert source.separator == separator
    assert next((list(row.values.values()) for row in source.rows()), None) == first


def test_separator_is_seen_where_the_first_row_is_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("item_id;candidate_answer\na;" + "b" * 1_100_000 + "\nc;d\n", encoding="utf-8")
    rows = list(CsvSource(path).rows())
    assert [row.problem is None for row in rows] == [False, True]
    assert rows[1].values == {"item_id": "c", "candidate_answer": "d"}


def test_csv_columns_without_a_name_of_their_own_get_one(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", ["item_id", "candidate_answer", "", "note", "note", ""], list("abcdef"))
    source = CsvSource(path)
    names = ["item_id", "candidate_answer", "column_3", "note", "note_2", "column_6"]
    assert source.columns() == names
    assert [row.values for row in source.rows()] == [dict(zip(names, "abcdef", strict=True))]


def test_tables_count_what_they_yield(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('item_id,candidate_answer\n"a","b\nc"\n\n,\n', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\nbad\n{"b": 2, "a": 1}', encoding="utf-8")
    csv_source, jsonl_source = CsvSource(tmp_path / "a.csv"), JsonlSource(tmp_path / "a.jsonl")
    assert csv_source.count() == len(list(csv_source.rows())) == 2
    assert jsonl_source.count() == len(list(jsonl_source.rows())) == 4
    assert jsonl_source.columns() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "lacks the column 'item_id'; its columns are none"),
        ("a.csv", b"item_id|candidate_answer\n", "lacks the column 'item_id'; its columns are 'item_id|candidate_answer'"),
        ("a.csv", b"item_id,answer\n", "lacks the column 'candidate_answer'"),
        ("a.csv", b"item_id,candidate_answer,item_id\n", "more than one column 'item_id'"),
        ("a.parquet", b"PAR1 no", "is not a Parquet file"),
        ("a.txt", b"x", "must end in .csv, .jsonl or .parquet"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(
    real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path, *, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError) as caught:
        grade_file(real_grader, shipped_bank, tmp_path / name, tmp_path / "out.csv")
    assert reason in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_parquet_without_the_columns_or_with_one_twice_is_refused(
    real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path
) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"item_id": ["a"]}), path)
    with pytest.raises(BatchError, match="lacks the column 'candidate_answer'"):
        grade_file(real_grader, shipped_bank, path, tmp_path / "out.csv")
    twice = pa.Table.from_arrays([pa.array(["a"])] * 4, names=["item_id", "candidate_answer", "x", "x"])
    pq.write_table(twice, path)
    with pytest.raises(BatchError, match="the column 'x' more than once"):
        grade_file(real_grader, shipped_bank, path, tmp_path / "out.csv")


def test_an_empty_table_gives_an_empty_table(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ["item_id", "candidate_answer"])
    for kind in ("csv", "jsonl", "parquet"):
        assert grade_file(real_grader, shipped_bank, source, tmp_path / f"out.{kind}").rows == 0
    assert read_csv(tmp_path / "out.csv") == []
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_nothing_is_overwritten_by_accident(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ["item_id", "candidate_answer"], ["dropout", ANSWER])
    before = source.read_bytes()
    for resume in (False, True):
        with pytest.raises(BatchError, match="both input and output"):
            grade_file(real_grader, shipped_bank, source, source, resume=resume, force=True)
    target = tmp_path / "out.csv"
    target.write_text("precious", encoding="utf-8")
    for resume in (False, True):
        with pytest.raises(BatchError, match="exists already"):
            grade_file(real_grader, shipped_bank, source, target, resume=resume)
    assert (source.read_bytes(), target.read_text(encoding="utf-8")) == (before, "precious")
    grade_file(real_grader, shipped_bank, source, target, force=True)
    assert len(read_csv(target)) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_progress_tells_rows_done_and_rows_in_all(real_grader: Grader, shipped_bank: ItemBank, tmp_path: Path) -> None:
    rows = CHUNK_ROWS + 3
    source = write_csv(tmp_path / "in.csv", ["item_id", "candidate_answer"], *([["dropout", "x"]] * rows))
    told: list[tuple[int, int]] = []
    grade_file(real_grader, shipped_bank, source, tmp_path / "out.csv", on_progress=lambda *at: told.append(at))
    assert told == [(0, rows), (CHUNK_ROWS, rows), (rows, rows)]
