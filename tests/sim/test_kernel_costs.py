"""Test the costs of kernels, researchers' time and GPUs, in the World and in the fluid engine."""

import math

import pytest

from sim.events import KernelsDeployed
from sim.fluid.api import fluid, run_fluid
from sim.runner import run
from sim.scenario.model import Scenario
from sim.testing.invariants import check_invariants
from sim.world import World

FREE = {"kernels__candidate_researcher_hours": 0.0, "kernels__candidate_gpu_hours": 0.0}
EXPENSIVE = {"kernels__candidate_researcher_hours": 5000.0, "kernels__candidate_gpu_hours": 0.0}
SMALL = {
    "researcher__initial": 60,
    "cluster__gpus": 64,
    "training__required": False,
    "run__max_doublings": 2,
    "run__horizon_days": 400.0,
}


def lab(**changes) -> Scenario:
    return Scenario().replace(**(SMALL | changes))


@pytest.mark.parametrize("timing", ["poisson", "pooled"])
@pytest.mark.parametrize("individuals", [0, 1000])
def test_candidates_take_at_most_90_percent_of_research_time(timing, individuals):
    """100 candidates of 5,000 hours: 60 researchers spend 500,000/(0.9 * 60 * 24) = 386 days on them."""
    absurd = lab(
        researcher__timing=timing,
        run__max_individuals=individuals,
        kernels__candidates_per_day=1e8,
        kernels__attention_share=0.0,
        growth__calibrated_for=0,
        **EXPENSIVE,
    )
    free = absurd.replace(**FREE)
    costly, gratis = run(absurd, 1), run(free, 1)
    assert gratis.doublings[1].day < 80
    assert not costly.doublings or costly.doublings[0].day > 3 * gratis.doublings[0].day
    for day in (100.0, 300.0):
        world = World(absurd.replace(run__horizon_days=day), 1)
        while world.running:
            world.step()
        check_invariants(world)
        assert world.lab.kernels.candidates == pytest.approx(day * 0.9 * 24 * 60 / 5000, rel=0.5)
        assert world.lab.workforce.team.research_pace == pytest.approx(0.1)


def test_work_in_progress_follows_a_change_of_pace_exactly():
    """Pooled work: 60 researchers write their papers a tenth as fast until the branch, then as fast as they can."""
    scenario = lab(
        researcher__timing="pooled",
        researcher__experiment_gpu_days=0.0,
        kernels__candidates_per_day=1e8,
        kernels__attention_share=0.0,
        growth__law="papers",
        growth__papers_first_doubling=1e6,
        growth__difficulty_growth=2.0,
        **EXPENSIVE,
    )
    world = World(scenario, 0)
    for _ in range(20):
        world.step()
    branch = world.branch(kernels__candidate_researcher_hours=0.0)
    branch = branch.branch(run__horizon_days=30.0)
    while branch.running:
        branch.step()
    written = branch.lab.knowledge.papers + branch.lab.workforce.pool.papers
    assert written == pytest.approx(60 * (20 * 0.1 + 10) * 12 / 365, rel=1e-9)


@pytest.mark.parametrize("individuals", [0, 1000])
def test_individuals_and_cohorts_write_at_the_remaining_pace(individuals):
    """Half their time for 15 days: 2,000 researchers write as much as in 7.5 days; four standard errors are allowed.

    A branch that ends the search after 15 days gives the rest at full pace, work under way included.
    """
    scenario = lab(
        researcher__initial=2000,
        researcher__experiment_gpu_days=0.0,
        researcher__writing_share=0.0,
        run__max_individuals=individuals * 10,
        kernels__candidates_per_day=2000 * 24 * 0.5 / 5000,
        kernels__attention_share=0.0,
        growth__law="papers",
        growth__papers_first_doubling=1e9,
        growth__difficulty_growth=2.0,
        run__horizon_days=15.0,
        **EXPENSIVE,
    )
    world = World(scenario, 7)
    while world.running:
        world.step()
    per_day = 2000 * 12 / 365
    assert world.lab.knowledge.papers == pytest.approx(per_day * 7.5, rel=4 / math.sqrt(per_day * 7.5))
    later = world.branch(kernels__candidate_researcher_hours=0.0, run__horizon_days=30.0)
    while later.running:
        later.step()
    check_invariants(later)
    assert later.lab.knowledge.papers - world.lab.knowledge.papers == pytest.approx(
        per_day * 15, rel=4 / math.sqrt(per_day * 15)
    )


def test_candidates_queue_for_gpus_and_use_them():
    """With 50 GPU-hours a candidate, 100 of them hold 5,000 GPU-hours that experiments do not have."""
    costs = {"kernels__candidate_researcher_hours": 0.0, "kernels__candidate_gpu_hours": 50.0}
    found = run(lab(**costs), 2)
    held = [job for job in found.jobs if job.owner == -1 and job.use == "experiment"]
    deployed = [event for event in found.events if isinstance(event, KernelsDeployed)]
    assert sum(job.gpus * job.length for job in held) == pytest.approx(100 * 50 / 24, rel=0.1)
    assert len(deployed) > 3
    free = run(lab(**FREE), 2)
    assert deployed[0].day > next(event for event in free.events if isinstance(event, KernelsDeployed)).day


def test_snapshot_during_timing_continues_identically():
    world = World(lab(kernels__candidate_gpu_hours=50.0), 5)
    for _ in range(3):
        world.step()
    other = World.restore(world.snapshot())
    for each in (world, other):
        while each.running:
            each.step()
    assert world.digest() == other.digest()


@pytest.mark.parametrize(
    "costs", [{"kernels__candidate_researcher_hours": 200.0}, {"kernels__candidate_gpu_hours": 20.0}], ids=str
)
def test_fluid_days_with_kernel_costs_equal_the_mean_of_worlds(costs):
    """Eight worlds of one kind; the mean day of doubling 2 within 6% of the equations, some three standard errors."""
    scenario = lab(kernels__attention_share=0.3, **(FREE | costs))
    worlds = [run(scenario, seed).doublings[1].day for seed in range(8)]
    assert sum(worlds) / 8 == pytest.approx(float(fluid([scenario]).doubling_day[0, 1]), rel=0.06)


def test_fluid_days_increase_with_candidate_costs():
    labs = [lab(kernels__candidate_researcher_hours=hours) for hours in (0.0, 10.0, 100.0, 1000.0)]
    labs += [lab(kernels__candidate_gpu_hours=hours) for hours in (0.0, 10.0, 100.0, 1000.0)]
    days = list(fluid(labs).doubling_day[:, 1])
    assert days[:4] == sorted(days[:4])
    assert days[4:] == sorted(days[4:])
    assert days[3] > days[0] + 1


def test_candidates_without_costs_leave_the_pace_unchanged():
    world = World(lab(**FREE), 0)
    while world.running:
        assert world.lab.workforce.team.research_pace == 1.0
        world.step()
    assert not [job for job in world.lab.compute.datacenter.records if job.owner == -1]
    assert run_fluid(lab(**FREE)).day < run_fluid(lab(kernels__candidate_researcher_hours=500.0)).day
