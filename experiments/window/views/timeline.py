"""Join the timelines on the path from the first run to the chosen branch, and build the controls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from experiments.window.session import PACES, ViewState
from experiments.window.task_view import format_tasks
from experiments.window.timeline import Bookmark, TimelineView

MAX_SENT_DAYS = 120
"""Maximum number of frames whose day is sent; the browser interpolates between them."""
MAX_BOOKMARKS = 120
_ROUNDING = 1e-6
"""Rounding of an interpolated frame [frames]."""
BOOKMARK_KINDS = {"doubling": "doubling", "training": "retraining"}
"""Kinds of bookmarks of which the timeline shows a limited number."""
PACE_LABELS = {"1": "1 per second", "5": "5 per second", "20": "20 per second", "fast": "fastest"}


def timeline_path(state: ViewState) -> list[TimelineView]:
    """Return the timelines on the path to the chosen one, the first run first."""
    by_index = {timeline.index: timeline for timeline in state.timelines}
    at: TimelineView | None = next(timeline for timeline in state.timelines if timeline.is_chosen)
    found: list[TimelineView] = []
    while at is not None:
        found.append(at)
        at = by_index.get(at.parent) if at.parent is not None else None
    return found[::-1]


def path_columns(state: ViewState) -> dict[str, list[float]]:
    """Return the columns of the whole path."""
    timelines = timeline_path(state)
    joined: dict[str, list[float]] = {name: [] for name in timelines[0].columns}
    for timeline, after in zip(timelines, [*timelines[1:], None], strict=True):
        rows = timeline.columns["frame"]
        end = len(rows) if after is None else sum(1 for frame in rows if frame < after.from_frame)
        for name, values in timeline.columns.items():
            joined[name] += values[:end]
    return joined


def controls_props(state: ViewState) -> dict[str, Any]:
    """Return the values of the controls and the timeline."""
    frame, rows = state.frame, path_columns(state)
    stride = max(1, len(rows["frame"]) // MAX_SENT_DAYS)
    days = [[int(at), round(day, 2)] for at, day in zip(rows["frame"], rows["day"], strict=True)]
    return {
        "stamp": state.stamp,
        "at": frame.number,
        "last": state.last_frame,
        "between": frame.is_between_frames,
        "day": frame.day,
        "days": [*days[:-1:stride], *days[-1:]],
        "marks": bookmark_props(state, rows),
        "tasks": frame.tasks is not None,
        "playing": state.is_playing,
        "busy": state.is_busy,
        "over": state.is_over,
        "pace": state.pace,
        "paces": [{"value": pace, "label": PACE_LABELS[pace]} for pace in PACES],
        "said": state.message,
        "wrong": state.is_error,
    }


def bookmark_props(state: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return the doublings, retrainings, automated tasks and branches on the path, with their frames."""
    found = [
        {"frame": frame_at(mark.day, rows), "kind": BOOKMARK_KINDS[mark.kind], "what": _describe_bookmark(mark)}
        for mark in _path_bookmarks(state)
        if mark.kind in BOOKMARK_KINDS
    ]
    branches = [
        {"frame": timeline.from_frame, "kind": "branch", "what": f"Branch {timeline.label}"}
        for timeline in timeline_path(state)[1:]
    ]
    return [*found[:: max(1, -(-len(found) // MAX_BOOKMARKS))], *_automation_marks(state, rows), *branches]


def _automation_marks(state: ViewState, rows: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    """Return a mark for the tasks that were automated in each frame, and one for the day of full automation."""
    marks = [(frame_after(mark.day, rows), mark) for mark in _path_bookmarks(state) if mark.kind in ("task", "asara")]
    tasks = ((frame, mark) for frame, mark in marks if mark.kind == "task")
    for frame, group in itertools.groupby(tasks, key=lambda each: each[0]):
        same = [mark for _, mark in group]
        which = format_tasks(int(same[0].value), int(same[-1].value))
        yield {"frame": frame, "kind": "task", "what": f"Day {same[-1].day:,.1f}: AIs can do {which} of a paper"}
    for frame, mark in marks:
        if mark.kind == "asara":
            yield {"frame": frame, "kind": "all-tasks", "what": f"ASARA, day {mark.day:,.0f}: AIs can do all tasks"}


def _path_bookmarks(state: ViewState) -> Iterator[Bookmark]:
    timelines = timeline_path(state)
    for timeline, after in zip(timelines, [*timelines[1:], None], strict=True):
        until = after.columns["day"][0] if after is not None and after.columns["day"] else float("inf")
        yield from (mark for mark in timeline.bookmarks if mark.day <= until)


def _describe_bookmark(mark: Bookmark) -> str:
    if mark.kind == "doubling":
        return f"Day {mark.day:,.1f}: software reached doubling {mark.value:g}"
    return f"Day {mark.day:,.1f}: training of generation {mark.value:g} was requested"


def frame_at(day: float, rows: dict[str, list[float]]) -> int:
    """Return the frame that is nearest to a day, interpolated between the known rows."""
    return round(_interpolated_frame(day, rows))


def frame_after(day: float, rows: dict[str, list[float]]) -> int:
    """Return the first frame that contains the events of a day, interpolated between the known rows."""
    return math.ceil(_interpolated_frame(day, rows) - _ROUNDING)


def _interpolated_frame(day: float, rows: dict[str, list[float]]) -> float:
    days, frames = rows["day"], rows["frame"]
    for at, (left, right) in enumerate(itertools.pairwise(days)):
        if day <= right:
            part = (day - left) / (right - left) if right > left else 0.0
            return frames[at] + part * (frames[at + 1] - frames[at])
    return frames[-1] if frames else 0.0
