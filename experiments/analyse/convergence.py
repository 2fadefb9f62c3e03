"""Whether there are enough runs: estimates and their intervals as points of the design accumulate."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from experiments.analyse.pictures import in_style, new_figure
from experiments.analyse.statistics import SEED, clustered_share, resampled, time_quantile
from experiments.analyse.sweep import FACTORS, Ints, Sweep, threshold
from experiments.analyse.times import observed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES: Final = 24
RESAMPLES: Final = 100


def convergence_table(sweep: Sweep, column: str = "") -> pa.Table:
    """Return the probability of the outcome and the median days to a gain after more and more points of the design.

    Columns: points, runs, probability, low, high, median_days, median_low, median_high (95%; infinity where less than
    half have got there). ``column``: the gain, by default the largest that can be told. Points come in the order of the
    design, in a random one where the design's is systematic.
    """
    chosen = column or threshold(sweep)[0]
    times, reached = observed(sweep, chosen)
    happened, points = sweep.happened(), sweep.points
    place = _places(sweep)
    rows = []
    for count in _stages(int(place.max()) + 1):
        inside = np.flatnonzero(place < count)
        share = clustered_share(happened[inside], points[inside])
        middle = time_quantile(times[inside], reached[inside], 0.5)
        low, high = _median_interval(times[inside], reached[inside], points[inside])
        rows.append((count, len(inside), share.share, share.low, share.high, middle, low, high))
    names = ("points", "runs", "probability", "low", "high", "median_days", "median_low", "median_high")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@in_style
def convergence_figure(sweep: Sweep, table: pa.Table | None = None) -> Figure:
    """Return both estimates against runs, with their intervals. ``table``: that of :func:`convergence_table`."""
    from experiments.analysis import BLUE, ORANGE  # noqa: PLC0415

    found = convergence_table(sweep) if table is None else table
    data = {name: np.asarray(found[name].to_numpy(), dtype=float) for name in found.column_names}
    figure, (upper, lower) = new_figure(4.6, 2, sharex=True)
    upper.fill_between(data["runs"], data["low"], data["high"], color=BLUE, alpha=0.22, linewidth=0)
    upper.plot(data["runs"], data["probability"], color=BLUE)
    upper.set_ylim(0, 1)
    upper.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    upper.set_title(fill(f"Probability that {sweep.outcome.meaning}", 58))
    finite = data["median_days"][np.isfinite(data["median_days"])]
    top = 1.6 * float(finite.max()) if finite.size else 1.0
    clipped = {name: np.minimum(data[f"median_{name}"], top) for name in ("low", "high")}
    lower.fill_between(data["runs"], clipped["low"], clipped["high"], color=ORANGE, alpha=0.3, linewidth=0)
    lower.plot(data["runs"], np.where(np.isfinite(data["median_days"]), data["median_days"], np.nan), color=ORANGE)
    lower.set_ylim(0, top)
    lower.set_title(f"Median days to a {FACTORS[threshold(sweep)[0]]:,}-fold gain")
    if not finite.size:
        lower.text(0.5, 0.5, "less than half of the runs got there", transform=lower.transAxes, ha="center")
        lower.set_yticks([])
    lower.set_xlabel("runs")
    lower.set_xlim(left=0)
    return figure


def convergence_sentence(sweep: Sweep, table: pa.Table) -> str:
    """Return how wide the interval of the probability is and how it would shrink, in words."""
    last = {name: table[name][-1].as_py() for name in table.column_names}
    width = last["high"] - last["low"]
    half = table["points"].to_pylist()
    middle = min(range(len(half)), key=lambda at: abs(half[at] - half[-1] / 2))
    moved = abs(table["probability"][middle].as_py() - last["probability"])
    return (
        f"After {last['points']:,} points ({last['runs']:,} runs) the interval of the probability that "
        f"{sweep.outcome.meaning} is {100 * width:.1f} percentage points wide, "
        f"and the estimate moved by {100 * moved:.1f} over the second half of the points. "
        f"Half the width takes about four times the points{_order(sweep)}."
    )


def _order(sweep: Sweep) -> str:
    return "; points are taken here in random order, since the design's is systematic" * sweep.systematic


def _places(sweep: Sweep) -> Ints:
    """The place of each run's point in the order in which points are counted."""
    unique, index = np.unique(sweep.points, return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(unique)) if sweep.systematic else np.arange(len(unique))
    return order[index]


def _stages(points: int) -> list[int]:
    first = min(points, 4)
    return sorted({round(each) for each in np.geomspace(first, points, STAGES)})


def _median_interval(times: np.ndarray, reached: np.ndarray, points: Ints) -> tuple[float, float]:
    if len(times) < 2:
        return 0.0, math.inf
    low, high = resampled(points, lambda rows: [time_quantile(times[rows], reached[rows], 0.5)], RESAMPLES)
    return float(low[0]), float(high[0])
