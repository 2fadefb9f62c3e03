"""Show which input limits progress at the margin, over two parameters (sim.margins)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.binning import Axis, bin_parameter
from experiments.sweep.analysis.combinations import MAX_LISTED, combinations, select_for_figure, table_by_combination
from experiments.sweep.analysis.explosion_probability import MAX_PANELS, colour_cell, frame_map, is_dense, restrict_axis
from experiments.sweep.analysis.figure_frame import SOFT, in_style, legend_above, new_figure
from experiments.sweep.analysis.labels import percent
from experiments.sweep.analysis.sweep_data import Flags, Sweep
from sim.margins import INPUTS, UNDEFINED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESOURCES: Final = (*INPUTS, UNDEFINED)
"""Possible values of the column `limited_by`."""


def limits_table(sweep: Sweep, across: str, up: str) -> pa.Table:
    """Return the limiting input over two parameters, a row a cell with runs, for each combination of other levers.

    Columns: the other levers, the two parameters (their class as text), limited_by (of most runs), the share of runs
    that each resource limits, and runs. Raises InputError for a column that does not exist.
    """
    x, y = bin_parameter(sweep, across), bin_parameter(sweep, up)
    return table_by_combination(
        sweep, lambda part: _limit_rows(part, restrict_axis(x, part), restrict_axis(y, part)), (across, up)
    )


def _limit_rows(sweep: Sweep, x: Axis, y: Axis) -> pa.Table:
    rows = []
    for j, i in product(range(len(y.labels)), range(len(x.labels))):
        inside = (x.place == i) & (y.place == j)
        if inside.any():
            found = limiting_shares(sweep, inside)
            rows.append(
                (x.labels[i], y.labels[j], max(found, key=lambda each: found[each]), *found.values(), int(inside.sum()))
            )
    names = (x.name, y.name, "limited_by", *RESOURCES, "runs")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def limiting_shares(sweep: Sweep, chosen: Flags | None = None) -> dict[str, float]:
    """Return the share of runs that each resource limits, among all runs with a result or the chosen ones."""
    by = np.array(sweep.texts("limited_by"))
    by = by if chosen is None else by[chosen]
    return {resource: float(np.mean(by == resource)) for resource in RESOURCES}


@in_style
def limits_figure(sweep: Sweep, across: str, up: str) -> Figure:
    """Return a map of the input that limits most runs, over two parameters, with the share of runs in each cell.

    It has a panel for each combination of the other levers, up to `MAX_PANELS`.
    """
    from matplotlib.patches import Patch  # noqa: PLC0415

    x, y = bin_parameter(sweep, across), bin_parameter(sweep, up)
    parts = select_for_figure(combinations(sweep, (across, up)), MAX_PANELS)
    seen: set[str] = set()
    colours = _resource_colours()
    height = 1.9 + (0.34 if is_dense(x, y) else 0.72) * len(y.labels)
    figure, panels = new_figure(len(parts) * height, len(parts))
    for axes, part in zip(panels, parts, strict=True):
        seen |= _draw_limits(axes, part.sweep, restrict_axis(x, part.sweep), restrict_axis(y, part.sweep))
        frame_map(axes, x, y)
        if part.values:
            axes.set_title(part.text, fontsize=9.5, fontweight="normal")
    title = "What limits progress at the margin?" + f"\n{parts[0].text}" * bool(parts[0].values)
    panels[0].set_title(title, pad=24)
    handles = [Patch(color=colours[resource], label=resource) for resource in RESOURCES if resource in seen]
    legend_above(panels[0], handles=handles)
    return figure


def _draw_limits(axes: Axes, sweep: Sweep, x: Axis, y: Axis) -> set[str]:
    """Draw the cells of a map, and return the resources that occur in it."""
    seen: set[str] = set()
    colours, dense = _resource_colours(), is_dense(x, y)
    for j, i in product(range(len(y.labels)), range(len(x.labels))):
        inside = (x.place == i) & (y.place == j)
        if not inside.any():
            axes.text(i, j, "" if dense else "no run", ha="center", va="center", fontsize=8, color=SOFT)
            continue
        found = limiting_shares(sweep, inside)
        most = max(found, key=lambda each: found[each])
        if dense:
            seen.add(most)
            colour_cell(axes, (i, j), colours[most])
            continue
        seen |= {resource for resource, share in found.items() if share}
        _split_cell(axes, (i, j), found)
        lines = f"{most} {percent(found[most])}\nn = {int(inside.sum())}"
        axes.text(i, j, lines, ha="center", va="center", fontsize=8.5, color="#1a1a1a", linespacing=1.4)
    return seen


def _split_cell(axes: Axes, place: tuple[int, int], found: dict[str, float]) -> None:
    """Divide a cell between the resources, each as wide as the share of runs that it limits."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    colours, left = _resource_colours(), place[0] - 0.48
    for resource, share in found.items():
        axes.add_patch(Rectangle((left, place[1] - 0.46), 0.96 * share, 0.92, facecolor=colours[resource], linewidth=0))
        left += 0.96 * share


def limits_sentence(sweep: Sweep) -> str:
    """Return the shares of runs by limiting input for each combination of levers; empty if there are many."""
    parts, texts = combinations(sweep), []
    if len(parts) > MAX_LISTED:
        return ""
    for part in parts:
        found = {resource: share for resource, share in limiting_shares(part.sweep).items() if share > 0}
        shares = [f"{resource} in {percent(share)}" for resource, share in sorted(found.items(), key=lambda e: -e[1])]
        if shares:
            texts.append(", ".join(shares) + " of the runs" + f" with {part.text}" * bool(part.values))
    if not texts:
        return ""
    return (
        f"What limits progress at the margin: {'; '.join(texts)}. By the equations, 1% more of that input brings the "
        "last doubling forward most."
    )


def _resource_colours() -> dict[str, str]:
    from experiments.plotting.style import GREEN, ORANGE, PINK, SKY  # noqa: PLC0415

    return dict(zip(RESOURCES, (SKY, ORANGE, PINK, GREEN, SOFT), strict=True))
