"""Define milestones of AI research automation, and compare simulated days with published medians.

The AI research multiplier v of day t is counterfactual: the lab of day 0 gets the AIs of day t. v is its pace of
software progress with them, relative to its own pace. The ratio of the paces of day t and day 0 is another quantity: it
also contains hardware and the difficulty of research. A milestone by multiplier is the first day on which v reaches
a level. A milestone by task is the first day on which AIs do a task, such as all coding, as well as humans.

Published times are of the AI Futures Model of December 2025 (aifuturesmodel.com). They are medians over the simulated
futures that reach the milestone after the automated coder. Those medians are biased early, because late futures are
not counted. Tables therefore also have the share of seeds that reach a milestone and percentiles of all seeds.

All functions are pure. An argument of type ``Numbers`` is a float or a NumPy array of floats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

Numbers = Any
"""A float or a NumPy array of floats."""

TOP_PER_MILLE_DEVIATIONS: Final = 3.0902
"""Standard deviations from the median to the 99.9th percentile of a normal distribution."""
TOP_RESEARCHER: Final = 3.7
"""Value of the research of the 99.9th percentile of researchers, relative to the median. Source: AI Futures Model."""
AIFM: Final = "AI Futures Model, December 2025, aifuturesmodel.com"


class PublishedMedian(NamedTuple):
    """Published time from the automated coder to a milestone, over the futures that reach it afterwards."""

    coder_year: int
    """Year of the automated coder in these futures."""
    years: float
    """Median [years]."""
    achieved: float
    """Share of the futures that reach the milestone after the automated coder, before the model's horizon."""
    low: float | None = None
    """10th percentile [years]; None where it is not cited here."""
    high: float | None = None
    """90th percentile [years]."""


class Milestone(NamedTuple):
    """Milestone of AI research automation."""

    name: str
    """Short name, as in the source."""
    title: str
    kind: Literal["multiplier", "task"]
    definition: str
    multiplier: float | None = None
    """AI research multiplier that defines a milestone of that kind; None for a task."""
    productivity: float | None = None
    """Productivity of an AI on the hardest kind of task that defines the milestone here [median humans]. None for
    milestones that asara does not date in this way."""
    scenario_multiplier: float | None = None
    """AI research multiplier of this task in the scenario AI 2027 (ai-2027.com, 2025)."""
    published: tuple[PublishedMedian, ...] = ()
    source: str = AIFM


def _published(
    years: tuple[float, float, float],
    achieved: tuple[float, float, float],
    intervals: tuple[tuple[float, float], ...] = (),
) -> tuple[PublishedMedian, ...]:
    """Return the medians for an automated coder in 2027, 2030 and 2035."""
    ends: Sequence[tuple[float | None, float | None]] = intervals or ((None, None),) * 3
    return tuple(
        PublishedMedian(year, median, share, low, high)
        for year, median, share, (low, high) in zip((2027, 2030, 2035), years, achieved, ends, strict=True)
    )


def _by_multiplier(
    multiplier: float, years: tuple[float, float, float], achieved: tuple[float, float, float]
) -> Milestone:
    """Return the milestone of a multiplier."""
    return Milestone(
        f"AIR-{multiplier:g}x",
        f"AI research multiplier {multiplier:g}",
        "multiplier",
        f"AIs of the day make the lab of day 0 {multiplier:g} times as fast.",
        multiplier=multiplier,
        published=_published(years, achieved),
    )


MULTIPLIER_MILESTONES: Final = (
    _by_multiplier(5.0, (0.33, 0.50, 0.92), (0.74, 0.71, 0.69)),
    _by_multiplier(25.0, (0.56, 0.98, 1.96), (0.91, 0.90, 0.87)),
    _by_multiplier(250.0, (0.91, 1.75, 3.81), (0.84, 0.83, 0.78)),
    _by_multiplier(2000.0, (1.26, 2.41, 5.52), (0.72, 0.71, 0.64)),
)
"""Milestones by multiplier, ascending. Fewer futures reach 5 than 25 *after* the automated coder, because many reach 5
before it."""

TASK_MILESTONES: Final = (
    Milestone(
        "AC",
        "automated coder",
        "task",
        "AIs do all coding of the leading lab as well as its engineers.",
    ),
    Milestone(
        "SC",
        "superhuman coder",
        "task",
        "AIs do all coding as the best engineers do, faster and in many copies, as in AI 2027.",
        scenario_multiplier=5.0,
        published=_published((0.63, 0.98, 1.49), (0.93, 0.94, 0.89)),
    ),
    Milestone(
        "SAR",
        "best researcher",
        "task",
        "AIs select experiments as well as the best human researcher: 3.0902 standard deviations above the median.",
        productivity=TOP_RESEARCHER,
        scenario_multiplier=25.0,
        published=_published((0.44, 0.78, 1.55), (0.87, 0.87, 0.88)),
    ),
    Milestone(
        "SIAR",
        "superintelligent researcher",
        "task",
        "AIs select experiments three times as far above the median, in standard deviations, as the best human.",
        productivity=TOP_RESEARCHER**3,
        scenario_multiplier=250.0,
        published=_published((0.97, 1.97, 4.02), (0.99, 0.98, 0.97)),
    ),
    Milestone(
        "TED-AI",
        "expert in every field",
        "task",
        "AIs are three gaps between median and best human above the median in general ability.",
        published=_published((1.22, 2.33, 5.18), (0.98, 0.95, 0.94)),
    ),
    Milestone(
        "ASI",
        "artificial superintelligence",
        "task",
        "AIs are two more such gaps above an expert in every field.",
        scenario_multiplier=2000.0,
        published=_published((1.71, 4.06, 8.84), (0.96, 0.93, 0.93), ((0.13, 31.7), (0.26, 54.6), (0.56, 63.4))),
    ),
    Milestone(
        "ASARA",
        "AI systems that do all research",
        "task",
        "AIs do all tasks of research, so that they write papers on their own.",
        source="Eth and Davidson (Forethought, 2025)",
    ),
)
"""Milestones by task, in order of difficulty."""

RESEARCHER_MILESTONES: Final = tuple(each for each in TASK_MILESTONES if each.productivity is not None)
"""Milestones by the productivity of AIs on the hardest kind of task."""

MILESTONES: Final = (*MULTIPLIER_MILESTONES, *TASK_MILESTONES)


class Forecast(NamedTuple):
    """Published forecast of the automated coder."""

    author: str
    made: str
    """Month or quarter in which the forecast was made."""
    year: float
    """Median of the automated coder [decimal year, middle of the stated month or period]."""


CODER_FORECASTS: Final = (
    Forecast("Kokotajlo", "Q1 2026", 2028.5),
    Forecast("Lifland", "Q1 2026", 2030.5),
    Forecast("Kokotajlo", "August 2026", 2027.96),
    Forecast("Lifland", "August 2026", 2030.04),
)
"""Forecasts of the automated coder by the authors of the AI Futures Model."""


def milestone_named(name: str) -> Milestone:
    """Return a milestone by its short name, in any case. Raises ValueError for an unknown name."""
    for each in MILESTONES:
        if each.name.lower() == name.lower():
            return each
    names = ", ".join(each.name for each in MILESTONES)
    raise ValueError(f"milestone = {name!r} is unknown; allowed: {names}. Use one of these names")


def first_days(days: ArrayLike, values: ArrayLike, levels: ArrayLike) -> Any:
    """Return the first day on which a series reaches each level; ``inf`` if it never does.

    Between two days the logarithm of the value is linear in time. A level that the first value reaches has the first
    day.

    Arguments
    ---------
    days
        Days of the series, ascending.
    values
        Values on these days, above 0, such as the AI research multiplier.
    levels
        Levels, above 0.
    """
    days, logs = np.asarray(days, dtype=float), np.log(np.asarray(values, dtype=float))
    wanted = np.log(np.atleast_1d(np.asarray(levels, dtype=float)))
    highest = np.maximum.accumulate(logs)
    at = np.searchsorted(highest, wanted, side="left")
    reached = at < len(days)
    after = np.minimum(at, len(days) - 1)
    before = np.maximum(after - 1, 0)
    rise = logs[after] - logs[before]
    part = np.divide(wanted - logs[before], rise, out=np.zeros_like(wanted), where=rise > 0)
    found = np.where(at == 0, days[0], days[before] + part * (days[after] - days[before]))
    return np.where(reached, found, np.inf)


class MilestoneDays(NamedTuple):
    """Days on which the seeds of a scenario reach a milestone."""

    milestone: Milestone
    seeds: int
    reached: int
    """Number of seeds that reach it before the end of their run."""
    p10: float
    """10th percentile of all seeds [days]; ``inf`` if fewer seeds reach it."""
    p50: float
    """Median of all seeds [days]; ``inf`` if fewer than half of them reach it."""
    p90: float
    """90th percentile of all seeds [days]."""
    p50_if_reached: float
    """Median of the seeds that reach it, as published values are [days]; ``nan`` if none does. It is biased early."""
    published_days: float
    """Published median of time since the automated coder [days]; ``nan`` if there is none."""
    published_share: float
    """Published share of the futures that reach it after the automated coder; ``nan`` if there is none."""

    @property
    def share(self) -> float:
        """Share of the seeds that reach the milestone."""
        return self.reached / self.seeds


def milestone_table(
    days: Mapping[str, ArrayLike], coder_days: ArrayLike | None = None, coder_year: int = 2030
) -> list[MilestoneDays]:
    """Return the milestones with percentiles over seeds, beside the published values, in the order of MILESTONES.

    Arguments
    ---------
    days
        Day of each milestone by its short name, one number per seed; ``inf`` or ``nan`` if a seed does not reach it.
    coder_days
        Day of the automated coder of each seed. If given, days are counted from it, as published values are, and seeds
        count as reaching a milestone only from that day on.
    coder_year
        Year of the automated coder of the published values: 2027, 2030 or 2035.

    Raises ValueError for an unknown milestone, a milestone without seeds, or another year.
    """
    if coder_year not in (2027, 2030, 2035):
        raise ValueError(
            f"coder_year = {coder_year} has no published median; allowed: 2027, 2030, 2035. Choose the nearest"
        )
    given = {milestone_named(name).name: np.asarray(each, dtype=float) for name, each in days.items()}
    rows = []
    for milestone in MILESTONES:
        if milestone.name not in given:
            continue
        found = given[milestone.name]
        if found.size == 0:
            raise ValueError(f"{milestone.name} has the days of 0 seeds; allowed: 1 or more. Run the scenario first")
        if coder_days is not None:
            with np.errstate(invalid="ignore"):
                since = found - np.asarray(coder_days, dtype=float)
            found = np.where(since >= 0, since, np.inf)
        rows.append(_summary(milestone, found, coder_year))
    return rows


def _summary(milestone: Milestone, days: Any, coder_year: int) -> MilestoneDays:
    """Return the percentiles of the days of one milestone."""
    days = np.sort(np.where(np.isnan(days), np.inf, days))
    achieved = days[np.isfinite(days)]
    published = next((each for each in milestone.published if each.coder_year == coder_year), None)
    return MilestoneDays(
        milestone,
        len(days),
        len(achieved),
        percentile_with_unreached(days, 0.1),
        percentile_with_unreached(days, 0.5),
        percentile_with_unreached(days, 0.9),
        float(np.median(achieved)) if len(achieved) else math.nan,
        published.years * 365 if published else math.nan,
        published.achieved if published else math.nan,
    )


def percentile_with_unreached(days: ArrayLike, share: float) -> float:
    """Return a percentile of days of which some are ``inf``, by linear interpolation as NumPy's default.

    It is ``inf`` if either of the two days between which it lies is ``inf`` and has weight.
    """
    ordered = np.sort(np.asarray(days, dtype=float))
    place = share * (len(ordered) - 1)
    low, part = math.floor(place), place - math.floor(place)
    if part == 0:
        return float(ordered[low])
    if ordered[low + 1] == math.inf:
        return math.inf
    return float(ordered[low] + part * (ordered[low + 1] - ordered[low]))


def progress_divisor(first: Numbers, last: Numbers) -> Numbers:
    """Return the mean speed-up between two milestones by multiplier: ``ln(v1/v0)/(1/v0 - 1/v1)``.

    The multiplier grows from v0 to v1 linearly in its logarithm with progress. The time between them is the time that
    humans alone take, divided by this. At v0 = v1 it is v0.
    """
    first, last = np.asarray(first, dtype=float), np.asarray(last, dtype=float)
    rise = np.log(last / first)
    # ln(v1/v0)/(1/v0 - 1/v1) = v0 x/(1 - e^-x), with x = ln(v1/v0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(rise == 0, first, first * rise / -np.expm1(-rise))[()]


def time_between(human_time: Numbers, first: Numbers, last: Numbers) -> Numbers:
    """Return the time between two milestones by multiplier, from the time that humans alone take.

    Between 5, 25, 250 and 2000 it is 1/10.059, 1/63.961 and 1/594.126 of the time of humans. Source: AI 2027, 2025.
    """
    return human_time / progress_divisor(first, last)


def taste_deviation(top_to_median: float, deviations: float = TOP_PER_MILLE_DEVIATIONS) -> float:
    """Return the standard deviation of ln taste, for a ratio of top to median researcher: ``ln(ratio)/deviations``.

    Research taste is the value of the experiments that a researcher selects, relative to the mean researcher. It is
    lognormal. A ratio of 3.7 at the 99.9th percentile gives 0.42338. Source: AI Futures Model.
    """
    return math.log(top_to_median) / deviations


def mean_best_taste(ai_taste: Numbers, deviation: float) -> Numbers:
    """Return ``E max(T, c)``: mean taste if each human takes over the taste c of an AI where that is higher.

    T is lognormal with mean 1 and the standard deviation s of its logarithm: ``c Phi(z) + Phi(s - z)`` with ``z = (ln c
    + s^2/2)/s``. This is the mean of many researchers, not the taste of the best one. c is 0 or more, s above 0.
    """
    with np.errstate(divide="ignore"):
        z = (np.log(np.asarray(ai_taste, dtype=float)) + deviation**2 / 2) / deviation
    return (ai_taste * ndtr(z) + ndtr(deviation - z))[()]
