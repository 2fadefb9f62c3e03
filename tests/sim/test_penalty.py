"""Test the parallelization penalty: the researchers that it counts, and the meaning of r with it."""

import itertools
import math

import numpy as np
import pytest

from agents.work_model import experiment_gpu_days, gang_size, mean_run_days
from sim.fluid.api import fluid, run_fluid
from sim.growth import ReturnsLaw, returns_from_ratio
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

FIXED_SOFTWARE = {
    "growth__law": "papers",
    "growth__papers_first_doubling": 1e9,
    "growth__difficulty_growth": 2.0,
    "training__required": False,
    "training__gain": 1e6,
    "kernels__measurements": "none",
}
"""Software is fixed, so that only the size of the team differs."""
FULL = Scenario().replace(
    growth__parallel_penalty=0.5,
    researcher__experiment_variation="fixed",
    cluster__gpus=512,
    cluster__inference_share=0.75,
    cluster__training_share=0.0,
)
"""128 GPUs for experiments of a fixed cost of 4.17 GPU-days: 30.7 papers a day at most, however many researchers."""
TEAMS = (512, 1024, 2048, 4096)


def test_fluid_output_does_not_fall_with_waiting_researchers():
    labs = [FULL.replace(**FIXED_SOFTWARE, researcher__initial=team, run__horizon_days=600.0) for team in TEAMS]
    found = fluid(labs)
    effective = [
        lab.law().papers_between(0.0, level) for lab, level in zip(labs, found.software_doublings, strict=True)
    ]
    assert all(later > 0.9999 * earlier for earlier, later in itertools.pairwise(effective))
    assert effective[1] > 1.3 * effective[0], "below the corner more researchers achieve more"
    papers = found.papers[-1] / 600
    cycle = 365 / 12 + 4.17 / 8
    assert effective[-1] / 600 == pytest.approx(papers * (papers * cycle) ** -0.5, rel=0.01), "Little's law"


def test_penalty_does_not_count_paused_or_queued_researchers():
    world = World(FULL.replace(**FIXED_SOFTWARE, researcher__initial=2000, run__horizon_days=40.0), 3)
    while world.running:
        world.step()
        count = {phase: world.lab.workforce.census.count[phase] for phase in world.lab.workforce.census.count}
        active = sum(count.values()) - count["queue"] - count["paused"]
        most = 128 / 4.17 * (365 / 12 + 4.17 / 8)
        assert world.lab.knowledge.doing_research == pytest.approx(min(active, most))
    assert count["queue"] > 0
    assert world.lab.knowledge.effective_papers(2.0) == pytest.approx(2 * world.lab.knowledge.doing_research**-0.5)


def test_penalty_without_experiments_counts_all_active_researchers():
    world = World(Scenario.load("toes"), 0)
    for _ in range(40):
        world.step()
    assert world.lab.workforce.active_researchers > 1
    assert world.lab.knowledge.doing_research == world.lab.workforce.active_researchers


@pytest.mark.parametrize("variation", ["fixed", "exponential", "lognormal"])
@pytest.mark.parametrize("largest", [1, 6, 64])
def test_mean_run_days_equals_the_mean_of_drawn_experiments(variation, largest):
    """40,000 draws: a standard error below 1%, so that 4% is a false alarm of less than 1e-4."""
    params = Scenario().researcher.model_copy(update={"experiment_variation": variation, "experiment_sigma": 1.0})
    stream = np.random.default_rng(5)
    drawn = [experiment_gpu_days(params, 2.5, stream) for _ in range(40_000)]
    mean = math.fsum(each / gang_size(params, each, largest) for each in drawn) / len(drawn)
    assert mean_run_days(params, 2.5, largest) == pytest.approx(mean, rel=0.04)


@pytest.mark.parametrize("p", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("r", [0.8, 1.0, 3.0])
def test_returns_to_effort_exclude_the_penalty(p, r):
    """q = 2^(1/r - p), by hand: effort per doubling grows 2^(1/r)-fold, and a doubled team does 2^p as much a day."""
    lab = Scenario.load("toes").replace(
        growth__returns_to="effort",
        growth__parallel_penalty=p,
        growth__r=r,
        run__max_doublings=5,
        run__horizon_days=1e6,
    )
    for found in (run(lab).doublings, run_fluid(lab).doublings):
        days = [each.duration_days for each in found]
        ratios = [later / earlier for earlier, later in itertools.pairwise(days)]
        assert ratios == pytest.approx([2 ** (1 / r - p)] * 4, rel=1e-6)
    assert run_fluid(lab).pace.r_implied == pytest.approx(r, rel=1e-6)
    assert returns_from_ratio(2 ** (1 / r - p), p, "effort") == pytest.approx(r)


def test_lower_p_is_slower_for_every_r_only_with_returns_to_effort():
    cases = [(0.7, "effort"), (1.4, "effort"), (3.0, "effort"), (0.7, "inputs")]
    labs = [
        Scenario().replace(
            growth__returns_to=reading,
            growth__parallel_penalty=p,
            growth__r=r,
            run__max_doublings=10,
            run__horizon_days=1e6,
        )
        for r, reading in cases
        for p in (0.3, 0.6, 1.0)
    ]
    *by_effort, by_inputs = fluid(labs).doubling_day[:, 9].reshape(len(cases), 3).tolist()
    for days in by_effort:
        assert days == sorted(days, reverse=True)
    assert by_inputs == sorted(by_inputs), "with inputs p damps slowing down too"


@pytest.mark.parametrize("p", [0.15, 0.5, 1.0])
@pytest.mark.parametrize("team", [1, 16])
def test_papers_per_doubling_with_a_penalty_equal_the_parameters(p, team):
    lab = Scenario.load("toy-fizzle").replace(
        growth__parallel_penalty=p,
        growth__papers_first_doubling=32.0,
        researcher__initial=team,
        run__max_doublings=5,
        run__horizon_days=1e6,
        researcher__timing="pooled",
    )
    found = [each.papers for each in run(lab).doublings]
    assert found == pytest.approx([32 * 3**n for n in range(5)], rel=1e-6)
    effort = run(lab.replace(growth__returns_to="effort", run__max_doublings=2))
    assert effort.doublings[0].papers == pytest.approx(32 * team ** (1 - p), rel=1e-6), "32 effective papers"
    grown = [each.papers for each in effort.doublings]
    assert grown[1] / grown[0] == pytest.approx(3 * 2 ** (1 - p), rel=1e-6)


def test_difficulty_growth_too_small_for_the_penalty_is_refused():
    with pytest.raises(ScenarioError, match=r"growth__difficulty_growth = 1.2 .*allowed: above 2\^\(1 - p\) = 1.625"):
        Scenario.load("toy-fizzle").replace(growth__parallel_penalty=0.3, growth__difficulty_growth=1.2)
    effort = {"growth__parallel_penalty": 0.3, "growth__difficulty_growth": 1.2, "growth__returns_to": "effort"}
    assert Scenario.load("toy-fizzle").replace(**effort).growth.returns == pytest.approx(0.3 / math.log2(1.2))


def test_growth_params_reading_is_stated_only_with_a_penalty():
    assert ReturnsLaw().reading == ""
    assert "r includes the penalty" in ReturnsLaw(parallel_penalty=0.4).reading
    assert "on top" in ReturnsLaw(parallel_penalty=0.4, returns_to="effort").reading
