"""The verifier's network: a cross-encoder of the encoder's own size."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import torch
from safetensors.torch import load_file

from grader.networks import load_network

_WIDTH = 384
_HEAD_WIDTH = 128


class Relation(IntEnum):
    """What a premise does to a hypothesis; the order is that of the network's outputs."""

    ENTAILS = 0
    NEUTRAL = 1
    CONTRADICTS = 2


class CrossEncoder(torch.nn.Module):
    """The encoder's network over two texts at once, with a head on its first token and on the mean of all: the verifier.

    The word and position vectors stay the encoder's own; what fitting changes is the layers and the head.
    """

    def __init__(self, folder: Path) -> None:
        """Start from the weights of a model folder, with a head that knows nothing."""
        super().__init__()
        self.network = load_network(folder)
        self.hidden = torch.nn.Linear(2 * _WIDTH, _HEAD_WIDTH)
        self.output = torch.nn.Linear(_HEAD_WIDTH, len(Relation))
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad = not any(part in name for part in ("word_embeddings", "position_embeddings", "pooler"))

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits, shape `(n, 3)`: entails, neutral, contradicts."""
        states = self.network(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        logits: torch.Tensor = self.output(torch.tanh(self.hidden(torch.cat([states[:, 0], mean], dim=-1))))
        return logits

    def fitted_weights(self) -> dict[str, torch.Tensor]:
        """Return what fitting changed, at half precision."""
        return {name: p.detach().half().contiguous() for name, p in self.named_parameters() if p.requires_grad}

    def load_fitted(self, file: Path) -> None:
        """Take over fitted weights; they have to be those of every layer that fitting changes."""
        fitted = {name: tensor.float() for name, tensor in load_file(file).items()}
        expected = {name for name, p in self.named_parameters() if p.requires_grad}
        if set(fitted) != expected:
            raise ValueError(f"{file.name} does not hold the verifier's layers")
        self.load_state_dict(fitted, strict=False)
