"""Check a change of the scenario or the nodes of a running lab, and apply it to the parts of the lab.

:class:`sim.lab.Lab` uses these functions; each takes only the parts that it reads or changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agents.trainer import Trainer
from hardware.cluster.params import ClusterParams
from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, Datacenter
from hardware.uses import Use
from sim.events import RunEnded
from sim.scenario.model import Scenario, ScenarioError

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
    "policy__name",
    "humans__initial",
    "automation__combination",
    "automation__kinds",
    "automation__never_share",
    "automation__reallocation",
    "start__given_by",
    "start__copies_per_researcher",
    "start__training_flop",
    "start__training_days",
    "start__size_rule",
    "start__tokens_per_parameter",
    "start__fixed_parameters",
    "start__fixed_tokens",
    "start__tokens_per_second",
    "start__serial_speed",
    "start__utilisation_ratio",
    "start__thinking_seconds",
    "start__context_tokens",
    "start__cache_bytes_per_token",
    "start__gpu_memory_gb",
    "start__gpu_flop_per_second",
    "start__weights_share",
    "entry__day",
    "entry__software_doublings",
    "entry__gpu_share",
)
"""Parameters that a branch cannot change, because they determine how the world is built."""

_EXTENDABLE_ENDINGS = ("horizon", "doublings", "researchers")
"""Endings after which a run can continue under another scenario with a later or larger limit."""


def check_change(old: Scenario, new: Scenario, day: float, is_pooled: bool) -> None:
    """Refuse a change that a run does not allow on this day; ``is_pooled``: whether its researchers think together.

    Raises ScenarioError for a parameter that is fixed within a run, and for a horizon before ``day``.
    """
    before, after = old.flat(), new.flat()
    for name in FIXED_AT_START:
        if before[name] != after[name]:
            raise ScenarioError(f"{name} cannot change within a run: start a new one with it")
    experiments = "researcher__experiment_gpu_days"
    if is_pooled and (before[experiments] == 0) != (after[experiments] == 0):
        raise ScenarioError(
            f"{experiments} cannot change between 0 and another value if work is pooled, because the pool contains "
            "parts of papers. Start a new run with it"
        )
    if new.run.horizon_days < day:
        raise ScenarioError(f"run__horizon_days = {new.run.horizon_days:g} days lies before this moment, day {day:g}")


def check_same_labs(before: Sequence[str], after: Sequence[str]) -> None:
    """Refuse to add or remove a lab within a run. Raises ScenarioError."""
    if max(len(before), len(after)) > 1 and set(before) != set(after):
        there = ", ".join(before) or "one lab without a name"
        raise ScenarioError(f"the labs {', '.join(after)} are not those of the run; allowed: {there}. Start a new run")


def check_resumable(ending: RunEnded, new: Scenario, day: float, doublings: int, researchers: int) -> None:
    """Refuse to continue a run that is over, unless the new scenario raises the limit that stopped it.

    ``doublings`` and ``researchers``: completed doublings and active researchers of the run. Raises ScenarioError.
    """
    target = new.run.stop_at_researchers
    room = new.run.horizon_days > day and new.run.max_doublings > doublings
    room = room and (target == 0 or target > researchers)
    if ending.ending not in _EXTENDABLE_ENDINGS or not room:
        raise ScenarioError(f"this run is over ({ending.ending}): branch from an earlier moment")


def change_cluster(cluster: ClusterParams, datacenter: Datacenter, trainer: Trainer) -> None:
    """Apply the new cluster; a training run that is too large for it continues on fewer GPUs.

    A run on `training__gpus` GPUs does not. A run continues on more GPUs if its policy wants that.

    Raises ScenarioError if another job could never start again.
    """
    largest = datacenter.largest_gang_under(Use.TRAINING, cluster)
    interrupted = _shrinks(trainer, largest) or _extends(trainer, largest)
    if interrupted:
        trainer.interrupt()
    try:
        datacenter.reconfigure(cluster)
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    if interrupted:
        trainer.resume()


def add_nodes(datacenter: Datacenter, trainer: Trainer, use: str, number: int, speed: float) -> None:
    """Add nodes for a use; a training run continues on more GPUs if its policy wants that. Raises ValueError."""
    before = datacenter.largest_gang(Use.TRAINING)
    datacenter.add_nodes(use, number, speed)
    largest = datacenter.largest_gang(Use.TRAINING)
    if largest > before and _extends(trainer, largest):
        trainer.interrupt()
        trainer.resume()


def retire_nodes(datacenter: Datacenter, trainer: Trainer, use: str, number: int, speed: float | None) -> None:
    """Retire nodes of a use; a training run that is too large for the others continues on fewer GPUs.

    A run on `training__gpus` GPUs does not. Raises ValueError, before it changes anything, if a job could never start
    again.
    """
    run, params = trainer.run, datacenter.params
    in_pool = use in (Use.TRAINING, SHARED) or params.partitioning == "priority"
    capacity = datacenter.capacity_of(Use.TRAINING) - number * params.gpus_per_node
    largest = largest_gang(params.placement, max(0, capacity), params.gpus_per_node)
    if in_pool and run is not None and _shrinks(trainer, largest):
        datacenter.retire_nodes(use, number, speed, leaving=[run.number])
        trainer.interrupt()
        trainer.resume()
    else:
        datacenter.retire_nodes(use, number, speed)


def release_nodes(datacenter: Datacenter) -> list[tuple[str, int, float]]:
    """Retire all nodes, and return them as use, number and speed; jobs wait without end.

    In a shared pool, inference has the slowest nodes. A last node with fewer GPUs than the others stays.
    """
    released = []
    for use in (Use.INFERENCE, Use.EXPERIMENT, Use.TRAINING):
        pool = datacenter.pool(use)
        if pool is None:
            continue
        size, shared = datacenter.params.gpus_per_node, datacenter.params.partitioning == "priority"
        left = datacenter.gpus_by_use()[use] // size if shared and use == Use.INFERENCE else math.inf
        name = SHARED if shared and use != Use.INFERENCE else str(use)
        for speed, nodes in sorted(pool.nodes_by_speed().items()):
            number = int(min(nodes, left))
            if number > 0:
                datacenter.retire_nodes(name, number, speed, may_strand=True)
                released.append((name, number, speed))
                left -= number
    return released


def _shrinks(trainer: Trainer, largest: int) -> bool:
    """Return whether the present training run is too large for ``largest`` GPUs, and can continue on them."""
    run = trainer.run
    return run is not None and trainer.settings.training.gpus <= largest and 0 < largest < run.gpus


def _extends(trainer: Trainer, largest: int) -> bool:
    """Return whether the present training run moves to a pool that allows ``largest`` GPUs."""
    run = trainer.run
    return run is not None and largest > run.gpus and trainer.policy.continues_on_more_gpus(run.gpus, largest)


def cancel_training(datacenter: Datacenter) -> None:
    """Cancel the training run, which is no longer needed; its gain is deployed at once."""
    pool = datacenter.pool(Use.TRAINING)
    if pool is None:
        return
    for job in [job for job in pool.jobs() if job.use == Use.TRAINING]:
        pool.cancel(job)
