"""The adaptive policy against the best fixed division of the GPUs, which a sweep finds and the policy does not know."""

import pytest

from experiments.policy.fixed_splits import (
    SplitComparison,
    compare_with_fixed_splits,
    search_fixed_splits,
    software_at_end,
)
from sim.scenario.model import Scenario

SEEDS = range(4)
LEAST_SHARE = 0.95
"""Share of the software of the best fixed division that the adaptive policy reaches at least."""
CONFIDENCE = 0.998
"""Confidence of the two-sided interval: its lower end is above the true mean with a probability of 0.1%."""


@pytest.mark.parametrize("name", ["lab", "lab-fixed-experiments"])
def test_adaptive_policy_reaches_95_percent_of_the_best_fixed_division(name):
    """Discovered software on day 365, 4 paired seeds: the lower end of the 99.8% interval is above 95%.

    A policy that reaches less than 95% passes with at most 0.1% per lab, with any number of seeds. The seeds are fixed.
    The best division is the first one by the equations; in Worlds the second one is worse by 0.6% and 1.2%. The shipped
    division, which is fixed too, fails (test below). Other labs and days:
    tests/experiments/policy/test_fixed_splits.py.
    """
    scenario = Scenario.load(name).replace(run__horizon_days=365.0, run__max_doublings=30)
    found = compare_with_fixed_splits(scenario, SEEDS, verified=1)
    assert found.excess(LEAST_SHARE, CONFIDENCE).low > 0


def test_shipped_division_does_not_reach_95_percent():
    """Discovered software on day 180, 4 paired seeds: the upper end of the 99.8% interval is below 95%."""
    scenario = Scenario.load("lab").replace(run__horizon_days=180.0, run__max_doublings=30)
    best = search_fixed_splits(scenario)[0]
    divided = scenario.replace(cluster__inference_share=best.inference, cluster__training_share=best.training)
    shipped = SplitComparison(best, software_at_end(divided, SEEDS), software_at_end(scenario, SEEDS))
    assert shipped.excess(LEAST_SHARE, CONFIDENCE).high < 0
