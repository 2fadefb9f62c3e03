"""Compute interval estimates of means and probabilities: Student's and Wilson's. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

CONFIDENCE: Final = 0.95
"""Default probability with which an interval contains the true value."""


class MeanInterval(NamedTuple):
    """A mean with the ends of its interval, in the unit of the values."""

    mean: float
    low: float
    high: float


def normal_score(confidence: float = CONFIDENCE) -> float:
    """Return half the width of the central interval of a standard normal variable."""
    return float(ndtri(0.5 + confidence / 2))


def student_score(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Return half the width of the central interval of Student's t; ``freedom``: degrees of freedom, above 0."""
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def mean_interval(values: Sequence[float] | NDArray[np.float64], confidence: float = CONFIDENCE) -> MeanInterval:
    """Return the mean of at least two independent values with Student's interval (Biometrika 6, 1, 1908)."""
    count, mean = len(values), float(np.mean(values))
    half = student_score(count - 1, confidence) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return MeanInterval(mean, mean - half, mean + half)


class Share(NamedTuple):
    """A share of independent cases with Wilson's 95% interval; all ``nan`` without cases."""

    number: int
    """Number of cases in which it happened."""
    of: int
    """Number of cases."""
    share: float
    low: float
    high: float


def share_of(happened: Sequence[bool]) -> Share:
    """Return the share of cases in which something happened, with its interval."""
    return share_from_counts(sum(happened), len(happened))


def share_from_counts(number: int, of: int) -> Share:
    """Return the share ``number / of`` with its interval."""
    return Share(number, of, number / of, *wilson(number / of, of)) if of else Share(0, 0, math.nan, math.nan, math.nan)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95% interval of a probability (J. Am. Stat. Assoc. 22, 209, 1927).

    ``share``: observed share of successes, 0 to 1. ``n``: number of independent trials, above 0; an effective number
    need not be whole. The ends are exactly 0 and 1 for shares of 0 and 1.
    """
    square = normal_score() ** 2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = normal_score() * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
