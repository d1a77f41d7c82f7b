"""The mean of several updates of the verifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grader.cross_encoder import packed_weights, unpacked_weights
from training.mean_of_updates import mean_of


def update(folder: Path, name: str, **weights: float) -> Path:
    path = folder / f"{name}.safetensors"
    save_file(packed_weights({f"network.{key}": torch.full((2, 2), value) for key, value in weights.items()}), path)
    return path


def test_each_update_counts_by_its_share(tmp_path: Path) -> None:
    one, two = update(tmp_path, "one", up=1.0, down=4.0), update(tmp_path, "two", up=3.0, down=0.0)
    found = unpacked_weights(mean_of({one: 0.75, two: 0.25}))
    assert set(found) == {"network.up", "network.down"}
    torch.testing.assert_close(found["network.up"], torch.full((2, 2), 1.5))
    torch.testing.assert_close(found["network.down"], torch.full((2, 2), 3.0))


def test_a_packed_weights_keeps_every_row_to_a_step() -> None:
    torch.manual_seed(3)
    weights = {
        "network.up": torch.randn(5, 7) * torch.tensor([1e-4, 1e-2, 1.0, 10.0, 0.0])[:, None],
        "hidden.bias": torch.ones(3),
    }
    packed = packed_weights(weights)
    assert packed["network.up"].dtype is torch.int8
    found = unpacked_weights(packed)
    steps = weights["network.up"].abs().amax(dim=-1, keepdim=True) / 254
    assert ((found["network.up"] - weights["network.up"]).abs() <= steps * 1.01).all()
    assert found["hidden.bias"].tolist() == [1.0] * 3


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one, other = update(tmp_path, "one", up=1.0), update(tmp_path, "other", down=1.0)
    with pytest.raises(ValueError, match=r"add up to 0\.5"):
        mean_of({one: 0.5})
    with pytest.raises(ValueError, match="same weights"):
        mean_of({one: 0.5, other: 0.5})
