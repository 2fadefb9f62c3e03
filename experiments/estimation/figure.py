"""Draw the figure of a fit: data and law, residuals, and r by sub-period."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.estimation.growth_fit import GrowthFit
from experiments.estimation.report import REPORTED_INTERVAL, AnyFit, FitReport, label
from experiments.estimation.series import ROWS
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import Form, add_title, render
from experiments.plotting.style import BLUE, GREY, ORANGE, STYLE
from experiments.text.number_format import pluralize

_DARK: Final = "#444444"
_CURVE_POINTS: Final = 200
"""Number of points of a curve."""


def fit_picture(found: FitReport, form: Form = "png") -> bytes:
    """Draw a fit as PNG, SVG or PDF; the same fit gives the same bytes."""
    options, series = found.options, found.data.series
    numbers = np.concatenate([series.effort, series.performance]).astype("<f8")
    footer = footer_text(
        pluralize(len(found.data.lines), "row"),
        f"{options.draws:,} bootstrap draws, seed {options.seed}",
        data=sha256(numbers.tobytes()).hexdigest(),
    )
    return render(lambda: fit_figure(found), footer, STYLE, form, dpi=130)


def fit_figure(found: FitReport) -> Figure:
    """Draw the fit of a series: the law, the residuals and r of sub-periods."""
    figure = Figure(figsize=(11.0, 6.4), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = figure.subplot_mosaic([["law", "residuals"], ["law", "periods"]], width_ratios=[1.25, 1.0])
    _draw_law(axes["law"], found)
    _draw_residuals(axes["residuals"], found)
    _draw_periods(axes["periods"], found)
    add_title(figure, f"Returns to effort: {found.data.file}, {pluralize(len(found.data.lines), 'row')}")
    return figure


def _describe_fit(fitted: AnyFit) -> str:
    low, high = fitted.interval(REPORTED_INTERVAL)
    return f"r = {fitted.r:.2f} [{low:.2f}, {high:.2f}]"


def _draw_law(axes: Axes, found: FitReport) -> None:
    series, columns = found.data.series, found.data.columns
    scale = series.performance[0]
    start = found.recommended.before
    axes.plot(start + series.total, series.performance / scale, "o", color=BLUE, markersize=4.5, alpha=0.8)
    low, high = series.total[0] or series.total[-1] / 1000, series.total[-1]
    totals = np.geomspace(low, high, _CURVE_POINTS)
    plain = next(each for each in found.others if isinstance(each, GrowthFit) and each.noise == "row")
    for fitted, colour, dashes in ((found.recommended, ORANGE, "-"), (plain, BLUE, "--")):
        axes.plot(
            start + totals,
            2.0 ** fitted.at(totals) / scale,
            color=colour,
            linestyle=dashes,
            label=f"{_describe_fit(fitted)}\n{label(fitted)}",
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("rows so far" if columns.effort == ROWS else f"cumulative {columns.effort}")
    compared = "first row’s over each row’s" if columns.lower_is_better else "times that of the first row"
    axes.set_ylabel(f"{columns.performance}, {compared}")
    axes.set_title("Data and law", loc="left")
    axes.legend(loc="upper left", fontsize=9)


def _draw_residuals(axes: Axes, found: FitReport) -> None:
    axes.axhline(0, color=_DARK, linewidth=1)
    rows = np.arange(1, len(found.residuals) + 1)
    axes.vlines(rows, 0, found.residuals, color=BLUE, linewidth=1.6)
    axes.set_xlabel("row")
    axes.set_ylabel("doublings above the law")
    axes.set_title(f"Residuals: neighbours correlate {found.neighbours:.2f}", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_periods(axes: Axes, found: FitReport) -> None:
    low, high = found.recommended.interval(REPORTED_INTERVAL)
    axes.axhspan(low, high, color=GREY, alpha=0.6, linewidth=0)
    axes.axhline(1, color=_DARK, linestyle=(0, (4, 2)), linewidth=1.2)
    for each in found.periods:
        ends = each.fit.interval(REPORTED_INTERVAL)
        middle = (each.first + each.last) / 2 + 1
        axes.errorbar(
            [middle],
            [each.fit.r],
            yerr=[[each.fit.r - ends[0]], [ends[1] - each.fit.r]],
            xerr=(each.last - each.first + 1) / 2,
            color=ORANGE,
            marker="o",
            capsize=3,
        )
    axes.set_xlim(0, len(found.data.lines) + 1)
    axes.set_xlabel("row")
    axes.set_ylabel("r")
    axes.set_title("r by sub-period; of all rows in grey", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
