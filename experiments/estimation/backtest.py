"""Back-test the growth law: fit the first part of a series, simulate the rest with the World, and score the forecast.

The World has one researcher and frozen software, so that the team is constant, because the effort is that of the file.
Its clock counts effort: `DAYS` days are the effort to forecast. Papers come at random, at a rate that makes their
randomness equal to that of the series. With n papers per unit of effort, the slope of log performance has the relative
variance 1/n. The growth law turns these papers into software, as in a World whose software is not frozen. r and the
effort before are one draw of the posterior averaged over noise models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from experiments.errors import InputError
from experiments.estimation.averaged_fit import AveragedFit, recommend
from experiments.estimation.growth_fit import MIN_ROWS, GrowthFit, Series, fit
from experiments.estimation.report import REPORTED_INTERVAL, Options
from experiments.estimation.scoring_rules import Array, coverage, crps
from experiments.estimation.series import Data
from experiments.progress import OnProgress, count_progress, ignore_progress
from sim.events import PaperPublished
from sim.growth import DAYS_PER_MONTH, Law, ReturnsLaw, law_from_params
from sim.runner import run
from sim.scenario.model import Scenario
from sim.software import SoftwareState

WORLDS: Final = 500
SHARES: Final = (0.5, 0.8, 0.9)
MIN_LEFT: Final = 3
"""Smallest number of rows to forecast."""
MAX_PAPERS: Final = 4000.0
"""Largest expected number of papers of one World; with more, their randomness is negligible."""
OBSERVED_INPUT: Final = "World, effort as it came"
CONSTANT_PACE_INPUT: Final = "World, effort at the past's pace"

DAYS: Final = 1000.0
"""Length of a run of the World for any unit of effort [days]."""


class Score(NamedTuple):
    """Scores of one forecast over all forecast rows."""

    forecast: str
    crps: float
    """Mean continuous ranked probability score [doublings of performance]."""
    bias: float
    """Mean of the median of the forecast minus the observed value [doublings]."""
    coverage: dict[str, float]


class Backtest(NamedTuple):
    """Results of a back-test."""

    data: Data
    fitted_rows: int
    fitted: AveragedFit
    papers_per_effort: float
    pace: float | None
    """Effort per day in the forecast part over that in the fitted part [1]; None without dates."""
    scores: list[Score]
    forecasts: dict[str, Array]
    """log2 of performance, shape (members, forecast rows)."""


def backtest(
    data: Data,
    options: Options,
    share: float,
    on_progress: OnProgress = ignore_progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Backtest:
    """Fit the first ``share`` of the rows, forecast the others, and score the forecasts.

    Raises InputError if either part is too short, or when ``should_stop()`` returns True.
    """
    rows = len(data.lines)
    first = round(share * rows)
    if first < MIN_ROWS or rows - first < MIN_LEFT:
        raise InputError(
            f"{data.path}: {rows} rows with --share {share:g} leave {first} to fit and {rows - first} to forecast; "
            "allowed: "
            f"at least {MIN_ROWS} and {MIN_LEFT}. Change --share."
        )
    known = Series(data.series.effort[:first], data.series.performance[:first])
    try:
        recommended = recommend(known, options.before).fit
        lasting = fit(known, "lasting", recommended.before, draws=1)
    except ValueError as error:
        raise InputError(f"{data.path}: the first {first} rows: {error}") from None
    forecasts = _simulated_forecasts(data, first, recommended, lasting, options.seed, on_progress, should_stop)
    forecasts |= _naive_forecasts(data, first)
    came = data.series.log_performance[first:]
    scores = [score(name, ensemble, came) for name, ensemble in forecasts.items()]
    return Backtest(data, first, recommended, papers_per_effort(lasting), _pace(data, first), scores, forecasts)


def score(name: str, ensemble: Array, came: Array) -> Score:
    """Score an ensemble of shape (members, rows) against the observed values."""
    coverages = {f"{share:g}": coverage(ensemble, came, share) for share in SHARES}
    return Score(
        name, float(crps(ensemble, came).mean()), float(np.mean(np.median(ensemble, axis=0) - came)), coverages
    )


def papers_per_effort(fitted: GrowthFit) -> float:
    """Return the papers per unit of effort whose randomness equals that of a ``lasting`` fit: ``(r/sigma)^2``."""
    return (fitted.r / fitted.scatter) ** 2


def scenario(papers: float, effort: float) -> Scenario:
    """Return the World of one researcher who spends ``effort`` in `DAYS` days and writes ``papers`` per unit of effort.

    Its software is frozen: :func:`growth_law` turns the papers into software.
    """
    unit = DAYS / effort
    return Scenario.load("toy-fizzle").replace(
        growth__law="frozen",
        researcher__papers_per_month=papers / unit * DAYS_PER_MONTH,
        run__horizon_days=DAYS,
        run__sample_days=DAYS,
    )


def growth_law(r: float, effort_before: float, papers: float, effort: float) -> Law:
    """Return the law of returns for the papers of :func:`scenario`.

    ``effort_before``: all effort until day 0; it makes the first doubling take effort ``effort_before (2^(1/r) - 1)``.
    """
    unit = DAYS / effort
    first = unit * effort_before * np.expm1(np.log(2) / r)
    params = ReturnsLaw(r=float(np.clip(r, 0.01, 100)), first_doubling_days=float(np.clip(first, 1e-3, 1e6)))
    return law_from_params(params, *scenario(papers, effort).own_team)


def software_levels(law: Law, published: Sequence[PaperPublished]) -> Array:
    """Return discovered software before the first paper and after each [doublings]."""
    software, levels = SoftwareState(law), [0.0]
    for event in published:
        software.add(event.effective_papers)
        levels.append(software.discovered)
    return np.array(levels)


def _pace(data: Data, first: int) -> float | None:
    """Return effort per day after the first part over that within it; None without dates, or if a part took no day."""
    if data.days is None or not 0 < data.days[first - 1] < data.days[-1]:
        return None
    total, days = data.series.total, data.days
    after = (total[-1] - total[first - 1]) / (days[-1] - days[first - 1])
    return float(after / ((total[first - 1] - total[0]) / days[first - 1]))


def _simulated_forecasts(
    data: Data,
    first: int,
    fitted: AveragedFit,
    lasting: GrowthFit,
    seed: int,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> dict[str, Array]:
    """Return the forecasts of one World for each draw of r, at the effort of each forecast row."""
    total = data.series.total
    moments = {OBSERVED_INPUT: total[first:] - total[first - 1]}
    if data.days is not None and data.days[first - 1] > 0:
        pace = (total[first - 1] - total[0]) / data.days[first - 1]
        moments[CONSTANT_PACE_INPUT] = pace * (data.days[first:] - data.days[first - 1])
    longest = max(float(each[-1]) for each in moments.values())
    papers = min(papers_per_effort(lasting), MAX_PAPERS / longest)
    base = scenario(papers, longest)
    found: dict[str, list[Array]] = {name: [] for name in moments}
    for world, (r, before) in enumerate(zip(*fitted.draw(WORLDS, seed), strict=True)):
        effort_before = float(before + total[first - 1])
        published = [event for event in run(base, seed + world).events if isinstance(event, PaperPublished)]
        spent = np.array([0.0, *(event.day for event in published)]) * longest / DAYS
        levels = software_levels(growth_law(max(0.01, float(r)), effort_before, papers, longest), published)
        for name, at in moments.items():
            found[name].append(levels[np.searchsorted(spent, at, side="right") - 1])
        on_progress(count_progress(world + 1, WORLDS, "worlds"))
        if should_stop():
            raise InputError(f"interrupted after {world + 1} of {WORLDS} Worlds; nothing was written")
    last = data.series.log_performance[first - 1]
    return {name: last + np.array(each) for name, each in found.items()}


def _naive_forecasts(data: Data, first: int) -> dict[str, Array]:
    """Return naive forecasts: exponential trends, and random walks from the last row, with and without drift.

    Time is in days, or in rows if there are no dates.
    """
    time = data.days if data.days is not None and data.days[first - 1] > 0 else np.arange(len(data.lines), dtype=float)
    level = data.series.log_performance[:first]
    known, ahead = time[:first], time[first:] - time[first - 1]
    drift = (level[-1] - level[0]) / (known[-1] - known[0])
    steps, spans = np.diff(level), np.diff(known)
    still, drifting = (np.sqrt(np.sum((steps - each * spans) ** 2) / np.sum(spans)) for each in (0.0, drift))
    uncertain = np.sqrt(ahead + ahead**2 / (known[-1] - known[0]))
    return {
        "exponential trend in effort as it came": _trend(data.series.total, level),
        "exponential trend in time": _trend(time, level),
        "random walk with drift": level[-1] + drift * ahead + drifting * uncertain * _SCORES,
        "last value (random walk)": level[-1] + still * np.sqrt(ahead) * _SCORES,
    }


_SCORES: Final = ndtri((np.arange(WORLDS) + 0.5) / WORLDS)[:, None]
"""A standard normal distribution as an ensemble."""


def _trend(at: Array, level: Array) -> Array:
    """Fit a straight line to the levels of the first rows, and return its forecast ensemble at the other rows."""
    known, later = at[: len(level)], at[len(level) :]
    slope, start = np.polyfit(known, level, 1)
    error = np.std(level - slope * known - start, ddof=2)
    reach = (later - known.mean()) ** 2 / np.sum((known - known.mean()) ** 2)
    return np.asarray(slope * later + start + error * np.sqrt(1 + 1 / len(level) + reach) * _SCORES)


def sentence(found: Backtest) -> str:
    """Summarize the scores of the World and of the best naive forecast."""
    worlds = [each for each in found.scores if each.forecast in (OBSERVED_INPUT, CONSTANT_PACE_INPUT)]
    naive = min((each for each in found.scores if each not in worlds), key=lambda each: each.crps)
    parts = []
    for each in worlds:
        than = "better" if each.crps < naive.crps else "worse"
        parts.append(
            f"{each.forecast}: {abs(1 - each.crps / naive.crps):.0%} {than} by CRPS than the best naive forecast "
            f"({naive.forecast}), and its 90% interval contained {each.coverage['0.9']:.0%} of the rows."
        )
    if found.pace is not None:
        parts.append(
            f"Effort came {found.pace:.2g} times as fast as in the first part, which the forecast could not include."
        )
    return " ".join([*parts, "Rows of one series are correlated, so this is one trial of a forecast, not many."])


def content(found: Backtest) -> dict[str, Any]:
    """Return the results of a back-test as plain values."""
    return {
        "file": found.data.file,
        "rows": len(found.data.lines),
        "fitted_rows": found.fitted_rows,
        "r": found.fitted.r,
        "before": found.fitted.before,
        "interval": list(found.fitted.interval(REPORTED_INTERVAL)),
        "papers_per_effort": found.papers_per_effort,
        "pace": found.pace,
        "worlds": WORLDS,
        "scores": [each._asdict() for each in found.scores],
        "sentence": sentence(found),
    }
