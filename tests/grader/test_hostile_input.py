"""What no one means to send: broken files, stores that race, text in unusual forms."""

from __future__ import annotations

import json
import shutil
import sqlite3
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from grader import EmbeddingStore, Gradable, Grader, InvalidBankError, ItemBank, ReferenceAnswer
from grader.lexical import Phrase, WordIndex
from grader.text import Passage, stem, words
from tests.child_processes import run_together

BANKS = Path(__file__).parent.parent / "data" / "banks"
CODE = """
    import sys
    from pathlib import Path
    import numpy as np
    from grader import EmbeddingStore
    from grader.text import Passage
    def make(texts):
        return np.array([[len(p.text), sum(map(ord, p.text)), 0.1, -1] for p in texts], dtype=np.float32)
    texts = [Passage.whole(f"text {number}") for number in range(300)]
    print("ready", flush=True)
    sys.stdin.readline()
    with EmbeddingStore(Path(sys.argv[1]), signature="one", dimension=4) as store:
        for at in range(0, 300, 10):
            vectors, _ = store.get_or_make(texts[at:at + 10], make)
            assert (vectors == make(texts[at:at + 10])).all()
"""


@pytest.mark.parametrize("content", [None, b"garbage" * 2_000], ids=["new", "corrupt"])
def test_processes_that_start_together_leave_the_store_whole(tmp_path: Path, content: bytes | None) -> None:
    for attempt in range(8):
        path = tmp_path / f"vectors-{attempt}.sqlite"
        if content is not None:
            path.write_bytes(content)
        run_together(CODE, [(str(path),)] * 3)
        with EmbeddingStore(path, signature="one", dimension=4) as store:
            assert len(store) == 300


@pytest.mark.parametrize("table", ["CREATE TABLE vectors (anything)", "CREATE TABLE meta (anything)"])
def test_a_database_of_something_else_is_foreign(tmp_path: Path, table: str) -> None:
    connection = sqlite3.connect(tmp_path / "v.sqlite")
    connection.execute(table)
    connection.commit()
    connection.close()
    with EmbeddingStore(tmp_path / "v.sqlite", signature="one", dimension=4) as store:
        assert store.get_or_make([Passage.whole("a")], lambda texts: np.ones((len(texts), 4), dtype=np.float32))[1] == 1


@pytest.mark.parametrize("word", ["naïve", "façade"])
def test_a_decomposed_word_is_one_word(word: str) -> None:
    assert len(words(unicodedata.normalize("NFD", word))) == 1
    assert stem(unicodedata.normalize("NFD", word)) == stem(word)


def test_an_answer_scores_the_same_composed_and_decomposed(real_grader: Grader) -> None:
    item = Gradable(
        reference_answers=(ReferenceAnswer(text="The naïve Bayes classifier assumes that features are independent."),)
    )
    answer = "It is a naïve classifier that takes all the features as independent."
    one, other = (real_grader.grade(item, unicodedata.normalize(form, answer)) for form in ("NFC", "NFD"))
    assert one.score == other.score


@pytest.mark.parametrize("slip", ["regularisaton", "regularizatoin", "regularistion"])
def test_a_slip_in_the_ending_of_a_long_word_is_forgiven(slip: str) -> None:
    assert WordIndex.of(f"a form of {slip}").find_phrase(Phrase.of(words("regularisation"))) == (3, 3)


def test_plain_json_values_equal_the_json(real_grader: Grader) -> None:
    item = Gradable(reference_answers=(ReferenceAnswer(text="Blue light is scattered most."),))
    result = real_grader.grade(item, "Blue light is scattered.")
    assert json.loads(result.to_json()) == result.to_dict()


@pytest.mark.parametrize(
    "line",
    [
        "max_mark: 2024-13-45",
        "max_mark: " + "1" * 5_000,
        "max_mark: !!float abc",
        "max_mark: !!bool abc",
        "max_mark: !!timestamp abc",
    ],
    ids=["date", "digits", "float", "bool", "timestamp"],
)
def test_a_yaml_value_that_is_none_is_a_problem_and_no_crash(tmp_path: Path, line: str) -> None:
    bank = Path(shutil.copytree(BANKS / "good", tmp_path / "bank"))
    (bank / "checksums.txt").unlink()
    with (bank / "physics" / "gravity.item.yaml").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(InvalidBankError):
        ItemBank.from_directory(bank)


@pytest.mark.parametrize("how", ["folder", "dangling"])
def test_an_unreadable_file_is_a_problem_where_there_are_checksums(tmp_path: Path, how: str) -> None:
    bank = Path(shutil.copytree(BANKS / "good", tmp_path / "bank"))
    file = bank / "physics" / "gravity.item.yaml"
    file.unlink()
    if how == "folder":
        file.mkdir()
    else:
        file.symlink_to("nowhere")
    with pytest.raises(InvalidBankError):
        ItemBank.from_directory(bank)
