"""How long software takes to a large gain, over runs some of which ended before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from experiments.analyse.pictures import SOFT, in_style, new_figure
from experiments.analyse.statistics import kaplan_meier, resampled, time_quantile
from experiments.analyse.sweep import FACTORS, Flags, Floats, Ints, Sweep, stays, stopped_early, threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
HOW: Final = (
    "The share is Kaplan and Meier's: a run that the clock stopped before counts as long as it was seen, and one that "
    "reached the hardware's limit or starved before counts as one that never gets there. Intervals are 95%, by drawing "
    "the points of the design again."
)


def observed(sweep: Sweep, column: str = "days_to_1000x") -> tuple[Floats, Flags]:
    """Return when each run reached a gain or was last seen (infinity: it never will), and whether it reached it."""
    days = sweep.numbers(column)
    reached = np.isfinite(days)
    never = stays(sweep) & ~reached
    return np.where(reached, days, np.where(never, math.inf, sweep.numbers("day"))), reached


def time_table(sweep: Sweep, column: str = "days_to_1000x") -> pa.Table:
    """Return quantiles of the days to a gain: quantile, days, low, high (95%); infinity where it was not seen."""
    times, reached = observed(sweep, column)

    def estimate(rows: Ints) -> list[float]:
        return [time_quantile(times[rows], reached[rows], share) for share in QUANTILES]

    low, high = resampled(sweep.points, estimate)
    days = estimate(np.arange(sweep.n))
    return pa.table({"quantile": list(QUANTILES), "days": days, "low": low.tolist(), "high": high.tolist()})


@in_style
def time_figure(sweep: Sweep, column: str = "days_to_1000x") -> Figure:
    """Return the share of runs that has gained so much against days, with its interval."""
    from experiments.analysis import BLUE  # noqa: PLC0415

    times, reached = observed(sweep, column)
    last = _last_day(times)
    grid = np.linspace(0, last, 161)
    low, high = resampled(sweep.points, lambda rows: _shares(times[rows], reached[rows], grid))
    figure, (axes,) = new_figure(3.5)
    axes.fill_between(grid, low, high, step="post", color=BLUE, alpha=0.22, linewidth=0, label="95% interval")
    days, shares = kaplan_meier(times, reached)
    axes.step([0, *days, 1.03 * last], [0, *shares, shares[-1] if len(shares) else 0], where="post", color=BLUE,
              label="share of runs")  # fmt: skip
    middle = time_quantile(times, reached, 0.5)
    if math.isfinite(middle):
        axes.plot([middle], [0.5], "o", color=BLUE, markersize=7, markeredgecolor="white", zorder=4)
        place: Any = {"xytext": (8, -13), "ha": "left"} if middle < 0.65 * last else {"xytext": (-8, 6), "ha": "right"}
        axes.annotate(f"half by day {middle:,.0f}", (middle, 0.5), textcoords="offset points", **place)
    axes.axhline(0.5, color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.set_xlim(0, 1.03 * last)  # so that the last step is seen
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("days")
    axes.set_title(f"When has software gained {FACTORS[column]:,}-fold?")
    axes.legend(loc="best")
    return figure


def time_sentences(sweep: Sweep) -> list[str]:
    """Return what is known of the time to a 1,000-fold gain, or to the largest that can be told."""
    column, why = threshold(sweep)
    times, reached = observed(sweep, column)
    low, high = resampled(sweep.points, lambda rows: [time_quantile(times[rows], reached[rows], 0.5)])
    middle, factor = time_quantile(times, reached, 0.5), f"{FACTORS[column]:,}-fold"
    censored = int(np.sum(~reached & np.isfinite(times)))
    said = [f"{reached.mean():.0%} of the runs were seen to gain {factor}."]
    if math.isfinite(middle):
        upper = f"{high[0]:,.0f}" if math.isfinite(high[0]) else "later than was watched"
        interval = f" (95% interval {low[0]:,.0f} to {upper})" * (not sweep.systematic)
        said.append(f"Half of all have by day {middle:,.0f}{interval}.")
    else:
        said.append("Less than half have by the last day that was watched, so there is no median.")
    if censored:
        said.append(f"{censored:,} runs ended before they did and might have later (censored).")
    if early := int(np.sum(stopped_early(sweep) & ~reached)):
        said.append(f"{early:,} of them were stopped for having come far enough, so the share is rather too low.")
    return [*said, why] if why else said


def _last_day(times: Floats) -> float:
    finite = times[np.isfinite(times)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _shares(times: Floats, reached: Flags, grid: Floats) -> list[float]:
    days, shares = kaplan_meier(times, reached)
    return [float(share) for share in np.append(0.0, shares)[np.searchsorted(days, grid, side="right")]]
