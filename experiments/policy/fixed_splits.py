"""Compare the adaptive policy with the best fixed division of the GPUs, found by a sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from experiments.statistics.intervals import MeanInterval, mean_interval
from sim.fluid import fluid
from sim.runner import run
from sim.scenario.model import Scenario

COMPARED_LABS: Final = ("lab", "lab-fixed-experiments", "lab-frontier-experiments")
"""Shipped scenarios whose GPUs are divided between all three uses."""
TRAINING_LABS: Final = ("retraining-0.75", "retraining-0.9")
"""Shipped scenarios whose GPUs are divided between inference and training."""
PARTS: Final = 20
"""Number of parts into which the sweep divides the GPUs."""


class FixedSplit(NamedTuple):
    """A fixed division of the GPUs, and the software that it leads to by the equations."""

    inference: float
    """Share of the GPUs for inference."""
    training: float
    """Share of the GPUs for training; the rest is for experiments."""
    doublings: float
    """Discovered software at the horizon [doublings]."""


class SplitComparison(NamedTuple):
    """Software at the horizon under the adaptive policy and under the best fixed division, by seed."""

    best: FixedSplit
    fixed: list[float]
    """Discovered software under the best fixed division [doublings]."""
    adaptive: list[float]
    """Discovered software under the adaptive policy [doublings]."""

    @property
    def ratio(self) -> float:
        """Mean software of the adaptive policy, relative to that of the best fixed division."""
        return float(np.mean(self.adaptive) / np.mean(self.fixed))

    def excess(self, share: float, confidence: float) -> MeanInterval:
        """Return the mean of ``adaptive - share fixed`` with its interval; runs of one seed are a pair [doublings]."""
        return mean_interval(np.array(self.adaptive) - share * np.array(self.fixed), confidence)


def search_fixed_splits(scenario: Scenario, parts: int = PARTS) -> list[FixedSplit]:
    """Return the possible fixed divisions, best first by the equations.

    The GPUs are divided into ``parts``, or into nodes if there are fewer. Each use that the scenario needs gets at
    least one part. A stated team (`researcher__initial`) is the same on any number of inference GPUs. Its divisions
    therefore give inference at least the shipped share, so that a researcher runs on the same GPUs.
    """
    cluster = scenario.cluster
    parts = min(parts, cluster.gpus // (cluster.gpus_per_node if cluster.placement == "consolidated" else 1))
    fewest_experiment = int(scenario.researcher.experiment_gpu_days > 0)
    fewest_training = int(scenario.training.required)
    fewest_inference = max(1, math.ceil(cluster.inference_share * parts - 1e-9)) if scenario.researcher.initial else 1
    shares = [
        (inference / parts, training / parts)
        for inference in range(fewest_inference, parts - fewest_experiment - fewest_training + 1)
        for training in range(fewest_training, parts - fewest_experiment - inference + 1)
        if fewest_experiment or inference + training == parts
    ]
    scenarios = [_divided(scenario, *each) for each in shares]
    found = fluid(scenarios).software_doublings
    splits = [FixedSplit(*split, float(doublings)) for split, doublings in zip(shares, found, strict=True)]
    return sorted(splits, key=lambda split: -split.doublings)


def compare_with_fixed_splits(
    scenario: Scenario, seeds: Sequence[int], verified: int = 2, parts: int = PARTS
) -> SplitComparison:
    """Find the best fixed division and compare the adaptive policy with it.

    The equations rank all divisions. The World runs the first ``verified`` of them, and the best mean counts.
    """
    candidates = search_fixed_splits(scenario, parts)[:verified]
    runs = {split: software_at_end(_divided(scenario, split.inference, split.training), seeds) for split in candidates}
    best = max(runs, key=lambda split: float(np.mean(runs[split])))
    return SplitComparison(best, runs[best], software_at_end(scenario.replace(policy__name="adaptive"), seeds))


def _divided(scenario: Scenario, inference: float, training: float) -> Scenario:
    return scenario.replace(cluster__inference_share=inference, cluster__training_share=training)


def software_at_end(scenario: Scenario, seeds: Sequence[int]) -> list[float]:
    """Return discovered software at the end of the run for each seed [doublings]."""
    coarse = scenario.replace(run__sample_days=scenario.run.horizon_days)
    return [run(coarse, seed).software_doublings for seed in seeds]
