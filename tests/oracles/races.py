"""Races restated as differential equations and by hand: nothing is imported from the code under test."""

import math

import numpy as np
from scipy.integrate import solve_ivp

MONTH = 365 / 12
FALSE_ALARM = 4.417
"""Standard errors that a mean of many draws exceeds with probability 1e-5."""

SAFETY = {
    (2, 1, 1): (0.5, 0.33333, 0.33333),
    (2, 1, 0.5): (1, 0.44444, 0.58333),
    (5, 1, 1): (0.2, 0.16667, 0.16667),
    (2, 4, 0.5): (1, 0.95312, 0.88021),
}
"""P23.8: mean safety of the winner without, with private and with public information, by (n, mu, e)."""


def leaking_software(start: list[float], r: float, leak: float, days: float, first: float = MONTH) -> list[float]:
    """Software of labs by ``dE_i/dt = c (E_i^r + leak sum_(j != i) E_j^r)``, from the efforts of day 0.

    c is such that a lab alone doubles E^r from 1 in ``first`` days.
    """
    doubled = 2 ** (1 / r)
    pace = (math.log(doubled) if r == 1 else (doubled ** (1 - r) - 1) / (1 - r)) / first

    def slope(_, effort):
        software = effort**r
        return pace * ((1 - leak) * software + leak * software.sum())

    found = solve_ivp(slope, (0, days), start, rtol=1e-10, atol=1e-10)
    return [float(value) for value in found.y[:, -1] ** r]


def software_with_hardware(days: float, r: float, doubling_days: float, first: float = MONTH) -> float:
    """Software by ``dE/dt = c 2^(t/T_H) E^r``; c as in `leaking_software`."""
    doubled = 2 ** (1 / r)
    pace = (math.log(doubled) if r == 1 else (doubled ** (1 - r) - 1) / (1 - r)) / first
    found = solve_ivp(
        lambda t, log_effort: pace * 2 ** (t / doubling_days) * np.exp((r - 1) * log_effort),
        (0, days),
        [0.0],
        rtol=1e-11,
        atol=1e-12,
    )
    return math.exp(r * float(found.y[0, -1]))


def two_sector_date(shares: tuple[float, float], rates: tuple[float, float], exponent: float) -> float:
    """Explosion date of software (r = 1) and hardware (r = 5) with automated shares, integrated in calendar time.

    The date is extrapolated from the last growth rate of hardware, ``exponent/(t* - t)``, far up.
    """

    def slope(_, logs):
        software, hardware = logs
        level = software + hardware
        return (
            rates[0] * math.exp(shares[0] * level - software),
            rates[1] * math.exp(shares[1] * level - hardware / 5),
        )

    def far(_, logs):
        return logs[1] - 16

    far.terminal = True
    found = solve_ivp(slope, (0, 1e4), [0.0, 0.0], events=far, rtol=1e-10, atol=1e-10)
    return float(found.t[-1] + exponent / slope(0, found.y[:, -1])[1])


def safety_of_a_deviation(safety: float, capability: float, mu: float, enmity: float, teams: int) -> float:
    """Payoff of a team with private information that deviates, if the others choose min(1, c/a); midpoint rule.

    The best other team has the capability y with density n' y^(n' - 1)/mu^n', n' = teams - 1. It wins if its score is
    higher.
    """
    count = 20_000
    slope = enmity * (teams - 1) + 1
    best = (np.arange(count) + 0.5) / count * mu
    weight = (teams - 1) * best ** (teams - 2) / mu ** (teams - 1) * mu / count
    theirs = np.minimum(1, best / slope)
    wins = best - theirs < capability - safety
    return float((weight * np.where(wins, safety, (1 - enmity) * theirs)).sum())
