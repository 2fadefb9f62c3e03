"""Long runs derived from a scenario, against what Worlds of the same scenario do over their last part."""

import pytest

from sim.long_run import long_run
from sim.runner import run
from sim.scenario.model import Scenario

WORLDS = 60
WRONG = 3
"""Largest number of wrong Worlds: 5%."""


@pytest.mark.parametrize(("returns", "kind"), [(0.9, "fizzle"), (1.0, "exponential"), (1.1, "singular")])
def test_world_last_doublings_have_the_long_run_ratio(returns, kind):
    """r(1 - phi) = .9, 1, 1.1 with short training runs: at least 95% of 60 Worlds lie on the right side.

    At r(1 - phi) = 1 at most 5% speed up. Each count fails with probability 0.3% if 1% of Worlds are wrong,
    and passes with 1.5% if 15% are. The seeds are fixed.
    """
    scenario = Scenario.load("lab").replace(
        growth__r=returns / (1 - 0.323),
        researcher__experiment_gpu_days=0.0,
        training__first_run_days=1.0,
        run__max_doublings=8,
        run__horizon_days=2000.0,
        run__sample_days=2000.0,
        run__max_individuals=0,
        run__leap_tolerance=0.2,
        kernels__measurements="none",
    )
    assert long_run(scenario).kind == kind
    paces = [run(scenario, seed).pace for seed in range(WORLDS)]
    right = {
        "fizzle": [pace.low > 1 for pace in paces],
        "exponential": [pace.name == "exponential" for pace in paces],
        "singular": [pace.high < 1 for pace in paces],
    }[kind]
    assert sum(right) >= WORLDS - WRONG
    if kind == "exponential":
        assert sum(pace.name == "speeding up" for pace in paces) <= WRONG
