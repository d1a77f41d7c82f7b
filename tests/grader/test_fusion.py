"""What the last word on an answer is given from."""

from __future__ import annotations

from dataclasses import replace

from grader import Grader, ItemBank
from grader.fusion import FUSED_NAMES, fused_evidence


def test_numbers_stand_in_the_order_of_their_names(real_grader: Grader, shipped_bank: ItemBank) -> None:
    item = shipped_bank.get("dropout")
    (found,) = real_grader.appraise([(item, "Units are switched off at random while training.")])
    assert found is not None
    numbers = fused_evidence(found.evidence, found.matching, made=0.25, factor=0.5)
    assert numbers is not None
    of = dict(zip(FUSED_NAMES, numbers, strict=True))
    assert (of["made"], of["factor"], of["said"], of["entailed"]) == (0.25, 0.5, found.matching.said, found.matching.entailed)
    assert (of["similarity"], of["question_share"]) == (found.evidence.similarity, found.evidence.question_share)
    misunderstood = replace(found.matching, misconceptions=((0, 0.125), (1, 0.0625)))
    numbers = fused_evidence(found.evidence, misunderstood, made=0.25, factor=0.5)
    assert numbers is not None
    assert numbers[FUSED_NAMES.index("misconception")] == 0.125


def test_nothing_is_fused_where_no_verifier_was_asked(real_grader: Grader, shipped_bank: ItemBank) -> None:
    without = Grader(real_grader.encoder)
    item = shipped_bank.get("dropout")
    (found,) = without.appraise([(item, "Units are switched off at random while training.")])
    assert found is not None
    assert fused_evidence(found.evidence, found.matching, made=0.25, factor=0.5) is None
