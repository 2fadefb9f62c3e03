"""Compute times and costs of research: pure functions of parameters, state and a random stream."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator

from agents.params import ResearcherParams


def thinking_days(params: ResearcherParams, stream: Generator) -> float:
    """Return the thinking time of a paper before its experiment [days]: exponential or constant."""
    return _work_days(params, 1 - params.writing_share, stream)


def writing_days(params: ResearcherParams, stream: Generator) -> float:
    """Return the writing time of a paper after its experiment [days]."""
    return _work_days(params, params.writing_share, stream)


def experiment_gpu_days(params: ResearcherParams, mean_gpu_days: float, stream: Generator) -> float:
    """Draw the cost of one experiment with the given mean [GPU-days]."""
    if params.experiment_variation == "fixed":
        return mean_gpu_days
    if params.experiment_variation == "exponential":
        return mean_gpu_days * stream.standard_exponential()
    sigma = params.experiment_sigma
    return mean_gpu_days * math.exp(sigma * stream.standard_normal() - sigma**2 / 2)


def draw_total_gpu_days(params: ResearcherParams, mean_gpu_days: float, number: int, stream: Generator) -> float:
    """Draw the total cost of ``number`` experiments [GPU-days].

    It is the sum of single draws. For many lognormal ones, the number in each quarter of a standard deviation is drawn.
    That keeps the mean and loses the variance within quarters: a share of about (sigma / 4)^2 / 12, 2% at 1.96.
    """
    if number == 1:
        return experiment_gpu_days(params, mean_gpu_days, stream)
    if params.experiment_variation == "fixed":
        return mean_gpu_days * number
    if params.experiment_variation == "exponential":
        return mean_gpu_days * stream.standard_gamma(number)
    sigma = params.experiment_sigma
    if number <= _MAX_EXACT_DRAWS:
        costs = stream.standard_normal(number)
        costs *= sigma
        costs -= sigma**2 / 2
        np.exp(costs, out=costs)
        return float(mean_gpu_days * np.add.reduce(costs))
    shares, means = lognormal_bins(sigma)
    return float(mean_gpu_days * (stream.multinomial(number, shares) @ means))


_MAX_EXACT_DRAWS = 256


@lru_cache(maxsize=64)
def lognormal_bins(sigma: float) -> tuple[Any, Any]:
    """Return the probability of each quarter of a standard deviation, and the lognormal mean within it."""
    edges = np.arange(-8, 8 + sigma, 0.25)
    below = np.array([_normal_cdf(edge) for edge in edges])
    weighted = np.array([_normal_cdf(edge - sigma) for edge in edges])
    shares = np.diff(below, prepend=0.0, append=1.0)
    mass = np.diff(weighted, prepend=0.0, append=1.0)
    there = shares > 0
    return shares[there], mass[there] / shares[there]


def _normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def gang_size(params: ResearcherParams, gpu_days: float, largest: int) -> int:
    """Return the gang of an experiment: the fewest GPUs, as a power of two, that end it in `experiment_days`.

    It is at least 1, at most `experiment_gpus` and at most ``largest``, the maximum of one job. A pool without GPUs,
    for which ``largest`` is 0, refuses the experiment.
    """
    most = max(1, min(params.experiment_gpus, largest))
    wanted = gpu_days / params.experiment_days
    return most if wanted >= most else min(most, 1 << max(0, math.ceil(wanted) - 1).bit_length())


def mean_run_days(params: ResearcherParams, mean_gpu_days: float, largest: int) -> float:
    """Return the mean run time of an experiment on the gangs of :func:`gang_size` [days].

    It is the sum over gangs of g GPUs of ``E[c; c takes g]/g``, without failures.
    """
    most = max(1, min(params.experiment_gpus, largest))
    days, below, gang = 0.0, 0.0, 1
    while True:
        size = min(gang, most)
        share = 1.0 if size == most else _share_below(params, gang * params.experiment_days / mean_gpu_days)
        days += mean_gpu_days * (share - below) / size
        if size == most:
            return days
        below, gang = share, 2 * gang


def _share_below(params: ResearcherParams, x: float) -> float:
    """Return the share of all GPU-days in experiments that cost at most x times the mean."""
    if params.experiment_variation == "exponential":
        return -math.expm1(-x) - x * math.exp(-x)
    if params.experiment_variation == "fixed" or params.experiment_sigma == 0:
        return float(x >= 1)
    return _normal_cdf(math.log(x) / params.experiment_sigma - params.experiment_sigma / 2)


def mean_days(params: ResearcherParams, part: str) -> float:
    """Return the mean time of one activity on a paper, thinking or writing [days]."""
    return share_of(params, part) / params.papers_per_day


def share_of(params: ResearcherParams, part: str) -> float:
    """Return the share of the time of a paper that one activity takes, thinking or writing."""
    return params.writing_share if part == "writing" else 1 - params.writing_share


def _work_days(params: ResearcherParams, share: float, stream: Generator) -> float:
    if share == 0:
        return 0.0
    mean = share / params.papers_per_day
    return mean * stream.standard_exponential() if params.timing == "poisson" else mean
