"""One future of a journey: where it begins, what was seen in it, and moments from which it can be run again."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import mesa

from experiments.text.number_format import toml_value
from experiments.window.frame import COLUMNS, Frame, frame_of
from experiments.window.thinning_cache import ThinningCache, pack, unpack
from sim import events as ledger
from sim.scenario.model import Scenario
from sim.world import World

MAX_FRAME_BYTES = 16 << 20
"""Of the frames of one future, packed."""
MAX_SNAPSHOT_BYTES = 32 << 20
"""Of the moments of one future, packed."""
BYTES_AN_EFFORT = 50
"""A moment is kept when the effort since the last one, times this, comes to the bytes of that one: so keeping moments
costs less than running does, and going back takes about as long as it took to get there from the moment before."""
MIN_EFFORT = 300
"""Between two moments that are kept."""


class Bookmark(NamedTuple):
    """Something on the time axis of a future."""

    day: float
    kind: Literal["doubling", "training", "deployed"]
    value: float
    """Doublings of software that are discovered, the generation that is trained, or doublings that are deployed."""


@dataclass(frozen=True)
class TimelineView:
    """A future as plots show it: columns of equal length, and what happened on the way."""

    index: int
    label: str
    """The first run, or what was changed and when."""
    chosen: bool
    """Whether the journey moves along it."""
    parent: int | None
    """The future it branched from."""
    from_frame: int
    changes: dict[str, Any]
    frames: int
    """The latest frame that is known; its rows begin at ``from_frame``."""
    columns: dict[str, list[float]]
    """The reporters of sim.reporters by name, thinned to at most so many rows; "frame" is the number of each row."""
    marks: tuple[Bookmark, ...]


class Timeline:
    """One future, from day 0 or from a branch on. It holds no World: one is made of it for any frame."""

    def __init__(self, index: int, world: World, parent: Timeline | None = None, changes: dict[str, Any] | None = None):
        self.index = index
        self.parent = parent
        self.changes = changes or {}
        self.scenario: Scenario = world.scenario
        self.first = world.steps
        """The frame with which it begins."""
        self.known = world.steps - 1
        """The latest frame of which there is a row."""
        self.over: int | None = None
        """The frame with which it ends, once that is known."""
        self.marks: list[Bookmark] = []
        self._began = pack(world.snapshot())
        self._day = world.now
        self._frames = ThinningCache(MAX_FRAME_BYTES)
        self._moments = ThinningCache(MAX_SNAPSHOT_BYTES)
        self._columns = {name: array("d") for name in COLUMNS}
        self._events_seen = len(world.ledger)
        self._kept_at, self._kept_bytes = effort(world), len(self._began)
        self.latest = self.picture(world)
        """The frame that was pictured last."""
        self._write(world, self.latest)

    @property
    def bytes(self) -> int:
        """What it keeps, all together."""
        rows = sum(len(column) * column.itemsize for column in self._columns.values())
        return len(self._began) + self._frames.bytes + self._moments.bytes + rows

    @property
    def label(self) -> str:
        """The first run, or when it left it and all that is otherwise since."""
        if self.parent is None:
            return self.scenario.name
        changes: dict[str, Any] = {}
        future: Timeline | None = self
        while future is not None:
            changes = {**future.changes, **changes}
            future = future.parent
        changed = ", ".join(f"{name} = {toml_value(value)}" for name, value in changes.items())
        return f"from day {self._day:.6g}: {changed or 'no change'}"

    def owner(self, number: int) -> Timeline:
        """Return the future to which a frame belongs: this one, or one that it branched from."""
        future = self
        while number < future.first and future.parent is not None:
            future = future.parent
        return future

    def frame(self, number: int) -> Frame | None:
        """Return a frame of its own if it is kept."""
        if self.latest.number == number:
            return self.latest
        frame: Frame | None = self._frames.get(number)
        return frame

    def note(self, world: World) -> None:
        """Take down a world that stands on a whole frame, if that is new, and now and then the whole moment."""
        if world.steps > self.known:
            self._write(world, self.picture(world))
        if effort(world) - self._kept_at >= max(MIN_EFFORT, self._kept_bytes // BYTES_AN_EFFORT):
            self._keep(world)

    def picture(self, world: World) -> Frame:
        """Return the frame on which a world stands, and keep it."""
        self.latest = frame = frame_of(world)
        self._frames.put(frame.number, frame)
        return frame

    def leave(self, world: World) -> None:
        """Keep the moment of a world that is left on a whole frame, if much had to be run again to come back."""
        if effort(world) - self._kept_at >= MIN_EFFORT and self._moments.at_or_before(world.steps) != world.steps:
            self._keep(world)

    def _keep(self, world: World) -> None:
        self._kept_bytes = self._moments.put(world.steps, world.snapshot())
        self._kept_at = effort(world)

    def _write(self, world: World, frame: Frame) -> None:
        for name, value in zip(COLUMNS, frame.values, strict=True):
            self._columns[name].append(value)
        self.marks += _marks(world.ledger[self._events_seen :])
        self._events_seen = len(world.ledger)
        if world.ending is not None:
            self.over = frame.number
        self.known = frame.number  # last, for those who read meanwhile

    def moment_before(self, number: int) -> int:
        """Return the latest frame up to this one at which a world can be had at once."""
        kept = self._moments.at_or_before(number)
        return self.first if kept is None else kept

    def world_at(self, number: int) -> World:
        """Return a world at one of those frames, made anew."""
        world = World.restore(self._moments.get(number) or unpack(self._began))
        self._kept_at = effort(world)
        return world

    def value(self, number: int, column: str) -> float:
        """Return what a reporter saw at a frame that is known."""
        owner = self.owner(number)
        return owner._columns[column][number - owner.first]

    def view(self, chosen: bool, most: int) -> TimelineView:
        """Return it as plots show it, of at most about so many rows. Rows are only ever added, so no lock is needed."""
        rows = self.known - self.first + 1
        kept = _thinned(rows, most)
        columns = {name: [column[at] for at in kept] for name, column in self._columns.items()}
        columns["frame"] = [float(self.first + at) for at in kept]
        parent = None if self.parent is None else self.parent.index
        return TimelineView(
            self.index,
            self.label,
            chosen,
            parent,
            self.first,
            dict(self.changes),
            self.known,
            columns,
            tuple(self.marks),
        )


def comes(goal: str, future: Timeline, number: int) -> bool:
    """Return whether a doubling, a retraining or a new queue comes in a frame that is known, after the first."""
    if goal == "queue":
        return _waiting(future, number - 1) == 0 < _waiting(future, number)
    owner = future.owner(number)
    if number == owner.first and owner.parent is not None:
        owner = owner.parent.owner(number)  # a branch begins with the moment that ends the frame before
    start, end = (future.value(at, "day") for at in (number - 1, number))
    first = bisect_right(owner.marks, start, key=_day)
    kind = "doubling" if goal == "doubling" else "training"
    days = itertools.takewhile(lambda day: day <= end, (mark.day for mark in owner.marks[first:] if mark.kind == kind))
    return any(True for _ in days)


def _waiting(future: Timeline, number: int) -> float:
    return future.value(number, "experiments_waiting") + future.value(number, "training_waiting")


def _day(mark: Bookmark) -> float:
    return mark.day


def effort(world: World) -> int:
    """Return what it took to run a world so far: its frames, and what happened."""
    return world.steps + facts(world)


def facts(world: World) -> int:
    """Return how much has happened in a world: events of the ledger, and jobs that are over."""
    return len(world.ledger) + len(world.datacenter.records)


def forget(world: World) -> None:
    """Let go of a world that nobody needs any more: Mesa counts agents in a class attribute that would keep it."""
    mesa.Agent._ids.pop(world, None)


def _marks(events: list[ledger.Event]) -> Iterator[Bookmark]:
    for event in events:
        if isinstance(event, ledger.SoftwareDoubled):
            yield Bookmark(event.day, "doubling", event.n)
        elif isinstance(event, ledger.TrainingRequested):
            yield Bookmark(event.day, "training", event.generation)
        elif isinstance(event, ledger.Deployed):
            yield Bookmark(event.day, "deployed", event.deployed)


def _thinned(rows: int, most: int) -> list[int]:
    """Evenly spaced rows, the last one among them."""
    stride = max(1, -(-rows // most))
    kept = list(range(0, rows, stride))
    return kept if kept[-1] == rows - 1 else [*kept, rows - 1]
