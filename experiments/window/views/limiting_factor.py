"""Build the panel on what limits progress, with the key figures of the frame."""

from __future__ import annotations

from typing import Any

from experiments.text.number_format import format_count, format_factor, pluralize, round_to_100_percent
from experiments.window.frame import Frame
from experiments.window.session import ViewState
from experiments.window.views.team import describe_humans

TIME_PARTS = {
    "researchers": ("green", "thinking and writing"),
    "queue": ("red", "waiting for GPUs"),
    "experiments": ("orange", "running experiments"),
    "paused": ("pink", "without a GPU"),
}
"""Colour and words for each use of the researchers' time."""


def limit_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the panel on what limits progress."""
    found, ending = state.frame.limit, state.frame.ending
    parts = found.shares or tuple((name, 0.0) for name in TIME_PARTS)
    shares = [
        {
            "name": name,
            "share": share,
            "label": TIME_PARTS[name][1],
            "colour": TIME_PARTS[name][0],
            "text": f"{percent}%",
        }
        for (name, share), percent in zip(parts, round_to_100_percent([share for _, share in parts]), strict=True)
    ]
    part, sentence = headline(state)
    lab = state.frame.lab
    current = "" if part == found.part or ending is not None else capitalise(found.state)
    return {
        "part": part,
        "sentence": sentence,
        "measured": describe_margins(state) if ending is None else "",
        "also": " ".join(each for each in (current, found.waiting, found.also, found.duplicates) if each),
        "ending": "" if ending is None else ending.sentence,
        "did": "" if ending is None else f"What {lab or 'this run'} did: {ending.pace.sentence}",
        "leads": "" if ending is None else f"Where it leads: {ending.long_run.sentence}",
        "shares": shares,
        "since": "" if not found.shares else f"Researchers' time since day {format_count(round(found.since))}:",
        "bar_label": ", ".join(f"{each['label']} {each['text']}" for each in shares),
        "figures": key_numbers(state),
        **({"lab": lab} if lab else {}),
    }


INPUT_NAMES = {
    "researchers": "researchers",
    "experiments": "GPUs for experiments",
    "training": "GPUs for training runs",
}
"""Names of the inputs that :mod:`experiments.window.moment_margins` raises."""
LIMIT_NAMES = {
    "researchers": "Researchers",
    "queue": "GPUs for experiments",
    "paused": "GPUs for inference",
    "training": "Training runs or researchers",
    "humans": "Humans",
    "assistants": "AIs that assist humans",
}
"""Names of the limits that the rule distinguishes."""
MORE_OF = {
    "researchers": "more of them would increase progress most.",
    "queue": "more of them would increase progress most.",
    "training": "faster runs would increase progress most.",
}
LIMIT_OF_INPUT = {"researchers": "researchers", "experiments": "queue", "training": "training"}
"""Limit that corresponds to a raised input."""


def headline(state: ViewState) -> tuple[str, str]:
    """Return the limit and a sentence on it: from the measured elasticities if available, else from the rule."""
    found, margins = state.frame.limit, state.margins
    if found.part == "nothing":
        return found.part, capitalise(found.state)
    if margins is None or not margins.limited_by:
        return found.part, f"{LIMIT_NAMES[found.part]}: {found.state}"
    part = LIMIT_OF_INPUT[margins.limited_by]
    name = "Training runs" if part == "training" else LIMIT_NAMES[part]
    return part, f"{name}: {found.state if part == found.part else MORE_OF[part]}"


def capitalise(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def describe_margins(state: ViewState) -> str:
    """Describe the elasticities of a frame, and how and over which days they were measured."""
    margins = state.margins
    if state.is_playing or state.is_busy or state.frame.limit.part == "nothing":
        return ""
    if margins is None:
        return "Elasticities are being measured from this frame on." if state.is_measuring else ""
    if margins.reason:
        return f"Elasticities were not measured: {margins.reason}."
    values = [(INPUT_NAMES[name], value) for name, value in margins.elasticities]
    first, *others = sorted(values, key=lambda each: -each[1])
    rest = ", ".join(f"{name} {format_elasticity(value)}" for name, value in others)
    return (
        f"1% more {first[0]} would bring the next software gain {format_elasticity(first[1])} sooner ({rest}). "
        f"Measured by a paired run with 25% more of each, over {format_count(round(margins.days, 1))} days."
    )


def format_elasticity(value: float) -> str:
    """Format an elasticity as a percentage."""
    return f"{abs(value) if abs(value) < 0.005 else value:.2f}%"


def key_numbers(state: ViewState) -> list[dict[str, str]]:
    """Return the key figures of a frame."""
    frame, grid = state.frame, state.frame.grid
    busy = grid.gpus - grid.idle
    active = f"Active{describe_humans(frame.team)}"
    rows = (
        ("day", "Day", f"{frame.day:,.1f}", "Days since the start"),
        ("software", "Software", format_factor(frame.discovered), "Discovered, relative to day 0"),
        ("researchers", "Researchers", format_count(frame.team.active_researchers), active),
        ("papers", "Papers", format_count(frame.papers), "Published since day 0"),
        ("busy", "GPUs busy", f"{busy / grid.gpus:.0%}", f"{busy:,} of {grid.gpus:,} GPUs hold a job"),
        ("waiting", "Jobs waiting", format_count(frame.queue.jobs), describe_waiting_jobs(frame)),
    )
    return [{"key": key, "name": name, "value": value, "why": why} for key, name, value, why in rows]


def describe_waiting_jobs(frame: Frame) -> str:
    """Describe the jobs that the number of waiting jobs does not include."""
    waiting = next(each.total for each in frame.team.phases if each.phase == "queue")
    behind = waiting - next(each.waiting for each in frame.queue.uses if each.use == "experiment")
    more = (
        f"; {pluralize(behind, 'experiment')} more wait for GPUs that other experiments of their cohort hold"
        if behind > 0
        else ""
    )
    return f"For GPUs{more}"
