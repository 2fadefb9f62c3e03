"""Which run it is, the link to its moment, and what can be downloaded of it."""

from __future__ import annotations

import re
from typing import Any

from experiments.window.default_link import scenario_named
from experiments.window.downloads import KINDS
from experiments.window.form_fields import differences, fields
from experiments.window.permalink import encode, link_of
from experiments.window.session import ViewState
from experiments.window.views.timeline import way
from sim.scenario.model import Scenario, shipped_scenarios


def head(shown: ViewState) -> dict[str, Any]:
    """Return the head of the page as its component takes it."""
    first = shown.first
    link = link_of(first.name, first, shown.seed, shown.frame.number, shown.futures)
    return {
        "title": first.name,
        "seed": str(shown.seed),
        "changes": changes(shown),
        "about": about(shown),
        "link": f"?{encode(link, scenario_named)}",
        "still": not shown.playing and not shown.busy,
        "link_note": "" if first.name in shipped_scenarios() else OWN_FILE,
        "files": [{"kind": kind, "label": made.label} for kind, made in KINDS.items()],
    }


def changes(shown: ViewState) -> list[dict[str, str]]:
    """Return what differs from the scenario of its name, on day 0 and since the branches of the chosen future."""
    base = scenario_named(shown.first.name).canonical()
    found = [_change(base, name, value, "") for name, value in differences(base, shown.first).items()]
    before = shown.first
    for future in way(shown)[1:]:
        after = before.replace(**future.changes)
        since = f" since day {future.columns['day'][0]:,.6g}"
        found += [_change(before, name, value, since) for name, value in differences(before, after).items()]
        before = after
    return found


def _change(before: Scenario, name: str, value: Any, since: str) -> dict[str, str]:
    label = fields()[name].label
    return {"name": name, "told": f"{label} {_told(value)} ({_told(before.canonical().flat()[name])}){since}"}


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if isinstance(value, float) else str(value)


def about(shown: ViewState) -> str:
    """Return the description of the scenario; of a changed one only if it names no number."""
    described = shown.first.description
    return "" if re.search(r"\d", described) and changes(shown) else described


OWN_FILE = "This scenario is a file of the one who opened the window: its link works there, and nowhere else."
