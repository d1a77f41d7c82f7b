"""The command line as a user has it: results on standard output, one sentence on standard error, exit codes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jsonschema
import pytest
import yaml

from grader import Grader, Item, ItemBank, Verdict, default_bank_dir
from grader import cli as command_line
from grader.bank import checksums
from grader.cli.tables import text_table

ANSWER = "It randomly switches off neurons during training, which reduces overfitting."
BANK = default_bank_dir()
_NO_LETTER = "must hold at least one letter or digit"
_NOWHERE = "Directory '/nowhere' does not exist."


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Runner:
    """Runs a command line in this process, against the tests' own home folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = command_line.main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Outcome(code, out, err)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, real_grader: Grader, grader_home: Path) -> Runner:
    monkeypatch.setenv("GRADER_HOME", str(grader_home))
    monkeypatch.delenv("GRADER_BANK_DIR", raising=False)
    return Runner(capsys, monkeypatch)


@pytest.fixture
def broken_bank(tmp_path: Path) -> Path:
    """Return a bank with three mistakes in two files."""
    bank = tmp_path / "bank"
    bank.mkdir()
    item = yaml.safe_load((BANK / "deep_learning_interview" / "dropout.item.yaml").read_text(encoding="utf-8"))
    (bank / "dropout.item.yaml").write_text(yaml.safe_dump(item | {"difficulty": "awful", "topic": ""}), encoding="utf-8")
    return bank


def sentences(text: str) -> list[str]:
    return text.splitlines()


def child(*arguments: str | Path, home: Path) -> list[str]:
    return [sys.executable, "-m", "grader", *map(str, arguments), "--home", str(home)]


def test_grade_json_is_exactly_the_library_s_result(run: Runner, real_grader: Grader, shipped_bank: ItemBank) -> None:
    expected = real_grader.grade(shipped_bank.get("dropout"), ANSWER).to_json() + "\n"
    assert run("grade", "dropout", ANSWER, "--json") == Outcome(0, expected, "")
    for stdin in (f"{ANSWER}\n", f"{ANSWER}\r\n", f"\ufeff{ANSWER}"):
        assert run("grade", "dropout", "--json", stdin=stdin.encode()) == Outcome(0, expected, "")


def test_grade_prints_everything_a_learner_needs(run: Runner, real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    result = real_grader.grade(item, ANSWER)
    outcome = run("grade", "dropout", ANSWER)
    assert (outcome.code, outcome.err) == (0, "")
    flat = " ".join(outcome.out.split())
    assert f"{result.mark:g} / {result.max_mark} {result.grade.upper()}" in flat
    assert f"score {result.score:.2f}" in flat
    assert f"{result.interval.low:.2f} to {result.interval.high:.2f}" in flat
    signs = {Verdict.COVERED: "✓", Verdict.PARTIAL: "~", Verdict.MISSING: "✗", Verdict.CONTRADICTED: "!"}
    for match, point in zip(result.key_points, item.key_points, strict=True):
        assert f"{signs[match.verdict]} {' '.join(point.text.split())}" in flat
        for span in match.evidence:
            assert f"“{span.text}”" in flat
    for word in (*result.keywords.matched, *result.keywords.missing):
        assert word in flat
    for line in (*result.feedback, *result.review_reasons):
        assert line in flat
    assert result.signature in flat
    assert {match.verdict for match in result.key_points} > {Verdict.MISSING}
    assert "\x1b" not in outcome.out
    assert all(line == line.rstrip() for line in sentences(outcome.out))


def test_the_bar_and_the_interval_have_the_score_s_length(run: Runner, real_grader: Grader, shipped_bank: ItemBank) -> None:
    result = real_grader.grade(shipped_bank.get("dropout"), ANSWER)
    lines = sentences(run("grade", "dropout", ANSWER).out)
    bar = next(line for line in lines if "█" in line)
    assert bar.count("█") == round(40 * result.score)
    assert bar.count("█") + bar.count("░") == 40
    whisker = lines[lines.index(bar) + 1]
    assert whisker.index("├") == round(40 * result.interval.low)
    assert whisker.index("┤") == min(39, round(40 * result.interval.high))


def test_a_blank_answer_is_a_result(run: Runner) -> None:
    for stdin in (b"", b"\n", b"   \n"):
        outcome = run("grade", "dropout", stdin=stdin)
        assert outcome.code == 0
        assert "0 / 10   FAIL" in outcome.out
        assert "Flags: blank" in outcome.out


def test_an_answer_cannot_steer_the_terminal(run: Runner) -> None:
    outcome = run("grade", "dropout", "Neurons \x1b[31mare [red]randomly[/red] switched\x07 off\u202e during training.")
    assert outcome.code == 0
    assert "[red]randomly[/red]" in outcome.out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", outcome.out)


def test_colours_are_for_terminals_and_yield_to_no_color(grader_home: Path) -> None:
    seen = {}
    for no_colour in ("", "1"):
        main_end, other_end = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_colour, "COLUMNS": "120"}
        command = child("grade", "dropout", ANSWER, home=grader_home)
        with subprocess.Popen(command, stdout=other_end, stdin=subprocess.DEVNULL, env=environment) as process:
            os.close(other_end)
            data = b""
            try:
                while block := os.read(main_end, 65_536):
                    data += block
            except OSError:
                pass  # Linux says "input/output error" when the other end is closed
            assert process.wait() == 0
        os.close(main_end)
        seen[no_colour] = data.decode()
    assert re.search("\x1b\\[[0-9;]*3[0-9]m", seen[""])
    assert not re.search("\x1b\\[[0-9;]*3[0-9]m", seen["1"])
    assert "score" in seen["1"]


def test_an_item_of_one_s_own_is_graded_from_options_or_a_file(run: Runner, tmp_path: Path) -> None:
    question, reference = "Why is the sky blue?", "Air scatters blue light more than red light."
    by_options = run("grade", "--question", question, "--reference", reference, "Blue light is scattered more.", "--json")
    assert by_options.code == 0
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"question": question, "reference_answers": [{"text": reference}]}), encoding="utf-8")
    assert run("grade", "--item", file, "Blue light is scattered more.", "--json") == by_options
    file.write_text(json.dumps({"question": question, "reference_answers": [{"text": reference}]}), encoding="utf-8")
    assert run("grade", "--item", file, "--json", stdin=b"Blue light is scattered more.") == by_options
    plain = run("grade", "--reference", reference, "--reference", "Because of Rayleigh scattering.", "Rayleigh scattering.")
    assert plain.code == 0
    assert "✓" in plain.out or "✗" in plain.out
    assert reference in plain.out


def test_a_whole_item_file_grades_as_in_the_bank(run: Runner) -> None:
    path = BANK / "deep_learning_interview" / "dropout.item.yaml"
    assert run("grade", "--item", path, ANSWER, "--json") == run("grade", "dropout", ANSWER, "--json")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (["grade", "nope", "x"], b"", 1, "grader: No item 'nope' in the bank."),
        (["grade", "dropout", "x" * 20_001], b"", 1, "grader: The answer has 20001 characters; at most 20000 are read."),
        (["grade", "dropout"], b"x" * 200_000, 1, "grader: The answer on standard input is longer than 20,000 characters."),
        (["grade", "dropout"], b"abc\xff", 1, "grader: The answer on standard input is not valid UTF-8 (byte 4)."),
        (["grade", "dropout"], b"a\x00b", 1, "grader: The answer holds NUL characters."),
        (["grade", "dropout", "\udcff"], b"", 1, "grader: The answer is not valid Unicode text."),
        (["grade", "--json"], b"x", 2, "grader: Missing argument 'ITEM_ID'. See `grader grade --help`."),
        (
            ["grade", "--question", "Why?", "x"], b"", 2,
            "grader: --question needs at least one --reference. See `grader grade --help`.",
        ),
        (
            ["grade", "--reference", "r", "dropout", "x"], b"", 2,
            "grader: With --question, --reference or --item there is only one argument, the answer. See `grader grade --help`.",
        ),
        (
            ["grade", "--reference", "?!", "x"], b"", 2,
            f"grader: --question or --reference cannot be used: text: {_NO_LETTER}. See `grader grade --help`.",
        ),
        (
            ["grade", "--item", "nowhere.yaml", "x"], b"", 2,
            "grader: Invalid value for '--item': File 'nowhere.yaml' does not exist. See `grader grade --help`.",
        ),
        (["frobnicate"], b"", 2, "grader: No such command 'frobnicate'. See `grader --help`."),
        (
            ["bank", "list", "--bank", "/nowhere"], b"", 2,
            f"grader: Invalid value for '--bank' (env var: 'GRADER_BANK_DIR'): {_NOWHERE} See `grader bank list --help`.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(
    run: Runner, arguments: Sequence[str], stdin: bytes, code: int, sentence: str
) -> None:
    outcome = run(*arguments, stdin=stdin)
    assert outcome == Outcome(code, "", sentence + "\n")


def test_an_option_that_does_not_exist_is_bad_usage(run: Runner) -> None:
    outcome = run("grade", "dropout", "x", "--wat")
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch("grader: No such option.*--wat.*See `grader grade --help`.\n", outcome.err)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("question: [", "is not YAML"),
        ("question: Why?", "reference_answers: Field required"),
        ("- 1", "is no item"),
        ("id: x\nquestion: Why?", "is no item"),
    ],
)
def test_an_item_file_that_is_none_is_refused(run: Runner, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "item.yaml").write_text(text, encoding="utf-8")
    outcome = run("grade", "--item", tmp_path / "item.yaml", "x")
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert len(sentences(outcome.err)) == 1


def test_the_item_file_stands_alone(run: Runner) -> None:
    path = BANK / "deep_learning_interview" / "dropout.item.yaml"
    assert run("grade", "--item", path, "--question", "Why?", "x").code == 2


def test_bank_list_and_show_give_the_items(run: Runner, shipped_bank: ItemBank) -> None:
    listed = run("bank", "list")
    assert listed.code == 0
    assert [line.split()[0] for line in sentences(listed.out)[2:]] == [item.id for item in shipped_bank]
    document = json.loads(run("bank", "list", "--json").out)
    assert document["version"] == shipped_bank.version
    assert [Item.model_validate(item) for item in document["items"]] == list(shipped_bank)
    shown = run("bank", "show", "dropout")
    assert Item.model_validate(yaml.safe_load(shown.out)) == shipped_bank.get("dropout")
    as_json = run("bank", "show", "dropout", "--json").out
    assert as_json == shipped_bank.get("dropout").model_dump_json() + "\n"
    assert run("bank", "show", "nope").code == 1


def test_bank_validate_reports_every_problem(run: Runner, broken_bank: Path) -> None:
    outcome = run("bank", "validate", "--bank", broken_bank)
    assert outcome.code == 1
    lines = sentences(outcome.out)
    assert len(lines) == 3
    assert lines[0].startswith("VERSION: ")
    assert {line.split(": ")[1] for line in lines[1:]} == {"difficulty", "topic"}
    assert outcome.err == f"grader: The bank in {broken_bank} has 3 problems.\n"
    document = json.loads(run("bank", "validate", "--bank", broken_bank, "--json").out)
    assert document["valid"] is False
    assert [f"{p['file']}: {p['field'] + ': ' if p['field'] else ''}{p['message']}" for p in document["problems"]] == lines


def test_bank_validate_of_the_shipped_bank(run: Runner, shipped_bank: ItemBank) -> None:
    outcome = run("bank", "validate")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{len(shipped_bank)} items with ")
    assert run("bank", "validate", "--json").out == '{"valid": true, "problems": []}\n'


def test_other_commands_say_where_a_broken_bank_s_problems_are_listed(
    run: Runner, broken_bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_BANK_DIR", str(broken_bank))
    outcome = run("grade", "dropout", "x")
    assert outcome == Outcome(1, "", "grader: The bank has 3 problems; `grader bank validate` lists them.\n")


def test_bank_checksums_are_written_for_the_files_as_they_are(run: Runner, broken_bank: Path) -> None:
    (broken_bank / "checksums.txt").write_text("0000  other.item.yaml\n", encoding="utf-8")
    assert "checksums.txt" in run("bank", "validate", "--bank", broken_bank).out
    assert run("bank", "checksums", "--bank", broken_bank).code == 0
    assert (broken_bank / "checksums.txt").read_text(encoding="utf-8") == checksums(broken_bank)
    assert "checksums.txt" not in run("bank", "validate", "--bank", broken_bank).out


def test_batch_counts_on_standard_error_and_leaves_standard_output_alone(run: Runner, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = {"item_id": "dropout", "candidate_answer": ANSWER}
    source.write_text(json.dumps(good) + "\nbad\n", encoding="utf-8")
    outcome = run("batch", source, target)
    assert (outcome.code, outcome.out) == (0, "")
    assert f"{target}: 2 rows, 1 with a problem" in outcome.err
    assert "rows/s" in outcome.err
    assert len(sentences(outcome.err)) == 1
    assert json.loads(target.read_text(encoding="utf-8").splitlines()[0])["result"] == json.loads(
        run("grade", "dropout", ANSWER, "--json").out
    )
    again = run("batch", source, target)
    assert again == Outcome(1, "", f"grader: {target} exists already; --force replaces it.\n")
    assert run("batch", source, target, "--force").code == 0
    assert run("batch", source, target, "--force", "--resume").code == 2


def test_batch_exits_with_3_if_every_row_failed(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("bad\n\n", encoding="utf-8")
    outcome = run("batch", tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert outcome.code == 3
    assert "Not a single row could be graded." in outcome.err
    assert (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", ["in.txt", "in.csv"])
def test_batch_refuses_a_table_it_cannot_read(run: Runner, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("answer\n", encoding="utf-8")
    outcome = run("batch", tmp_path / name, tmp_path / "out.csv")
    assert (outcome.code, outcome.out) == (1, "")
    assert len(sentences(outcome.err)) == 1


def test_batch_into_a_folder_that_is_not_there_says_so(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("{}\n", encoding="utf-8")
    outcome = run("batch", tmp_path / "in.jsonl", tmp_path / "none" / "out.csv")
    assert outcome.code == 1
    assert "cannot be written: No such file or directory." in outcome.err


def test_batch_stopped_by_ctrl_c_exits_with_130_and_can_be_resumed(grader_home: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("item_id,candidate_answer\n" + f"dropout,{ANSWER}\n" * 3 + "dropout,It is one word.\n" * 20_000)
    note = target.with_name("out.csv.part.json")
    command = child("batch", source, target, home=grader_home)
    # What a shell runs in the background ignores Ctrl-C, and so does all that it starts.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heeding) as process:  # noqa: PLW1509
        deadline = time.monotonic() + 60
        while not note.exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "grader: Stopped; the same command with --resume goes on from here."
    assert note.exists()
    assert not target.exists()


def test_evaluate_prints_a_table_or_the_library_s_report(run: Runner, real_grader: Grader, tmp_path: Path) -> None:
    rows = [
        {
            "dataset": "d",
            "split": "s",
            "question": "",
            "references": ["Air is blue."],
            "answer": a,
            "score": s,
            "label_2way": label,
        }
        for a, s, label in [("Air is blue.", 1.0, "correct"), ("I like tea.", 0.0, "incorrect")]
    ]
    data, predictions = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows) + "bad\n", encoding="utf-8")
    outcome = run("evaluate", data, "--predictions", predictions)
    assert outcome.code == 0
    assert "line 3: The line is not JSON" in outcome.err
    assert "grader: 1 of 3 lines had a problem." in outcome.err
    as_json = json.loads(run("evaluate", data, "--json").out)
    group = as_json["groups"][0]
    cells = sentences(outcome.out)[2].split()
    assert cells[:4] == ["d", "s", "2", "2"]
    assert cells[4:9] == [f"{group[name]:.4f}" for name in ("wrmse", "rmse", "mae", "pearson", "qwk")]
    assert cells[9:] == ["1.000", "1.000", "-", "-"]
    assert [group["two_way"], group["three_way"]] == [{"n": 2, "accuracy": 1.0, "macro_f1": 1.0}, None]
    assert as_json["signature"] == real_grader.signature
    assert [json.loads(line)["score"] is None for line in predictions.read_text().splitlines()] == [False, False, True]


def test_evaluate_exits_with_3_if_no_line_could_be_used(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "data.md").write_text("# Not data\n", encoding="utf-8")
    outcome = run("evaluate", tmp_path / "data.md")
    assert outcome.code == 3
    assert "grader: 1 of 1 lines had a problem." in outcome.err


def test_tables_align_words_left_and_numbers_right() -> None:
    assert text_table(["a", "n"], [["long", "1"], ["x", "10"]], numbers_from=1) == "a      n\n----  --\nlong   1\nx     10"


def test_prepare_says_where_it_is_ready_and_the_next_time_embeds_nothing(
    run: Runner, shipped_bank: ItemBank, grader_home: Path
) -> None:
    run("prepare")
    again = run("prepare")
    assert again == Outcome(0, f"Ready in {grader_home}: {len(shipped_bank)} items, 0 texts embedded now.\n", "")


def test_schema_accepts_every_shipped_item_and_refuses_others(run: Runner) -> None:
    schema = json.loads(run("schema").out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    files = sorted(BANK.rglob("*.item.yaml"))
    assert files
    for file in files:
        validator.validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert list(validator.iter_errors({"id": "x"}))


def test_serve_runs_the_service_with_bank_and_home_in_its_environment(
    run: Runner, monkeypatch: pytest.MonkeyPatch, grader_home: Path, tmp_path: Path
) -> None:
    import uvicorn

    # Set here, so that what the command writes into the environment is undone after the test.
    monkeypatch.setenv("GRADER_BANK_DIR", str(BANK))
    called: dict[str, object] = {}

    def pretend(server: uvicorn.Server) -> None:
        named = ("host", "port", "timeout_graceful_shutdown", "access_log", "log_config")
        called.update({name: getattr(server.config, name) for name in named})
        called.update(bank=os.environ["GRADER_BANK_DIR"], home=os.environ["GRADER_HOME"])

    monkeypatch.setattr(uvicorn.Server, "run", pretend)
    assert run("serve", "--port", "8123", "--bank", tmp_path).code == 0
    assert called == {
        "host": "127.0.0.1",
        "port": 8123,
        "timeout_graceful_shutdown": 20,
        "access_log": False,
        "log_config": None,
        "bank": str(tmp_path),
        "home": str(grader_home),
    }


def test_version_and_help(run: Runner) -> None:
    assert re.fullmatch(r"grader \d+\.\d+\.\d+\n", run("--version").out)
    listed = run("--help")
    assert listed.code == 0
    for command in ("bank", "batch", "evaluate", "grade", "prepare", "schema", "serve", "db", "keys", "purge"):
        assert re.search(rf"^  {command} +\S.*[.]$", listed.out, re.MULTILINE)
        assert run(command, "--help").code == 0
    bare = run()
    assert bare.code == 2
    assert "Usage: grader" in bare.err


@pytest.mark.parametrize("arguments", [["bank", "list"], ["grade", "dropout", "x"], ["schema"]], ids=" ".join)
def test_a_reader_that_goes_away_is_met_with_silence(grader_home: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "grader", *arguments]
    environment = {**os.environ, "GRADER_HOME": str(grader_home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # Long before the first line can have been written.
        process.stdout.close()
        assert [line for line in process.stderr if not line.startswith(b"30 items")] == []
        assert process.wait() == 1


def test_output_is_utf_8_in_any_locale(grader_home: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    command, answer = child("grade", "dropout", home=grader_home), "Größe – naïve neurons".encode()
    finished = subprocess.run(command, input=answer, capture_output=True, env=environment, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "█" in finished.stdout.decode("utf-8") or "░" in finished.stdout.decode("utf-8")


def test_grading_one_answer_imports_nothing_heavy(grader_home: Path) -> None:
    program = (
        "import sys; from grader.cli import main; main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'pyarrow', 'fastapi', 'uvicorn', 'scipy', 'sklearn'};"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "grade", "dropout", ANSWER, "--home", str(grader_home)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stderr.splitlines()[-1] == "[]"
