"""Compute the mean flow of papers that humans and AIs write together, task by task.

This is the mean of :mod:`agents.humans.paper_line`, for many humans and many papers in progress. The flow is that of
the moment: papers that are under way when it changes are not followed.

A paper needs the work h of humans, review included, and the work a of AIs. The unit is the work of a human who writes a
whole paper alone, at k papers per day. n drafts are in progress. Papers per day are the least of

- ``H k/h``, all humans at work; if humans stay with their kinds of tasks, the least of their K groups,
- ``A k/a``, all AIs at work,
- ``n/D``, all drafts under way without waiting (Little's law). D is the time of the work and the experiment of a paper,
- the share of these drafts in the experiments that full GPUs complete. They serve all experiments in order of arrival.

h and a come from the closed form of :func:`sim.production.allocate`. All functions take arrays with one element per
lab.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.fluid.flow import MIN_RATE, Experiments
from sim.fluid.lab_arrays import Floats, LabArrays
from sim.production import allocate, log_ai_productivity
from sim.software import LEVEL_TOLERANCE

_MAX_GROWTH: Final = 300.0
"""Largest growth of the number of humans [doublings]."""


class LineFlow(NamedTuple):
    """Papers of humans and of the AIs that help them, at one moment."""

    papers: Floats
    """Papers per day."""
    at_work: Floats
    """Number of humans and AIs that do a task of a paper."""
    waiting: Floats
    """Number of drafts whose experiment waits for GPUs."""


class DividedTasks(NamedTuple):
    """Work on a paper, relative to that of a human who writes a whole paper alone."""

    human_work: Floats
    """Work of humans, review included."""
    ai_work: Floats
    """Time of AIs: 1 is the time in which a human writes a whole paper."""
    most: Floats
    """Largest number of papers per day that humans and AIs have time for."""


def humans_on(labs: LabArrays, day: Floats) -> Floats:
    """Return the number of humans on a day, fractions included: agents.params.HumansParams.staff.

    It grows by at most 300 doublings, so that nothing overflows.
    """
    doublings = np.where(labs.humans > 0, np.minimum(labs.human_growth * day, _MAX_GROWTH), 0.0)
    return np.asarray(labs.humans * np.exp2(doublings))


def kinds_automated(labs: LabArrays, deployed: Floats) -> NDArray[np.int64]:
    """Return the number of kinds of tasks that AIs can do."""
    return np.asarray(_is_crossed(labs, deployed).sum(axis=-1))


def is_complete(labs: LabArrays, deployed: Floats) -> NDArray[np.bool_]:
    """Return whether AIs do all research."""
    return np.asarray(kinds_automated(labs, deployed) >= labs.kinds)


def line_flow(
    labs: LabArrays, day: Floats, ais: Floats, deployed: Floats, each: Experiments, gpus: Floats, others: Floats
) -> LineFlow:
    """Return the papers of humans, and of the AIs that help them.

    Arguments
    ---------
    labs, day
        The labs, and the present day of each.
    ais
        Number of AIs that help humans.
    deployed
        Deployed software [doublings].
    each
        Mean experiment of a paper.
    gpus
        Number of GPUs for experiments.
    others
        Number of AI researchers whose experiment waits or runs.
    """
    humans = humans_on(labs, day)
    work = divide_tasks(labs, humans, ais, deployed)
    at_once = np.where(labs.in_series, 1.0, np.maximum(ais, 1.0))  # AIs that do one task together
    needs = labs.cost > 0
    run = np.where(needs, each.days, 0.0)
    days = (work.human_work + work.ai_work / at_once) / labs.human_papers_per_day
    drafts = humans * labs.papers_in_progress
    most = np.maximum(gpus / np.maximum(each.gpu_days, MIN_RATE), MIN_RATE)
    queued = _papers_of_drafts(drafts, days, *(np.where(needs, number / most, 0.0) for number in (others, drafts)))
    limit = np.minimum(drafts / (days + run), queued)
    papers = np.minimum(work.most, limit)
    wait = np.where(needs, np.maximum(0.0, others / np.maximum(most - papers, MIN_RATE) - run), 0.0)
    behind = np.where(papers < limit, papers * wait, np.where(needs, drafts - papers * (days + run), 0.0))
    waiting = np.clip(behind, 0.0, drafts)
    at_work = papers * (work.human_work + work.ai_work) / labs.human_papers_per_day
    return LineFlow(papers, at_work, waiting)


def _papers_of_drafts(drafts: Floats, days: Floats, others: Floats, own: Floats) -> Floats:
    """Return the papers per day of n drafts if experiments fill the GPUs: X in ``X (D + Q) = n``.

    D is the time of the work on a paper. GPUs complete m experiments per day in the order of arrival. If e AI
    researchers have an experiment that waits or runs, Little's law gives the time Q of waiting and running as
    ``e/(m - X)``. X is the smaller root of a quadratic equation, and ``min(n/D, m)`` without AI researchers. ``others``
    is e/m, and ``own`` is n/m [days].
    """
    with np.errstate(invalid="ignore", over="ignore"):
        root = np.sqrt((days - own) ** 2 + others**2 + 2 * others * (days + own))
        return np.asarray(2 * drafts / (days + others + own + root))


def divide_tasks(labs: LabArrays, humans: Floats, ais: Floats, deployed: Floats) -> DividedTasks:
    """Return the division of the tasks of papers between humans and AIs, as sim.automation.Automation divides them."""
    alone = humans * labs.human_papers_per_day
    found = DividedTasks(np.ones_like(alone), np.zeros_like(alone), alone)
    crossed = _is_crossed(labs, deployed)
    number = crossed.sum(axis=-1)
    rows = np.flatnonzero((humans > 0) & (ais > 0) & (number > 0) & (number < labs.kinds))
    for kinds in np.unique(labs.kinds[rows]):
        for reallocation in (True, False):
            these = rows[(labs.kinds[rows] == kinds) & (labs.reallocation[rows] == reallocation)]
            if len(these):
                part = _divide_equal_kinds(
                    labs.take(these), humans[these], ais[these], deployed[these], crossed[these, :kinds], reallocation
                )
                for column, values in zip(found, part, strict=True):
                    column[these] = values
    return found


def _divide_equal_kinds(
    labs: LabArrays, humans: Floats, ais: Floats, deployed: Floats, crossed: NDArray[np.bool_], reallocation: bool
) -> DividedTasks:
    """Return the division in labs with the same number of kinds of tasks."""
    kinds = crossed.shape[-1]
    share, thresholds = 1 / kinds, labs.thresholds[:, :kinds]
    capability = np.maximum(deployed, np.where(crossed, thresholds, -np.inf).max(axis=-1))  # reached within rounding
    log_eta = log_ai_productivity(capability, thresholds, labs.log_productivity, labs.productivity_slope)
    helping, helped = humans, ais
    if reallocation:
        helping, helped = _who_shares_tasks(labs, humans, ais, log_eta)
    alone, none = labs.in_series & (helped <= 0), labs.in_series & (helping <= 0)
    log_humans, log_ais = np.log(np.where(none, humans, helping)), np.log(np.where(alone, ais, helped))
    with np.errstate(all="ignore"):
        found = allocate(log_humans, log_ais, log_eta, np.full(kinds, share), labs.rho, reallocation=reallocation)
        log_output = found.log_output[:, np.newaxis]
        human = np.exp(log_humans[:, np.newaxis] + np.log(found.humans) - log_output)
        ai = np.exp(log_ais[:, np.newaxis] + np.log(found.ais) - log_output)
    in_series = labs.in_series[:, np.newaxis]
    stay = none[:, np.newaxis] | (in_series & (not reallocation))
    human = np.where(stay, np.where(crossed, 0.0, share), np.where(in_series, np.minimum(share, human), human))
    human = np.where(alone[:, np.newaxis], share, human)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ai = np.where(in_series, np.where(crossed, (share - human) / np.exp(log_eta), 0.0), ai)
    own = human + labs.supervision[:, np.newaxis] * np.where(ai > 0, np.maximum(0.0, share - human), 0.0)
    human_work, ai_work = own.sum(axis=-1), ai.sum(axis=-1)
    busiest = human_work if reallocation else own.max(axis=-1) * kinds
    with np.errstate(over="ignore", divide="ignore"):
        by_humans_only = humans / np.maximum(busiest, MIN_RATE)
        by_ais_only = np.where(ai_work > 0, ais / np.maximum(ai_work, MIN_RATE), np.inf)
    most = np.minimum(by_humans_only, by_ais_only) * labs.human_papers_per_day
    return DividedTasks(human_work, ai_work, np.minimum(most, 1 / MIN_RATE))


def _who_shares_tasks(labs: LabArrays, humans: Floats, ais: Floats, log_eta: Floats) -> tuple[Floats, Floats]:
    """Return the humans and AIs between whom tasks in series are divided; 0 humans do only what AIs cannot do.

    One AI works on a task, and papers in progress are limited: see sim.automation.Automation.
    """
    drafts = humans * labs.papers_in_progress
    able = np.isfinite(log_eta)
    slowness = np.exp(np.where(able, -log_eta, -np.inf)).sum(axis=-1)
    fast = labs.in_series & (able.sum(axis=-1) >= slowness)
    helping = np.where(fast, np.minimum(humans, np.maximum(0.0, drafts - ais)), humans)
    helped = np.where(labs.in_series & ~fast, np.minimum(ais, drafts - humans), ais)
    return helping, helped


def _is_crossed(labs: LabArrays, deployed: Floats) -> NDArray[np.bool_]:
    """Return whether AIs can do each kind of task, of shape (labs, largest number of kinds)."""
    return np.asarray(labs.thresholds <= np.asarray(deployed)[:, np.newaxis] + LEVEL_TOLERANCE)
