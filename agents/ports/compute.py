"""Define how agents use the GPUs of their lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agents.identity import AgentId


class JobHandle(Protocol):
    """A job of the cluster, as agents see it."""

    @property
    def number(self) -> int:
        """Number of the job, in order of submission."""

    @property
    def gpus(self) -> int:
        """Number of GPUs."""

    @property
    def tasks(self) -> int:
        """Number of tasks of a job array that the job does; 1 for a single job."""

    @property
    def unfinished(self) -> float:
        """Share of its work that was not done at the last start or interruption."""

    @property
    def payload(self) -> object:
        """Data that its owner attached to the job array; None if there are none."""

    def transfer_to(self, listener: ArrayTaskSource, payload: object) -> None:
        """Report to ``listener`` from now on, in place of the present listener and callbacks."""


class JobArrayHandle(Protocol):
    """Jobs that were submitted together and whose sizes are drawn when their turn comes."""

    @property
    def count(self) -> int:
        """Number of jobs that still wait."""

    @property
    def payload(self) -> object:
        """Data that its owner attached."""


class JobListener(Protocol):
    """An object that is notified when its job gets GPUs, and when it loses them before its end."""

    def job_started(self, job: JobHandle) -> None:
        """Handle that the job runs now."""

    def job_stopped(self, job: JobHandle) -> None:
        """Handle that the job was preempted or failed, and waits again."""


class ArrayTaskSource(JobListener, Protocol):
    """An object that submits job arrays and draws each job when its turn comes."""

    def next_task(self, array: JobArrayHandle, max_gpus: int) -> tuple[int, float, int]:
        """Return the GPUs (at most ``max_gpus``), days and number of tasks of the next job of an array."""

    def job_over(self, job: JobHandle) -> None:
        """Handle the end of a job."""


class Compute(Protocol):
    """The GPUs of the lab. Uses of GPUs are *inference*, *experiment* and *training*."""

    @property
    def work_rate(self) -> float:
        """Work of the cluster per day, relative to the kernels of day 0."""

    def largest_gang(self, use: str) -> int:
        """Return the largest number of GPUs that one job of this use can have."""

    def gpus_for_experiments(self) -> int:
        """Return the number of GPUs that all experiments can have together."""

    def submit_job(
        self,
        use: str,
        gpus: int,
        days: float,
        owner: AgentId,
        on_done: Callable[[JobHandle], None],
        listener: JobListener | None = None,
    ) -> JobHandle:
        """Submit a job; ``on_done`` is called with it when it is over, also if it was cancelled.

        ``days``: length with the kernels of day 0; faster kernels shorten it.
        """

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: object, owner: AgentId) -> None:
        """Submit ``number`` jobs together; ``source`` draws each job when its turn comes."""

    def withdraw(self, job: JobHandle) -> None:
        """Cancel a job."""


class ClusterStatus(Protocol):
    """Facts about the cluster for the decisions of a lab."""

    def fastest_training_gpus(self, one_gpu_days: float) -> int:
        """Return the number of GPUs, within its limits, on which a training run ends soonest.

        ``one_gpu_days``: length of the run on one GPU with the kernels of day 0.
        """

    def jobs_waiting(self, use: str) -> int:
        """Return the number of jobs of a use that wait for GPUs."""

    def gpus_in_use(self, use: str) -> int:
        """Return the number of GPUs that jobs of a use hold."""
