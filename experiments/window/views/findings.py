"""What is found: the literature, the kernels, what limits progress, and the last events."""

from __future__ import annotations

import math
from typing import Any

from experiments.window.frame import Frame
from experiments.window.literature_view import Network
from experiments.window.number_format import format_count, format_factor, percentages, pluralize
from experiments.window.session import ViewState
from experiments.window.views.axes import Option, chart, line, short, value_axis

PARTS = {
    "researchers": ("green", "thinking and writing"),
    "queue": ("red", "waiting for GPUs"),
    "experiments": ("orange", "experiments that run"),
    "paused": ("pink", "without a GPU"),
}
"""Where the researchers' time went: a colour and words for each part."""
EVENTS = {
    "PaperPublished": "grey",
    "SoftwareDoubled": "blue",
    "TrainingStarted": "pink",
    "Deployed": "orange",
    "ResearchersHoused": "green",
    "CohortFormed": "green",
    "KernelsMeasured": "sky",
    "KernelsDeployed": "sky",
    "Ended": "red",
}
STRONG = frozenset({"SoftwareDoubled", "Deployed", "Ended"})


def limit(shown: ViewState) -> dict[str, Any]:
    """Return what limits progress as its component takes it."""
    found, ending = shown.frame.limit, shown.frame.ending
    parts = found.shares or tuple((name, 0.0) for name in PARTS)
    shares = [
        {"name": name, "share": share, "label": PARTS[name][1], "colour": PARTS[name][0], "told": f"{percent}%"}
        for (name, share), percent in zip(parts, percentages([share for _, share in parts]), strict=True)
    ]
    part, sentence = headline(shown)
    state = "" if part == found.part or ending is not None else capital(found.state)
    return {
        "part": part,
        "sentence": sentence,
        "measured": measured(shown) if ending is None else "",
        "also": " ".join(each for each in (state, found.waiting, found.also, found.duplicates) if each),
        "ending": "" if ending is None else ending.sentence,
        "did": "" if ending is None else f"What this run did: {ending.pace.sentence}",
        "leads": "" if ending is None else f"Where it leads: {ending.long_run.sentence}",
        "shares": shares,
        "since": "" if not found.shares else f"Researchers' time since day {format_count(round(found.since))}:",
        "bar_label": ", ".join(f"{each['label']} {each['told']}" for each in shares),
        "figures": figures(shown),
    }


INPUTS = {"researchers": "researchers", "experiments": "GPUs for experiments", "training": "GPUs for training runs"}
"""What :mod:`experiments.window.moment_margins` raises, in words."""
NAMES = {
    "researchers": "Researchers",
    "queue": "GPUs for experiments",
    "paused": "GPUs for inference",
    "training": "Training runs or researchers",
}
"""The limits as the rule on the state of a moment names them."""
MORE_OF = {
    "researchers": "more of them would bring progress forward most.",
    "queue": "more of them would bring progress forward most.",
    "training": "faster ones would bring progress forward most.",
}
PART_OF = {"researchers": "researchers", "experiments": "queue", "training": "training"}
"""The limit that a raised input is."""


def headline(shown: ViewState) -> tuple[str, str]:
    """Return the limit of a moment and a sentence on it: as it was measured, else by the rule on its state."""
    found, margins = shown.frame.limit, shown.margins
    if found.part == "nothing":
        return found.part, capital(found.state)
    if margins is None or not margins.limited_by:
        return found.part, f"{NAMES[found.part]}: {found.state}"
    part = PART_OF[margins.limited_by]
    name = "Training runs" if part == "training" else NAMES[part]
    return part, f"{name}: {found.state if part == found.part else MORE_OF[part]}"


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def measured(shown: ViewState) -> str:
    """Return the elasticities of a moment in words, and how and over which days they were measured."""
    margins = shown.margins
    if shown.playing or shown.busy or shown.frame.limit.part == "nothing":
        return ""
    if margins is None:
        return "Elasticities are being measured from this moment on." if shown.measuring else ""
    if margins.why:
        return f"Elasticities were not measured: {margins.why}."
    values = [(INPUTS[name], value) for name, value in margins.elasticities]
    first, *others = sorted(values, key=lambda each: -each[1])
    rest = ", ".join(f"{name} {percent(value)}" for name, value in others)
    return (
        f"1% more {first[0]} would bring the next software gain {percent(first[1])} sooner ({rest}). "
        f"Measured by a paired run with 25% more of each, over {format_count(round(margins.days, 1))} days."
    )


def percent(value: float) -> str:
    """Return an elasticity as a percentage."""
    return f"{abs(value) if abs(value) < 0.005 else value:.2f}%"


def figures(shown: ViewState) -> list[dict[str, str]]:
    """Return the key figures of a moment."""
    frame, grid = shown.frame, shown.frame.grid
    busy = grid.gpus - grid.idle
    rows = (
        ("day", "Day", f"{frame.day:,.1f}", "Days since the start"),
        ("software", "Software", format_factor(frame.discovered), "Discovered, against day 0"),
        ("researchers", "Researchers", format_count(frame.team.active_researchers), "At work"),
        ("papers", "Papers", format_count(frame.papers), "Published since day 0"),
        ("busy", "GPUs busy", f"{busy / grid.gpus:.0%}", f"{busy:,} of {grid.gpus:,} GPUs hold a job"),
        ("waiting", "Jobs waiting", format_count(frame.queue.jobs), jobs_told(frame)),
    )
    return [{"key": key, "name": name, "value": value, "why": why} for key, name, value, why in rows]


def jobs_told(frame: Frame) -> str:
    """Return what the number of jobs that wait leaves out."""
    waiting = next(each.all for each in frame.team.phases if each.phase == "queue")
    behind = waiting - next(each.waiting for each in frame.queue.uses if each.use == "experiment")
    more = (
        f"; {pluralize(behind, 'experiment')} more of a cohort come next on GPUs that run others of it"
        if behind > 0
        else ""
    )
    return f"For GPUs{more}"


def literature(shown: ViewState) -> dict[str, Any]:
    """Return the literature as its component takes it."""
    network = shown.frame.network
    places = {paper.number: place for place, paper in enumerate(network.papers)}
    return {
        "note": network.note,
        "papers": [
            [
                paper.number - network.before,
                None if paper.day is None else round(paper.day, 1),
                paper.papers,
                paper.duplicates,
                paper.new,
            ]
            for paper in network.papers
        ],
        "edges": [[places[paper], places[earlier]] for paper, earlier in network.edges],
        "legend": [
            {"label": "published", "told": format_count(network.published)},
            {"label": "duplicates", "told": format_count(network.duplicates)},
        ],
        "hint": BY_ONE if _one_by_one(network) else AT_ONCE,
        "empty": "" if network.papers else network.note,
    }


def _one_by_one(network: Network) -> bool:
    return not network.papers or (bool(network.edges) and all(paper.papers == 1 for paper in network.papers))


BY_ONE = "Each dot is a paper, the newest on the right; a line leads to what it builds on."
AT_ONCE = (
    "Each dot is what was published at once (a cohort may publish many), the newest on the right; what many papers "
    "build on is not followed."
)


def kernels(shown: ViewState) -> dict[str, Any]:
    """Return the measured kernel curve as its component takes it."""
    found = shown.frame.kernels
    told = f"the cluster does ×{found.work_rate:.3g} as much a day"
    stands = f"×{found.speedup:.3g} after {pluralize(math.floor(found.candidates), 'candidate')}"
    return {
        "name": "kernels",
        "title": "Attention kernels, as measured",
        "told": told if found.calibrated else "",
        "legend": []
        if not found.calibrated
        else [
            {"label": "speed-up over the library", "colour": "blue", "kind": "line"},
            {"label": "the lab's engineer", "colour": "ink", "told": stands},
        ],
        "option": kernels_option(shown) if found.calibrated else {},
        "height": 216,
        "wide": False,
        "empty": "" if found.calibrated else NO_KERNELS,
    }


NO_KERNELS = (
    "No measurements drive this run, so kernels change nothing. Choose the scenario “lab”, "
    "or set kernels: measurements to a shipped name."
)


def kernels_option(shown: ViewState) -> Option:
    """Return speed-up against candidates tried, and where the engineer stands."""
    found = shown.frame.kernels
    step = 0.5 if found.largest <= 3 else math.ceil(found.largest / 4)
    top = step * math.ceil((found.largest + 0.05) / step)
    axis = {
        "type": "log",
        "min": 1,
        "max": max(10, found.tried),
        "name": "tried",
        "nameLocation": "end",
        "nameGap": 6,
        "nameTextStyle": {"color": "$soft", "verticalAlign": "middle"},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": "$line"}},
        "splitLine": {"show": False},
        "axisLabel": {"color": "$soft", "formatter": "@count"},
    }
    curve = [[short(candidates), short(speedup)] for candidates, speedup in found.curve]
    at = [[short(min(max(1, math.floor(found.candidates)), max(10, found.tried))), short(found.speedup)]]
    engineer = {
        "type": "scatter",
        "name": "the lab's engineer",
        "data": at,
        "symbolSize": 12,
        "silent": True,
        "z": 5,
        "itemStyle": {"color": "$ink", "borderColor": "$card", "borderWidth": 2},
    }
    series = [line("speed-up", "blue", curve, width=2.4), engineer]
    return chart(axis, value_axis(top, step, "@times"), series, "@candidate times")


def events(shown: ViewState) -> dict[str, Any]:
    """Return the last events as their component takes them."""
    return {
        "lines": [
            [f"{told.day:,.1f}", told.sentence, EVENTS.get(told.kind, "grey"), told.kind in STRONG]
            for told in shown.frame.events
        ],
        "empty": "Nothing has happened yet. Press “Step” for a day, or “Event” for the next thing that happens.",
    }
