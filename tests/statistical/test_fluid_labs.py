"""Compare the fluid engine with the mean of Worlds of labs with individual researchers.

Compared are the day of the last doubling, the team on that day, the shares of time and the GPU-days of each use. The
fluid value must lie within Student's interval of the mean over seeds. All 18 intervals together miss with probability
5% (Bonferroni) if seeds are drawn anew; here they are fixed. The lab whose experiments fill its GPUs is in
test_fluid_world.py. The team varies by chance: it depends on what the last training run took up.
"""

import math

import numpy as np
import pytest
from scipy import stats

from sim.fluid.api import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario

LABS = ("lab", "lab-fixed-experiments")
DOUBLINGS, SEEDS = 4, 10
FALSE_ALARM = 0.05 / 18
"""Probability that an interval misses the mean [per interval]."""
BIAS = 0.005
"""What the equations may leave out: a share of each quantity, and of all time."""
WIDEST = {"day": 0.03, "team": 0.03, "share": 0.03, "inference": 0.03, "training": 0.01, "experiment": 0.2}
"""Half-widths beyond which an interval shows nothing: relative, and of shares of time absolute."""


def check(what: str, found: list[float], expected: float, unit: float) -> None:
    """Hold a mean to what is expected of it; ``unit``: what differences are divided by."""
    half = stats.t.isf(FALSE_ALARM / 2, len(found) - 1) * np.std(found, ddof=1) / math.sqrt(len(found)) / unit
    off = abs(np.mean(found) - expected) / unit
    assert half < WIDEST[what.split(maxsplit=1)[0]], f"{what}: {half:.2g} is too wide for this test"
    assert off < half + BIAS, f"{what} is off by {off:.2g}, with {half:.2g} allowed to chance"


@pytest.mark.parametrize("name", LABS)
def test_world_mean_of_shipped_labs_equals_the_fluid(name):
    scenario = Scenario.load(name).replace(
        run__max_doublings=DOUBLINGS, run__sample_days=1e3, run__max_individuals=1_000_000
    )
    worlds, result = [run(scenario, seed) for seed in range(SEEDS)], run_fluid(scenario)
    assert np.mean([world.papers for world in worlds]) == pytest.approx(result.papers, rel=1e-3)
    check("day", [world.day for world in worlds], result.day, result.day)
    check("team", [world.researchers for world in worlds], result.researchers, result.researchers)
    for part, share in result.time_shares.items():
        check(f"share of {part}", [world.time_shares[part] for world in worlds], share, 1.0)
    for use in ("inference", "training", "experiment"):
        held = result.cluster[use].gpu_days
        check(use, [world.cluster[use].gpu_days for world in worlds], held, held)
