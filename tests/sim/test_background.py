"""Test background jobs: the mean load, and the delay of experiments."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from hardware.job_logs.registry import read_job_log
from hardware.replay import replay
from hardware.uses import BACKGROUND
from sim.background import BackgroundError
from sim.events import BackgroundLoaded
from sim.fluid.api import fluid
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.testing.invariants import check_invariants
from sim.world import World
from tests.support.properties import examples

QUIET = {
    "training__required": False,
    "researcher__experiment_gpu_days": 0.0,
    "run__max_doublings": 40,
    "cluster__inference_share": 0.5,
    "cluster__training_share": 0.0,
    "cluster__gpu_hours_between_failures": 0.0,
    "cluster__gpus": 32,
    "cluster__placement": "flat",
}
"""A lab that uses none of its 16 GPUs for experiments."""


SMALL = {
    "cluster__gpus": 128,
    "growth__calibrated_for": 0,
    "training__required": False,
    "run__max_doublings": 2,
    "cluster__training_share": 0.25,
    "kernels__measurements": "none",
}


def write_log(path, jobs):
    rows = [f"j{number},{submit},{length},{gpus}" for number, (submit, length, gpus) in enumerate(jobs)]
    path.write_text("\n".join(["job,submit_s,run_s,gpus", *rows]) + "\n")
    return str(path)


def steady(path, gpus=4, every=3600, length=7200, number=50):
    return write_log(path, [(n * every, length, gpus) for n in range(number)])


def finish(world):
    while world.running:
        world.step()
    return world


def stays(submitted, started, gpus):
    """Return submission and start [s] and GPUs of each job."""
    return sorted(zip(submitted, started, gpus, strict=True))


@examples(40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4000), st.integers(1, 16)), min_size=3, max_size=30))
def test_background_jobs_alone_wait_as_in_a_replay(tmp_path_factory, gaps):
    """The reference is a replay, which is independent of a World. Under fcfs later periods do not change the first."""
    jobs, now = [], gaps[0][0] * 1000
    for gap, length, gpus in gaps:
        now += (gap + (len(jobs) > 0)) * 1000
        jobs.append((now, length, gpus))
    path = write_log(tmp_path_factory.mktemp("log") / "log.csv", jobs)
    longest = (now + sum(length for _, length, _ in jobs)) / 86_400 + 0.1
    scenario = Scenario().replace(**QUIET, cluster__queue="fcfs", run__horizon_days=longest)
    try:
        scenario = scenario.replace(cluster__background=path)
    except ScenarioError:  # as many GPUs as there are
        reject()
    world = finish(World(scenario, 0))
    last = (now - jobs[0][0]) / 86_400 + 1e-9
    found = [job for job in world.lab.compute.datacenter.records if job.use == BACKGROUND and job.submitted <= last]
    seconds = [
        [round(day * 86_400) for day in days] for days in zip(*((j.submitted, j.started) for j in found), strict=True)
    ]
    expected = replay(read_job_log(path, "csv").jobs, scenario.cluster.model_copy(update={"gpus": 16})).records
    assert stays(*seconds, [job.gpus for job in found]) == stays(
        [round(job.submitted) for job in expected],
        [round(job.started) for job in expected],
        [job.gpus for job in expected],
    )


def test_background_load_equals_the_mean_gpus_in_use(tmp_path):
    """All jobs fit, so over whole periods the GPU-time in use is exact."""
    path = steady(tmp_path / "log.csv", gpus=2, length=600)
    scenario = Scenario().replace(
        **QUIET, cluster__background=path, cluster__background_gpus=3.0, run__horizon_days=100.0
    )
    world = finish(World(scenario, 0))
    assert world.lab.background.load.mean_gpus == pytest.approx(3.0, rel=1e-12)
    assert world.lab.compute.datacenter.gpu_time(BACKGROUND) / 100 == pytest.approx(3.0, rel=1e-3)
    check_invariants(world)


@pytest.mark.slow
def test_background_delays_experiments_as_in_the_fluid_engine(tmp_path):
    """Compare one seed with the equations to within 5%: seeds of this lab spread by 2%, 1% below in the mean."""
    path = steady(tmp_path / "log.csv", gpus=8, number=200)
    free = Scenario.load("lab-frontier-experiments").replace(run__max_doublings=5, run__max_individuals=0)
    loaded = free.replace(cluster__background=path, cluster__background_gpus=180.0)
    day = run(loaded, 0).doublings[4].day
    loaded_day, free_day = fluid([loaded, free]).doubling_day[:, 4]
    assert day == pytest.approx(loaded_day, rel=0.05)
    assert loaded_day > 1.2 * free_day


def test_background_in_a_shared_pool_keeps_the_invariants(tmp_path):
    path = steady(tmp_path / "log.csv", gpus=4)
    world = World(
        Scenario(),
        1,
        **(SMALL | {"training__required": True, "run__max_doublings": 1}),
        cluster__partitioning="priority",
        cluster__background=path,
        training__first_run_gpus=32,
    )
    while world.running:
        world.step()
        check_invariants(world)
    assert world.lab.compute.datacenter.gpu_time(BACKGROUND) > 0


def test_snapshot_with_background_continues_identically(tmp_path):
    path = steady(tmp_path / "log.csv")
    world = World(Scenario(), 3, **SMALL, cluster__background=path)
    for _ in range(20):
        world.step()
    other = World.restore(world.snapshot())
    assert finish(world).digest() == finish(other).digest()
    assert other.lab.background.submitted == world.lab.background.submitted > 0


def test_restore_after_a_change_of_the_log_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    world = World(Scenario(), 3, **SMALL, cluster__background=steady(path))
    snapshot = world.snapshot()
    steady(path, gpus=2)
    with pytest.raises(BackgroundError, match="has changed since the run began"):
        World.restore(snapshot)


def test_background_jobs_larger_than_the_pool_are_omitted_and_counted(tmp_path):
    path = write_log(tmp_path / "log.csv", [(0, 60, 1), (60, 60, 17), (120, 60, 16), (180, 0, 1)])
    world = World(Scenario(), 0, **QUIET, cluster__background=path)
    (event,) = [each for each in world.ledger if isinstance(each, BackgroundLoaded)]
    assert (event.jobs, event.left_out) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "jobs", "said"),
    [
        ({"cluster__background": "nowhere.csv"}, None, "cannot be read"),
        ({}, [(0, 60, 1)], "two submission times"),
        ({}, [(0, 86_400, 200), (60, 86_400, 200)], "allowed: less"),
        ({"cluster__background_gpus": 256.0}, [(0, 60, 1), (60, 60, 1)], "below 256"),
    ],
)
def test_background_that_cannot_be_used_raises_with_the_reason(tmp_path, changes, jobs, said):
    path = changes.get("cluster__background") or write_log(tmp_path / "log.csv", jobs)
    with pytest.raises(ScenarioError, match=said) as error:
        Scenario().replace(**({"cluster__background": path} | changes))
    assert "cluster__background = " in str(error.value)


def test_branch_with_another_background_is_refused(tmp_path):
    world = World(Scenario(), 0, run__max_doublings=1)
    with pytest.raises(ScenarioError, match="cannot change within a run"):
        world.branch(cluster__background=steady(tmp_path / "log.csv"))


def test_scenario_digest_depends_on_the_content_of_the_log_only(tmp_path):
    here, there = steady(tmp_path / "a.csv"), steady(tmp_path / "b.csv")
    first, second = (Scenario().replace(cluster__background=path).digest() for path in (here, there))
    assert first == second != Scenario().digest()
    assert Scenario().replace(cluster__background=steady(tmp_path / "a.csv", gpus=2)).digest() != first
