"""The probability of an explosion, and of a run that was speeding up: overall, by parameter, and over any two.

An explosion is a run whose doubling times shrink without limit in the long run.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from experiments.analyse.bins import MOST_LEVELS, Axis, cut
from experiments.analyse.names import label, percent, said
from experiments.analyse.pictures import INK, SOFT, in_style, new_figure
from experiments.analyse.statistics import Share, clustered_share
from experiments.analyse.sweep import EXPLOSIVE, SPEEDING_UP, Flags, Outcome, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOW: Final = (
    "Intervals are Wilson's at 95%, for the effective number of runs: runs of the same point of the design share its "
    "parameters and are not independent, so the variance is taken between points, and where no two outcomes differ "
    "only the points count."
)
_MAP: Final = ("#f2f7fb", "#56B4E9", "#0072B2", "#00406b")
"""Light to dark in one hue: also in grey one sees which is more."""
FEWEST: Final = 5
"""Runs of a cell that is coloured; of fewer only the number is told."""


def probability(sweep: Sweep, chosen: Flags | None = None, outcome: Outcome = EXPLOSIVE) -> Share:
    """Return the probability of an outcome, over all runs with a result or some of them."""
    rows = np.ones(sweep.n, dtype=bool) if chosen is None else chosen
    return clustered_share(sweep.happened(outcome)[rows], sweep.points[rows])


def probability_table(sweep: Sweep) -> pa.Table:
    """Return both probabilities overall and for each level or bin of every parameter that varies.

    Columns: parameter, value, p_long_run_singular, low, high (95%), p_speeding_up, speeding_up_low,
    speeding_up_high, runs, points.
    """
    everything = np.ones(sweep.n, dtype=bool)
    rows = [("all", "all", *_both(sweep, everything))]
    for name in sweep.varied:
        axis = cut(sweep, name)
        for at, text in enumerate(axis.labels):
            rows.append((name, text, *_both(sweep, axis.place == at)))
    names = ("parameter", "value", *_BOTH)
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def plane_table(sweep: Sweep, across: str, up: str) -> pa.Table:
    """Return both probabilities over two parameters, one row a cell with runs.

    Columns: the two parameters (their class as text), then those of :func:`probability_table`. Raises InputError for an
    unknown column.
    """
    x, y = cut(sweep, across), cut(sweep, up)
    rows = [
        (x.labels[i], y.labels[j], *_both(sweep, inside))
        for j in range(len(y.labels)) for i in range(len(x.labels))
        if (inside := (x.place == i) & (y.place == j)).any()
    ]  # fmt: skip
    names = (across, up, *_BOTH)
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


_BOTH: Final = (
    "p_long_run_singular", "low", "high", "p_speeding_up", "speeding_up_low", "speeding_up_high", "runs", "points",
)  # fmt: skip


def _both(sweep: Sweep, chosen: Flags) -> tuple[float, ...]:
    explosive, faster = probability(sweep, chosen), probability(sweep, chosen, SPEEDING_UP)
    return (*explosive[:3], *faster)


@in_style
def plane_figure(sweep: Sweep, across: str, up: str) -> Figure:
    """Return a map of the probability of the sweep's outcome over two parameters, with intervals and run counts."""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    x, y = cut(sweep, across), cut(sweep, up)
    dense = is_dense(x, y)
    figure, (axes,) = new_figure(1.5 + (0.34 if dense else 0.72) * len(y.labels))
    colours = LinearSegmentedColormap.from_list("sweep", _MAP)
    for j in range(len(y.labels)):
        for i in range(len(x.labels)):
            inside = (x.place == i) & (y.place == j)
            found = probability(sweep, inside, sweep.outcome) if inside.any() else None
            if dense and found:
                colour_cell(axes, (i, j), colours(found.share))
            elif not dense:
                _draw_cell(axes, (i, j), found, colours(found.share) if found else "none", not sweep.systematic)
    frame_map(axes, x, y)
    axes.set_title(fill(f"Probability that {sweep.outcome.meaning}.", 58) + " Dark: 100%." * dense)
    return figure


def is_dense(x: Axis, y: Axis) -> bool:
    """Return whether a map has more cells than words have room in."""
    return max(len(x.labels), len(y.labels)) > MOST_LEVELS


def colour_cell(axes: Axes, place: tuple[int, int], colour: Any) -> None:
    """Colour a cell of a map that has no room for words."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    i, j = place
    axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colour, edgecolor=SOFT, linewidth=0.5))


def _draw_cell(axes: Axes, place: tuple[int, int], found: Share | None, colour: object, interval: bool) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    i, j = place
    if found is None:
        axes.text(i, j, "no run", ha="center", va="center", fontsize=8, color=SOFT)
        return
    few = found.runs < FEWEST
    axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor="none" if few else colour, edgecolor=SOFT,
                             linewidth=0.5))  # fmt: skip
    ink = INK if few else "#ffffff" if found.share > 0.5 else "#1a1a1a"
    axes.text(i, j + 0.16, percent(found.share), ha="center", va="center", fontsize=11, fontweight="bold", color=ink)
    small = f"{found.low * 100:.0f}–{found.high * 100:.0f}%, " * interval + f"n = {found.runs}"
    axes.text(i, j - 0.22, small, ha="center", va="center", fontsize=7.6, color=ink)


def frame_map(axes: Axes, x: Axis, y: Axis) -> None:
    """Label a map of classes against classes."""
    axes.set_xlim(-0.5, len(x.labels) - 0.5)
    axes.set_ylim(-0.5, len(y.labels) - 0.5)
    axes.set_xticks(range(len(x.labels)), x.labels, rotation=60 if len(x.labels) > MOST_LEVELS else 0)
    axes.set_yticks(range(len(y.labels)), y.labels, va="center",
                    rotation=90 if max(map(len, y.labels)) > 5 and not is_dense(x, y) else 0)  # fmt: skip
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=9)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(label(x.name, 60))
    axes.set_ylabel(label(y.name, 34))


def ranked(sweep: Sweep) -> list[str]:
    """Return the parameters that vary by how much the probability of the outcome depends on them, strongest first.

    By the variance between their classes, an effect of chance taken off.
    """
    strength = {name: _between(sweep, cut(sweep, name)) for name in sweep.varied}
    return sorted(strength, key=lambda name: -strength[name])


def pair_of(sweep: Sweep) -> tuple[str, str] | None:
    """Return the two parameters on which the probability of the outcome depends most; None if fewer vary."""
    best = ranked(sweep)
    return (best[0], best[1]) if len(best) >= 2 else None


def _between(sweep: Sweep, axis: Axis) -> float:
    happened = sweep.happened().astype(float)
    counts = np.bincount(axis.place, minlength=len(axis.labels))
    means = np.bincount(axis.place, weights=happened) / np.maximum(counts, 1)
    noise = float(np.var(happened)) * (len(counts) - 1) / len(np.unique(sweep.points))
    return float(np.sum(counts * (means - happened.mean()) ** 2)) / sweep.n - noise


def _depends(sweep: Sweep, axis: Axis) -> bool:
    """Whether some class has another share than the rest of the runs, by intervals that do not meet.

    At 95% each that is a test of about 0.6%, so that the strongest of some parameters is seldom chance.
    """
    for at in range(len(axis.labels)):
        here = axis.place == at
        if here.any() and not here.all():
            one, other = (probability(sweep, rows, sweep.outcome) for rows in (here, ~here))
            if one.low > other.high or one.high < other.low:
                return True
    return False


def sentence(sweep: Sweep) -> str:
    """Return both probabilities in words, with what they are probabilities of."""
    explosive, faster = probability(sweep), probability(sweep, outcome=SPEEDING_UP)
    return (
        f"In {_share(sweep, explosive)} of the {explosive.runs:,} runs with a result {EXPLOSIVE.meaning}. "
        f"In {_share(sweep, faster)} {SPEEDING_UP.meaning}."
    )


def _share(sweep: Sweep, found: Share) -> str:
    interval = f" (95% interval {percent(found.low)} to {percent(found.high)})" * (not sweep.systematic)
    return f"{percent(found.share)}{interval}"


def strongest(sweep: Sweep) -> str:
    """Return the parameter on which the probability of the outcome depends most, in words; nothing if none varies."""
    names = ranked(sweep)
    if not names:
        return ""
    name = names[0]
    axis = cut(sweep, name)
    if not sweep.systematic and not _depends(sweep, axis):
        return f"The share of {sweep.outcome.runs} depends on no parameter by more than chance."
    ends = [probability(sweep, axis.place == at, sweep.outcome) for at in (0, len(axis.labels) - 1)]
    low, high = (f"{percent(each.share)} at {axis.labels[at]}" for each, at in zip(ends, (0, -1), strict=True))
    return f"The share of {sweep.outcome.runs} depends most on {said(name)}: {low}, {high}."
