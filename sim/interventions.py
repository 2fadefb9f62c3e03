"""Change the scenario of a running world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, inference_gpus, pool_sizes
from sim.events import KernelsDeployed
from sim.feasibility import check_failure_rate, check_jobs_end, check_jobs_fit, check_population_size
from sim.scenario.model import Scenario, ScenarioError

if TYPE_CHECKING:
    from sim.world import World

FIXED_AT_START = (
    "researcher__initial",
    "researcher__gpus_each",
    "researcher__timing",
    "cluster__partitioning",
    "literature__open_questions",
    "kernels__measurements",
    "kernels__workload",
    "cluster__background",
    "cluster__background_gpus",
)
"""Parameters that a branch cannot change, because they determine how the world is built."""

_EXTENDABLE_ENDINGS = ("horizon", "doublings", "researchers")
"""Endings after which a run can continue under another scenario with a later or larger limit."""


def apply_scenario_change(world: World, scenario: Scenario) -> None:
    """Apply other parameters to a world from now on, with the same software and the same random numbers.

    Earlier work keeps its effect. Raises ScenarioError for a parameter that can no longer change.
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
    world.inference_capacity.update()


def _check_changes(world: World, scenario: Scenario) -> None:
    old, new = world.scenario.flat(), scenario.flat()
    for name in FIXED_AT_START:
        if old[name] != new[name]:
            raise ScenarioError(f"{name} cannot change within a run: start a new one with it")
    experiments = "researcher__experiment_gpu_days"
    if world.pool is not None and (old[experiments] == 0) != (new[experiments] == 0):
        raise ScenarioError(
            f"{experiments} cannot change between 0 and another value if work is pooled, because the pool contains "
            "parts of papers. Start a new run with it"
        )
    if scenario.run.horizon_days < world.now:
        raise ScenarioError(
            f"run__horizon_days = {scenario.run.horizon_days:g} days lies before this moment, day {world.now:g}"
        )
    growth = inference_gpus(scenario.cluster) / max(1, world.inference_capacity.gpus_at_start)
    largest = growth * world.calibration.largest_work_rate(scenario.kernels.attention_share)
    check_population_size(scenario, largest, world.own_team.researchers, world.population.without_cohort)


def _resume(world: World, scenario: Scenario) -> None:
    """Continue a run that has stopped, if the new scenario raises the limit that stopped it."""
    ending = world.ending
    assert ending is not None, "only a run that is over can be reopened"
    until = scenario.run.stop_at_researchers
    room = scenario.run.horizon_days > world.now and scenario.run.max_doublings > world.doublings
    room = room and (until == 0 or until > world.active_researchers)
    if ending.ending not in _EXTENDABLE_ENDINGS or not room:
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
    check_jobs_end(new, world.datacenter)
    check_failure_rate(new)
    if new.run.sample_days != old.run.sample_days:
        world.restart_frames()
    if old.training.required and not new.training.required:
        _cancel_training(world)
    if new.kernels != old.kernels:
        _change_kernels(world, old)
    world.literature.params = new.literature


def _cancel_training(world: World) -> None:
    """Cancel the training run, which is no longer needed; its gain is deployed at once."""
    pool = world.datacenter.pool("training")
    if pool is None:
        return
    for job in [job for job in pool.jobs() if job.use == "training"]:
        pool.cancel(job)


def _change_law(world: World) -> None:
    """Apply the new growth law, calibrated with the team of day 0, from now on."""
    try:
        world.software.change_law(world.growth_law(world.own_team))
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _change_kernels(world: World, old: Scenario) -> None:
    """Keep the deployed kernels; change their value to the cluster and the rate of further candidates."""
    engineer = world.kernel_engineer
    if engineer.speedup > 1 and world.scenario.kernels.attention_share != old.kernels.attention_share:
        world.ledger.append(KernelsDeployed(world.now, engineer.candidates, engineer.speedup, world.work_rate))
    engineer.schedule_next()


def _change_cluster(world: World) -> None:
    """Apply the new cluster; a training run that is too large for it continues on fewer GPUs."""
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
    world.record_gpu_capacities()
    world.clock.advance(world.now)  # the changed cluster gives out its GPUs before they are counted
