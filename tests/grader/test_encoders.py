"""A text's vector is its own: whatever is encoded with it, and what the reference implementation says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grader import EncoderError, ItemBank, OnnxEncoder, SentenceTransformerEncoder
from grader.encoders import Encoder, FloatArray, Precision
from grader.text import Passage, clauses
from grader.weights import find_weights

SUBJECTS = [
    *"dropout|A recurrent neural network|the loss|the 3rd layer's bias|ReLU(x)=max(0,x)".split("|"),
    *"Jeder Gradient|Нейронная сеть|批量归一化".split("|"),
]
ENDS = [
    "",
    "?",
    " reduces overfitting.",
    " does not reduce overfitting!",
    " 😀 naïve façade",
    " = 0.001 × 1,000 %",
    ", which was trained on a very large set of labelled images, generalises to others that it has never seen before",
    " and so on" * 40,
]
ODD = ["", " ", "...", "a", "\u200b", "zzzzqqqq" * 30, "e\u0301\u0301\u0301", "x" * 3_000, "[CLS] [SEP] [MASK]", "word " * 400]


def varied_texts() -> list[str]:
    """Return 202 distinct texts of all lengths, in several scripts."""
    combined = [f"{start}{subject}{end}" for subject in SUBJECTS for end in ENDS for start in ("", "It is said: ", "- ")]
    return [*ODD, *combined]


def encoded(encoder: Encoder, texts: Sequence[str]) -> FloatArray:
    """Return the vectors of whole texts."""
    return encoder.encode([Passage.whole(text) for text in texts])


@pytest.fixture(scope="module")
def encoder(prepared_model: Path) -> OnnxEncoder:
    return OnnxEncoder(prepared_model, precision="fp32")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return varied_texts()


@pytest.fixture(scope="module")
def alone(encoder: OnnxEncoder, texts: list[str]) -> dict[str, bytes]:
    """Return the bytes of each text's vector, encoded by itself."""
    return {text: encoded(encoder, [text]).tobytes() for text in texts}


@pytest.fixture(scope="module")
def reference() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder.from_directory(find_weights())


def test_there_are_200_texts_and_no_two_are_equal(texts: list[str]) -> None:
    assert len(set(texts)) == len(texts) >= 200


@pytest.mark.parametrize("size", [7, 202])
def test_a_vector_is_the_same_to_the_bit_in_any_batch_and_order(
    encoder: OnnxEncoder, texts: list[str], alone: dict[str, bytes], size: int
) -> None:
    order = random.Random(size).sample(texts, len(texts))  # noqa: S311 no secret is at stake
    for at in range(0, len(order), size):
        batch = order[at : at + size]
        assert [row.tobytes() for row in encoded(encoder, batch)] == [alone[text] for text in batch]


def test_a_vector_is_the_same_to_the_bit_on_any_number_of_cores(
    prepared_model: Path, texts: list[str], alone: dict[str, bytes]
) -> None:
    one_core = OnnxEncoder(prepared_model, threads=1, precision="fp32")
    assert [row.tobytes() for row in encoded(one_core, texts[::5])] == [alone[text] for text in texts[::5]]


def test_a_vector_is_the_same_to_the_bit_from_several_threads(
    encoder: OnnxEncoder, texts: list[str], alone: dict[str, bytes]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: encoded(encoder, [text, "another"])[0].tobytes(), texts[::5]))
        lone_rows = list(pool.map(lambda text: encoded(encoder, [text])[0].tobytes(), texts[::5]))
    assert rows == lone_rows == [alone[text] for text in texts[::5]]


def test_vectors_have_unit_length_and_single_precision(encoder: OnnxEncoder, texts: list[str]) -> None:
    vectors = encoded(encoder, texts[:40])
    assert vectors.dtype == np.float32
    assert vectors.shape == (40, encoder.dimension) == (40, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_no_text_gives_no_vector(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoded(encoder, []).shape == encoded(reference, []).shape == (0, 384)


def test_vectors_agree_with_sentence_transformers(
    encoder: OnnxEncoder, reference: SentenceTransformerEncoder, texts: list[str]
) -> None:
    sample = [text for text in texts[len(ODD) :: 12] if len(text) < 1_000] + ["word " * 400, "", "x", "[CLS] 😀"]
    assert len(sample) >= 20
    assert np.abs(encoded(encoder, sample) - encoded(reference, sample)).max() <= 1e-5


def test_both_encoders_read_and_count_the_same_tokens(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoder.max_tokens == reference.max_tokens == 256
    assert encoder.dimension == reference.dimension
    for text, count in (("", 2), ("dropout", 4), ("a b c", 5), ("word " * 400, 402)):
        assert encoder.count_tokens(text) == reference.count_tokens(text) == count


def test_what_follows_the_last_token_that_is_read_changes_nothing(encoder: OnnxEncoder) -> None:
    long = "word " * 300
    assert (encoded(encoder, [long]) == encoded(encoder, [long + "and something else"])).all()
    assert (encoded(encoder, ["word " * 254]) == encoded(encoder, [long])).all()
    assert (encoded(encoder, ["word " * 253]) != encoded(encoder, [long])).any()


def test_texts_that_are_normalised_alike_have_one_vector(encoder: OnnxEncoder) -> None:
    vectors = encoded(encoder, ["caf\u00e9  au lait", "cafe\u0301 au\u200b lait "])
    assert (vectors[0] == vectors[1]).all()


def test_closeness_of_meaning_is_closeness_of_vectors(encoder: OnnxEncoder) -> None:
    same, near, far = encoded(
        encoder, ["Dropout reduces overfitting.", "Overfitting is lowered by dropout.", "I had soup for lunch."]
    )
    assert same @ near > 0.8
    assert same @ far < 0.3


def test_signatures_tell_encoders_apart(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoder.signature == "all-MiniLM-L6-v2@53aa51172d14/onnx-fp32-v6"
    assert reference.signature.endswith("/torch-fp32")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no prepared model"):
        OnnxEncoder(tmp_path)
    with pytest.raises(EncoderError, match="holds no sentence-transformers model"):
        SentenceTransformerEncoder.from_directory(tmp_path)


@pytest.mark.parametrize("name", ["model-int8.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused_by_name(prepared_model: Path, tmp_path: Path, name: str) -> None:
    for file in prepared_model.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        OnnxEncoder(tmp_path)


LONG = (
    " ".join(f"Sentence number {number} tells of layer {number} and what it learns." for number in range(60))
    + " The river flooded the bank."
)


@pytest.mark.parametrize(
    "text", ["It falls. It is heavy, they say.", "Ünï 😀 codé.\n\n- ﬁrst\n- second", "第一句。第二句！", LONG]
)
def test_a_passage_has_one_vector_whatever_is_asked_with_it(encoder: OnnxEncoder, text: str) -> None:
    wanted = [Passage.whole(text), *(Passage(text, span.start, span.end) for span in clauses(text))]
    alone = [encoder.encode([passage])[0].tobytes() for passage in wanted]
    assert [row.tobytes() for row in encoder.encode(wanted[::-1])] == alone[::-1]


@pytest.mark.parametrize("outer", ["{} ", "\n{}", " {}\u200b"])
def test_outer_white_space_changes_nothing(encoder: OnnxEncoder, outer: str) -> None:
    sentence = "Metal conducts heat."
    text = outer.format(sentence)
    start = text.index(sentence)
    found = encoder.encode([Passage.whole(text), Passage(text, start, start + len(sentence)), Passage.whole(sentence)])
    assert (found[0] == found[1]).all()
    assert (found[1] == found[2]).all()


def test_passages_agree_with_sentence_transformers(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    wanted = [Passage(LONG, span.start, span.end) for span in clauses(LONG)]
    assert np.abs(encoder.encode(wanted) - reference.encode(wanted)).max() <= 1e-5


def test_a_passage_is_understood_within_its_text(encoder: OnnxEncoder) -> None:
    river, money = "The river rose. The bank was flooded.", "He sold shares. The bank was flooded."
    one, other, alone = encoder.encode([Passage(river, 16, 37), Passage(money, 16, 37), Passage.whole("The bank was flooded.")])
    assert one @ other < 0.95
    assert one @ alone > other @ alone


def test_the_end_of_a_long_text_is_read_in_passages(encoder: OnnxEncoder) -> None:
    last = clauses(LONG)[-1]
    end = encoder.encode([Passage(LONG, last.start, last.end)])[0]
    same, other = encoded(encoder, [last.text, clauses(LONG)[0].text])
    assert end @ same > end @ other
    cut = "unspaced" * 400
    assert np.linalg.norm(encoder.encode([Passage(cut + " b", 0, len(cut))])) == pytest.approx(1.0, abs=1e-5)


@pytest.fixture(scope="module")
def thousand(shipped_bank: ItemBank) -> list[str]:
    """Return a thousand real texts: answers, references and key points of the shipped bank."""
    found = [r.candidate_answer for responses in shipped_bank.responses.values() for r in responses]
    found += [reference.text for item in shipped_bank for reference in item.reference_answers]
    found += [text for item in shipped_bank for point in item.key_points for text in (point.text, *point.examples)]
    return [text for text in dict.fromkeys(found) if text.strip()][:1_000]


@pytest.mark.parametrize(("precision", "every"), [("int8", 1), ("fp32", 4)])
def test_vectors_of_a_thousand_real_texts_are_the_same_to_the_bit_alone_and_among_256(
    prepared_model: Path, thousand: list[str], precision: Precision, every: int
) -> None:
    encoder = OnnxEncoder(prepared_model, threads=2, precision=precision)
    order = random.Random(256).sample(thousand[::every], 1_000 // every)  # noqa: S311 no secret is at stake
    alone = {text: encoded(encoder, [text]).tobytes() for text in order}
    for at in range(0, len(order), 256):
        batch = order[at : at + 256]
        assert [row.tobytes() for row in encoded(encoder, batch)] == [alone[text] for text in batch]


def test_int8_vectors_are_the_same_to_the_bit_on_any_number_of_cores(prepared_model: Path, thousand: list[str]) -> None:
    one, two = (OnnxEncoder(prepared_model, threads=threads, precision="int8") for threads in (1, 2))
    assert encoded(one, thousand[::5]).tobytes() == encoded(two, thousand[::5]).tobytes()


def test_int8_is_near_to_fp32_and_not_the_same(prepared_model: Path, encoder: OnnxEncoder, thousand: list[str]) -> None:
    """The limits of ADR 0019 are for 2,000 pairs of the marked sets; these are 400 of the bank."""
    int8 = OnnxEncoder(prepared_model, precision="int8")
    assert int8.signature != encoder.signature
    exact, rough = (encoded(each, thousand[:401]) for each in (encoder, int8))
    errors = np.abs((exact[1:] * exact[:-1]).sum(axis=1) - (rough[1:] * rough[:-1]).sum(axis=1))
    assert 0 < errors.mean() <= 0.01
    assert errors.max() <= 0.05
