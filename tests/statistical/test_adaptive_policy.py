"""The adaptive policy against the best fixed division of the GPUs, which a sweep finds and the policy does not know."""

import pytest

from experiments.policy.fixed_splits import compare_with_fixed_splits, software_at_end
from sim.scenario.model import Scenario

SEEDS = range(5)
LEAST_SHARE = 0.95
"""Share of the software of the best fixed division that the adaptive policy reaches at least."""
CONFIDENCE = 0.998
"""Confidence of the two-sided interval: its lower end is above the true mean with a probability of 0.1%."""


@pytest.mark.parametrize("name", ["lab", "lab-fixed-experiments"])
def test_adaptive_policy_reaches_95_percent_of_the_best_fixed_division(name):
    """Discovered software on day 365, 5 paired seeds: the lower end of the 99.8% interval is above 95%.

    A policy that reaches less than 95% passes with at most 0.1% per lab. The seeds are fixed. The shipped division,
    which is fixed too, fails (test below). Other labs and days: tests/experiments/policy/test_fixed_splits.py.
    """
    scenario = Scenario.load(name).replace(run__horizon_days=365.0, run__max_doublings=30)
    found = compare_with_fixed_splits(scenario, SEEDS)
    assert found.excess(LEAST_SHARE, CONFIDENCE).low > 0


def test_shipped_division_does_not_reach_95_percent():
    """Discovered software on day 180, 5 paired seeds: the upper end of the 99.8% interval is below 95%."""
    scenario = Scenario.load("lab").replace(run__horizon_days=180.0, run__max_doublings=30)
    found = compare_with_fixed_splits(scenario, SEEDS, verified=1)
    shipped = found._replace(adaptive=software_at_end(scenario, SEEDS))
    assert shipped.excess(LEAST_SHARE, CONFIDENCE).high < 0
