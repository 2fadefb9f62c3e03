"""Another policy from this moment on: what a world must change when its scenario does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, inference_gpus, pool_sizes
from sim.events import KernelsDeployed
from sim.feasibility import check_ends, check_failures, check_jobs_fit, check_population_size
from sim.scenario.model import Scenario, ScenarioError

if TYPE_CHECKING:
    from sim.world import World

FIXED_AT_START = (
    "researcher__initial",
    "researcher__gpus_each",
    "researcher__timing",
    "cluster__sharing",
    "literature__open_questions",
    "kernels__measurements",
    "kernels__workload",
    "cluster__background",
    "cluster__background_gpus",
)
"""What a branch cannot change: it is how the world was built."""

_STOPPED = ("horizon", "doublings", "researchers")
"""Endings that another scenario can put off: by the clock, the number of doublings or of researchers."""


def apply_scenario_change(world: World, scenario: Scenario) -> None:
    """Let other parameters hold in a world from this moment on, at the same software and the same luck.

    What was done before counts as it did. Raises ScenarioError for what cannot change any more.
    """
    if scenario == world.scenario:
        return
    _check_changes(world, scenario)
    if world.pool is not None:
        world.pool.flush()
    if world.ending is not None:
        _resume(world, scenario)
    old, world.scenario = world.scenario, scenario
    _change_blocks(world, old)
    world.trainer.start_due_generations()
    world.housing.settle()


def _check_changes(world: World, scenario: Scenario) -> None:
    old, new = world.scenario.flat(), scenario.flat()
    for name in FIXED_AT_START:
        if old[name] != new[name]:
            raise ScenarioError(f"{name} cannot change within a run: start a new one with it")
    experiments = "researcher__experiment_gpu_days"
    if world.pool is not None and (old[experiments] == 0) != (new[experiments] == 0):
        raise ScenarioError(
            f"{experiments} cannot change between none and some where work is pooled: the pool holds no whole papers"
        )
    if scenario.run.horizon_days < world.now:
        raise ScenarioError(
            f"run__horizon_days = {scenario.run.horizon_days:g} days lies before this moment, day {world.now:g}"
        )
    growth = inference_gpus(scenario.cluster) / max(1, world.housing.gpus_at_start)
    largest = growth * world.calibration.largest_work_rate(scenario.kernels.attention_share)
    check_population_size(scenario, largest, world.own_team.researchers, world.population.without_cohort)


def _resume(world: World, scenario: Scenario) -> None:
    """Let a run that had stopped go on, if the scenario now gives it the room."""
    ending = world.ending
    assert ending is not None, "only a run that is over can be reopened"
    until = scenario.run.until_researchers
    room = scenario.run.horizon_days > world.now and scenario.run.max_doublings > world.doublings
    room = room and (until == 0 or until > world.active_researchers)
    if ending.ending not in _STOPPED or not room:
        raise ScenarioError(f"this run is over ({ending.ending}): branch from an earlier moment")
    world.ledger.remove(ending)
    world.ending, world.clock.halted, world.running = None, False, True


def _change_blocks(world: World, old: Scenario) -> None:
    new = world.scenario
    if new.growth != old.growth:
        _change_law(world)
    if new.cluster != old.cluster:
        _change_cluster(world)
    check_jobs_fit(new, world.datacenter)
    check_ends(new, world.datacenter)
    check_failures(new)
    if new.run.frame_days != old.run.frame_days:
        world.restart_frames()
    if old.training.needed and not new.training.needed:
        _cancel_training(world)
    if new.kernels != old.kernels:
        _change_kernels(world, old)
    world.literature.params = new.literature


def _cancel_training(world: World) -> None:
    """A run that is needed no more is over, and what it was to bring goes to work at once."""
    pool = world.datacenter.pool("training")
    if pool is None:
        return
    for job in [job for job in pool.jobs() if job.use == "training"]:
        pool.cancel(job)


def _change_law(world: World) -> None:
    """The law that would have held from the start, with the team of the start, holds from here on."""
    try:
        world.frontier.change_law(world.scenario.law(world.own_team))
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _change_kernels(world: World, old: Scenario) -> None:
    """The kernels that there are stay; what they are worth, and how fast better ones come, may change."""
    engineer = world.kernel_engineer
    if engineer.speedup > 1 and world.scenario.kernels.attention_share != old.kernels.attention_share:
        world.ledger.append(KernelsDeployed(world.now, engineer.candidates, engineer.speedup, world.work_rate))
    engineer.schedule_next()


def _change_cluster(world: World) -> None:
    """Let the changed cluster hold; a training run too large for it goes on with the GPUs that are left."""
    cluster, run = world.scenario.cluster, world.trainer.run
    sizes = pool_sizes(cluster)
    pool = sizes.get(SHARED) or sizes.get("training", 0)
    interrupted = run is not None and 0 < largest_gang(cluster.placement, pool, cluster.gpus_per_node) < run.gpus
    if interrupted:
        world.trainer.interrupt()
    try:
        world.datacenter.reconfigure(cluster)
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    if interrupted:
        world.trainer.resume()
    world.meter_gpus()
    world.clock.advance(world.now)  # the changed cluster gives out its GPUs before anybody counts them
