"""Test training runs: GPUs, failures, checkpoints and generations; more GPUs never slow a lab."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.generations import plan_generation
from agents.params import TrainingParams
from hardware.cluster.reliability import checkpoint_interval, fastest_gpus, job_time
from sim.events import Deployed, SoftwareDoubled, TrainingRequested
from sim.feasibility import fastest_run_gpus, run_days
from sim.fluid.api import fluid, run_fluid
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World
from tests.support.properties import examples

QUIET = {"cluster__gpu_hours_between_failures": 0.0, "kernels__measurements": "none"}


# --- the plan of a generation -------------------------------------------------------------------------------------


@given(st.floats(0.01, 30), st.floats(0.01, 5), st.booleans(), st.floats(0.01, 100), st.floats(0, 1), st.floats(0, 200))
def test_plan_generation_uses_all_its_gain_and_keeps_the_shortest_length(waiting, gain, everything, length, phi, floor):
    plan = plan_generation(waiting, gain, everything, length, phi, floor)
    assert plan.taken == (waiting if everything else min(gain, waiting))
    assert plan.better + plan.shorter == pytest.approx(plan.taken)
    assert 0 <= plan.shorter <= phi * plan.taken + 1e-12
    if floor > 0 and plan.shorter > 0:
        assert length * 2.0**-plan.shorter >= floor * (1 - 1e-9)
    if floor >= length:
        assert plan.better == plan.taken


def test_plan_generation_equals_examples_by_hand():
    assert plan_generation(3.0, 1.0, True, 60.0, 0.5, 0.0) == (3.0, 1.5, 1.5)
    assert plan_generation(3.0, 1.0, False, 60.0, 0.5, 0.0) == (1.0, 0.5, 0.5)
    assert plan_generation(3.0, 1.0, True, 60.0, 0.5, 30.0) == (3.0, 2.0, 1.0)
    assert plan_generation(3.0, 1.0, True, 30.0, 0.5, 30.0) == (3.0, 3.0, 0.0)


# --- GPUs, failures and checkpoints -------------------------------------------------------------------------------


def test_run_days_with_twice_the_gpus_have_the_speedup_of_llama_3():
    work = TrainingParams().first_run_work
    lab = Scenario().replace(**QUIET)
    once, twice = (float(run_days(lab, float(gpus), work)) for gpus in (256, 512))
    assert once == pytest.approx(2 * 365 / 12)
    assert once / twice == pytest.approx(2 * 41 / 43, rel=1e-3)


def test_checkpoint_interval_default_minimizes_job_time():
    life, gpus, write, restart, work = 2000.0, 500.0, 0.001, 0.01, 60.0
    best = float(checkpoint_interval(0.0, write, life, gpus))
    assert best == pytest.approx(math.sqrt(2 * 0.001 * 2000 / 500))
    times = [float(job_time(work, gpus / life, best * factor, write, restart)) for factor in (0.7, 1.0, 1.4)]
    assert times[1] < min(times[0], times[2])
    assert job_time(work, 0.0, checkpoint_interval(0.0, write, 0.0, gpus), write, restart) == work


def test_job_time_equals_the_mean_of_simulated_jobs():
    """Cost of checkpoints included; 99.9% interval of 4,000 jobs: a false alarm in a thousand seeds."""
    rng, f, s, w, restart = np.random.default_rng(5), 0.5, 0.8, 0.1, 0.2
    draws = []
    for _ in range(4000):
        total = 0.0
        for number in range(5):
            need = s + (w if number < 4 else 0.0)
            owed = 0.0
            while (life := rng.exponential(1 / f)) < owed + need:
                total, owed = total + life, restart
            total += owed + need
        draws.append(total)
    half = 3.3 * np.std(draws) / math.sqrt(len(draws))
    whole = float(job_time(5 * s, f, s, w, restart))
    # The mean formula spreads four checkpoints over five intervals.
    assert abs(np.mean(draws) - whole) < half + 0.002 * whole


@pytest.mark.parametrize("best", [1.0, 37.0, 4321.0])
def test_fastest_gpus_minimizes_the_time(best):
    def run(gpus):
        return best / gpus + gpus / best

    assert float(fastest_gpus(1e6, run)) == best
    assert float(fastest_gpus(20.0, run)) == min(best, 20.0)


def test_fastest_gpus_equals_an_exhaustive_search():
    lab = Scenario().replace(cluster__gpu_hours_between_failures=300.0)
    work = lab.training.first_run_work
    times = run_days(lab, np.arange(1.0, 5001.0), work)
    found = int(fastest_run_gpus(lab, 5000, work))
    assert found < 5000
    assert times[found - 1] <= times.min() * (1 + 1e-9)


# --- more GPUs ----------------------------------------------------------------------------------------------------

GRID = np.unique(np.round(np.geomspace(8, 125_000, 40)).astype(int)) * 8


@pytest.mark.parametrize(
    "changes",
    [{}, {"training__gain": 1.1}, {"training__takes_up": "one gain"}, {"cluster__gpu_hours_between_failures": 5000.0}],
    ids=str,
)
def test_lab_with_more_gpus_is_never_slower(changes):
    labs = [Scenario().replace(cluster__gpus=int(gpus), run__horizon_days=20_000.0, **changes) for gpus in GRID]
    days = fluid(labs).doubling_day
    assert np.all(np.isfinite(days[:, 8]))
    assert np.all(np.diff(days, axis=0) <= SLACK * days[:-1])


SLACK = 1e-3
"""Share of a day count by which the steps of the equations may miss."""


@examples(12)
@given(st.integers(8, 125_000), st.integers(1, 125_000), st.floats(0.6, 2.5), st.sampled_from([0.0, 2000.0, 50_700.0]))
def test_random_lab_with_more_gpus_is_never_slower(nodes, more, r, life):
    sizes = (nodes * 8, min(nodes + more, 125_000) * 8)
    labs = [
        Scenario().replace(
            cluster__gpus=size,
            growth__r=r,
            cluster__gpu_hours_between_failures=life,
            run__horizon_days=1e6,
            run__max_doublings=6,
        )
        for size in sizes
    ]
    days = fluid(labs).doubling_day
    assert np.all(days[1] <= days[0] * (1 + SLACK))


def test_lab_with_one_training_gpu_is_slower():
    few, all_ = (
        run_fluid(Scenario().replace(run__horizon_days=1e5, **change)) for change in ({"training__gpus": 1}, {})
    )
    assert few.doublings[-1].day > 2 * all_.doublings[-1].day


# --- the World ----------------------------------------------------------------------------------------------------

LAB = {
    "cluster__gpus": 64,
    "growth__calibrated_for": 16,
    "training__first_run_gpus": 16,
    "run__sample_days": 50.0,
    "training__first_run_days": 20.0,
    "run__max_doublings": 5,
}


def finish(world: World) -> World:
    while world.running:
        world.step()
    return world


def test_world_training_runs_follow_the_plan():
    world = finish(World(Scenario().replace(**LAB, **QUIET, training__shortest_run_days=12.0), 3))
    runs = [event for event in world.ledger if isinstance(event, TrainingRequested)]
    deployed = [event for event in world.ledger if isinstance(event, Deployed)]
    assert len(runs) >= 3
    assert runs[0].run_days == pytest.approx(20.0)
    assert min(run.run_days for run in runs) == pytest.approx(12.0, rel=1e-6), "the floor is reached and kept"
    assert world.lab.training.shorter == pytest.approx(math.log2(20 / 12))
    produced = world.lab.knowledge.software.deployed + world.lab.training.pending_gain
    assert produced == pytest.approx(world.lab.training.consumed_doublings - math.log2(20 / 12))
    assert len(deployed) >= len(runs) - 1


def test_branch_with_another_training_policy_applies_to_the_next_generation():
    world = World(Scenario().replace(**LAB, **QUIET), 3)
    while world.lab.training.run is None:
        world.step_events()
    brings = world.lab.training.pending_gain
    assert brings > 0
    branch = world.branch(training__speedup_exponent=0.9, training__takes_up="one gain")
    assert branch.lab.training.pending_gain == brings
    finish(branch)
    assert branch.lab.training.shorter != finish(world).lab.training.shorter


def test_branch_with_half_the_gpus_lengthens_the_current_training_run():
    world = World(Scenario().replace(**LAB, **QUIET), 3)
    while world.lab.training.run is None:
        world.step_events()
    for _ in range(40):
        world.step_events()
    begun, now = world.lab.training.run.started_at, world.now
    branch = world.branch(cluster__gpus=32)
    assert branch.lab.training.run.gpus == 8
    left = 20.0 - (now - begun)
    assert branch.lab.training.run.length == pytest.approx(left * 2**0.93)
    assert finish(branch).ending is not None
    branch_day = [e.day for e in branch.ledger if isinstance(e, SoftwareDoubled)][-1]
    assert branch_day > [e.day for e in finish(world).ledger if isinstance(e, SoftwareDoubled)][-1]


def test_world_with_too_many_failures_per_day_is_refused():
    with pytest.raises(ScenarioError, match=r"failures = 1 .*12,288 failures a day; allowed: .* 12.29 GPU-hours"):
        World(cluster__gpu_hours_between_failures=1.0)
    World(cluster__gpu_hours_between_failures=12.3)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster__gpu_hours_between_failures": 1e-3},
        {"training__required": False, "cluster__gpu_hours_between_failures": 1e-3},
    ],
    ids=str,
)
@pytest.mark.parametrize("start", [World, run_fluid], ids=["world", "fluid"])
def test_jobs_that_cannot_end_because_of_failures_are_refused(start, changes):
    with pytest.raises(ScenarioError, match=r"gpu_hours_between_failures = 0.001 .*rarer"):
        start(Scenario().replace(**changes))
