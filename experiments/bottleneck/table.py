"""What `asara bottleneck` says and draws: tables, a sentence for each s, and the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from experiments.bottleneck.steady_state import NEAR_BALANCE_LOADS
from experiments.bottleneck.study import BottleneckStudy, OutputEstimate, OutputPoint, ScalingCase
from experiments.cli.terminal import print_table, print_text
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import Form, add_title, render
from experiments.plotting.style import BLUE, ORANGE, PINK, STYLE
from experiments.text.number_format import format_number as number
from sim import ces

WIDE: Final = 140
HALF: Final = 0.5
"""Compute's share at which ceilings are told: where labour and compute matter alike."""


class Published(NamedTuple):
    """An elasticity of substitution that somebody else found or assumes."""

    what: str
    sigma: float
    source: str

    @property
    def rho(self) -> float:
        """-inf where sigma is 0 or below, where no CES could be."""
        return ces.rho_from_sigma(self.sigma)


PUBLISHED: Final = (
    Published("published: raw compute", 2.58, "Whitfill and Wu, arXiv 2507.23181"),
    Published("published: near the frontier", -0.10, "Whitfill and Wu, arXiv 2507.23181"),
    Published("a CES with rho = -0.1", ces.substitution(-0.1), "for comparison"),
    Published("a CES with rho = -0.5", ces.substitution(-0.5), "for comparison"),
    Published("a CES with rho = -1", ces.substitution(-1.0), "for comparison"),
)


def show(study: BottleneckStudy) -> None:
    """Print a study."""
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}"
    print_text(
        f"{study.scenario}, held at moments of its path: {study.runs} runs over {seeds}, "
        f"{study.counted}. Elasticities are between about {study.step:.3g} times fewer and more."
    )
    print_text()
    _print(_points(study))
    print_text(
        "D: doublings of software. L: researchers. K: GPUs for experiments. Y: output, in effective papers a day. "
        "Ceiling: what any number of researchers more could multiply Y by, as then no GPU is idle."
    )
    if study.penalty < 1:
        print_text(
            f"Parallelization penalty p = {study.penalty:g}: a paper of one of n researchers who think, run "
            "experiments or write counts n^(p - 1), so Y goes as papers^p, and the two elasticities add up to p. "
            f"{study.reading}"
        )
    _print(_fits(study))
    print_text("Ceiling here: where labour and compute matter alike. A sigma below 0 is in effect 0.")
    print_text()
    for case in study.cases:
        print_text(sentence(case, study.penalty))
    print_text()
    print_text(conclusion(study))
    if study.pairing is not None and study.taken_out is not None:
        print_text(
            f"The same luck on both sides makes the variance of a difference {study.pairing:.3g} times smaller; taking "
            f"out the luck in what experiments cost, {study.taken_out:.3g} times."
        )


def sentence(case: ScalingCase, penalty: float = 1.0) -> str:
    """Return in plain words what was found for one s."""
    last = case.points[-1]
    return (
        f"s = {case.scaling:g}: at {last.doublings:g} doublings of software, {last.researchers:,} researchers on "
        f"{last.gpus:,} GPUs keep {last.utilisation:.0%} of them busy; 1% more researchers bring "
        f"{_percent(last.labour)} more output, 1% more GPUs {_percent(last.compute)}. "
        f"{_bound(last)} {_corner(case, penalty)}"
    )


def _percent(value: OutputEstimate) -> str:
    return f"{round(value.value, 2) + 0.0:.2f}%"


def _bound(point: OutputPoint) -> str:
    if point.ceiling < 1.01:
        return "Labour alone could add nothing: no GPU is idle."
    return f"Labour alone could multiply output by {point.ceiling:.2f} and no more: then no GPU is idle."


def _corner(case: ScalingCase, penalty: float) -> str:
    if case.corner_at is None:
        return "The load stays as it is: experiments get cheaper as fast as researchers multiply."
    load = f"The load comes to 1 at {case.corner_at:.2f} doublings{_balance_row(case)}; from there"
    if case.scaling == 1:
        return f"{load} more researchers bring nothing."
    exponent = f"{penalty * (1 - case.scaling):g}"
    return f"{load} output grows about as researchers^{exponent}, by cheaper experiments alone."


def _balance_row(case: ScalingCase) -> str:
    near = [
        each
        for each in case.points
        if each.doublings == case.corner.doublings and NEAR_BALANCE_LOADS[0] < each.load < NEAR_BALANCE_LOADS[1]
    ]
    return "".join(
        f" (at {each.doublings:g}, 1% more researchers bring {_percent(each.labour)}, 1% more GPUs "
        f"{_percent(each.compute)})"
        for each in near
        if each is not case.points[-1]
    )


def conclusion(study: BottleneckStudy) -> str:
    """Return in one sentence what the corner is like."""
    sigmas = ", ".join(f"{case.corner.sigma.value:.2f} (s = {case.scaling:g})" for case in study.cases)
    rhos = [case.corner.rho.value for case in study.cases]
    if max(rhos) > -1:
        return f"Labour and compute substitute to some degree: sigma = {sigmas}."
    lost = [1 - 2 ** (1 / rho) for rho in rhos]
    return (
        f"Labour and compute hardly substitute: sigma = {sigmas}. The bottleneck is a corner that chance softens: "
        f"where researchers and GPUs are in balance, queues cost {min(lost):.1%} to {max(lost):.1%} of output, and "
        "away from there next to nothing. One rho is a fit about that corner and no law."
    )


def _points(study: BottleneckStudy) -> Table:
    effective = ["Y"] if study.penalty < 1 else []
    slopes = "dlnY/dlnL", "dlnY/dlnK", "sum"
    table = _table("s", "D", "L", "K", "load", "busy", "papers/day", *effective, *slopes, "ceiling")
    for case in study.cases:
        for point in case.points:
            table.add_row(
                f"{case.scaling:g}",
                f"{point.doublings:g}",
                f"{point.researchers:,}",
                f"{point.gpus:,}",
                f"{point.load:.2f}",
                f"{point.utilisation:.0%}",
                number(point.papers_per_day),
                *([number(point.effective_per_day)] if effective else []),
                interval(point.labour),
                interval(point.compute),
                interval(point.total),
                f"≤ {point.ceiling:.2f}×",
                end_section=point is case.points[-1],
            )
    return table


def _fits(study: BottleneckStudy) -> Table:
    table = _table("labour against compute", "sigma", "rho", "ceiling", "source")
    for place in (0, -1):
        table.columns[place].justify = "left"
    for case in study.cases:
        corner = case.corner
        gpus = f"{corner.researchers:,} researchers, {min(corner.gpus)}-{max(corner.gpus)} GPUs"
        figures = interval(corner.sigma), interval(corner.rho, 1), _ceiling(corner.rho.value)
        table.add_row(f"this World, s = {case.scaling:g}", *figures, gpus)
    for other in PUBLISHED:
        table.add_row(other.what, f"{other.sigma:.2f}", _rho(other.rho, 2), _ceiling(other.rho), other.source)
    return table


def interval(value: OutputEstimate, digits: int = 2) -> str:
    """Return an estimate with its interval: 0.42 [0.38, 0.46]."""
    if value.low is None or value.high is None:
        return _rho(value.value, digits)
    return f"{_rho(value.value, digits)} [{_rho(value.low, digits)}, {_rho(value.high, digits)}]"


def _rho(value: float, digits: int) -> str:
    return "-inf" if value == -math.inf else f"{round(value, digits) + 0.0:.{digits}f}"


def _ceiling(rho: float) -> str:
    ceiling = ces.max_output_gain(HALF, rho)
    return "unbounded" if ceiling == math.inf else f"≤ {ceiling:,.2f}×" if ceiling < 100 else f"≤ {ceiling:,.0f}×"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _print(table: Table) -> None:
    print_table(table, at_least=WIDE)  # a row that is broken cannot be read


# --- the picture ------------------------------------------------------------------------------------------

_LABOUR, _COMPUTE = (BLUE, "o"), (ORANGE, "s")
_CASES: Final = ((BLUE, "o", 13.0), (ORANGE, "s", 9.0), (PINK, "^", 5.5))
"""Colour, marker and its size of each s: the later ones are smaller, so that all are seen where they coincide."""
_SUPPLY: Final = (0.42, 2.2)


def picture(study: BottleneckStudy, form: Form = "png") -> bytes:
    """Return the picture as PNG, SVG or PDF: the same bytes for the same study."""
    footer = footer_text(_seeds_text(study.seeds), "engine world", scenario=study.digest)
    return render(lambda: bottleneck_figure(study), footer, STYLE, form, dpi=130)


def _seeds_text(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def bottleneck_figure(study: BottleneckStudy) -> Figure:
    """Return the picture: elasticities along the path for each s, and output around the balance point."""
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
    _draw_corners(axes, study)
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


def _draw_corners(axes: Axes, study: BottleneckStudy) -> None:
    _draw_ces(
        axes, -math.inf, color="black", linewidth=1.2, linestyle=(0, (4, 2)), label="no substitution: σ = 0", zorder=4
    )
    for rho, shade in ((-1.0, "#5E5E5E"), (-0.5, "#858585")):
        _draw_ces(axes, rho, color=shade, linewidth=1.5, zorder=2)
        at = 1.45, _ces(np.array([1.45]), rho)[0]
        text = f"a CES with ρ = {rho:g}: σ = {ces.substitution(rho):.2f}"
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
    _label_corners(axes)


def _ces(supply: NDArray[np.float64], rho: float) -> NDArray[np.float64]:
    """Output of a CES at so much compute, over what labour alone would allow, which is as much as compute at 1."""
    scale = 0.0 if rho == -math.inf else math.log(HALF) / rho
    return np.asarray(np.exp(ces.log_output(0.0, np.log(supply), HALF, rho) - scale))


def _draw_ces(axes: Axes, rho: float, **how: Any) -> None:
    if rho < 0:  # else labour alone would allow anything
        supply = np.geomspace(*_SUPPLY, 200)
        axes.plot(supply, _ces(supply, rho), **how)


def _label_corners(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("GPUs that there are, over those that researchers who never wait would keep busy (1 / load)")
    axes.set_ylabel("output (without waiting: 1)")
    axes.xaxis.set_major_locator(FixedLocator([0.5, 0.7, 1.0, 1.4, 2.0]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0, 1.12)
    axes.legend(loc="upper left", fontsize=10.5)
