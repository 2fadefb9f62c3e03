"""A session: the journey of one browser, moved by one thread of its own, which says after each move what to show."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from experiments.errors import InputError
from experiments.window.frame import Frame
from experiments.window.measuring import Measurer
from experiments.window.moment_margins import MomentMargins
from experiments.window.page_turns import Turns
from experiments.window.permalink import Link, travel
from experiments.window.player import Goal, RunPlayer, SeekResult
from experiments.window.timeline import TimelineView
from sim.scenario.model import Scenario, ScenarioError

ROWS = 500
"""Rows of a future that are drawn: about as many as a chart has columns."""
LOOK_SECONDS = 0.1
"""Played as fast as it goes, a frame is shown this often."""
GLANCE_SECONDS = 0.5
"""On a long way, where it stands is shown this often."""
PACES = {"1": 1.0, "5": 5.0, "20": 20.0, "fast": math.inf}
"""Frames a second."""
FIRST_PACE = "20"
STILL_SECONDS = 0.7
"""A page that stands still so long has measured what limits progress at its moment."""
MAX_MEASURED = 5_000
"""Researchers that are followed one by one, of a moment that is measured."""
MAX_REMEMBERED = 256
"""Moments of which the margins are kept."""
UNSEEN_SECONDS = 20.0
"""It plays no longer than this when no browser says that it has seen what was sent."""

Answer = TypeVar("Answer")
BUSY_SECONDS = 0.3
"""A move that takes longer than this is shown to be under way."""
_turns = Turns()
"""Of all pages of this process."""
_log = logging.getLogger("asara.window")


class ViewState(NamedTuple):
    """All that a page shows of a journey, in plain values that never change."""

    stamp: int
    """Larger in each that is sent."""
    frame: Frame
    futures: tuple[TimelineView, ...]
    first: Scenario
    """With which the journey began."""
    scenario: Scenario
    """Of the chosen future, with the changes of its branches."""
    seed: int
    last: int
    """The latest frame that is known."""
    over: bool
    playing: bool
    busy: bool
    """A move waits or is under way for longer than BUSY_SECONDS; a pause stops it."""
    pace: str
    said: str
    """What the last move came to, or what is wrong."""
    wrong: bool
    digest: str
    """Of the run so far, while somebody wants to see it; else empty."""
    followed: int
    """The researcher whose life is told; 0 for nobody."""
    life: tuple[tuple[float, str], ...]
    """Days and sentences, the oldest first."""
    has_earlier: bool
    """Whether the timeline before the last new start can be brought back."""
    margins: MomentMargins | None = None
    """What limits progress at this moment, once it is measured."""
    measuring: bool = False
    """Whether it is being measured."""


class Work(NamedTuple):
    """A move that waits for its turn."""

    what: str
    move: Callable[[RunPlayer], SeekResult]


class WindowSession:
    """A journey that is asked from one side and shown on the other.

    ``publish`` is called with the stamp of what there is to show: in the thread of the session after each move, and in
    the caller's when it begins to play. Every method returns at once. Nothing that goes wrong in a move is raised: it
    is said.
    """

    def __init__(self, journey: RunPlayer, publish: Callable[[int], None], measurer: Measurer | None = None) -> None:
        self._journey = journey
        self._measurer = measurer
        self._margins: dict[Any, MomentMargins] = {}
        self._asked: Any = None
        """The moment whose margins were asked for last."""
        self._preparing = False
        self._publish = publish
        self._work: deque[Work] = deque()
        self._changed = threading.Condition()
        self._playing = self._closed = self._wants_digest = self._halted = False
        self._moving = False
        """Whether a move is under way."""
        self._settled = ""
        """What was said when the last move was over."""
        self._seen = -1
        self._followed = 0
        self.shown = ViewState(
            stamp=0, playing=False, busy=False, pace=FIRST_PACE, said="", wrong=False, digest="", **self._look()
        )
        """What there is to show now."""
        self.freed = threading.Event()
        """Set once a closed session has ended its thread and freed its world."""
        self._glanced = 0.0
        journey.on_way = self._glance
        self._thread = threading.Thread(target=self._run, name="asara window", daemon=True)
        self._thread.start()

    # --- asked by the page -------------------------------------------------------------------------------

    def step(self) -> None:
        """Go one frame on."""
        self._ask("step", lambda journey: journey.step())

    def step_event(self) -> None:
        """Go one event on."""
        self._ask("event", lambda journey: journey.step_event())

    def to_next(self, goal: Goal) -> None:
        """Go on to the next doubling, retraining or queue."""
        self._ask(goal, lambda journey: journey.to_next(goal))

    def rewind(self, frame: int) -> None:
        """Stand on a known frame; of several rewinds that wait only the last counts."""
        self.pause()
        self._ask("rewind", lambda journey: journey.rewind(frame))

    def travel(self, link: Link) -> None:
        """Go to the moment of a link, from day 0 of its scenario and seed."""
        self._ask("travel", lambda journey: travel(link, journey))

    def branch(self, changes: Mapping[str, Any]) -> None:
        """Go on from here with other parameters and the same luck."""
        self.pause()
        self._ask("branch", lambda journey: journey.branch(journey.current.number, dict(changes)))

    def choose(self, future: int) -> None:
        """Go on along another future."""
        self.pause()
        self._ask("choose", lambda journey: journey.choose(future))

    def reset(self, scenario: Scenario, seed: int) -> None:
        """Begin again on day 0."""
        self.pause()

        def begin(journey: RunPlayer) -> SeekResult:
            moved = journey.reset(scenario, seed)
            self._followed = 0
            return moved

        self._ask("reset", begin)

    def bring_back(self) -> None:
        """Go back to the timeline that was left when it last began anew."""
        self.pause()

        def back(journey: RunPlayer) -> SeekResult:
            moved = journey.bring_back()
            self._followed = 0
            return moved

        self._ask("bring back", back)

    def play(self) -> None:
        """Go on frame by frame until somebody pauses, the run is over, or nobody looks."""
        with self._changed:
            if self._closed or self.shown.over or self._work:
                return
            self._playing = True
            stamp = self._note(playing=True, said="", wrong=False)
            self._changed.notify_all()
        self._interrupt_measuring()
        self._send(stamp)

    def pause(self) -> None:
        """Stop playing, or the move that is under way, at the next whole piece of work: then it is said to stand."""
        with self._changed:
            self._playing = False
            self._halted = True
            self._work.clear()
            self._changed.notify_all()
        self._journey.cancel()

    def set_pace(self, pace: str) -> None:
        """Play as fast as one of PACES says; others are ignored."""
        if pace in PACES:
            self._tell(pace=pace)

    def want_digest(self, wanted: bool) -> None:
        """Have the digest of the run computed whenever it stands still, or no more."""
        self._wants_digest = wanted
        self._ask("look", self._stay)

    def follow(self, researcher: int) -> None:
        """Have the life of a researcher told from now on; 0 for nobody's."""
        self._followed = researcher
        self._ask("look", self._stay)

    def seen(self, stamp: int) -> None:
        """Note that a browser has shown what was sent with this stamp."""
        with self._changed:
            self._seen = max(self._seen, stamp)
            self._changed.notify_all()

    def answer(self, question: Callable[[RunPlayer], Answer]) -> Answer:
        """Return the answer to a question that changes nothing, such as a life or a download."""
        return question(self._journey)

    def complain(self, sentence: str) -> None:
        """Say what is wrong."""
        self._tell(said=_one_line(sentence), wrong=True)

    def close(self) -> None:
        """End the thread, which frees the world as its last act; ``freed`` is set then."""
        with self._changed:
            self._closed, self._playing = True, False
            self._work.clear()
            self._changed.notify_all()
        self._journey.cancel()
        if self._measurer is not None:
            self._measurer.withdraw(self)

    # --- the thread of the session -----------------------------------------------------------------------

    def _ask(self, what: str, move: Callable[[RunPlayer], SeekResult]) -> None:
        with self._changed:
            if self._closed or (self._playing and what != "look"):
                return
            if self._work and self._work[-1].what == what == "rewind":
                self._work.pop()
            self._work.append(Work(what, move))
            self._changed.notify_all()
        self._interrupt_measuring()
        self._show_soon()

    def _show_soon(self) -> None:
        """Show that a move is under way, unless it is over before BUSY_SECONDS have passed."""
        timer = threading.Timer(BUSY_SECONDS, self._show_busy)
        timer.daemon = True
        timer.start()

    def _show_busy(self) -> None:
        with self._changed:
            under_way = (self._moving or self._work) and not self._playing and not self.shown.busy
            said = f"On the way, day {self.shown.frame.day:,.6g}."
            stamp = self._note(busy=True, said=said, wrong=False) if under_way else None
        self._send(stamp)

    def _run(self) -> None:
        self._move_on()
        self._journey.close()
        self.freed.set()

    def _move_on(self) -> None:
        """Do what is asked for until the session is closed."""
        while True:
            with self._changed:
                something = self._changed.wait_for(
                    lambda: bool(self._closed or self._work or self._playing or self._said_to_move()),
                    timeout=STILL_SECONDS if self._can_measure() else None,
                )
                if self._closed:
                    return
                work, playing = self._work.popleft() if self._work else None, self._playing
                self._moving = work is not None
                self._halted = False
            if not something:
                self._measure()
            elif work is not None:
                self._glanced = time.monotonic()
                _turns.begin(self)
                self._do(work.move, quiet=work.what == "step")
                _turns.end(self)
            elif playing:
                self._play_once()
            else:
                self._rest()

    # --- what limits progress ----------------------------------------------------------------------------

    def _can_measure(self) -> bool:
        shown = self.shown
        worked = shown.frame.limit.part != "nothing"
        return (
            self._measurer is not None
            and worked
            and not shown.over
            and shown.margins is None
            and self._asked != self._journey.moment
        )

    def _measure(self) -> None:
        """Ask for the margins of the moment on which it stands."""
        assert self._measurer is not None
        moment, people = self._journey.moment, self.shown.frame.team.individuals
        if people > MAX_MEASURED:
            why = f"more than {MAX_MEASURED:,} researchers are followed one by one"
            self._measured(moment, MomentMargins(self.shown.frame.day, "", (), 0.0, 0.0, why))
            return
        self._preparing = True
        snapshot = self._journey.snapshot()
        self._preparing = False
        if snapshot is None:
            return
        self._asked = moment
        self._tell(measuring=True)
        self._measurer.submit(self, snapshot, lambda found: self._measured(moment, found))

    def _measured(self, moment: Any, found: MomentMargins) -> None:
        self._margins[moment] = found
        if len(self._margins) > MAX_REMEMBERED:
            self._margins.pop(next(iter(self._margins)))
        if moment == self._journey.moment:
            self._tell(margins=found, measuring=False)

    def _interrupt_measuring(self) -> None:
        """Let a move go first: the moment is measured again if it is still stood on."""
        if self._preparing:
            self._journey.cancel()

    def _said_to_move(self) -> bool:
        return self.shown.playing or self.shown.busy

    def _rest(self) -> None:
        """Say that it stands still."""
        digest = self._digest()
        with self._changed:
            goes_on = self._work or self._playing
            stamp = None if goes_on else self._note(playing=False, busy=False, digest=digest)
        self._send(stamp)

    def _do(self, move: Callable[[RunPlayer], SeekResult], quiet: bool = False) -> bool:
        """Make a move and show what came of it, without words if ``quiet`` and all went well; False if it failed."""
        try:
            moved = move(self._journey)
            told = {"said": self._said(moved, quiet), "wrong": False, "digest": self._digest(), **self._look()}
            self._come(**told)
        except (ScenarioError, InputError, ValueError) as error:
            self._come(said=_one_line(str(error)), wrong=True)
        except Exception as error:
            _log.exception("a move failed")
            what = f"This step failed ({type(error).__name__}). Rewind, or start anew."
            self._come(said=what, wrong=True)
        else:
            return True
        return False

    def _come(self, **changes: Any) -> None:
        """Show what came of a move; the page is busy as long as another one waits."""
        with self._changed:
            self._moving = False
            self._settled = changes["said"]
            stamp = self._note(busy=self.shown.busy and bool(self._work), **changes)
            if self._work:
                self._show_soon()
        self._send(stamp)

    def _glance(self) -> None:
        """Let other pages have their turn, and show now and then how far a long move has come."""
        _turns.give_way(self)
        if self.shown.busy and time.monotonic() >= self._glanced + GLANCE_SECONDS:
            self._tell(said=f"On the way, day {self._journey.current.day:,.6g}.", wrong=False, **self._look())
            self._glanced = time.monotonic()

    def _play_once(self) -> None:
        """Go on by what one look takes, show it, and wait until it is seen and the next is due."""
        started, pace = time.monotonic(), PACES[self.shown.pace]
        if not self._do(lambda journey: self._frames(journey, started, pace), quiet=True) or self.shown.over:
            with self._changed:
                self._playing = False
            return
        stamp = self.shown.stamp
        self._wait(lambda: False, started + 1 / pace - time.monotonic())
        if not self._wait(lambda: self._seen >= stamp, UNSEEN_SECONDS):
            self.pause()

    def _frames(self, journey: RunPlayer, started: float, pace: float) -> SeekResult:
        """One frame, or as many as one look lasts if it goes as fast as it can."""
        moved = journey.step()
        while pace == math.inf and self._playing and moved.done and time.monotonic() < started + LOOK_SECONDS:
            moved = journey.step()
        return moved

    def _wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Wait for something, at most so long and only while it plays; False if the time ran out."""
        with self._changed:
            self._changed.wait_for(lambda: until() or not self._playing, timeout=max(0.0, seconds))
            return until() or not self._playing

    # --- what is shown -----------------------------------------------------------------------------------

    def _tell(self, **changes: Any) -> None:
        self._send(self._note(**changes))

    def _note(self, **changes: Any) -> int | None:
        """Note what there is to show from now on, and return its stamp; None once the session is closed."""
        with self._changed:
            if self._closed:
                return None
            self.shown = self.shown._replace(stamp=self.shown.stamp + 1, **changes)
            return self.shown.stamp

    def _send(self, stamp: int | None) -> None:
        """Publish a stamp, if there is one: never while others wait for the session, who may draw the page."""
        if stamp is None:
            return
        try:
            self._publish(stamp)
        except Exception:  # the next move is published again
            _log.exception("a page could not be told")

    def _look(self) -> dict[str, Any]:
        """What there is to see of the journey."""
        journey = self._journey
        moment = journey.moment
        if self._measurer is not None and moment != self._asked:
            self._measurer.withdraw(self)
            self._asked = None
        margins = self._margins.get(moment)
        return {
            "frame": journey.current,
            "futures": journey.futures(ROWS),
            "scenario": journey.scenario,
            "seed": journey.seed,
            "last": journey.last,
            "over": journey.over,
            "first": journey.first,
            "followed": self._followed,
            "life": tuple(journey.life(self._followed)) if self._followed else (),
            "has_earlier": journey.has_earlier,
            "margins": margins,
            "measuring": margins is None and self._asked is not None,
        }

    def _said(self, moved: SeekResult, quiet: bool) -> str:
        if not moved.done and self._halted:
            return f"Stopped on day {moved.frame.day:,.6g}."
        return "" if quiet and moved.done else _one_line(moved.sentence)

    def _stay(self, journey: RunPlayer) -> SeekResult:
        return SeekResult(journey.current, True, self._settled)

    def _digest(self) -> str:
        return self._journey.digest() if self._wants_digest and not self._playing else ""


def _one_line(text: str) -> str:
    """A sentence on one line, with its full stop."""
    line = " ".join(text.split())
    return line if not line or line.endswith((".", "?", "!")) else f"{line}."
