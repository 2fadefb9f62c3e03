"""Which input limits progress at the margin, over two parameters (sim.margins)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from experiments.analyse.bins import cut
from experiments.analyse.names import percent
from experiments.analyse.pictures import SOFT, in_style, legend_above, new_figure
from experiments.analyse.probabilities import colour_cell, frame_map, is_dense
from experiments.analyse.sweep import Flags, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESOURCES: Final = ("researchers", "experiments", "training")


def limits_table(sweep: Sweep, across: str, up: str) -> pa.Table:
    """Return what limits progress over two parameters, one row a cell with runs.

    Columns: the two parameters (their class as text), limited_by (of most runs), and for each resource the share of
    runs that it limits; runs. Raises InputError for a column that there is not.
    """
    x, y = cut(sweep, across), cut(sweep, up)
    rows = []
    for j in range(len(y.labels)):
        for i in range(len(x.labels)):
            inside = (x.place == i) & (y.place == j)
            if inside.any():
                found = limited(sweep, inside)
                rows.append((x.labels[i], y.labels[j], max(found, key=lambda each: found[each]), *found.values(),
                             int(inside.sum())))  # fmt: skip
    names = (across, up, "limited_by", *RESOURCES, "runs")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def limited(sweep: Sweep, chosen: Flags | None = None) -> dict[str, float]:
    """Return for each resource the share of runs that it limits, of all runs with a result or of some."""
    by = np.array(sweep.texts("limited_by"))
    by = by if chosen is None else by[chosen]
    return {resource: float(np.mean(by == resource)) for resource in RESOURCES}


@in_style
def limits_figure(sweep: Sweep, across: str, up: str) -> Figure:
    """Return a map of what limits most runs, over two parameters; the share of runs is in each cell."""
    from matplotlib.patches import Patch, Rectangle  # noqa: PLC0415

    x, y = cut(sweep, across), cut(sweep, up)
    colours, seen = _colours(), set()
    dense = is_dense(x, y)
    figure, (axes,) = new_figure(1.8 + (0.34 if dense else 0.72) * len(y.labels))
    for j in range(len(y.labels)):
        for i in range(len(x.labels)):
            inside = (x.place == i) & (y.place == j)
            if not inside.any():
                axes.text(i, j, "" if dense else "no run", ha="center", va="center", fontsize=8, color=SOFT)
                continue
            found = limited(sweep, inside)
            most = max(found, key=lambda each: found[each])
            seen.add(most)
            if dense:
                colour_cell(axes, (i, j), colours[most])
                continue
            axes.add_patch(Rectangle((i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colours[most], linewidth=0))
            lines = f"{most}\n{percent(found[most])} of {int(inside.sum())}"
            axes.text(i, j, lines, ha="center", va="center", fontsize=8.5, color="#1a1a1a", linespacing=1.4)
    frame_map(axes, x, y)
    axes.set_title("What limits progress at the margin?", pad=24)
    handles = [Patch(color=colours[resource], label=resource) for resource in RESOURCES if resource in seen]
    legend_above(axes, handles=handles)
    return figure


def limits_sentence(sweep: Sweep) -> str:
    """Return what limits how many runs, in words."""
    found = {resource: share for resource, share in limited(sweep).items() if share > 0}
    parts = [f"{resource} in {percent(share)}" for resource, share in sorted(found.items(), key=lambda e: -e[1])]
    if not parts:
        return ""
    return (
        f"What limits progress at the margin: {', '.join(parts)} of the runs. 1% more of that input would bring the "
        "last doubling forward most, by the equations."
    )


def _colours() -> dict[str, str]:
    from experiments.analysis import ORANGE, PINK, SKY  # noqa: PLC0415

    return dict(zip(RESOURCES, (SKY, ORANGE, PINK), strict=True))
