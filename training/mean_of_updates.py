"""The weighted mean of several updates of the verifier, which errs less than each of them.

    python -m training.mean_of_updates --output FILE FILE=WEIGHT FILE=WEIGHT [...]

Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference
time". The updates have to have gone on from each other, or their thin matrices mean different things; see docs/adr/0031.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from grader.cross_encoder import packed_weights, unpacked_weights


def main() -> None:
    """Write the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("updates", nargs="+", type=_weighted, metavar="FILE=WEIGHT")
    arguments = parser.parse_args()
    shares = dict(arguments.updates)
    with safe_open(next(iter(shares)), framework="pt") as first:
        metadata = first.metadata()
    save_file(mean_of(shares), arguments.output, metadata=metadata)
    print(f"{len(shares)} updates -> {arguments.output}")


def mean_of(shares: Mapping[Path, float]) -> dict[str, torch.Tensor]:
    """Return the mean of updates, each counting by its share, as a file of one holds it.

    Raises:
        ValueError: If the shares do not add up to 1, or the files do not hold the same weights.
    """
    if abs(sum(shares.values()) - 1.0) > 1e-6:  # noqa: PLR2004
        raise ValueError(f"the weights add up to {sum(shares.values())} and not to 1")
    updates = [(unpacked_weights(load_file(file)), share) for file, share in shares.items()]
    names = updates[0][0].keys()
    if any(update.keys() != names for update, _ in updates):
        raise ValueError("the files do not hold the same weights")
    return packed_weights({name: torch.stack([update[name] * share for update, share in updates]).sum(0) for name in names})


def _weighted(text: str) -> tuple[Path, float]:
    file, _, weight = text.rpartition("=")
    return Path(file), float(weight)


if __name__ == "__main__":
    main()
