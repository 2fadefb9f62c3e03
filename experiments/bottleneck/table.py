"""Format the results of `asara bottleneck`: tables, a sentence for each s, a conclusion and a figure."""

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
from experiments.text.number_format import format_number
from sim import ces

WIDE_TERMINAL_COLUMNS: Final = 140
EQUAL_SHARES: Final = 0.5
"""Compute's share in the CES for which ceilings are shown: labour and compute have equal weight."""


class PublishedElasticity(NamedTuple):
    """An elasticity of substitution from the literature, or one for comparison."""

    what: str
    sigma: float
    source: str

    @property
    def rho(self) -> float:
        """Parameter of the CES; -inf if sigma is 0 or below, for which no CES exists."""
        return ces.rho_from_sigma(self.sigma)


PUBLISHED: Final = (
    PublishedElasticity("published: raw compute", 2.58, "Whitfill and Wu, arXiv 2507.23181"),
    PublishedElasticity("published: near the frontier", -0.10, "Whitfill and Wu, arXiv 2507.23181"),
    PublishedElasticity("a CES with rho = -0.1", ces.sigma_from_rho(-0.1), "for comparison"),
    PublishedElasticity("a CES with rho = -0.5", ces.sigma_from_rho(-0.5), "for comparison"),
    PublishedElasticity("a CES with rho = -1", ces.sigma_from_rho(-1.0), "for comparison"),
)


def show(study: BottleneckStudy) -> None:
    """Print a study."""
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}"
    print_text(
        f"{study.scenario} as a quasi-static lab at points of its growth path: {study.runs} runs over {seeds}, "
        f"{study.counted}. Elasticities are measured between 1/{study.step:.3g} and {study.step:.3g} times an input."
    )
    print_text()
    _print_wide(_points_table(study))
    print_text(
        "D: doublings of software. L: researchers. K: GPUs for experiments. Y: output, in effective papers a day. "
        "Ceiling: maximum factor on Y that additional researchers can bring; at it no GPU is idle."
    )
    if study.penalty < 1:
        print_text(
            f"Parallelization penalty p = {study.penalty:g}: with n researchers who think, run experiments or write, "
            "a paper counts n^(p - 1). So Y is proportional to papers^p, and the two elasticities add up to p. "
            f"{study.reading}"
        )
    _print_wide(_fits_table(study))
    print_text(
        "Ceiling in this table: for equal weights of labour and compute in the CES. A sigma below 0 is in effect 0."
    )
    print_text()
    for case in study.cases:
        print_text(sentence(case, study.penalty))
    print_text()
    print_text(conclusion(study))
    if study.pairing is not None and study.taken_out is not None:
        print_text(
            f"Common random numbers make the variance of a difference {study.pairing:.3g} times smaller. Correcting "
            f"for the random costs of experiments makes it {study.taken_out:.3g} times smaller."
        )


def sentence(case: ScalingCase, penalty: float = 1.0) -> str:
    """Return the results for one s as sentences."""
    last = case.points[-1]
    return (
        f"s = {case.scaling:g}: at {last.doublings:g} doublings of software, {last.researchers:,} researchers on "
        f"{last.gpus:,} GPUs keep {last.utilisation:.0%} of them busy. 1% more researchers bring "
        f"{_format_percent(last.labour)} more output, and 1% more GPUs {_format_percent(last.compute)}. "
        f"{_ceiling_sentence(last)} {_balance_sentence(case, penalty)}"
    )


def _format_percent(value: OutputEstimate) -> str:
    return f"{round(value.value, 2) + 0.0:.2f}%"


def _ceiling_sentence(point: OutputPoint) -> str:
    if point.ceiling < 1.01:
        return "More researchers alone cannot raise output, because no GPU is idle."
    return f"More researchers alone can multiply output by at most {point.ceiling:.2f}, because then no GPU is idle."


def _balance_sentence(case: ScalingCase, penalty: float) -> str:
    if case.corner_at is None:
        return "The load stays constant, because experiments get cheaper as fast as the researchers multiply."
    load = f"The load reaches 1 at {case.corner_at:.2f} doublings{_describe_near_balance(case)}. From there on,"
    if case.scaling == 1:
        return f"{load} more researchers do not raise output."
    exponent = f"{penalty * (1 - case.scaling):g}"
    return f"{load} output grows about as researchers^{exponent}, only because experiments get cheaper."


def _describe_near_balance(case: ScalingCase) -> str:
    near = [
        each
        for each in case.points
        if each.doublings == case.corner.doublings and NEAR_BALANCE_LOADS[0] < each.load < NEAR_BALANCE_LOADS[1]
    ]
    return "".join(
        f" (at {each.doublings:g}, 1% more researchers bring {_format_percent(each.labour)}, and 1% more GPUs "
        f"{_format_percent(each.compute)})"
        for each in near
        if each is not case.points[-1]
    )


def conclusion(study: BottleneckStudy) -> str:
    """Return how well labour and compute substitute for each other around the balance point."""
    sigmas = ", ".join(f"{case.corner.sigma.value:.2f} (s = {case.scaling:g})" for case in study.cases)
    rhos = [case.corner.rho.value for case in study.cases]
    if max(rhos) > -1:
        return f"Labour and compute substitute to some degree: sigma = {sigmas}."
    lost = [1 - 2 ** (1 / rho) for rho in rhos]
    return (
        f"Labour and compute hardly substitute: sigma = {sigmas}. At the balance point of researchers and GPUs, "
        f"queues cost {min(lost):.1%} to {max(lost):.1%} of output, and almost nothing away from it. "
        "Each rho is fitted around the balance point and is not valid far from it."
    )


def _points_table(study: BottleneckStudy) -> Table:
    effective = ["Y"] if study.penalty < 1 else []
    slopes = "dlnY/dlnL", "dlnY/dlnK", "sum"
    table = _new_table("s", "D", "L", "K", "load", "busy", "papers/day", *effective, *slopes, "ceiling")
    for case in study.cases:
        for point in case.points:
            table.add_row(
                f"{case.scaling:g}",
                f"{point.doublings:g}",
                f"{point.researchers:,}",
                f"{point.gpus:,}",
                f"{point.load:.2f}",
                f"{point.utilisation:.0%}",
                format_number(point.papers_per_day),
                *([format_number(point.effective_per_day)] if effective else []),
                format_interval(point.labour),
                format_interval(point.compute),
                format_interval(point.total),
                f"≤ {point.ceiling:.2f}×",
                end_section=point is case.points[-1],
            )
    return table


def _fits_table(study: BottleneckStudy) -> Table:
    table = _new_table("labour against compute", "sigma", "rho", "ceiling", "source")
    for place in (0, -1):
        table.columns[place].justify = "left"
    for case in study.cases:
        corner = case.corner
        gpus = f"{corner.researchers:,} researchers, {min(corner.gpus)}-{max(corner.gpus)} GPUs"
        figures = format_interval(corner.sigma), format_interval(corner.rho, 1), _format_ceiling(corner.rho.value)
        table.add_row(f"this World, s = {case.scaling:g}", *figures, gpus)
    for other in PUBLISHED:
        table.add_row(
            other.what, f"{other.sigma:.2f}", _format_rho(other.rho, 2), _format_ceiling(other.rho), other.source
        )
    return table


def format_interval(value: OutputEstimate, digits: int = 2) -> str:
    """Return an estimate with its interval as text: 0.42 [0.38, 0.46]."""
    if value.low is None or value.high is None:
        return _format_rho(value.value, digits)
    return f"{_format_rho(value.value, digits)} [{_format_rho(value.low, digits)}, {_format_rho(value.high, digits)}]"


def _format_rho(value: float, digits: int) -> str:
    return "-inf" if value == -math.inf else f"{round(value, digits) + 0.0:.{digits}f}"


def _format_ceiling(rho: float) -> str:
    ceiling = ces.max_output_gain(EQUAL_SHARES, rho)
    return "unbounded" if ceiling == math.inf else f"≤ {ceiling:,.2f}×" if ceiling < 100 else f"≤ {ceiling:,.0f}×"


def _new_table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _print_wide(table: Table) -> None:
    print_table(table, at_least=WIDE_TERMINAL_COLUMNS)  # so that no row is broken into two lines


# --- the figure -------------------------------------------------------------------------------------------

_LABOUR, _COMPUTE = (BLUE, "o"), (ORANGE, "s")
_CASES: Final = ((BLUE, "o", 13.0), (ORANGE, "s", 9.0), (PINK, "^", 5.5))
"""Colour, marker and marker size of each s: later ones are smaller, so that all are visible if they coincide."""
_SUPPLY: Final = (0.42, 2.2)


def picture(study: BottleneckStudy, form: Form = "png") -> bytes:
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
