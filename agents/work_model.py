"""What a researcher decides: pure functions of its parameters, what it sees, and a stream of chance."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

if TYPE_CHECKING:
    from agents.researcher import ResearcherParams


def thinking_days(params: ResearcherParams, stream: Generator) -> float:
    """Return how long a researcher thinks about a paper before its experiment: exponential, or all alike."""
    return _work_days(params, 1 - params.writing_share, stream)


def writing_days(params: ResearcherParams, stream: Generator) -> float:
    """Return how long it takes to write a paper up once its experiment is over."""
    return _work_days(params, params.writing_share, stream)


def experiment_gpu_days(params: ResearcherParams, mean_gpu_days: float, stream: Generator) -> float:
    """Return the GPU-days that one experiment takes, with the given mean."""
    if params.experiment_variation == "fixed":
        return mean_gpu_days
    if params.experiment_variation == "exponential":
        return mean_gpu_days * stream.standard_exponential()
    sigma = params.experiment_sigma
    return mean_gpu_days * math.exp(sigma * stream.standard_normal() - sigma**2 / 2)


def draw_total_gpu_days(params: ResearcherParams, mean_gpu_days: float, number: int, stream: Generator) -> float:
    """Return the GPU-days that so many experiments take together.

    The sum of as many draws; of very many lognormal ones by how many fall into each quarter of a standard deviation,
    which keeps the mean and loses the variance within quarters: a share of about (sigma / 4)^2 / 12, 2% at 1.96.
    """
    if number == 1:
        return experiment_gpu_days(params, mean_gpu_days, stream)
    if params.experiment_variation == "fixed":
        return mean_gpu_days * number
    if params.experiment_variation == "exponential":
        return mean_gpu_days * stream.standard_gamma(number)
    sigma = params.experiment_sigma
    if number <= _MAX_EXACT_DRAWS:
        return float(mean_gpu_days * np.exp(sigma * stream.standard_normal(number) - sigma**2 / 2).sum())
    shares, means = _lognormal_bins(sigma)
    return float(mean_gpu_days * (stream.multinomial(number, shares) @ means))


_MAX_EXACT_DRAWS = 256


@lru_cache(maxsize=64)
def _lognormal_bins(sigma: float) -> tuple[Any, Any]:
    """The probability of each quarter of a standard deviation, and the mean of a lognormal of mean 1 within it."""
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
    """Return the gang for an experiment: the fewest GPUs, as a power of two, that end it in `experiment_days`.

    Never more than `experiment_gpus` or than ``largest``, the most that one job can have.
    """
    most = min(params.experiment_gpus, largest)
    wanted = gpu_days / params.experiment_days
    return most if wanted >= most else min(most, 1 << max(0, math.ceil(wanted) - 1).bit_length())


def mean_run_days(params: ResearcherParams, mean_gpu_days: float, largest: int) -> float:
    """Return how long an experiment runs on its GPUs on average, in days, with the gangs of :func:`gpus_to_ask`.

    The sum over gangs of g GPUs of ``E[c; c takes g]/g``, without failures.
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
    """The share of all GPU-days that experiments make up which cost up to x times the mean."""
    if params.experiment_variation == "exponential":
        return -math.expm1(-x) - x * math.exp(-x)
    if params.experiment_variation == "fixed" or params.experiment_sigma == 0:
        return float(x >= 1)
    return _normal_cdf(math.log(x) / params.experiment_sigma - params.experiment_sigma / 2)


def mean_days(params: ResearcherParams, part: str) -> float:
    """Return the mean time of one part of the work on a paper: thinking or writing."""
    share = params.writing_share if part == "writing" else 1 - params.writing_share
    return share / params.papers_per_day


def _work_days(params: ResearcherParams, share: float, stream: Generator) -> float:
    if share == 0:
        return 0.0
    mean = share / params.papers_per_day
    return mean * stream.standard_exponential() if params.timing == "poisson" else mean
