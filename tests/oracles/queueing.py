"""Closed forms of queueing theory, independent of the code under test. Rates and times in one unit each."""

import math
from collections.abc import Sequence

import numpy as np


def erlang_c(servers: int, arrivals: float, service: float) -> float:
    """Mean wait in M/M/c: the sum form of the Erlang C formula (Kleinrock, Queueing Systems 1, 3.5)."""
    offered = arrivals * service
    load = offered / servers
    below = sum(offered**k / math.factorial(k) for k in range(servers))
    top = offered**servers / math.factorial(servers) / (1 - load)
    return top / (below + top) * service / (servers * (1 - load))


def pollaczek_khinchine(arrivals: float, services: Sequence[float]) -> float:
    """Mean wait in M/G/1 with service times drawn from a list."""
    mean = math.fsum(services) / len(services)
    second = math.fsum(time * time for time in services) / len(services)
    return arrivals * second / (2 * (1 - arrivals * mean))


def preemptive_resume(arrivals: Sequence[float], service: float) -> list[float]:
    """Mean times in system of the classes of a preemptive-resume M/M/1, the most urgent class first.

    T_i = [s (1 - R_i) + R_i s] / ((1 - R_(i-1)) (1 - R_i)) with R_i the load of classes 1..i and the residual work
    sum(lambda_j s^2) for exponential service (Kleinrock, Queueing Systems 2, 3.4).
    """
    stays, before = [], 0.0
    for rate in arrivals:
        upto = before + rate * service
        stays.append((service * (1 - upto) + upto * service) / ((1 - before) * (1 - upto)))
        before = upto
    return stays


def repairman(owners: int, servers: int, think: float, service: float) -> tuple[float, float]:
    """Return throughput and mean number thinking of the machine repairman, from its birth-death chain."""
    asking = np.arange(owners + 1)
    steps = np.log((owners - asking[:-1]) / think) - np.log(np.minimum(asking[1:], servers) / service)
    logs = np.concatenate([[0.0], np.cumsum(steps)])  # of the weights: they themselves overflow beyond 10^3 owners
    weights = np.exp(logs - logs.max())
    total = math.fsum(weights)
    busy = math.fsum(np.minimum(asking, servers) * weights) / total
    thinking = math.fsum((owners - asking) * weights) / total
    return busy / service, thinking
