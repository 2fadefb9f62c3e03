"""Define the interfaces through which agents use the simulator.

Agents import nothing of the simulator. They receive an object with these methods, so a test can replace the simulator
by a small one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from numpy.random import Generator
from simpy import Event

from agents.literature import Literature
from agents.params import KernelParams, ResearcherParams, TrainingParams
from agents.phases import PhaseOccupancy


class PaperBatch(NamedTuple):
    """Papers that a researcher, a cohort or a pool publishes together."""

    researcher: int
    """Number of the researcher or cohort; 0 for pooled work."""
    papers: float
    """Number of papers: 1, the batch of a cohort, or any amount of pooled work."""
    known_at_start: int | None
    """Number of the latest paper that was known at the start; None for pooled work, which has no single paper."""
    team_size: int = 1
    """Number of possible authors: 1, or the number of active researchers of a cohort."""


class JobHandle(Protocol):
    """A job of the cluster, as agents see it."""

    @property
    def gpus(self) -> int:
        """Number of GPUs."""

    @property
    def tasks(self) -> int:
        """Number of tasks of a job array that the job does; 1 for a single job."""

    @property
    def payload(self) -> Any:
        """Data that its owner attached to the job array; None if there are none."""

    def transfer_to(self, listener: ArrayTaskSource, payload: Any) -> None:
        """Report to ``listener`` from now on, in place of the present listener and callbacks."""


class JobArrayHandle(Protocol):
    """Jobs that were submitted together and whose sizes are drawn when their turn comes."""

    @property
    def count(self) -> int:
        """Number of jobs that still wait."""

    @property
    def payload(self) -> Any:
        """Data that its owner attached."""


class JobListener(Protocol):
    """An object that is notified when its job gets GPUs, and when it loses them before its end."""

    def job_started(self, job: Any) -> None:
        """Handle that the job runs now."""

    def job_stopped(self, job: Any) -> None:
        """Handle that the job was preempted or failed, and waits again."""


class ArrayTaskSource(JobListener, Protocol):
    """An object that submits job arrays and draws each job when its turn comes."""

    def next_task(self, array: Any, max_gpus: int) -> Any:
        """Return the GPUs (at most ``max_gpus``), days and number of tasks of the next job of an array."""

    def job_over(self, job: Any) -> None:
        """Handle the end of a job."""


class SpeedupCurve(Protocol):
    """Measured speed-up of attention over the number of candidates."""

    @property
    def largest(self) -> float:
        """Speed-up after all candidates that were tried."""

    def speedup_after(self, candidates: float) -> float:
        """Return the speed-up after this number of candidates, at least 1."""

    def candidates_to_reach(self, speedup: float) -> float:
        """Return how many candidates a speed-up takes; inf above the largest."""


class Lab(Protocol):
    """The simulated lab, as agents see it. Times are days."""

    @property
    def now(self) -> float:
        """Current day."""

    @property
    def researcher_params(self) -> ResearcherParams:
        """Parameters of researchers."""

    @property
    def training_params(self) -> TrainingParams:
        """Parameters of training runs."""

    @property
    def kernel_params(self) -> KernelParams:
        """Parameters of kernels."""

    @property
    def literature(self) -> Literature:
        """All papers and their references."""

    @property
    def census(self) -> PhaseOccupancy:
        """Number of researchers in each phase."""

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``."""

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``, with a timer that does not keep the run alive."""

    def rng_for(self, decision: str, who: int) -> Generator:
        """Return the random generator of a decision of an agent."""

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with today's algorithms, in GPU-days."""

    @property
    def work_rate(self) -> float:
        """Work of the cluster per day, relative to the kernels of day 0."""

    @property
    def max_individuals(self) -> int:
        """Maximum number of researchers that are simulated as individuals."""

    @property
    def leap_tolerance(self) -> float:
        """Maximum share of the researchers of a stage that move on together; 0: one by one."""

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` after all other events of this instant."""

    def cohort_formed(self, cohort: int, researchers: int) -> None:
        """Record that these researchers are a cohort from now on."""

    def largest_gang(self, use: str) -> int:
        """Return the most GPUs that one job of this use can have."""

    def gpus_for_experiments(self) -> int:
        """Return the total number of GPUs for experiments."""

    def gpus_for_training(self, one_gpu_days: float) -> int:
        """Return the number of GPUs on which a training run ends soonest, within its limit.

        ``one_gpu_days``: length of the run on one GPU.
        """

    def withdraw(self, job: Any) -> None:
        """Cancel a job."""

    def submit_job(self, use: str, gpus: int, days: float, owner: int, watcher: JobListener | None = None) -> Event:
        """Submit a job; the event returned succeeds when the job is over.

        ``days``: length with the kernels of day 0; faster kernels shorten it.
        """

    def publish(self, finding: PaperBatch) -> None:
        """Publish papers, which add to the discovered software."""

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: Any, owner: int) -> None:
        """Submit ``number`` jobs together; ``source`` draws each job when its turn comes."""

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the papers that the active team must write up to the next step of software.

        ``within``: maximum length of a step [doublings].
        """

    def discovered_doublings(self) -> float:
        """Return the discovered doublings of software."""

    def training_requested(self, generation: int, gpus: int, days: float) -> None:
        """Record that the training run of a generation was submitted; ``days`` as in :meth:`submit_job`."""

    def deploy(self, generation: int, doublings: float) -> None:
        """Deploy a new generation, which is better than the last by ``doublings``.

        Raises ValueError if ``doublings`` is negative or exceeds what is discovered and not yet deployed.
        """

    @property
    def reference_researchers(self) -> float:
        """Size of the reference team, to which the number of candidates a day refers."""

    @property
    def research_pace(self) -> float:
        """Share of researchers' time for papers: d days of work take d/pace days."""

    def set_research_pace(self, pace: float) -> None:
        """Change the share of researchers' time for papers, also for work that has begun."""

    def team_growth(self) -> float:
        """Return the number of active researchers, relative to the reference team."""

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Deploy a faster attention kernel, found after this number of candidates."""
