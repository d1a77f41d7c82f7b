"""The verifier's network as a torch module: a cross-encoder of the encoder's own size.

Imported where it is fitted and where weights are prepared, never to serve.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.utils import parametrize

from grader.errors import EncoderError
from grader.networks import TokenStates, export, load_network

_WIDTH = 384
_HEAD_WIDTH = 128
_SCALE = ".scale"
_STEPS = 127
_LEAST_SCALE = 1e-12
_LAYERS = "network."
_ONE = torch.tensor(1.0)
# Of the thin matrices of an update: 32 times the sum of a layer's sides is a fifth of its weights.
_RANK = 32


class Relation(IntEnum):
    """What a premise does to a hypothesis; the order is that of the network's outputs."""

    ENTAILS = 0
    NEUTRAL = 1
    CONTRADICTS = 2


class LowRank(torch.nn.Module):
    """Adds the product of two thin matrices to a weight: an update that is fitted and kept in a tenth of the room.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".
    """

    def __init__(self, weight: torch.Tensor) -> None:
        """Start with a product of nothing."""
        super().__init__()
        wide, deep = weight.shape
        self.up = torch.nn.Parameter(torch.zeros(wide, _RANK))
        self.down = torch.nn.Parameter(torch.randn(_RANK, deep) / deep**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the updated weight."""
        return weight + self.up @ self.down


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
        self._own = {n: p.detach().clone() for n, p in self.named_parameters() if p.requires_grad and n.startswith(_LAYERS)}

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits, shape `(n, 3)`: entails, neutral, contradicts."""
        states = self.network(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return self.judged(states[:, 0], (states * mask).sum(1) / mask.sum(1))

    def judged(self, first: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Return logits from the state of the first token and the mean of all, shape `(n, dimension)` each."""
        logits: torch.Tensor = self.output(torch.tanh(self.hidden(torch.cat([first, mean], dim=-1))))
        return logits

    def packed(self) -> dict[str, torch.Tensor]:
        """Return what fitting changed: the head at half precision, and the layers' differences from the encoder's own weights.

        Differences are small, so eight bits with a scale for each row lose next to nothing and take half the room.
        """
        fitted = {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}
        return packed_weights(
            {name: weight - self._own[name] if name in self._own else weight for name, weight in fitted.items()}
        )

    def load_packed(self, file: Path) -> None:
        """Take over fitted weights.

        Raises:
            EncoderError: If the file does not hold them all, or others.
        """
        packed = load_file(file)
        parameters = {name: p for name, p in self.named_parameters() if p.requires_grad}
        if set(packed) != set(parameters) | {name + _SCALE for name in self._own}:
            raise EncoderError(f"{file.name} does not hold the verifier's weights.")
        found = unpacked_weights(packed)
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(self._own[name] + found[name] if name in self._own else found[name])

    def begin_update(self) -> None:
        """Hold the layers as they are and give each of their matrices a `LowRank` update: these and the head are fitted then."""
        for parameter in self.network.parameters():
            parameter.requires_grad = False
        for name, module in list(self.network.named_modules()):
            if isinstance(module, torch.nn.Linear) and "pooler" not in name:
                parametrize.register_parametrization(module, "weight", LowRank(module.weight))

    def end_update(self) -> None:
        """Add the update to the layers for good, so that it costs nothing to run."""
        for module in self.network.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")

    def packed_update(self) -> dict[str, torch.Tensor]:
        """Return what fitting an update changed: matrices of the layers in eight bits, the head at half precision."""
        return packed_weights({name: p.detach() for name, p in self.named_parameters() if p.requires_grad})

    def resume_update(self, file: Path) -> None:
        """Begin an update with one that was fitted before, to go on with it.

        Raises:
            EncoderError: If the file does not hold a whole one.
        """
        self.begin_update()
        found = unpacked_weights(load_file(file))
        parameters = {name: p for name, p in self.named_parameters() if p.requires_grad}
        if set(found) != set(parameters):
            raise EncoderError(f"{file.name} does not hold an update of the verifier's weights.")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(found[name])


def packed_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights as a file holds them: those of layers in eight bits with a scale a row, the head's at half precision."""
    packed: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if not name.startswith(_LAYERS):
            packed[name] = weight.half().contiguous()
            continue
        scale = weight.abs().amax(dim=-1, keepdim=True).clamp_min(_LEAST_SCALE) / _STEPS
        packed |= {name: (weight / scale).round().to(torch.int8), name + _SCALE: scale}
    return packed


def unpacked_weights(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights from what their file holds."""
    return {
        name: weight.float() * packed.get(name + _SCALE, _ONE) for name, weight in packed.items() if not name.endswith(_SCALE)
    }


class RelationProbabilities(torch.nn.Module):
    """The cross-encoder as it is served: one pair in, the probabilities of its relations out."""

    def __init__(self, cross_encoder: CrossEncoder) -> None:
        """Wrap a fitted network."""
        super().__init__()
        self.cross_encoder = cross_encoder
        self.states = TokenStates(cross_encoder.network)

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        """Return probabilities, shape `(n, 3)` in the order of `Relation`, for pairs of one length."""
        states = self.states(input_ids, token_type_ids)
        return torch.softmax(self.cross_encoder.judged(states[:, 0], states.mean(dim=1)), dim=-1)


def export_verifier(folder: Path, fitted: Path, update: Path, target: Path) -> None:
    """Write the verifier as an ONNX graph: the ids of a pair and which of its texts each belongs to in, probabilities out.

    Args:
        folder: The encoder's own model folder.
        fitted: The weights file that `training/fit_verifier.py` wrote.
        update: The update of these weights that it wrote later.
        target: Where the graph goes.

    Raises:
        EncoderError: If the fitted weights are not the verifier's.
    """
    network = CrossEncoder(folder)
    network.load_packed(fitted)
    network.resume_update(update)
    network.end_update()
    served = RelationProbabilities(network)
    export(served, target, inputs=("input_ids", "token_type_ids"), output="relations", output_axes={0: "batch"})
