"""Divide the gain of a generation between a better model and shorter runs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL_TOLERANCE = 1e-9
"""Tolerance of gains, for rounding errors [doublings]."""
Array = float | NDArray[np.float64]


class TrainingGeneration(NamedTuple):
    """The doublings that a training run consumes, and their division."""

    taken: Array
    better: Array
    """Doublings by which deployed software gets better."""
    shorter: Array
    """Doublings by which the next run is shorter."""


def plan_generation(
    waiting: Array,
    gain: Array,
    takes_all: bool | NDArray[np.bool_],
    length: Array,
    speedup_exponent: Array,
    shortest: Array,
) -> TrainingGeneration:
    """Return the plan of a generation, for numbers or arrays of them: the one rule of the agents and the equations.

    ``waiting``: discovered doublings that no generation has taken up. ``length``: days of its run on the lab's GPUs
    without failures. A share phi = ``speedup_exponent`` goes into shorter runs, but no more than makes the next one as
    short as ``shortest`` days (0: no such length).
    """
    taken = np.where(takes_all, waiting, np.minimum(gain, waiting))
    with np.errstate(divide="ignore"):
        room = np.where(
            shortest > 0, np.maximum(0.0, np.log2(length) - np.log2(np.where(shortest > 0, shortest, 1.0))), np.inf
        )
    shorter = np.minimum(speedup_exponent * taken, room)
    return TrainingGeneration(taken, taken - shorter, shorter)
