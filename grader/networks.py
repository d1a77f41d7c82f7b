"""The encoder's network as a torch module, and its export to ONNX. Imported where weights are prepared, never to serve."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

_OPSET = 17
# Constants below it stay in the graph.
_SMALL_BYTES = 1024


class TokenStates(torch.nn.Module):
    """The encoder's network: the last states of a text's tokens."""

    def __init__(self, folder: Path) -> None:
        """Load the weights of a model folder."""
        super().__init__()
        self.network = load_network(folder)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return states, shape `(n, tokens, dimension)`, for texts of one length."""
        states: torch.Tensor = self.network(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).last_hidden_state
        return states


def export_encoder(folder: Path, target: Path) -> None:
    """Write the encoder as an ONNX graph: the ids of one text in, the states of its tokens out."""
    export(TokenStates(folder), target, inputs=("input_ids",), output="states", output_axes={0: "batch", 1: "tokens"})


def export(network: torch.nn.Module, target: Path, *, inputs: tuple[str, ...], output: str, output_axes: dict[int, str]) -> None:
    """Write a network as an ONNX graph whose inputs are token numbers, shape `(batch, tokens)` each."""
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated in favour of one that needs two more packages; it is exact for these networks.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.tensor([[101, 2023, 2003, 102]]), torch.tensor([[0, 0, 1, 1]]))[: len(inputs)],
            str(target),
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={**axes, output: output_axes},
        )
    save_graph(onnx.load(str(target)), target)


def save_graph(graph: onnx.ModelProto, target: Path) -> None:
    """Write a graph with its weights in a file beside it, which a session maps into memory and does not copy.

    Sessions and processes then share the pages of the word vectors, of which a text touches few.
    """
    onnx.save(graph, str(target), save_as_external_data=True, location=weights_of(target).name, size_threshold=_SMALL_BYTES)


def weights_of(graph: Path) -> Path:
    """Return where the weights of a graph lie."""
    return graph.with_suffix(".weights")


def load_network(folder: Path) -> torch.nn.Module:
    """Return the network of a model folder with its weights."""
    # Not to draw its progress bar into the caller's terminal.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library has no types here
    network: torch.nn.Module = AutoModel.from_pretrained(str(folder), attn_implementation="eager", local_files_only=True)
    return network
