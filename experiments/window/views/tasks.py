"""Build the panel of humans and AIs by task."""

from __future__ import annotations

import math
from typing import Any

from experiments.text.number_format import format_count, pluralize
from experiments.window.session import ViewState
from experiments.window.task_view import TaskRow, TaskView, format_tasks

_MIN_SHOWN = 0.05
"""Number of humans or AIs below which a row shows "under 0.1"."""


def task_props(state: ViewState) -> dict[str, Any] | None:
    """Return the values of the panel; None if the lab has no humans and AIs have done all research since day 0."""
    tasks = state.frame.tasks
    if tasks is None:
        return None
    return {
        "note": describe_automation(tasks),
        "numbers": key_numbers(tasks),
        "tasks": [row_props(tasks, row) for row in tasks.rows],
        "whole": whole_papers_props(tasks),
        "unit": f"doublings of {capability_name(tasks)} since day 0",
    }


def capability_name(tasks: TaskView) -> str:
    """Return what the capability of AIs is: deployed software, or the time horizon."""
    return "the time horizon" if tasks.is_time_horizon else "deployed software"


def describe_automation(tasks: TaskView) -> str:
    """Describe how far automation is, and what comes next."""
    if tasks.completed_on is not None:
        researchers = pluralize(tasks.researchers, "AI researcher does", "AI researchers do")
        return f"Fully automated since day {tasks.completed_on:,.0f} (ASARA): {researchers} whole papers."
    done = f"AIs can do {tasks.kinds_automated:,} of {pluralize(tasks.kinds, 'task')} of a paper"
    if math.isinf(tasks.next_threshold):
        return f"{done}, and never the others."
    return f"{done}. Task {tasks.kinds_automated + 1:,} is next, {_distance(tasks)} away."


def _distance(tasks: TaskView) -> str:
    return f"{max(0.0, tasks.next_threshold - tasks.capability):,.2f} doublings"


def key_numbers(tasks: TaskView) -> list[dict[str, str]]:
    """Return the numbers above the table: each with a key, a name, a value and a note."""
    is_complete = tasks.completed_on is not None
    ais = tasks.researchers if is_complete else tasks.assistants
    at_work = f"{format_count(round(tasks.assistants_at_work, 1))} at work"
    places = [f"{tasks.papers_waiting:,} waiting for a human"]
    if tasks.papers_with_experiment:
        places.append(f"{tasks.papers_with_experiment:,} in experiments")
    return [
        _number(
            "share",
            "Tasks automated",
            f"{100 * tasks.share_automated:.3g}%",
            f"{tasks.kinds_automated:,} of {tasks.kinds:,}",
        ),
        _number("humans", "Humans", format_count(tasks.humans), f"{tasks.humans_at_work:,} at work"),
        _number(
            "ais",
            "AI researchers" if is_complete else "Assisting AIs",
            format_count(ais),
            "on whole papers" if is_complete else at_work,
        ),
        _next_threshold(tasks),
        _number("papers", "Papers of humans", format_count(tasks.papers), ", ".join(places)),
    ]


def _next_threshold(tasks: TaskView) -> dict[str, str]:
    if tasks.completed_on is not None:
        return _number("next", "Full automation", f"day {tasks.completed_on:,.0f}", "ASARA")
    if math.isinf(tasks.next_threshold):
        return _number("next", "Next threshold", "none", "AIs never do the other tasks")
    return _number("next", "Next threshold", f"{tasks.next_threshold:,.2f}", f"{_distance(tasks)} away")


def _number(key: str, name: str, value: str, note: str) -> dict[str, str]:
    return {"key": key, "name": name, "value": value, "note": note}


def row_props(tasks: TaskView, row: TaskRow) -> dict[str, Any]:
    """Return the values of a row of the table; a full bar is the largest number of its column."""
    is_next = row.first <= tasks.kinds_automated + 1 <= row.last and not math.isinf(tasks.next_threshold)
    before, state, more = _describe_state(row)
    if is_next and not row.automated:
        state, more = "next", f", {_distance(tasks)} away"
    return {
        "key": f"{row.first}",
        "name": f"{row.first}" if row.kinds == 1 else f"{row.first}–{row.last}",
        "label": format_tasks(row.first, row.last).capitalize(),
        "threshold": _format_thresholds(row),
        "before": before,
        "state": state,
        "more": more,
        "look": "done" if row.automated == row.kinds else "next" if is_next else "",
        "humans": _format_workers(row.humans),
        "humans_share": _share(row.humans, max(each.humans for each in tasks.rows)),
        "ais": _format_workers(row.ais),
        "ais_share": _share(row.ais, max(each.ais for each in tasks.rows)),
        "waiting": f"{row.waiting:,}",
    }


def whole_papers_props(tasks: TaskView) -> dict[str, Any]:
    """Return the values of the last row: AI researchers that do whole papers after full automation."""
    is_complete = tasks.completed_on is not None
    last = tasks.rows[-1].last_threshold
    return {
        "threshold": _format_threshold(last),
        "before": "since " if is_complete else "",
        "state": f"day {tasks.completed_on:,.0f}" if is_complete else "never" if math.isinf(last) else "not yet",
        "look": "done" if is_complete else "",
        "ais": format_count(tasks.researchers),
        "ais_share": 1.0 if tasks.researchers else 0.0,
    }


def _describe_state(row: TaskRow) -> tuple[str, str, str]:
    """Return the state of automation in words, of which a narrow page shows the middle part only."""
    if row.since is None:
        return "", "never" if math.isinf(row.first_threshold) else "not yet", ""
    day = f"day {row.since:,.0f}"
    if row.automated == row.kinds:
        return "since ", day, ""
    return "", f"{row.automated:,} of {row.kinds:,}", f", since {day}"


def _format_thresholds(row: TaskRow) -> str:
    first, last = _format_threshold(row.first_threshold), _format_threshold(row.last_threshold)
    return first if first == last else f"{first}–{last}"


def _format_threshold(threshold: float) -> str:
    return "never" if math.isinf(threshold) else f"{threshold:,.2f}"


def _format_workers(number: float) -> str:
    if 0 < number < _MIN_SHOWN:
        return "under 0.1"
    return format_count(round(number, 1))


def _share(part: float, most: float) -> float:
    return round(part / most, 4) if most else 0.0
