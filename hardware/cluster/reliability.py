"""Compute the time of a job on GPUs that fail: checkpoints, restarts, and the fastest number of GPUs.

Pure functions of floats or NumPy arrays. Failed GPUs are replaced at once, so that a failure costs the work since the
last checkpoint and a restart.
"""

from functools import lru_cache
from typing import Any

import numpy as np

Array = Any
"""A float or a NumPy array of floats."""

NEVER = 1e200
"""Finite stand-in for the time of a job that never ends."""
_STEPS = 80
"""Golden-section steps: from a million GPUs to a fraction of one."""


def checkpoint_interval(fixed: Array, write: Array, gpu_life: Array, gpus: Array) -> Array:
    """Return the work between two checkpoints of a gang, in the unit of time of the arguments.

    ``fixed`` if it is above 0, else ``sqrt(2 write gpu_life / gpus)``, which loses least (Young, Comm. ACM 17, 530,
    1974; Daly, Future Generation Computer Systems 22, 303, 2006). ``gpu_life``: mean GPU-time between failures, 0 if
    nothing fails; then there are no checkpoints and the interval is ``inf``.
    """
    best = np.sqrt(2 * write * gpu_life / gpus)
    return np.where(gpu_life > 0, np.where(fixed > 0, fixed, best), np.inf)


@lru_cache(maxsize=4096)
def gang_checkpoint_interval(fixed: float, write: float, gpu_life: float, gpus: int) -> float:
    """Return the :func:`checkpoint_interval` of one gang; results are kept, because gangs have few sizes."""
    return float(checkpoint_interval(fixed, write, gpu_life, gpus))


def job_time(work: Array, failures: Array, interval: Array, write: Array, restart: Array) -> Array:
    """Return the mean time of a job, failures, lost work, restarts and checkpoints included.

    ``failures`` is the failure rate f of the gang. With intervals s and writes w the job takes ``work/s`` times
    ``(e^(f (s + w')) - 1) e^(f restart)/f``. That is the mean time to the first success if each attempt but the first
    begins with a restart. ``w' = w (1 - s/work)``, because nothing is written after the last interval. A job shorter
    than s is one interval. The result is at most `NEVER`.
    """
    span = np.maximum(np.minimum(interval, work), 1e-12 * work)
    written = np.where(work > span, write * (1 - span / np.maximum(work, 1e-300)), 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slower = np.expm1(failures * (span + written)) / (failures * span) * np.exp(failures * restart)
        return np.where((failures > 0) & (work > 0), np.minimum(work * slower, NEVER), work)


def fastest_gpus(most: Array, run: Any) -> Array:
    """Return how many of at most ``most`` GPUs end a job soonest; ``run(gpus)`` is its mean time.

    Exact to a GPU if the time falls and then rises with the GPUs. All of them if one fewer is not faster.
    """
    most = np.asarray(most, dtype=float)
    fewer = np.maximum(1.0, most - 1)
    all_of_them = run(most) <= run(fewer)
    if np.all(all_of_them):
        return most
    low, high = np.ones_like(most), most.copy()
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        ahead = run(left) <= run(right)
        low, high = np.where(ahead, low, left), np.where(ahead, right, high)
    below = np.maximum(1.0, np.floor(low))
    above = np.minimum(most, below + 1)
    found = np.where(run(below) <= run(above), below, above)
    return np.where(all_of_them | (run(most) <= run(found)), most, found)
