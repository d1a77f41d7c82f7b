"""The encoder's network as a torch module, and its export to ONNX. Imported where weights are prepared, never to serve."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

_OPSET = 17


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
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated in favour of one that needs two more packages; it is exact for this network.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TokenStates(folder).eval(),
            (torch.tensor([[101, 2023, 2003, 102]]),),
            str(target),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input_ids"],
            output_names=["states"],
            dynamic_axes={"input_ids": axes, "states": axes},
        )


def load_network(folder: Path) -> torch.nn.Module:
    """Return the network of a model folder with its weights."""
    # Not to draw its progress bar into the caller's terminal.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library has no types here
    network: torch.nn.Module = AutoModel.from_pretrained(str(folder), attn_implementation="eager", local_files_only=True)
    return network
