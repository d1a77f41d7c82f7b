"""Vectors are made once, and damage to what keeps them is noticed and made good."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from grader import EmbeddingStore, Gradable, Grader, OnnxEncoder, ReferenceAnswer
from grader.encoders import FloatArray
from grader.reading import PackedWords, Reading
from grader.text import Passage
from tests.child_processes import run_together

DIMENSION = 4
PASSAGES = [Passage.whole(f"text {number}") for number in range(2_000)]


def passages(*texts: str) -> list[Passage]:
    return [Passage.whole(text) for text in texts]


class CountingMaker:
    """Makes vectors that can be told apart, and counts what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, wanted: Sequence[Passage]) -> FloatArray:
        self.calls.append([passage.text for passage in wanted])
        return np.array([[len(p.text), sum(map(ord, p.context)), 0.1 + p.start, -1] for p in wanted], dtype=np.float32)


class CountingEncoder:
    """The real encoder, counting the texts that reach it."""

    def __init__(self, encoder: OnnxEncoder) -> None:
        self._encoder = encoder
        self.signature, self.dimension, self.max_tokens = encoder.signature, encoder.dimension, encoder.max_tokens
        self.texts: list[str] = []

    def encode(self, passages: Sequence[Passage]) -> FloatArray:
        self.texts += [passage.text for passage in passages]
        return self._encoder.encode(passages)

    def read(self, passages: Sequence[Passage]) -> Reading:
        self.texts += [passage.text for passage in passages]
        return self._encoder.read(passages)

    def count_tokens(self, text: str) -> int:
        return self._encoder.count_tokens(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "vectors.sqlite"


@pytest.fixture
def make() -> CountingMaker:
    return CountingMaker()


@pytest.fixture(scope="module")
def encoder(prepared_model: Path) -> CountingEncoder:
    return CountingEncoder(OnnxEncoder(prepared_model))


def opened(path: Path, signature: str = "one") -> EmbeddingStore:
    return EmbeddingStore(path, signature=signature, dimension=DIMENSION)


def filled(path: Path) -> None:
    with opened(path) as store:
        assert store.get_or_make(PASSAGES, CountingMaker())[1] == len(PASSAGES)


def checked(path: Path, signature: str = "one") -> int:
    """Check that a store gives right vectors and keeps them, and return how many it had to make again."""
    make = CountingMaker()
    with opened(path, signature) as store:
        vectors, made = store.get_or_make(PASSAGES, make)
        assert (vectors == CountingMaker()(PASSAGES)).all()
        assert sum(map(len, make.calls)) == made
    with opened(path, signature) as store:
        assert store.get_or_make(PASSAGES, make)[1] == 0
        assert len(store) == len(PASSAGES)
    return made


def test_vectors_come_back_in_the_order_of_the_texts(path: Path, make: CountingMaker) -> None:
    with opened(path) as store:
        store.get_or_make(passages("bb", "a"), make)
        vectors, made = store.get_or_make(passages("a", "ccc", "bb", "a"), make)
    assert vectors[:, 0].tolist() == [1, 3, 2, 1]
    assert vectors.dtype == np.float32
    assert (made, make.calls) == (1, [["bb", "a"], ["ccc"]])


def test_repeats_and_texts_that_are_encoded_alike_are_made_once(path: Path, make: CountingMaker) -> None:
    with opened(path) as store:
        _, made = store.get_or_make(passages("a b", "a  b", "a b", "a\u00a0b"), make)
        assert made == len(store) == 1
    assert [len(call) for call in make.calls] == [1]


def test_no_texts_give_no_vectors(path: Path, make: CountingMaker) -> None:
    with opened(path) as store:
        vectors, made = store.get_or_make([], make)
    assert (vectors.shape, made, make.calls) == ((0, DIMENSION), 0, [])


def test_a_second_start_makes_nothing(path: Path) -> None:
    filled(path)
    assert checked(path) == 0


def test_a_second_start_with_the_same_bank_embeds_nothing(tmp_path: Path, encoder: CountingEncoder) -> None:
    items = [
        Gradable(question="Why does it fall?", reference_answers=(ReferenceAnswer(text=f"Gravity pulls it {where}."),))
        for where in ("down", "towards the Earth")
    ]
    encoder.texts.clear()
    made = []
    for _ in range(2):
        with EmbeddingStore(tmp_path / "v.sqlite", signature=encoder.signature, dimension=encoder.dimension) as store:
            made.append(Grader(encoder, store=store).embed(items))
    assert made == [3, 0]
    assert encoder.texts == ["Why does it fall?", "Gravity pulls it down.", "Gravity pulls it towards the Earth."]


def test_a_changed_reference_embeds_only_itself(tmp_path: Path, encoder: CountingEncoder) -> None:
    before = Gradable(
        question="Why does it fall?",
        reference_answers=(ReferenceAnswer(text="Gravity pulls it down."), ReferenceAnswer(text="The Earth attracts it.")),
    )
    after = before.model_copy(update={"reference_answers": (before.reference_answers[0], ReferenceAnswer(text="It has weight."))})
    with EmbeddingStore(tmp_path / "v.sqlite", signature=encoder.signature, dimension=encoder.dimension) as store:
        grader = Grader(encoder, store=store)
        assert grader.embed([before]) == 3
        encoder.texts.clear()
        assert grader.embed([after]) == 1
    assert encoder.texts == ["It has weight."]


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 10_000, b"SQLite format 3\x00" + b"\xff" * 9_000])
def test_what_is_no_database_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert checked(path) == len(PASSAGES)


def test_a_file_cut_short_is_made_good(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert checked(path) > 0


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_garbage_in_the_middle_is_made_good(path: Path, share: float) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    at = int(len(content) * share)
    content[at : at + 5_000] = np.random.default_rng(3).bytes(5_000)
    path.write_bytes(content)
    assert checked(path) > 0


def test_garbage_that_comes_while_the_store_is_open_is_made_good(path: Path) -> None:
    # Larger than SQLite's page cache, so that it has to read the file again.
    def make(wanted: Sequence[Passage]) -> FloatArray:
        return np.array([[len(p.text), sum(map(ord, p.text)), *[0.5] * 1_022] for p in wanted], dtype=np.float32)

    with EmbeddingStore(path, signature="one", dimension=1_024) as store:
        store.get_or_make(PASSAGES, make)
    with EmbeddingStore(path, signature="one", dimension=1_024) as store:
        with path.open("r+b") as file:
            file.seek(4_096)
            file.write(b"\xa5" * (path.stat().st_size - 4_096))
        vectors, made = store.get_or_make(PASSAGES, make)
        assert made == len(PASSAGES)
        assert (vectors == make(PASSAGES)).all()
        assert len(store) == len(PASSAGES)


def test_one_flipped_bit_of_a_vector_makes_only_that_one_again(path: Path) -> None:
    filled(path)
    vector = CountingMaker()([PASSAGES[1_000]]).tobytes()
    content = bytearray(path.read_bytes())
    assert content.count(vector) >= 1
    content[content.index(vector) + 5] ^= 1
    path.write_bytes(content)
    assert 1 <= checked(path) <= content.count(vector) + 1


def test_a_vector_of_another_length_is_made_again(path: Path) -> None:
    filled(path)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE vectors SET vector = substr(vector, 1, 8) WHERE passage_hash = (SELECT min(passage_hash) FROM vectors)"
    )
    connection.commit()
    connection.close()
    assert checked(path) == 1


def test_a_store_of_another_encoder_is_moved_aside(path: Path) -> None:
    filled(path)
    assert checked(path, "two") == len(PASSAGES)
    aside = path.with_name(path.name + ".damaged")
    connection = sqlite3.connect(aside)
    assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (len(PASSAGES),)
    connection.close()


def test_a_store_of_another_dimension_is_foreign(path: Path) -> None:
    filled(path)
    with EmbeddingStore(path, signature="one", dimension=3) as store:
        assert len(store) == 0


def test_a_file_that_cannot_be_opened_is_left_alone(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(sqlite3.OperationalError):
        opened(path)
    assert path.is_dir()


def test_what_cannot_be_made_is_not_kept(path: Path, make: CountingMaker) -> None:
    def broken(wanted: Sequence[Passage]) -> FloatArray:
        raise MemoryError(str(len(wanted)))

    with opened(path) as store:
        with pytest.raises(MemoryError):
            store.get_or_make(passages("a"), broken)
        assert len(store) == 0
        assert store.get_or_make(passages("a"), make)[1] == 1


def test_vectors_of_a_process_that_was_killed_while_writing_are_whole(path: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        import numpy as np
        from grader import EmbeddingStore
        from grader.text import Passage
        def make(texts):
            return np.array([[len(p.text), sum(map(ord, p.text)), 0.1, -1] for p in texts], dtype=np.float32)
        store = EmbeddingStore(Path(sys.argv[1]), signature="one", dimension=4)
        texts = [Passage.whole(f"text {number}") for number in range(2_000)]
        store.get_or_make(texts[:1_000], make)
        store._connection.execute("BEGIN IMMEDIATE")
        store._connection.execute("DELETE FROM vectors")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=False, timeout=60)
    assert killed.returncode == -9
    assert checked(path) == 1_000


def test_processes_that_work_on_one_store_together_leave_it_whole(path: Path) -> None:
    """Each of three processes opens a store that is there already and adds texts in an order of its own."""
    code = """
        import random, sys
        from pathlib import Path
        import numpy as np
        from grader import EmbeddingStore
        from grader.text import Passage
        def make(texts):
            return np.array([[len(p.text), sum(map(ord, p.text)), 0.1, -1] for p in texts], dtype=np.float32)
        texts = [Passage.whole(f"text {number}") for number in range(2_000)]
        random.Random(sys.argv[2]).shuffle(texts)
        print("ready", flush=True)
        sys.stdin.readline()
        for at in range(0, 2_000, 100):
            with EmbeddingStore(Path(sys.argv[1]), signature="one", dimension=4) as store:
                vectors, _ = store.get_or_make(texts[at:at + 100], make)
                assert (vectors == make(texts[at:at + 100])).all()
    """
    opened(path).close()
    run_together(code, [(str(path), seed) for seed in ("1", "2", "3")])
    assert checked(path) == 0


def some_words(text: str) -> PackedWords:
    """Return words that can be told apart, as many as the text has letters."""
    count = len(text)
    steps = np.arange(count * DIMENSION, dtype=np.int8).reshape(count, DIMENSION)
    return PackedWords(texts=tuple(text), rarity=np.linspace(0, 1, count, dtype=np.float32), steps=steps)


def same(one: PackedWords, other: PackedWords) -> bool:
    return one.texts == other.texts and bool((one.rarity == other.rarity).all() and (one.steps == other.steps).all())


def test_words_are_made_once_and_come_back_as_they_were(path: Path) -> None:
    asked: list[list[str]] = []

    def make_words(texts: Sequence[str]) -> list[PackedWords]:
        asked.append(list(texts))
        return [some_words(text) for text in texts]

    for texts in (["abc", "é", "abc"], ["", "abc"]):
        with opened(path) as store:
            found = store.get_or_make_words(texts, make_words)
        assert set(found) == set(texts)
        assert all(same(found[text], some_words(text)) for text in texts)
    assert asked == [["abc", "é"], [""]]


@pytest.mark.parametrize("damage", ["words = x'00'", "words = substr(words, 2)", "crc = crc + 1"])
def test_damaged_words_are_made_again(path: Path, damage: str) -> None:
    with opened(path) as store:
        store.get_or_make_words(["abc"], lambda texts: [some_words(text) for text in texts])
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE words SET {damage}")  # noqa: S608 one of three constants
    connection.close()
    made: list[str] = []

    def make_words(texts: Sequence[str]) -> list[PackedWords]:
        made.extend(texts)
        return [some_words(text) for text in texts]

    with opened(path) as store:
        assert same(store.get_or_make_words(["abc"], make_words)["abc"], some_words("abc"))
        assert same(store.get_or_make_words(["abc"], make_words)["abc"], some_words("abc"))
    assert made == ["abc"]


def test_words_for_vectors_of_an_older_version_are_made_as_if_together(tmp_path: Path, encoder: CountingEncoder) -> None:
    """A long text is read in windows; which of them its words stand in must not hang on what else is known."""
    long = Gradable(question="Why?", reference_answers=(ReferenceAnswer(text="Gravity pulls the apple down. " * 80),))
    answer = "The apple is pulled down by gravity."
    with EmbeddingStore(tmp_path / "new.sqlite", signature=encoder.signature, dimension=encoder.dimension) as store:
        at_once = Grader(encoder, store=store).grade(long, answer)
    with EmbeddingStore(tmp_path / "old.sqlite", signature=encoder.signature, dimension=encoder.dimension) as store:
        Grader(encoder, store=store).embed([long])
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.execute("DELETE FROM words")
    connection.close()
    with EmbeddingStore(tmp_path / "old.sqlite", signature=encoder.signature, dimension=encoder.dimension) as store:
        grader = Grader(encoder, store=store)
        grader.embed([long])
        assert grader.grade(long, answer) == at_once


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_large_file_is_not_looked_through_at_the_start_and_made_good_where_it_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    at = int(len(content) * share)
    content[at : at + 5_000] = np.random.default_rng(3).bytes(5_000)
    path.write_bytes(content)
    monkeypatch.setattr("grader.store._CHECKED_BYTES", len(content) - 1)
    opened(path).close()
    assert not path.with_name(path.name + ".damaged").exists()
    assert checked(path) > 0


def test_what_is_noted_as_whole_is_whole_for_whoever_starts_next(path: Path) -> None:
    with opened(path) as store:
        assert not store.is_whole("a bank")
        store.note_whole("a bank")
        store.note_whole("a bank")
    with opened(path) as store:
        assert store.is_whole("a bank")
        assert not store.is_whole("another bank")
    with opened(path, "two") as store:
        assert not store.is_whole("a bank"), "another encoder has other vectors"


def test_nothing_is_whole_in_a_file_that_is_damaged_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    with opened(path) as store:
        store.note_whole("a bank")
    with sqlite3.connect(path) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'whole'").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4_096 : page * 4_096] = b"\xa5" * 4_096
    path.write_bytes(content)
    monkeypatch.setattr("grader.store._CHECKED_BYTES", 0)
    with opened(path) as store:
        assert not store.is_whole("a bank")
        assert len(store) == 0


def test_a_store_of_an_older_version_goes_on_with_what_it_has(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE whole")
    connection.close()
    assert checked(path) == 0
