"""Play a run forwards and backwards: step, seek and branch. No browser, no threads and no locks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

from experiments.window.change_summary import describe_changes, fingerprint
from experiments.window.frame import COLUMNS, Frame, frame_of
from experiments.window.researcher_history import history_of
from experiments.window.shown_lab import ShownLab
from experiments.window.timeline import (
    CacheUsage,
    Timeline,
    TimelineView,
    count_records,
    reached_in_known_frames,
)
from sim.events import Event
from sim.runner import RunResult, summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.world import Snapshot, World

Goal = Literal["doubling", "retraining", "queue", "task", "alarm", "order"]
GOALS: dict[Goal, str] = {
    "doubling": "doubling",
    "retraining": "training run",
    "queue": "new queue",
    "task": "newly automated task",
    "alarm": "new alarm",
    "order": "change of orders",
}

EVENTS_PER_PIECE = 1_000
"""Number of clock events in a piece of a move; a move can stop between pieces."""
MAX_PIECES_PER_FRAME = 10_000
"""Maximum number of pieces in one frame; the move then stops and continues on the next request."""
MAX_FRAMES = 100_000
"""Maximum number of frames of a run, which bounds the memory of its series."""
MAX_RECORDS = 500_000
"""Maximum number of ledger events and finished jobs of a run, at about 0.8 kB each."""
MAX_INDIVIDUALS = 50_000
"""Maximum number of individual researchers of a run, at about 2 kB each."""
MAX_TIMELINES = 4
MAX_COMPARED_PATH = MAX_TIMELINES - 2
"""Maximum number of timelines on the path to a frame from which two branches can be compared."""
COMPARED_DOUBLINGS = 4
"""Number of further doublings of software up to which compared branches run."""
MAX_COMPARED_FRAMES = 2_000
"""Maximum number of frames of a compared branch."""
CLOSED_MESSAGE = "this page is closed: load it again"
_TOO_FEW_GPUS = re.compile(r"^job (\d+) asks for (\d+) GPUs at once, and no more than (\d+) could be given$")
"""Message of the cluster about a job that a change leaves too few GPUs."""


PositionKey = tuple[int, int, int, int, str]
"""Run, timeline, frame, number of single events since the frame, and the shown lab."""


class SeekResult(NamedTuple):
    """The result of a move."""

    frame: Frame
    """Frame after the move."""
    done: bool
    """False if the move stopped before its target."""
    sentence: str
    """What happened, or why the move stopped."""


class PlayedRun(NamedTuple):
    """The record of all labs of a run."""

    scenario: Scenario
    """Scenario of all labs."""
    events: list[Event]
    series: dict[str, dict[str, list[float]]]
    """Series of each lab by name, one value a frame."""


class _Position(NamedTuple):
    """The current position, which may differ from the state of the world."""

    timeline: Timeline
    frame: Frame
    events: int = 0
    """Number of single events since that frame."""


class _SavedRun(NamedTuple):
    """The timelines and the position of the run before a reset."""

    seed: int
    run_number: int
    timelines: list[Timeline]
    next_index: int
    position: _Position
    lab: str
    """Name of the shown lab."""


class _MoveStoppedError(Exception):
    """A move cannot continue; the message gives the reason."""


AnswerT = TypeVar("AnswerT")


class RunPlayer:
    """Step, rewind and branch one run; its frames equal those of a headless run of (scenario, seed).

    Raises ScenarioError if the scenario cannot be run. Use a player in one thread at a time; it has no locks. A move
    works in pieces and calls `should_stop` between them. Memory is bounded by ``MAX_FRAMES``, ``MAX_RECORDS``,
    ``MAX_TIMELINES`` and the limits of a timeline.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.should_stop: Callable[[], bool] = lambda: False
        """Called before a move and between its pieces; the move stops if the result is True.

        The callback may call `history`, `digest`, `result` and `timelines`, but no moves.
        """
        self._run_counter = itertools.count()
        self._earlier_run: _SavedRun | None = None
        """Run before the last reset."""
        self._is_closed = self._is_between_pieces = False
        self._lab = ""
        """Name of the shown lab; empty for the only lab."""
        self._start_with(World(scenario, seed))

    def _start_with(self, world: World) -> None:
        self.seed = world.run_seed
        """Seed of all timelines."""
        self._run_number = next(self._run_counter)
        self._world, self._world_events = world, 0
        """The only live world, and the number of its events since its latest whole frame."""
        if self._lab not in world.labs:
            self._lab = next(iter(world.labs))
        self._world_timeline = first = Timeline(0, world, self._lab)
        """Timeline of the world."""
        self._timelines = [first]
        self._next_index = 1
        self._position = _Position(first, first.latest_frame)

    # State of the player

    @property
    def current_frame(self) -> Frame:
        """Frame at the current position."""
        return self._position.frame

    @property
    def position_key(self) -> PositionKey:
        """Key of the current position; equal keys mean equal positions."""
        timeline, frame, events = self._position
        return self._run_number, timeline.owner_of(frame.number).index, frame.number, events, self._lab

    @property
    def labs(self) -> tuple[str, ...]:
        """Names of the labs; an empty name for the only lab."""
        return self._position.timeline.labs

    @property
    def shown_lab(self) -> str:
        """Name of the lab that frames show in detail; empty for the only lab."""
        return self._lab

    @property
    def scenario(self) -> Scenario:
        """Scenario of the chosen timeline, with the changes of its branches."""
        return self._position.timeline.scenario

    @property
    def initial_scenario(self) -> Scenario:
        """Scenario of the first timeline."""
        return self._timelines[0].scenario

    @property
    def chosen_index(self) -> int:
        """Index of the chosen timeline."""
        return self._position.timeline.index

    @property
    def changes_text(self) -> str:
        """Changes of the chosen timeline and their day, in words; empty for the first run."""
        timeline = self._position.timeline
        return timeline.label if timeline.parent is not None else ""

    @property
    def last_known_frame(self) -> int:
        """Latest known frame of the chosen timeline."""
        return self._position.timeline.last_known_frame

    @property
    def is_over(self) -> bool:
        """Whether the run has ended at the current frame."""
        return self.current_frame.ending is not None

    @property
    def is_world_at_position(self) -> bool:
        """Whether the live World is at the current position, so that a question needs no second World."""
        timeline, frame, events = self._position
        return self._is_world_at(timeline.owner_of(frame.number), frame.number, events)

    @property
    def has_earlier(self) -> bool:
        """Whether the run before a reset can be restored."""
        return self._earlier_run is not None

    @property
    def stored_bytes(self) -> int:
        """Memory of all timelines, including those before a reset, without the live world [bytes]."""
        earlier = self._earlier_run.timelines if self._earlier_run is not None else []
        return sum(timeline.stored_bytes for timeline in [*self._timelines, *earlier])

    @property
    def cache_usage(self) -> tuple[CacheUsage, ...]:
        """Number and memory of the kept frames and checkpoints of each timeline, the first run first."""
        return tuple(timeline.cache_usage for timeline in self._timelines)

    def timelines(self, most: int = 2000) -> tuple[TimelineView, ...]:
        """Return all timelines for plots, the first run first, each with about ``most`` rows at most."""
        chosen = self._position.timeline
        return tuple(timeline.to_view(timeline is chosen, most, self._lab) for timeline in self._timelines)

    # Moves

    def step(self, frames: int = 1) -> SeekResult:
        """Advance by a number of whole frames; from between two frames, the first ends the current frame."""
        return self._run_move(lambda: self._step_frames(frames))

    def step_event(self) -> SeekResult:
        """Advance to the next event that changes visible state; the message describes the change."""
        return self._run_move(self._step_to_event)

    def advance_to_next(self, goal: Goal, frames: int = 5000) -> SeekResult:
        """Advance to the end of the frame that contains the goal, by at most ``frames`` frames.

        A queue is reached in the first frame with waiting jobs after a frame without any.
        """
        return self._run_move(lambda: self._advance_to_next(goal, frames))

    def rewind(self, frame: int) -> SeekResult:
        """Go to a known frame of the chosen timeline, restored exactly."""
        return self._run_move(lambda: self._seek(min(max(frame, 0), self.last_known_frame)))

    def seek(self, frame: int) -> SeekResult:
        """Go to a frame, known or not."""
        return self._run_move(lambda: self._seek(max(frame, 0)))

    def branch(self, frame: int, changes: dict[str, Any]) -> SeekResult:
        """Start a branch at a frame with other parameters and the same randomness, and keep the other timelines.

        If there are ``MAX_TIMELINES``, the oldest timeline without branches is dropped. Raises ScenarioError for
        changes that are not possible there, and if no timeline can be dropped.
        """
        return self._run_move(lambda: self._branch(frame, changes))

    def compare(self, first: dict[str, Any], second: dict[str, Any]) -> SeekResult:
        """Start two branches at the current frame, and run each up to ``COMPARED_DOUBLINGS`` further doublings.

        Raises ScenarioError for changes that are not possible there, and if there is no room for two branches.
        """
        return self._run_move(lambda: self._compare(first, second))

    def choose(self, index: int) -> SeekResult:
        """Continue along another timeline, at the same frame or its latest. Raises ScenarioError if it is unknown."""
        return self._run_move(lambda: self._choose(index))

    def show_lab(self, name: str) -> SeekResult:
        """Show another lab in detail from now on, at the same frame. Raises ScenarioError if it is unknown."""
        return self._run_move(lambda: self._show_lab(name))

    def reset(self, scenario: Scenario | None = None, seed: int | None = None) -> SeekResult:
        """Start a new run on day 0, with another scenario or seed if given, and without branches.

        Raises ScenarioError, and changes nothing, if the scenario cannot be run.
        """
        return self._run_move(lambda: self._reset(scenario, seed))

    def restore_earlier(self) -> SeekResult:
        """Return to the run before the last reset; the current run can be restored in the same way.

        Raises ScenarioError if there was no reset.
        """
        return self._run_move(self._restore_earlier)

    def close(self) -> None:
        """Release the world; later moves and questions raise ScenarioError."""
        if not self._is_closed:
            self._world.close()
            del self._world  # a page may hold the closed player for a while, and must not hold a world
        self._is_closed = True

    # Questions that need the world

    def history(self, researcher: int) -> list[tuple[float, str]]:
        """Return the history of a researcher of the shown lab so far: days and sentences, oldest first."""
        return self._query_world(lambda world: history_of(ShownLab(world, self._lab), researcher))

    def digest(self) -> str:
        """Return the digest of the run so far, equal to that of a headless run that stops here."""
        return self._query_world(World.digest)

    def snapshot(self) -> Snapshot | None:
        """Return a snapshot of the current position; None if `should_stop` came first."""
        self._raise_if_closed()
        timeline, frame, events = self._position
        try:
            self._stop_if_requested()
            self._advance_world_to(timeline, frame.number, events)
        except _MoveStoppedError:
            return None
        return self._world.snapshot()

    def result(self) -> RunResult:
        """Return the run of the shown lab so far as a result that later moves do not change."""
        return self._query_world(lambda world: _copy_result(world, self._lab))

    def record(self) -> PlayedRun:
        """Return the events and series of all labs so far, which later moves do not change."""
        return self._query_world(_copy_record)

    def _query_world(self, question: Callable[[World], AnswerT]) -> AnswerT:
        """Answer a question at the current position; between two pieces of a move the world stays where it is."""
        self._raise_if_closed()
        timeline, frame, events = self._position
        owner = timeline.owner_of(frame.number)
        live = self._world, self._world_events, self._world_timeline
        needs_second_world = self._is_between_pieces and not self.is_world_at_position
        if needs_second_world:
            world = owner.restore_world(owner.checkpoint_before(frame.number))
            self._world, self._world_events, self._world_timeline = world, 0, owner
        try:
            self._advance_world_to(timeline, frame.number, events, can_stop=False)
            return question(self._world)
        finally:
            if needs_second_world:
                self._world.close()
                self._world, self._world_events, self._world_timeline = live

    # Execution of a move

    def _run_move(self, work: Callable[[], str]) -> SeekResult:
        """Execute a move that returns its message."""
        self._raise_if_closed()
        try:
            self._stop_if_requested()
            sentence = work()
        except _MoveStoppedError as reason:
            return SeekResult(self.current_frame, False, str(reason))
        return SeekResult(self.current_frame, True, sentence)

    def _stop_if_requested(self) -> None:
        """Stop the move if `should_stop` requests it."""
        self._is_between_pieces = True
        try:
            if self.should_stop():
                raise _MoveStoppedError("Stopped: another move was requested.")
        finally:
            self._is_between_pieces = False

    def _step_frames(self, frames: int) -> str:
        target = self.current_frame.number + frames
        while self.current_frame.number < target:
            self._stop_if_requested()
            self._raise_if_over()
            self._set_position(self._position.timeline, self.current_frame.number + 1)
        return f"Day {self.current_frame.day:.6g}."

    def _seek(self, number: int) -> str:
        timeline = self._position.timeline
        while timeline.last_known_frame < number and timeline.final_frame is None:
            self._stop_if_requested()
            self._ensure_frame(timeline, timeline.last_known_frame + 1)
            self._position = _Position(timeline, timeline.latest_frame)
        self._set_position(timeline, min(number, timeline.last_known_frame))
        if number > self.current_frame.number:
            raise _MoveStoppedError(
                f"The run ended on day {self.current_frame.day:.6g} with frame {self.current_frame.number:,}."
            )
        return f"Day {self.current_frame.day:.6g}."

    def _step_to_event(self) -> str:
        self._raise_if_over()
        timeline, frame, events = self._position
        self._advance_world_to(timeline, frame.number, events)
        before = fingerprint(self._world)
        for last in range(events + 1, events + MAX_PIECES_PER_FRAME * EVENTS_PER_PIECE + 1):
            if self._run_events(1):
                sentence = describe_changes(self._world, before)
                self._set_position(timeline, frame.number + 1)
                return sentence or "The frame has ended without a visible change."
            if sentence := describe_changes(self._world, before):
                self._position = _Position(timeline, self._frame_between_frames(), last)
                return sentence
            if last % EVENTS_PER_PIECE == 0:
                self._stop_if_requested()
        self._position = _Position(timeline, self._frame_between_frames(), last)
        raise _MoveStoppedError(f"No visible change in {last - events:,} events. Press Event again to continue.")

    def _frame_between_frames(self) -> Frame:
        return frame_of(self._world, is_between_frames=True, lab=self._lab)

    def _advance_to_next(self, goal: Goal, frames: int) -> str:
        self._raise_if_over()
        timeline, start = self._position.timeline, self.current_frame.number
        for number in range(start + 1, start + frames + 1):
            self._stop_if_requested()
            if number > timeline.last_known_frame:
                if timeline.final_frame is not None:
                    break
                self._ensure_frame(timeline, number)
                self._position = _Position(timeline, timeline.latest_frame)
            if reached_in_known_frames(goal, timeline, number, self._lab):
                self._set_position(timeline, number)
                return f"Day {self.current_frame.day:.6g}: a {GOALS[goal]}{self._of_lab}."
        self._set_position(timeline, min(start + frames, timeline.last_known_frame))
        why = "the run is over" if self.is_over else f"none came in {frames:,} frames"
        raise _MoveStoppedError(f"No {GOALS[goal]}{self._of_lab} up to day {self.current_frame.day:.6g}: {why}.")

    @property
    def _of_lab(self) -> str:
        return f" of {self._lab}" if self._lab else ""

    def _branch(self, frame: int, changes: dict[str, Any]) -> str:
        self.scenario.replace(**changes)  # report invalid changes before the position moves
        self._seek(frame)
        timeline = self._position.timeline
        if timeline.parent is not None and frame == timeline.first_frame:
            # Branches at the same frame share one parent, so that any of them can be dropped.
            timeline, changes = timeline.parent, {**timeline.changes, **changes}
        self._advance_world_to(timeline, frame)
        kept = self._timelines_with_room()
        dropped = next((each for each in self._timelines if each not in kept), None)
        if self._world.ending is not None and len(self._world.labs) > 1:
            raise ScenarioError(
                f"this run of several labs is over ({self._world.ending.ending}); allowed: a branch from an earlier "
                "frame. Rewind, then branch"
            )
        try:
            world = self._world.branch(**changes)
        except ScenarioError as error:
            raise ScenarioError(_branch_error(self._world, str(error))) from None
        branch = Timeline(self._next_index, world, self._lab, timeline.owner_of(frame), changes)
        self._next_index += 1
        self._timelines = [*kept, branch]
        self._adopt_world(world, branch)
        self._position = _Position(branch, branch.latest_frame)
        drop_note = (
            f"; the oldest branch without branches of its own was dropped ({dropped.label})"
            if dropped is not None
            else ""
        )
        return f"From day {world.now:.6g} on, {branch.label.partition(': ')[2]}{drop_note}."

    def _compare(self, *changes: dict[str, Any]) -> str:
        timeline, frame = self._position.timeline, self.current_frame.number
        if len(timeline.path) > MAX_COMPARED_PATH:
            raise ScenarioError(
                f"this branch has {len(timeline.path) - 1} branches before it; allowed: at most "
                f"{MAX_COMPARED_PATH - 1}, so that two more can be kept. Choose an earlier branch, then compare"
            )
        branches = []
        for change in changes:
            self._set_position(timeline, frame)
            self._branch(frame, change)
            branches.append(self._position.timeline)
        for branch in branches:
            self._run_doublings(branch)
        self._set_position(branches[0], min(branch.last_known_frame for branch in branches))
        return f"Compared two branches from day {branches[0].first_day:.6g} on."

    def _run_doublings(self, branch: Timeline) -> None:
        """Run a branch up to ``COMPARED_DOUBLINGS`` further doublings of the shown lab."""
        for number in range(branch.first_frame, branch.first_frame + MAX_COMPARED_FRAMES + 1):
            self._stop_if_requested()
            self._ensure_frame(branch, number)
            self._position = _Position(branch, branch.latest_frame)
            reached = sum((mark.kind, mark.lab) == ("doubling", self._lab) for mark in branch.bookmarks)
            if reached >= COMPARED_DOUBLINGS or branch.final_frame is not None:
                return

    def _timelines_with_room(self) -> list[Timeline]:
        """Return the timelines that remain if one more is added."""
        kept = self._timelines
        if len(kept) < MAX_TIMELINES:
            return kept
        needed = {id(timeline.parent) for timeline in kept} | {id(self._position.timeline)}
        oldest = next((timeline for timeline in kept if id(timeline) not in needed), None)
        if oldest is None:
            raise ScenarioError(
                f"{MAX_TIMELINES} branches are kept, and each has a branch of its own. Press Start anew to make room."
            )
        return [timeline for timeline in kept if timeline is not oldest]

    def _choose(self, index: int) -> str:
        timeline = next((each for each in self._timelines if each.index == index), None)
        if timeline is None:
            raise ScenarioError(f"there is no branch {index}")
        self._set_position(timeline, min(self.current_frame.number, timeline.last_known_frame))
        return f"{timeline.label}, day {self.current_frame.day:.6g}."

    def _show_lab(self, name: str) -> str:
        timeline, frame, events = self._position
        if name not in self.labs:
            raise ScenarioError(f"there is no lab '{name[:40]}'; allowed: {', '.join(self.labs)}. Choose one of them")
        self._advance_world_to(timeline, frame.number, events)
        self._lab = name
        if events:
            self._position = _Position(timeline, self._frame_between_frames(), events)
        else:
            self._set_position(timeline, frame.number)
        return f"{name}, day {self.current_frame.day:.6g}."

    def _reset(self, scenario: Scenario | None, seed: int | None) -> str:
        world = World(scenario or self._timelines[0].scenario, self.seed if seed is None else seed)
        self._earlier_run = self._save_run()
        self._world.close()
        self._start_with(world)
        return "Day 0."

    def _save_run(self) -> _SavedRun:
        return _SavedRun(
            self.seed,
            self._run_number,
            self._timelines,
            self._next_index,
            self._position._replace(events=0),
            self._lab,
        )

    def _restore_earlier(self) -> str:
        if self._earlier_run is None:
            raise ScenarioError("there is no earlier run to bring back")
        earlier, self._earlier_run = self._earlier_run, self._save_run()
        self.seed, self._run_number, self._timelines, self._next_index, self._position, self._lab = earlier
        timeline, number = self._position.timeline, self._position.frame.number
        owner = timeline.owner_of(number)
        self._adopt_world(owner.restore_world(owner.checkpoint_before(number)), owner)
        self._set_position(timeline, number)
        return f"Back to seed {self.seed}, day {self.current_frame.day:.6g}."

    def _raise_if_closed(self) -> None:
        if self._is_closed:
            raise ScenarioError(CLOSED_MESSAGE)

    def _raise_if_over(self) -> None:
        if self.is_over:
            raise _MoveStoppedError("The run is over. Rewind, branch from an earlier frame, or start anew.")

    # Position of the world

    def _set_position(self, timeline: Timeline, number: int) -> None:
        """Set the position to a frame that is known, or to the next one."""
        self._ensure_frame(timeline, number)
        owner = timeline.owner_of(number)
        frame = owner.kept_frame(number, self._lab)
        if frame is None:
            self._advance_world_to(timeline, number)
            frame = owner.capture_frame(self._world, self._lab)
        self._position = _Position(timeline, frame)

    def _ensure_frame(self, timeline: Timeline, number: int) -> None:
        """Compute the row of a frame if it is missing; the frame is at most the next one."""
        if number > timeline.last_known_frame:
            if number > MAX_FRAMES:
                raise _MoveStoppedError(f"A run has at most {MAX_FRAMES:,} frames here. Increase run__sample_days.")
            if count_records(self._world) > MAX_RECORDS:
                raise _MoveStoppedError(
                    f"A run has at most {MAX_RECORDS:,} papers, jobs and other events here. Use `asara run`."
                )
            if sum(len(lab.workforce.researchers) for lab in self._world.labs.values()) > MAX_INDIVIDUALS:
                raise _MoveStoppedError(
                    f"A run has at most {MAX_INDIVIDUALS:,} individual researchers here. Lower run__max_individuals."
                )
            self._advance_world_to(timeline, number)

    def _advance_world_to(self, timeline: Timeline, number: int, events: int = 0, can_stop: bool = True) -> None:
        """Advance the world to a frame and a number of further events, if necessary from a checkpoint."""
        owner = timeline.owner_of(number)
        pieces = 0
        while not self._is_world_at(owner, number, events):
            start = owner.checkpoint_before(number)
            if (
                self._world_timeline is not owner
                or self._world_position > (number, events)
                or self._world.steps < start
            ):
                self._restore_checkpoint(owner, start)
            elif self._run_events(events - self._world_events if self._world.steps == number else EVENTS_PER_PIECE):
                pieces = 0
            else:
                pieces += 1
                if pieces > MAX_PIECES_PER_FRAME and self._world.steps >= owner.last_known_frame:
                    raise _MoveStoppedError(
                        f"More than {MAX_PIECES_PER_FRAME * EVENTS_PER_PIECE:,} events in one frame. Press Step again."
                    )
            if can_stop and not self._is_world_at(owner, number, events):
                self._stop_if_requested()

    def _is_world_at(self, owner: Timeline, number: int, events: int) -> bool:
        return self._world_timeline is owner and self._world_position == (number, events)

    @property
    def _world_position(self) -> tuple[int, int]:
        return self._world.steps, self._world_events

    def _run_events(self, most: int) -> bool:
        """Run at most ``most`` events; return whether the frame has ended."""
        assert self._world.ending is None, "nothing comes after the end"
        over = self._world.step_events(most)
        self._world_events = 0 if over else self._world_events + most
        if over:
            self._world_timeline.record(self._world, self._lab)
        return over

    def _restore_checkpoint(self, owner: Timeline, frame: int) -> None:
        """Replace the world by one restored from a checkpoint."""
        if not self._world_events:
            self._world_timeline.keep_checkpoint_if_costly(self._world)
        self._adopt_world(owner.restore_world(frame), owner)

    def _adopt_world(self, world: World, home: Timeline) -> None:
        self._world.close()
        self._world, self._world_events, self._world_timeline = world, 0, home


def _branch_error(world: World, sentence: str) -> str:
    """Return why a branch is refused; for a job with too few GPUs, which job it is and when it ends."""
    found = _TOO_FEW_GPUS.search(sentence)
    if found is None:
        return sentence
    number, gpus, most = map(int, found.groups())
    pools = (pool for lab in world.labs.values() for pool in lab.compute.datacenter.pools.values())
    jobs = [job for pool in pools for job in pool.jobs() if job.number == number]
    if len(jobs) > 1 and len(world.labs) > 1:  # several labs have a job of this number
        return sentence
    job = jobs[0]
    what = "a training run" if job.use == "training" else "an experiment"
    state = "waits for" if not job.allocation else "holds"
    then = f", or branch after day {job.planned_end:,.1f}, when it ends" if job.allocation else ""
    return f"{what} {state} {gpus:,} GPUs and could have at most {most:,}; give its pool more GPUs{then}"


def _copy_result(world: World, lab: str) -> RunResult:
    result = summarise(world, lab)
    series = {name: list(column) for name, column in result.series.items()}
    return result._replace(series=series, events=list(result.events), jobs=list(result.jobs))


def _copy_record(world: World) -> PlayedRun:
    series = {name: {each: list(ShownLab(world, name).series(each)) for each in COLUMNS} for name in world.labs}
    return PlayedRun(world.scenario, list(world.ledger), series)
