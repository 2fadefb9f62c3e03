"""Join the timelines on the path from the first run to the chosen branch, and build the controls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from experiments.text.number_format import pluralize
from experiments.window.event_text import label_sentence
from experiments.window.session import PACES, ViewState
from experiments.window.task_view import format_tasks
from experiments.window.timeline import Bookmark, TimelineView

ColumnsOfTimeline = Callable[[TimelineView], dict[str, list[float]]]
MAX_SENT_DAYS = 120
"""Maximum number of frames whose day is sent; the browser interpolates between them."""
MAX_BOOKMARKS = 120
_ROUNDING = 1e-6
"""Rounding of an interpolated frame [frames]."""
BOOKMARK_KINDS = {"doubling": "doubling", "training": "retraining", "delivery": "delivery"}
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
    """Return the columns of the shown lab on the whole path."""
    return _join_columns(state, lambda timeline: timeline.columns)


def path_software(state: ViewState) -> tuple[list[float], dict[str, list[float]]]:
    """Return the days on the whole path, and discovered software of each of several labs on these days [doublings]."""
    return path_columns(state)["day"], _join_columns(state, lambda timeline: timeline.software)


def _join_columns(state: ViewState, columns_of: ColumnsOfTimeline) -> dict[str, list[float]]:
    timelines = timeline_path(state)
    joined: dict[str, list[float]] = {name: [] for name in columns_of(timelines[0])}
    for timeline, after in zip(timelines, [*timelines[1:], None], strict=True):
        rows = timeline.columns["frame"]
        end = len(rows) if after is None else sum(1 for frame in rows if frame < after.from_frame)
        for name, values in columns_of(timeline).items():
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
        "regulated": is_regulated(state),
    }


def is_regulated(state: ViewState) -> bool:
    """Return whether the frame has a regulator, or the path to it has marks of one."""
    return state.frame.governance is not None or any(mark.kind in ("alarm", "order") for mark in path_bookmarks(state))


def bookmark_props(state: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return the events and branches on the path that the timeline marks, with their frames.

    Marks of the same kind in one frame are joined if there are several labs.
    """
    found = [
        _mark(state, mark, frame_at(mark.day, rows), BOOKMARK_KINDS[mark.kind], _describe_bookmark(mark))
        for mark in path_bookmarks(state)
        if mark.kind in BOOKMARK_KINDS
    ]
    if state.frame.labs:
        found = _join_marks(found)
    branches = [
        {"frame": timeline.from_frame, "kind": "branch", "what": f"Branch {timeline.label}"}
        for timeline in timeline_path(state)[1:]
    ]
    shown = found[:: max(1, -(-len(found) // MAX_BOOKMARKS))]
    governed = [*_order_marks(state, rows), *_alarm_marks(state, rows)]
    return [*shown, *_automation_marks(state, rows), *governed, *_end_marks(state, rows), *branches]


def _alarm_marks(state: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return the alarms of the regulator, at most ``MAX_BOOKMARKS`` of them."""
    alarms = [mark for mark in path_bookmarks(state) if mark.kind == "alarm"]
    shown = alarms[:: max(1, -(-len(alarms) // MAX_BOOKMARKS))]
    return _join_marks(
        [
            _mark(
                state,
                mark,
                frame_after(mark.day, rows),
                "alarm",
                f"Alarm, day {mark.day:,.1f}: {mark.text.removesuffix('.')}",
            )
            for mark in shown
        ]
    )


def _order_marks(state: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return a band for each time in which orders of the same rules are in force in a lab, up to the latest frame."""
    bands: dict[str, Bookmark] = {}
    found = []
    for mark in path_bookmarks(state):
        if mark.kind != "order":
            continue
        before = bands.pop(mark.lab, None)
        if before is not None and before.text == mark.text:
            bands[mark.lab] = before
            continue
        if before is not None:
            found.append(_order_band(state, before, mark.day, rows))
        if mark.value:
            bands[mark.lab] = mark
    return [*found, *(_order_band(state, mark, None, rows) for mark in bands.values())][:MAX_BOOKMARKS]


def _order_band(state: ViewState, start: Bookmark, end: float | None, rows: dict[str, list[float]]) -> dict[str, Any]:
    """Return the band of orders that are in force from a mark up to a day; None for no end so far."""
    until = "on" if end is None else f"to {end:,.1f}"
    what = f"Orders in force, day {start.day:,.1f} {until}: {start.text}"
    first, last = frame_after(start.day, rows), state.last_frame if end is None else frame_after(end, rows)
    return _mark(state, start, first, "order", what) | {"width": max(0, last - first)}


def _mark(state: ViewState, mark: Bookmark, frame: int, kind: str, what: str) -> dict[str, Any]:
    """Return a mark of the timeline; with several labs it has the name of the lab, and is fainter for other labs."""
    found = {"frame": frame, "kind": kind, "what": label_sentence(mark.lab, what)}
    return found | {"other": mark.lab != state.frame.lab} if mark.lab else found


def _join_marks(marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join marks of the same kind in one frame; the joined mark is strong if one of them is."""
    joined: dict[tuple[int, str], dict[str, Any]] = {}
    for mark in marks:
        before = joined.setdefault((mark["frame"], mark["kind"]), mark)
        if before is not mark:
            before["what"] += f". {mark['what']}"
            if "other" in mark:
                before["other"] = before["other"] and mark["other"]
    return list(joined.values())


def _end_marks(state: ViewState, rows: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return the ends of labs."""
    ends = (mark for mark in path_bookmarks(state) if mark.kind == "end")
    return _join_marks(
        [_mark(state, mark, frame_after(mark.day, rows), "end", f"Day {mark.day:,.1f}: the lab ended") for mark in ends]
    )


def _automation_marks(state: ViewState, rows: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    """Return a mark for the tasks that were automated in each frame, and one for the day of full automation."""
    marks = [(frame_after(mark.day, rows), mark) for mark in path_bookmarks(state) if mark.kind in ("task", "asara")]
    tasks = sorted(((frame, mark) for frame, mark in marks if mark.kind == "task"), key=_frame_and_lab)
    for (frame, _), group in itertools.groupby(tasks, key=_frame_and_lab):
        same = [mark for _, mark in group]
        which = format_tasks(int(same[0].value), int(same[-1].value))
        what = f"Day {same[-1].day:,.1f}: AIs can do {which} of a paper"
        yield _mark(state, same[-1], frame, "task", what)
    for frame, mark in marks:
        if mark.kind == "asara":
            yield _mark(state, mark, frame, "all-tasks", f"ASARA, day {mark.day:,.0f}: AIs can do all tasks")


def _frame_and_lab(each: tuple[int, Bookmark]) -> tuple[int, str]:
    frame, mark = each
    return frame, mark.lab


def path_bookmarks(state: ViewState) -> Iterator[Bookmark]:
    """Return the bookmarks of all labs on the path, in order of their days."""
    timelines = timeline_path(state)
    for timeline, after in zip(timelines, [*timelines[1:], None], strict=True):
        until = after.columns["day"][0] if after is not None and after.columns["day"] else float("inf")
        yield from (mark for mark in timeline.bookmarks if mark.day <= until)


def _describe_bookmark(mark: Bookmark) -> str:
    if mark.kind == "doubling":
        return f"Day {mark.day:,.1f}: software reached doubling {mark.value:g}"
    if mark.kind == "delivery":
        return f"Day {mark.day:,.1f}: {pluralize(mark.value, 'new node starts', 'new nodes start')} to work"
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
