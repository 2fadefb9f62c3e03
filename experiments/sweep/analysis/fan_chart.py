"""Draw fan charts: quantiles of software over runs against days, with the closed form if there is one."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from experiments.sweep.analysis.combinations import combinations, select_for_figure, table_by_combination
from experiments.sweep.analysis.figure_frame import INK, in_style, legend_above, new_figure
from experiments.sweep.analysis.sweep_data import Flags, Floats, Sweep, ended_for_good, final_level
from sim.growth import unconstrained_curve
from sim.scenario.model import Scenario, parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MIN_FOR_BANDS: Final = 20
"""Minimum number of runs for bands; with fewer each run is a line, because 5% of them is less than one run."""
DAYS: Final = 121
"""Number of days at which quantiles are computed."""
MAX_CURVES: Final = 1000
"""Maximum number of points whose closed form is computed; evenly selected if there are more."""
_POINTS_PER_DOUBLING: Final = 4
"""Number of points of the closed form within a doubling."""
METHOD_NOTE: Final = (
    "Software never falls, so a run that was stopped has from then on at least its last level. A quantile is "
    "drawn only as far as it is determined by that. Runs that reached the hardware limit or stalled stay at "
    "their level."
)


def fan_table(sweep: Sweep, days: Floats | None = None, closed: bool = False) -> pa.Table:
    """Return quantiles of doublings of discovered software over runs, for each combination of levers.

    Columns: the levers, day, q5, q25, q50, q75, q95, running. A quantile is null if it is undetermined because of
    stopped runs. ``running``: number of runs that had not ended. ``closed``: return the quantiles of the closed form at
    the same points; all null if there is none.
    """
    grid = _day_grid(sweep) if days is None else days
    return table_by_combination(sweep, lambda part: _fan_rows(part, grid, closed))


def _fan_rows(sweep: Sweep, grid: Floats, closed: bool = False) -> pa.Table:
    lower, upper = _closed_form_bounds(sweep, grid) if closed else _software_bounds(sweep, grid)
    low, high = (np.quantile(each, QUANTILES, axis=0, method="higher") for each in (lower, upper))
    known = np.isfinite(high) & (high - low < 1e-9)
    columns: dict[str, Any] = {"day": grid.tolist()}
    for row, share in enumerate(QUANTILES):
        seen = [float(level) if fine else None for level, fine in zip(low[row], known[row], strict=True)]
        columns[f"q{share * 100:.0f}"] = pa.array(seen, pa.float64())
    ends = np.sort(sweep.numbers("day"))
    return pa.table(columns | {"running": sweep.n - np.searchsorted(ends, grid, side="left")})


def has_closed_form(sweep: Sweep) -> bool:
    """Return whether only the law determines all runs: no experiments, no retraining, no faster kernels."""
    return (
        set(sweep.texts("training__required")) == {"False"}
        and set(sweep.texts("kernels__measurements")) == {"none"}
        and float(sweep.numbers("researcher__experiment_gpu_days").max()) == 0
    )


@in_style
def fan_figure(sweep: Sweep) -> Figure:
    """Return the fan chart of the runs, with a panel for each combination of levers (6 at most)."""
    from experiments.plotting.style import label_factors  # noqa: PLC0415

    parts, grid = select_for_figure(combinations(sweep)), _day_grid(sweep)
    figure, panels = new_figure(1.0 + 2.7 * len(parts), len(parts), sharex=True, sharey=True)
    closed = has_closed_form(sweep)
    tables = [
        (_fan_rows(part.sweep, grid), _fan_rows(part.sweep, grid, closed=True) if closed else None) for part in parts
    ]
    few = [part.sweep if part.sweep.n < MIN_FOR_BANDS else None for part in parts]
    top = max(1.0, *(_top_level(part.sweep, table) for part, (table, _) in zip(parts, tables, strict=True)))
    for axes, part, (table, alone), single in zip(panels, parts, tables, few, strict=True):
        if single is None:
            _draw_bands(axes, table, top)
        else:
            _draw_runs(axes, single, grid)
        _draw_middle(axes, table, alone, part.sweep.n)
        if part.values:
            text = fill(f"{part.text} (n = {part.sweep.n:,})", 40)
            axes.annotate(text, (0.985, 0.03), xycoords="axes fraction", ha="right", fontsize=9)
        axes.set_ylim(0, top)
        axes.set_ylabel("software, day 0: 1×")
        label_factors(axes, top)
    panels[0].set_title("How far does software get?", pad=40 if closed else 24)
    legend_above(panels[0], ncols=2 if closed else 3)
    panels[0].set_xlim(0, float(grid[-1]))
    panels[-1].set_xlabel("days")
    return figure


def _draw_bands(axes: Axes, table: pa.Table, top: float) -> None:
    from experiments.plotting.style import BLUE  # noqa: PLC0415

    days = table["day"].to_numpy()
    for low, high, alpha, text in (("q5", "q95", 0.2, "90% of runs"), ("q25", "q75", 0.35, "half of the runs")):
        lower, upper = _column(table, low), _column(table, high)
        # An upper quantile that is undetermined is above all observed levels: the band extends to the top.
        upper = np.where(np.isnan(upper), top, upper)
        known = ~np.isnan(lower)
        wide = bool(np.any((upper > lower)[known]))
        axes.fill_between(
            days, lower, upper, where=known.tolist(), color=BLUE, alpha=alpha, linewidth=0, label=text if wide else None
        )


def _draw_runs(axes: Axes, sweep: Sweep, grid: Floats) -> None:
    """Draw each run as a line up to its end; there are too few runs for quantiles at 5% and 95%."""
    from experiments.plotting.style import BLUE  # noqa: PLC0415

    if sweep.n == 1:  # the line of the median is the run
        return
    lower, upper = _software_bounds(sweep, grid)
    for row, levels in enumerate(np.where(np.isfinite(upper), lower, math.nan)):
        axes.plot(grid, levels, color=BLUE, linewidth=0.9, alpha=0.5, label="each run" if row == 0 else None)


def _draw_middle(axes: Axes, table: pa.Table, alone: pa.Table | None, runs: int) -> None:
    from experiments.plotting.style import BLUE  # noqa: PLC0415

    text = "median run" if runs > 1 else "the only run"
    axes.plot(table["day"].to_numpy(), _column(table, "q50"), color=BLUE, linewidth=2.4, label=text)
    if alone is None:
        return
    ends = (("q5", 1.0), ("q50", 1.8), ("q95", 1.0)) if runs > 1 else (("q50", 1.8),)
    for name, width in ends:
        named = f"closed form{': 5%, median, 95%' * (runs > 1)}" if name == "q50" else None
        axes.plot(
            alone["day"].to_numpy(),
            _column(alone, name),
            color=INK,
            linewidth=width,
            linestyle=(0, (4, 2)),
            label=named,
        )


def _column(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=float)


def _top_level(sweep: Sweep, table: pa.Table) -> float:
    known = [_column(table, f"q{share * 100:.0f}") for share in QUANTILES]
    highest = float(np.nanmax(np.concatenate([*known, [0.0]])))
    return min(float(final_level(sweep).max()), highest) * 1.02


def _day_grid(sweep: Sweep) -> Floats:
    last = float(sweep.numbers("day").max())
    return np.linspace(0.0, max(last, 1e-9), DAYS)


def _software_bounds(sweep: Sweep, grid: Floats) -> tuple[Floats, Floats]:
    """Return lower and upper bounds of the doublings of each run on each day; they differ after a run was stopped."""
    ends, finals, final = sweep.numbers("day"), final_level(sweep), ended_for_good(sweep)
    lower = np.empty((sweep.n, len(grid)))
    for row, days in enumerate(sweep.runs["doubling_days"].to_pylist()):
        seen = [day for day in days or [] if day is not None]
        known = [0.0, *seen, max(ends[row], seen[-1] if seen else 0.0)]
        lower[row] = np.interp(grid, known, [*range(len(seen) + 1), max(finals[row], len(seen))])
    open_above: Flags = (grid[None, :] > ends[:, None] * (1 + 1e-12)) & ~final[:, None]
    return lower, np.where(open_above, math.inf, lower)


def _closed_form_bounds(sweep: Sweep, grid: Floats) -> tuple[Floats, Floats]:
    """Return the bounds of the closed form at the points of the runs, which has no early end."""
    names = [name for name in parameters() if name.split("__")[0] in ("growth", "researcher", "cluster", "training")]
    names.remove("cluster__background")  # a file that may be gone; the closed form has no other jobs
    rows = zip(*(sweep.runs[name].to_pylist() for name in names), strict=True)
    distinct = list(dict.fromkeys(rows))
    chosen = [distinct[at] for at in np.unique(np.linspace(0, len(distinct) - 1, MAX_CURVES).astype(int))]
    most = math.ceil(float(final_level(sweep).max())) + 1
    curves = [closed_form(dict(zip(names, row, strict=True)), most) for row in chosen]
    lower = np.array([np.interp(grid, days, levels) for days, levels in curves])
    beyond = np.array([grid > days[-1] for days, _ in curves])
    return lower, np.where(beyond, math.inf, lower)


def closed_form(values: dict[str, Any], doublings: int) -> tuple[list[float], list[float]]:
    """Return days and doublings of software by the law alone, for parameters by their flat names.

    Work is infinitely divisible (sim.growth.unconstrained_curve). At a limit of growth the curve stays level.
    """
    selected = Scenario().replace(growth__law=values["growth__law"])
    scenario = selected.replace(**{name: value for name, value in values.items() if not selected.unread(name)})
    law, step = scenario.law(), scenario.training.gain_doublings
    days, levels = unconstrained_curve(law, *scenario.own_team, doublings, step, points=_POINTS_PER_DOUBLING)
    if levels[-1] < doublings:
        return [*days, 1e9], [*levels, levels[-1]]
    return days, levels
