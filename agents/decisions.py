"""What a researcher decides: pure functions of its parameters, what it sees, and a stream of chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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


def gpus_to_ask(params: ResearcherParams, gpu_days: float, largest: int) -> int:
    """Return the gang for an experiment: the fewest GPUs, as a power of two, that end it in `experiment_days`.

    Never more than `experiment_gpus` or than ``largest``, the most that one job can have.
    """
    most = min(params.experiment_gpus, largest)
    wanted = gpu_days / params.experiment_days
    return most if wanted >= most else min(most, 1 << max(0, math.ceil(wanted) - 1).bit_length())


def _work_days(params: ResearcherParams, share: float, stream: Generator) -> float:
    if share == 0:
        return 0.0
    mean = share / params.papers_per_day
    return mean * stream.standard_exponential() if params.timing == "poisson" else mean
