"""Run the experiments of batches of papers as job arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from agents import work_model
from agents.humans.draft import Draft
from agents.identity import AgentId
from agents.ports.bundles import PaperLinePorts
from agents.ports.compute import JobArrayHandle, JobHandle

_HOURS_PER_DAY = 24


class BatchOrigin(NamedTuple):
    """The facts that the experiments of one batch have in common."""

    mean_gpu_days: float
    """Mean cost of an experiment at submission [GPU-days]."""
    work_rate: float
    """Work rate of the cluster at submission, relative to the kernels of day 0."""
    known_at_start: int
    """Number of the latest paper that was known when the batch was begun."""
    kind: int
    """Kind of the task that follows the experiment."""


class BatchExperiments:
    """Submit one experiment for each paper of a batch, and let papers go on in batches.

    Experiments of a batch end at different times. Papers go on in batches of the present size b: number n when the
    (n - 1/2) b-th experiment is over. On average, a paper then waits for the length of its own experiment.

    Several experiments run as one job, on as many GPUs as they would hold one by one. Such a job has at most the share
    ``leap_tolerance`` of the GPUs, and fails with at most that probability.

    Arguments
    ---------
    identity
        Owner of the jobs.
    ports
        Ports of the papers in progress.
    batch_size
        Function that returns the present number of papers of a batch.
    on_done
        Function that is called with each batch that goes on.
    """

    def __init__(
        self,
        identity: AgentId,
        ports: PaperLinePorts,
        batch_size: Callable[[], int],
        on_done: Callable[[Draft], None],
    ) -> None:
        self._identity = identity
        self._compute = ports.compute
        self._randomness = ports.randomness
        self._settings = ports.settings
        self._batch_size = batch_size
        self._on_done = on_done
        self.papers = 0
        """Number of papers that have not gone on since their experiment was submitted."""
        self.on_cluster = 0
        """Number of experiments that wait or run."""

    def submit(self, draft: Draft, mean_gpu_days: float) -> None:
        """Submit the experiments of a batch, of this mean cost."""
        self.papers += draft.papers
        self.on_cluster += draft.papers
        origin = BatchOrigin(mean_gpu_days, self._compute.work_rate, draft.known_at_start, draft.kind)
        self._compute.submit_job_array("experiment", draft.papers, self, origin, self._identity)

    def next_task(self, array: JobArrayHandle, max_gpus: int) -> tuple[int, float, int]:
        """Return GPUs, days and number of experiments of the next job of an array."""
        origin = _origin_of(array)
        params = self._settings.researcher
        run_days = work_model.mean_run_days(params, origin.mean_gpu_days, max_gpus) / origin.work_rate
        most_gpus = self._most_gpus(run_days, max_gpus)
        gpus_each = origin.mean_gpu_days / origin.work_rate / run_days
        tasks = max(1, min(array.count, int(most_gpus / gpus_each)))
        stream = self._randomness.get("experiment cost", self._identity.stream_key)
        gpu_days = work_model.draw_total_gpu_days(params, origin.mean_gpu_days, tasks, stream)
        if tasks == 1:
            gpus = work_model.gang_size(params, gpu_days, max_gpus)
        else:
            gpus = min(_power_of_two(gpu_days / origin.work_rate / run_days), most_gpus)
        return gpus, gpu_days / gpus / origin.work_rate, tasks

    def job_started(self, job: JobHandle) -> None:
        """Do nothing: papers in progress are not counted by the state of their jobs."""

    def job_stopped(self, job: JobHandle) -> None:
        """Do nothing: papers in progress are not counted by the state of their jobs."""

    def job_over(self, job: JobHandle) -> None:
        """Let papers go on, in batches of the present size; the last experiment lets all papers go on."""
        self.on_cluster -= job.tasks
        origin, batch = _origin_of(job), self._batch_size()
        while self.papers >= batch and 2 * (self.papers - self.on_cluster) >= batch:
            self._go_on(batch, origin)
        if self.papers and not self.on_cluster:
            self._go_on(self.papers, origin)

    def _go_on(self, papers: int, origin: BatchOrigin) -> None:
        self.papers -= papers
        draft = Draft(origin.known_at_start, papers)
        draft.kind = origin.kind
        draft.is_past_experiment = True
        self._on_done(draft)

    def _most_gpus(self, run_days: float, max_gpus: int) -> int:
        """Return the maximum number of GPUs of one job."""
        hours = self._settings.cluster.gpu_hours_between_failures
        until_failure = hours / _HOURS_PER_DAY / run_days if hours else math.inf
        wide = self._settings.run.leap_tolerance * min(self._compute.gpus_for_experiments(), until_failure)
        gang = min(max_gpus, self._settings.researcher.experiment_gpus)
        return max(gang, min(1 << int(math.log2(max(1.0, wide))), max_gpus))


def _power_of_two(gpus: float) -> int:
    """Return the power of two that is nearest in ratio, at least 1; few sizes of jobs keep the queue quick."""
    return 1 << max(0, round(math.log2(gpus)))


def _origin_of(jobs: JobHandle | JobArrayHandle) -> BatchOrigin:
    origin = jobs.payload
    assert isinstance(origin, BatchOrigin), "a batch attaches its origin to its jobs"
    return origin
