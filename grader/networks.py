"""The encoder's network as a torch module, and its export to ONNX. Imported where weights are prepared, never to serve."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

_OPSET = 17
# The run-time's own nodes.
_RUN_TIME = "com.microsoft"
# Constants below it stay in the graph.
_SMALL_BYTES = 1024


class _Attention(torch.autograd.Function):
    """Attention of many heads, which becomes one node of the graph instead of eight, most of which move numbers about."""

    @staticmethod
    def forward(ctx: Any, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int) -> torch.Tensor:  # noqa: ANN401, ARG004 torch has no type for it
        """Return for each token what it attends to; all of them have the shape `(n, tokens, dimension)`."""
        shape = (*queries.shape[:2], heads, queries.shape[2] // heads)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in (queries, keys, values))
        return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(g: Any, queries: Any, keys: Any, values: Any, heads: int) -> Any:  # noqa: ANN401 torch has no types for them
        """Return the node."""
        found = g.op(f"{_RUN_TIME}::MultiHeadAttention", queries, keys, values, num_heads_i=heads)
        found.setType(queries.type())
        return found


class TokenStates(torch.nn.Module):
    """A loaded network as it is served: the last states of the tokens of whole texts, none of them padded.

    The same sums as the network's own, with one product for queries, keys and values, and without what it does for masks and
    positions; see docs/adr/0036.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        """Take the network, as `load_network` gives it."""
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Return states, shape `(n, tokens, dimension)`, for texts of one length; `token_type_ids` are 0 if not given."""
        network: Any = self.network  # a BertModel, whose parts have no types
        table = network.embeddings
        kinds = table.token_type_embeddings.weight
        positions = table.position_embeddings.weight[: input_ids.shape[1]]
        kind = kinds[0] if token_type_ids is None else kinds[token_type_ids]
        states: torch.Tensor = table.LayerNorm(table.word_embeddings.weight[input_ids] + (positions + kind))
        for layer in network.encoder.layer:
            own, mixed = layer.attention.self, layer.attention.output
            parts = (own.query, own.key, own.value)
            weight, bias = (torch.cat([getattr(part, name) for part in parts]) for name in ("weight", "bias"))
            queries, keys, values = torch.split(torch.nn.functional.linear(states, weight, bias), own.all_head_size, dim=-1)
            attended = _Attention.apply(queries, keys, values, own.num_attention_heads)  # type: ignore[no-untyped-call]
            states = mixed.LayerNorm(states + mixed.dense(attended))
            wide = torch.nn.functional.gelu(layer.intermediate.dense(states))
            states = layer.output.LayerNorm(states + layer.output.dense(wide))
        return states


def export_encoder(folder: Path, target: Path) -> None:
    """Write the encoder as an ONNX graph: the ids of one text in, the states of its tokens out."""
    network = TokenStates(load_network(folder))
    export(network, target, inputs=("input_ids",), output="states", output_axes={0: "batch", 1: "tokens"})


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
            custom_opsets={_RUN_TIME: 1},
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
