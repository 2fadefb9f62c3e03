"""Date the milestones of AI research automation in a scenario, over seeds.

Each seed is a run. The AI research multiplier is measured at the AIs that the runs deploy (:mod:`sim.multiplier`), and
is interpolated between them. A milestone by multiplier is the first day on which the AIs in use reach it. Pure: no
files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.progress import OnProgress, count_progress, ignore_progress
from experiments.statistics.intervals import MeanInterval, mean_interval
from sim.ai_path import AiPath, day_of_productivity
from sim.milestones import MULTIPLIER_MILESTONES, RESEARCHER_MILESTONES, MilestoneDays, first_days, milestone_table
from sim.multiplier import AiLevel, Multiplier, multipliers
from sim.runner import run
from sim.scenario.model import Scenario
from sim.time_horizon import NoHorizon
from sim.world import World

CODER_SHARE: Final = 0.5
"""Share of the tasks of a paper that is coding: AIs that do the easiest half are an automated coder. Source: our
choice."""
MULTIPLIER_SEEDS: Final = 3
"""Largest number of seeds with which a multiplier is measured."""
_BELOW: Final = 1e-3
"""Distance below a threshold at which the multiplier is measured, since it jumps there [doublings]."""

Floats = NDArray[np.float64]


class MilestoneStudy(NamedTuple):
    """Milestones of a scenario over seeds."""

    scenario: str
    digest: str
    parallel_penalty: float
    coder_share: float
    coder_year: int
    paths: tuple[AiPath, ...]
    """Completed seeds."""
    measured: tuple[Multiplier, ...]
    """Multipliers of the AIs that the runs deploy, from weak to strong."""
    multiplier_of: tuple[tuple[float, ...], ...]
    """Multiplier from each day of a path on, path by path."""
    rows: tuple[MilestoneDays, ...]
    """Days since day 0."""
    rows_since_coder: tuple[MilestoneDays, ...]
    """Days since the automated coder, as published values are."""
    productivity: tuple[float, float]
    """Productivity of an AI on the hardest kind of task at its threshold [humans], and its exponent above it."""
    asara: MeanInterval | None
    """Mean day of ASARA with its 95% interval; None unless all of at least two seeds reach it."""
    horizon_reading: str
    """Sentence on the growth of the time horizon; empty if it is not the clock."""


def study(
    scenario: Scenario,
    seeds: Sequence[int],
    coder_share: float = CODER_SHARE,
    coder_year: int = 2030,
    on_progress: OnProgress = ignore_progress,
    should_stop: Callable[[World], bool] | None = None,
) -> MilestoneStudy | None:
    """Run a scenario with each seed, measure its multipliers and date the milestones.

    Returns None if ``should_stop`` returns True before one seed and the multipliers are complete. If it returns True
    later, the completed seeds count. Raises ScenarioError if the scenario cannot be run or has no multiplier.
    """
    paths: list[AiPath] = []
    for number, seed in enumerate(seeds):
        on_progress(count_progress(number, len(seeds), "seeds"))
        result = run(scenario, seed, should_stop)
        if result.ending == "interrupted":
            break
        paths.append(result.ai_path)
    if not paths:
        return None
    measured = tuple(
        multipliers(
            scenario,
            levels_to_measure(scenario, paths),
            [path.seed for path in paths[:MULTIPLIER_SEEDS]],
            engine="mixed",
            bottlenecks=True,
            on_run=lambda done, total: on_progress(count_progress(done, total, "runs for the multiplier")),
            should_stop=should_stop if len(paths) == len(seeds) else None,
        )
    )
    if not measured:
        return None
    found = [multiplier_over_time(scenario, measured, path) for path in paths]
    days = milestone_days(scenario, paths, found, coder_share)
    asara = np.array([path.asara_day for path in paths])
    known = len(paths) > 1 and bool(np.isfinite(asara).all())
    return MilestoneStudy(
        scenario=scenario.name,
        digest=scenario.digest(),
        parallel_penalty=scenario.growth.parallel_penalty,
        coder_share=coder_share,
        coder_year=coder_year,
        paths=tuple(paths),
        measured=measured,
        multiplier_of=tuple(tuple(each.tolist()) for each in found),
        rows=tuple(milestone_table(days, coder_year=coder_year)),
        rows_since_coder=tuple(milestone_table(days, days["AC"], coder_year)),
        productivity=(scenario.automation.ai_productivity, scenario.automation.productivity_slope),
        asara=mean_interval(asara) if known else None,
        horizon_reading="" if isinstance(scenario.horizon, NoHorizon) else scenario.horizon.reading,
    )


def levels_to_measure(scenario: Scenario, paths: Sequence[AiPath]) -> list[AiLevel]:
    """Return the AIs whose multiplier is measured, from weak to strong.

    They are those at each threshold, just below it, and at each further doubling, up to the best AIs of the runs.
    """
    longest = max(paths, key=lambda path: _progress(scenario, path.levels[-1]))
    best = longest.levels[-1]
    thresholds = [float(each) for each in scenario.automation.thresholds() if 0 < each <= best.capability]
    if isinstance(scenario.horizon, NoHorizon):
        wanted = {*thresholds, *(each - _BELOW for each in thresholds), best.capability}
        wanted |= {float(each) for each in range(1, math.floor(best.capability) + 1)}
        return [AiLevel.of_software(each) for each in sorted(wanted) if each > 0]
    found: dict[AiLevel, None] = {}
    for before, level in zip(longest.levels, longest.levels[1:], strict=False):
        crossed = [each for each in thresholds if before.capability < each <= level.capability]
        if crossed:
            found[AiLevel(before.doublings, max(crossed[0] - _BELOW, 0.0))] = None
        if crossed or level.doublings >= 1 + max((each.doublings for each in found), default=0.0):
            found[level] = None
    found[best] = None
    return sorted(found, key=lambda level: _progress(scenario, level))


def _progress(scenario: Scenario, level: AiLevel) -> float:
    """Return a number that grows with the AIs, along which multipliers are interpolated [doublings]."""
    return min(level.capability, max(0.0, scenario.automation.last_threshold)) + level.doublings


def multiplier_over_time(scenario: Scenario, measured: Sequence[Multiplier], path: AiPath) -> Floats:
    """Return the multiplier of the AIs in use on each day of a path, by interpolation of its logarithm."""
    places = [0.0, *(_progress(scenario, each.level) for each in measured)]
    logs = [0.0, *(math.log(each.value) for each in measured)]
    now = [_progress(scenario, level) for level in path.levels]
    return np.exp(np.interp(now, places, logs))


def milestone_days(
    scenario: Scenario, paths: Sequence[AiPath], values: Sequence[Floats], coder_share: float
) -> dict[str, list[float]]:
    """Return the day of each milestone by its short name, one number per path; ``inf`` if it is not reached."""
    names = [each.name for each in MULTIPLIER_MILESTONES]
    levels = [each.multiplier or math.inf for each in MULTIPLIER_MILESTONES]
    found: dict[str, list[float]] = {name: [] for name in (*names, "AC", "ASARA")}
    for each in RESEARCHER_MILESTONES:
        found[each.name] = [day_of_productivity(scenario, path, each.productivity or 0.0) for path in paths]
    for path, multiplier in zip(paths, values, strict=True):
        # The AIs stay the same until the next change: each day has the value before the change, and that after it.
        before = np.concatenate([multiplier[:1], multiplier[:-1]])
        days = np.repeat(path.days, 2)
        reached = first_days(days, np.column_stack([before, multiplier]).ravel(), levels)
        for name, day in zip(names, reached.tolist(), strict=True):
            found[name].append(day)
        shares = zip(path.days, path.shares, strict=True)
        found["AC"].append(next((day for day, share in shares if share >= coder_share - 1e-9), math.inf))
        found["ASARA"].append(path.asara_day)
    return found
