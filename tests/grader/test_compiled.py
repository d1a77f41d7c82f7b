"""A bank of many items is read once, and again whenever anything of it is another; compiled or not, it is the same bank."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from grader import (
    CompiledBankError,
    EmbeddingStore,
    Grader,
    InvalidBankError,
    ItemBank,
    ItemNotFoundError,
    default_bank_dir,
    open_bank,
)
from grader.bank import checksums
from grader.batch import GraderRecipe, WorkerProcesses, grade_file
from grader.compiled import CompiledBank
from grader.encoders import FloatArray
from grader.reading import PackedWords
from grader.strict_yaml import strict_document
from grader.text import Passage
from tests.child_processes import run_together

BANKS = Path(__file__).parent.parent / "data" / "banks"
GRAVITY = Path("physics") / "gravity.item.yaml"


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have banks of two items and more compiled, and only one profile kept."""
    monkeypatch.setattr("grader.compiled._MOST_ITEMS_READ", 1)
    monkeypatch.setattr("grader.grader._PROFILES_KEPT", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the good bank, to be changed."""
    return Path(shutil.copytree(BANKS / "good", tmp_path / "bank"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the YAML texts that are read from now on."""
    texts: list[str] = []
    read = strict_document

    def counted(text: str) -> object:
        texts.append(text)
        return read(text)

    monkeypatch.setattr("grader.bank.strict_document", counted)
    return texts


@pytest.fixture(scope="module")
def large_bank(tmp_path_factory: pytest.TempPathFactory) -> CompiledBank:
    """Return the shipped bank, compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grader.compiled._MOST_ITEMS_READ", 1)
        opened = open_bank(default_bank_dir(), home=tmp_path_factory.mktemp("home"))
    assert isinstance(opened, CompiledBank)
    return opened


def compiled_file(home: Path) -> Path:
    (file,) = home.iterdir()
    return file


def same(one: ItemBank, other: ItemBank) -> bool:
    return (one.version, list(one), dict(one.responses)) == (other.version, list(other), dict(other.responses))


def test_a_bank_of_few_items_is_held_in_memory(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("grader.compiled._MOST_ITEMS_READ", 30)
    assert type(open_bank(default_bank_dir(), home=home)) is ItemBank
    assert not home.exists()


def test_a_compiled_bank_is_the_bank(large_bank: CompiledBank, shipped_bank: ItemBank) -> None:
    items = shipped_bank.items
    assert same(large_bank, shipped_bank)
    assert len(large_bank) == len(large_bank.items) == 30
    assert large_bank.items[0] == items[0]
    assert large_bank.items[-1] == items[-1]
    assert large_bank.items[7:11] == items[7:11]
    assert large_bank.items[20::-7] == items[20::-7]
    assert large_bank.items[40:] == ()
    with pytest.raises(IndexError):
        large_bank.items[30]
    assert large_bank.content_hash == shipped_bank.content_hash
    assert list(large_bank.heads) == list(shipped_bank.heads)
    assert [large_bank.get(item.id) for item in items] == list(items)
    assert [large_bank.find(text) for text in ("", "nope", "dropout\x00", "dröpout", "\ud800")] == [None] * 5
    with pytest.raises(ItemNotFoundError, match="'nope'"):
        large_bank.get("nope")
    assert len(large_bank.responses) == 30
    assert "nope" not in large_bank.responses


def test_all_items_are_gone_through_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, large_bank: CompiledBank, shipped_bank: ItemBank
) -> None:
    monkeypatch.setattr("grader.compiled._ITEMS_PER_QUERY", 7)
    assert list(large_bank) == list(shipped_bank)


def test_a_bank_that_stays_as_it_is_is_read_once(folder: Path, home: Path, reads: list[str]) -> None:
    first = open_bank(folder, home=home)
    assert len(reads) == 2
    # What is no part of a bank may change.
    (folder / "README.md").write_text("About gravity.", encoding="utf-8")
    second = open_bank(folder, home=home)
    assert len(reads) == 2
    assert same(first, second)
    assert same(second, ItemBank.from_directory(BANKS / "good"))


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def add_an_item(folder: Path, name: str = "levity") -> None:
    text = (folder / GRAVITY).read_text(encoding="utf-8")
    (folder / f"{name}.item.yaml").write_text(text.replace("id: gravity", f"id: {name}"), encoding="utf-8")


def write_later(file: Path) -> None:
    """Leave a file as long as it was, as an author does who changes a digit."""
    later = file.stat().st_mtime_ns + 1
    os.utime(file, ns=(later, later))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: append(folder / GRAVITY, "# gravity\n"),
        lambda folder: append(folder / "physics" / "gravity.responses.csv", "It falls.,2,dev,wrong,\n"),
        lambda folder: append(folder / "VERSION", "2\n"),
        lambda folder: write_later(folder / GRAVITY),
        lambda folder: (folder / "physics" / "gravity.responses.csv").unlink(),
        lambda folder: (folder / "physics").rename(folder / "mechanics"),
        lambda folder: (folder / "checksums.txt").write_text(checksums(folder), encoding="utf-8"),
        add_an_item,
        lambda folder: (folder / "buoyancy.item.yaml").unlink(),
    ],
    ids=["item", "responses", "version", "only-its-time", "responses-gone", "moved", "checksums", "new-item", "item-gone"],
)
def test_whatever_changes_is_noticed(folder: Path, home: Path, reads: list[str], change: Callable[[Path], object]) -> None:
    (folder / "checksums.txt").unlink()
    add_an_item(folder, "buoyancy")
    open_bank(folder, home=home)
    change(folder)
    reads.clear()
    changed = open_bank(folder, home=home)
    assert reads
    assert same(changed, ItemBank.from_directory(folder))
    reads.clear()
    assert same(open_bank(folder, home=home), changed)
    assert reads == []
    assert compiled_file(home).suffix == ".sqlite"


def test_banks_of_two_folders_have_two_files(folder: Path, home: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    (other / "checksums.txt").unlink()
    append(other / "VERSION", "b")
    one, two = open_bank(folder, home=home), open_bank(other, home=home)
    assert (one.version, two.version) == ("2026.1", "2026.1\nb")
    assert len(list(home.iterdir())) == 2


def test_any_name_will_do_for_the_folder_of_compiled_banks(folder: Path, tmp_path: Path, reads: list[str]) -> None:
    home = tmp_path / "what? #1 50%20 ü"
    for _ in range(2):
        assert len(open_bank(folder, home=home)) == 2
    assert len(reads) == 2


def test_a_link_to_a_folder_is_the_folder(folder: Path, home: Path, tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "link").symlink_to(folder)
    open_bank(folder, home=home)
    assert len(open_bank(tmp_path / "link", home=home)) == 2
    assert len(reads) == 2


def test_a_broken_bank_has_every_problem_reported_and_leaves_nothing(home: Path) -> None:
    with pytest.raises(InvalidBankError) as read:
        ItemBank.from_directory(BANKS / "broken")
    with pytest.raises(InvalidBankError) as compiling:
        open_bank(BANKS / "broken", home=home)
    assert compiling.value.problems == read.value.problems
    assert list(home.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_bank(tmp_path: Path, home: Path) -> None:
    with pytest.raises(InvalidBankError, match=r"holds no \*\.item\.yaml file"):
        open_bank(tmp_path / "missing", home=home)


def test_nobody_but_the_user_may_read_the_answers(folder: Path, home: Path) -> None:
    before = os.umask(0)
    try:
        open_bank(folder, home=home)
    finally:
        os.umask(before)
    assert stat.S_IMODE(compiled_file(home).stat().st_mode) == 0o600


def test_where_nothing_can_be_written_the_bank_is_held_in_memory(folder: Path, home: Path) -> None:
    home.write_text("a file where a folder should be", encoding="utf-8")
    opened = open_bank(folder, home=home)
    assert type(opened) is ItemBank
    assert len(opened) == 2


def foreign(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE about (body TEXT)")
    connection.close()


def change_about(file: Path, **values: str) -> None:
    with sqlite3.connect(file) as connection:
        about = json.loads(connection.execute("SELECT body FROM about").fetchone()[0])
        connection.execute("UPDATE about SET body = ?", (json.dumps(about | values),))
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"not a database"),
        lambda file: file.write_bytes(b"SQLite format 3\x00" + b"\xff" * 9_000),
        lambda file: file.write_bytes(file.read_bytes()[:-4_096]),
        foreign,
        lambda file: change_about(file, written_by="0.0.1, format 0"),
        lambda file: change_about(file, items="many"),
    ],
    ids=["empty", "text", "garbage", "cut-short", "foreign", "other-program", "other-form"],
)
def test_a_file_that_cannot_be_used_is_written_anew(
    folder: Path, home: Path, reads: list[str], damage: Callable[[Path], object]
) -> None:
    open_bank(folder, home=home)
    damage(compiled_file(home))
    reads.clear()
    assert same(open_bank(folder, home=home), ItemBank.from_directory(BANKS / "good"))
    assert len(reads) == 4
    open_bank(folder, home=home)
    assert len(reads) == 4


def test_damage_that_is_found_later_is_named_and_the_next_start_makes_it_good(folder: Path, home: Path) -> None:
    file = compiled_file(home) if open_bank(folder, home=home) else None
    assert file is not None
    content = bytearray(file.read_bytes())
    at = content.index(b'"id":"gravity"')
    content[at + 9] ^= 1
    file.write_bytes(content)
    opened = open_bank(folder, home=home)
    assert opened.get("evaporation")
    with pytest.raises(CompiledBankError, match="damaged") as caught:
        opened.get("gravity")
    assert caught.value.path == file
    assert not file.exists()
    assert open_bank(folder, home=home).get("gravity").id == "gravity"


def test_a_damaged_page_is_damage_too(folder: Path, home: Path) -> None:
    open_bank(folder, home=home)
    file = compiled_file(home)
    content = file.read_bytes()
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'items'").fetchone()[0]
    file.write_bytes(content[: (page - 1) * 4_096] + b"\xa5" * 4_096 + content[page * 4_096 :])
    opened = open_bank(folder, home=home)
    with pytest.raises(CompiledBankError, match="damaged"):
        list(opened)
    assert not file.exists()


def test_processes_that_start_together_leave_a_whole_file(folder: Path, home: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from grader import compiled
        compiled._MOST_ITEMS_READ = 1
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(20):
            opened = compiled.open_bank(Path(sys.argv[1]), home=Path(sys.argv[2]))
            assert [item.id for item in opened] == ["evaporation", "gravity"], list(opened)
            if sys.argv[3] == "removes":
                for file in Path(sys.argv[2]).glob("*.sqlite"):
                    file.unlink(missing_ok=True)
    """
    run_together(code, [(str(folder), str(home), part) for part in ("reads", "removes")])
    assert same(open_bank(folder, home=home), ItemBank.from_directory(folder))
    assert compiled_file(home).suffix == ".sqlite"


def test_what_a_killed_process_has_left_is_removed_after_a_day(folder: Path, home: Path) -> None:
    open_bank(folder, home=home)
    name = compiled_file(home).stem
    old, new, other = home / f"{name}-a.new", home / f"{name}-b.new", home / "bank-0-a.new"
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (time.time() - 90_000,) * 2)
    append(folder / "VERSION", "b")
    (folder / "checksums.txt").unlink()
    open_bank(folder, home=home)
    assert sorted(file.name for file in home.iterdir()) == sorted([f"{name}.sqlite", new.name, other.name])


def test_pickled_it_is_a_name(large_bank: CompiledBank, shipped_bank: ItemBank) -> None:
    large_bank.get("dropout")
    pickled = pickle.dumps(large_bank)
    assert len(pickled) < 1_000
    assert same(pickle.loads(pickled), shipped_bank)  # noqa: S301 made above


def test_another_process_reads_the_same_or_nothing(folder: Path, home: Path) -> None:
    pickled = pickle.dumps(open_bank(folder, home=home))
    (folder / "checksums.txt").unlink()
    append(folder / "VERSION", "b")
    open_bank(folder, home=home)
    late = pickle.loads(pickled)  # noqa: S301 made above
    with pytest.raises(CompiledBankError, match="is of other files by now"):
        late.get("gravity")
    compiled_file(home).unlink()
    with pytest.raises(CompiledBankError, match="cannot be read"):
        late.get("gravity")


def test_threads_share_a_bank(large_bank: CompiledBank, shipped_bank: ItemBank) -> None:
    bank_of_one_connection = pickle.loads(pickle.dumps(large_bank))  # noqa: S301 made here
    wanted = [item.id for item in shipped_bank] * 20
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(bank_of_one_connection.get, wanted))
    assert found == [shipped_bank.get(item_id) for item_id in wanted]


def test_only_items_that_were_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch, folder: Path, home: Path) -> None:
    monkeypatch.setattr("grader.compiled_file._ITEMS_KEPT", 1)
    opened = open_bank(folder, home=home)
    gravity = opened.get("gravity")
    assert opened.get("gravity") is gravity
    opened.get("evaporation")
    assert opened.get("gravity") is not gravity


def test_results_are_the_same_to_the_byte(
    *, large_bank: CompiledBank, real_grader: Grader, shipped_bank: ItemBank, grader_home: Path, tmp_path: Path
) -> None:
    rows = [
        {"item_id": item.id, "candidate_answer": response.candidate_answer}
        for item in shipped_bank
        for response in shipped_bank.responses[item.id][:1]
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    grade_file(real_grader, shipped_bank, source, tmp_path / "memory.jsonl")
    grade_file(real_grader, large_bank, source, tmp_path / "compiled.jsonl")
    with WorkerProcesses(GraderRecipe(home=grader_home), large_bank, workers=1) as workers:
        grade_file(workers, large_bank, source, tmp_path / "workers.jsonl")
    expected = (tmp_path / "memory.jsonl").read_bytes()
    assert (tmp_path / "compiled.jsonl").read_bytes() == (tmp_path / "workers.jsonl").read_bytes() == expected


class CountingStore(EmbeddingStore):
    """A real store that counts what is asked of it."""

    asked = 0
    most_at_once = 0

    def get_or_make(self, passages: Sequence[Passage], make: Callable[[Sequence[Passage]], FloatArray]) -> tuple[FloatArray, int]:
        self.asked += len(passages)
        self.most_at_once = max(self.most_at_once, len(passages))
        return super().get_or_make(passages, make)

    def get_or_make_words(
        self, texts: Sequence[str], make: Callable[[Sequence[str]], Sequence[PackedWords]]
    ) -> dict[str, PackedWords]:
        self.asked += len(texts)
        return super().get_or_make_words(texts, make)


def counting(grader: Grader, path: Path) -> tuple[Grader, CountingStore]:
    encoder = grader.encoder
    store = CountingStore(path, signature=encoder.signature, dimension=encoder.dimension)
    return Grader(encoder, store=store), store


@pytest.mark.parametrize("is_compiled", [True, False])
def test_a_second_start_reads_no_vector(
    real_grader: Grader, folder: Path, home: Path, tmp_path: Path, *, is_compiled: bool
) -> None:
    opened = open_bank(folder, home=home) if is_compiled else ItemBank.from_directory(folder)
    first, store = counting(real_grader, tmp_path / "v.sqlite")
    made = first.embed(opened)
    assert made == len(store) > 0
    first.close()
    second, store = counting(real_grader, tmp_path / "v.sqlite")
    assert second.embed(opened) == 0
    assert store.asked == 0
    assert second.grade(opened.get("gravity"), "The Earth pulls it.") == Grader(real_grader.encoder).grade(
        opened.get("gravity"), "The Earth pulls it."
    )
    assert store.asked > 0
    second.close()


def test_another_bank_is_embedded_though_most_of_it_is_there(
    real_grader: Grader, folder: Path, home: Path, tmp_path: Path
) -> None:
    grader, store = counting(real_grader, tmp_path / "v.sqlite")
    grader.embed(open_bank(folder, home=home))
    (folder / "checksums.txt").unlink()
    file = folder / GRAVITY
    text = file.read_text(encoding="utf-8")
    question = next(line for line in text.splitlines() if line.startswith("question: "))
    file.write_text(text.replace(question, "question: Why does a stone fall?"), encoding="utf-8")
    assert grader.embed(open_bank(folder, home=home)) == 1
    assert grader.embed(open_bank(folder, home=home)) == 0
    store.close()


def test_rows_that_went_missing_are_made_again_when_they_are_asked_for(
    real_grader: Grader, folder: Path, home: Path, tmp_path: Path
) -> None:
    opened = open_bank(folder, home=home)
    first, _ = counting(real_grader, tmp_path / "v.sqlite")
    first.embed(opened)
    expected = first.grade(opened.get("gravity"), "The Earth pulls it.")
    first.close()
    with sqlite3.connect(tmp_path / "v.sqlite") as connection:
        connection.execute("DELETE FROM vectors")
        connection.execute("UPDATE words SET crc = 0")
    connection.close()
    second, store = counting(real_grader, tmp_path / "v.sqlite")
    assert second.embed(opened) == 0
    assert second.grade(opened.get("gravity"), "The Earth pulls it.") == expected
    assert len(store) > 0
    second.close()


def test_many_items_are_embedded_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, real_grader: Grader, folder: Path, home: Path, tmp_path: Path
) -> None:
    opened = open_bank(folder, home=home)
    at_once, whole = counting(real_grader, tmp_path / "one.sqlite")
    made = at_once.embed(opened)
    monkeypatch.setattr("grader.grader._ITEMS_PER_GO", 1)
    one_by_one, store = counting(real_grader, tmp_path / "two.sqlite")
    assert one_by_one.embed(opened) == made
    assert store.asked == whole.asked
    assert store.most_at_once < whole.most_at_once
    assert one_by_one._profiles == {}
    at_once.close()
    one_by_one.close()


def test_profiles_of_few_items_are_ready_after_the_start(
    monkeypatch: pytest.MonkeyPatch, real_grader: Grader, folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("grader.grader._PROFILES_KEPT", 2)
    grader, store = counting(real_grader, tmp_path / "v.sqlite")
    opened = ItemBank.from_directory(folder)
    grader.embed(opened)
    assert sorted(grader._profiles) == sorted(item.content_hash for item in opened)
    store.close()
