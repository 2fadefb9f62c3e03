"""Report the state of a World: one pure function per quantity, for tables, plots and the browser window.

The functions do not change the World: they draw no random numbers and schedule no events. World collects their values
through Mesa's DataCollector. Each function reads a part of the World, which a small Protocol describes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from agents.kernel_engineer import KernelEngineer
from agents.literature import Literature
from agents.phases import Phase, PhaseOccupancy
from agents.pooled_work import PooledWork
from agents.workforce import Workforce
from hardware.datacenter import Datacenter
from hardware.uses import BACKGROUND, Use
from sim.background import BackgroundJobs
from sim.scenario.model import Scenario
from sim.software import SoftwareState


class ObservedSoftware(Protocol):
    """A lab that develops software."""

    software: SoftwareState
    pool: PooledWork | None

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""

    def experiment_gpu_days(self) -> float:
        """Return the mean cost of an experiment [GPU-days]."""

    def effective_papers(self, papers: float) -> float:
        """Return the effective papers of papers written now."""


class ObservedResearch(Protocol):
    """A lab whose researchers publish papers."""

    population: Workforce
    census: PhaseOccupancy
    literature: Literature
    papers: float

    @property
    def active_researchers(self) -> int:
        """Number of active researchers."""


class ObservedCluster(Protocol):
    """A lab that runs jobs on a cluster."""

    scenario: Scenario
    datacenter: Datacenter
    background: BackgroundJobs | None
    kernel_engineer: KernelEngineer

    @property
    def work_rate(self) -> float:
        """Work of the cluster per day, relative to day 0."""


class ObservedLab(ObservedSoftware, ObservedResearch, ObservedCluster, Protocol):
    """A lab with all quantities in `REPORTERS`, such as a World."""


def uses_of(world: ObservedCluster) -> tuple[str, ...]:
    """Return the uses of a world's cluster: those of the lab, and background jobs if it has any."""
    names = tuple(str(use) for use in Use)
    return names if world.background is None else (*names, BACKGROUND)


def day(world: ObservedSoftware) -> float:
    """Return the time since the start of the run [days]."""
    return world.now


def discovered(world: ObservedSoftware) -> float:
    """Return the doublings of discovered software, pooled work in progress included."""
    pending = world.pool.papers if world.pool is not None and world.experiment_gpu_days() == 0 else 0.0
    return world.software.after(world.effective_papers(pending))[1]


def deployed(world: ObservedSoftware) -> float:
    """Return the doublings of deployed software."""
    return world.software.deployed


def researchers(world: ObservedResearch) -> int:
    """Return the number of active researchers."""
    return world.active_researchers


def in_cohorts(world: ObservedResearch) -> int:
    """Return the number of researchers in cohorts, active and inactive."""
    return world.population.in_cohorts


def papers(world: ObservedResearch) -> float:
    """Return the number of papers published."""
    return world.papers


def duplicates(world: ObservedResearch) -> int:
    """Return the number of duplicates among the papers."""
    return world.literature.duplicates


def researchers_in_phase(phase: Phase, world: ObservedResearch) -> int:
    """Return the number of researchers in a phase."""
    return world.census.count[phase]


def gpus_in_use(use: str, world: ObservedCluster) -> int:
    """Return the number of GPUs that jobs of a use hold."""
    return world.datacenter.gpus_in_use(use)


def gpus_idle(world: ObservedCluster) -> int:
    """Return the number of GPUs that no job holds."""
    return world.scenario.cluster.gpus - sum(gpus_in_use(use, world) for use in (*Use, BACKGROUND))


def jobs_waiting(use: str, world: ObservedCluster) -> int:
    """Return the number of jobs of a use that wait for GPUs."""
    return world.datacenter.jobs_waiting(use)


def kernel_speedup(world: ObservedCluster) -> float:
    """Return the deployed speed-up of attention."""
    return world.kernel_engineer.speedup


def work_rate(world: ObservedCluster) -> float:
    """Return the work of the cluster per day, relative to day 0."""
    return world.work_rate


REPORTERS: dict[str, Callable[[ObservedLab], float]] = {
    "day": day,
    "discovered": discovered,
    "deployed": deployed,
    "researchers": researchers,
    "researchers_in_cohorts": in_cohorts,
    "papers": papers,
    "duplicates": duplicates,
    **{f"researchers_{phase}": partial(researchers_in_phase, phase) for phase in Phase if phase is not Phase.PUBLISH},
    **{f"gpus_{use}": partial(gpus_in_use, use) for use in Use},
    "gpus_background": partial(gpus_in_use, BACKGROUND),
    "gpus_idle": gpus_idle,
    "experiments_waiting": partial(jobs_waiting, Use.EXPERIMENT),
    "training_waiting": partial(jobs_waiting, Use.TRAINING),
    "kernel_speedup": kernel_speedup,
    "work_rate": work_rate,
}
