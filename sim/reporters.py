"""Report the state of a World: one pure function per quantity, for tables, plots and the browser window.

The functions do not change the World: they draw no random numbers and schedule no events. World collects their values
through Mesa's DataCollector.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.cohort.cohort import Cohort
from agents.kernel_engineer import KernelEngineer
from agents.phases import Phase
from agents.researcher import Researcher
from agents.trainer import Trainer
from sim.background import BACKGROUND
from sim.events import SoftwareDoubled
from sim.long_run import LongRun
from sim.long_run import long_run as derived_long_run
from sim.pace import Pace, pace_of

if TYPE_CHECKING:
    from sim.world import World

_STANDARD_AGENTS = frozenset({Cohort, KernelEngineer, Researcher, Trainer})

USES = ("inference", "experiment", "training")
"""Uses of the cluster by the lab itself."""


def uses_of(world: World) -> tuple[str, ...]:
    """Return the uses of a world's cluster: those of the lab, and background jobs if it has any."""
    return USES if world.background is None else (*USES, BACKGROUND)


def day(world: World) -> float:
    """Return the time since the start of the run [days]."""
    return world.now


def discovered(world: World) -> float:
    """Return the doublings of discovered software, pooled work in progress included."""
    pending = world.pool.papers if world.pool is not None and world.experiment_gpu_days() == 0 else 0.0
    return world.software.after(world.effective_papers(pending))[1]


def deployed(world: World) -> float:
    """Return the doublings of deployed software."""
    return world.software.deployed


def researchers(world: World) -> int:
    """Return the number of active researchers."""
    return world.active_researchers


def in_cohorts(world: World) -> int:
    """Return the number of researchers in cohorts, active and inactive."""
    return world.population.in_cohorts


def papers(world: World) -> float:
    """Return the number of papers published."""
    return world.papers


def duplicates(world: World) -> int:
    """Return the number of duplicates among the papers."""
    return world.literature.duplicates


def researchers_in_phase(phase: Phase, world: World) -> int:
    """Return the number of researchers in a phase."""
    return world.census.count[phase]


def gpus_in_use(use: str, world: World) -> int:
    """Return the number of GPUs that jobs of a use hold."""
    return world.datacenter.gpus_in_use(use)


def gpus_idle(world: World) -> int:
    """Return the number of GPUs that no job holds."""
    return world.scenario.cluster.gpus - sum(gpus_in_use(use, world) for use in (*USES, BACKGROUND))


def jobs_waiting(use: str, world: World) -> int:
    """Return the number of jobs of a use that wait for GPUs."""
    return world.datacenter.jobs_waiting(use)


def kernel_speedup(world: World) -> float:
    """Return the deployed speed-up of attention."""
    return world.kernel_engineer.speedup


def work_rate(world: World) -> float:
    """Return the work of the cluster per day, relative to day 0."""
    return world.work_rate


REPORTERS: dict[str, Callable[[World], float]] = {
    "day": day,
    "discovered": discovered,
    "deployed": deployed,
    "researchers": researchers,
    "researchers_in_cohorts": in_cohorts,
    "papers": papers,
    "duplicates": duplicates,
    **{f"researchers_{phase}": partial(researchers_in_phase, phase) for phase in Phase if phase is not Phase.PUBLISH},
    **{f"gpus_{use}": partial(gpus_in_use, use) for use in USES},
    "gpus_background": partial(gpus_in_use, BACKGROUND),
    "gpus_idle": gpus_idle,
    "experiments_waiting": partial(jobs_waiting, "experiment"),
    "training_waiting": partial(jobs_waiting, "training"),
    "kernel_speedup": kernel_speedup,
    "work_rate": work_rate,
}


class Doubling(NamedTuple):
    """One completed doubling of discovered software."""

    n: int
    """Number of the doubling, from 1."""
    day: float
    """Day on which it was completed."""
    duration_days: float
    """Time since the doubling before, or since day 0 [days]."""
    papers: float
    """Papers published in that time."""
    researchers: int
    """Number of active researchers when it was completed."""


def doublings(world: World) -> list[Doubling]:
    """Return the completed doublings of a run so far, in order."""
    found: list[Doubling] = []
    before, papers_before = 0.0, 0.0
    for event in world.ledger:
        if isinstance(event, SoftwareDoubled):
            found.append(
                Doubling(event.n, event.day, event.day - before, event.papers - papers_before, event.researchers)
            )
            before, papers_before = event.day, event.papers
    return found


def pace(world: World) -> Pace:
    """Return the pace of a run so far, over the last part of its doublings."""
    done = doublings(world)
    open_days = world.now - (done[-1].day if done else 0.0)
    return pace_of(
        [d.duration_days for d in done],
        [d.papers for d in done],
        world.scenario.growth.parallel_penalty,
        open_days,
        world.scenario.growth.returns_to,
    )


def long_run(world: World) -> LongRun:
    """Return the long-run growth under the present scenario of a run."""
    stalled = world.ending.sentence if world.ending is not None and world.ending.ending == "stalled" else ""
    return derived_long_run(world.scenario, stalled, standard_agents=_has_standard_agents(world))


def _has_standard_agents(world: World) -> bool:
    """Return whether the classes that determine the growth of software are those of this package."""
    own_world = type(world).__module__ == "sim.world"
    return own_world and all(
        type(agent) in _STANDARD_AGENTS for agent in (*world.agents, world.trainer, world.kernel_engineer)
    )


def time_shares(world: World) -> dict[str, float]:
    """Return the shares of the researchers' time by activity; they add up to 1.

    `researchers`: thinking and writing. `experiments`: waiting for GPUs and for results. `paused`: without a GPU to
    run on. The shares do not show what limits progress; :mod:`sim.margins` does.
    """
    now = world.now
    days = {phase: world.census.days(phase, now) for phase in Phase}
    parts = {
        "researchers": days[Phase.THINK] + days[Phase.WRITE],
        "experiments": days[Phase.QUEUE] + days[Phase.RUN],
        "paused": days[Phase.PAUSED],
    }
    total = sum(parts.values())
    return {name: part / total if total > 0 else 0.0 for name, part in parts.items()}


def parallelization_exponent(world: World) -> float | None:
    """Return the exponent p that the duplicates imply: n researchers make as many new findings as n^p.

    A share 1 - d of the papers of n researchers is new, so that new findings grow as ``n (1 - d)``. p - 1 is the slope
    of log(1 - d) on log n over the doublings, weighted by their papers (the open doubling included). None if the team
    did not change or published no whole papers.
    """
    marks = [event for event in world.ledger if isinstance(event, SoftwareDoubled)]
    rows = [(0.0, 0, world.own_team.researchers)]
    rows += [(mark.papers, mark.duplicates, mark.researchers) for mark in marks]
    rows.append((world.papers, world.literature.duplicates, world.active_researchers))
    points = [
        (math.log(max(1, team)), math.log1p(-min(1 - 1e-12, (dup - dup0) / (total - total0))), total - total0)
        for (total0, dup0, _), (total, dup, team) in itertools.pairwise(rows)
        if total > total0
    ]
    if world.literature.published == 0 or len({log_team for log_team, _, _ in points}) < 2:
        return None
    log_team, log_new, weight = (np.array(column) for column in zip(*points, strict=True))
    centred = log_team - np.average(log_team, weights=weight)
    return 1 + float(np.sum(weight * centred * log_new) / np.sum(weight * centred**2))
