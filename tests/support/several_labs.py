"""Build scenarios of several small labs for tests, and read the events of one of them."""

from __future__ import annotations

from typing import Any

from sim.events import LabEvent, RunEnded
from sim.scenario.model import Scenario
from sim.world import World

SMALL_LABS: dict[str, Any] = {
    "cluster__gpus": 48,
    "cluster__gpus_per_node": 4,
    "cluster__inference_share": 1 / 3,
    "cluster__training_share": 1 / 3,
    "cluster__gpu_hours_between_failures": 2000.0,
    "researcher__initial": 6,
    "researcher__papers_per_month": 6.0,
    "researcher__experiment_gpu_days": 4.0,
    "researcher__experiment_days": 2.0,
    "researcher__experiment_gpus": 4,
    "growth__first_doubling_days": 15.0,
    "growth__calibrated_for": 0.0,
    "training__first_run_days": 3.0,
    "training__first_run_gpus": 8,
    "training__gain": 1.2,
    "kernels__measurements": "none",
    "run__horizon_days": 30.0,
    "run__sample_days": 1.0,
    "run__max_doublings": 4,
}
"""Labs with a cluster that fails, experiments and training runs; a run takes about 50 ms."""

THINKERS: dict[str, Any] = {
    "cluster__gpus": 64,
    "cluster__gpus_per_node": 1,
    "cluster__inference_share": 1.0,
    "cluster__training_share": 0.0,
    "cluster__gpu_hours_between_failures": 0.0,
    "researcher__gpus_each": 1,
    "researcher__experiment_gpu_days": 0.0,
    "researcher__writing_share": 0.0,
    "training__required": False,
    "kernels__measurements": "none",
    "growth__first_doubling_days": 30.0,
    "growth__calibrated_for": 0.0,
}
"""Labs that only think: no experiment, no training run, no failure and no kernel."""


def labs_of(base: dict[str, Any], own: dict[str, dict[str, Any]], **shared: Any) -> Scenario:
    """Return a scenario with the labs of ``own``, each with parameters of its own by flat name."""
    scenario = Scenario(name="labs", labs=tuple(own)).replace(**(base | shared))
    return scenario.replace(**{f"{lab}.{name}": value for lab, each in own.items() for name, value in each.items()})


def run_to_end(world: World) -> World:
    """Run a world to its end and return it."""
    while world.running:
        world.step()
    return world


def events_of(world: World, lab: str) -> list[LabEvent]:
    """Return the events of one lab."""
    return [event for event in world.ledger if not isinstance(event, RunEnded) and event.lab == lab]
