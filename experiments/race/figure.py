"""Draw the figure of `asara race`: software of the labs over days, the lead of each seed, and shares of software."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, add_title, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE, label_factors
from experiments.race.seed_runs import first_labs, lead_days
from experiments.race.study import RaceCurves, RaceStudy, one_lab_curve, race_curves
from experiments.race.table import lead_sentence, level_sentence, level_text

COLOURS: Final = (BLUE, ORANGE, GREEN, PINK, SKY, "#D55E00", "#1b1b1c")
"""Colours of the labs, in their order; further labs are grey."""
_REST: Final = "#9a9a9a"
_SOFT: Final = "#6a6a6b"
_TITLE: Final[Any] = {"loc": "left", "fontsize": 12, "fontweight": "bold"}
MAX_NAMED: Final = 8
"""Largest number of labs that the legend names."""


def race_picture(found: RaceStudy, form: Form = "png") -> bytes:
    """Return the figure as PNG, SVG or PDF: the same bytes for the same study."""
    seeds = [each.seed for each in found.outcomes]
    shown = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds from {seeds[0]} to {seeds[-1]}"
    footer = footer_text(shown, "engine world", scenario=found.digest)
    return render(lambda: race_figure(found), footer, STYLE, form, dpi=130)


def race_figure(found: RaceStudy) -> Figure:
    """Return the figure in the shape of a slide: software on the left, lead and shares on the right."""
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04))
    panels = figure.subplot_mosaic([["software", "lead"], ["software", "shares"]], width_ratios=[1.35, 1.0])
    curves = race_curves(found)
    _draw_software(panels["software"], found, curves)
    _draw_leads(panels["lead"], found)
    _draw_shares(panels["shares"], found, curves)
    # A lab that has reached the highest level ends, and its share then falls. The panel of shares ends before that.
    for name, last in (("software", curves.days[-1]), ("shares", min(each.decided for each in found.outcomes))):
        panels[name].set_xlim(0, last)
        panels[name].xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day:,.0f}"))
        panels[name].set_xlabel("day")
    text = f"{level_sentence(found)}\n{lead_sentence(found)}"
    add_title(figure, f"{found.scenario}: a race of {len(found.labs)} labs", text)
    return figure


def _colours(labs: Sequence[str]) -> dict[str, str]:
    return {lab: COLOURS[at] if at < len(COLOURS) else _REST for at, lab in enumerate(labs)}


def _draw_software(axes: Axes, found: RaceStudy, curves: RaceCurves) -> None:
    for at, (lab, colour) in enumerate(_colours(tuple(found.labs)).items()):
        low, middle, high = curves.software[lab]
        axes.fill_between(curves.days, low, high, color=colour, alpha=0.2, linewidth=0)
        days, levels = _up_to(found.level, curves.days, middle)
        axes.plot(days, levels, color=colour, linewidth=2.4, label=lab if at < MAX_NAMED else None)
    if found.one_lab:
        style: Any = {"color": "black", "linestyle": (0, (4, 2)), "linewidth": 1.6}
        days, levels = _up_to(found.level, curves.days, one_lab_curve(found, curves.days).tolist())
        axes.plot(days, levels, label="one lab with all GPUs", **style)
    axes.axhline(found.level, color=_SOFT, linewidth=0.9)
    note: Any = {"textcoords": "offset points", "color": _SOFT, "fontsize": 9.5}
    axes.annotate(f"level: {level_text(found.level)}", (0.0, found.level), (4, 4), **note)
    top = found.level * 1.12
    axes.set_ylim(0, top)
    label_factors(axes, top)
    axes.set_ylabel("discovered software (day 0: 1×)")
    axes.set_title("Software of the labs: median, and band from 10% to 90% of seeds", **_TITLE)
    axes.legend(loc="lower right")


def _up_to(level: float, days: Sequence[float], levels: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return a curve up to its first point at a level, where the lab ends or the race is decided for it."""
    count = next((at + 1 for at, each in enumerate(levels) if each >= level), len(levels))
    return list(days[:count]), list(levels[:count])


def _draw_leads(axes: Axes, found: RaceStudy) -> None:
    """Draw a dot for each seed: its lead, in the colour of the lab that leads."""
    colours = _colours(tuple(found.labs))
    leads = sorted((lead_days(each, -1), first_labs(each, -1)) for each in found.outcomes)
    shown = [(lead, first) for lead, first in leads if math.isfinite(lead)]
    missing = len(leads) - len(shown)
    without = f" ({missing} of {len(leads)} seeds have none)" if missing else ""
    axes.set_title(f"Lead of the first lab over the second{without}", **_TITLE)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("share of seeds up to this lead")
    axes.set_xlabel("days (a dot is a seed, in the colour of its first lab)")
    for place, (lead, first) in enumerate(shown, start=1):
        colour = colours[first[0]] if len(first) == 1 else _SOFT
        axes.plot(lead, place / len(leads), "o", color=colour, markersize=6, alpha=0.85, clip_on=False)
    if shown:
        axes.set_xlim(0, max(shown[-1][0], 1e-3) * 1.06)
        axes.xaxis.set_major_locator(MaxNLocator(6))


def _draw_shares(axes: Axes, found: RaceStudy, curves: RaceCurves) -> None:
    colours = _colours(tuple(found.labs))
    base = np.zeros(len(curves.days))
    for lab, colour in colours.items():
        upper = base + np.array(curves.software_share[lab])
        axes.fill_between(curves.days, base, upper, color=colour, alpha=0.75, linewidth=0)
        base = upper
    line = np.zeros(len(curves.days))
    for lab in list(found.labs)[:-1]:
        line = line + np.array(curves.compute_share[lab])
        axes.plot(curves.days, line, color="black", linewidth=1.1, linestyle=(0, (3, 2)))
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False)
    axes.set_ylabel("mean share")
    axes.set_title("Shares of software (dashed: of compute)", **_TITLE)
