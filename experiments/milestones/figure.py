"""Draw the figure of `asara milestones`: share automated and multiplier over time, and the days of ASARA."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from experiments.milestones.study import MilestoneStudy
from experiments.milestones.table import asara_sentence
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, add_title, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, STYLE
from sim.milestones import MULTIPLIER_MILESTONES

_SOFT: Final = "#6a6a6b"
_FAINT: Final = 0.45
"""Opacity of the line of one seed."""


def milestones_picture(study: MilestoneStudy, form: Form = "png") -> bytes:
    """Return the figure as PNG, SVG or PDF: the same bytes for the same study."""
    seeds = [path.seed for path in study.paths]
    shown = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    footer = footer_text(shown, "engine world", scenario=study.digest)
    return render(lambda: milestones_figure(study), footer, STYLE, form, dpi=130)


def milestones_figure(study: MilestoneStudy) -> Figure:
    """Return the figure in the shape of a slide: two panels over the days, and the days of ASARA at a larger scale."""
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))
    shares, multiplier, asara = figure.subplots(3, 1, height_ratios=[1.0, 1.5, 0.6])
    last = max(path.days[-1] for path in study.paths)
    _draw_shares(shares, study)
    _draw_multiplier(multiplier, study)
    _draw_asara(asara, study)
    for axes in (shares, multiplier):
        axes.set_xlim(0, last * 1.01)
    shares.tick_params(labelbottom=False)
    multiplier.set_xlabel("day")
    asara.set_xlabel("day of ASARA")
    for axes in (multiplier, asara):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day:,.0f}"))
    add_title(figure, f"The road to full automation: {study.scenario}", asara_sentence(study))
    return figure


def _draw_shares(axes: Axes, study: MilestoneStudy) -> None:
    for path in study.paths:
        axes.step(path.days, path.shares, where="post", color=BLUE, alpha=_FAINT, linewidth=1.6)
    axes.set_ylim(-0.03, 1.06)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Share of the tasks of a paper that AIs can do", loc="left", fontsize=12, fontweight="bold")


def _draw_multiplier(axes: Axes, study: MilestoneStudy) -> None:
    for path, values in zip(study.paths, study.multiplier_of, strict=True):
        axes.step(path.days, values, where="post", color=ORANGE, alpha=_FAINT, linewidth=1.6)
    highest = max(max(values) for values in study.multiplier_of)
    axes.set_yscale("log")
    axes.set_ylim(0.85, max(10.0, 2 * highest))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}×"))
    axes.yaxis.set_minor_locator(NullLocator())
    for milestone in MULTIPLIER_MILESTONES:
        if milestone.multiplier is not None and milestone.multiplier < 2 * highest:
            axes.axhline(milestone.multiplier, color=_SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{milestone.multiplier:g}×",
                (0.0, milestone.multiplier),
                (4, 2),
                textcoords="offset points",
                color=_SOFT,
                fontsize=9.5,
            )
    axes.set_title(
        "AI research multiplier: pace of the lab of day 0 with the AIs of the day",
        loc="left",
        fontsize=12,
        fontweight="bold",
    )


def _draw_asara(axes: Axes, study: MilestoneStudy) -> None:
    days = np.sort([path.asara_day for path in study.paths if path.asara_day < math.inf])
    missing = len(study.paths) - len(days)
    axes.set_title(
        "Day of ASARA in each seed, with the mean and its 95% interval"
        + (f" ({missing} of {len(study.paths)} do not reach it)" if missing else ""),
        loc="left",
        fontsize=12,
        fontweight="bold",
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    if not len(days):
        return
    heights = np.linspace(0.25, 0.75, len(days)) if len(days) > 1 else [0.5]
    axes.plot(days, heights, "o", color=GREEN, markersize=6, alpha=0.8, clip_on=False)
    if study.asara is not None:
        axes.axvspan(study.asara.low, study.asara.high, color=GREEN, alpha=0.2, linewidth=0)
        axes.axvline(study.asara.mean, color=GREEN, linewidth=1.4)
