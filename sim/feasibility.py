"""Check before a run that its jobs fit the cluster and that its agents fit a computer."""

import math
from collections.abc import Collection, Iterator
from typing import Protocol

from hardware.cluster.reliability import NEVER, Array, checkpoint_interval, fastest_gpus, job_time
from hardware.uses import Use
from sim.growth import FrozenLaw
from sim.scenario.model import Scenario, ScenarioError
from sim.start import ResearchersStart

MAX_AGENTS = 1 << 20
"""Largest number of researchers that one run simulates as individual agents, and of individual humans. It also limits
the papers in progress of humans or, if they are a cohort, the batches of papers."""
MAX_JOB_DAYS = 1e6
"""Largest mean duration of a job, failures included [days]: the longest horizon."""
MAX_FAILURES_PER_DAY = 1000
"""Largest number of GPU failures per day that a World simulates."""
MAX_RESEARCHERS = 1e15
"""Largest number of researchers of a run: floating point represents larger whole numbers inexactly."""
_ADVICE_ON_SUPPLY = ", or lower supply__most_gpus, supply__most_speed or run__horizon_days"


class Capacities(Protocol):
    """The GPUs of a lab now, as `hardware.datacenter.Datacenter` reports them."""

    @property
    def capacity(self) -> int:
        """Number of GPUs of all uses."""

    def largest_gang(self, use: str) -> int:
        """Return the largest number of GPUs that one job of a use can have."""

    def gpus_by_use(self) -> dict[str, int]:
        """Return the GPUs of each use."""

    def gpus_added(self, use: str) -> int:
        """Return the number of GPUs that were added for a use since day 0, less those retired."""


def check_population_size(
    scenario: Scenario, work_rate: float = 1.0, initial: float | None = None, own_class: str = ""
) -> None:
    """Refuse a run that would need more agents or more researchers than the limits of this module.

    Arguments
    ---------
    scenario
        The scenario of the run.
    work_rate
        Largest work rate that the cluster can reach, relative to day 0.
    initial
        Number of researchers on day 0, by default that of the scenario.
    own_class
        Name of a class of researchers without a cohort; each of them is then an agent.
    """
    researcher = scenario.researcher
    frozen = isinstance(scenario.growth, FrozenLaw)
    most = scenario.capability_at_start if frozen else float(scenario.run.max_doublings)
    check_researcher_target(scenario)
    wanted = scenario.run.stop_at_researchers
    pooled_experiments = researcher.timing == "pooled" and researcher.experiment_gpu_days > 0
    one_by_one = pooled_experiments or bool(own_class)
    if researcher.timing == "pooled" and not one_by_one:
        return
    limit = MAX_AGENTS if one_by_one else MAX_RESEARCHERS
    initial = initial or scenario.initial_researchers
    start = initial * work_rate
    largest = start * 2.0**most
    if wanted:
        largest = min(largest, 2 * work_rate * scenario.training.gain * wanted)
    if largest > limit:
        needs = f"{own_class} without a cohort class" if own_class else "pooled work with experiments"
        kept = f"as agents, which {needs} needs" if one_by_one else "at most"
        name = "growth__ai_doublings" if frozen else "run__max_doublings"
        raise ScenarioError(
            f"{name} = {most:g} would make {initial:,.15g} researchers of day 0 into {largest:.3g} "
            f"researchers; one run holds {limit:.7g} {kept}: set {name} to at most "
            f"{max(0, int(math.log2(limit / start)))}" + _ADVICE_ON_SUPPLY * scenario.supply.delivers
        )


def check_researcher_target(scenario: Scenario) -> None:
    """Refuse a run whose target number of researchers is reached on day 0.

    AIs that assist humans are not counted as researchers, so that any target is reached after day 0 then.
    """
    wanted, initial = scenario.run.stop_at_researchers, scenario.initial_researchers
    if 0 < wanted <= initial and scenario.automation.is_complete(0.0):
        raise ScenarioError(
            f"run__stop_at_researchers = {wanted:.15g} is reached by the {initial:,} researchers of day 0; allowed: "
            f"above {initial:,}, or 0 for no such stop. Raise it"
        )


def check_tasks_can_be_done(scenario: Scenario) -> None:
    """Refuse a lab in which no paper is ever written, because a kind of task is done by neither humans nor AIs."""
    humans, automation = scenario.humans.initial, scenario.automation
    if 0 < humans < automation.kinds and not automation.reallocation:
        raise ScenarioError(
            f"humans__initial = {humans} is too small for automation__kinds = {automation.kinds} if humans stay with "
            f"their kind of task (automation__reallocation = false); allowed: {automation.kinds} or more. Raise it, or "
            "set automation__reallocation to true"
        )
    if humans == 0 and not scenario.is_automated:
        raise ScenarioError(
            "humans__initial = 0 leaves the tasks undone that AIs cannot do on day 0, so that no paper is ever "
            "written; allowed: 1 or more. Set it, or set automation__last_threshold to at most 0 and "
            "automation__never_share to 0"
        )


def check_start(scenario: Scenario) -> None:
    """Refuse parameters that the start by training compute does not read, and a start without researchers."""
    start = scenario.start
    if isinstance(start, ResearchersStart):
        return
    default = type(scenario.researcher)()
    for name in ("initial", "gpus_each"):
        value, wanted = getattr(scenario.researcher, name), getattr(default, name)
        if value != wanted:
            raise ScenarioError(
                f"researcher__{name} = {value:g} is not read under start__given_by = '{start.given_by}'; allowed: "
                f"{wanted:g}, its default. Remove it, or set start__given_by = 'researchers'"
            )
    if start.researchers < 1:
        raise ScenarioError(
            f"start__copies_per_researcher = {start.copies_per_researcher:g} leaves {start.researchers:.3g} AI "
            "researchers on the day on which AIs do all research; allowed: enough for at least 1. Lower it, or raise "
            "start__training_flop"
        )


def check_number_of_humans(scenario: Scenario, own_class: str = "") -> None:
    """Refuse a lab whose schedule exceeds the limits of this module by the horizon.

    ``own_class``: name of a class of humans without a cohort; each of them is then an agent. A cohort has at most
    ``papers_in_progress / leap_tolerance`` batches of papers in each group of humans that may do the same tasks.
    """
    humans, run, automation = scenario.humans, scenario.run, scenario.automation
    log_humans = humans.log_staff(run.horizon_days)
    log_papers = log_humans + math.log(humans.papers_in_progress)
    most, drafts = MAX_AGENTS, "papers in progress"
    if run.leap_tolerance > 0 and not own_class and log_humans > math.log(max(1, run.max_individuals)):
        individuals = humans.papers_in_progress * run.max_individuals
        groups = 1 if automation.reallocation else automation.kinds
        batches = humans.papers_in_progress * groups / run.leap_tolerance
        log_papers = min(log_papers, math.log(max(individuals, batches)))
        most, drafts = int(MAX_RESEARCHERS), "papers or batches of papers in progress"
    for name, log_number, limit in (("humans", log_humans, most), (drafts, log_papers, MAX_AGENTS)):
        if log_number > math.log(limit):
            raise ScenarioError(
                f"humans__initial = {humans.initial:,} and humans__growth_per_year = {humans.growth_per_year:g} make "
                f"10^{log_number / math.log(10):.2f} {name} by the horizon, day {run.horizon_days:g}; allowed: at most "
                f"{limit:,}. Lower one of them, humans__papers_in_progress or run__horizon_days"
            )


def check_jobs_fit(scenario: Scenario, capacities: Capacities, uses: Collection[str] = tuple(Use)) -> None:
    """Refuse jobs of some uses that are larger than the present share of the cluster for their use."""
    cluster = scenario.cluster
    shares = (
        f"cluster__inference_share = {cluster.inference_share:g}, cluster__training_share = "
        f"{cluster.training_share:g}, the rest for experiments"
    )
    if cluster.placement == "consolidated":
        shares += f", in whole nodes of cluster__gpus_per_node = {cluster.gpus_per_node}"
    total = f"cluster__gpus = {cluster.gpus} ({shares})"
    if capacities.capacity != cluster.gpus:
        total = f"the {capacities.capacity} GPUs of now, after changes of the nodes of {total}"
    for use, name, gpus in _expected_jobs(scenario, capacities):
        largest = _largest_gang_ever(scenario, capacities, use)
        if use in uses and gpus > largest:
            raise ScenarioError(f"{name} {gpus} GPUs, but a job for {use} can have at most {largest} of {total}")


def training_gpus(scenario: Scenario, capacities: Capacities) -> int:
    """Return the largest number of GPUs of a training run now: `training__gpus`, or all GPUs for training.

    In a shared pool these are the share of the GPUs of day 0, and the nodes added for training since.
    """
    cluster = scenario.cluster
    if scenario.training.gpus:
        return scenario.training.gpus
    if cluster.partitioning == "static":
        return capacities.largest_gang(Use.TRAINING)
    share = int(cluster.training_share * cluster.gpus) + capacities.gpus_added(Use.TRAINING)
    return min(capacities.largest_gang(Use.TRAINING), max(0, share))


def run_days(scenario: Scenario, gpus: Array, one_gpu_days: Array) -> Array:
    """Return the mean duration of a training run with failures, restarts and checkpoints [days].

    ``one_gpu_days`` is its duration on one GPU that never fails.
    """
    cluster = scenario.cluster
    life, write = cluster.gpu_hours_between_failures / 24, cluster.checkpoint_seconds / 86_400
    interval = checkpoint_interval(cluster.checkpoint_hours / 24, write, life, gpus)
    failures = gpus / life if life else 0.0 * gpus
    return job_time(
        one_gpu_days / gpus**scenario.training.scaling, failures, interval, write, cluster.restart_hours / 24
    )


def fastest_run_gpus(scenario: Scenario, most: int, one_gpu_days: float) -> Array:
    """Return the number of GPUs, up to ``most``, on which a training run has the shortest mean duration."""
    return fastest_gpus(float(most), lambda gpus: run_days(scenario, gpus, one_gpu_days))


def check_jobs_end(scenario: Scenario, capacities: Capacities) -> None:
    """Refuse jobs whose mean duration, with failures, is more than MAX_JOB_DAYS."""
    shown = f"cluster__gpu_hours_between_failures = {scenario.cluster.gpu_hours_between_failures:g} GPU-hours"
    if scenario.training.required:
        most, work = max(1, training_gpus(scenario, capacities)), scenario.training.first_run_work
        days = float(run_days(scenario, fastest_run_gpus(scenario, most, work), work))
        if days > MAX_JOB_DAYS:
            raise ScenarioError(
                f"{shown} makes the first training run of {scenario.training.first_run_days:g} days on "
                f"{scenario.training.first_run_gpus:,} GPUs {_describe_duration(days)}; a job may take "
                f"{MAX_JOB_DAYS:,.0f} days on average. Make failures rarer, or the run smaller"
            )
    params = scenario.ai_researcher
    if params.experiment_gpu_days > 0:
        work = params.experiment_gpu_days / max(1, params.experiment_gpus)
        gpus = min(params.experiment_gpus, max(1, math.ceil(params.experiment_gpu_days / params.experiment_days)))
        work = params.experiment_gpu_days / gpus
        days = float(run_days(scenario, float(gpus), work * gpus**scenario.training.scaling))
        if days > MAX_JOB_DAYS:
            raise ScenarioError(
                f"{shown} makes an experiment of {params.experiment_gpu_days:g} GPU-days {_describe_duration(days)}; "
                f"a job may take {MAX_JOB_DAYS:,.0f} days on average. Make failures rarer, or experiments smaller"
            )


def check_failure_rate(scenario: Scenario, gpus: int) -> None:
    """Refuse a cluster with more than MAX_FAILURES_PER_DAY failures of jobs per day, which would take hours to run.

    ``gpus``: GPUs that can fail, which are those of experiments and training.
    """
    cluster = scenario.cluster
    if not cluster.gpu_hours_between_failures:
        return
    per_day = gpus * 24 / cluster.gpu_hours_between_failures
    if per_day > MAX_FAILURES_PER_DAY:
        least = cluster.gpu_hours_between_failures * per_day / MAX_FAILURES_PER_DAY
        raise ScenarioError(
            f"cluster__gpu_hours_between_failures = {cluster.gpu_hours_between_failures:g} GPU-hours is too short for "
            f"{gpus:,} GPUs for experiments and training: up to {per_day:,.0f} failures a day; allowed: 0 (none) or at "
            f"least {least:,.4g} GPU-hours ({MAX_FAILURES_PER_DAY:,} failures a day). Make failures rarer"
        )


def _describe_duration(days: float) -> str:
    return f"take {days:,.3g} days" if days < NEVER else "never end"


def _largest_gang_ever(scenario: Scenario, capacities: Capacities, use: str) -> int:
    """Return the largest number of GPUs that a job of a use can get.

    In a shared pool, inference keeps its GPUs unless training may preempt it.
    """
    cluster, inference = scenario.cluster, capacities.gpus_by_use()[Use.INFERENCE]
    if use == Use.INFERENCE:
        return inference
    pushes_out = use == Use.TRAINING and cluster.preemption
    if cluster.partitioning == "priority" and not pushes_out:
        return min(capacities.largest_gang(use), capacities.capacity - inference)
    return capacities.largest_gang(use)


def _expected_jobs(scenario: Scenario, capacities: Capacities) -> Iterator[tuple[str, str, int]]:
    """Yield use, start of the message and GPUs of each job that the run will submit."""
    yield Use.INFERENCE, "researchers need at least", 1
    if scenario.researcher.experiment_gpu_days > 0:
        yield Use.EXPERIMENT, "researcher__experiment_gpus =", scenario.researcher.experiment_gpus
    if scenario.training.required and scenario.training.gpus:
        yield Use.TRAINING, "training__gpus =", scenario.training.gpus
    elif scenario.training.required:
        yield Use.TRAINING, "training__required asks for at least", max(1, training_gpus(scenario, capacities))
