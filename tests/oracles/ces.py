"""CES and the elasticities of the machine repairman, restated by hand: nothing is imported from the code under test."""

import math

from tests.oracles.queueing import repairman

CEILINGS = {-1.0: 2.0, -0.5: 4.0, -0.4: 2**2.5, -0.2: 32.0, -0.15: 2 ** (20 / 3), -0.1: 1024.0}
"""Maximum speed-up by labour alone if the share of compute is a half, by rho: 2^(-1/rho)."""

WHITFILL_WU = {"raw compute": 2.58, "near the frontier": -0.10}
"""Elasticities of substitution, arXiv 2507.23181; below 0 there is none, so that the second is 0 in effect."""


def ces(labour: float, compute: float, alpha: float, rho: float) -> float:
    """Return output by the textbook formula."""
    if rho == 0:
        return float(compute**alpha * labour ** (1 - alpha))
    return float((alpha * compute**rho + (1 - alpha) * labour**rho) ** (1 / rho))


def repairman_elasticities(
    owners: tuple[int, int], servers: tuple[int, int], at: tuple[int, int], think: float, service: float
) -> tuple[float, float]:
    """ln-ln slopes of exact throughput between two numbers of owners, and between two of servers, about ``at``."""

    def log_rate(own: int, serve: int) -> float:
        return math.log(repairman(own, serve, think, service)[0])

    labour = (log_rate(owners[1], at[1]) - log_rate(owners[0], at[1])) / math.log(owners[1] / owners[0])
    compute = (log_rate(at[0], servers[1]) - log_rate(at[0], servers[0])) / math.log(servers[1] / servers[0])
    return labour, compute
