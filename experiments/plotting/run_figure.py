"""Draw the figure of a run: software, researchers and GPUs over time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, Shape, add_title, render
from experiments.plotting.style import BLUE, GREEN, GREY, ORANGE, PINK, SKY, STYLE, label_factors
from experiments.text.scenario_changes import Change, changes_of, titled
from sim import growth
from sim.events import ActiveResearchersChanged, Deployed
from sim.growth import SoftwareCurve

if TYPE_CHECKING:
    from sim.runner import RunResult
    from sim.scenario.model import Scenario

Floats = np.ndarray[Any, np.dtype[np.float64]]

USES = (("inference", SKY), ("experiment", ORANGE), ("training", PINK), ("background", GREEN), ("idle", GREY))
LABELS = {"experiment": "experiments"}
MAX_POINTS = 4000
"""Largest number of points of a series in a figure, more than it has pixel columns."""
HEADROOM = 1.06
MARGIN = 1.01
FURTHER = 1.4
"""Largest length of the time axis over the length of the run [1], so that the closed form reaches as far."""


def run_picture(
    result: RunResult, form: Form = "png", shape: Shape = "page", changes: Sequence[Change] | None = None
) -> bytes:
    """Draw a run as PNG, SVG or PDF; the same run gives the same bytes."""
    return render(lambda: run_figure(result, shape, changes), run_footer(result), STYLE, form)


def run_footer(result: RunResult) -> str:
    """Return the footer of the figure of a run: seed, engine, version and digest."""
    seed = "no seed" if result.engine == "fluid" else f"seed {result.seed}"
    return footer_text(seed, f"engine {result.engine}", run=result.digest)


def run_figure(result: RunResult, shape: Shape = "page", changes: Sequence[Change] | None = None) -> Figure:
    """Draw a run: software, researchers and GPUs against days.

    ``shape``: `page`, or `wide` for a slide of 16:9. ``changes``: parameters that the title names as changed, by
    default those that differ from the shipped scenario of the same name.
    """
    figure, panels = _panels(shape)
    found, alone = _discovered(result), unconstrained_curve(result, max(result.day, 1e-9) * FURTHER)
    _draw_software(panels[0], result, found, alone)
    _draw_researchers(panels[1], result)
    _draw_gpus(panels[2], result)
    for axes in (panels[0], panels[2]):
        _legend_above(axes, 2 if shape == "wide" else 4)
    panels[0].set_xlim(0, _last_day(result, found, alone) * MARGIN)
    for axes in panels if shape == "wide" else panels[-1:]:
        axes.set_xlabel("days")
    figure.align_ylabels(panels)
    known = changes_of(result.scenario) if changes is None else list(changes)
    statements = f"What this run did: {result.pace.sentence}\nWhere it leads: {result.long_run.sentence}"
    add_title(figure, titled(result.scenario, known), statements)
    return figure


def _panels(shape: Shape) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with panels for software, researchers and GPUs that share their time axis."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.07)
    if shape == "page":
        figure = Figure(figsize=(9.0, 9.2), layout=layout)
        return figure, list(figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [2.1, 1.0, 1.2]}))
    figure = Figure(figsize=WIDE, layout=layout)
    grid = figure.add_gridspec(2, 2, width_ratios=[1.3, 1.0])
    software = figure.add_subplot(grid[:, 0])
    return figure, [software, *(figure.add_subplot(grid[row, 1], sharex=software) for row in (0, 1))]


def unconstrained_curve(result: RunResult, last_day: float) -> SoftwareCurve:
    """Return software of a run limited only by the law, up to one doubling beyond the last day."""
    return scenario_curve(result.scenario, last_day)


def scenario_curve(scenario: Scenario, last_day: float) -> SoftwareCurve:
    """Return software of a scenario limited only by the law, up to one doubling beyond the last day."""
    law, step = scenario.law(), scenario.training.gain_doublings
    return growth.unconstrained_curve(law, *scenario.own_team, scenario.run.max_doublings + 1, step, last_day)


def _discovered(result: RunResult) -> SoftwareCurve:
    """Return software at each frame and at each doubling."""
    seen = zip(*_downsample([result.series["day"], result.series["discovered"]]), strict=True)
    points = sorted([*seen, *((doubling.day, float(doubling.n)) for doubling in result.doublings)])
    days, levels = zip(*points, strict=True)
    return SoftwareCurve(list(days), list(levels))


def _changes(result: RunResult, column: str) -> list[tuple[float, float]]:
    """Return the points at which a column of a fluid run changes, because it has no events."""
    if result.engine == "world":
        return []
    days, levels = result.series["day"], result.series[column]
    return [(days[at], levels[at]) for at in range(len(days)) if at == 0 or levels[at] != levels[at - 1]]


def _has_constraints(result: RunResult) -> bool:
    """Return whether experiments or training runs limit the growth of software beyond the law."""
    scenario = result.scenario
    return scenario.training.required or scenario.researcher.experiment_gpu_days > 0 or not scenario.is_automated


def _last_day(result: RunResult, found: SoftwareCurve, alone: SoftwareCurve) -> float:
    """Return the last day of the figure: the end of the run, or slightly later to include the closed form."""
    day = max(result.day, 1e-9)
    if _has_constraints(result) or found.doublings[-1] > alone.doublings[-1]:
        return day
    arrival = float(np.interp(found.doublings[-1], alone.doublings, alone.days))
    return max(day, min(arrival, day * FURTHER))


def _draw_software(axes: Axes, result: RunResult, found: SoftwareCurve, alone: SoftwareCurve) -> None:
    axes.plot(*found, color=BLUE, linewidth=2.6, label="discovered", zorder=3)
    if result.doublings:
        days, numbers = zip(*((doubling.day, doubling.n) for doubling in result.doublings), strict=True)
        axes.plot(
            days,
            numbers,
            "o",
            color=BLUE,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.8,
            zorder=5,
            label="a doubling",
            clip_on=False,
        )
    steps = [(event.day, event.deployed) for event in result.events if isinstance(event, Deployed)]
    _draw_steps(
        axes, _changes(result, "deployed") or [(0.0, 0.0), *steps], result.day, color=ORANGE, label="deployed", zorder=2
    )
    if result.scenario.is_automated:  # the law alone is that of AIs that do all research from day 0 on
        axes.plot(*alone, color="black", linestyle=(0, (4, 2)), linewidth=1.4, label=_law_label(result), zorder=4)
    top = max(1.0, found.doublings[-1]) * HEADROOM
    axes.set_ylim(0, top)
    label_factors(axes, top)
    axes.set_ylabel("software (day 0: 1×)")


def _law_label(result: RunResult) -> str:
    """Return the label of the dashed line: the mean of the run, or the run without its constraints."""
    if _has_constraints(result):
        return "the law alone: no queue, no retraining"
    return "the law alone: no faster kernels" if result.kernels.speedup > 1 else "closed form"


def _legend_above(axes: Axes, columns: int) -> None:
    # Above the panel, because no corner is free in every run. On day 0 there may be no labels.
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.012, 1.0), ncols=columns, columnspacing=1.6, handlelength=1.8)


def _draw_researchers(axes: Axes, result: RunResult) -> None:
    steps = [
        (event.day, float(event.researchers)) for event in result.events if isinstance(event, ActiveResearchersChanged)
    ]
    steps = _changes(result, "researchers") or steps
    _draw_steps(axes, steps, result.day, color=GREEN)
    axes.set_yscale("log", nonpositive="mask")
    levels = [level for _, level in steps if level > 0] or [1.0]
    axes.set_ylim(min(levels) / 1.4, max(max(levels) * 1.6, min(levels) * 9))
    few = max(levels) / min(levels) < 100
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _count(value, max(levels))))
    axes.set_ylabel("researchers")


def _count(value: float, top: float) -> str:
    return f"{value:,.0f}" if top < 1e6 or value <= 1 else f"$10^{{{math.log10(value):.0f}}}$"


def _draw_gpus(axes: Axes, result: RunResult) -> None:
    capacity = _capacity(result)
    total = max(capacity)
    days, *stacks = _downsample([result.series["day"], *(_gpus(result, use) for use, _ in USES)])
    base = np.zeros(len(days))
    step: Literal["pre", "post"] = "post" if result.engine == "fluid" else "pre"  # its rows are at the changes
    for (use, colour), stack in zip(USES, stacks, strict=True):
        upper = base + np.array(stack, dtype=float)
        if any(stack[1:]):  # on day 0 the first jobs are requested but not started
            axes.fill_between(days, base, upper, step=step, color=colour, linewidth=0, label=LABELS.get(use, use))
        if use == "training":
            _part_training_runs(axes, result, np.array(days), base, upper)
        base = upper
    if min(capacity) < total:
        axes.step(result.series["day"], capacity, where=step, color="black", linewidth=0.8, label="GPUs there")
    axes.set_ylim(0, total)
    quarters = [total * quarter / 4 for quarter in range(5)]
    axes.yaxis.set_major_locator(FixedLocator(quarters) if total % 4 == 0 else MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel("GPUs in use")
    axes.grid(visible=False)


def _capacity(result: RunResult) -> list[int]:
    """Return the GPUs of the cluster over time; `cluster__gpus` if the run did not record those without a job."""
    if "gpus_idle" not in result.series or result.engine == "fluid":
        return [result.scenario.cluster.gpus] * len(result.series["day"])
    return [round(sum(row)) for row in zip(*(_gpus(result, use) for use, _ in USES), strict=True)]


def _gpus(result: RunResult, use: str) -> Sequence[float]:
    """Return the GPUs of a use over time; zeros for runs that were stored before the use existed."""
    return result.series.get(f"gpus_{use}") or [0.0] * len(result.series["day"])


def _part_training_runs(axes: Axes, result: RunResult, days: Floats, lower: Floats, upper: Floats) -> None:
    """Draw a line at the end of each training run, to separate it from the next."""
    for event in result.events:
        if isinstance(event, Deployed):
            at = min(int(np.searchsorted(days, event.day)), len(days) - 1)
            axes.vlines(event.day, lower[at], upper[at], color="white", linewidth=1.2)


def _draw_steps(axes: Axes, steps: Sequence[tuple[float, float]], last_day: float, **how: Any) -> None:
    """Draw a step line up to the last day."""
    if steps:
        axes.step(*zip(*steps, (last_day, steps[-1][1]), strict=True), where="post", **how)


def _downsample(columns: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return every k-th point of some columns and the last one, to draw about `MAX_POINTS` points at most."""
    count = len(columns[0])
    stride = max(1, math.ceil(count / MAX_POINTS))
    kept = dict.fromkeys(itertools.chain(range(0, count, stride), [count - 1]))
    return [[column[at] for at in kept] for column in columns]
