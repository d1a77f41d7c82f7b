"""Fit the powers of two that even out a network's activations for its graph in eight bits.

    python -m training.fit_int8 {encoder,verifier} [--share S]

Exports the network, runs texts through it, notes how large each column of each activation gets, and writes the file that
`grader.quantisation` reads. The encoder's texts are the shipped bank's reference answers, the verifier's are the answers to every
tenth of the written statements. Nothing of any marked set is used.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from tokenizers import Encoding, Tokenizer

from grader import ItemBank, default_bank_dir
from grader.cross_encoder import export_verifier
from grader.networks import export_encoder
from grader.quantisation import activations, fitting_exponents
from grader.text import normalise
from grader.weights import find_weights, fitted_verifier, int8_exponents
from training.fit_verifier import STATEMENTS
from training.verifier_pairs import plain_pairs, written_statements

_MAX_TOKENS = {"encoder": 256, "verifier": 128}
# Of .5, .7, .8, .9 and 1.0 for the encoder, and .5, .65, .8 and .9 for the verifier, the one with the smallest error; see
# docs/adr/0019 and docs/adr/0030.
_SHARE = 0.8
_EVERY_NTH_STATEMENT = 10

Inputs = dict[str, npt.NDArray[np.int64]]


class _Network(NamedTuple):
    """How a network is exported, what is run through it, and what that is called."""

    export: Callable[[Path, Path], None]
    encodings: Callable[[Tokenizer], Iterator[Encoding]]
    texts: str


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=_NETWORKS)
    parser.add_argument("--share", type=float, default=_SHARE)
    arguments = parser.parse_args()
    network, folder, output = _NETWORKS[arguments.network], find_weights(), int8_exponents(arguments.network)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS[arguments.network])
    with tempfile.TemporaryDirectory() as work:
        graph = Path(work) / "network.onnx"
        network.export(folder, graph)
        model = onnx.load(str(graph))
    exponents = fitting_exponents(model, _largest(model, map(_inputs, network.encodings(tokenizer))), share=arguments.share)
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(powers.tolist())}" for name, powers in exponents.items())
    provenance = json.dumps(f"Fitted on {network.texts} by training/fit_int8.py.")
    output.write_text(f'{{"provenance": {provenance},\n"exponents": {{\n{rows}\n}}}}\n', encoding="utf-8")
    print(f"{len(exponents)} activations -> {output}")


def _largest(model: onnx.ModelProto, wanted: Iterable[Inputs]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the largest absolute value of each column of each activation over some inputs."""
    names = activations(model)
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    # Fusing would do away with some of them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    taken = {node.name for node in session.get_inputs()}
    largest: dict[str, npt.NDArray[np.float32]] = {}
    for inputs in wanted:
        found = session.run(names, {name: ids for name, ids in inputs.items() if name in taken})
        for name, states in zip(names, found, strict=True):
            sizes = np.abs(states.reshape(-1, states.shape[-1])).max(axis=0)
            largest[name] = np.maximum(largest.get(name, sizes), sizes)
    return largest


def _inputs(encoding: Encoding) -> Inputs:
    return {
        "input_ids": np.array([encoding.ids], dtype=np.int64),
        "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
    }


def _reference_answers(tokenizer: Tokenizer) -> Iterator[Encoding]:
    for item in ItemBank.from_directory(default_bank_dir()):
        for reference in item.reference_answers:
            yield tokenizer.encode(normalise(reference.text))


def _answers_to_statements(tokenizer: Tokenizer) -> Iterator[Encoding]:
    for statement in written_statements(STATEMENTS)[::_EVERY_NTH_STATEMENT]:
        for pair in plain_pairs(statement):
            yield tokenizer.encode(normalise(pair.premise), normalise(pair.hypothesis))


_NETWORKS = {
    "encoder": _Network(export_encoder, _reference_answers, "the reference answers of the shipped bank"),
    "verifier": _Network(
        lambda folder, target: export_verifier(folder, *fitted_verifier(), target),
        _answers_to_statements,
        "answers to statements that were written for this project",
    ),
}


if __name__ == "__main__":
    main()
