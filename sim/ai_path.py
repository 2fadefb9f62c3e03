"""Follow which AIs a run uses, and compute the AI research multiplier of its days by the equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from sim.events import Deployed, Event, TaskAutomated
from sim.multiplier import AiLevel, Multiplier, multipliers
from sim.scenario.model import Scenario, ScenarioError
from sim.time_horizon import NoHorizon

_TOLERANCE: Final = 1e-9
"""Tolerance for rounding within which a capability is reached [doublings]."""
_MIN_SHOWN: Final = 0.05
"""Part of the gap below which the sentence omits a bottleneck [doublings]."""


class AiPath(NamedTuple):
    """AIs in use over the days of one run. They change at deployments, and when AIs learn a kind of task."""

    seed: int
    days: tuple[float, ...]
    """Days of the changes, from day 0 to the end of the run."""
    levels: tuple[AiLevel, ...]
    """AIs in use from each of these days on."""
    shares: tuple[float, ...]
    """Share of the kinds of tasks that AIs can do from each day on."""
    asara_day: float
    """Day on which AIs can do all tasks; ``inf`` if they do not in this run."""
    waiting: float
    """Software at the end of the run that is discovered and waits for a training run [doublings]."""


def ai_path(
    scenario: Scenario,
    seed: int,
    events: Sequence[Event],
    task_days: Sequence[float],
    day: float,
    waiting: float,
) -> AiPath:
    """Return the AIs in use over the days of a run.

    Arguments
    ---------
    scenario, seed
        Scenario and random seed of the run.
    events
        Its events.
    task_days
        Day on which AIs can do each kind of task, as in :class:`sim.road.Road`.
    day
        Day on which the run ended.
    waiting
        Software at the end that is discovered and waits for a training run [doublings].
    """
    is_clock = not isinstance(scenario.horizon, NoHorizon)
    counts_later = is_clock and scenario.start.given_by == "training compute"
    days: list[float] = []
    levels: list[AiLevel] = []
    deployed, at_asara = 0.0, math.inf
    for when, software in [(0.0, 0.0), *_changes(events), (day, -1.0)]:
        deployed = max(deployed, software)
        if when >= task_days[-1] and at_asara == math.inf:
            at_asara = deployed
        capability = scenario.horizon.capability(when)
        hosted = max(0.0, deployed - at_asara) if counts_later else deployed
        level = AiLevel(hosted, deployed if capability is None else capability)
        if days and days[-1] == when:
            levels[-1] = level
        else:
            days.append(when)
            levels.append(level)
    shares = [sum(each <= when for each in task_days) / len(task_days) for when in days]
    return AiPath(seed, tuple(days), tuple(levels), tuple(shares), task_days[-1], max(0.0, waiting))


def _changes(events: Sequence[Event]) -> list[tuple[float, float]]:
    """Return the days on which the AIs in use change, with deployed software; -1 if that does not change."""
    return [
        (event.day, event.deployed if isinstance(event, Deployed) else -1.0)
        for event in events
        if isinstance(event, (Deployed, TaskAutomated))
    ]


def day_of_productivity(scenario: Scenario, path: AiPath, productivity: float) -> float:
    """Return the day on which an AI does the hardest kind of task as fast as ``productivity`` humans.

    It is ``inf`` if that is not in the run.
    """
    needed = scenario.automation.capability_of(productivity)
    if isinstance(scenario.horizon, NoHorizon):
        steps = zip(path.days, path.levels, strict=True)
        return next((day for day, level in steps if level.capability >= needed - _TOLERANCE), math.inf)
    day = scenario.horizon.day_of(needed)
    return day if day <= path.days[-1] else math.inf


class DatedMultiplier(NamedTuple):
    """AI research multiplier of the AIs in use from a day on."""

    day: float
    multiplier: Multiplier


def multipliers_on_path(scenario: Scenario, path: AiPath) -> list[DatedMultiplier]:
    """Return the multiplier on each day on which AIs learn a kind of task, and at the end, by the equations.

    Raises ScenarioError if the equations cannot run the lab of day 0 with these AIs.
    """
    wanted = [place for place in range(1, len(path.days)) if path.shares[place] > path.shares[place - 1]]
    last = len(path.days) - 1
    if last not in wanted:
        wanted.append(last)
    found = multipliers(scenario, [path.levels[place] for place in wanted], engine="fluid", bottlenecks=True)
    return [DatedMultiplier(path.days[place], each) for place, each in zip(wanted, found, strict=True)]


def multiplier_sentence(scenario: Scenario, path: AiPath) -> str:
    """Return a sentence on the multipliers of a run, and on what limits that of its end."""
    try:
        found = multipliers_on_path(scenario, path)
    except ScenarioError as error:
        return f"AI research multiplier: the equations do not give it ({error})."
    days = ", ".join(f"{_short(each.multiplier.value)} on day {each.day:,.0f}" for each in found)
    limits = limit_phrase(found[-1].multiplier, path.waiting, scenario.growth.parallel_penalty)
    return f"AI research multiplier (AIs of the day in the lab of day 0, by the equations): {days}{limits}."


def limit_phrase(best: Multiplier, waiting: float, parallel_penalty: float) -> str:
    """Return what keeps a multiplier below that of free progress, as the end of a sentence without its full stop."""
    parts = best.bottlenecks(waiting, parallel_penalty)
    named = {name: value for name, value in parts.items() if value > _MIN_SHOWN}
    if not named:
        return "; neither GPUs nor tasks of humans limit it"
    total = sum(named.values())
    shares = ", ".join(f"{name} {value:.1f} ({value / total:.0%})" for name, value in named.items())
    return f". What keeps it lower, in doublings: {shares}"


def _short(value: float) -> str:
    """Format a multiplier with three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
