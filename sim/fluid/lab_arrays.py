"""Many labs as arrays: one element a scenario, of every number that the fluid engine reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from agents.kernel_engineer import candidates_per_day, research_pace
from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, Datacenter, inference_gpus, pool_sizes
from sim.feasibility import check_ends, check_jobs_fit, check_stop, training_gpus
from sim.growth import effort_doublings, software_doublings
from sim.kernel_calibration import MeasuredKernels
from sim.scenario.model import Scenario, ScenarioError

Floats = NDArray[np.float64]
VARIATIONS = ("fixed", "exponential", "lognormal")
MIN_SIGMA = 1e-6
"""Log units: a lognormal spread that is none."""


@dataclass(slots=True)
class ParameterColumns:
    """Arrays of one length; subclasses name them."""

    def take(self, rows: NDArray[Any]) -> Self:
        """Return these rows of every column."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(slots=True)
class LabArrays(ParameterColumns):
    """What does not change during a run. Times in days, GPU-times in GPU-days, software and effort in doublings."""

    r: Floats
    p: Floats
    limit: Floats
    log2_initial_effort: Floats
    horizon: Floats
    most_doublings: Floats
    most_researchers: Floats
    """At which it stops."""
    initial: Floats
    """Researchers on day 0."""
    reference: Floats
    """Researchers of whom `candidates` are."""
    think: Floats
    """Mean days of thinking about a paper; of all work on it where nothing comes before its writing."""
    write: Floats
    cost: Floats
    """Mean GPU-days of an experiment on day 0; 0: none is needed."""
    cheaper: Floats
    """1 - s."""
    variation: NDArray[np.int64]
    """Index in :data:`VARIATIONS`."""
    sigma: Floats
    patience: Floats
    """Days that an experiment may take."""
    gang: Floats
    """The most GPUs of one experiment."""
    questions: Floats
    """Open questions; inf where papers build on nothing."""
    duplicate_weight: Floats
    gpus: Floats
    """GPUs without those that background jobs need in the mean."""
    background: Floats
    """GPUs that background jobs need in the mean."""
    standing: Floats
    """GPUs on which researchers run while no training run takes them."""
    node: Floats
    shared: NDArray[np.bool_]
    """Whether all uses are in one pool."""
    experiment_share: Floats
    """GPUs for experiments where each use has its own."""
    training: NDArray[np.bool_]
    training_gpus: Floats
    """The most GPUs that a training run may have."""
    first_run: Floats
    """Days of the first run on one GPU."""
    scaling: Floats
    takes_all: NDArray[np.bool_]
    shortest_run: Floats
    gain: Floats
    speed_share: Floats
    failures: Floats
    """A day and GPU."""
    checkpoint: Floats
    """Days of work between checkpoints; 0: those that lose least."""
    checkpoint_cost: Floats
    """Days to write a checkpoint."""
    restart: Floats
    attention: Floats
    candidates: Floats
    """Tried a day by the reference team."""
    pace: Floats
    """Share of researchers' time that goes into papers while kernels are searched."""
    candidate_gpu_days: Floats
    """GPU-days that a candidate takes with the kernels of day 0."""
    goals: Floats
    """(labs, deployments) candidates after which each faster kernel is deployed; inf after the last."""
    speedups: Floats
    """(labs, deployments + 1) of attention, before the first deployment and after each."""

    @property
    def pipeline(self) -> NDArray[np.bool_]:
        """Where a paper does not count at once when it is thought out."""
        return (self.cost > 0) | (self.write > 0)

    def effort(self, doublings: Floats) -> Floats:
        """Return doublings of effort since day 0 at so many doublings of software; ``inf`` beyond the limit."""
        free = effort_doublings(doublings, self.r, self.p)
        bounded = effort_doublings(doublings, self.r, self.p, np.where(np.isinf(self.limit), 1.0, self.limit))
        return np.asarray(np.where(np.isinf(self.limit), free, bounded), dtype=float)

    def software(self, effort: Floats) -> Floats:
        """Return doublings of software after so many doublings of effort."""
        free = software_doublings(effort, self.r, self.p)
        bounded = software_doublings(effort, self.r, self.p, np.where(np.isinf(self.limit), 1.0, self.limit))
        return np.asarray(np.where(np.isinf(self.limit), free, bounded), dtype=float)


def lab_arrays(scenarios: Sequence[Scenario]) -> LabArrays:
    """Return the labs of some scenarios.

    Raises ScenarioError, with the number and name of the scenario if there are several, for one that no World could
    run for want of GPUs, and for whole papers, which come in lumps that no mean has.
    """
    measured = _calibrations(scenarios)
    rows = []
    for number, scenario in enumerate(scenarios, 1):
        try:
            rows.append(_lab(scenario))
        except ScenarioError as error:
            where = f"scenario {number} ({scenario.name}): " if len(scenarios) > 1 else ""
            raise ScenarioError(f"{where}{error}") from None
    goals, speedups = _deployments([(each, measured(each)) for each in scenarios])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return LabArrays(**columns, goals=goals, speedups=speedups)


def _lab(scenario: Scenario) -> dict[str, Any]:
    """The columns of one scenario, but for its kernels."""
    if scenario.researcher.timing == "whole":
        raise ScenarioError(
            "researcher__timing = 'whole' has no mean that flows: the fluid engine takes 'poisson' or 'pooled'"
        )
    check_stop(scenario)
    return (
        _law(scenario)
        | _researchers(scenario)
        | _cluster(scenario)
        | {
            "attention": scenario.kernels.attention_share,
            "candidates": candidates_per_day(scenario.kernels, scenario.reference_team.researchers),
            "pace": research_pace(scenario.kernels, scenario.reference_team.researchers),
            "candidate_gpu_days": scenario.kernels.candidate_gpu_hours / 24,
        }
    )


def _law(scenario: Scenario) -> dict[str, float]:
    law = scenario.law()
    return {
        "r": law.r,
        "p": law.p,
        "limit": law.limit,
        "log2_initial_effort": law.log2_initial_effort,
        "horizon": scenario.run.horizon_days,
        "most_doublings": float(scenario.run.max_doublings),
        "most_researchers": scenario.run.until_researchers or math.inf,
    }


def _researchers(scenario: Scenario) -> dict[str, Any]:
    params, literature = scenario.researcher, scenario.literature
    alone = params.timing == "pooled" and params.experiment_gpu_days == 0  # then all work is pooled, writing too
    writing = 0.0 if alone else params.writing_share
    capacity = _Capacities(scenario).largest_gang("experiment")
    narrow = params.experiment_variation == "lognormal" and params.experiment_sigma < MIN_SIGMA
    return {
        "initial": float(scenario.initial_researchers),
        "reference": float(scenario.reference_team.researchers),
        "think": (1 - writing) / params.papers_per_day,
        "write": writing / params.papers_per_day,
        "cost": params.experiment_gpu_days,
        "cheaper": 1 - params.experiment_scaling,
        "variation": VARIATIONS.index("fixed" if narrow else params.experiment_variation),
        "sigma": max(params.experiment_sigma, MIN_SIGMA),
        "patience": params.experiment_days,
        "gang": float(max(1, min(params.experiment_gpus, capacity))),
        "questions": math.inf if alone else float(literature.open_questions),
        "duplicate_weight": literature.duplicate_weight,
    }


def _cluster(scenario: Scenario) -> dict[str, Any]:
    cluster, training = scenario.cluster, scenario.training
    capacities = cast(Datacenter, _Capacities(scenario))
    check_jobs_fit(scenario, capacities)
    check_ends(scenario, capacities)
    lifetime = cluster.gpu_hours_between_failures / 24
    load = scenario.background()
    background = load.mean_gpus if load is not None else 0.0
    return {
        "gpus": float(cluster.gpus) - background,
        "background": background,
        "standing": float(inference_gpus(cluster)),
        "node": float(cluster.gpus_per_node),
        "shared": cluster.sharing == "priority",
        "experiment_share": max(0.0, pool_sizes(cluster).get("experiment", 0) - background),
        "training": training.needed,
        "training_gpus": float(training_gpus(scenario, capacities)) if training.needed else 0.0,
        "first_run": training.first_run_work,
        "scaling": training.scaling,
        "takes_all": training.takes_up == "all",
        "shortest_run": training.shortest_run_days,
        "gain": training.gain_doublings,
        "speed_share": training.speed_share if training.needed else 0.0,
        "failures": 1 / lifetime if lifetime else 0.0,
        "checkpoint": cluster.checkpoint_hours / 24,
        "checkpoint_cost": cluster.checkpoint_seconds / 86_400,
        "restart": cluster.restart_hours / 24,
    }


class _Capacities:
    """What a Datacenter says of its pools; to set up one of a million GPUs would take a second."""

    def __init__(self, scenario: Scenario) -> None:
        self._params = scenario.cluster
        self._sizes = pool_sizes(scenario.cluster)

    def largest_gang(self, use: str) -> int:
        """Return the most GPUs that one gang of a use may have."""
        pool = self._sizes.get(SHARED) or self._sizes.get(use, 0)
        return largest_gang(self._params.placement, pool, self._params.gpus_per_node)


def _calibrations(scenarios: Sequence[Scenario]) -> Callable[[Scenario], MeasuredKernels]:
    """The calibration of each scenario, read once for all that share its measurements."""
    found: dict[Any, MeasuredKernels] = {}
    for scenario in scenarios:
        if scenario.kernels not in found:
            found[scenario.kernels] = scenario.calibration()
    return lambda scenario: found[scenario.kernels]


def _deployments(measured: Sequence[tuple[Scenario, MeasuredKernels]]) -> tuple[Floats, Floats]:
    """When which kernels are deployed, in candidates tried: as agents.kernel_engineer plans it, one after the other."""
    known: dict[Any, list[tuple[float, float]]] = {}
    for scenario, calibration in measured:
        if scenario.kernels not in known:
            known[scenario.kernels] = _kernel_deployments(scenario, calibration)
    most = max(len(plan) for plan in known.values())
    goals = np.full((len(measured), most + 1), np.inf)
    speedups = np.ones((len(measured), most + 2))
    for row, (scenario, _) in enumerate(measured):
        plan = known[scenario.kernels]
        goals[row, : len(plan)] = [tried for tried, _ in plan]
        speedups[row, 1 : len(plan) + 1] = [speedup for _, speedup in plan]
    return goals, speedups


def _kernel_deployments(scenario: Scenario, calibration: MeasuredKernels) -> list[tuple[float, float]]:
    curve = calibration.curve
    plan: list[tuple[float, float]] = []
    tried, speedup = 0.0, 1.0
    while curve is not None and speedup < curve.largest and scenario.kernels.candidates_per_day > 0:
        goal = min(speedup * (1 + scenario.kernels.deploy_step), curve.largest)
        tried = max(tried, curve.candidates_to_reach(goal))
        speedup = max(goal, curve.speedup_after(tried))
        plan.append((tried, speedup))
    return plan
