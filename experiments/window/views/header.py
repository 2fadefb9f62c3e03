"""Build the header: the name of the run, its changes, its link and the downloads."""

from __future__ import annotations

import re
from typing import Any

from experiments.window.default_link import scenario_named
from experiments.window.downloads import DOWNLOADS
from experiments.window.event_text import label_sentence
from experiments.window.form_fields import differences, fields, page_scenarios, value_of
from experiments.window.permalink import encode, link_of
from experiments.window.session import ViewState
from experiments.window.views.timeline import timeline_path
from sim.scenario.labs import split_name
from sim.scenario.model import Scenario


def header_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the header."""
    first = state.initial_scenario
    link = link_of(first.name, first, state.seed, state.frame.number, state.timelines, state.frame.lab)
    return {
        "title": first.name,
        "seed": str(state.seed),
        "changes": scenario_changes(state),
        "about": description(state),
        "link": f"?{encode(link, scenario_named)}",
        "still": not state.is_playing and not state.is_busy,
        "link_note": "" if first.name in page_scenarios() else OWN_FILE_NOTE,
        "files": [{"kind": kind, "label": made.label} for kind, made in DOWNLOADS.items()],
    }


def scenario_changes(state: ViewState) -> list[dict[str, str]]:
    """Return the differences from the named scenario: on day 0, and since the branches of the chosen timeline."""
    base = scenario_named(state.initial_scenario.name)
    found = [
        _describe_change(base, name, value, "") for name, value in differences(base, state.initial_scenario).items()
    ]
    before = state.initial_scenario
    for timeline in timeline_path(state)[1:]:
        after = before.replace(**timeline.changes)
        since = f" since day {timeline.columns['day'][0]:,.6g}"
        found += [_describe_change(before, name, value, since) for name, value in differences(before, after).items()]
        before = after
    return found


def _describe_change(before: Scenario, name: str, value: Any, since: str) -> dict[str, str]:
    lab, flat_name = split_name(name)
    label = label_sentence(lab, fields()[flat_name].label)
    return {
        "name": name,
        "text": f"{label} {_format_value(value)} ({_format_value(value_of(before, name))}){since}",
    }


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if isinstance(value, float) else str(value)


def description(state: ViewState) -> str:
    """Return the description of the scenario; empty if it is changed and the text contains a number."""
    described = state.initial_scenario.description
    return "" if re.search(r"\d", described) and scenario_changes(state) else described


OWN_FILE_NOTE = "This scenario is a file on the server, so the link works on this server only."
