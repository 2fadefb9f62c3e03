"""Determine over seeds who leads among several labs: order, lead, shares, concentration, and one lab in comparison.

Two definitions of "winner takes all" are estimated. By level: the lab that is first to reach a level of discovered
software. By software: the lab that then has more than half of the software of all labs, as the sum of their levels
``2^doublings``. Pure: no files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.monte_carlo.runner import quantiles
from experiments.progress import OnProgress, count_progress, ignore_progress
from experiments.race.levels import check_level, is_shared, levels_of
from experiments.race.one_lab import gpus_by_lab, merge_labs
from experiments.race.seed_runs import (
    Curve,
    OneLabOutcome,
    RaceOutcome,
    RacePlan,
    first_labs,
    is_cut_short,
    lead_days,
    majority_lab,
    software_shares,
    sum_to_one,
)
from experiments.statistics.intervals import MeanInterval, Share, mean_interval, share_of
from experiments.sweep.outcome_plan import OutcomePlan
from experiments.sweep.workers.outcomes import execute_plan
from sim.race import concentration, require_labs
from sim.racing.safety_game import safety_of_share
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

PERCENTILES: Final = (0.1, 0.5, 0.9)
CURVE_POINTS: Final = 161
"""Number of days of a curve."""

Floats = NDArray[np.float64]


class Percentiles(NamedTuple):
    """Percentiles over seeds; each is the value of a seed, and ``inf`` if that seed does not reach it."""

    p10: float
    p50: float
    p90: float


class LevelRow(NamedTuple):
    """How a race stands at one level."""

    level: float
    """Level of discovered software [doublings]."""
    first: dict[str, Share]
    """Probability that each lab reaches it first, by lab."""
    lead: Percentiles
    """Time from the first lab to the second [days]; ``inf`` if no second lab reaches the level."""
    days: dict[str, Percentiles]
    """Day on which each lab reaches it."""
    one_lab: Percentiles | None
    """Day on which one lab with all GPUs reaches it; None without that comparison."""


class ShareRow(NamedTuple):
    """Share of a lab in a quantity of all labs."""

    at_start: float
    """Share on day 0."""
    at_end: Percentiles
    """Share on the day on which the first lab reaches the highest level."""


class FirstLabSafety(NamedTuple):
    """How much safety the first lab kept; means over the seeds in which a lab is first."""

    share: float
    """Share of its papers that it had spent on safety."""
    probability: float
    """Probability that it is safe, by :func:`sim.racing.safety_game.safety_of_share`."""
    low: float
    """Lower end of the 95% interval of this probability; ``nan`` with one seed."""
    high: float
    """Upper end."""


class RaceStudy(NamedTuple):
    """A race over seeds."""

    scenario: str
    digest: str
    level: float
    """Level that decides the race [doublings]."""
    labs: dict[str, int]
    """GPUs of each lab on day 0."""
    outcomes: tuple[RaceOutcome, ...]
    """Completed seeds."""
    one_lab: tuple[OneLabOutcome, ...]
    """Completed seeds of one lab with all GPUs."""
    why_no_one_lab: str
    """Reason why there is no such comparison; empty if there is one."""
    levels: tuple[LevelRow, ...]
    """Levels from low to high; the last one decides the race."""
    ties: int
    """Number of seeds in which several labs reach the deciding level first."""
    undecided: int
    """Number of seeds in which no lab reaches it."""
    ended_early: int
    """Number of seeds in which a lab that others gain from ended before the second lab reached the level."""
    majority: dict[str, Share]
    """Probability that each lab has more than half of the software when the race is decided."""
    software: dict[str, ShareRow]
    """Share of each lab in the software of all."""
    compute: dict[str, ShareRow]
    """Share of each lab in the GPUs of all."""
    concentration: dict[str, ShareRow]
    """Herfindahl index of `software` and of `compute`: 1/n for n equal labs, 1 for one that has all."""
    repeated: Percentiles
    """Share of the research of all labs that is done twice until the first lab reaches the highest level."""
    earlier: MeanInterval | None
    """Mean time by which one lab with all GPUs is earlier [days]; None unless all of at least two seeds reach it."""
    safety: FirstLabSafety | None
    """Safety of the first lab; None if no lab spends research on safety, or if none reaches the level."""


def study(
    scenario: Scenario,
    seeds: Sequence[int],
    level: float | None = None,
    workers: int = 1,
    on_progress: OnProgress = ignore_progress,
    should_stop: Callable[[World | None], bool] | None = None,
    compare: bool = True,
) -> RaceStudy | None:
    """Run a race with each seed, and one lab with all GPUs, and summarize them.

    Arguments
    ---------
    scenario
        Scenario with at least two labs.
    seeds
        Random seeds.
    level
        Level that decides the race [doublings], by default that of :func:`experiments.race.levels.default_level`.
    workers
        Number of processes. With 1, all runs happen in this process.
    on_progress
        Callback for the number of finished runs.
    should_stop
        Function that returns whether to stop: called with the world of a run in this process, else with None.
    compare
        Whether one lab with the GPUs of all labs is run too.

    Returns None if it is stopped before one seed is complete; later, the completed seeds count. Raises ScenarioError if
    the scenario cannot be run, and InputError if the level is not allowed or a run fails.
    """
    require_labs(scenario)
    chosen = check_level(scenario, level)
    one_lab, reason = _one_lab(scenario) if compare else (None, "it was left out")
    lowest = min(scenario.lab_scenario(name).entry.software_doublings for name in scenario.labs)
    plan = RacePlan(scenario, one_lab, tuple(seeds), levels_of(chosen, lowest))
    outcomes: list[RaceOutcome] = []
    alone: list[OneLabOutcome] = []
    on_progress(count_progress(0, len(plan), "runs"))
    runs: OutcomePlan[RaceOutcome | OneLabOutcome] = plan
    with execute_plan(runs, workers, should_stop) as found:
        for each in found:
            if isinstance(each, RaceOutcome):
                outcomes.append(each)
            else:
                alone.append(each)
            on_progress(count_progress(len(outcomes) + len(alone), len(plan), "runs"))
    if not outcomes:
        return None
    return summarize(
        plan,
        sorted(outcomes, key=lambda each: seeds.index(each.seed)),
        sorted(alone, key=lambda each: seeds.index(each.seed)),
        reason,
    )


def _one_lab(scenario: Scenario) -> tuple[Scenario | None, str]:
    """Return the scenario of one lab with everything, or the reason why there is none."""
    try:
        merged = merge_labs(scenario)
        World(merged).close()
    except ScenarioError as error:
        return None, str(error)
    return merged, ""


# --- Summary of the completed seeds ----------------------------------------------------------------------------------


def summarize(
    plan: RacePlan, outcomes: Sequence[RaceOutcome], one_lab: Sequence[OneLabOutcome], why_no_one_lab: str = ""
) -> RaceStudy:
    """Return the summary of completed seeds, at least one."""
    labs = plan.base.labs
    rows = tuple(_level_row(at, level, labs, outcomes, one_lab) for at, level in enumerate(plan.levels))
    first = [first_labs(each, -1) for each in outcomes]
    parts = {
        "software": [software_shares(each) for each in outcomes],
        "compute": [sum_to_one(each.gpus) for each in outcomes],
    }
    begins = {
        "software": sum_to_one({lab: 2.0 ** outcomes[0].software_curve[lab][0] for lab in labs}),
        "compute": sum_to_one({lab: outcomes[0].gpu_curve[lab][0] for lab in labs}),
    }
    shown = {
        name: {lab: ShareRow(begins[name][lab], percentiles([each[lab] for each in parts[name]])) for lab in labs}
        for name in parts
    }
    return RaceStudy(
        scenario=plan.base.name,
        digest=plan.base.digest(),
        level=plan.levels[-1],
        labs=gpus_by_lab(plan.base, labs),
        outcomes=tuple(outcomes),
        one_lab=tuple(one_lab),
        why_no_one_lab=why_no_one_lab,
        levels=rows,
        ties=sum(len(each) > 1 for each in first),
        undecided=sum(not each for each in first),
        ended_early=sum(map(is_cut_short, outcomes)) if is_shared(plan.base) else 0,
        majority={lab: share_of([majority_lab(each) == lab for each in parts["software"]]) for lab in labs},
        software=shown["software"],
        compute=shown["compute"],
        concentration={
            name: ShareRow(
                float(concentration(list(begins[name].values()))),
                percentiles([float(concentration(list(each.values()))) for each in parts[name]]),
            )
            for name in parts
        },
        repeated=percentiles([each.repeated for each in outcomes]),
        earlier=_days_earlier(outcomes, one_lab),
        safety=_safety_of_first(outcomes, first),
    )


def _level_row(
    at: int, level: float, labs: Sequence[str], outcomes: Sequence[RaceOutcome], one_lab: Sequence[OneLabOutcome]
) -> LevelRow:
    first = [first_labs(each, at) for each in outcomes]
    leads = [lead for each in outcomes if not math.isnan(lead := lead_days(each, at))]
    return LevelRow(
        level=level,
        first={lab: share_of([each == [lab] for each in first]) for lab in labs},
        lead=percentiles(leads),
        days={lab: percentiles([each.level_days[lab][at] for each in outcomes]) for lab in labs},
        one_lab=percentiles([each.level_days[at] for each in one_lab]) if one_lab else None,
    )


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return the percentiles of values over seeds; nan without values."""
    return Percentiles(*quantiles(np.array(values, dtype=float), PERCENTILES))


def _days_earlier(outcomes: Sequence[RaceOutcome], one_lab: Sequence[OneLabOutcome]) -> MeanInterval | None:
    """Return the mean time from one lab with all GPUs to the first lab of the race, over seeds that both complete."""
    there = {each.seed: each.level_days[-1] for each in one_lab}
    gaps = [
        min(days[-1] for days in each.level_days.values()) - there[each.seed] for each in outcomes if each.seed in there
    ]
    return mean_interval(gaps) if len(gaps) > 1 and bool(np.isfinite(gaps).all()) else None


def _safety_of_first(outcomes: Sequence[RaceOutcome], first: Sequence[Sequence[str]]) -> FirstLabSafety | None:
    """Return the safety of the first lab of each seed; labs that are first together count alike."""
    if not any(share for each in outcomes for share in each.safety.values()) or not any(first):
        return None
    shares = [[each.safety[lab] for lab in labs] for each, labs in zip(outcomes, first, strict=True) if labs]
    chances = [float(np.mean(safety_of_share(np.array(each)))) for each in shares]
    mean, low, high = mean_interval(chances) if len(chances) > 1 else (chances[0], math.nan, math.nan)
    return FirstLabSafety(float(np.mean([np.mean(each) for each in shares])), mean, low, high)


# --- Curves over days ------------------------------------------------------------------------------------------------


class RaceCurves(NamedTuple):
    """Labs over the days of a race."""

    days: list[float]
    software: dict[str, list[list[float]]]
    """10%, 50% and 90% points over seeds of the discovered software of each lab [doublings]."""
    software_share: dict[str, list[float]]
    """Mean over seeds of the share of each lab in the software of all."""
    compute_share: dict[str, list[float]]
    """Mean over seeds of the share of each lab in the GPUs of all."""
    software_concentration: list[float]
    """Mean over seeds of the Herfindahl index of these shares of software."""
    compute_concentration: list[float]
    """Mean over seeds of the Herfindahl index of these shares of GPUs."""


def last_day(found: RaceStudy) -> float:
    """Return the last day that curves show: the latest day on which the second lab of a seed reaches the level."""
    ends = []
    for each in found.outcomes:
        second = sorted(days[-1] for days in each.level_days.values())[1]
        ends.append(second if second < math.inf else each.day)
    return max(ends)


def race_curves(found: RaceStudy, last: float | None = None) -> RaceCurves:
    """Return the curves of the labs up to a day, by default :func:`last_day`. A seed that is over keeps its values."""
    days = np.linspace(0, last_day(found) if last is None else last, CURVE_POINTS)
    levels = _on_days(days, [[(each.days, each.software_curve[lab]) for each in found.outcomes] for lab in found.labs])
    gpus = _on_days(days, [[(each.days, each.gpu_curve[lab]) for each in found.outcomes] for lab in found.labs])
    software, compute = _curve_shares(2.0**levels), _curve_shares(gpus)
    bands = np.quantile(levels, PERCENTILES, axis=1, method="inverted_cdf")
    return RaceCurves(
        days=days.tolist(),
        software={lab: bands[:, at].tolist() for at, lab in enumerate(found.labs)},
        software_share=_means_by_lab(found, software),
        compute_share=_means_by_lab(found, compute),
        software_concentration=concentration(software).mean(axis=0).tolist(),
        compute_concentration=concentration(compute).mean(axis=0).tolist(),
    )


def _on_days(days: Floats, curves: Sequence[Sequence[tuple[Curve, Curve]]]) -> Floats:
    """Return the values of curves on some days, by lab, seed and day."""
    return np.array([[np.interp(days, *curve) for curve in of_lab] for of_lab in curves])


def _means_by_lab(found: RaceStudy, parts: Floats) -> dict[str, list[float]]:
    return dict(zip(found.labs, parts.mean(axis=1).tolist(), strict=True))


def _curve_shares(values: Floats) -> Floats:
    """Return the shares of the labs (first axis) in the sum over them; 0 if no lab has anything."""
    total = values.sum(axis=0)
    return np.asarray(np.divide(values, total, out=np.zeros_like(values), where=total > 0))


def one_lab_curve(found: RaceStudy, days: Sequence[float]) -> Floats:
    """Return the median software of one lab with all GPUs on some days [doublings]."""
    each = [np.interp(days, seed.days, seed.software_curve) for seed in found.one_lab]
    return np.asarray(np.quantile(each, 0.5, axis=0, method="inverted_cdf"))
