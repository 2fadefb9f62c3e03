"""Detection restated by quadrature, enumeration and hand: nothing is imported from the code under test."""

import itertools
import math

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr

Z_99 = 2.5758
"""Standard errors of a two-sided 99% interval of a mean."""


def cusum_run_length(threshold: float, drift: float, nodes: int = 200) -> float:
    """Run length from 0 by the integral equation ``L(w) = 1 + L(0) F(-w - d) + int_0^h L(y) f(y - w - d) dy``."""
    roots, weights = np.polynomial.legendre.leggauss(nodes)
    points = np.append(0, (roots + 1) * threshold / 2)
    moves = np.exp(-((points[None, :] - points[:, None] - drift) ** 2) / 2) / math.sqrt(2 * math.pi)
    moves[:, 1:] *= weights * threshold / 2
    moves[:, 0] = ndtr(-points - drift)
    return float(np.linalg.solve(np.eye(nodes + 1) - moves, np.ones(nodes + 1))[0])


def probability_of_fast_pace(
    days: list[float],
    increments: list[float],
    reference_pace: float,
    pace: float,
    noise: float,
    days_between_changes: float,
) -> float:
    """Posterior probability that the last pace is above the mean of both, by all 2^n ways to cut n increments."""
    spread = pace - reference_pace
    logs, fast = [], []
    for cuts in itertools.product([False, True], repeat=len(days)):
        log = sum(
            math.log(-math.expm1(-d / days_between_changes)) if cut else -d / days_between_changes
            for d, cut in zip(days, cuts, strict=True)
        )
        starts = [0, *(i for i, cut in enumerate(cuts) if cut)]
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(days)], strict=True)):
            d, y = np.array(days[start:end]), np.array(increments[start:end])
            variance = spread**2 if number else 0.0
            covariance = noise**2 * np.eye(len(d)) + variance * np.outer(d, d)
            surprise = y - reference_pace * d
            solved = np.linalg.solve(covariance, surprise)
            log -= (surprise @ solved + np.linalg.slogdet(2 * math.pi * covariance)[1]) / 2
            mean = reference_pace + variance * d @ solved
            left = variance - variance**2 * d @ np.linalg.solve(covariance, d)
        logs.append(log)
        middle = (reference_pace + pace) / 2
        fast.append(log_ndtr((mean - middle) / math.sqrt(left)) if len(starts) > 1 else -math.inf)
    return math.exp(logsumexp(np.add(logs, fast)) - logsumexp(logs))
