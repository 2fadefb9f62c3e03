"""Test the sweep over fixed divisions of the GPUs."""

import pytest

from experiments.policy.fixed_splits import FixedSplit, SplitComparison, compare_with_fixed_splits, search_fixed_splits
from sim.fluid import fluid
from sim.scenario.model import Scenario

LAB = Scenario.load("lab").replace(run__horizon_days=40.0)


def test_search_ranks_every_division_that_gives_each_use_gpus():
    found = search_fixed_splits(LAB, 5)
    assert {split[:2] for split in found} == {(i / 5, t / 5) for i in range(1, 4) for t in range(1, 5 - i)}
    assert [split.doublings for split in found] == sorted((split.doublings for split in found), reverse=True)
    best = LAB.replace(cluster__inference_share=found[0].inference, cluster__training_share=found[0].training)
    assert fluid([best]).software_doublings[0] == pytest.approx(found[0].doublings)


def test_comparison_takes_the_best_verified_division():
    found = compare_with_fixed_splits(LAB, range(2), verified=2, parts=5)
    assert found.best in search_fixed_splits(LAB, 5)[:2]
    assert len(found.fixed) == len(found.adaptive) == 2


def test_excess_is_paired_by_seed():
    found = SplitComparison(FixedSplit(0.5, 0.25, 2.0), [2.0, 4.0, 3.0], [2.0, 3.9, 2.95])
    assert found.excess(0.95, 0.98).mean == pytest.approx((0.1 + 0.1 + 0.1) / 3)
    assert found.excess(0.95, 0.98).low == pytest.approx(0.1)
    assert found.ratio == pytest.approx(8.85 / 9)
