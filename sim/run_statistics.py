"""Derive statistics of a run from the state of its World: doublings, pace, long-run growth and shares of time.

The functions do not change the World: they draw no random numbers and schedule no events. ``lab`` is the name of a lab,
empty for the only one of a World.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from agents.phases import Phase
from sim.events import SoftwareDoubled
from sim.long_run import LongRun
from sim.long_run import long_run as derived_long_run
from sim.pace import Pace, pace_of
from sim.world import World


class Doubling(NamedTuple):
    """One completed doubling of discovered software."""

    n: int
    """Number of the doubling, from 1."""
    day: float
    """Day on which it was completed."""
    duration_days: float
    """Time since the doubling before, or since the lab began its research [days]."""
    papers: float
    """Papers published in that time."""
    researchers: int
    """Number of active researchers when it was completed."""


def doublings(world: World, lab: str = "") -> list[Doubling]:
    """Return the completed doublings of a run so far, in order."""
    found: list[Doubling] = []
    before, papers_before = world.labs[lab].settings.entry.day, 0.0
    for event in world.ledger:
        if isinstance(event, SoftwareDoubled) and event.lab == lab:
            days = max(0.0, event.day - before)  # software can double before the lab enters
            found.append(Doubling(event.n, event.day, days, event.papers - papers_before, event.researchers))
            before, papers_before = max(before, event.day), event.papers
    return found


def pace(world: World, lab: str = "") -> Pace:
    """Return the pace of a run so far, over the last part of its doublings."""
    done, growth = doublings(world, lab), world.labs[lab].settings.growth
    entry = world.labs[lab].settings.entry.day
    open_days = max(0.0, world.now - max(entry, done[-1].day if done else 0.0))
    return pace_of(
        [d.duration_days for d in done],
        [d.papers for d in done],
        growth.parallel_penalty,
        open_days,
        growth.returns_to,
    )


def long_run(world: World, lab: str = "") -> LongRun:
    """Return the long-run growth under the present scenario of a run."""
    stalled = world.ending.sentence if world.ending is not None and world.ending.ending == "stalled" else ""
    return derived_long_run(
        world.labs[lab].settings.scenario, stalled, standard_agents=_has_standard_agents(world, lab)
    )


def _has_standard_agents(world: World, lab: str) -> bool:
    """Return whether the classes that determine the growth of software are those of this package."""
    return type(world) is World and world.labs[lab].make.is_standard


def time_shares(world: World, lab: str = "") -> dict[str, float]:
    """Return the shares of the researchers' time by activity; they add up to 1.

    `researchers`: thinking and writing. `experiments`: waiting for GPUs and for results. `paused`: without a GPU to
    run on, or held by the orders of a regulator. The shares do not show what limits progress; :mod:`sim.margins` does.
    """
    now = world.now
    days = {phase: world.labs[lab].workforce.census.days(phase, now) for phase in Phase}
    parts = {
        "researchers": days[Phase.THINK] + days[Phase.WRITE],
        "experiments": days[Phase.QUEUE] + days[Phase.RUN],
        "paused": days[Phase.PAUSED],
    }
    total = sum(parts.values())
    return {name: part / total if total > 0 else 0.0 for name, part in parts.items()}


def parallelization_exponent(world: World, lab: str = "") -> float | None:
    """Return the exponent p that the duplicates imply: n researchers make as many new findings as n^p.

    A share 1 - d of the papers of n researchers is new, so that new findings grow as ``n (1 - d)``. p - 1 is the slope
    of log(1 - d) on log n over the doublings, weighted by their papers (the open doubling included). None if the team
    did not change or published no whole papers.
    """
    marks = [event for event in world.ledger if isinstance(event, SoftwareDoubled) and event.lab == lab]
    there = world.labs[lab]
    rows = [(0.0, 0, there.own_team.researchers)]
    rows += [(mark.papers, mark.duplicates, mark.researchers) for mark in marks]
    literature = there.knowledge.literature
    rows.append((there.knowledge.papers, literature.duplicates, there.workforce.active_researchers))
    points = [
        (math.log(max(1, team)), math.log1p(-min(1 - 1e-12, (dup - dup0) / (total - total0))), total - total0)
        for (total0, dup0, _), (total, dup, team) in itertools.pairwise(rows)
        if total > total0
    ]
    if literature.published == 0 or len({log_team for log_team, _, _ in points}) < 2:
        return None
    log_team, log_new, weight = (np.array(column) for column in zip(*points, strict=True))
    centred = log_team - np.average(log_team, weights=weight)
    return 1 + float(np.sum(weight * centred * log_new) / np.sum(weight * centred**2))
