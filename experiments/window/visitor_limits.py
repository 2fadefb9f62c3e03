"""What a visitor of the window may ask for at most, so that one browser cannot take a machine's memory."""

from __future__ import annotations

import math

from agents.kernel_engineer import UNCALIBRATED
from experiments.errors import InputError
from hardware.kernels.speedup_curve import shipped_measurements
from sim.background import NO_BACKGROUND
from sim.scenario.model import Scenario, parameters

MOST: dict[str, float] = {
    "researcher__initial": 10_000_000,
    "cluster__gpus": 100_000,
    "literature__open_questions": 100_000,
    "run__individuals_up_to": 20_000,
    "run__horizon_days": 36_500.0,
    "run__max_doublings": 128,
}
"""By flat name; every other parameter may be all that its declaration allows."""
MAX_NODES = 16_384
MAX_INDIVIDUALS = 20_000
"""Of a lab in which everybody is followed alone, on day 0."""


def check_bounds(scenario: Scenario) -> None:
    """Raise InputError, with what is allowed, for a scenario that is too large for the window."""
    flat = scenario.flat()
    for name, most in MOST.items():
        if flat[name] > most:
            raise InputError(f"{name} = {flat[name]:,.12g} {parameters()[name].unit}: the window allows {most:,.12g}")
    cluster, researcher = scenario.cluster, scenario.researcher
    nodes = math.ceil(cluster.gpus / cluster.gpus_per_node)
    if nodes > MAX_NODES:
        raise InputError(
            f"cluster__gpus = {cluster.gpus:,} and cluster__gpus_per_node = {cluster.gpus_per_node:,} make {nodes:,} "
            f"nodes: the window allows {MAX_NODES:,}"
        )
    one_by_one = researcher.timing == "pooled" and researcher.experiment_gpu_days > 0
    initial, most = scenario.initial_researchers, int(MOST["researcher__initial"])
    if researcher.initial:
        stated = f"researcher__initial = {initial:,} researchers"
    else:
        stated = (
            f"cluster__gpus = {cluster.gpus:,} with researcher__gpus_each = {researcher.gpus_each:g} makes {initial:,} "
            "researchers on day 0"
        )
    if one_by_one and initial > MAX_INDIVIDUALS:
        raise InputError(
            f"{stated}: pooled work with experiments follows everybody alone, and the window allows "
            f"{MAX_INDIVIDUALS:,} of them"
        )
    if initial > most:
        raise InputError(f"{stated}: the window allows {most:,}")


def check_background(name: str) -> None:
    """Raise InputError for a job log: what a visitor types never names a file."""
    if name != NO_BACKGROUND:
        raise InputError(f"cluster__background = '{name}': the window has {NO_BACKGROUND}")


def check_measurements(name: str) -> None:
    """Raise InputError for measurements that do not come with asara: what a visitor types never names a file."""
    there = [*shipped_measurements(), UNCALIBRATED]
    if name not in there:
        raise InputError(f"kernels__measurements = '{name}': the window has {', '.join(there)}")
