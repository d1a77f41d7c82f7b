"""The verifier on its real weights: what it is asked for is what it says, whatever else it is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from grader import ItemBank
from grader.cross_encoder import CrossEncoder, Relation, RelationProbabilities
from grader.errors import EncoderError
from grader.verifier import OnnxVerifier
from grader.weights import find_weights, fitted_verifier

WEIGHTS, UPDATE = fitted_verifier()
STATEMENT = "Dropout randomly switches off neurons during training."
PAIRS = [
    (STATEMENT, STATEMENT),
    ("Dropout never switches off neurons during training.", STATEMENT),
    ("Neurons are switched off at random while the network trains.", STATEMENT),
    ("", STATEMENT),
    ("word " * 3_000, STATEMENT),
]


@pytest.fixture(scope="module")
def verifier(grader_home: Path) -> OnnxVerifier:
    return OnnxVerifier(grader_home / "encoder")


def test_a_probability_is_the_same_alone_and_among_others(verifier: OnnxVerifier) -> None:
    together = verifier.relations([*PAIRS, *reversed(PAIRS)])
    alone = [verifier.relations([pair])[0].tolist() for pair in PAIRS]
    assert together.tolist() == [*alone, *reversed(alone)]
    assert (together >= 0).all()
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-5)


def test_nothing_asked_is_nothing_said(verifier: OnnxVerifier) -> None:
    assert verifier.relations([]).shape == (0, 3)


def test_a_plain_denial_is_likelier_to_contradict_than_the_statement_or_a_paraphrase(verifier: OnnxVerifier) -> None:
    same, denied, paraphrase = verifier.relations(PAIRS[:3])[:, Relation.CONTRADICTS]
    assert denied > 0.5 > max(same, paraphrase)


def test_a_statement_and_a_paraphrase_entail_it_and_its_denial_does_not(verifier: OnnxVerifier) -> None:
    same, denied, paraphrase = verifier.relations(PAIRS[:3])[:, Relation.ENTAILS]
    assert min(same, paraphrase) > 0.5 > denied


def test_the_served_graph_says_nearly_what_the_network_says(verifier: OnnxVerifier, shipped_bank: ItemBank) -> None:
    """The limits are those of ADR 0030: a graph that was taken over wrongly would be off by far more than eight bits are."""
    network = CrossEncoder(find_weights())
    network.load_packed(WEIGHTS)
    network.resume_update(UPDATE)
    network.eval()
    points = [point for item in shipped_bank for point in item.key_points]
    pairs = [*PAIRS, *((example, point.text) for point in points[::25] for example in point.examples)]
    expected = []
    for pair in pairs:
        encoding = verifier._tokenizer.encode(*pair)
        with torch.inference_mode():
            ids, kinds = torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids])
            fitted = torch.softmax(network(ids, kinds, torch.ones_like(ids)), dim=-1)
            # What is exported is written anew, and gives what was fitted.
            torch.testing.assert_close(RelationProbabilities(network)(ids, kinds), fitted, atol=1e-5, rtol=0)
            expected.append(fitted[0].numpy())
    errors = np.abs(verifier.relations(pairs) - np.array(expected))
    assert 0 < errors.mean() <= 0.03
    assert errors.max() <= 0.25


def test_packing_keeps_weights_to_within_a_step_of_each_row(tmp_path: Path) -> None:
    network = CrossEncoder(find_weights())
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.01)
    save_file(network.packed(), tmp_path / "fitted.safetensors")
    unpacked = CrossEncoder(find_weights())
    unpacked.load_packed(tmp_path / "fitted.safetensors")
    name = "network.encoder.layer.0.attention.self.query.weight"
    wanted, found = (dict(n.named_parameters())[name].detach() for n in (network, unpacked))
    scale = load_file(tmp_path / "fitted.safetensors")[name + ".scale"]
    assert ((wanted - found).abs() <= scale * 0.51).all()


def test_an_update_changes_nothing_at_first_and_can_be_gone_on_with(tmp_path: Path) -> None:
    ids, kinds = torch.tensor([[101, 2023, 2003, 102]]), torch.tensor([[0, 0, 1, 1]])
    network, later = (CrossEncoder(find_weights()).eval() for _ in range(2))
    network.load_packed(WEIGHTS)
    with torch.no_grad():
        before = network(ids, kinds, torch.ones_like(ids))
        network.begin_update()
        torch.testing.assert_close(network(ids, kinds, torch.ones_like(ids)), before)
        torch.manual_seed(1)
        for name, parameter in network.named_parameters():
            if name.endswith(".up"):
                parameter.copy_(torch.randn_like(parameter) * 0.01)
        changed = network(ids, kinds, torch.ones_like(ids))
    assert not torch.allclose(changed, before)
    save_file(network.packed_update(), tmp_path / "update.safetensors")
    later.load_packed(WEIGHTS)
    later.resume_update(tmp_path / "update.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(later(ids, kinds, torch.ones_like(ids)), changed, atol=2e-3, rtol=0)


def test_weights_that_are_not_the_verifiers_are_refused(tmp_path: Path) -> None:
    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(EncoderError, match=r"other\.safetensors does not hold an update of the verifier's weights"):
        CrossEncoder(find_weights()).resume_update(tmp_path / "other.safetensors")
    with pytest.raises(EncoderError, match=r"other\.safetensors does not hold the verifier's weights"):
        CrossEncoder(find_weights()).load_packed(tmp_path / "other.safetensors")


def test_a_folder_without_a_verifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="grader prepare"):
        OnnxVerifier(tmp_path)
