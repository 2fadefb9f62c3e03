"""What can be known before a run: whether its jobs fit the cluster and its agents fit a computer."""

import math
from collections.abc import Iterator

from hardware.partitions import Datacenter, inference_blocks
from sim.scenario import Scenario, ScenarioError

MOST_AGENTS = 1 << 20
"""Researchers that one run holds as agents."""
MOST_RESEARCHERS = 1e15
"""Researchers that a run counts: more are no whole numbers any more in floating point."""


def check_size(scenario: Scenario, work_rate: float = 1.0, initial: float | None = None) -> None:
    """Refuse a run that would need more agents, or more researchers, than there can be: it would end nowhere.

    ``work_rate``: the most that the cluster's comes to. ``initial``: researchers on day 0, if not the scenario's.
    """
    researcher, most = scenario.researcher, scenario.run.max_doublings
    check_stop(scenario)
    wanted = scenario.run.until_researchers
    one_by_one = researcher.timing == "pooled" and researcher.experiment_gpu_days > 0
    if researcher.timing == "pooled" and not one_by_one:
        return
    limit = MOST_AGENTS if one_by_one else MOST_RESEARCHERS
    initial = initial or scenario.initial_researchers
    start = initial * work_rate
    largest = start * 2.0**most
    if wanted:
        largest = min(largest, 2 * work_rate * scenario.training.gain * wanted)
    if largest > limit:
        kept = "as agents, which pooled work with experiments needs" if one_by_one else "at most"
        raise ScenarioError(
            f"run__max_doublings = {most} would make {initial:,.15g} researchers of day 0 into {largest:.3g} "
            f"researchers; one run holds {limit:.7g} {kept}: set run__max_doublings to at most "
            f"{max(0, int(math.log2(limit / start)))}"
        )


def check_stop(scenario: Scenario) -> None:
    """Refuse a run that would be over before it began."""
    wanted, initial = scenario.run.until_researchers, scenario.initial_researchers
    if 0 < wanted <= initial:
        raise ScenarioError(
            f"run__until_researchers = {wanted:.15g}: the {initial:,} researchers of day 0 are that many already"
        )


def check_fits(scenario: Scenario, datacenter: Datacenter) -> None:
    """Refuse jobs that can be known beforehand to be larger than what the cluster gives to their use."""
    cluster = scenario.cluster
    shares = (
        f"cluster__inference_share = {cluster.inference_share:g}, cluster__training_share = "
        f"{cluster.training_share:g}, the rest for experiments"
    )
    if cluster.placement == "consolidated":
        shares += f", in whole nodes of cluster__gpus_per_node = {cluster.gpus_per_node}"
    for use, name, gpus in _known_jobs(scenario, datacenter):
        largest = _largest(scenario, datacenter, use)
        if gpus > largest:
            raise ScenarioError(
                f"{name} {gpus} GPUs, but a job for {use} can have at most {largest} of cluster__gpus = "
                f"{cluster.gpus} ({shares})"
            )


def training_gpus(scenario: Scenario, datacenter: Datacenter) -> int:
    """Return the GPUs that the training share of the cluster comes to."""
    cluster = scenario.cluster
    if cluster.sharing == "shares":
        return datacenter.capacity("training")
    return min(datacenter.capacity("training"), int(cluster.training_share * cluster.gpus))


def _largest(scenario: Scenario, datacenter: Datacenter, use: str) -> int:
    """The most GPUs that a job of a use can ever get: in one pool inference stays unless it is pushed out."""
    cluster = scenario.cluster
    inference = sum(inference_blocks(cluster))
    if use == "inference":
        return inference
    pushes_out = use == "training" and cluster.preemption
    if cluster.sharing == "priority" and not pushes_out:
        return min(datacenter.capacity(use), cluster.gpus - inference)
    return datacenter.capacity(use)


def _known_jobs(scenario: Scenario, datacenter: Datacenter) -> Iterator[tuple[str, str, int]]:
    """Use, words and GPUs of the jobs that a run is known to ask for."""
    yield "inference", "researchers need at least", 1
    if scenario.researcher.experiment_gpu_days > 0:
        yield "experiment", "researcher__experiment_gpus =", scenario.researcher.experiment_gpus
    if scenario.training.needed and scenario.training.gpus:
        yield "training", "training__gpus =", scenario.training.gpus
    elif scenario.training.needed:
        yield "training", "training__needed asks for at least", max(1, training_gpus(scenario, datacenter))
