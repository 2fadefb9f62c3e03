"""Convert scenarios into the arrays that the fluid engine reads, with one element per scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agents.kernel_model import candidates_per_day, research_pace
from agents.params import DAYS_PER_YEAR
from hardware.cluster.placement import largest_gang
from hardware.datacenter import SHARED, gpus_by_use, inference_gpus, pool_sizes
from hardware.uses import Use
from sim.feasibility import (
    check_jobs_end,
    check_jobs_fit,
    check_researcher_target,
    check_tasks_can_be_done,
    training_gpus,
)
from sim.growth import effort_doublings, software_doublings
from sim.kernel_calibration import MeasuredKernels
from sim.scenario.model import Scenario, ScenarioError

Floats = NDArray[np.float64]
VARIATIONS = ("fixed", "exponential", "lognormal")
MIN_SIGMA = 1e-6
"""Smallest standard deviation of a lognormal cost [log units]; below it, costs are fixed."""


@dataclass(slots=True)
class ParameterColumns:
    """Base class of tables: one field per column, all arrays of the same length."""

    def take(self, rows: NDArray[Any]) -> Self:
        """Return these rows of every column."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(slots=True)
class LabArrays(ParameterColumns):
    """Constants of each lab. Times are in days, GPU times in GPU-days, software and effort in doublings."""

    r: Floats
    """Returns to inputs."""
    p: Floats
    """Parallelization penalty."""
    limit: Floats
    """Limit of software [doublings]; inf without a limit."""
    log2_initial_effort: Floats
    """log2 of the effort before day 0 [effective papers]."""
    horizon: Floats
    """Day on which the run stops at the latest."""
    most_doublings: Floats
    """Number of doublings at which the run stops."""
    most_researchers: Floats
    """Number of active researchers at which the run stops."""
    initial: Floats
    """AIs that the inference GPUs run on day 0."""
    reference: Floats
    """Size of the reference team, to which `candidates` refers [researchers]."""
    think: Floats
    """Mean time of thinking about a paper, or of all work on it if its work is not divided into phases [days]."""
    write: Floats
    """Mean time of writing a paper [days]."""
    cost: Floats
    """Mean cost of an experiment on day 0 [GPU-days]; 0: papers need no experiment."""
    cheaper: Floats
    """1 - s, halvings of the cost of an experiment per doubling of software."""
    variation: NDArray[np.int64]
    """Distribution of costs, as an index into :data:`VARIATIONS`."""
    sigma: Floats
    """Standard deviation of a lognormal cost [log units]."""
    patience: Floats
    """Target duration of an experiment [days]; a longer one gets more GPUs."""
    gang: Floats
    """Largest number of GPUs of one experiment."""
    questions: Floats
    """Number of open questions; inf if there are no duplicates."""
    duplicate_weight: Floats
    """Weight of a duplicate relative to a new finding."""
    log2_software_share: Floats
    """log2 of the share of research that improves software; the rest is on safety."""
    gpus: Floats
    """GPUs of the cluster, less the mean need of background jobs."""
    background: Floats
    """Mean number of GPUs that background jobs need."""
    standing: Floats
    """GPUs of inference while no training run preempts them."""
    node: Floats
    """GPUs per node."""
    shared: NDArray[np.bool_]
    """Whether all uses share one pool."""
    experiment_share: Floats
    """GPUs for experiments if each use has its own partition."""
    training: NDArray[np.bool_]
    """Whether training runs are needed."""
    training_gpus: Floats
    """Largest number of GPUs of a training run."""
    first_run: Floats
    """Duration of the first training run on one GPU [days]."""
    scaling: Floats
    """Exponent of a training run's speed in its number of GPUs."""
    takes_all: NDArray[np.bool_]
    """Whether a generation takes up every waiting gain."""
    shortest_run: Floats
    """Shortest duration of a training run [days]."""
    gain: Floats
    """Gain that starts a training run [doublings]."""
    speedup_exponent: Floats
    """Share of each gain that is spent on shorter training runs."""
    failures: Floats
    """Failures per day and GPU."""
    checkpoint: Floats
    """Work between checkpoints [days]; 0: the interval that loses least."""
    checkpoint_cost: Floats
    """Time to write a checkpoint [days]."""
    restart: Floats
    """Time to restart a job after a failure [days]."""
    attention: Floats
    """Share of the cluster's work that is attention."""
    candidates: Floats
    """Kernel candidates per day of the reference team."""
    pace: Floats
    """Share of researchers' time that is spent on papers while kernels are searched."""
    candidate_gpu_days: Floats
    """GPU time of a candidate with the kernels of day 0 [GPU-days]."""
    goals: Floats
    """Candidates after which each faster kernel is deployed, of shape (labs, deployments); inf after the last."""
    speedups: Floats
    """Speed-up of attention before the first deployment and after each, of shape (labs, deployments + 1)."""
    humans: Floats
    """Human researchers on day 0."""
    human_growth: Floats
    """Growth of their number [doublings per day]."""
    human_papers_per_day: Floats
    """Papers per day of a human who never waits."""
    papers_in_progress: Floats
    """Papers in progress per human."""
    supervision: Floats
    """Time of a human for a task that AIs do, relative to doing it without AIs."""
    kinds: NDArray[np.int64]
    """Number of kinds of tasks of a paper."""
    in_series: NDArray[np.bool_]
    """Whether tasks come one after another and one AI works on each; otherwise they replace each other (CES)."""
    rho: Floats
    """How tasks combine, rho of a CES; -inf in series."""
    reallocation: NDArray[np.bool_]
    """Whether humans move to the tasks that AIs do not do."""
    log_productivity: Floats
    """ln of the productivity of an AI on a kind of task at its threshold."""
    productivity_slope: Floats
    """Exponent of that productivity in software above the threshold."""
    thresholds: Floats
    """Software at which AIs can do each kind of task [doublings], of shape (labs, largest number of kinds); ``inf`` for
    never, and beyond the number of kinds."""

    @property
    def pipeline(self) -> NDArray[np.bool_]:
        """Whether a paper needs an experiment or writing after it is thought out."""
        return (self.cost > 0) | (self.write > 0)

    def effort(self, doublings: Floats) -> Floats:
        """Return doublings of effort since day 0 at ``doublings`` of software; ``inf`` beyond the limit."""
        free = effort_doublings(doublings, self.r, self.p)
        bounded = effort_doublings(doublings, self.r, self.p, np.where(np.isinf(self.limit), 1.0, self.limit))
        return np.asarray(np.where(np.isinf(self.limit), free, bounded), dtype=float)

    def software(self, effort: Floats) -> Floats:
        """Return doublings of software after ``effort`` doublings of effort."""
        free = software_doublings(effort, self.r, self.p)
        bounded = software_doublings(effort, self.r, self.p, np.where(np.isinf(self.limit), 1.0, self.limit))
        return np.asarray(np.where(np.isinf(self.limit), free, bounded), dtype=float)


def supports(scenario: Scenario) -> str:
    """Return a sentence on why the fluid engine cannot run a scenario; empty if it can.

    The engine cannot run papers that humans or AIs finish after equal times, because these have no mean flow. That is
    the timing ``whole``, and ``pooled`` if there are humans. It has no nights and weekends. Like the World, it refuses
    a lab in which a kind of task is done by neither humans nor AIs. It refuses jobs that do not fit the cluster or
    never end, and a target that is reached on day 0. It also refuses files that cannot be read, and a time horizon as
    clock.
    """
    if reason := _unsupported(scenario):
        return reason
    try:
        scenario.background()
        scenario.calibration()
    except ScenarioError as error:
        return str(error)
    return ""


def _unsupported(scenario: Scenario) -> str:
    """Return why the engine cannot run a scenario, without reading its files; empty if it can."""
    if scenario.researcher.timing == "whole":
        return (
            "researcher__timing = 'whole' is not possible with the fluid engine, because whole papers have no mean "
            "flow; allowed: 'poisson' or 'pooled'. Change it, or use the World"
        )
    if scenario.policy.name != "fixed":
        return (
            f"policy__name = '{scenario.policy.name}' is not possible with the fluid engine, because it divides the "
            "GPUs during the run; allowed: 'fixed'. Change it, or use the World"
        )
    if scenario.horizon.law != "none":
        return (
            f"horizon__law = '{scenario.horizon.law}' is not possible with the fluid engine, in which AIs learn tasks "
            "when software is deployed; allowed: 'none'. Change it, or use the World"
        )
    if reason := _unsupported_labs(scenario) or _unsupported_humans(scenario):
        return reason
    capacities = _PoolCapacities(scenario)
    try:
        check_tasks_can_be_done(scenario)
        check_researcher_target(scenario)
        check_jobs_fit(scenario, capacities)
        check_jobs_end(scenario, capacities)
    except ScenarioError as error:
        return str(error)
    return ""


def _unsupported_labs(scenario: Scenario) -> str:
    """Return why the engine cannot run several labs, new GPUs, a regulator, or a lab that begins or ends later."""
    if len(scenario.labs) > 1:
        return (
            f"the scenario '{scenario.name}' has {len(scenario.labs)} labs, which the fluid engine cannot run; "
            "allowed: one lab. Use the World (`asara race`)"
        )
    found = {
        "supply__growth_per_year": (scenario.supply.growth_per_year, 1.0),
        "entry__day": (scenario.entry.day, 0.0),
        "entry__software_doublings": (scenario.entry.software_doublings, 0.0),
        "exit__kind": (scenario.exit.kind, "stays"),
        "regulator__policy": (scenario.regulator.policy, "none"),
    }
    for name, (value, allowed) in found.items():
        if value != allowed:
            return f"{name} = {value!r} is not possible with the fluid engine; allowed: {allowed!r}. Use the World"
    return ""


def _unsupported_humans(scenario: Scenario) -> str:
    """Return why the engine cannot simulate the humans of a scenario; empty if it can, or if there are none."""
    humans = scenario.humans
    if humans.initial == 0:
        return ""
    if scenario.researcher.timing == "pooled":
        return (
            "researcher__timing = 'pooled' with humans__initial above 0 is not possible with the fluid engine, because "
            "papers of humans then take equal times and have no mean flow; allowed: 'poisson'. Change it, or use the "
            "World"
        )
    if humans.working_share < 1:
        return (
            f"humans__hours_per_day = {humans.hours_per_day:g} and humans__days_per_week = {humans.days_per_week} are "
            "not possible with the fluid engine, because its mean flow has no nights and weekends; allowed: 24 and 7. "
            "Change them, or use the World"
        )
    return ""


def lab_arrays(scenarios: Sequence[Scenario]) -> LabArrays:
    """Return the arrays of some scenarios.

    Raises ScenarioError for a scenario that the engine does not support. The message contains the number and name of
    the scenario if there are several.
    """
    for number, scenario in enumerate(scenarios, 1):
        if reason := _unsupported(scenario):
            where = f"scenario {number} ({scenario.name}): " if len(scenarios) > 1 else ""
            raise ScenarioError(f"{where}{reason}")
    measured = _calibration_reader(scenarios)
    rows = [_lab_columns(scenario) for scenario in scenarios]
    goals, speedups = _deployments([(each, measured(each)) for each in scenarios])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    thresholds = _thresholds(scenarios)
    return LabArrays(**columns, goals=goals, speedups=speedups, thresholds=thresholds)


def _lab_columns(scenario: Scenario) -> dict[str, Any]:
    """Return the columns of one scenario, except those of its kernels."""
    return (
        _law_columns(scenario)
        | _researcher_columns(scenario)
        | _cluster_columns(scenario)
        | _task_columns(scenario)
        | {
            "attention": scenario.kernels.attention_share,
            "candidates": candidates_per_day(scenario.kernels, scenario.reference_team.researchers),
            "pace": research_pace(scenario.kernels, scenario.reference_team.researchers),
            "candidate_gpu_days": scenario.kernels.candidate_gpu_hours / 24,
        }
    )


def _law_columns(scenario: Scenario) -> dict[str, float]:
    law = scenario.law()
    return {
        "r": law.r,
        "p": law.p,
        "limit": law.limit,
        "log2_initial_effort": law.log2_initial_effort,
        "horizon": scenario.run.horizon_days,
        "most_doublings": float(scenario.run.max_doublings),
        "most_researchers": scenario.run.stop_at_researchers or math.inf,
    }


def _researcher_columns(scenario: Scenario) -> dict[str, Any]:
    params, literature = scenario.ai_researcher, scenario.literature
    alone = params.timing == "pooled" and params.experiment_gpu_days == 0  # all work is pooled, writing included
    writing = 0.0 if alone else params.writing_share
    capacity = _PoolCapacities(scenario).largest_gang(Use.EXPERIMENT)
    narrow = params.experiment_variation == "lognormal" and params.experiment_sigma < MIN_SIGMA
    return {
        "initial": scenario.hosted_at_start * 2.0**scenario.capability_at_start,
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
        "log2_software_share": math.log2(1 - scenario.policy.safety_share),
    }


def _cluster_columns(scenario: Scenario) -> dict[str, Any]:
    cluster, training = scenario.cluster, scenario.training
    capacities = _PoolCapacities(scenario)
    lifetime = cluster.gpu_hours_between_failures / 24
    load = scenario.background()
    background = load.mean_gpus if load is not None else 0.0
    return {
        "gpus": float(cluster.gpus) - background,
        "background": background,
        "standing": float(inference_gpus(cluster)),
        "node": float(cluster.gpus_per_node),
        "shared": cluster.partitioning == "priority",
        "experiment_share": max(0.0, pool_sizes(cluster).get(Use.EXPERIMENT, 0) - background),
        "training": training.required,
        "training_gpus": float(training_gpus(scenario, capacities)) if training.required else 0.0,
        "first_run": training.first_run_work,
        "scaling": training.scaling,
        "takes_all": training.takes_up == "all",
        "shortest_run": training.shortest_run_days,
        "gain": training.gain_doublings,
        "speedup_exponent": training.speedup_exponent if training.required else 0.0,
        "failures": 1 / lifetime if lifetime else 0.0,
        "checkpoint": cluster.checkpoint_hours / 24,
        "checkpoint_cost": cluster.checkpoint_seconds / 86_400,
        "restart": cluster.restart_hours / 24,
    }


def _task_columns(scenario: Scenario) -> dict[str, Any]:
    humans, automation = scenario.humans, scenario.ai_automation
    return {
        "humans": float(humans.initial),
        "human_growth": math.log2(humans.growth_per_year) / DAYS_PER_YEAR,
        "human_papers_per_day": humans.papers_per_day,
        "papers_in_progress": humans.papers_in_progress,
        "supervision": humans.supervision,
        "kinds": automation.kinds,
        "in_series": automation.combination == "series",
        "rho": automation.rho_of_tasks,
        "reallocation": automation.reallocation,
        "log_productivity": math.log(automation.ai_productivity),
        "productivity_slope": automation.productivity_slope,
    }


def _thresholds(scenarios: Sequence[Scenario]) -> Floats:
    """Return the deployed software at which AIs can do each kind of task, ``inf`` beyond the number of kinds."""
    found = np.full((len(scenarios), max(each.automation.kinds for each in scenarios)), np.inf)
    for row, scenario in enumerate(scenarios):
        found[row, : scenario.automation.kinds] = scenario.automation.thresholds() - scenario.capability_at_start
    return found


class _PoolCapacities:
    """Stand in for a Datacenter in checks: building one with a million GPUs would take a second."""

    def __init__(self, scenario: Scenario) -> None:
        self._params = scenario.cluster
        self._sizes = pool_sizes(scenario.cluster)

    def largest_gang(self, use: str) -> int:
        """Return the largest number of GPUs that one job of a use may have."""
        pool = self._sizes.get(SHARED) or self._sizes.get(use, 0)
        return largest_gang(self._params.placement, pool, self._params.gpus_per_node)

    @property
    def capacity(self) -> int:
        """Number of GPUs."""
        return self._params.gpus

    def gpus_by_use(self) -> dict[str, int]:
        """Return the GPUs of each use."""
        return gpus_by_use(self._params)

    def gpus_added(self, use: str) -> int:
        """Return 0: the equations have the GPUs of day 0 only."""
        return 0


def _calibration_reader(scenarios: Sequence[Scenario]) -> Callable[[Scenario], MeasuredKernels]:
    """Return a function for the calibration of a scenario; scenarios with equal measurements share one reading."""
    found: dict[Any, MeasuredKernels] = {}
    for scenario in scenarios:
        if scenario.kernels not in found:
            found[scenario.kernels] = scenario.calibration()
    return lambda scenario: found[scenario.kernels]


def _deployments(measured: Sequence[tuple[Scenario, MeasuredKernels]]) -> tuple[Floats, Floats]:
    """Return the candidates tried before each deployment, and the speed-ups, as the kernel engineer plans them."""
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
