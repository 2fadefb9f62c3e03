"""Which run it is, the link to its moment, and what can be downloaded of it."""

from __future__ import annotations

from typing import Any

from experiments.window.downloads import KINDS
from experiments.window.link import encode, link_of
from experiments.window.opening import scenario_named
from experiments.window.session import Shown
from sim.scenario import shipped_scenarios


def head(shown: Shown) -> dict[str, Any]:
    """Return the head of the page as its component takes it."""
    first = shown.first
    link = link_of(first.name, first, shown.seed, shown.frame.number, shown.futures)
    return {
        "title": first.name,
        "seed": str(shown.seed),
        "about": first.description,
        "link": f"?{encode(link, scenario_named)}",
        "link_note": "" if first.name in shipped_scenarios() else OWN_FILE,
        "files": [{"kind": kind, "label": made.label} for kind, made in KINDS.items()],
    }


OWN_FILE = "This scenario is a file of the one who opened the window: its link works there, and nowhere else."
