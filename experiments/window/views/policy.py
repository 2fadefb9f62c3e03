"""Build the panel of the regulator's policy, the chart of the measured pace, and the comparison of two policies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.params import DAYS_PER_YEAR
from experiments.text.number_format import format_count, format_factor, format_number, pluralize
from experiments.window.event_text import label_sentence
from experiments.window.governance_view import GovernanceView, PaceThreshold
from experiments.window.measured_pace import Values, measured_pace, threshold_pace
from experiments.window.player import COMPARED_DOUBLINGS
from experiments.window.session import ViewState
from experiments.window.timeline import ReadingSeries, TimelineView
from experiments.window.views.axes import Option, chart_option, day_axis, line_series, round_for_plot, value_axis
from experiments.window.views.software import branch_name
from experiments.window.views.timeline import timeline_path
from experiments.window.visitor_limits import available_policies
from sim.governance.params import NO_POLICY

POLICY_PARAMETER = "regulator__policy"
OFF_PARAMETER = "regulator__rules_off"
DEFAULT_THRESHOLD = PaceThreshold("", 1.0, 0.0, 0.0, is_target=False)
"""Threshold whose window a policy without thresholds on the pace uses: the time between two readings."""
MAX_PACE_POINTS = 400
"""Maximum number of readings in the chart."""
MIN_PACE = 0.25
"""Pace at the bottom of the chart; lower ones are drawn there [doublings/year]."""
THRESHOLD_COLOURS = ("red", "pink", "orange", "green")
STATE_WORDS = {
    "off": "switched off",
    "quiet": "no alarm",
    "alarm": "alarm raised",
    "ordered": "ordered, not in force yet",
    "in force": "in force",
    "not followed": "given, not followed",
}
SECRECY_NOTES = {
    "complies": "",
    "works in secret": "This lab does not comply: no order restricts it until its secret work is found.",
    "found": "The secret work of this lab is found, so that its orders are enforced.",
}


class LevelDays(NamedTuple):
    """Days on which two branches reach a doubling of software; None for a doubling that is not reached."""

    doubling: int
    first: float | None
    second: float | None


class PolicyComparison(NamedTuple):
    """Two branches from the same frame with different policies."""

    first: TimelineView
    second: TimelineView
    levels: tuple[LevelDays, ...]
    """The next doublings that at least one branch has reached."""


def policy_props(state: ViewState) -> dict[str, Any] | None:
    """Return the values of the policy panel; None without a regulator and without a comparison."""
    found, compared = state.frame.governance, comparison_of(state)
    if found is None and compared is None:
        return None
    policy = NO_POLICY if found is None else found.policy
    offered = list(available_policies())
    return {
        "note": label_sentence(state.frame.lab, _describe_policy(found)),
        "warning": SECRECY_NOTES[found.secrecy] if found is not None else "",
        "figures": _reading_figures(state, found),
        "rules": [] if found is None else _rule_rows(found),
        "policies": offered,
        "first": NO_POLICY if policy != NO_POLICY else "disclosure-only",
        "second": policy if policy in offered and policy != NO_POLICY else "five-times-pause",
        "still": state.is_playing or state.is_busy,
        "day": f"{state.frame.day:,.6g}",
        "compared": None if compared is None else _comparison_props(compared),
    }


def _describe_policy(found: GovernanceView | None) -> str:
    if found is None:
        return "no regulator"
    alarms = pluralize(found.alarms, "alarm")
    return f"policy {found.policy}, {alarms}" if found.policy != NO_POLICY else "no policy: no orders"


def _rule_rows(found: GovernanceView) -> list[dict[str, Any]]:
    return [
        {
            "name": rule.name,
            "trigger": rule.trigger,
            "action": rule.action,
            "state": rule.state,
            "on": rule.state != "off",
            "status": f"{STATE_WORDS[rule.state]}{f', {rule.ends}' if rule.ends else ''}",
        }
        for rule in found.rules
    ]


def _reading_figures(state: ViewState, found: GovernanceView | None) -> list[dict[str, str]]:
    """Return the latest reading at the frame, and its pace compared with the thresholds."""
    readings = known_readings(state)
    if found is None or not len(readings.day):
        return []
    read = {"name": "latest reading", "value": f"day {readings.day[-1]:,.6g}"}
    software = {"name": "measured software", "value": format_factor(readings.doublings[-1])}
    figures = [read, software]
    if found.share_automated is not None:
        figures.append({"name": "share automated", "value": f"{found.share_automated:.0%}"})
    main = main_threshold(found)
    pace = float(measured_pace(readings, main)[-1])
    if math.isfinite(pace):
        figures.append({"name": "pace", "value": f"{format_number(pace * DAYS_PER_YEAR)} doublings a year"})
        reference = float(threshold_pace(readings, main)[-1]) / main.times
        if main.rule and reference > 0:
            words = "pace against target" if main.is_target else "pace against reference"
            figures.append({"name": words, "value": f"{pace / reference:.3g} times"})
    return figures


def known_readings(state: ViewState) -> ReadingSeries:
    """Return the readings of the shown lab that the regulator has at the frame."""
    readings = timeline_path(state)[-1].readings
    known = sum(day <= state.frame.day for day in readings.known_on)
    return ReadingSeries(*(column[:known] for column in readings))


def main_threshold(found: GovernanceView | None) -> PaceThreshold:
    """Return the first threshold on the pace of a policy, whose window the chart uses."""
    return found.thresholds[0] if found is not None and found.thresholds else DEFAULT_THRESHOLD


# --- Chart of the pace -----------------------------------------------------------------------------------


def pace_props(state: ViewState, end: float) -> dict[str, Any] | None:
    """Return the values of the chart of the measured pace; None without a regulator."""
    found = state.frame.governance
    if found is None and not any(len(timeline.readings.day) for timeline in state.timelines):
        return None
    window = main_threshold(found).window_days
    over = f"mean over {format_count(round(window, 1))} days" if window else "between two readings"
    legend = [{"label": "measured pace", "colour": "blue", "kind": "line"}]
    if found is not None and found.thresholds:
        legend.append({"label": "thresholds of the rules", "colour": "red", "kind": "dash"})
    if len(state.timelines) > 1:
        legend.append({"label": "other branches, fainter", "colour": "faint", "kind": "line"})
    return {
        "name": "pace",
        "title": "Measured pace",
        "summary": label_sentence(state.frame.lab, f"doublings a year, {over}; log scale"),
        "legend": legend,
        "option": pace_option(state, end),
        "height": 220,
        "wide": True,
        "empty": ""
        if any(len(timeline.readings.day) for timeline in state.timelines)
        else "There are no readings yet.",
    }


def pace_option(state: ViewState, end: float) -> Option:
    """Build the chart of the measured pace over days, with a labelled line for each threshold."""
    found = state.frame.governance
    main = main_threshold(found)
    several = len(state.timelines) > 1
    series, most = [], 8.0 / DAYS_PER_YEAR
    for timeline in state.timelines:
        if not len(timeline.readings.day):
            continue
        pace = measured_pace(timeline.readings, main)
        most = max([most, *pace[np.isfinite(pace)].tolist()])
        name = f"pace ({branch_name(timeline)})" if several else "pace"
        series.append(
            line_series(
                name,
                "blue",
                _log_points(timeline.readings.known_on, pace),
                width=2.4 if timeline.is_chosen else 1.4,
                opacity=1 if timeline.is_chosen else 0.55,
                z=4 if timeline.is_chosen else 3,
                endLabel=_end_label(branch_name(timeline), "ink", several) | {"fontWeight": "bold"},
            )
        )
    for place, threshold in enumerate(found.thresholds if found is not None else ()):
        line, top = _threshold_line(state, threshold, THRESHOLD_COLOURS[place % len(THRESHOLD_COLOURS)], end)
        most = max(most, top)
        series.append(line)
    low, high = math.log2(MIN_PACE), math.ceil(math.log2(most * DAYS_PER_YEAR) + 0.5)
    step = max(1, math.ceil((high - low) / 6))
    y = value_axis(low + step * math.ceil((high - low) / step), step, "@power") | {"min": low}
    now = {"data": [{"xAxis": round(state.frame.day, 2)}], "symbol": "none", "silent": True, "label": {"show": False}}
    if series:
        series[0] |= {"markLine": now | {"lineStyle": {"color": "$faint", "type": "solid", "width": 1}}}
    return chart_option(day_axis(end), y, series, "@day power")


def _threshold_line(state: ViewState, threshold: PaceThreshold, colour: str, end: float) -> tuple[Option, float]:
    """Build the line of a threshold with its label, and return its largest pace [doublings/day]."""
    readings = timeline_path(state)[-1].readings
    if threshold.reference_per_day > 0:
        pace = threshold.times * threshold.reference_per_day
        points, top = _log_points([0.0, end], [pace, pace]), pace
        words = f"at {format_count(round(pace * DAYS_PER_YEAR, 1))} a year"
    else:
        paces = threshold_pace(readings, threshold) if len(readings.day) else np.empty(0)
        points, top = _log_points(readings.known_on, paces), float(np.nanmax(paces, initial=0.0))
        words = f"at {format_number(threshold.times)} times the mean pace before"
    label = f"{threshold.rule}: {'target ' if threshold.is_target else ''}{words}"
    line = line_series(label, colour, points, width=1.4, kind="dashed", z=2)
    return line | {"markPoint": _label_at_end(label, colour, points)}, top


def _label_at_end(label: str, colour: str, points: list[list[float]]) -> Option:
    """Build a label above the end of a line, to the left of its last point."""
    text = {"show": True, "formatter": label, "color": f"${colour}", "fontSize": 11.5}
    spots = [{"coord": point} for point in points[-1:]]
    return {"symbolSize": 1, "silent": True, "label": text | {"align": "right", "position": [0, -9]}, "data": spots}


def _end_label(text: str, colour: str, is_shown: bool) -> Option:
    return {"show": is_shown, "formatter": text, "color": f"${colour}", "distance": 4, "fontSize": 11.5}


def _log_points(days: Sequence[float], paces: Values | Sequence[float]) -> list[list[float]]:
    """Return points of a pace by day: base-2 logarithms of doublings a year, at most ``MAX_PACE_POINTS`` of them."""
    yearly = np.maximum(np.asarray(paces) * DAYS_PER_YEAR, MIN_PACE)
    known = np.flatnonzero(np.isfinite(yearly))
    kept = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), MAX_PACE_POINTS)).astype(int))]
    return [[round(float(days[at]), 2), round_for_plot(math.log2(yearly[at]))] for at in kept]


# --- PolicyComparison of two policies --------------------------------------------------------------------------


def comparison_of(state: ViewState) -> PolicyComparison | None:
    """Return the latest two branches from the same frame that set the policy; None if there are none."""
    branches = [timeline for timeline in state.timelines if POLICY_PARAMETER in timeline.changes]
    for place in range(len(branches) - 2, -1, -1):
        first, second = branches[place : place + 2]
        if (first.parent, first.from_frame) == (second.parent, second.from_frame):
            return PolicyComparison(first, second, _levels(first, second, state.frame.lab))
    return None


def _levels(first: TimelineView, second: TimelineView, lab: str) -> tuple[LevelDays, ...]:
    days = [
        {int(mark.value): mark.day for mark in timeline.bookmarks if (mark.kind, mark.lab) == ("doubling", lab)}
        for timeline in (first, second)
    ]
    reached = sorted(days[0].keys() | days[1].keys())[:COMPARED_DOUBLINGS]
    return tuple(LevelDays(level, days[0].get(level), days[1].get(level)) for level in reached)


def _comparison_props(found: PolicyComparison) -> dict[str, Any]:
    names = [
        {"letter": branch_name(timeline), "policy": str(timeline.changes[POLICY_PARAMETER])}
        for timeline in (found.first, found.second)
    ]
    return {
        "day": f"{found.first.columns['day'][0]:,.6g}",
        "names": names,
        "rows": [_level_row(level) for level in found.levels],
        "sentence": describe_comparison(found),
    }


def _level_row(level: LevelDays) -> list[str]:
    """Return the level, both days, and by how many days the second is later."""
    days = ["not reached" if day is None else f"{day:,.1f}" for day in (level.first, level.second)]
    later = "" if level.first is None or level.second is None else f"{level.second - level.first:+,.1f}"
    return [f"doubling {level.doubling} ({format_factor(level.doubling)})", *days, later]


def describe_comparison(found: PolicyComparison) -> str:
    """Describe the difference in days at the last doubling that both branches have reached."""
    names = [
        f"{timeline.changes[POLICY_PARAMETER]} ({branch_name(timeline)})" for timeline in (found.first, found.second)
    ]
    for level in reversed(found.levels):
        if level.first is None or level.second is None:
            continue
        days = level.second - level.first
        if days == 0:
            return f"With both policies doubling {level.doubling} comes on day {level.first:,.1f}."
        when = f"{pluralize(round(abs(days), 1), 'day')} {'later' if days > 0 else 'earlier'}"
        return f"With {names[1]}, doubling {level.doubling} comes {when} than with {names[0]}."
    return "No doubling has been reached with both policies. Play each branch on to compare them."
