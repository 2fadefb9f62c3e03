"""Find a box of parameters in which an outcome is frequent, by the patient rule induction method (PRIM).

First, thin slices are peeled off: each time the one whose removal raises the share of the outcome most for each lost
run. Then slices are pasted on again as long as the share does not fall. Finally, restrictions without effect are
dropped.

Source: Friedman and Fisher, Bump hunting in high-dimensional data, Statistics and Computing 9, 123 (1999).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.binning import MAX_LEVELS, bin_parameter
from experiments.sweep.analysis.combinations import Combination, combinations
from experiments.sweep.analysis.estimators import SEED, ClusteredProbability, clustered_share
from experiments.sweep.analysis.figure_frame import INK, in_style, legend_above, new_figure
from experiments.sweep.analysis.labels import format_value, percent
from experiments.sweep.analysis.sweep_data import Flags, Floats, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEEL_SHARE: Final = 0.05
"""Share of the runs of a box that a peel removes (the patience of PRIM)."""
MIN_BOX_SHARE: Final = 0.05
"""Minimum size of a box, as a share of all runs."""
MIN_HELD_OUT_POINTS: Final = 200
"""Minimum number of points for which the box is found on one half and measured on the other."""
_MIN_DENSITY_LOSS: Final = 0.01
"""Minimum loss of density without a restriction; restrictions with a smaller effect are dropped."""
METHOD_NOTE: Final = (
    "The box is found by PRIM (Friedman and Fisher, 1999), which peels thin slices off the space of parameters. Among "
    "the resulting boxes it is the one with the largest harmonic mean of density and coverage. Density is the share of "
    "the box's runs that have the outcome. Coverage is the share of all runs with the outcome that are in the box."
)

Bounds = dict[str, tuple[float, float]]
"""Parameter → lower and upper bound, both included; infinite without a restriction."""


class Box(NamedTuple):
    """A box of parameters with its density and coverage."""

    bounds: Bounds
    """Bounds of the restricted parameters."""
    density: ClusteredProbability
    """Share of the box's runs that have the outcome."""
    coverage: ClusteredProbability
    """Share of all runs with the outcome that are in the box."""
    held_out: bool
    """Whether density and coverage are measured on points that were not used to find the box."""


def find_box(
    inputs: dict[str, Floats], happened: Flags, peel: float = PEEL_SHARE, least: float = MIN_BOX_SHARE
) -> Bounds:
    """Return the bounds of the box in which an outcome is most frequent, by PRIM; empty if no box is better than all.

    ``inputs``: values by parameter, one entry a row as in ``happened``. Bounds are values from ``inputs``.
    """
    if happened.all() or not happened.any():
        return {}
    fewest = max(1, math.ceil(least * len(happened)))
    best, quality = dict.fromkeys(inputs, (-math.inf, math.inf)), -1.0
    for bounds in _peel_boxes(inputs, happened, peel, fewest):
        if (now := _harmonic_mean(is_inside(inputs, bounds), happened)) > quality:
            best, quality = bounds, now
    return _drop_irrelevant_restrictions(inputs, happened, _paste(inputs, happened, best, peel))


def is_inside(inputs: dict[str, Floats], bounds: Bounds) -> Flags:
    """Return for each row whether it is in a box."""
    inside: Flags = np.ones(len(next(iter(inputs.values()))), dtype=bool)
    for name, (low, high) in bounds.items():
        inside &= (inputs[name] >= low) & (inputs[name] <= high)
    return inside


def box_combinations(sweep: Sweep) -> list[Combination]:
    """Return the combinations that have a box each: those of levers, or all runs together if only levers vary."""
    return combinations(sweep) if sweep.uncertainties else [Combination({}, sweep)]


def find_explosion_box(sweep: Sweep) -> Box | None:
    """Return the box in which the sweep's outcome is most frequent; None if there is none.

    Restrictions are on varied parameters that are numbers or truth values.

    With 200 points or more the box is found on a random half of them. Density and coverage are then measured on the
    other half.
    """
    inputs, happened, points = box_inputs(sweep), sweep.happened(), sweep.points
    if not inputs:
        return None
    unique = np.unique(points)
    held_out = len(unique) >= MIN_HELD_OUT_POINTS
    half = np.random.default_rng(SEED).permutation(unique)[: len(unique) // 2]
    judged = np.isin(points, half) if held_out else np.ones(len(points), dtype=bool)
    learnt = ~judged if held_out else judged
    bounds = find_box({name: values[learnt] for name, values in inputs.items()}, happened[learnt])
    inside = is_inside(inputs, bounds) if bounds else np.zeros(len(points), dtype=bool)
    if not (inside & judged).any() or not (happened & judged).any():
        return None
    density = clustered_share(happened[inside & judged], points[inside & judged])
    coverage = clustered_share(inside[happened & judged], points[happened & judged])
    return Box(bounds, density, coverage, held_out)


def box_inputs(sweep: Sweep) -> dict[str, Floats]:
    """Return the parameters that a box may restrict; true is 1. Texts have no order and are left out."""
    return {name: sweep.numbers(name) for name in sweep.varied if sweep.has_order(name)}


def box_sentence(sweep: Sweep, box: Box | None) -> str:
    """Return sentences on the box in which the sweep's outcome is most frequent."""
    happened, outcome = sweep.happened(), sweep.outcome
    if happened.all() or not happened.any():
        which = "All runs are" if happened.all() else "There are no"
        return f"{which} {outcome.runs}, so that regions do not differ."
    if box is None:
        return f"No box of parameters was found in which {outcome.plural} are more frequent than elsewhere."
    if box.density.low <= float(happened.mean()):
        return f"No box of parameters was found in which {outcome.plural} are significantly more frequent."
    where = " and ".join(_format_restriction(sweep, name, *bounds) for name, bounds in box.bounds.items())
    judged = ", measured on the half of the points that was not used to find it" if box.held_out else ""
    overall = "" if sweep.levers else f" Over all runs the share is {percent(float(happened.mean()))}."
    return (
        f"{outcome.plural.capitalize()} are most frequent where {where}: {percent(box.density.share)} of the runs "
        f"there [{percent(box.density.low)}, {percent(box.density.high)}] are {outcome.runs}. The box contains "
        f"{percent(box.coverage.share)} of all such runs "
        f"[{percent(box.coverage.low)}, {percent(box.coverage.high)}]{judged}.{overall}"
    )


def box_table(sweep: Sweep, box: Box | None) -> pa.Table:
    """Return a box as a table, one row a restriction: parameter, low, high (null: none), density, coverage."""
    rows: dict[str, list[Any]] = {name: [] for name in ("parameter", "low", "high", "density", "coverage")}
    for name, ends in box.bounds.items() if box else ():
        low, high = (None if math.isinf(end) else float(end) for end in ends)
        entries = (name, low, high, box.density.share, box.coverage.share)  # type: ignore[union-attr]
        for column, value in zip(rows.values(), entries, strict=True):
            column.append(value)
    kinds = [pa.string(), *[pa.float64()] * 4]
    return pa.table({name: pa.array(each, kind) for (name, each), kind in zip(rows.items(), kinds, strict=True)})


@in_style
def box_figure(sweep: Sweep, box: Box, across: str, up: str) -> Figure:
    """Return a figure of the runs over two parameters, with and without the outcome, and of the box."""
    from experiments.plotting.style import BLUE, ORANGE  # noqa: PLC0415

    happened = sweep.happened()
    x, y = _plotted_parameter(sweep, across, box), _plotted_parameter(sweep, up, box)
    figure, (axes,) = new_figure(4.2)
    rows = np.unique(np.linspace(0, sweep.n - 1, 3000).astype(int))
    for chosen, colour, marker, text in (
        (~happened, BLUE, "x", "other runs"),
        (happened, ORANGE, "o", sweep.outcome.plural),
    ):
        shown = rows[chosen[rows]]
        axes.scatter(
            x.values[shown], y.values[shown], s=14, c=colour, marker=marker, alpha=0.6, linewidths=0.9, label=text
        )
    for axis, one in ((axes.xaxis, x), (axes.yaxis, y)):
        if one.levels:
            axis.set_ticks(range(len(one.levels)), one.levels)
        elif one.values.min() > 0 and one.values.max() > 30 * one.values.min():
            axis.axes.set_xscale("log") if axis is axes.xaxis else axis.axes.set_yscale("log")
    limits = axes.get_xlim(), axes.get_ylim()
    (left, right), (low, high) = (np.clip(one.ends, *limit) for one, limit in zip((x, y), limits, strict=True))
    axes.plot([left, right, right, left, left], [low, low, high, high, low], color=INK, linewidth=2)
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.set_xlabel(sweep.label(across, 60))
    axes.set_ylabel(sweep.label(up, 40))
    legend_above(axes)
    return figure


def _peel_boxes(inputs: dict[str, Floats], happened: Flags, peel: float, fewest: int) -> Iterator[Bounds]:
    """Yield the boxes from all rows to the smallest, by the peels that raise the density most for each lost row.

    The gain is taken for each row, because a level of a lever has more rows than a slice of an uncertainty.
    Source: Friedman and Fisher, section 14.1.
    """
    bounds: Bounds = dict.fromkeys(inputs, (-math.inf, math.inf))
    while True:
        yield bounds
        inside = is_inside(inputs, bounds)
        best, gain, before = None, -math.inf, float(happened[inside].mean())
        for name, after in _peel_candidates(inputs, bounds, inside, peel):
            kept = inside & (inputs[name] >= after[0]) & (inputs[name] <= after[1])
            if kept.sum() < fewest:
                continue
            now = (float(happened[kept].mean()) - before) / float(inside.sum() - kept.sum())
            if now > gain:
                best, gain = bounds | {name: after}, now
        if best is None:
            return
        bounds = best


def _peel_candidates(
    inputs: dict[str, Floats], bounds: Bounds, inside: Flags, peel: float
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield the range of each parameter after a peel from below or above, which removes some rows but not all."""
    for name, (low, high) in bounds.items():
        levels = np.sort(inputs[name][inside])
        if levels[0] == levels[-1]:
            continue
        few = max(1, int(peel * len(levels)))
        # A level with many rows is removed completely, because a cut within it would not change the box.
        yield name, (float(levels[max(few, np.searchsorted(levels, levels[few - 1], side="right"))]), high)
        yield name, (low, float(levels[min(len(levels) - few, np.searchsorted(levels, levels[-few])) - 1]))


def _paste(inputs: dict[str, Floats], happened: Flags, bounds: Bounds, paste: float) -> Bounds:
    """Return the box with slices pasted on as long as the density does not fall."""
    while True:
        inside = is_inside(inputs, bounds)
        density, best = float(happened[inside].mean()), None
        for name, after in _paste_candidates(inputs, bounds, int(inside.sum()), paste):
            now = float(happened[is_inside(inputs, bounds | {name: after})].mean())
            if now >= density:
                density, best = now, bounds | {name: after}
        if best is None:
            return bounds
        bounds = best


def _paste_candidates(
    inputs: dict[str, Floats], bounds: Bounds, rows: int, paste: float
) -> Iterator[tuple[str, tuple[float, float]]]:
    for name, (low, high) in bounds.items():
        others = is_inside(
            inputs, {each: ends for each, ends in bounds.items() if each != name} | {name: (-math.inf, math.inf)}
        )
        levels = np.sort(inputs[name][others])
        few = max(1, int(paste * rows))
        below, above = levels[levels < low], levels[levels > high]
        if below.size:
            yield name, (float(below[-few]) if below.size > few else -math.inf, high)
        if above.size:
            yield name, (low, float(above[few - 1]) if above.size > few else math.inf)


def _drop_irrelevant_restrictions(inputs: dict[str, Floats], happened: Flags, bounds: Bounds) -> Bounds:
    """Return the box without restrictions that have no effect, dropping the least important first."""
    kept = {name: ends for name, ends in bounds.items() if ends != (-math.inf, math.inf)}
    while kept:
        density = float(happened[is_inside(inputs, kept)].mean())
        rest = {name: {each: ends for each, ends in kept.items() if each != name} for name in kept}
        left = {name: float(happened[is_inside(inputs, others)].mean()) for name, others in rest.items()}
        least = max(left, key=lambda name: left[name])
        if left[least] < density - _MIN_DENSITY_LOSS:
            break
        kept = rest[least]
    return _drop_irrelevant_sides(inputs, happened, kept)


def _drop_irrelevant_sides(inputs: dict[str, Floats], happened: Flags, bounds: Bounds) -> Bounds:
    """Return the box without lower or upper bounds that have no effect."""
    for name in list(bounds):
        for side in ((-math.inf, bounds[name][1]), (bounds[name][0], math.inf)):
            wider = bounds | {name: side}
            loss = float(happened[is_inside(inputs, bounds)].mean()) - float(happened[is_inside(inputs, wider)].mean())
            if side != (-math.inf, math.inf) and loss <= _MIN_DENSITY_LOSS:
                bounds = wider
                break
    return bounds


def _harmonic_mean(inside: Flags, happened: Flags) -> float:
    both = float(np.sum(inside & happened))
    return 2 * both / (float(inside.sum()) + float(happened.sum()))


def _format_restriction(sweep: Sweep, name: str, low: float, high: float) -> str:
    if name in sweep.coupled:
        levels = sorted(set(sweep.runs[name].to_pylist()))
        return " or ".join(f"{name} = {sweep.value_text(name, level)}" for level in levels if low <= level <= high)
    if not sweep.is_number(name):  # a restriction of a truth value leaves one of the two
        return f"{name} = {format_value(low > 0)}"
    if math.isinf(high):
        return f"{name} ≥ {format_value(low)}"
    if math.isinf(low):
        return f"{name} ≤ {format_value(high)}"
    return f"{name} = {format_value(low)}" if low == high else f"{format_value(low)} ≤ {name} ≤ {format_value(high)}"


class _PlottedParameter(NamedTuple):
    """The positions of runs along a parameter, the texts of its levels if it has few, and the ends of the box."""

    values: Floats
    levels: tuple[str, ...]
    ends: tuple[float, float]


def _plotted_parameter(sweep: Sweep, name: str, box: Box) -> _PlottedParameter:
    """Return positions by value or, with few levels, by level and with random scatter to make runs visible."""
    values, ends = sweep.numbers(name), box.bounds.get(name, (-math.inf, math.inf))
    levels = np.unique(values)
    if len(levels) > MAX_LEVELS:
        return _PlottedParameter(values, (), ends)
    scatter = np.random.default_rng(SEED).uniform(-0.3, 0.3, len(values))
    inside = np.flatnonzero((levels >= ends[0]) & (levels <= ends[1]))
    place = np.searchsorted(levels, values)
    return _PlottedParameter(place + scatter, bin_parameter(sweep, name).labels, (inside[0] - 0.4, inside[-1] + 0.4))
