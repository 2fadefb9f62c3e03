"""Show whether there are enough runs: estimates and their intervals as points of the design accumulate."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.combinations import MAX_LISTED, combinations, select_for_figure, table_by_combination
from experiments.sweep.analysis.estimators import (
    SEED,
    can_bracket_quantile,
    cluster_bootstrap_interval,
    clustered_share,
    count_independent,
    time_quantile,
)
from experiments.sweep.analysis.explosion_probability import outcome_title
from experiments.sweep.analysis.figure_frame import in_style, legend_above, new_figure
from experiments.sweep.analysis.sweep_data import FACTORS, Ints, Sweep, reported_gain
from experiments.sweep.analysis.time_to_gain import censored_times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES: Final = 24
RESAMPLES: Final = 100


def convergence_table(sweep: Sweep, column: str = "") -> pa.Table:
    """Return the probability of the outcome and the median days to a gain for increasing numbers of points.

    Columns, for each combination of levers: the levers, points, runs, probability, low, high, median_days, median_low,
    median_high (95%). A median is infinite if less than half of the runs reached the gain. median_low and median_high
    are null below 6 points. ``column``: the gain; by default the largest possible one. Points are in the order of the
    design, or in random order if it is systematic.
    """
    chosen = column or reported_gain(sweep)[0]
    return table_by_combination(sweep, lambda part: _convergence_rows(part, chosen))


def _convergence_rows(sweep: Sweep, column: str) -> pa.Table:
    times, reached = censored_times(sweep, column)
    happened, points = sweep.happened(), sweep.points
    place = _point_order(sweep)
    rows = []
    for count in _stage_sizes(int(place.max()) + 1):
        inside = np.flatnonzero(place < count)
        share = clustered_share(happened[inside], points[inside])
        middle = time_quantile(times[inside], reached[inside], 0.5)
        low, high = _median_interval(times[inside], reached[inside], points[inside])
        rows.append((count, len(inside), share.share, share.low, share.high, middle, low, high))
    names = ("points", "runs", "probability", "low", "high", "median_days", "median_low", "median_high")
    kinds = (pa.int64(), pa.int64(), *[pa.float64()] * 6)
    columns = zip(names, kinds, zip(*rows, strict=True), strict=True)
    return pa.table({name: pa.array(values, kind) for name, kind, values in columns})


@in_style
def convergence_figure(sweep: Sweep, table: pa.Table | None = None) -> Figure:
    """Return a figure of both estimates against runs, with intervals: a line for each combination of levers, 4 at most.

    ``table``: the result of :func:`convergence_table`, if it exists already.
    """
    from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK  # noqa: PLC0415

    found = convergence_table(sweep) if table is None else table
    parts = select_for_figure(combinations(sweep), MAX_LISTED)
    figure, (upper, lower) = new_figure(4.6 + 0.24 * len(parts) * (len(parts) > 1), 2, sharex=True)
    data = [_columns_of(found, part.values) for part in parts]
    medians = np.concatenate([each["median_days"] for each in data])
    finite = medians[np.isfinite(medians)]
    top = 1.6 * float(finite.max()) if finite.size else 1.0
    for part, each, colour in zip(parts, data, (BLUE, ORANGE, GREEN, PINK), strict=False):
        upper.fill_between(each["runs"], each["low"], each["high"], color=colour, alpha=0.2, linewidth=0)
        upper.plot(each["runs"], each["probability"], color=colour, label=part.text)
        ends = [np.minimum(each[f"median_{name}"], top) for name in ("low", "high")]
        lower.fill_between(each["runs"], *ends, color=colour, alpha=0.2, linewidth=0)
        lower.plot(each["runs"], np.where(np.isfinite(each["median_days"]), each["median_days"], np.nan), color=colour)
    upper.set_ylim(0, 1)
    upper.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    title = fill(outcome_title(sweep, sweep.outcome), 58)
    upper.set_title(title, pad=6 + 15 * len(parts) * (len(parts) > 1))
    if parts[0].values:
        legend_above(upper, ncols=1)
    lower.set_ylim(0, top)
    lower.set_title(f"Median days to a {FACTORS[reported_gain(sweep)[0]]:,}-fold gain")
    if not finite.size:
        lower.text(0.5, 0.5, "less than half of the runs reached it", transform=lower.transAxes, ha="center")
        lower.set_yticks([])
    lower.set_xlabel("runs")
    lower.set_xlim(left=0)
    return figure


def _columns_of(table: pa.Table, values: dict[str, str]) -> dict[str, np.ndarray]:
    """Return the columns of the rows of one combination of levers, as floats."""
    chosen = np.ones(table.num_rows, dtype=bool)
    for name, value in values.items():
        chosen &= np.array([each == value for each in table[name].to_pylist()])
    rows = table.filter(pa.array(chosen)).select([name for name in table.column_names if name not in values])
    return {name: np.asarray(rows[name].to_numpy(), dtype=float) for name in rows.column_names}


def convergence_sentence(sweep: Sweep, table: pa.Table) -> str:
    """Return sentences on the width of the interval of the probability, and on how it shrinks with more points.

    Of several combinations of levers, the one with the widest interval is described.
    """
    parts = combinations(sweep)
    part = max(parts, key=lambda each: (found := _columns_of(table, each.values))["high"][-1] - found["low"][-1])
    data = _columns_of(table, part.values)
    width, points = data["high"][-1] - data["low"][-1], data["points"]
    middle = int(np.argmin(np.abs(points - points[-1] / 2)))
    moved = abs(data["probability"][middle] - data["probability"][-1])
    where = f" with {part.text} (the widest of {len(parts):,})" * bool(part.values)
    return (
        f"After {points[-1]:,.0f} points ({data['runs'][-1]:,.0f} runs){where} the interval of the probability that "
        f"{sweep.outcome.meaning} is {100 * width:.1f} percentage points wide. "
        f"The estimate changed by {100 * moved:.1f} percentage points over the second half of the points. "
        f"To halve the width, about four times the points are needed{_order_note(sweep)}."
    )


def _order_note(sweep: Sweep) -> str:
    return "; points are in random order here, because the order of the design is systematic" * sweep.systematic


def _point_order(sweep: Sweep) -> Ints:
    """Return the position of each run's point in the order in which points accumulate."""
    unique, index = np.unique(sweep.points, return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(unique)) if sweep.systematic else np.arange(len(unique))
    return order[index]


def _stage_sizes(points: int) -> list[int]:
    first = min(points, 4)
    return sorted({round(each) for each in np.geomspace(first, points, STAGES)})


def _median_interval(times: np.ndarray, reached: np.ndarray, points: Ints) -> tuple[float | None, float | None]:
    if not can_bracket_quantile(count_independent(points), 0.5):
        return None, None
    low, high = cluster_bootstrap_interval(
        points, lambda rows: [time_quantile(times[rows], reached[rows], 0.5)], RESAMPLES
    )
    return float(low[0]), float(high[0])
