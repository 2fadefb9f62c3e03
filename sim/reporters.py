"""Report the state of a lab: one pure function per quantity, for tables, plots and the browser window.

The functions take a lab and do not change it: they draw no random numbers and schedule no events. World collects their
values through Mesa's DataCollector.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agents.phases import Phase
from hardware.uses import BACKGROUND, Use
from sim.lab import Lab


def uses_of(lab: Lab) -> tuple[str, ...]:
    """Return the uses of a lab's cluster: its own, and background jobs if it has any."""
    names = tuple(str(use) for use in Use)
    return names if lab.background is None else (*names, BACKGROUND)


def day(lab: Lab) -> float:
    """Return the time since the start of the run [days]."""
    return lab.now


def discovered(lab: Lab) -> float:
    """Return the doublings of discovered software, pooled work in progress included."""
    pool, knowledge = lab.workforce.pool, lab.knowledge
    pending = pool.papers if pool is not None and knowledge.experiment_gpu_days() == 0 else 0.0
    return knowledge.software.after(knowledge.effective_papers(pending))[1]


def deployed(lab: Lab) -> float:
    """Return the doublings of deployed software."""
    return lab.knowledge.software.deployed


def researchers(lab: Lab) -> int:
    """Return the number of active researchers."""
    return lab.workforce.active_researchers


def in_cohorts(lab: Lab) -> int:
    """Return the number of researchers in cohorts, active and inactive."""
    return lab.workforce.in_cohorts


def humans(lab: Lab) -> int:
    """Return the number of human researchers; 0 after a merger in which they moved to another lab."""
    return 0 if lab.humans.has_moved else lab.humans.size


def assistants(lab: Lab) -> int:
    """Return the number of AIs that do tasks for humans, because they cannot write papers on their own yet."""
    return lab.automation.ais


def share_automated(lab: Lab) -> float:
    """Return the share of the tasks of a paper that AIs can do."""
    return lab.automation.share_automated


def drafts_waiting(lab: Lab) -> int:
    """Return the number of papers that wait for a human."""
    return lab.line.drafts_waiting


def papers(lab: Lab) -> float:
    """Return the number of papers published."""
    return lab.knowledge.papers


def duplicates(lab: Lab) -> int:
    """Return the number of duplicates among the papers."""
    return lab.knowledge.literature.duplicates


def researchers_in_phase(phase: Phase, lab: Lab) -> int:
    """Return the number of researchers in a phase."""
    return lab.workforce.census.count[phase]


def gpus_in_use(use: str, lab: Lab) -> int:
    """Return the number of GPUs that jobs of a use hold."""
    return lab.compute.datacenter.gpus_in_use(use)


def gpus_idle(lab: Lab) -> int:
    """Return the number of GPUs that no job holds."""
    return lab.compute.datacenter.capacity - sum(gpus_in_use(use, lab) for use in (*Use, BACKGROUND))


def jobs_waiting(use: str, lab: Lab) -> int:
    """Return the number of jobs of a use that wait for GPUs."""
    return lab.compute.datacenter.jobs_waiting(use)


def kernel_speedup(lab: Lab) -> float:
    """Return the deployed speed-up of attention."""
    return lab.kernels.speedup


def work_rate(lab: Lab) -> float:
    """Return the work of the cluster per day, relative to day 0."""
    return lab.compute.work_rate


REPORTERS: dict[str, Callable[[Lab], float]] = {
    "day": day,
    "discovered": discovered,
    "deployed": deployed,
    "researchers": researchers,
    "researchers_in_cohorts": in_cohorts,
    "humans": humans,
    "assistants": assistants,
    "share_automated": share_automated,
    "drafts_waiting": drafts_waiting,
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
