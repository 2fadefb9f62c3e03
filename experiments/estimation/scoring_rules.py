"""Score forecasts by the continuous ranked probability score and the coverage of intervals. Pure.

A forecast is an ensemble of equally likely values, of shape (members, moments). Observed values have the shape
(moments,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def crps(ensemble: Array, came: Array) -> Array:
    """Return the CRPS of each moment, in the unit of the values: ``E|X - y| - E|X - X'|/2``; 0 is perfect.

    For one member it is the absolute error. Gneiting and Raftery, *Strictly Proper Scoring Rules, Prediction, and
    Estimation*, 2007, equation 21.
    """
    members = len(ensemble)
    ordered = np.sort(ensemble, axis=0)
    # The mean of |X - X'| over all pairs, from the ranks of the sorted members.
    rank = 2 * np.arange(1, members + 1) - members - 1
    spread = 2 * (rank @ ordered) / members**2
    found: Array = np.abs(ensemble - came).mean(axis=0) - spread / 2
    return found


def coverage(ensemble: Array, came: Array, share: float) -> float:
    """Return the share of moments whose observed value lies in the central interval with this share of the members."""
    low, high = np.quantile(ensemble, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return float(np.mean((came >= low) & (came <= high)))
