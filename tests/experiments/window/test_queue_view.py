"""Queue view: the mean wait covers all jobs of the last 30 days, waiting jobs included."""

import math

import pytest

from experiments.window.queue_view import RECENT_DAYS, queue_of
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.window_runs import small_lab

CROWDED = small_lab(
    cluster__gpus=64,
    researcher__initial=400,
    researcher__papers_per_month=60.0,
    researcher__experiment_gpu_days=0.05,
    run__max_doublings=40,
    training__required=False,
)
COHORT = CROWDED.replace(run__max_individuals=100)


def mean_wait(world: World, use: str) -> float:
    """Return the mean wait, computed job by job."""
    records = [r for r in world.lab.compute.datacenter.records if r.use == use and r.started is not None]
    lately = [(r.waited, r.tasks) for r in records if r.ended >= world.now - RECENT_DAYS]
    for pool in world.lab.compute.datacenter.pools.values():
        for job in pool.jobs():
            if job.use == use and job.length < math.inf:
                until = world.now if job.started is None else job.started
                before = getattr(job, "waited", 0.0) if job.tasks_before else job.tasks * (until - job.submitted)
                lately.append((before, job.tasks_before + job.tasks))
        lately += [
            (lot.count * (world.now - lot.submitted), lot.count)
            for lot in pool.pending_arrays
            if lot.job_class.use == use
        ]
    return sum(days for days, _ in lately) / sum(tasks for _, tasks in lately)


@pytest.mark.parametrize("scenario", [CROWDED, COHORT], ids=["individuals", "cohort"])
def test_mean_wait_covers_all_jobs_of_the_window(scenario: Scenario) -> None:
    world = World(scenario, 1)
    for _ in range(12):
        for _ in range(4):
            world.step()
        (use,) = [each for each in queue_of(world).uses if each.use == "experiment"]
        assert use.mean_wait_days == pytest.approx(mean_wait(world, "experiment"))
    assert len(world.lab.compute.datacenter.records) > 2000
    assert world.now > RECENT_DAYS
    assert queue_of(World.restore(world.snapshot())) == queue_of(world)


def test_mean_wait_includes_waiting_jobs() -> None:
    world = World(small_lab(cluster__gpus=32, researcher__initial=60), 1)
    for _ in range(20):
        world.step()
    (use,) = [each for each in queue_of(world).uses if each.use == "experiment"]
    ended = [r for r in world.lab.compute.datacenter.records if r.use == "experiment" and r.started is not None]
    assert use.waiting > 10
    assert use.mean_wait_days is not None
    assert use.mean_wait_days > sum(r.waited for r in ended) / len(ended)
