"""Tasks, humans and AIs, restated by hand: nothing is imported from the code under test."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import hyp2f1

UNLIMITED_AIS = {
    0.5: (2, 2.297, 2.828, 4, 8),
    0.9: (10, 15.85, 31.62, 100, 1000),
    0.95: (20, 36.41, 89.44, 400, 8000),
    0.99: (100, 251.2, 1000, 1e4, 1e6),
}
"""P9.1: output per human with unlimited AIs on a share, for each of RHOS."""
HUMANS_STAY = (1, 1.8206, 4.4721, 20, 400)
"""P9.2: the same at the share 0.95 if humans do not move."""
RHOS = (-math.inf, -5.0, -2.0, -1.0, -0.5)


def output(levels: Sequence[float], shares: Sequence[float], rho: float) -> float:
    """Return output by the textbook formula; a level is the effort on a kind, divided by its share."""
    used = [(level, share) for level, share in zip(levels, shares, strict=True) if share > 0]
    if rho == -math.inf:
        return min(level for level, _ in used)
    if rho == 0:
        return math.prod(level**share for level, share in used)
    if rho < 0 and any(level == 0 for level, _ in used):
        return 0.0
    return float(sum(share * level**rho for level, share in used) ** (1 / rho))


def best_output(humans: float, ais: float, productivity: Sequence[float], shares: Sequence[float], rho: float) -> float:
    """Return the greatest output by duality: the least of ``(H + w A)/P(w)`` over the wage w of an AI, of 1 for humans.

    P is the least cost of one unit of output, the CES of the least cost of each kind.
    """
    eta, share = np.array(productivity, dtype=float), np.array(shares, dtype=float)

    def log_bound(log_wage: float) -> float:
        with np.errstate(divide="ignore"):
            costs = np.minimum(1.0, np.exp(log_wage) / eta)
        if rho == 1:
            price = float(costs[share > 0].min())
        else:
            power = 1.0 if rho == -math.inf else -rho / (1 - rho)
            log_price = share @ np.log(costs) if power == 0 else math.log(share @ costs**power) / power
            price = math.exp(log_price)
        return math.log((humans + math.exp(log_wage) * ais) / price)

    able = np.log(eta[eta > 0])
    grid = np.unique(np.concatenate([able, np.linspace(able.min() - 60, able.max(), 400)]))
    bounds = [log_bound(each) for each in grid]
    at = int(np.argmin(bounds))
    around = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    inside = minimize_scalar(log_bound, bounds=around, method="bounded", options={"xatol": 1e-13})
    return math.exp(min(bounds[at], float(inside.fun)))


def output_if_humans_stay(
    humans: float, ais: float, productivity: Sequence[float], shares: Sequence[float], rho: float
) -> float:
    """Return the greatest output if humans stay on all tasks, by bisection of the marginal product of an AI."""
    sigma = 1 / (1 - rho)
    levels = np.full(len(shares), float(humans))
    eta, share = np.array(productivity, dtype=float), np.array(shares, dtype=float)
    can = eta > 0

    def filled(log_level: float) -> np.ndarray:
        return np.maximum(humans, math.exp(log_level) * eta[can] ** sigma)

    def excess(log_level: float) -> float:
        return float(((filled(log_level) - humans) * share[can] / eta[can]).sum() - ais)

    levels[can] = filled(brentq(excess, -200, 200, xtol=1e-15, rtol=1e-14))
    return output(list(levels), shares, rho)


def time_to_effort(pace, effort: float) -> float:
    """Return the time in which effort grows from 1 to ``effort`` at the rate ``pace(effort)``, by quadrature."""
    return float(quad(lambda x: math.exp(x) / pace(math.exp(x)), 0.0, math.log(effort), epsabs=0, epsrel=1e-11)[0])


def explosion_time_with_humans(r: float, humans: float) -> float:
    """Return the integral of ``1/(E^r + h)`` from 1 on: P9.8."""
    return float(hyp2f1(1, 1 - 1 / r, 2 - 1 / r, -humans)) / (r - 1)
