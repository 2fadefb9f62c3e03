"""Draw the figure of `asara bottleneck`: elasticities along the path of the lab, and output at its balance point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from experiments.bottleneck.study import BottleneckStudy, OutputEstimate, ScalingCase
from experiments.bottleneck.table import EQUAL_SHARES
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import Form, add_title, render
from experiments.plotting.style import BLUE, ORANGE, PINK, STYLE
from sim import ces

_LABOUR, _COMPUTE = (BLUE, "o"), (ORANGE, "s")
_CASES: Final = ((BLUE, "o", 13.0), (ORANGE, "s", 9.0), (PINK, "^", 5.5))
"""Colour, marker and marker size of each s: later ones are smaller, so that all are visible if they coincide."""
_SUPPLY: Final = (0.42, 2.2)


def bottleneck_picture(study: BottleneckStudy, form: Form = "png") -> bytes:
    """Return the figure as PNG, SVG or PDF: the same bytes for the same study."""
    footer = footer_text(_format_seeds(study.seeds), "engine world", scenario=study.digest)
    return render(lambda: bottleneck_figure(study), footer, STYLE, form, dpi=130)


def _format_seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def bottleneck_figure(study: BottleneckStudy) -> Figure:
    """Return the figure: elasticities along the path for each s, and output around the balance point."""
    figure = Figure(figsize=(10.0, 9.6), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1))
    rows = figure.add_gridspec(2, 1, height_ratios=[1.2, 1.0])
    path, balance = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    path.suptitle("What 1% more researchers, or 1% more GPUs, would add to output", **_TITLE)
    panels = path.subplots(1, len(study.cases), sharey=True)
    for axes, case in zip(panels, study.cases, strict=True):
        _draw_path(axes, case)
    panels[0].set_ylabel("% more output")
    panels[0].legend(loc="lower left", bbox_to_anchor=(-0.03, 1.07), ncols=2, fontsize=10.5)
    panels[len(panels) // 2].set_xlabel(f"doublings of software: the lab on its path, on the same GPUs\n\n{_LOAD}")
    balance.suptitle("Output around the balance point", **_TITLE)
    axes = balance.subplots()
    _draw_balance(axes, study)
    axes.set_xlabel(f"{axes.get_xlabel()}\n\n{_SIGMA}")
    add_title(figure, f"Researchers or GPUs: {study.scenario}")
    return figure


_TITLE: Final[dict[str, Any]] = {"x": 0.01, "ha": "left", "fontweight": "bold", "fontsize": 13}
_LOAD: Final = (
    "Load: the GPUs that researchers who never wait would keep busy, over those that there are. At load 1, the\n"
    "balance point, the limit changes: left of it researchers limit output, right of it GPUs do."
)
_SIGMA: Final = (
    "The balance point is at 1. Sigma (σ), the elasticity of substitution, is 0 if one input cannot replace the other\n"
    "(dashed), and higher if it can. Each marker is a lab that was simulated; coloured lines are the fitted CES."
)


def _draw_path(axes: Axes, case: ScalingCase) -> None:
    for name, (colour, marker) in (("labour", _LABOUR), ("compute", _COMPUTE)):
        estimates: list[OutputEstimate] = [getattr(point, name) for point in case.points]
        middle = [each.value for each in estimates]
        ends = [
            (each.value if each.low is None else each.low, each.value if each.high is None else each.high)
            for each in estimates
        ]
        axes.errorbar(
            [point.doublings for point in case.points],
            middle,
            yerr=np.abs(np.array(ends).T - middle),
            color=colour,
            marker=marker,
            markersize=6,
            capsize=3,
            elinewidth=1.3,
            label=_INPUTS[name],
            zorder=3,
        )
    axes.set_title(_EXPERIMENTS[case.scaling], fontsize=11)
    if case.corner_at is not None and case.corner_at < case.points[-1].doublings:
        axes.axvline(case.corner_at, color="black", linewidth=1.0, linestyle=(0, (4, 2)), zorder=2)
        axes.annotate("balance point", (case.corner_at, 1.07), (4, 0), textcoords="offset points", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(-0.12, 1.18)


_INPUTS: Final = {"labour": "researchers", "compute": "GPUs"}
_EXPERIMENTS: Final = {
    0.0: "s = 0: experiments of fixed size",
    0.5: "s = 0.5: in between",
    1.0: "s = 1: near the frontier's size",
}


def _draw_balance(axes: Axes, study: BottleneckStudy) -> None:
    _draw_ces(
        axes, -math.inf, color="black", linewidth=1.2, linestyle=(0, (4, 2)), label="no substitution: σ = 0", zorder=4
    )
    for rho, shade in ((-1.0, "#5E5E5E"), (-0.5, "#858585")):
        _draw_ces(axes, rho, color=shade, linewidth=1.5, zorder=2)
        at = 1.45, _ces_output(np.array([1.45]), rho)[0]
        text = f"a CES with ρ = {rho:g}: σ = {ces.sigma_from_rho(rho):.2f}"
        axes.annotate(text, at, (0, -8), textcoords="offset points", color=shade, fontsize=10, va="top")
    for case, (colour, marker, size) in zip(study.cases, _CASES, strict=True):
        corner = case.corner
        _draw_ces(axes, corner.rho.value, color=colour, linewidth=1.5, zorder=3)
        axes.plot(
            1 / np.array(corner.loads),
            corner.outputs,
            marker,
            color=colour,
            markersize=size,
            markerfacecolor="none",
            markeredgewidth=1.8,
            zorder=5,
            label=f"s = {case.scaling:g}: σ = {corner.sigma.value:.2f}",
        )
    _label_balance_axes(axes)


def _ces_output(supply: NDArray[np.float64], rho: float) -> NDArray[np.float64]:
    """Return the output of a CES for a supply of compute, over its labour limit, which equals compute at supply 1."""
    scale = 0.0 if rho == -math.inf else math.log(EQUAL_SHARES) / rho
    return np.asarray(np.exp(ces.log_output(0.0, np.log(supply), EQUAL_SHARES, rho) - scale))


def _draw_ces(axes: Axes, rho: float, **how: Any) -> None:
    if rho < 0:  # otherwise output has no ceiling
        supply = np.geomspace(*_SUPPLY, 200)
        axes.plot(supply, _ces_output(supply, rho), **how)


def _label_balance_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("GPUs that there are, over those that researchers who never wait would keep busy (1 / load)")
    axes.set_ylabel("output (without waiting: 1)")
    axes.xaxis.set_major_locator(FixedLocator([0.5, 0.7, 1.0, 1.4, 2.0]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0, 1.12)
    axes.legend(loc="upper left", fontsize=10.5)
