"""A journey: a World, its frames and its other futures, forwards and backwards. No browser, no thread of its own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator
from threading import RLock
from typing import Any, Literal, NamedTuple, TypeVar

from experiments.window.change_summary import changed, fingerprint
from experiments.window.frame import Frame, frame_of
from experiments.window.researcher_history import life_of
from experiments.window.timeline import Timeline, TimelineView, comes, facts, forget
from sim.runner import RunResult, summarise
from sim.scenario.model import Scenario, ScenarioError
from sim.world import Snapshot, World

Goal = Literal["doubling", "retraining", "queue"]
GOALS: dict[Goal, str] = {"doubling": "doubling", "retraining": "training run", "queue": "new queue"}

EVENTS_A_PIECE = 1_000
"""Events of the clock between two looks at whether the move is to stop."""
MAX_PIECES = 10_000
"""Such pieces in one frame: then the move stops, and goes on when it is asked for again."""
MAX_FRAMES = 100_000
"""Of one run: the rows of its series would take more memory than one browser should."""
MAX_FACTS = 500_000
"""Events of the ledger and jobs that are over, of one run, for the same reason: about 0.8 kB each."""
MAX_INDIVIDUALS = 50_000
"""Researchers who are followed one by one, of one run, for the same reason: about 2 kB each."""
MAX_FUTURES = 4
_TOO_FEW = re.compile(r"^job (\d+) asks for (\d+) GPUs at once, and no more than (\d+) could be given$")
"""What a cluster says of a job that a change leaves too few GPUs."""


class SeekResult(NamedTuple):
    """What came of a move."""

    frame: Frame
    """Where the journey stands now."""
    done: bool
    """False: it stopped before it was where it was to go."""
    sentence: str
    """What happened, or why it stopped."""


class _Place(NamedTuple):
    """Where the journey stands, which need not be where its world is."""

    future: Timeline
    frame: Frame
    events: int = 0
    """Single events since that frame."""


class _Timeline(NamedTuple):
    """All that a journey had before it began anew."""

    seed: int
    beginning: int
    futures: list[Timeline]
    next_index: int
    place: _Place


class _StopError(Exception):
    """A move cannot go on; the message says why."""


Work = Generator[None, None, str]
"""A move in pieces; it returns what happened. Between two pieces the world may be taken elsewhere."""
Answer = TypeVar("Answer")


class RunPlayer:
    """One run that can be stepped, rewound and branched: the same frames as a headless run of (scenario, seed).

    Raises ScenarioError if the scenario cannot be run. All methods may be called from any thread. A move works in
    pieces: `cancel`, or the next move, makes it stop after the piece that is at work. Memory is bounded: see
    MOST_FRAMES, MOST_FACTS, MOST_FUTURES, and what a future keeps.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.on_way: Callable[[], None] = lambda: None
        """Is called between the pieces of a move, in its thread."""
        self._lock = RLock()
        self._beginnings = itertools.count()
        self._earlier: _Timeline | None = None
        """What was left when it last began anew."""
        self._numbers = itertools.count(1)
        self._move = 0
        """The number of the latest move; a move that is not it any more stops."""
        self._closed = False
        self._begin(World(scenario, seed))

    def _begin(self, world: World) -> None:
        self.seed = world.run_seed
        """Of all futures."""
        self._beginning = next(self._beginnings)
        self._world, self._events = world, 0
        """The one world that is alive, and how many events it is beyond its latest whole frame."""
        self._home = first = Timeline(0, world)
        """The future in which the world stands."""
        self._futures = [first]
        self._next_index = 1
        self._place = _Place(first, first.latest)

    # What there is to see, whatever is at work

    @property
    def current(self) -> Frame:
        """The frame on which the journey stands."""
        return self._place.frame

    @property
    def moment(self) -> tuple[int, int, int, int]:
        """What the current moment is told apart by: another value is another moment."""
        future, frame, events = self._place
        return self._beginning, future.owner(frame.number).index, frame.number, events

    @property
    def scenario(self) -> Scenario:
        """The scenario of the chosen future, with the changes of its branches."""
        return self._place.future.scenario

    @property
    def first(self) -> Scenario:
        """The scenario with which it began."""
        return self._futures[0].scenario

    @property
    def chosen(self) -> int:
        """The index of the chosen future."""
        return self._place.future.index

    @property
    def turns(self) -> str:
        """What is otherwise in the chosen future and since when, in words; empty for the first run."""
        future = self._place.future
        return future.label if future.parent is not None else ""

    @property
    def last(self) -> int:
        """The latest frame of the chosen future that is known: the right end of the timeline."""
        return self._place.future.known

    @property
    def over(self) -> bool:
        """Whether nothing comes after the current frame."""
        return self.current.ending is not None

    @property
    def has_earlier(self) -> bool:
        """Whether there is an earlier timeline to bring back."""
        return self._earlier is not None

    @property
    def bytes(self) -> int:
        """What is kept of all futures, earlier ones included; the one world that is alive comes on top."""
        earlier = self._earlier.futures if self._earlier is not None else []
        return sum(future.bytes for future in [*self._futures, *earlier])

    def futures(self, most: int = 2000) -> tuple[TimelineView, ...]:
        """Return all futures as plots show them, the first run first; of each at most about so many rows.

        It waits for the piece of a move that is at work.
        """
        with self._lock:
            chosen, futures = self._place.future, self._futures
        return tuple(future.view(future is chosen, most) for future in futures)

    # Moves

    def step(self, frames: int = 1) -> SeekResult:
        """Go on by so many whole frames; from between two, the first is the one that has begun."""
        return self._do(lambda: self._steps(frames))

    def step_event(self) -> SeekResult:
        """Go on to the next event that changes something that can be seen; the sentence says what."""
        return self._do(self._event)

    def to_next(self, goal: Goal, frames: int = 5000) -> SeekResult:
        """Go on to the end of the frame in which the goal comes, by at most so many frames.

        For a queue: the first frame in which somebody waits after one in which nobody did.
        """
        return self._do(lambda: self._to_next(goal, frames))

    def rewind(self, frame: int) -> SeekResult:
        """Stand on a frame of the chosen future that is known, exactly as it was."""
        return self._do(lambda: self._to(min(max(frame, 0), self.last)))

    def go_to(self, frame: int) -> SeekResult:
        """Stand on a frame, whether it is known or is still to come."""
        return self._do(lambda: self._to(max(frame, 0)))

    def branch(self, frame: int, changes: dict[str, Any]) -> SeekResult:
        """Go on from a frame with other parameters and the same luck; the futures so far stay beside it.

        Where there are MOST_FUTURES, the oldest goes that nothing branched from. Raises ScenarioError for changes that
        cannot be made there, and where none can go.
        """
        return self._do(lambda: self._branch(frame, changes))

    def choose(self, index: int) -> SeekResult:
        """Move along another future from here on, on the same frame or its latest. Raises ScenarioError for none."""
        return self._do(lambda: self._choose(index))

    def reset(self, scenario: Scenario | None = None, seed: int | None = None) -> SeekResult:
        """Begin again on day 0, with another scenario or seed if given, and without branches.

        Raises ScenarioError, and changes nothing, if the scenario cannot be run.
        """
        return self._do(lambda: self._reset(scenario, seed))

    def bring_back(self) -> SeekResult:
        """Stand again where it stood before it began anew; what it has now can be brought back in turn.

        Raises ScenarioError if it never began anew.
        """
        return self._do(self._bring_back)

    def cancel(self) -> None:
        """Make the move that is at work stop after its piece."""
        self._move = next(self._numbers)

    def close(self) -> None:
        """Stop the move that is at work and free the world; later moves and questions raise ScenarioError.

        It waits for the piece of a move that is at work.
        """
        self.cancel()
        with self._lock:
            if not self._closed:
                forget(self._world)
                del self._world  # a timer may keep the journey for a moment, and must keep no world
            self._closed = True

    # What takes the world itself

    def life(self, researcher: int) -> list[tuple[float, str]]:
        """Return what a researcher has done up to here: days and sentences, the oldest first."""
        return self._ask(lambda world: life_of(world, researcher))

    def digest(self) -> str:
        """Return the digest of the run up to here, as of a headless run that stops here."""
        return self._ask(World.digest)

    def snapshot(self) -> Snapshot | None:
        """Return the current moment, or None if another move or :meth:`cancel` came before it was reached."""
        found: list[Snapshot] = []

        def work() -> Work:
            future, frame, events = self._place
            yield from self._bring(future, frame.number, events)
            found.append(self._world.snapshot())
            return ""

        self._do(work)
        return found[0] if found else None

    def result(self) -> RunResult:
        """Return the run up to here as a result of its own, which later moves leave alone."""
        return self._ask(_result)

    def _ask(self, question: Callable[[World], Answer]) -> Answer:
        with self._lock:
            self._refuse_if_closed()
            place = self._place
            for _ in self._bring(place.future, place.frame.number, place.events):
                pass
            return question(self._world)

    # How a move works

    def _do(self, work: Callable[[], Work]) -> SeekResult:
        self._move = mine = next(self._numbers)
        pieces: Work | None = None
        while True:
            self.on_way()
            with self._lock:
                self._refuse_if_closed()
                if self._move != mine:
                    return SeekResult(self.current, False, "Stopped: something else was asked for.")
                try:
                    pieces = pieces or work()
                    next(pieces)
                except StopIteration as over:
                    return SeekResult(self.current, True, over.value)
                except _StopError as reason:
                    return SeekResult(self.current, False, str(reason))

    def _steps(self, frames: int) -> Work:
        target = self.current.number + frames
        while self.current.number < target:
            self._refuse_if_over()
            yield from self._stand_on(self._place.future, self.current.number + 1)
            yield
        return f"Day {self.current.day:.6g}."

    def _to(self, number: int) -> Work:
        future = self._place.future
        while future.known < number and future.over is None:
            yield from self._know(future, future.known + 1)
            self._place = _Place(future, future.latest)
        yield from self._stand_on(future, min(number, future.known))
        if number > self.current.number:
            raise _StopError(f"The run is over on day {self.current.day:.6g}, with frame {self.current.number:,}.")
        return f"Day {self.current.day:.6g}."

    def _event(self) -> Work:
        self._refuse_if_over()
        future, frame, events = self._place
        yield from self._bring(future, frame.number, events)
        before = fingerprint(self._world)
        for last in range(events + 1, events + MAX_PIECES * EVENTS_A_PIECE + 1):
            if self._pass_events(1):
                sentence = changed(self._world, before)
                yield from self._stand_on(future, frame.number + 1)
                return sentence or "The frame is over, and nothing that can be seen happened before its end."
            if sentence := changed(self._world, before):
                self._place = _Place(future, frame_of(self._world, between=True), last)
                return sentence
            if last % EVENTS_A_PIECE == 0:
                yield
                yield from self._bring(future, frame.number, last)
        self._place = _Place(future, frame_of(self._world, between=True), last)
        raise _StopError(f"Nothing that can be seen has happened in {last - events:,} events: ask again to go on.")

    def _to_next(self, goal: Goal, frames: int) -> Work:
        self._refuse_if_over()
        future, start = self._place.future, self.current.number
        for number in range(start + 1, start + frames + 1):
            if number > future.known:
                if future.over is not None:
                    break
                yield from self._know(future, number)
                self._place = _Place(future, future.latest)
            if comes(goal, future, number):
                yield from self._stand_on(future, number)
                return f"Day {self.current.day:.6g}: a {GOALS[goal]}."
        yield from self._stand_on(future, min(start + frames, future.known))
        why = "the run is over" if self.over else f"none came in {frames:,} frames"
        raise _StopError(f"No {GOALS[goal]} up to day {self.current.day:.6g}: {why}.")

    def _branch(self, frame: int, changes: dict[str, Any]) -> Work:
        self.scenario.replace(**changes)  # what can be said at once is said before anything moves
        yield from self._to(frame)
        future = self._place.future
        if future.parent is not None and frame == future.first:
            # Futures that begin together hang on the one that they left, not on each other: any can be dropped.
            future, changes = future.parent, {**future.changes, **changes}
        yield from self._bring(future, frame)
        kept = self._with_room()
        gone = next((each for each in self._futures if each not in kept), None)
        try:
            world = self._world.branch(**changes)
        except ScenarioError as error:
            raise ScenarioError(_refusal(self._world, str(error))) from None
        branch = Timeline(self._next_index, world, future.owner(frame), changes)
        self._next_index += 1
        self._futures = [*kept, branch]
        self._take(world, branch)
        self._place = _Place(branch, branch.latest)
        made_room = f"; the oldest future without branches made room ({gone.label})" if gone is not None else ""
        return f"From day {world.now:.6g} on, {branch.label.partition(': ')[2]}{made_room}."

    def _with_room(self) -> list[Timeline]:
        """The futures that stay when one more comes."""
        kept = self._futures
        if len(kept) < MAX_FUTURES:
            return kept
        needed = {id(future.parent) for future in kept} | {id(self._place.future)}
        oldest = next((future for future in kept if id(future) not in needed), None)
        if oldest is None:
            raise ScenarioError(
                f"{MAX_FUTURES} futures are kept, each branched from the one before: Start anew makes room"
            )
        return [future for future in kept if future is not oldest]

    def _choose(self, index: int) -> Work:
        future = next((each for each in self._futures if each.index == index), None)
        if future is None:
            raise ScenarioError(f"there is no future {index}")
        yield from self._stand_on(future, min(self.current.number, future.known))
        return f"{future.label}, day {self.current.day:.6g}."

    def _reset(self, scenario: Scenario | None, seed: int | None) -> Work:
        world = World(scenario or self._futures[0].scenario, self.seed if seed is None else seed)
        self._earlier = self._timeline()
        forget(self._world)
        self._begin(world)
        yield from ()
        return "Day 0."

    def _timeline(self) -> _Timeline:
        return _Timeline(self.seed, self._beginning, self._futures, self._next_index, self._place._replace(events=0))

    def _bring_back(self) -> Work:
        if self._earlier is None:
            raise ScenarioError("there is no earlier timeline to bring back")
        earlier, self._earlier = self._earlier, self._timeline()
        self.seed, self._beginning, self._futures, self._next_index, self._place = earlier
        future, number = self._place.future, self._place.frame.number
        owner = future.owner(number)
        self._take(owner.world_at(owner.moment_before(number)), owner)
        yield from self._stand_on(future, number)
        return f"Back to seed {self.seed}, day {self.current.day:.6g}."

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ScenarioError("this page is closed: load it again")

    def _refuse_if_over(self) -> None:
        if self.over:
            raise _StopError("The run is over: rewind, branch from an earlier frame, or start anew.")

    # Where the world is

    def _stand_on(self, future: Timeline, number: int) -> Work:
        """Let the journey stand on a frame that is known, or the next one."""
        yield from self._know(future, number)
        owner = future.owner(number)
        frame = owner.frame(number)
        if frame is None:
            yield from self._bring(future, number)
            frame = owner.picture(self._world)
        self._place = _Place(future, frame)
        return ""

    def _know(self, future: Timeline, number: int) -> Work:
        """See to it that there is a row for a frame, the next one at most."""
        if number > future.known:
            if number > MAX_FRAMES:
                raise _StopError(f"A run has at most {MAX_FRAMES:,} frames here: make run__frame_days longer.")
            if facts(self._world) > MAX_FACTS:
                raise _StopError(f"A run has at most {MAX_FACTS:,} papers, jobs and other events here.")
            if len(self._world.population.researchers) > MAX_INDIVIDUALS:
                raise _StopError(f"At most {MAX_INDIVIDUALS:,} researchers are followed one by one here.")
            yield from self._bring(future, number)
        return ""

    def _bring(self, future: Timeline, number: int, events: int = 0) -> Work:
        """Bring the world to a frame and so many events beyond, by running on or from a moment that was kept."""
        owner = future.owner(number)
        pieces = 0
        while self._home is not owner or self._here != (number, events):
            start = owner.moment_before(number)
            if self._home is not owner or self._here > (number, events) or self._world.steps < start:
                self._go_back(owner, start)
            elif self._pass_events(events - self._events if self._world.steps == number else EVENTS_A_PIECE):
                pieces = 0
            else:
                pieces += 1
                if pieces > MAX_PIECES and self._world.steps >= owner.known:
                    raise _StopError(f"More than {MAX_PIECES * EVENTS_A_PIECE:,} events in one frame: ask again.")
            yield
        return ""

    @property
    def _here(self) -> tuple[int, int]:
        return self._world.steps, self._events

    def _pass_events(self, most: int) -> bool:
        """Let at most so many events happen; return whether the frame is over."""
        assert self._world.ending is None, "nothing comes after the end"
        over = self._world.step_events(most)
        self._events = 0 if over else self._events + most
        if over:
            self._home.note(self._world)
        return over

    def _go_back(self, owner: Timeline, frame: int) -> None:
        """Let the world be one that stands on a frame of which the moment was kept."""
        if not self._events:
            self._home.leave(self._world)
        self._take(owner.world_at(frame), owner)

    def _take(self, world: World, home: Timeline) -> None:
        forget(self._world)
        self._world, self._events, self._home = world, 0, home


def _refusal(world: World, sentence: str) -> str:
    """Return why a branch is refused; of a job that would have too few GPUs what it is and until when it runs."""
    found = _TOO_FEW.search(sentence)
    if found is None:
        return sentence
    number, gpus, most = map(int, found.groups())
    jobs = [job for pool in world.datacenter.pools.values() for job in pool.jobs()]
    job = next(each for each in jobs if each.number == number)
    what = "a training run" if job.use == "training" else "an experiment"
    state = "waits for" if not job.allocation else "holds"
    then = f", or branch after day {job.started_at + job.remaining:,.1f}, when it ends" if job.allocation else ""
    return f"{what} {state} {gpus:,} GPUs and could have at most {most:,}: leave its pool more GPUs{then}"


def _result(world: World) -> RunResult:
    result = summarise(world)
    series = {name: list(column) for name, column in result.series.items()}
    return result._replace(series=series, events=list(result.events), jobs=list(result.jobs))
