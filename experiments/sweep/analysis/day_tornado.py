"""Compare the mean day of a target in the lowest and the highest third of each parameter: a tornado of days.

A target is the day of full automation (ASARA) or the day of a gain of software. The compared days are restricted means,
because some runs do not reach the target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.statistics.intervals import CONFIDENCE
from experiments.sweep.analysis.combinations import (
    MAX_LISTED,
    Combination,
    combinations,
    select_for_figure,
    table_by_combination,
)
from experiments.sweep.analysis.estimators import cluster_bootstrap, restricted_mean
from experiments.sweep.analysis.figure_frame import SOFT, WIDTH, in_style, legend_above
from experiments.sweep.analysis.labels import format_value, percent, phrase_with_name
from experiments.sweep.analysis.sweep_data import ASARA, FACTORS, ONE_BY_ONE, Flags, Floats, Ints, Sweep
from experiments.sweep.analysis.time_to_gain import censored_times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_POINTS: Final = 6
"""Minimum number of points in a third for an interval."""
MAX_BARS: Final = 10
MAX_PANELS: Final = 3
THIRDS: Final = (1 / 3, 2 / 3)
METHOD_NOTE: Final = (
    "Days are restricted means: the area above the Kaplan-Meier curve up to a last day. They are plain means if all "
    "runs reach the target. A run that was stopped before counts until its end. A run that reached the hardware limit "
    "or stalled counts as one that never reaches the target. All other parameters vary within each third. Intervals "
    "are 95% bootstrap intervals over the points of the design."
)


class DaySwing(NamedTuple):
    """Mean day of a target in the lowest and in the highest third of a parameter."""

    parameter: str
    low_value: float
    """Largest value in the lowest third."""
    high_value: float
    """Smallest value in the highest third."""
    day_at_low: float
    day_at_low_from: float
    """Lower end of the 95% interval; NaN if there is none."""
    day_at_low_to: float
    day_at_high: float
    day_at_high_from: float
    day_at_high_to: float
    swing: float
    """Day in the highest third minus that in the lowest [days]."""
    swing_from: float
    swing_to: float
    is_largest: float
    """Share of the bootstrap resamples in which the swing of this parameter is the largest; NaN without intervals."""
    not_reached_low: int
    """Number of runs of the lowest third that do not reach the target."""
    runs_low: int
    not_reached_high: int
    runs_high: int


class DayTornado(NamedTuple):
    """Swings of the day of a target, the largest first."""

    mean: float
    """Mean day over all runs; NaN if no run reaches the target."""
    limit: float
    """Day up to which means are taken; a run that has not reached the target by then counts as this day."""
    swings: list[DaySwing]


def target_text(target: str) -> str:
    """Return the name of a target for use in a sentence."""
    return "ASARA's day" if target == ASARA else f"the day of a {FACTORS[target]:,}-fold gain"


def day_tornado(sweep: Sweep, target: str = ASARA) -> DayTornado:
    """Return the swing of the day of a target for each uncertainty of one combination of levers, the largest first.

    There are no swings in a one-at-a-time design, which has no thirds, or if no run reaches the target. There are no
    intervals in a grid, or if a third has fewer than 6 points.
    """
    times, reached = censored_times(sweep, target)
    if not reached.any():
        return DayTornado(math.nan, math.nan, [])
    listed = [] if sweep.sampling == ONE_BY_ONE else sweep.uncertainties
    names = [name for name in listed if sweep.has_order(name)]
    ends = [_thirds(sweep, name) for name in names]
    groups = [group for pair in ends for group in pair]
    horizon = float(sweep.numbers("run__horizon_days").max())
    limit = _last_common_day(np.where(np.isfinite(times), times, horizon), reached, groups or [reached | ~reached])

    def estimate(rows: Ints) -> list[float]:
        return [_mean_day(times[chosen], reached[chosen], limit) for chosen in (rows[group[rows]] for group in groups)]

    everyone = np.arange(sweep.n)
    days = np.array(estimate(everyone)).reshape(-1, 2)
    draws = _resampled_days(sweep, groups, estimate)
    swings = [
        _swing(sweep, name, pair, reached, days[at], draws[:, 2 * at : 2 * at + 2])._replace(
            is_largest=_share_largest(draws, at)
        )
        for at, (name, pair) in enumerate(zip(names, ends, strict=True))
    ]
    mean = restricted_mean(times, reached, limit)
    return DayTornado(mean, limit, sorted(swings, key=lambda each: -abs(each.swing)))


def _thirds(sweep: Sweep, name: str) -> tuple[Flags, Flags]:
    """Return which runs are in the lowest and in the highest third of a parameter; its extremes if these overlap."""
    values = sweep.numbers(name)
    # One value a point, so that points with more runs do not shift the edges.
    _, first = np.unique(sweep.points, return_index=True)
    low, high = np.quantile(values[first], THIRDS)
    if low == high:
        low, high = values.min(), values.max()
    return values <= low, values >= high


def _last_common_day(ends: Floats, reached: Flags, groups: Sequence[Flags]) -> float:
    """Return the last day on which runs of every group are observed, or the last day of all if all reach the target.

    ``ends``: day on which each run reached the target or was last observed. Beyond the last day of a run that does not
    reach the target, the share of its group that does is unknown.
    """
    known = [float(ends[group].max()) for group in groups if (~reached & (ends == ends[group].max()) & group).any()]
    return min(known, default=float(ends.max()))


def _mean_day(times: Floats, reached: Flags, limit: float) -> float:
    return restricted_mean(times, reached, limit) if len(times) else math.nan


def _resampled_days(sweep: Sweep, groups: Sequence[Flags], estimate: Any) -> Floats:
    """Return the days of all groups in each bootstrap resample; no resample if there are too few points."""
    fewest = min((len(np.unique(sweep.points[group])) for group in groups), default=0)
    if sweep.systematic or fewest < MIN_POINTS:
        return np.empty((0, len(groups)))
    return cluster_bootstrap(sweep.points, estimate)


def _swing(sweep: Sweep, name: str, ends: tuple[Flags, Flags], reached: Flags, days: Floats, draws: Floats) -> DaySwing:
    (low, high), values = ends, sweep.numbers(name)
    intervals = [_interval(each) for each in (draws[:, 0], draws[:, 1], draws[:, 1] - draws[:, 0])]
    counts = [int(number) for end in ends for number in (np.sum(~reached & end), np.sum(end))]
    return DaySwing(
        name,
        float(values[low].max()),
        float(values[high].min()),
        float(days[0]),
        *intervals[0],
        float(days[1]),
        *intervals[1],
        float(days[1] - days[0]),
        *intervals[2],
        math.nan,
        *counts,
    )


def _interval(draws: Floats) -> tuple[float, float]:
    if not np.isfinite(draws).any():
        return math.nan, math.nan
    low, high = np.nanquantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _share_largest(draws: Floats, at: int) -> float:
    """Return the share of the resamples in which a parameter has the largest swing."""
    if not len(draws):
        return math.nan
    swings = np.nan_to_num(np.abs(draws[:, 1::2] - draws[:, 0::2]))
    return float(np.mean(swings.argmax(axis=1) == at))


def day_table(sweep: Sweep, target: str = ASARA) -> pa.Table:
    """Return :func:`day_tornado` as a table, one row a parameter, for each combination of levers."""
    return table_by_combination(sweep, lambda part: _swing_rows(day_tornado(part, target).swings))


def _swing_rows(swings: Sequence[DaySwing]) -> pa.Table:
    kinds = {name: pa.float64() for name in DaySwing._fields} | {"parameter": pa.string()}
    kinds |= {name: pa.int64() for name in DaySwing._fields if name.startswith(("runs_", "not_reached_"))}
    return pa.table({name: pa.array([getattr(each, name) for each in swings], kind) for name, kind in kinds.items()})


# --- sentences ------------------------------------------------------------------------------------------------------


def day_sentences(sweep: Sweep, target: str = ASARA) -> list[str]:
    """Return a sentence on the parameters that move the day of a target most, for each combination of levers.

    Of more than 4 combinations, the earliest and the latest mean day are given.
    """
    parts = combinations(sweep)
    if len(parts) > MAX_LISTED:
        return _extreme_sentences(parts, target)
    return [sentence for part in parts for sentence in _sentences_of(part, target)]


def _extreme_sentences(parts: Sequence[Combination], target: str) -> list[str]:
    """Return sentences on the combinations of levers with the earliest and the latest mean day."""
    found = [(day_tornado(part.sweep, target).mean, part) for part in parts]
    known = [each for each in found if math.isfinite(each[0])]
    named, without = _capitalised(target_text(target)), len(found) - len(known)
    if not known:
        return [f"{named} is not reached at any of the {len(parts):,} combinations of levers."]
    (early, first), (late, last) = (pick(known, key=lambda each: each[0]) for pick in (min, max))
    rest = f" At {without:,} of {len(parts):,} combinations no run reaches it." * bool(without)
    return [
        f"{named} is earliest, {early:,.0f} on average, at {first.text}; and latest, {late:,.0f}, at {last.text}.{rest}"
    ]


def _sentences_of(part: Combination, target: str) -> list[str]:
    found, sweep = day_tornado(part.sweep, target), part.sweep
    where = (
        f"With {part.text}: " if part.values else "With all parameters in the middle: " * (sweep.sampling == ONE_BY_ONE)
    )
    missing = _not_reached(sweep, target)
    if math.isnan(found.mean):
        return [f"{where}{missing}."]
    last = f"day {found.limit:,.0f}"
    means = f"Days are means up to {last}; a run that does not reach it by then counts as {last}."
    restricted = [means] * (not missing.startswith("0 of "))
    if not found.swings:
        return [f"{where}{_capitalised(target_text(target))} is {found.mean:,.0f} on average; {missing}.", *restricted]
    first, *others = found.swings
    moved = f"{where}What moves {target_text(target)} most: {_swing_text(first)}."
    moved += f" Next: {_swing_text(others[0])}." if others else ""
    return [f"{moved} {missing}.", *restricted, *_certainty(first, others)]


def _swing_text(swing: DaySwing) -> str:
    low = _day_text(swing.day_at_low, swing.day_at_low_from, swing.day_at_low_to)
    high = _day_text(swing.day_at_high, swing.day_at_high_from, swing.day_at_high_to)
    unsure = ", not distinguishable" * bool(swing.swing_from <= 0 <= swing.swing_to)
    named = phrase_with_name(swing.parameter)
    return f"{named}, from day {low} in its lowest third to day {high} in its highest third{unsure}"


def _day_text(day: float, low: float, high: float) -> str:
    return f"{day:,.0f}" + (f" [{low:,.0f}, {high:,.0f}]" if math.isfinite(low) else "")


def _not_reached(sweep: Sweep, target: str) -> str:
    """Return the number of runs that do not reach a target, as part of a sentence."""
    _, reached = censored_times(sweep, target)
    missing = int(np.sum(~reached))
    endings = {ending for ending, done in zip(sweep.texts("ending"), reached, strict=True) if not done}
    until = "the horizon" if endings <= {"horizon"} else "their end"
    return f"{missing:,} of {sweep.n:,} runs {'does' if missing == 1 else 'do'} not reach it by {until}"


def _certainty(first: DaySwing, others: Sequence[DaySwing]) -> list[str]:
    if not others or math.isnan(first.is_largest):
        return []
    return [f"The swing of {first.parameter} is the largest in {percent(first.is_largest)} of the bootstrap resamples."]


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


# --- figure ---------------------------------------------------------------------------------------------------------


@in_style
def day_figure(sweep: Sweep, target: str = ASARA) -> Figure:
    """Return the tornado for a page: the mean day in the lowest and the highest third of each parameter, as bars.

    There is a panel for each combination of levers, 3 at most.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    found = _drawn(sweep, target)
    rows = [len(tornado.swings[:MAX_BARS]) for _, tornado in found]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.3 * len(rows) + 0.5 * sum(rows)), layout="constrained")
    _draw_panels(figure, found, target, label_width=22, size=8.5, margin=0.7)
    return figure


@in_style
def day_slide(sweep: Sweep, target: str = ASARA) -> Figure:
    """Return the tornado in the shape of a slide, with the sentence as its subtitle."""
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    from experiments.plotting.frame import WIDE, add_title  # noqa: PLC0415

    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))
    _draw_panels(figure, _drawn(sweep, target), target, label_width=34, size=12, margin=0.3)
    add_title(figure, f"What moves {target_text(target)} most?", "\n".join(day_sentences(sweep, target)))
    return figure


def _drawn(sweep: Sweep, target: str) -> list[tuple[Combination, DayTornado]]:
    found = [(part, day_tornado(part.sweep, target)) for part in combinations(sweep)]
    shown = select_for_figure([part for part, tornado in found if tornado.swings], MAX_PANELS)
    return [(part, tornado) for part, tornado in found if any(part is each for each in shown)]


def _draw_panels(
    figure: Figure,
    found: Sequence[tuple[Combination, DayTornado]],
    target: str,
    label_width: int,
    size: float,
    margin: float,
) -> None:
    """Draw a panel for each combination of levers.

    ``label_width``: letters in a line of a label. ``size``: of the letters [points]. ``margin``: space for texts beside
    the bars, relative to their span.
    """
    from matplotlib.patches import Patch  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    from experiments.plotting.style import BLUE, ORANGE  # noqa: PLC0415

    ratios = [len(tornado.swings[:MAX_BARS]) for _, tornado in found]
    panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True, gridspec_kw={"height_ratios": ratios}))
    for axes, (part, tornado) in zip(panels, found, strict=True):
        _draw_bars(axes, part.sweep, tornado, label_width, size)
        if part.values:
            axes.set_title(fill(part.text, 60), fontsize=size, fontweight="normal", pad=22 if axes is panels[0] else 6)
    days = [day for _, tornado in found for each in tornado.swings for day in _days_drawn(each)]
    low, high = min(days), max(days)
    pad = margin * ((high - low) or 1.0)
    panels[-1].set_xticks([tick for tick in MaxNLocator(3).tick_values(low, high) if low - pad <= tick <= high + pad])
    panels[-1].tick_params(axis="x", labelsize=size)
    panels[0].set_xlim(low - pad, high + pad)
    panels[-1].xaxis.set_major_formatter(lambda day, _: f"{day:,.0f}")
    panels[-1].set_xlabel(f"mean of {target_text(target)}, with its 95% interval", fontsize=size)
    handles = [Patch(color=ORANGE, label="lowest third"), Patch(color=BLUE, label="highest third")]
    legend_above(panels[0], handles=handles, fontsize=size)


def _days_drawn(swing: DaySwing) -> list[float]:
    ends = (swing.day_at_low_from, swing.day_at_low_to, swing.day_at_high_from, swing.day_at_high_to)
    return [swing.day_at_low, swing.day_at_high, *(day for day in ends if math.isfinite(day))]


def _draw_bars(axes: Axes, sweep: Sweep, tornado: DayTornado, label_width: int, size: float) -> None:
    from experiments.plotting.style import BLUE, ORANGE  # noqa: PLC0415

    swings = tornado.swings[:MAX_BARS]
    for row, swing in enumerate(swings):
        low = (-0.2, ORANGE, f"up to {format_value(swing.low_value)}", swing.day_at_low)
        high = (0.2, BLUE, f"from {format_value(swing.high_value)}", swing.day_at_high)
        intervals = (
            (swing.day_at_low_from, swing.day_at_low_to),
            (swing.day_at_high_from, swing.day_at_high_to),
        )
        for (shift, colour, value, day), interval in zip((low, high), intervals, strict=True):
            axes.barh(row + shift, day - tornado.mean, left=tornado.mean, height=0.36, color=colour, linewidth=0)
            ends = interval if math.isfinite(interval[0]) else (day, day)
            axes.plot(ends, [row + shift] * 2, color=SOFT, linewidth=1.4, zorder=4)
            is_later = day >= tornado.mean
            axes.annotate(
                f"{value}: day {day:,.0f}",
                (max(day, ends[1]) if is_later else min(day, ends[0]), row + shift),
                (5 if is_later else -5, 0),
                textcoords="offset points",
                va="center",
                ha="left" if is_later else "right",
                fontsize=0.85 * size,
            )
    axes.axvline(tornado.mean, color=SOFT, linewidth=1)
    axes.set_yticks(range(len(swings)), [sweep.label(each.parameter, label_width) for each in swings], fontsize=size)
    axes.set_ylim(len(swings) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
