"""The way that leads to where the page stands: the chosen future, and before its branch those it came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from experiments.window.session import PACES, ViewState
from experiments.window.timeline import Bookmark, TimelineView

MAX_DAYS = 120
"""Places of the timeline of which the day is sent; between them time passes evenly."""
MAX_MARKS = 120
KINDS = {"doubling": "doubling", "training": "retraining"}
"""What the timeline marks."""
PACE_LABELS = {"1": "1 a second", "5": "5 a second", "20": "20 a second", "fast": "fastest"}


def way(shown: ViewState) -> list[TimelineView]:
    """Return the futures of the way, the first run first."""
    by_index = {future.index: future for future in shown.futures}
    at: TimelineView | None = next(future for future in shown.futures if future.chosen)
    found: list[TimelineView] = []
    while at is not None:
        found.append(at)
        at = by_index.get(at.parent) if at.parent is not None else None
    return found[::-1]


def columns(shown: ViewState) -> dict[str, list[float]]:
    """Return the columns of the whole way."""
    futures = way(shown)
    joined: dict[str, list[float]] = {name: [] for name in futures[0].columns}
    for future, after in zip(futures, [*futures[1:], None], strict=True):
        rows = future.columns["frame"]
        end = len(rows) if after is None else sum(1 for frame in rows if frame < after.from_frame)
        for name, values in future.columns.items():
            joined[name] += values[:end]
    return joined


def controls(shown: ViewState) -> dict[str, Any]:
    """Return the controls and the timeline as their component takes them."""
    frame, rows = shown.frame, columns(shown)
    stride = max(1, len(rows["frame"]) // MAX_DAYS)
    days = [[int(at), round(day, 2)] for at, day in zip(rows["frame"], rows["day"], strict=True)]
    return {
        "stamp": shown.stamp,
        "at": frame.number,
        "last": shown.last,
        "between": frame.between,
        "day": frame.day,
        "days": [*days[:-1:stride], *days[-1:]],
        "marks": marks(shown, rows),
        "playing": shown.playing,
        "busy": shown.busy,
        "over": shown.over,
        "pace": shown.pace,
        "paces": [{"value": pace, "label": PACE_LABELS[pace]} for pace in PACES],
        "said": shown.said,
        "wrong": shown.wrong,
    }


def marks(shown: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return the doublings, retrainings and branches of the way, and where on the timeline they are."""
    found = [
        {"frame": frame_at(mark.day, rows), "kind": KINDS[mark.kind], "what": _told(mark)}
        for mark in _marks(shown)
        if mark.kind in KINDS
    ]
    branches = [
        {"frame": future.from_frame, "kind": "branch", "what": f"Branch {future.label}"} for future in way(shown)[1:]
    ]
    return [*found[:: max(1, -(-len(found) // MAX_MARKS))], *branches]


def _marks(shown: ViewState) -> Iterator[Bookmark]:
    futures = way(shown)
    for future, after in zip(futures, [*futures[1:], None], strict=True):
        until = after.columns["day"][0] if after is not None and after.columns["day"] else float("inf")
        yield from (mark for mark in future.marks if mark.day <= until)


def _told(mark: Bookmark) -> str:
    if mark.kind == "doubling":
        return f"Day {mark.day:,.1f}: software has doubled {mark.value:g} times"
    return f"Day {mark.day:,.1f}: training of generation {mark.value:g} was asked for"


def frame_at(day: float, rows: dict[str, list[float]]) -> int:
    """Return the frame that shows a day, as near as the rows tell."""
    days, frames = rows["day"], rows["frame"]
    for at, (left, right) in enumerate(itertools.pairwise(days)):
        if day <= right:
            part = (day - left) / (right - left) if right > left else 0.0
            return round(frames[at] + part * (frames[at + 1] - frames[at]))
    return int(frames[-1]) if frames else 0
