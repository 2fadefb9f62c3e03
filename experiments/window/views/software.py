"""Build the chart of software over time: discovered, deployed and without constraints, for each branch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from experiments.plotting.run_figure import scenario_curve
from experiments.text.number_format import format_factor
from experiments.window.event_text import label_sentence
from experiments.window.session import ViewState
from experiments.window.timeline import TimelineView
from experiments.window.views.axes import Option, axis_end, chart_option, day_axis, line_series, plot_points, value_axis
from experiments.window.views.labs import LABEL_ROOM, look_of, spread_labels
from sim.scenario.model import Scenario

HEIGHT = 268
"""Height of the chart [pixels]."""
PLOT_HEIGHT = HEIGHT - 38
"""Height of the vertical axis [pixels]."""
LABEL_PIXELS = 13
"""Minimum distance between the names of labs [pixels]."""
MAX_LABELS = 7
MIN_AXIS_DAYS = 26.0
AXIS_MARGIN_FACTOR = 1.12
"""Ratio of the length of the time axis to the length of the run, at least."""
AXIS_MARGIN_FACTOR_OF_LABS = 1.2
"""The same ratio with several labs, whose names stand at the ends of their lines."""
MAX_LABEL_PIXELS = 92
"""Maximum width of the name of a lab in the chart [pixels]."""
BRANCH_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of branches, in order of creation."""


def software_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the software chart."""
    frame = state.frame
    summary = f"{format_factor(frame.discovered)} discovered, {format_factor(frame.deployed)} deployed; log scale"
    return {
        "name": "software",
        "title": "Software",
        "summary": label_sentence(frame.lab, summary),
        "legend": software_legend(state),
        "option": software_option(state),
        "height": HEIGHT,
        "wide": True,
        "choices": [branch_choice(timeline) for timeline in state.timelines],
    }


def software_legend(state: ViewState) -> list[dict[str, Any]]:
    """Return the legend of the software chart; labs are named at the ends of their lines."""
    if state.frame.labs:
        look = look_of(list(state.timelines[0].software), state.frame.lab)
        lines = [
            {"label": "discovered, one line a lab", "colour": "ink", "kind": "line"},
            {"label": f"deployed, {state.frame.lab}", "colour": look.colour, "kind": "thin"},
        ]
    else:
        lines = [
            {"label": "discovered", "colour": "blue", "kind": "line"},
            {"label": "deployed", "colour": "orange", "kind": "line"},
            {"label": unconstrained_label(state.initial_scenario), "colour": "ink", "kind": "dash"},
        ]
    if len(state.timelines) > 1:
        lines.append({"label": "other branches, fainter", "colour": "faint", "kind": "line"})
    return lines


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
    end = software_axis_end(state)
    columns = [column for timeline in state.timelines for column in discovered_columns(timeline).values()]
    tops = [max(column, default=0.0) for column in columns]
    step = math.ceil((max([*tops, 2.0]) + 0.6) / MAX_LABELS)
    top = step * math.ceil((max([*tops, 2.0]) + 0.6) / step)
    several = len(state.timelines) > 1
    if state.frame.labs:
        lines = (lab_lines(timeline, state.frame.lab, top, several) for timeline in state.timelines)
        series = [each for of_branch in lines for each in of_branch]
        series.append(lab_markers(state))
        return chart_option(day_axis(end), value_axis(float(top), step, "@factor"), series, "@day factor", LABEL_ROOM)
    series = [each for timeline in state.timelines for each in branch_lines(timeline, several)]
    series += [unconstrained_curve(state.initial_scenario, end), position_marker(state)]
    return chart_option(day_axis(end), value_axis(float(top), step, "@factor"), series, "@day factor")


def software_axis_end(state: ViewState) -> float:
    """Return the end of the time axis of the software chart [days]."""
    days = [timeline.columns["day"][-1] for timeline in state.timelines if timeline.columns["day"]]
    factor = AXIS_MARGIN_FACTOR_OF_LABS if state.frame.labs else AXIS_MARGIN_FACTOR
    return axis_end(max([*days, state.frame.day, MIN_AXIS_DAYS]) * factor)


def discovered_columns(timeline: TimelineView) -> dict[str, list[float]]:
    """Return discovered software of each lab on a timeline, by name; an empty name for the only lab [doublings]."""
    return timeline.software or {"": timeline.columns["discovered"]}


def lab_lines(timeline: TimelineView, shown: str, top: float, several: bool) -> list[Option]:
    """Build a line of discovered software for each lab on a branch, and one of deployed software of the shown lab.

    Lines of the chosen branch have the names of the labs. Of the other branches, only the line of the shown lab has
    the letter of the branch. ``top`` is the end of the vertical axis [doublings].
    """
    days, labs = timeline.columns["day"], list(timeline.software)
    letter = branch_name(timeline)
    branch = f" ({letter})" if several else ""
    opacity, z = (1.0, 4) if timeline.is_chosen else (0.7, 3)
    look = look_of(labs, shown)
    deployed = plot_points(days, timeline.columns["deployed"])
    lines = [
        line_series(
            f"{shown}, deployed{branch}", look.colour, deployed, width=1, step="end", opacity=0.6 * opacity, z=z
        )
    ]
    pixels = PLOT_HEIGHT / top
    heights = [software[-1] * pixels for software in timeline.software.values()]
    for (lab, software), height, place in zip(
        timeline.software.items(), heights, spread_labels(heights, LABEL_PIXELS), strict=True
    ):
        look = look_of(labs, lab)
        label = lab if timeline.is_chosen else letter if lab == shown else ""
        end = {
            "show": bool(label),
            "formatter": label,
            "color": f"${look.colour}" if timeline.is_chosen else "$soft",
            "fontWeight": "bold" if lab == shown else "normal",
            "fontSize": 11.5,
            "distance": 7,
            "offset": [0, round(height - place, 1) if timeline.is_chosen else -LABEL_PIXELS],
            "width": MAX_LABEL_PIXELS,
            "overflow": "truncate",
        }
        width = (3.0 if lab == shown else 2.0) if timeline.is_chosen else 1.6
        lines.append(
            line_series(
                f"{lab}{branch}",
                look.colour,
                plot_points(days, software),
                width=width,
                kind=look.kind,
                opacity=opacity,
                z=z + (lab == shown),
                endLabel=end,
            )
        )
    return lines


def lab_markers(state: ViewState) -> Option:
    """Build a marker of the current frame for each lab."""
    frame = state.frame
    names = [lab.name for lab in frame.labs]
    spots = [
        {
            "value": [round(frame.day, 2), round(lab.discovered, 4)],
            "itemStyle": {"color": f"${look_of(names, lab.name).colour}"},
            "symbolSize": 10 if lab.name == frame.lab else 7,
        }
        for lab in frame.labs
    ]
    return _marker_series(spots)


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
    return _marker_series(spot)


def _marker_series(spots: Sequence[Any]) -> Option:
    return {
        "type": "scatter",
        "name": "current frame",
        "data": spots,
        "symbolSize": 9,
        "silent": True,
        "z": 6,
        "itemStyle": {"color": "$blue", "borderColor": "$card", "borderWidth": 2},
        "tooltip": {"show": False},
    }
