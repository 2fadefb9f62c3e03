"""The researchers by phase, against time and one by one."""

from __future__ import annotations

import itertools
from typing import Any

from agents.phases import Phase
from experiments.window.number_format import format_count, pluralize
from experiments.window.session import ViewState
from experiments.window.team_view import PHASES, PersonGroup
from experiments.window.views.axes import (
    Option,
    chart,
    day_axis,
    end_of_axis,
    largest,
    line,
    points,
    round_up,
    short,
    value_axis,
)
from experiments.window.views.timeline import columns

COLOURS = {"think": "green", "queue": "red", "run": "orange", "write": "blue", "paused": "pink"}
WORDS = {
    "think": "thinking",
    "queue": "waiting for GPUs",
    "run": "experiment runs",
    "write": "writing",
    "paused": "resting: no GPU houses it",
}
SHORT = WORDS | {"paused": "resting"}


def team(shown: ViewState) -> dict[str, Any]:
    """Return the chart of researchers by phase as its component takes it."""
    counts = {each.phase: each.all for each in shown.frame.team.phases}
    return {
        "name": "team",
        "title": "Researchers by phase",
        "told": f"{format_count(shown.frame.team.active_researchers)} at work",
        "legend": [
            {"label": SHORT[phase], "colour": COLOURS[phase], "told": format_count(counts[phase])}
            for phase in PHASES
            if phase is not Phase.PAUSED or counts[phase]
        ],
        "option": option(columns(shown), shown.frame.day),
        "height": 216,
        "wide": False,
    }


def option(rows: dict[str, list[float]], day: float) -> Option:
    """Return the researchers in layers, one for each phase."""
    known = rows["day"][-1] if rows["day"] else 0.0
    heights = list(itertools.accumulate((rows[f"researchers_{phase}"] for phase in PHASES), _added))
    top = round_up(largest(heights, 1.0) * 1.04)
    series = [layer(phase, rows, height) for phase, height in zip(PHASES, heights, strict=True)]
    series = [*reversed(series), standing(day, top)]
    return chart(day_axis(end_of_axis(max(known, day, 1.0))), value_axis(top), series, "@day count")


def _added(below: list[float], values: list[float]) -> list[float]:
    return [low + value for low, value in zip(below, values, strict=True)]


def layer(phase: str, rows: dict[str, list[float]], height: list[float]) -> Option:
    """Return a phase as an area down to the axis, of which those below cover all but its own: day, height, its own."""
    own = (short(value) for value in rows[f"researchers_{phase}"])
    data = [[*point, value] for point, value in zip(points(rows["day"], height), own, strict=True)]
    area = {"color": f"${COLOURS[phase]}", "opacity": 1}
    return line(SHORT[phase], COLOURS[phase], data, width=0, step="end", areaStyle=area)


def standing(day: float, top: float) -> Option:
    """Return an upright line on the day on which the page stands."""
    return line(
        "here", "ink", [[round(day, 2), 0], [round(day, 2), top]], width=1, kind="dotted", z=6, tooltip={"show": False}
    )


def people(shown: ViewState) -> dict[str, Any]:
    """Return the researchers one by one, and the life of the one who is followed."""
    team = shown.frame.team
    order = [phase.value for phase in PHASES]
    return {
        "note": team.note or f"{pluralize(len(team.people), 'researcher')}, followed one by one.",
        "people": [[each.number, order.index(each.phase), each.papers] for each in team.people],
        "colours": [COLOURS[phase] for phase in order],
        "words": [WORDS[phase] for phase in order],
        "groups": [{"number": group.number, "told": cohort_told(group)} for group in team.groups],
        "chosen": shown.followed,
        "life": [[f"{day:,.1f}", sentence] for day, sentence in shown.life],
        "empty": team.note or "Nobody is at work: give inference more GPUs, and start anew.",
    }


def cohort_told(group: PersonGroup) -> str:
    """Return what a cohort is, in words."""
    return (
        f"A cohort of {pluralize(group.size, 'researcher')}, {format_count(group.active_researchers)} of them at "
        "work: counts of the phases "
        "above. Nobody in it is followed alone, so there is no life to tell."
    )
