"""What can be known before a run: whether its jobs fit the cluster and its agents fit a computer."""

import math
from collections.abc import Iterator

from hardware.partitions import Datacenter
from sim.scenario import Scenario, ScenarioError

MOST_AGENTS = 1 << 20
"""Researchers that one run holds as agents."""


def check_size(scenario: Scenario) -> None:
    """Refuse a run that would need more agents than fit: it would end in the middle of nowhere."""
    researcher, most = scenario.researcher, scenario.run.max_doublings
    if researcher.timing == "pooled" and researcher.experiment_gpu_days == 0:
        return
    agents = researcher.initial * 2.0**most
    if agents > MOST_AGENTS:
        raise ScenarioError(
            f"run__max_doublings = {most} would make researcher__initial = {researcher.initial} into {agents:.3g} "
            f"researchers; one run holds {MOST_AGENTS} as agents: set run__max_doublings to at most "
            f"{int(math.log2(MOST_AGENTS / researcher.initial))}"
        )


def check_fits(scenario: Scenario, datacenter: Datacenter) -> None:
    """Refuse jobs that can be known beforehand to be larger than what the cluster gives to their use."""
    for use, name, gpus in _known_jobs(scenario):
        largest = datacenter.capacity(use)
        if gpus > largest:
            raise ScenarioError(
                f"{name} = {gpus} GPUs, but a job for {use} can have at most {largest} of the cluster's "
                f"{scenario.cluster.gpus} GPUs (cluster__inference_share = {scenario.cluster.inference_share:g}, "
                f"cluster__training_share = {scenario.cluster.training_share:g}, the rest for experiments)"
            )


def _known_jobs(scenario: Scenario) -> Iterator[tuple[str, str, int]]:
    """Use, parameter and GPUs of the jobs that a run is known to ask for."""
    yield "inference", "what houses the researchers", 1
    if scenario.researcher.experiment_gpu_days > 0:
        yield "experiment", "researcher__experiment_gpus", scenario.researcher.experiment_gpus
    if scenario.training.needed:
        yield "training", "training__gpus", max(1, scenario.training.gpus)
