"""Estimate the time to a large gain of software, with censoring for runs that ended before."""

from __future__ import annotations

import math
from collections import Counter
from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from experiments.gains import day_of_gain
from experiments.sweep.analysis.combinations import (
    MAX_LISTED,
    Combination,
    combinations,
    select_for_figure,
    table_by_combination,
)
from experiments.sweep.analysis.estimators import (
    can_bracket_quantile,
    cluster_bootstrap_interval,
    count_independent,
    kaplan_meier,
    time_quantile,
    time_quantiles,
)
from experiments.sweep.analysis.figure_frame import SOFT, in_style, legend_above, new_figure
from experiments.sweep.analysis.labels import percent
from experiments.sweep.analysis.sweep_data import (
    ASARA,
    FACTORS,
    ONE_BY_ONE,
    Flags,
    Floats,
    Ints,
    Sweep,
    ended_for_good,
    reported_gain,
    unreached_gain_reasons,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_REASONS: Final = 3
_AT_MIDDLE: Final = "With all parameters in the middle, "
METHOD_NOTE: Final = (
    "The share is the Kaplan-Meier estimate. A run that was stopped before the gain counts until its end. A run that "
    "reached the hardware limit or stalled counts as one that never reaches the gain. Intervals are 95% bootstrap "
    "intervals over the points of the design; with too few points (5 for a median) there is none."
)


def censored_times(sweep: Sweep, column: str = "days_to_1000x") -> tuple[Floats, Flags]:
    """Return the day on which each run reached a gain or ASARA or was last observed, and whether it reached it.

    ``column``: days to a gain, or the day of ASARA. The day is infinity for runs that ended for good without it.
    """
    days = sweep.numbers(column)
    reached = np.isfinite(days)
    never = ended_for_good(sweep) & ~reached
    if column == ASARA:  # a time horizon crosses the thresholds whatever the software does
        never &= np.array([law == "none" for law in sweep.texts("horizon__law")], dtype=bool)
    return np.where(reached, days, np.where(never, math.inf, sweep.numbers("day"))), reached


def time_table(sweep: Sweep, column: str = "days_to_1000x") -> pa.Table:
    """Return quantiles of the days to a gain, for each combination of levers.

    Columns: the levers, quantile, days, low, high (95%), reached, runs. Infinity: not observed. Low and high are null
    if there are too few points for an interval.
    """
    return table_by_combination(sweep, lambda part: _time_rows(part, column))


def _time_rows(sweep: Sweep, column: str) -> pa.Table:
    times, reached = censored_times(sweep, column)

    def estimate(rows: Ints) -> list[float]:
        return time_quantiles(times[rows], reached[rows], QUANTILES)

    low, high = cluster_bootstrap_interval(sweep.points, estimate)
    enough = [can_bracket_quantile(count_independent(sweep.points), share) for share in QUANTILES]
    ends = {
        name: pa.array([float(end) if fine else None for end, fine in zip(each, enough, strict=True)], pa.float64())
        for name, each in (("low", low), ("high", high))
    }
    counts = {"reached": [int(reached.sum())] * len(QUANTILES), "runs": [sweep.n] * len(QUANTILES)}
    return pa.table({"quantile": list(QUANTILES), "days": estimate(np.arange(sweep.n)), **ends, **counts})


@in_style
def time_figure(sweep: Sweep, column: str = "days_to_1000x") -> Figure:
    """Return a figure of the share of runs that has reached a gain by a day: a line for each combination of levers."""
    from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY  # noqa: PLC0415

    parts = select_for_figure(combinations(sweep))
    last = max(_last_day(censored_times(part.sweep, column)[0]) for part in parts)
    grid = np.linspace(0, last, 161)
    figure, (axes,) = new_figure(3.5 + 0.24 * (len(parts) - 1) * (len(parts) > 1))
    for part, colour in zip(parts, (BLUE, ORANGE, GREEN, PINK, SKY, SOFT), strict=False):
        times, reached = censored_times(part.sweep, column)
        if can_bracket_quantile(count_independent(part.sweep.points), 0.5):
            low, high = cluster_bootstrap_interval(
                part.sweep.points,
                lambda rows, t=times, r=reached: _shares_at(t[rows], r[rows], grid),  # type: ignore[misc]
            )
            axes.fill_between(grid, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
        days, shares = kaplan_meier(times, reached)
        middle = time_quantile(times, reached, 0.5)
        when = f"half by day {middle:,.0f}" if math.isfinite(middle) else "less than half reached it"
        text = f"{part.text}: {when}" if part.values else f"share of runs: {when}"
        axes.step(
            [0, *days, 1.03 * last],
            [0, *shares, shares[-1] if len(shares) else 0],
            where="post",
            color=colour,
            label=fill(text, 66),
        )
        if math.isfinite(middle):
            axes.plot([middle], [0.5], "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)
    axes.axhline(0.5, color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.set_xlim(0, 1.03 * last)  # so that the last step is visible
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("days")
    axes.set_ylabel("share of runs")
    axes.set_title(f"When has software gained {FACTORS[column]:,}-fold?", pad=10 + 15 * len(parts))
    legend_above(axes, ncols=1, fontsize=8.5)
    return figure


def time_sentences(sweep: Sweep) -> list[str]:
    """Return sentences on the time to a 1,000-fold gain, or the largest possible, for each combination of levers."""
    column, why = reported_gain(sweep)
    parts, factor = combinations(sweep), f"{FACTORS[column]:,}-fold"
    sentences = (
        _combination_sentences(parts, column, factor)
        if len(parts) <= MAX_LISTED
        else _extreme_sentences(parts, column, factor)
    )
    sentences += _reason_sentences(parts, FACTORS[column])
    return [*sentences, why] if why else sentences


def goal_sentences(sweep: Sweep, multiple: float) -> list[str]:
    """Return sentences on the time to a multiple of the software of day 0 for each combination of levers."""
    days = [day_of_gain(multiple, marks or []) for marks in sweep.runs["doubling_days"].to_pylist()]
    column = f"days_to_{multiple:.15g}x"
    goal = sweep.with_column(column, pa.array(days, pa.float64()))
    parts, factor = combinations(goal), f"{multiple:,.15g}-fold"
    sentences = (
        _combination_sentences(parts, column, factor)
        if len(parts) <= MAX_LISTED
        else _extreme_sentences(parts, column, factor)
    )
    return [*sentences, *_reason_sentences(parts, multiple)]


def _combination_sentences(parts: list[Combination], column: str, factor: str) -> list[str]:
    sentences = []
    for part in parts:
        times, reached = censored_times(part.sweep, column)
        points, middle = part.sweep.points, time_quantile(times, reached, 0.5)
        where = f"With {part.text}, " if part.values else _AT_MIDDLE * (part.sweep.sampling == ONE_BY_ONE)
        runs = "1 run" if part.sweep.n == 1 else f"{part.sweep.n:,} runs"
        sentence = f"{where}{percent(float(reached.mean()))} of {runs} gained {factor}"
        if math.isfinite(middle):
            interval = ""
            if not part.sweep.systematic and can_bracket_quantile(count_independent(points), 0.5):
                low, high = cluster_bootstrap_interval(
                    points,
                    lambda rows, t=times, r=reached: [time_quantile(t[rows], r[rows], 0.5)],  # type: ignore[misc]
                )
                upper = f"{high[0]:,.0f}" if math.isfinite(high[0]) else "after the end of the runs"
                interval = f" (95% interval {low[0]:,.0f} to {upper})"
            sentence += f", half of all by day {middle:,.0f}{interval}."
        else:
            sentence += "; less than half did by the last day of the runs, so there is no median."
        sentences.append(sentence)
    return sentences


def _extreme_sentences(parts: list[Combination], column: str, factor: str) -> list[str]:
    """Return sentences on the fastest and the slowest of many combinations, and on those without a median."""
    medians = [(time_quantile(*censored_times(part.sweep, column), 0.5), part) for part in parts]
    there = [each for each in medians if math.isfinite(each[0])]
    if not there:
        return [f"At none of the {len(parts):,} combinations of levers did half of the runs gain {factor}."]
    (early, first), (late, last) = (pick(there, key=lambda each: each[0]) for pick in (min, max))
    without = len(parts) - len(there)
    rest = f" At {without:,} of {len(parts):,} combinations less than half of the runs did." * bool(without)
    return [
        f"Half of the runs have gained {factor} by day {early:,.0f} at {first.text}, "
        f"and by day {late:,.0f} at {last.text}.{rest}"
    ]


def _reason_sentences(parts: list[Combination], multiple: float) -> list[str]:
    """Return sentences on why runs have no day for a gain, for each combination, or in total if there are many."""
    found: list[str] = []
    if len(parts) > MAX_LISTED:
        reasons = [why for part in parts for why in unreached_gain_reasons(part.sweep, multiple)]
        return [_format_reasons(reasons, multiple, "")] if any(reasons) else []
    for part in parts:
        reasons = unreached_gain_reasons(part.sweep, multiple)
        if any(reasons):
            found.append(_format_reasons(reasons, multiple, f" with {part.text}" * bool(part.values)))
    return found


def _format_reasons(reasons: list[str | None], multiple: float, where: str) -> str:
    counts = Counter(why for why in reasons if why)
    total = sum(counts.values())
    listed = "; ".join(f"{n:,} {why}" for why, n in counts.most_common(MAX_REASONS))
    more = f"; {total - sum(n for _, n in counts.most_common(MAX_REASONS)):,} for other reasons"
    runs = "1 run" if total == 1 else f"{total:,} runs"
    more *= len(counts) > MAX_REASONS
    return f"{runs}{where} {'has' if total == 1 else 'have'} no day for {multiple:,.15g}x: {listed}{more}."


def _last_day(times: Floats) -> float:
    finite = times[np.isfinite(times)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _shares_at(times: Floats, reached: Flags, grid: Floats) -> list[float]:
    days, shares = kaplan_meier(times, reached)
    return [float(share) for share in np.append(0.0, shares)[np.searchsorted(days, grid, side="right")]]
