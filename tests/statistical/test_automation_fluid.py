"""Compare the equations of humans and tasks with the mean of Worlds, on a road with five kinds of tasks.

The fluid value of each doubling time must lie within Student's 99% interval of the mean over seeds, widened by BIAS.
At most 12% of all tests with other seeds would fail by chance (12 intervals); here the seeds are fixed.
"""

import math

import numpy as np
import pytest
from scipy import stats

from sim.fluid.api import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario

pytestmark = pytest.mark.statistical

SEEDS = 8
FALSE_ALARM = 0.01
"""Probability that an interval misses the mean [per interval]."""
BIAS = 0.015
"""What the equations leave out: papers under way when the division of tasks changes, and queues below saturation."""
WIDEST = 0.06
"""Relative half-width beyond which an interval shows nothing."""
ROAD = Scenario().replace(
    training__required=False,
    kernels__measurements="none",
    cluster__gpu_hours_between_failures=0.0,
    researcher__initial=10,
    humans__initial=10,
    humans__growth_per_year=1.0,
    humans__papers_per_month=2.0,
    humans__papers_in_progress=8.0,
    automation__kinds=5,
    automation__first_threshold=1.0,
    automation__last_threshold=3.0,
    growth__first_doubling_days=50.0,
    run__max_doublings=4,
    run__horizon_days=1e6,
    run__sample_days=1e6,
)
"""Ten humans, and AIs that learn the first task after one doubling and the last after three."""
ROADS = {
    "in series": {},
    "ces": {"automation__combination": "ces", "automation__rho": -2.0},
    "supervised, penalty": {
        "humans__supervision": 0.3,
        "growth__parallel_penalty": 0.6,
        "growth__first_doubling_days": 150.0,
    },
}


@pytest.mark.parametrize("changes", ROADS.values(), ids=ROADS)
def test_world_mean_of_a_road_equals_the_fluid(changes):
    scenario = ROAD.replace(**changes)
    expected = np.array([each.duration_days for each in run_fluid(scenario).doublings])
    worlds = [run(scenario, seed) for seed in range(SEEDS)]
    found = np.array([[each.duration_days for each in world.doublings] for world in worlds])
    half = stats.t.isf(FALSE_ALARM / 2, SEEDS - 1) * found.std(axis=0, ddof=1) / math.sqrt(SEEDS) / expected
    assert np.all(half < WIDEST), half
    assert np.all(np.abs(found.mean(axis=0) / expected - 1) < half + BIAS), found.mean(axis=0) / expected - 1
