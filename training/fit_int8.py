"""Fit the powers of two that even out the encoder's activations for its graph in eight bits.

    python -m training.fit_int8 [--share S]

Runs the shipped bank's reference answers through the exported encoder, notes how large each column of each activation gets, and
writes the file that `grader.quantisation` reads. Nothing of any marked set is used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from platformdirs import user_cache_path
from tokenizers import Tokenizer

from grader import ItemBank, default_bank_dir
from grader.quantisation import activations, fitting_exponents
from grader.text import normalise

_OUTPUT = Path(__file__).parents[1] / "grader" / "data" / "int8_exponents.json"
_MAX_TOKENS = 256
# Of .5, .7, .8, .9 and 1.0 the one with the smallest error, see docs/adr/0019.
_SHARE = 0.8
_PROVENANCE = "Fitted on the reference answers of the shipped bank by training/fit_int8.py."


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=user_cache_path("grader", appauthor=False))
    parser.add_argument("--share", type=float, default=_SHARE)
    arguments = parser.parse_args()
    folder = arguments.home / "encoder"
    model = onnx.load(str(folder / "model.onnx"))
    exponents = fitting_exponents(model, _largest(folder, activations(model)), share=arguments.share)
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(powers.tolist())}" for name, powers in exponents.items())
    _OUTPUT.write_text(f'{{"provenance": {json.dumps(_PROVENANCE)},\n"exponents": {{\n{rows}\n}}}}\n', encoding="utf-8")
    print(f"{len(exponents)} activations -> {_OUTPUT}")


def _largest(folder: Path, names: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the largest absolute value of each column of each activation over the bank's reference answers."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    graph = onnx.load(str(folder / "model.onnx"))
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    # Fusing would do away with some of them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest: dict[str, npt.NDArray[np.float32]] = {}
    for item in ItemBank.from_directory(default_bank_dir()):
        for reference in item.reference_answers:
            ids = np.array([tokenizer.encode(normalise(reference.text)).ids], dtype=np.int64)
            for name, states in zip(names, session.run(names, {"input_ids": ids}), strict=True):
                sizes = np.abs(states[0]).max(axis=0)
                largest[name] = np.maximum(largest.get(name, sizes), sizes)
    return largest


if __name__ == "__main__":
    main()
