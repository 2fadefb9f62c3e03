"""Build the chart of software over time: discovered, deployed and without constraints, for each branch."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from experiments.plotting.run_figure import scenario_curve
from experiments.text.number_format import format_factor
from experiments.window.session import ViewState
from experiments.window.timeline import TimelineView
from experiments.window.views.axes import Option, axis_end, chart_option, day_axis, line_series, plot_points, value_axis
from sim.scenario.model import Scenario

MAX_LABELS = 7
MIN_AXIS_DAYS = 26.0
AXIS_MARGIN_FACTOR = 1.12
"""Ratio of the length of the time axis to the length of the run, at least."""
BRANCH_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of branches, in order of creation."""


def software_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the software chart."""
    frame = state.frame
    several = len(state.timelines) > 1
    return {
        "name": "software",
        "title": "Software",
        "summary": f"{format_factor(frame.discovered)} discovered, {format_factor(frame.deployed)} deployed; log scale",
        "legend": [
            {"label": "discovered", "colour": "blue", "kind": "line"},
            {"label": "deployed", "colour": "orange", "kind": "line"},
            {"label": unconstrained_label(state.initial_scenario), "colour": "ink", "kind": "dash"},
            *([{"label": "other branches, fainter", "colour": "faint", "kind": "line"}] if several else []),
        ],
        "option": software_option(state),
        "height": 268,
        "wide": True,
        "choices": [branch_choice(timeline) for timeline in state.timelines],
    }


def branch_choice(timeline: TimelineView) -> dict[str, Any]:
    """Return a branch as an entry of the selection below the chart."""
    return {
        "index": timeline.index,
        "letter": branch_name(timeline),
        "label": timeline.label,
        "chosen": timeline.is_chosen,
        "why": f"Continue along this branch: {timeline.label}",
    }


def branch_name(timeline: TimelineView) -> str:
    """Return the letter of a branch."""
    return BRANCH_NAMES[timeline.index % len(BRANCH_NAMES)]


def software_option(state: ViewState) -> Option:
    """Build the chart of software over days: doublings, with factors as labels (a log scale)."""
    days = [timeline.columns["day"][-1] for timeline in state.timelines if timeline.columns["day"]]
    end = axis_end(max([*days, state.frame.day, MIN_AXIS_DAYS]) * AXIS_MARGIN_FACTOR)
    tops = [max(timeline.columns["discovered"], default=0.0) for timeline in state.timelines]
    step = math.ceil((max([*tops, 2.0]) + 0.6) / MAX_LABELS)
    top = step * math.ceil((max([*tops, 2.0]) + 0.6) / step)
    series = [each for timeline in state.timelines for each in branch_lines(timeline, len(state.timelines) > 1)]
    series += [unconstrained_curve(state.initial_scenario, end), position_marker(state)]
    return chart_option(day_axis(end), value_axis(float(top), step, "@factor"), series, "@day factor")


def branch_lines(timeline: TimelineView, several: bool) -> list[Option]:
    """Build the lines of discovered and deployed software of a branch; the lines of the chosen branch are stronger."""
    days = timeline.columns["day"]
    name = f" ({branch_name(timeline)})" if several else ""
    look: dict[str, Any] = {"opacity": 1 if timeline.is_chosen else 0.7, "z": 4 if timeline.is_chosen else 3}
    width = 2.6 if timeline.is_chosen else 1.6
    end = {"show": several, "formatter": branch_name(timeline), "color": "$ink", "fontWeight": "bold", "distance": 4}
    return [
        line_series(
            f"deployed{name}",
            "orange",
            plot_points(days, timeline.columns["deployed"]),
            width=width - 0.6,
            step="end",
            **look,
        ),
        line_series(
            f"discovered{name}",
            "blue",
            plot_points(days, timeline.columns["discovered"]),
            width=width,
            endLabel=end,
            **look,
        ),
    ]


def unconstrained_curve(scenario: Scenario, end: float) -> Option:
    """Build the line of the growth law without constraints, up to the end of the axis."""
    curve = _unconstrained_points(scenario, end)
    return line_series(
        unconstrained_label(scenario), "ink", [list(point) for point in curve], width=1.3, kind="dashed", z=2, clip=True
    )


@lru_cache(maxsize=64)
def _unconstrained_points(scenario: Scenario, end: float) -> tuple[tuple[float, float], ...]:
    curve = scenario_curve(scenario, end)
    return tuple((day, level) for day, level in plot_points(curve.days, curve.doublings))


def unconstrained_label(scenario: Scenario) -> str:
    """Return the label of the unconstrained curve."""
    held_up = scenario.training.required or scenario.researcher.experiment_gpu_days > 0
    return "growth law without queue and retraining" if held_up else "closed form"


def position_marker(state: ViewState) -> Option:
    """Build the marker of the current frame."""
    frame = state.frame
    spot = [[round(frame.day, 2), round(frame.discovered, 4)]]
    return {
        "type": "scatter",
        "name": "current frame",
        "data": spot,
        "symbolSize": 9,
        "silent": True,
        "z": 6,
        "itemStyle": {"color": "$blue", "borderColor": "$card", "borderWidth": 2},
        "tooltip": {"show": False},
    }
