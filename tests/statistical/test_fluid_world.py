"""The fluid is the mean of the World: every shipped scenario, with large teams and fixed seeds.

Pooled scenarios have no chance: there the two are equal to rounding, of a fraction of a researcher where teams grow by
a fraction. Poisson papers: the mean of each doubling, within 3.3 standard errors (99.9%) by the Gamma law's variance.
The other labs have a file of their own, test_fluid_labs.py.
"""

import math

import numpy as np
import pytest
from scipy import stats

from sim.fluid.api import fluid, run_fluid
from sim.fluid.lab_arrays import supports
from sim.runner import run
from sim.scenario.model import Scenario, shipped_scenarios
from tests.oracles import report
from tests.statistical.test_fluid_labs import LABS

POOLED = {
    "limits": 1,
    "returns-0.7": 1,
    "returns-0.9": 1,
    "returns-3": 1,
    "toes": 1,
    "retraining-0.75": 1_000_000,
    "retraining-0.9": 1_000_000,
}
TOYS = {"toy-fizzle": (4, 4, 30), "toy-explosion": (8, 7, 20), "toy-exponential": (8, 5, 20)}
"""Researchers on day 0, doublings, seeds."""


FRONTIER = "lab-frontier-experiments"
ROADS = ("humans-only", "road-to-asara")
CLOCKS = ("ai-2027",)


def test_comparisons_cover_every_shipped_scenario():
    assert sorted([*POOLED, *TOYS, *LABS, FRONTIER, *ROADS, *CLOCKS]) == shipped_scenarios()


@pytest.mark.parametrize("name", ROADS)
def test_world_mean_of_a_road_is_near_the_fluid(name):
    """A World follows the papers in progress, which the equations do not: it may be 4% later."""
    scenario = Scenario.load(name).replace(run__max_doublings=5, run__sample_days=1e3)
    days = np.array([[doubling.day for doubling in run(scenario, seed).doublings] for seed in range(6)])[:, 1:]
    flow = np.array([doubling.day for doubling in run_fluid(scenario).doublings])[1:]
    assert np.all(np.abs(days.mean(0) - flow) <= 3.3 * days.std(0, ddof=1) / math.sqrt(6) + 0.04 * flow)


@pytest.mark.parametrize("name", CLOCKS)
def test_scenario_with_a_clock_has_no_equations(name):
    assert "horizon__law" in supports(Scenario.load(name))


@pytest.mark.parametrize("name", POOLED)
def test_pooled_world_equals_the_fluid(name):
    scenario = Scenario.load(name).replace(researcher__initial=POOLED[name], run__sample_days=1e3)
    world, result = run(scenario), run_fluid(scenario)
    days = [doubling.day for doubling in world.doublings]
    assert [doubling.day for doubling in result.doublings] == pytest.approx(days, rel=1e-9)
    assert result.researchers == pytest.approx(world.researchers, rel=1e-5)
    papers = [doubling.papers for doubling in world.doublings]
    assert [doubling.papers for doubling in result.doublings] == pytest.approx(papers, rel=1e-5)
    assert (result.ending, result.long_run) == (world.ending, world.long_run)
    for use in ("inference", "training"):
        assert result.cluster[use].gpu_days == pytest.approx(world.cluster[use].gpu_days, rel=1e-6)


@pytest.mark.parametrize("name", TOYS)
def test_poisson_world_mean_equals_the_fluid(name):
    team, doublings, seeds = TOYS[name]
    law = Scenario.load(name).growth
    scenario = Scenario.load(name).replace(
        researcher__initial=team,
        growth__papers_first_doubling=2.0 * team,
        run__max_doublings=doublings,
        run__horizon_days=1e6,
        run__sample_days=1e6,
    )
    found = np.array([[d.duration_days for d in run(scenario, seed).doublings] for seed in range(seeds)])
    expected = fluid([scenario]).doubling_days[0]
    for n, mean in enumerate(found.mean(axis=0)):
        papers = 2 * team * law.difficulty_growth**n
        variance = report.poisson_months(papers, team * 2**n)[1] * report.MONTH**2
        whole = report.MONTH / (team * 2**n)  # of a paper that ends one doubling and begins the next
        assert abs(mean - expected[n]) < 3.3 * math.sqrt(variance / seeds) + whole


def test_world_mean_of_a_lab_with_full_gpus_equals_the_fluid():
    """Tolerances of three standard errors of three seeds or more: shares of time vary by 0.02 and more a World."""
    seeds, tolerance = 3, 0.025
    scenario = Scenario.load(FRONTIER).replace(
        run__max_doublings=6, run__sample_days=1e3, run__max_individuals=1_000_000
    )
    worlds, result = [run(scenario, seed) for seed in range(seeds)], run_fluid(scenario)
    ends = np.array([world.day for world in worlds])
    assert 3 * np.std(ends, ddof=1) / math.sqrt(seeds) < tolerance * result.day, "too few seeds for this test"
    assert np.mean(ends) == pytest.approx(result.day, rel=tolerance)
    assert np.mean([world.papers for world in worlds]) == pytest.approx(result.papers, rel=1e-3)
    teams = np.array([world.researchers for world in worlds])
    assert 3 * np.std(teams, ddof=1) / math.sqrt(seeds) < 0.04 * result.researchers, "too few seeds for this test"
    assert np.mean(teams) == pytest.approx(result.researchers, rel=0.04)
    for part, share in result.time_shares.items():
        assert np.mean([world.time_shares[part] for world in worlds]) == pytest.approx(share, abs=0.03)
    for use, within in (("inference", tolerance), ("training", 0.01), ("experiment", 0.2)):
        held = np.mean([world.cluster[use].gpu_days for world in worlds])
        assert held == pytest.approx(result.cluster[use].gpu_days, rel=within), use


def test_world_duplicate_share_equals_the_mean_field():
    scenario = Scenario.load("toy-exponential").replace(
        researcher__initial=200,
        literature__open_questions=200,
        training__gain=1e6,
        run__max_doublings=1,
        growth__papers_first_doubling=6000.0,
        run__sample_days=1e6,
    )
    world, result = run(scenario, 1), run_fluid(scenario)
    half = stats.norm.ppf(0.9995) * math.sqrt(0.25 / 6000)
    assert result.duplicate_share == pytest.approx(1 - 1 / (math.e - 1), rel=1e-9)
    assert abs(world.duplicate_share - result.duplicate_share) < half + 0.01
