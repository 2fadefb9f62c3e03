"""Build what the page shows of several labs: the lab picker and the chart of the lead."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from experiments.text.number_format import format_factor, pluralize
from experiments.window.form_fields import scenario_of_lab
from experiments.window.frame import LabSummary
from experiments.window.session import ViewState
from experiments.window.views.axes import (
    Option,
    chart_option,
    day_axis,
    line_series,
    round_for_plot,
    round_up,
    value_axis,
)
from experiments.window.views.timeline import path_bookmarks, path_software

LAB_COLOURS = ("blue", "red", "green", "pink", "orange", "sky")
LAB_DASHES: tuple[tuple[int, ...], ...] = ((), (9, 4), (3, 3), (12, 3, 3, 3), (6, 3))
"""Lengths of the dashes and gaps of the lines of labs [pixels]; the first line is solid."""
MIN_LEAD = 1e-6
"""Lead below which no lab leads [doublings]."""
LABEL_ROOM = 64
"""Width to the right of the charts of several labs, for the names of labs [pixels]."""


class LabLook(NamedTuple):
    """Colour and dashes of the line of a lab."""

    colour: str
    dashes: tuple[int, ...]

    @property
    def kind(self) -> str | list[int]:
        """Type of the line in a chart."""
        return list(self.dashes) or "solid"


def look_of(labs: Sequence[str], lab: str) -> LabLook:
    """Return the look of a lab, by its place among the labs."""
    place = list(labs).index(lab)
    return LabLook(LAB_COLOURS[place % len(LAB_COLOURS)], LAB_DASHES[place % len(LAB_DASHES)])


def labs_props(state: ViewState) -> dict[str, Any] | None:
    """Return the values of the lab picker; None for one lab."""
    frame = state.frame
    if not frame.labs:
        return None
    names = [lab.name for lab in frame.labs]
    return {"labs": [_lab_choice(lab, look_of(names, lab.name), lab.name == frame.lab) for lab in frame.labs]}


def _lab_choice(lab: LabSummary, look: LabLook, is_shown: bool) -> dict[str, Any]:
    researchers = pluralize(lab.researchers, "researcher")
    state = "ended" if lab.has_ended else "" if lab.has_entered else "not begun"
    return {
        "name": lab.name,
        "software": format_factor(lab.discovered),
        "colour": look.colour,
        "dashes": " ".join(map(str, look.dashes)),
        "shown": is_shown,
        "state": state,
        "why": f"{lab.name}: software {format_factor(lab.discovered)}, {researchers}, {lab.gpus:,} GPUs",
    }


def spread_labels(heights: Sequence[float], gap: float) -> list[float]:
    """Return the nearest heights that are at least ``gap`` apart, and at least half a gap above 0.

    The order is kept. The method is isotonic regression (pool adjacent violators) of the heights less their rank times
    the gap.
    """
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    pools: list[tuple[float, int]] = []
    for rank, place in enumerate(order):
        pools.append((heights[place] - rank * gap, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (low, number), (high, more) = pools[-2:]
            pools[-2:] = [((low * number + high * more) / (number + more), number + more)]
    fitted = [mean for mean, number in pools for _ in range(number)]
    spread = dict(zip(order, (max(mean, gap / 2) + rank * gap for rank, mean in enumerate(fitted)), strict=True))
    return [spread[place] for place in range(len(heights))]


class Lead(NamedTuple):
    """The lead of the first lab over the second at a frame."""

    leader: str
    """Name of the lab with the most software; empty if no lab leads."""
    second: str
    doublings: float
    """Difference of discovered software [doublings]."""
    common_doubling: int
    """Last doubling that both have completed; 0 for none."""
    days: float
    """Days by which the leader completed it earlier; negative if it was later [days]."""


def lead_of(state: ViewState) -> Lead:
    """Return the lead at a frame."""
    first, second = sorted(state.frame.labs, key=lambda lab: -lab.discovered)[:2]
    gap = first.discovered - second.discovered
    if gap < MIN_LEAD:
        return Lead("", "", 0.0, 0, 0.0)
    leader_days, second_days = _doubling_days(state, first.name), _doubling_days(state, second.name)
    common = max(leader_days.keys() & second_days.keys(), default=0)
    days = second_days[common] - leader_days[common] if common else 0.0
    return Lead(first.name, second.name, gap, common, days)


def _doubling_days(state: ViewState, lab: str) -> dict[int, float]:
    """Return the day of each doubling that a lab has completed; those before its entry have the day of the entry."""
    entry = scenario_of_lab(state.scenario, lab).entry
    found = dict.fromkeys(range(1, int(entry.software_doublings) + 1), entry.day)
    marks = (mark for mark in path_bookmarks(state) if (mark.kind, mark.lab) == ("doubling", lab))
    return found | {int(mark.value): mark.day for mark in marks if mark.day <= state.frame.day}


def describe_lead(lead: Lead) -> str:
    """Describe a lead in doublings, and in days at the last common doubling."""
    if not lead.leader:
        return "No lab leads."
    sentence = f"{lead.leader} leads {lead.second} by {pluralize(round(lead.doublings, 2), 'doubling')}"
    if not lead.common_doubling:
        return f"{sentence}; they have completed no common doubling."
    when = "ahead" if lead.days >= 0 else "behind"
    return f"{sentence}. It was {abs(lead.days):,.1f} days {when} at doubling {lead.common_doubling}."


def lead_props(state: ViewState, end: float) -> dict[str, Any] | None:
    """Return the values of the chart of the lead; None for one lab. ``end`` is the end of the time axis."""
    if not state.frame.labs:
        return None
    names, option = [lab.name for lab in state.frame.labs], lead_option(state, end)
    return {
        "name": "lead",
        "title": "Lead in doublings",
        "summary": describe_lead(lead_of(state)),
        "legend": [
            {"label": line["name"], "colour": look_of(names, line["name"]).colour}
            for line in option["series"]
            if line["data"]
        ],
        "option": option,
        "height": 92,
        "wide": True,
    }


def lead_option(state: ViewState, end: float) -> Option:
    """Build the chart of the lead over days: the difference of the two best labs, in the colour of the leader."""
    days, software = path_software(state)
    names = list(software)
    leads = [_lead_at([software[name][row] for name in names]) for row in range(len(days))]
    largest = max((lead for _, lead in leads), default=0.0)
    top = round_up(100 * largest * 1.02) / 100
    series = []
    for place, name in enumerate(names):
        look = look_of(names, name)
        points = _stretches(days, [lead if leader == place else None for leader, lead in leads])
        area = {"color": f"${look.colour}", "opacity": 0.45}
        series.append(line_series(name, look.colour, points, width=1.4, step="end", areaStyle=area))
    return chart_option(day_axis(end), value_axis(top, top), series, "@day count", LABEL_ROOM)


def _lead_at(software: list[float]) -> tuple[int | None, float]:
    """Return the place of the leader, None if no lab leads, and its lead [doublings]."""
    second, first = sorted(software)[-2:]
    return (software.index(first), first - second) if first - second >= MIN_LEAD else (None, 0.0)


def _stretches(days: list[float], values: list[float | None]) -> list[list[float | None]]:
    """Return points of a step line that is interrupted where there is no value; each value holds to the next day."""
    points: list[list[float | None]] = []
    for (day, value), (after, following) in pairwise([*zip(days, values, strict=True), (days[-1], None)]):
        if value is None:
            continue
        points.append([round(day, 2), round_for_plot(value)])
        if following is None:
            points += [[round(after, 2), round_for_plot(value)], [round(after, 2), None]]
    return points
