"""Draw the figure of `asara policies`: software over days by policy, orders and warnings, days gained and cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.governance.study import GovernanceStudy, policy_curves
from experiments.governance.table import headline, longest_sentence
from experiments.monte_carlo.runner import median
from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, add_title, render
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE, label_factors
from experiments.sweep.analysis.figure_frame import INK, SOFT, in_style, svg
from experiments.text.number_format import format_factor
from sim.race import Floats

COLOURS: Final = (INK, BLUE, ORANGE, GREEN, PINK, SKY, "#D55E00", "#8a6d1c")
"""Colours of the policies, in their order; further ones are grey."""
_REST: Final = "#9a9a9a"
_TITLE: Final[Any] = {"loc": "left", "fontsize": 11, "fontweight": "bold"}


def policies_picture(found: GovernanceStudy, form: Form = "png") -> bytes:
    """Return the figure with a title as PNG, SVG or PDF: the same bytes for the same study."""
    shown = f"{len(found.seeds)} seeds" if len(found.seeds) > 1 else f"seed {found.seeds[0]}"
    footer = footer_text(shown, "engine world", scenario=found.digest)

    def draw() -> Figure:
        figure = policies_figure(found)
        add_title(figure, headline(found), f"{longest_sentence(found)} {found.readings}")
        return figure

    return render(draw, footer, STYLE, form, dpi=130)


def policies_drawing(found: GovernanceStudy) -> str:
    """Return the figure as an SVG element for a page, without a title."""
    return svg(in_style(policies_figure)(found), "policies")


def policies_figure(found: GovernanceStudy) -> Figure:
    """Return the figure in the shape of a slide: software and orders on the left, days gained and cost on the right."""
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.06, wspace=0.03))
    names = [each.name for each in found.policies]
    ratio = max(0.35, 0.11 * len(names))
    panels = figure.subplot_mosaic(
        [["software", "gained"], ["orders", "cost"]], width_ratios=[1.5, 1.0], height_ratios=[1.0, ratio]
    )
    colours = {name: COLOURS[at] if at < len(COLOURS) else _REST for at, name in enumerate(names)}
    _draw_software(panels["software"], found, colours)
    _draw_orders(panels["orders"], found, colours)
    _draw_gained(panels["gained"], found, colours)
    _draw_cost(panels["cost"], found, colours)
    return figure


def _draw_software(axes: Axes, found: GovernanceStudy, colours: dict[str, str]) -> None:
    curves = policy_curves(found)
    for name, colour in colours.items():
        low, middle, high = curves.software[name]
        axes.fill_between(curves.days, low, high, color=colour, alpha=0.09, linewidth=0)
        end = float(np.median([each.day for each in found.outcomes[name]]))
        shown = [day <= end for day in curves.days]
        is_base = name == found.policies[0].name
        style: Any = {"linestyle": (0, (4, 2)), "zorder": 4} if is_base else {}
        axes.plot(np.array(curves.days)[shown], np.array(middle)[shown], color=colour, **style)
        day = _median_warning(found, name)
        if math.isfinite(day):
            level = float(np.interp(day, curves.days, middle))
            axes.plot(day, level, "v", color=colour, markersize=8, markeredgecolor="white", zorder=5)
    for level in found.levels:
        axes.axhline(level, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    top = max(max(curves.software[name][2]) for name in colours) * 1.05
    axes.set_ylim(0, top)
    label_factors(axes, top)
    axes.set_xlim(0, curves.days[-1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day:,.0f}"))
    axes.set_ylabel(f"discovered software{' of the first lab' if found.labs else ''}")
    axes.set_title("Software: median and 10–90% band; ▼ first warning", **_TITLE)


def _median_warning(found: GovernanceStudy, name: str) -> float:
    """Return the median day of the first warning; ``inf`` if most seeds have none."""
    days = [each.warnings[0][0] if each.warnings else math.inf for each in found.outcomes[name]]
    return median(days)


def _draw_orders(axes: Axes, found: GovernanceStudy, colours: dict[str, str]) -> None:
    """Draw a lane for each policy: the share of seeds under orders over days as depth of colour, and warnings."""
    curves = policy_curves(found)
    days = np.array(curves.days)
    for at, (name, colour) in enumerate(colours.items()):
        outcomes = found.outcomes[name]
        share = np.mean([_restricted_on(days, each.restricted) for each in outcomes], axis=0)
        changes = [0, *(np.flatnonzero(np.diff(share)) + 1), len(days) - 1]
        for start, end in itertools.pairwise(changes):
            if share[start] > 0:
                style: Any = {"color": colour, "alpha": 0.85 * float(share[start]), "linewidth": 0}
                axes.barh(at, days[end] - days[start], left=days[start], height=0.62, **style)
        first = [each.warnings[0][0] for each in outcomes if each.warnings]
        axes.plot(first, [at] * len(first), "|", color=SOFT, markersize=9)
    axes.set_ylim(len(colours) - 0.4, -0.6)
    _name_rows(axes, colours)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, days[-1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{day:,.0f}"))
    axes.set_xlabel("day")
    axes.set_title("Orders in force (darker: in more seeds); | first warning", **_TITLE)


def _restricted_on(days: Floats, spans: Sequence[tuple[float, float]]) -> Floats:
    there = np.zeros(len(days))
    for start, end in spans:
        there[(days >= start) & (days < end)] = 1.0
    return there


def _draw_gained(axes: Axes, found: GovernanceStudy, colours: dict[str, str]) -> None:
    """Draw the days gained to the highest level that runs without a regulator reach."""
    at = max((n for n, row in enumerate(found.policies[0].levels) if row.pairs), default=len(found.levels) - 1)
    rows = [(each.name, each.levels[at].gained, each.levels[at].not_reached) for each in found.policies[1:]]
    for place, (name, gained, missing) in enumerate(rows):
        if gained is None:
            continue
        _draw_interval(axes, place, (gained.mean, gained.low, gained.high), colours[name], ">" if missing else "o")
    _finish_dots(axes, [name for name, _, _ in rows], colours)
    axes.set_xlabel("days, with 95% interval (▶: at least)")
    axes.set_title(f"Days gained to {format_factor(found.levels[at])}", **_TITLE)


def _draw_cost(axes: Axes, found: GovernanceStudy, colours: dict[str, str]) -> None:
    for place, each in enumerate(found.policies[1:]):
        _draw_interval(axes, place, each.software, colours[each.name], "o")
    _finish_dots(axes, [each.name for each in found.policies[1:]], colours)
    axes.set_xlabel("doublings, when the run with none ends")
    axes.set_title("Change of software", **_TITLE)


def _draw_interval(axes: Axes, place: int, value: tuple[float, float, float], colour: str, marker: str) -> None:
    mean, low, high = value
    if not math.isnan(low):
        axes.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
    axes.plot(mean, place, marker, color=colour, markersize=8)


def _finish_dots(axes: Axes, names: Sequence[str], colours: dict[str, str]) -> None:
    axes.axvline(0, color=SOFT, linewidth=0.9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _name_rows(axes, {name: colours[name] for name in names})
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False, axis="y")


def _name_rows(axes: Axes, colours: dict[str, str]) -> None:
    """Name the rows of a panel by their policies, in their colours, which are the legend of the figure."""
    axes.set_yticks(range(len(colours)), list(colours), fontweight="bold", fontsize=10)
    axes.tick_params(axis="y", length=0)
    for label, colour in zip(axes.get_yticklabels(), colours.values(), strict=True):
        label.set_color(colour)
