"""The mean of several updates of the verifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training.mean_of_updates import mean_of


def update(folder: Path, name: str, **weights: float) -> Path:
    path = folder / f"{name}.safetensors"
    save_file({key: torch.full((2, 2), value) for key, value in weights.items()}, path)
    return path


def test_each_update_counts_by_its_share(tmp_path: Path) -> None:
    one, two = update(tmp_path, "one", up=1.0, down=4.0), update(tmp_path, "two", up=3.0, down=0.0)
    found = mean_of({one: 0.75, two: 0.25})
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"up": [[1.5] * 2] * 2, "down": [[3.0] * 2] * 2}
    assert {tensor.dtype for tensor in found.values()} == {torch.float16}


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one, other = update(tmp_path, "one", up=1.0), update(tmp_path, "other", down=1.0)
    with pytest.raises(ValueError, match=r"add up to 0\.5"):
        mean_of({one: 0.5})
    with pytest.raises(ValueError, match="same weights"):
        mean_of({one: 0.5, other: 0.5})
