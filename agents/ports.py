"""All that an agent may know of the world and ask of it.

Agents import nothing of the simulator: they are handed something that has these methods. So they can be tested
against a small world of a few lines, and put into another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from numpy.random import Generator
from simpy import Event

from agents.literature import Literature
from agents.phases import PhaseOccupancy

if TYPE_CHECKING:
    from agents.kernel_engineer import KernelParams
    from agents.researcher import ResearcherParams
    from agents.trainer import TrainingParams


class PaperBatch(NamedTuple):
    """What a researcher, or a pool of them, hands in for publication."""

    researcher: int
    """Its number; 0 for pooled work."""
    papers: float
    """How many papers this is worth: 1, as many as a cohort hands in at once, or any amount of pooled work."""
    began: int | None
    """The latest paper that was known when it was begun; None for pooled work, which is no paper of its own."""
    authors: int = 1
    """The researchers of whom nobody says which one wrote it: 1, or the size of a cohort."""


class JobListener(Protocol):
    """Somebody who is told when its job gets GPUs and when it loses them without being over."""

    def job_started(self, job: Any) -> None:
        """Take note that the job runs now."""

    def job_stopped(self, job: Any) -> None:
        """Take note that the job was preempted or failed, and waits again."""


class ArrayTaskSource(JobListener, Protocol):
    """Somebody who asks for many jobs at once, and says what each of them is when its turn comes."""

    def draw(self, lot: Any, most: int) -> Any:
        """Return GPUs (at most ``most``), days, and how many of the lot these do."""

    def job_over(self, job: Any) -> None:
        """Take note that a job is over."""


class SpeedupCurve(Protocol):
    """How much faster attention was after so many candidates, in a search that was really made."""

    @property
    def largest(self) -> float:
        """The speed-up after all candidates that were tried."""

    def speedup_after(self, candidates: float) -> float:
        """Return the speed-up after so many candidates, at least 1."""

    def candidates_to_reach(self, speedup: float) -> float:
        """Return how many candidates a speed-up takes, inf above the largest."""


class Lab(Protocol):
    """The world, as an agent sees it. Times are days."""

    @property
    def now(self) -> float:
        """The day."""

    @property
    def researcher_params(self) -> ResearcherParams:
        """How researchers work."""

    @property
    def training_params(self) -> TrainingParams:
        """How the lab retrains."""

    @property
    def kernel_params(self) -> KernelParams:
        """How effort makes attention faster."""

    @property
    def literature(self) -> Literature:
        """All papers, and who builds on what."""

    @property
    def census(self) -> PhaseOccupancy:
        """How many researchers are in which phase."""

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Have ``callback`` called when so many days have passed."""

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """As :meth:`after`, for what happens only while the lab is alive: it alone keeps no run going."""

    def rng_for(self, decision: str, who: int) -> Generator:
        """Return the random generator of this decision of this agent."""

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment with today's algorithms, in GPU-days."""

    @property
    def work_rate(self) -> float:
        """What the cluster does in a day, over what it did with the kernels of day 0."""

    @property
    def individuals_up_to(self) -> int:
        """The largest team that is followed one by one."""

    @property
    def leap_error(self) -> float:
        """The share of those at one thing that may move on together; 0 for one by one."""

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Have ``callback`` called when all else of this instant is done."""

    def cohort_formed(self, cohort: int, researchers: int) -> None:
        """Take note that so many researchers are a cohort from now on."""

    def largest_gang(self, use: str) -> int:
        """Return the most GPUs that one job of this use can have."""

    def gpus_for_experiments(self) -> int:
        """Return the GPUs that experiments can have all together."""

    def gpus_for_training(self, one_gpu_days: float) -> int:
        """Return on how many GPUs a training run ends soonest, of those that it may have.

        ``one_gpu_days``: how long it would take on one GPU.
        """

    def withdraw(self, job: Any) -> None:
        """Take back a job that was asked for."""

    def submit_job(self, use: str, gpus: int, days: float, owner: int, watcher: JobListener | None = None) -> Event:
        """Ask the cluster for a gang of GPUs; the event returned succeeds when the job is over.

        ``days``: with the kernels of day 0; with faster ones it takes less.
        """

    def publish(self, finding: PaperBatch) -> None:
        """Make a finding known: software is discovered."""

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: Any, owner: int) -> None:
        """Ask the cluster for so many jobs at once, each of which ``source`` draws when its turn comes."""

    def papers_to_next_step(self, within: float = math.inf) -> float:
        """Return the papers that the team at work must write until the next step of software.

        ``within``: doublings that count as a step.
        """

    def discovered_doublings(self) -> float:
        """Return the doublings of software that have been discovered."""

    def training_requested(self, generation: int, gpus: int, days: float) -> None:
        """Take note that the training run of a generation was asked for; ``days`` as in :meth:`ask_gpus`."""

    def deploy(self, generation: int, doublings: float) -> None:
        """Put a newly trained generation to work, better than the last by so many doublings.

        Raises ValueError for less than none, and for more than is discovered and not yet deployed.
        """

    @property
    def reference_researchers(self) -> float:
        """Researchers of the reference team, of which the candidates a day are."""

    @property
    def research_pace(self) -> float:
        """The share of researchers' time that goes into papers: what takes d days of it takes d/pace days."""

    def set_research_pace(self, pace: float) -> None:
        """Let researchers have another share of their time for papers from now on, work under way included."""

    def team_growth(self) -> float:
        """Return the researchers at work over those of the reference team."""

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        """Put faster attention to work, found after so many candidates."""
