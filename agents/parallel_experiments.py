"""Plan jobs that run several experiments in parallel, so that large clusters have few jobs."""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.random import Generator

from agents import work_model
from agents.params import ResearcherParams
from agents.ports.compute import Compute
from agents.ports.settings import Settings

_HOURS_PER_DAY = 24


class ParallelPlan(NamedTuple):
    """Size of the jobs of experiments that were submitted together."""

    mean_gpu_days: float
    """Mean cost of an experiment with the kernels of day 0 [GPU-days]."""
    work_rate: float
    """Work rate of the cluster at submission, relative to the kernels of day 0."""
    run_days: float
    """Mean length of an experiment that runs as a job of its own [days]."""
    most_gpus: int
    """Maximum number of GPUs of a job."""

    @property
    def gpus_each(self) -> float:
        """Mean number of GPUs of an experiment that runs as a job of its own, weighted by time."""
        return self.mean_gpu_days / self.work_rate / self.run_days

    def size(self, waiting: int) -> tuple[int, int]:
        """Return GPUs and number of experiments of the next job, of at most this number of experiments that wait.

        Each holds the GPUs that it would hold alone, on average. The number of GPUs is a power of two, because a queue
        of few sizes is quick. Further experiments follow in the next job.
        """
        each = self.gpus_each
        gpus = min(self.most_gpus, 1 << int(math.log2(max(1.0, waiting * each))))
        return gpus, max(1, min(waiting, round(gpus / each)))

    def draw_days(self, params: ResearcherParams, gpus: int, tasks: int, stream: Generator) -> float:
        """Draw the length of a job of several experiments, which is that of one of them on average [days]."""
        gpu_days = work_model.draw_total_gpu_days(params, self.mean_gpu_days, tasks, stream)
        return gpu_days / self.work_rate / gpus


def plan_parallel_jobs(
    settings: Settings, compute: Compute, mean_gpu_days: float, work_rate: float, max_gpus: int
) -> ParallelPlan:
    """Plan jobs that have at most the share ``leap_tolerance`` of the GPUs and fail with at most that probability.

    ``max_gpus``: maximum number of GPUs of one job on this cluster.
    """
    params, hours = settings.researcher, settings.cluster.gpu_hours_between_failures
    run_days = work_model.mean_run_days(params, mean_gpu_days, max_gpus) / work_rate
    until_failure = hours / _HOURS_PER_DAY / run_days if hours else math.inf
    wide = settings.run.leap_tolerance * min(compute.gpus_for_experiments(), until_failure)
    gang = min(max_gpus, params.experiment_gpus)
    return ParallelPlan(
        mean_gpu_days, work_rate, run_days, max(gang, min(max_gpus, 1 << int(math.log2(max(1.0, wide)))))
    )
