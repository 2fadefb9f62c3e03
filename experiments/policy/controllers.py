"""Example controllers for the environment."""

from __future__ import annotations

import math

import numpy as np

from experiments.policy.environment import Action, Observation
from experiments.policy.observation import QUANTITIES

_INDEX = {quantity.name: place for place, quantity in enumerate(QUANTITIES)}


def keep_division(observation: Observation) -> Action:
    """Keep the division of the GPUs, and begin each training run that is due: the policy `fixed`."""
    return np.array([0.0, 0.0, 0.0, 1.0], dtype=np.float32)


def balance_outputs(observation: Observation) -> Action:
    """Move the division a tenth of the way to the measured elasticities of the output, as the policy `adaptive` does.

    agents.adaptive_policy.output_elasticities gives the reasons.
    """
    value = {name: float(observation[place]) for name, place in _INDEX.items()}
    waits = min(1.0, 10 * value["waiting_share"])
    gap = value["deployment_gap"] * value["is_training"]
    target = np.array([1 - waits, waits, 0.93 * math.log(2) * gap * (1 - waits)])
    present = np.array([value["inference_share"], value["experiment_share"], value["training_share"]])
    weights = 0.9 * present + 0.1 * target / target.sum()
    return np.array([*weights, 1.0], dtype=np.float32)
