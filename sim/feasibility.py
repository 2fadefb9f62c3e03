"""Check before a run that its jobs fit the cluster and that its agents fit a computer."""

import math
from collections.abc import Iterator

from hardware.cluster.reliability import NEVER, Array, checkpoint_interval, fastest_gpus, job_time
from hardware.datacenter import Datacenter, inference_gpus, inference_node_sizes
from hardware.uses import Use
from sim.growth import FrozenLaw
from sim.scenario.model import Scenario, ScenarioError
from sim.start import ResearchersStart

MAX_AGENTS = 1 << 20
"""Largest number of researchers that one run simulates as individual agents."""
MAX_JOB_DAYS = 1e6
"""Largest mean duration of a job, failures included [days]: the longest horizon."""
MAX_FAILURES_PER_DAY = 1000
"""Largest number of GPU failures per day that a World simulates."""
MAX_RESEARCHERS = 1e15
"""Largest number of researchers of a run: floating point represents larger whole numbers inexactly."""


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
            f"{max(0, int(math.log2(limit / start)))}"
        )


def check_researcher_target(scenario: Scenario) -> None:
    """Refuse a run whose target number of researchers is reached on day 0."""
    wanted, initial = scenario.run.stop_at_researchers, scenario.initial_researchers
    if 0 < wanted <= initial:
        raise ScenarioError(
            f"run__stop_at_researchers = {wanted:.15g} is reached by the {initial:,} researchers of day 0; allowed: "
            f"above {initial:,}, or 0 for no such stop. Raise it"
        )


def check_tasks_can_be_done(scenario: Scenario) -> None:
    """Refuse a lab without humans in which AIs cannot do all tasks on day 0: it would write no paper."""
    if scenario.humans.initial == 0 and not scenario.is_automated:
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


def check_jobs_fit(scenario: Scenario, datacenter: Datacenter) -> None:
    """Refuse jobs that are larger than the share of the cluster for their use."""
    cluster = scenario.cluster
    shares = (
        f"cluster__inference_share = {cluster.inference_share:g}, cluster__training_share = "
        f"{cluster.training_share:g}, the rest for experiments"
    )
    if cluster.placement == "consolidated":
        shares += f", in whole nodes of cluster__gpus_per_node = {cluster.gpus_per_node}"
    for use, name, gpus in _expected_jobs(scenario, datacenter):
        largest = _largest_gang_ever(scenario, datacenter, use)
        if gpus > largest:
            raise ScenarioError(
                f"{name} {gpus} GPUs, but a job for {use} can have at most {largest} of cluster__gpus = "
                f"{cluster.gpus} ({shares})"
            )


def training_gpus(scenario: Scenario, datacenter: Datacenter) -> int:
    """Return the largest number of GPUs of a training run: `training__gpus`, or the whole training share."""
    cluster = scenario.cluster
    if scenario.training.gpus:
        return scenario.training.gpus
    if cluster.partitioning == "static":
        return datacenter.largest_gang(Use.TRAINING)
    return min(datacenter.largest_gang(Use.TRAINING), int(cluster.training_share * cluster.gpus))


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


def check_jobs_end(scenario: Scenario, datacenter: Datacenter) -> None:
    """Refuse jobs whose mean duration, with failures, is more than MAX_JOB_DAYS."""
    shown = f"cluster__gpu_hours_between_failures = {scenario.cluster.gpu_hours_between_failures:g} GPU-hours"
    if scenario.training.required:
        most, work = max(1, training_gpus(scenario, datacenter)), scenario.training.first_run_work
        days = float(run_days(scenario, fastest_run_gpus(scenario, most, work), work))
        if days > MAX_JOB_DAYS:
            raise ScenarioError(
                f"{shown} makes the first training run of {scenario.training.first_run_days:g} days on "
                f"{scenario.training.first_run_gpus:,} GPUs {_describe_duration(days)}; a job may take "
                f"{MAX_JOB_DAYS:,.0f} days on average. Make failures rarer, or the run smaller"
            )
    params = scenario.researcher
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


def check_failure_rate(scenario: Scenario) -> None:
    """Refuse a cluster with more than MAX_FAILURES_PER_DAY failures of jobs per day, which would take hours to run."""
    cluster = scenario.cluster
    if not cluster.gpu_hours_between_failures:
        return
    per_day = (cluster.gpus - inference_gpus(cluster)) * 24 / cluster.gpu_hours_between_failures
    if per_day > MAX_FAILURES_PER_DAY:
        least = cluster.gpu_hours_between_failures * per_day / MAX_FAILURES_PER_DAY
        raise ScenarioError(
            f"cluster__gpu_hours_between_failures = {cluster.gpu_hours_between_failures:g} GPU-hours is too short for "
            f"cluster__gpus = {cluster.gpus:,}: up to {per_day:,.0f} failures a day; allowed: 0 (none) or at least "
            f"{least:,.4g} GPU-hours ({MAX_FAILURES_PER_DAY:,} failures a day). Make failures rarer"
        )


def _describe_duration(days: float) -> str:
    return f"take {days:,.3g} days" if days < NEVER else "never end"


def _largest_gang_ever(scenario: Scenario, datacenter: Datacenter, use: str) -> int:
    """Return the largest number of GPUs that a job of a use can get.

    In a shared pool, inference keeps its GPUs unless training may preempt it.
    """
    cluster = scenario.cluster
    inference = sum(inference_node_sizes(cluster))
    if use == Use.INFERENCE:
        return inference
    pushes_out = use == Use.TRAINING and cluster.preemption
    if cluster.partitioning == "priority" and not pushes_out:
        return min(datacenter.largest_gang(use), cluster.gpus - inference)
    return datacenter.largest_gang(use)


def _expected_jobs(scenario: Scenario, datacenter: Datacenter) -> Iterator[tuple[str, str, int]]:
    """Yield use, start of the message and GPUs of each job that the run will submit."""
    yield Use.INFERENCE, "researchers need at least", 1
    if scenario.researcher.experiment_gpu_days > 0:
        yield Use.EXPERIMENT, "researcher__experiment_gpus =", scenario.researcher.experiment_gpus
    if scenario.training.required and scenario.training.gpus:
        yield Use.TRAINING, "training__gpus =", scenario.training.gpus
    elif scenario.training.required:
        yield Use.TRAINING, "training__required asks for at least", max(1, training_gpus(scenario, datacenter))
