"""Build the panels of the researchers: their phases over time, and individual researchers."""

from __future__ import annotations

import itertools
from typing import Any

from agents.phases import Phase
from experiments.text.number_format import format_count, pluralize
from experiments.window.session import ViewState
from experiments.window.team_view import PHASES, CohortSummary, TeamView
from experiments.window.views.axes import (
    Option,
    axis_end,
    chart_option,
    day_axis,
    line_series,
    max_value,
    plot_points,
    round_for_plot,
    round_up,
    value_axis,
)
from experiments.window.views.timeline import path_columns

PHASE_COLOURS = {"think": "green", "queue": "red", "run": "orange", "write": "blue", "paused": "pink"}
PHASE_WORDS = {
    "think": "thinking",
    "queue": "waiting for GPUs",
    "run": "running an experiment",
    "write": "writing",
    "paused": "paused: no GPU available",
}
SHORT_PHASE_WORDS = PHASE_WORDS | {"paused": "paused"}


def team_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the chart of researchers by phase."""
    counts = {each.phase: each.total for each in state.frame.team.phases}
    return {
        "name": "team",
        "title": "Researchers by phase",
        "summary": f"{format_count(state.frame.team.active_researchers)} active{describe_humans(state.frame.team)}",
        "legend": [
            {"label": SHORT_PHASE_WORDS[phase], "colour": PHASE_COLOURS[phase], "text": format_count(counts[phase])}
            for phase in PHASES
            if phase is not Phase.PAUSED or counts[phase]
        ],
        "option": team_option(path_columns(state), state.frame.day),
        "height": 216,
        "wide": False,
    }


def describe_humans(team: TeamView) -> str:
    """Describe the humans of a lab and the AIs that assist them; empty if there are none."""
    humans = f", {pluralize(team.humans, 'human')}" if team.humans else ""
    return f"{humans}, {pluralize(team.assistants, 'assisting AI')}" if team.assistants else humans


def team_option(rows: dict[str, list[float]], day: float) -> Option:
    """Build the chart of researchers, stacked by phase."""
    known = rows["day"][-1] if rows["day"] else 0.0
    heights = list(itertools.accumulate((rows[f"researchers_{phase}"] for phase in PHASES), _add_rows))
    top = round_up(max_value(heights, 1.0) * 1.04)
    series = [phase_layer(phase, rows, height) for phase, height in zip(PHASES, heights, strict=True)]
    series = [*reversed(series), day_marker(day, top)]
    return chart_option(day_axis(axis_end(max(known, day, 1.0))), value_axis(top), series, "@day count")


def _add_rows(below: list[float], values: list[float]) -> list[float]:
    return [low + value for low, value in zip(below, values, strict=True)]


def phase_layer(phase: str, rows: dict[str, list[float]], height: list[float]) -> Option:
    """Build the area of a phase from the axis up; a point is day, stacked height and the count of the phase itself."""
    own = (round_for_plot(value) for value in rows[f"researchers_{phase}"])
    data = [[*point, value] for point, value in zip(plot_points(rows["day"], height), own, strict=True)]
    area = {"color": f"${PHASE_COLOURS[phase]}", "opacity": 1}
    return line_series(SHORT_PHASE_WORDS[phase], PHASE_COLOURS[phase], data, width=0, step="end", areaStyle=area)


def day_marker(day: float, top: float) -> Option:
    """Build a vertical line on the current day."""
    return line_series(
        "current day",
        "ink",
        [[round(day, 2), 0], [round(day, 2), top]],
        width=1,
        kind="dotted",
        z=6,
        tooltip={"show": False},
    )


def people_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the panel of individual researchers, with the history of the followed one."""
    team = state.frame.team
    order = [phase.value for phase in PHASES]
    return {
        "note": team.note or f"{pluralize(len(team.people), 'researcher')}, shown individually.",
        "people": [[each.number, order.index(each.phase), each.papers] for each in team.people],
        "colours": [PHASE_COLOURS[phase] for phase in order],
        "words": [PHASE_WORDS[phase] for phase in order],
        "groups": [{"number": group.number, "text": describe_cohort(group)} for group in team.groups],
        "chosen": state.followed_researcher,
        "life": [[f"{day:,.1f}", sentence] for day, sentence in state.history],
        "empty": team.note or "No researcher is active. Give inference more GPUs, then press Start anew.",
    }


def describe_cohort(group: CohortSummary) -> str:
    """Describe a cohort."""
    return (
        f"A cohort of {pluralize(group.size, 'researcher')}, {format_count(group.active_researchers)} of them "
        "active. Only the counts by phase above are known, so there is no individual history."
    )
