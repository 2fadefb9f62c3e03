"""Draw the figure of `asara detect`: software and alarms, ROC curves by truth, and lead times before the level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, PercentFormatter

from experiments.detection.study import DetectionStudy
from experiments.detection.table import level_text, verdict_sentences
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, add_title, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE

COLOURS: Final = (ORANGE, BLUE, GREEN, PINK, SKY, "#D55E00", "#1b1b1c")
"""Colours of the detectors, in their order; further ones are grey."""
_REST: Final = "#9a9a9a"
_SOFT: Final = "#6a6a6b"
_OPAQUE: Final[Any] = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.8}
_TITLE: Final[Any] = {"loc": "left", "fontsize": 12, "fontweight": "bold"}


def detection_picture(found: DetectionStudy, form: Form = "png") -> bytes:
    """Return the figure as PNG, SVG or PDF: the same bytes for the same study."""
    digests = {each.name: each.digest() for each in found.scenarios}
    footer = footer_text(f"{len(found.seeds)} seeds each", "engine world", **digests)
    return render(lambda: detection_figure(found), footer, STYLE, form, dpi=130)


def detection_figure(found: DetectionStudy) -> Figure:
    """Return the figure in the shape of a slide: alarms and lead on the left, ROC curves on the right."""
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04))
    panels = figure.subplot_mosaic([["alarms", "pace"], ["lead", "singular"]], width_ratios=[1.25, 1.0])
    _draw_alarms(panels["alarms"], found)
    _draw_lead(panels["lead"], found)
    for truth in ("pace", "singular"):
        _draw_roc(panels[truth], found, truth)
    title = "Which alarm rings in time?"
    add_title(figure, title, "\n".join(verdict_sentences(found)))
    return figure


def _colours(found: DetectionStudy) -> dict[str, str]:
    return {each.name: COLOURS[at] if at < len(COLOURS) else _REST for at, each in enumerate(found.detectors)}


def _draw_alarms(axes: Axes, found: DetectionStudy) -> None:
    """Draw a row for each scenario: the median day of each alarm, the day of the level, and the end of the runs."""
    colours = _colours(found)
    names = [each.name for each in found.scenarios]
    spread = np.linspace(-0.28, 0.28, len(colours)) if len(colours) > 1 else [0.0]
    for place, name in enumerate(names):
        rows = [row for row in found.rows if row.scenario == name]
        end = float(np.median([run.end for run in found.runs if run.scenario == name]))
        axes.plot([0, end], [place, place], color="#c9c9c9", linewidth=5, solid_capstyle="round", zorder=1)
        if rows[0].level_day < math.inf:
            axes.plot(rows[0].level_day, place, "|", color="black", markersize=34, markeredgewidth=2.2, zorder=2)
        for row, offset in zip(rows, spread, strict=True):
            if row.alarm_day < math.inf:
                style: Any = {"color": colours[row.detector], "markersize": 8, "markeredgecolor": "white", "zorder": 3}
                axes.plot(row.alarm_day, place + offset, "o", **style)
    shown = [day for row in found.rows for day in (row.alarm_day, row.level_day) if day < math.inf]
    latest = max(shown, default=max(run.end for run in found.runs))
    axes.set_xlim(-0.02 * latest, latest * 1.08)
    axes.set_ylim(len(names) - 0.5, -0.5)
    kinds = {row.scenario: row.long_run for row in found.rows}
    axes.set_yticks(range(len(names)), [f"{name}\n({kinds[name]})" for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day:,.0f}"))
    axes.set_xlabel(f"day (grey: the run until its end; black bar: {level_text(found.truths.level)})")
    axes.set_title("Median day of the first alarm", **_TITLE)


def _draw_lead(axes: Axes, found: DetectionStudy) -> None:
    """Draw the lead of each detector over the singular runs that reach the level: each run, and the mean."""
    colours = _colours(found)
    names = list(colours)
    for place, name in enumerate(names):
        score = found.score(name, "singular")
        lead = score.lead
        if not math.isnan(lead.low):
            ends: Sequence[float] = (lead.low, lead.high)
            axes.plot(ends, [place, place], color=colours[name], linewidth=4, alpha=0.45, solid_capstyle="round")
        if lead.runs:
            axes.plot(lead.mean, place, "o", color=colours[name], markersize=9, markeredgecolor="white")
        in_time = (
            f"in time in {score.in_time.number} of {score.in_time.of}" if score.in_time.of else "level not reached"
        )
        axes.annotate(
            in_time,
            (1.0, place),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=_SOFT,
            annotation_clip=False,
        )
    axes.axvline(0, color="black", linewidth=1.2)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"days before {level_text(found.truths.level)} (below 0: after it)")
    axes.set_title("Lead in singular runs with an alarm: mean, 95% interval", **_TITLE)


def _draw_roc(axes: Axes, found: DetectionStudy, truth: str) -> None:
    colours = _colours(found)
    for name, colour in colours.items():
        score = found.score(name, truth)
        roc = score.roc
        if roc is None:
            continue
        x, y = (0.0, *roc.false_alarms), (0.0, *roc.detected)
        axes.plot(x, y, color=colour, linewidth=2.0, label=f"{roc.area.value:.2f}")
        threshold = next(each.threshold for each in found.detectors if each.name == name)
        reached = [at for at, each in enumerate(roc.thresholds) if each >= threshold * (1 - 1e-9)]
        at = reached[-1] + 1 if reached else 0
        if reached:
            ends = [
                (roc.false_low[at - 1], roc.false_high[at - 1]),
                (roc.detected_low[at - 1], roc.detected_high[at - 1]),
            ]
            axes.plot(ends[0], [y[at]] * 2, color=colour, linewidth=1.2, alpha=0.6)
            axes.plot([x[at]] * 2, ends[1], color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(x[at], y[at], "o", color=colour, markersize=8, markeredgecolor="white", zorder=4, clip_on=False)
    axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.02, 1.04)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("alarm before the level")
    if truth == "pace":
        axes.set_xlabel("years without the truth with an alarm")
        axes.set_title(f"ROC: is the pace {found.truths.times:g} times?", **_TITLE)
    else:
        axes.set_xlabel("runs that are not singular, with an alarm")
        axes.set_title("ROC: is the run singular?", **_TITLE)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8.5, title="area", title_fontsize=8.5, **_OPAQUE)
    else:
        axes.text(0.5, 0.55, "no runs to compare", ha="center", color=_SOFT)
