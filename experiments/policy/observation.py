"""Convert the measurements of a lab into the observation vector of the environment."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ports.measurements import LabMeasurements
from experiments.policy.steered_policy import USES

MAX_DOUBLINGS: Final = 300.0
"""Upper bound of software [doublings], that of `run__max_doublings`."""
MAX_LOG2: Final = 64.0
"""Upper bound of logarithms."""


class Quantity(NamedTuple):
    """One component of the observation, from 0 to ``high``."""

    name: str
    high: float
    unit: str
    meaning: str


QUANTITIES: Final = (
    Quantity("day_share", 1.0, "share", "Time since day 0, relative to the horizon."),
    *(Quantity(f"{use}_share", 1.0, "share", f"Share of the GPUs for {use}.") for use in USES),
    *(Quantity(f"{use}_utilisation", 1.0, "share", f"Share of the GPUs for {use} that its jobs held.") for use in USES),
    Quantity("waiting_share", 1.0, "share", "Share of researchers' time in which their experiment waited for GPUs."),
    Quantity("log2_experiments_waiting", MAX_LOG2, "log2", "log2(1 + n) of the n experiments that wait now."),
    Quantity("log2_researchers", MAX_LOG2, "log2", "log2(1 + n) of the n researchers that are active now."),
    Quantity("log2_papers_per_day", MAX_LOG2, "log2", "log2(1 + n) of the n papers published per day."),
    Quantity("discovered", MAX_DOUBLINGS, "doublings", "Discovered software."),
    Quantity("deployment_gap", MAX_DOUBLINGS, "doublings", "Software that is not deployed yet because of training."),
    Quantity("is_training", 1.0, "0 or 1", "Whether a training run is under way."),
    Quantity("log2_training_run_days", MAX_LOG2, "log2", "log2(1 + n) of the n days of the present or next run."),
)
"""Components of the observation, in order. Means and shares of time refer to the step that has ended."""


def observe(measured: LabMeasurements, discovered: float, horizon_days: float) -> NDArray[np.float32]:
    """Return the observation.

    ``discovered``: discovered software [doublings]. ``horizon_days``: horizon of the scenario [days].
    """
    total = sum(measured.gpus.values())
    values = [
        measured.day / horizon_days,
        *(measured.gpus[use] / total for use in USES),
        *(measured.gpus_held[use] / max(1, measured.gpus[use]) for use in USES),
        measured.waiting_share,
        math.log2(1 + measured.jobs_waiting["experiment"]),
        math.log2(1 + measured.active_researchers),
        math.log2(1 + measured.papers_per_day),
        discovered,
        measured.deployment_gap,
        float(measured.is_training),
        math.log2(1 + measured.training_run_days),
    ]
    return np.clip(values, 0.0, [quantity.high for quantity in QUANTITIES]).astype(np.float32)
