"""A text's vector is its own: whatever is encoded with it, and what the reference implementation says."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grader import EncoderError, OnnxEncoder, SentenceTransformerEncoder
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


@pytest.fixture(scope="module")
def encoder(prepared_model: Path) -> OnnxEncoder:
    return OnnxEncoder(prepared_model)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return varied_texts()


@pytest.fixture(scope="module")
def alone(encoder: OnnxEncoder, texts: list[str]) -> dict[str, bytes]:
    """Return the bytes of each text's vector, encoded by itself."""
    return {text: encoder.encode([text]).tobytes() for text in texts}


@pytest.fixture(scope="module")
def reference() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder.from_directory(find_weights())


def test_there_are_200_texts_and_no_two_are_equal(texts: list[str]) -> None:
    assert len(set(texts)) == len(texts) >= 200


@pytest.mark.parametrize("size", [2, 7, 64, 250])
def test_a_vector_is_the_same_to_the_bit_in_any_batch_and_order(
    encoder: OnnxEncoder, texts: list[str], alone: dict[str, bytes], size: int
) -> None:
    order = random.Random(size).sample(texts, len(texts))  # noqa: S311 no secret is at stake
    for at in range(0, len(order), size):
        batch = order[at : at + size]
        assert [row.tobytes() for row in encoder.encode(batch)] == [alone[text] for text in batch]


def test_a_vector_is_the_same_to_the_bit_on_any_number_of_cores(
    prepared_model: Path, texts: list[str], alone: dict[str, bytes]
) -> None:
    one_core = OnnxEncoder(prepared_model, threads=1)
    assert [row.tobytes() for row in one_core.encode(texts[::5])] == [alone[text] for text in texts[::5]]


def test_a_vector_is_the_same_to_the_bit_from_several_threads(
    encoder: OnnxEncoder, texts: list[str], alone: dict[str, bytes]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: encoder.encode([text, "another"])[0].tobytes(), texts[::5]))
    assert rows == [alone[text] for text in texts[::5]]


def test_vectors_have_unit_length_and_single_precision(encoder: OnnxEncoder, texts: list[str]) -> None:
    vectors = encoder.encode(texts[:40])
    assert vectors.dtype == np.float32
    assert vectors.shape == (40, encoder.dimension) == (40, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_no_text_gives_no_vector(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoder.encode([]).shape == reference.encode([]).shape == (0, 384)


def test_vectors_agree_with_sentence_transformers(
    encoder: OnnxEncoder, reference: SentenceTransformerEncoder, texts: list[str]
) -> None:
    sample = [text for text in texts[len(ODD) :: 12] if len(text) < 1_000] + ["word " * 400, "", "x", "[CLS] 😀"]
    assert len(sample) >= 20
    assert np.abs(encoder.encode(sample) - reference.encode(sample)).max() <= 1e-5


def test_both_encoders_read_and_count_the_same_tokens(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoder.max_tokens == reference.max_tokens == 256
    assert encoder.dimension == reference.dimension
    for text, count in (("", 2), ("dropout", 4), ("a b c", 5), ("word " * 400, 402)):
        assert encoder.count_tokens(text) == reference.count_tokens(text) == count


def test_what_follows_the_last_token_that_is_read_changes_nothing(encoder: OnnxEncoder) -> None:
    long = "word " * 300
    assert (encoder.encode([long]) == encoder.encode([long + "and something else"])).all()
    assert (encoder.encode(["word " * 254]) == encoder.encode([long])).all()
    assert (encoder.encode(["word " * 253]) != encoder.encode([long])).any()


def test_texts_that_are_normalised_alike_have_one_vector(encoder: OnnxEncoder) -> None:
    vectors = encoder.encode(["caf\u00e9  au lait", "cafe\u0301 au\u200b lait "])
    assert (vectors[0] == vectors[1]).all()


def test_closeness_of_meaning_is_closeness_of_vectors(encoder: OnnxEncoder) -> None:
    same, near, far = encoder.encode(
        ["Dropout reduces overfitting.", "Overfitting is lowered by dropout.", "I had soup for lunch."]
    )
    assert same @ near > 0.8
    assert same @ far < 0.3


def test_signatures_tell_encoders_apart(encoder: OnnxEncoder, reference: SentenceTransformerEncoder) -> None:
    assert encoder.signature == "all-MiniLM-L6-v2@53aa51172d14/onnx-fp32"
    assert reference.signature.endswith("/torch-fp32")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no prepared model"):
        OnnxEncoder(tmp_path)
    with pytest.raises(EncoderError, match="holds no sentence-transformers model"):
        SentenceTransformerEncoder.from_directory(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused_by_name(prepared_model: Path, tmp_path: Path, name: str) -> None:
    for file in prepared_model.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        OnnxEncoder(tmp_path)
