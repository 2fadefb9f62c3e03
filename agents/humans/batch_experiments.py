"""Run the experiments of batches of papers as job arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agents import work_model
from agents.humans.draft import Draft
from agents.identity import AgentId
from agents.parallel_experiments import ParallelPlan, plan_parallel_jobs
from agents.ports.bundles import PaperLinePorts
from agents.ports.compute import JobArrayHandle, JobHandle


class BatchOrigin(NamedTuple):
    """The facts that the experiments of one batch have in common."""

    plan: ParallelPlan
    """Size of the jobs."""
    known_at_start: int
    """Number of the latest paper that was known when the batch was begun."""
    kind: int
    """Kind of the task that follows the experiment."""


class BatchExperiments:
    """Submit one experiment for each paper of a batch, and let papers go on in batches.

    Experiments of a batch end at different times. Papers go on in batches of the present size b: number n when the
    (n - 1/2) b-th experiment is over. On average, a paper then waits for the length of its own experiment.

    Several experiments run as one job, see :mod:`agents.parallel_experiments`.

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
        largest = self._compute.largest_gang("experiment")
        rate = self._compute.work_rate
        plan = plan_parallel_jobs(self._settings, self._compute, mean_gpu_days, rate, largest)
        origin = BatchOrigin(plan, draft.known_at_start, draft.kind)
        self._compute.submit_job_array("experiment", draft.papers, self, origin, self._identity)

    def next_task(self, array: JobArrayHandle, max_gpus: int) -> tuple[int, float, int]:
        """Return GPUs, days and number of experiments of the next job of an array."""
        plan, params = _origin_of(array).plan, self._settings.researcher
        if plan.most_gpus > max_gpus:
            plan = plan_parallel_jobs(self._settings, self._compute, plan.mean_gpu_days, plan.work_rate, max_gpus)
        gpus, tasks = plan.size(array.count)
        stream = self._randomness.get("experiment cost", self._identity.stream_key)
        if tasks > 1:
            return gpus, plan.draw_days(params, gpus, tasks, stream), tasks
        gpu_days = work_model.experiment_gpu_days(params, plan.mean_gpu_days, stream)
        gpus = work_model.gang_size(params, gpu_days, max_gpus)
        return gpus, gpu_days / gpus / plan.work_rate, 1

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


def _origin_of(jobs: JobHandle | JobArrayHandle) -> BatchOrigin:
    origin = jobs.payload
    assert isinstance(origin, BatchOrigin), "a batch attaches its origin to its jobs"
    return origin
