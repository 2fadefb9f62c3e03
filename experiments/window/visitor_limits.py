"""Limit the size of the scenarios of visitors, so that one browser cannot exhaust the memory of the server."""

from __future__ import annotations

import math

from agents.params import UNCALIBRATED
from experiments.errors import InputError
from hardware.kernels.speedup_curve import shipped_measurements
from sim.background import NO_BACKGROUND
from sim.governance.params import NO_POLICY
from sim.governance.policy_files import shipped_policies
from sim.scenario.model import Scenario, parameters

MAX_VALUES: dict[str, float] = {
    "researcher__initial": 10_000_000,
    "cluster__gpus": 100_000,
    "humans__initial": 2_000,
    "humans__growth_per_year": 10.0,
    "humans__papers_in_progress": 20.0,
    "automation__kinds": 100,
    "literature__open_questions": 100_000,
    "run__max_individuals": 20_000,
    "run__horizon_days": 36_500.0,
    "run__max_doublings": 128,
}
"""Maximum by flat name; other parameters have their declared bounds only."""
MAX_NODES = 16_384
MAX_HUMANS = 20_000
"""Maximum number of humans at the horizon."""
MAX_INDIVIDUALS = 20_000
"""Maximum number of individual researchers on day 0."""
NEXT_STEP = "Use `asara run` for larger scenarios."


def check_bounds(scenario: Scenario) -> None:
    """Raise InputError, with the allowed range, if a scenario or one of its labs is too large for the page."""
    if len(scenario.labs) > 1:
        for lab in scenario.labs:
            check_bounds(scenario.lab_scenario(lab))
        return
    flat = scenario.flat()
    for name, most in MAX_VALUES.items():
        if flat[name] > most:
            raise InputError(
                f"{name} = {flat[name]:,.12g} {parameters()[name].unit} is too large for the page; allowed: at most "
                f"{most:,.12g}. {NEXT_STEP}"
            )
    humans = scenario.humans
    if humans.log_staff(scenario.run.horizon_days) > math.log(MAX_HUMANS):
        raise InputError(
            f"humans__initial = {humans.initial:,} and humans__growth_per_year = {humans.growth_per_year:g} make too "
            f"many humans for the page by day {scenario.run.horizon_days:,.0f}; allowed: at most {MAX_HUMANS:,}. "
            f"{NEXT_STEP}"
        )
    cluster, researcher = scenario.cluster, scenario.researcher
    nodes = math.ceil(cluster.gpus / cluster.gpus_per_node)
    if nodes > MAX_NODES:
        raise InputError(
            f"cluster__gpus = {cluster.gpus:,} and cluster__gpus_per_node = {cluster.gpus_per_node:,} make {nodes:,} "
            f"nodes, too many for the page; allowed: at most {MAX_NODES:,}. {NEXT_STEP}"
        )
    needs_individuals = researcher.timing == "pooled" and researcher.experiment_gpu_days > 0
    initial, most = scenario.initial_researchers, int(MAX_VALUES["researcher__initial"])
    if researcher.initial:
        origin = f"researcher__initial = {initial:,} researchers"
    else:
        origin = (
            f"cluster__gpus = {cluster.gpus:,} with researcher__gpus_each = {researcher.gpus_each:g} makes {initial:,} "
            "researchers on day 0"
        )
    if needs_individuals and initial > MAX_INDIVIDUALS:
        raise InputError(
            f"{origin}; pooled work with experiments needs individual researchers; allowed on the page: at most "
            f"{MAX_INDIVIDUALS:,}. {NEXT_STEP}"
        )
    if initial > most:
        raise InputError(f"{origin}, too many for the page; allowed: at most {most:,}. {NEXT_STEP}")


def check_background(name: str) -> None:
    """Raise InputError for a job log: a typed value never names a file."""
    if name != NO_BACKGROUND:
        raise InputError(f"cluster__background = '{name}' is not available on the page; allowed: {NO_BACKGROUND}")


def check_measurements(name: str) -> None:
    """Raise InputError for measurements that are not shipped with asara: a typed value never names a file."""
    available = [*shipped_measurements(), UNCALIBRATED]
    if name not in available:
        raise InputError(
            f"kernels__measurements = '{name}' is not available on the page; allowed: {', '.join(available)}"
        )


def available_policies() -> tuple[str, ...]:
    """Return the governance policies that a visitor can choose."""
    return (NO_POLICY, *shipped_policies())


def check_policy(name: str) -> None:
    """Raise InputError for a governance policy that is not shipped with asara: a typed value never names a file."""
    if name not in available_policies():
        raise InputError(
            f"regulator__policy = '{name}' is not available on the page; allowed: {', '.join(available_policies())}. "
            "Choose one of them"
        )
