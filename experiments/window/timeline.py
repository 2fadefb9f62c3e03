"""Store one timeline of a player: its rows, frames, bookmarks and checkpoints."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from agents.governance_policy import Alarm, Reading
from experiments.text.number_format import toml_value
from experiments.window.frame import COLUMNS, Frame, frame_of, reporter_values
from experiments.window.thinning_cache import ThinningCache, pack, unpack
from sim import events as ledger
from sim.scenario.model import Scenario
from sim.world import World

MAX_FRAME_BYTES = 16 << 20
"""Maximum memory of the packed frames of one timeline [bytes]."""
MAX_CHECKPOINT_BYTES = 32 << 20
"""Maximum memory of the packed checkpoints of one timeline [bytes]."""
BYTES_PER_COST_UNIT = 50
"""Size of the last checkpoint per unit of recreation cost at which the next one is kept [bytes].

Checkpoints then cost less than the run itself. Going back takes about as long as the run from the previous checkpoint.
"""
MIN_RECREATION_COST = 300
"""Minimum recreation cost between two checkpoints."""


class Bookmark(NamedTuple):
    """A marked point on the time axis of a timeline."""

    day: float
    kind: Literal["doubling", "training", "deployed", "task", "asara", "delivery", "end", "alarm", "order"]
    value: float
    """Doublings of discovered software, generation in training, or deployed doublings, by kind. For a task the number
    of its kind, and for ASARA the number of humans. For a delivery the number of nodes, and 0 for the end of a lab and
    for an alarm. For orders 1 if any are in force from then on, else 0."""
    lab: str = ""
    """Lab of the event; empty for the only lab of a World."""
    text: str = ""
    """Sentence of an alarm, or names of the rules whose orders are in force; empty for other kinds."""


class ReadingSeries(NamedTuple):
    """Readings of a lab by a regulator, in the order of their arrival."""

    known_on: array[float]
    """Day on which the regulator learned each reading."""
    day: array[float]
    """Day to which each reading refers."""
    doublings: array[float]
    """Measured software [doublings]."""

    @classmethod
    def of(cls, readings: Iterable[Reading] = ()) -> ReadingSeries:
        """Return the series of readings."""
        found = cls(array("d"), array("d"), array("d"))
        found.extend(readings)
        return found

    def extend(self, readings: Iterable[Reading]) -> None:
        """Add readings."""
        for reading in readings:
            self.known_on.append(reading.known_on)
            self.day.append(reading.day)
            self.doublings.append(reading.doublings)

    def copy(self) -> ReadingSeries:
        """Return a copy."""
        return ReadingSeries(*(column[:] for column in self))


BOOKMARKS_OF_GOALS = {
    "doubling": "doubling",
    "retraining": "training",
    "task": "task",
    "alarm": "alarm",
    "order": "order",
}
"""Kind of the bookmark that each goal is reached at; a queue has no bookmark."""


class CacheUsage(NamedTuple):
    """What a timeline keeps to go back without running again."""

    frames: int
    """Number of kept frames."""
    frame_bytes: int
    """Memory of the packed frames [bytes]."""
    checkpoints: int
    """Number of kept checkpoints."""
    checkpoint_bytes: int
    """Memory of the packed checkpoints [bytes]."""


@dataclass(frozen=True)
class TimelineView:
    """A timeline for plots: columns of equal length, and bookmarks."""

    index: int
    label: str
    """Name of the first run, or changes of the branch and their day."""
    is_chosen: bool
    """Whether the player follows it."""
    parent: int | None
    """Index of the timeline from which it branched."""
    from_frame: int
    changes: dict[str, Any]
    last_frame: int
    """Latest known frame; the rows begin at ``from_frame``."""
    columns: dict[str, list[float]]
    """Columns of sim.reporters of the shown lab by name, thinned to a maximum number of rows; "frame" is the number of
    each row."""
    bookmarks: tuple[Bookmark, ...]
    """Bookmarks of all labs."""
    software: dict[str, list[float]] = field(default_factory=dict)
    """Discovered software of each of several labs by name, in the rows of ``columns`` [doublings]; empty for one
    lab."""
    readings: ReadingSeries = field(default_factory=ReadingSeries.of)
    """All readings of the shown lab, those before a branch included; none without a regulator."""


class Timeline:
    """One timeline, from day 0 or from a branch on. It holds no World, but can create one at any frame."""

    def __init__(
        self,
        index: int,
        world: World,
        lab: str,
        parent: Timeline | None = None,
        changes: dict[str, Any] | None = None,
    ) -> None:
        """Begin a timeline at the current frame of a world, which is captured for a lab."""
        self.index = index
        self.labs = tuple(world.labs)
        """Names of the labs; an empty name for the only lab."""
        self.parent = parent
        self.changes = changes or {}
        self.scenario: Scenario = world.scenario
        self.first_frame = world.steps
        """First frame."""
        self.last_known_frame = world.steps - 1
        """Latest frame that has a row."""
        self.final_frame: int | None = None
        """Last frame of the run; None before the end is known."""
        self.bookmarks: list[Bookmark] = []
        self._initial_snapshot = pack(world.snapshot())
        self.first_day = world.now
        """Day of the first frame."""
        self._frames = ThinningCache(MAX_FRAME_BYTES)
        self._checkpoints = ThinningCache(MAX_CHECKPOINT_BYTES)
        self._columns = {lab: {name: array("d") for name in COLUMNS} for lab in self.labs}
        self._events_read = len(world.ledger)
        self._alarms_read = 0 if world.regulator is None else len(world.regulator.alarms)
        self._readings = {lab: ReadingSeries.of() for lab in self.labs}
        self._cost_at_checkpoint, self._checkpoint_bytes = recreation_cost(world), len(self._initial_snapshot)
        self.latest_frame = self.capture_frame(world, lab)
        """Frame that was captured last."""
        self._append_row(world, self.latest_frame)

    @property
    def stored_bytes(self) -> int:
        """Memory of everything that the timeline keeps [bytes]."""
        columns = itertools.chain.from_iterable(each.values() for each in self._columns.values())
        rows = sum(len(column) * column.itemsize for column in columns)
        readings = itertools.chain.from_iterable(self._readings.values())
        rows += sum(len(column) * column.itemsize for column in readings)
        return len(self._initial_snapshot) + self._frames.stored_bytes + self._checkpoints.stored_bytes + rows

    @property
    def cache_usage(self) -> CacheUsage:
        """Number and memory of the kept frames and checkpoints."""
        frames, checkpoints = self._frames, self._checkpoints
        return CacheUsage(len(frames.numbers), frames.stored_bytes, len(checkpoints.numbers), checkpoints.stored_bytes)

    @property
    def label(self) -> str:
        """Scenario name of the first run, or the day of the branch and all changes since the first run."""
        if self.parent is None:
            return self.scenario.name
        changes: dict[str, Any] = {}
        for timeline in self.path:
            changes = {**timeline.changes, **changes}
        changed = ", ".join(f"{name} = {toml_value(value)}" for name, value in changes.items())
        return f"from day {self.first_day:.6g}: {changed or 'no change'}"

    @property
    def path(self) -> list[Timeline]:
        """Timelines from this one back to the first run."""
        return [self] if self.parent is None else [self, *self.parent.path]

    def owner_of(self, number: int) -> Timeline:
        """Return the timeline that contains a frame: this one, or one from which it branched."""
        timeline = self
        while number < timeline.first_frame and timeline.parent is not None:
            timeline = timeline.parent
        return timeline

    def kept_frame(self, number: int, lab: str) -> Frame | None:
        """Return a frame of this timeline for a lab; None if it is not kept."""
        frame: Frame | None = self.latest_frame if self.latest_frame.number == number else self._frames.get(number)
        return frame if frame is not None and frame.lab == lab else None

    def record(self, world: World, lab: str) -> None:
        """Record a world at a whole frame: a new row, and a checkpoint if one is due. A new frame shows ``lab``."""
        if world.steps > self.last_known_frame:
            self._append_row(world, self.capture_frame(world, lab))
        if recreation_cost(world) - self._cost_at_checkpoint >= max(
            MIN_RECREATION_COST, self._checkpoint_bytes // BYTES_PER_COST_UNIT
        ):
            self._keep_checkpoint(world)

    def capture_frame(self, world: World, lab: str) -> Frame:
        """Capture and keep the current frame of a world for a lab, in place of the frame for another lab."""
        self.latest_frame = frame = frame_of(world, lab=lab)
        self._frames.put(frame.number, frame)
        return frame

    def keep_checkpoint_if_costly(self, world: World) -> None:
        """Keep a checkpoint of a world at a whole frame before it is dropped, if it is costly to recreate."""
        if (
            recreation_cost(world) - self._cost_at_checkpoint >= MIN_RECREATION_COST
            and self._checkpoints.at_or_before(world.steps) != world.steps
        ):
            self._keep_checkpoint(world)

    def _keep_checkpoint(self, world: World) -> None:
        self._checkpoint_bytes = self._checkpoints.put(world.steps, world.snapshot())
        self._cost_at_checkpoint = recreation_cost(world)

    def _append_row(self, world: World, frame: Frame) -> None:
        for name, lab in world.labs.items():
            values = frame.values if name == frame.lab else reporter_values(lab)
            for column, value in zip(self._columns[name].values(), values, strict=True):
                column.append(value)
        alarms = self._record_regulator(world)
        marks = [*_bookmarks_in(world.ledger[self._events_read :]), *_alarm_bookmarks(alarms)]
        self.bookmarks += sorted(marks, key=_day_of)
        self._events_read = len(world.ledger)
        if world.ending is not None:
            self.final_frame = frame.number
        self.last_known_frame = frame.number

    def _record_regulator(self, world: World) -> Sequence[Alarm]:
        """Record new readings of all labs, and return new alarms."""
        if world.regulator is None:
            return ()
        for lab, kept in self._readings.items():
            kept.extend(world.regulator.readings.get(lab, ())[len(kept.day) :])
        new = world.regulator.alarms[self._alarms_read :]
        self._alarms_read += len(new)
        return new

    def checkpoint_before(self, number: int) -> int:
        """Return the latest frame up to ``number`` that has a checkpoint."""
        kept = self._checkpoints.at_or_before(number)
        return self.first_frame if kept is None else kept

    def restore_world(self, number: int) -> World:
        """Create a world from the checkpoint at a frame."""
        world = World.restore(self._checkpoints.get(number) or unpack(self._initial_snapshot))
        self._cost_at_checkpoint = recreation_cost(world)
        return world

    def value_at(self, number: int, column: str, lab: str) -> float:
        """Return the value of a reporter of a lab at a known frame."""
        owner = self.owner_of(number)
        return owner._columns[lab][column][number - owner.first_frame]

    def to_view(self, is_chosen: bool, max_rows: int, lab: str) -> TimelineView:
        """Return the timeline of a lab for plots, with about ``max_rows`` rows at most."""
        rows = self.last_known_frame - self.first_frame + 1
        kept = _evenly_spaced_rows(rows, max_rows)
        columns = {name: [column[at] for at in kept] for name, column in self._columns[lab].items()}
        columns["frame"] = [float(self.first_frame + at) for at in kept]
        software = {name: [each["discovered"][at] for at in kept] for name, each in self._columns.items()}
        parent = None if self.parent is None else self.parent.index
        return TimelineView(
            self.index,
            self.label,
            is_chosen,
            parent,
            self.first_frame,
            dict(self.changes),
            self.last_known_frame,
            columns,
            tuple(self.bookmarks),
            software if len(self.labs) > 1 else {},
            self._readings[lab].copy(),
        )


def reached_in_known_frames(goal: str, timeline: Timeline, number: int, lab: str) -> bool:
    """Return whether a lab reaches a goal of ``RunPlayer.advance_to_next`` in a known frame after the first."""
    if goal == "queue":
        return _waiting_jobs(timeline, number - 1, lab) == 0 < _waiting_jobs(timeline, number, lab)
    owner = timeline.owner_of(number)
    if number == owner.first_frame and owner.parent is not None:
        owner = owner.parent.owner_of(number)  # a branch begins with the state at the end of the previous frame
    start, end = (timeline.value_at(at, "day", lab) for at in (number - 1, number))
    first = bisect_right(owner.bookmarks, start, key=_day_of)
    kind = BOOKMARKS_OF_GOALS[goal]
    days = itertools.takewhile(
        lambda day: day <= end, (mark.day for mark in owner.bookmarks[first:] if (mark.kind, mark.lab) == (kind, lab))
    )
    return any(True for _ in days)


def _waiting_jobs(timeline: Timeline, number: int, lab: str) -> float:
    uses = ("experiments_waiting", "training_waiting")
    return sum(timeline.value_at(number, use, lab) for use in uses)


def _day_of(mark: Bookmark) -> float:
    return mark.day


def recreation_cost(world: World) -> int:
    """Return the cost of running a world to its current state: its frames and records."""
    return world.steps + count_records(world)


def count_records(world: World) -> int:
    """Return the number of records of a world: ledger events and finished jobs."""
    return len(world.ledger) + sum(len(lab.compute.datacenter.records) for lab in world.labs.values())


def _bookmarks_in(events: list[ledger.Event]) -> Iterator[Bookmark]:
    for event in events:
        if isinstance(event, ledger.SoftwareDoubled):
            yield Bookmark(event.day, "doubling", event.n, event.lab)
        elif isinstance(event, ledger.TrainingRequested):
            yield Bookmark(event.day, "training", event.generation, event.lab)
        elif isinstance(event, ledger.Deployed):
            yield Bookmark(event.day, "deployed", event.deployed, event.lab)
        elif isinstance(event, ledger.TaskAutomated):
            yield Bookmark(event.day, "task", event.kind, event.lab)
        elif isinstance(event, ledger.ResearchAutomated):
            yield Bookmark(event.day, "asara", event.humans, event.lab)
        elif isinstance(event, ledger.GpusDelivered):
            nodes = event.inference + event.experiment + event.training
            yield Bookmark(event.day, "delivery", nodes, event.lab)
        elif isinstance(event, ledger.LabEnded):
            yield Bookmark(event.day, "end", 0.0, event.lab)
        elif isinstance(event, ledger.RestrictionsChanged):
            yield Bookmark(event.day, "order", float(bool(event.rules)), event.lab, event.rules)


def _alarm_bookmarks(alarms: Sequence[Alarm]) -> Iterator[Bookmark]:
    for alarm in alarms:
        yield Bookmark(alarm.day, "alarm", 0.0, alarm.lab, alarm.sentence)


def _evenly_spaced_rows(rows: int, max_rows: int) -> list[int]:
    """Return evenly spaced row numbers, including the last one."""
    stride = max(1, -(-rows // max_rows))
    kept = list(range(0, rows, stride))
    return kept if kept[-1] == rows - 1 else [*kept, rows - 1]
