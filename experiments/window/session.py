"""Run the player of one browser in a thread of its own, and publish the state to show after each move.

Only this thread uses the player. Other threads queue moves and questions, or read the state that was published last.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from experiments.errors import InputError
from experiments.window.form_fields import scenario_of_lab
from experiments.window.frame import Frame
from experiments.window.measuring import MarginsWorker
from experiments.window.moment_margins import MomentMargins
from experiments.window.move_priority import MovePriority
from experiments.window.permalink import Link, restore
from experiments.window.player import CLOSED_MESSAGE, Goal, PositionKey, RunPlayer, SeekResult
from experiments.window.timeline import TimelineView
from sim.scenario.model import Scenario, ScenarioError

MAX_PLOT_ROWS = 500
"""Maximum number of rows of a timeline in a chart; about one per pixel column."""
FAST_FRAME_SECONDS = 0.1
"""Interval between frames that are shown at the fastest pace [s]."""
PROGRESS_SECONDS = 0.5
"""Interval between progress reports of a long move [s]."""
PACES = {"1": 1.0, "5": 5.0, "20": 20.0, "fast": math.inf}
"""Frames per second, by the name of the pace."""
DEFAULT_PACE = "20"
MEASURE_AFTER_SECONDS = 0.7
"""Idle time after which the limit on progress is measured [s]."""
MAX_MEASURED_INDIVIDUALS = 5_000
"""Maximum number of individual researchers in a World that is measured."""
MAX_CACHED_MARGINS = 256
"""Maximum number of frames whose margins are kept."""
ACKNOWLEDGE_TIMEOUT_SECONDS = 20.0
"""Time after which playback stops if no browser acknowledges a state [s]."""

AnswerT = TypeVar("AnswerT")
ANSWER_WITHIN_FRAME_SECONDS = 1.0
"""Time after which a question is answered within a frame, from a second World [s]."""
BUSY_AFTER_SECONDS = 0.3
"""Duration after which a move is shown as running [s]."""
_turns = MovePriority()
"""Order of moves between all pages of this process."""
_log = logging.getLogger("asara.window")


class ViewState(NamedTuple):
    """Everything that a page shows of a player, as immutable values."""

    stamp: int
    """Number that increases with each published state."""
    frame: Frame
    timelines: tuple[TimelineView, ...]
    initial_scenario: Scenario
    """Scenario at the start of the first timeline."""
    scenario: Scenario
    """Scenario of the chosen timeline, with the changes of its branches."""
    seed: int
    last_frame: int
    """Latest frame that is known."""
    is_over: bool
    is_playing: bool
    is_busy: bool
    """Whether a move has waited or run for longer than ``BUSY_AFTER_SECONDS``; a pause stops it."""
    pace: str
    message: str
    """Result of the last move, or an error message."""
    is_error: bool
    digest: str
    """Digest of the run so far if it was requested; else empty."""
    followed_researcher: int
    """Number of the researcher whose history is shown; 0 for none."""
    history: tuple[tuple[float, str], ...]
    """Days and sentences of the history, oldest first."""
    has_earlier: bool
    """Whether the run before the last reset can be restored."""
    margins: MomentMargins | None = None
    """Measured limit on progress at this frame; None before it is measured."""
    is_measuring: bool = False
    """Whether the limit is being measured."""

    @property
    def lab_scenario(self) -> Scenario:
        """Scenario of the chosen timeline as the shown lab reads it."""
        return scenario_of_lab(self.scenario, self.frame.lab)


class QueuedMove(NamedTuple):
    """A move that waits for execution."""

    what: str
    move: Callable[[RunPlayer], SeekResult]


class QueuedQuestion(NamedTuple):
    """A question that waits for its answer."""

    question: Callable[[RunPlayer], Any]
    answer: Future[Any]
    asked_at: float


class WindowSession:
    """A thread that executes moves of a player in order, and the state to show.

    Questions are answered before the next move, or after the current frame of the running one. In frames that take more
    than ``ANSWER_WITHIN_FRAME_SECONDS`` they are answered between two pieces. ``publish`` is called with the stamp of
    each new state: in the thread of the session after each move, and in the caller's thread when playback begins. Every
    method but `query` returns at once. Errors in a move are not raised; they become the message of the state.
    """

    def __init__(
        self, player: RunPlayer, publish: Callable[[int], None], measurer: MarginsWorker | None = None
    ) -> None:
        self._player = player
        self._measurer = measurer
        self._margins: dict[PositionKey, MomentMargins] = {}
        self._requested_position: PositionKey | None = None
        """Position whose margins were requested last."""
        self._is_preparing_snapshot = False
        self._publish = publish
        self._moves: deque[QueuedMove] = deque()
        self._questions: deque[QueuedQuestion] = deque()
        self._condition = threading.Condition()
        self._is_playing = self._is_closed = self._is_digest_wanted = False
        self._is_stop_requested = False
        """Whether the running move has to stop after its current piece."""
        self._is_moving = False
        """Whether a move is running."""
        self._last_message = ""
        """Message at the end of the last move."""
        self._acknowledged_stamp = -1
        self._followed_researcher = 0
        self.view_state = view_state(player)
        """Current state to show."""
        self.freed = threading.Event()
        """Set when a closed session has ended its thread and released its world."""
        self._last_progress_at = 0.0
        self._busy_timer: threading.Timer | None = None
        player.should_stop = self._should_stop
        self._thread = threading.Thread(target=self._run_thread, name="asara window", daemon=True)
        self._thread.start()

    # Called by the page

    def step(self) -> None:
        """Advance by one frame."""
        self.enqueue("step", lambda player: player.step())

    def step_event(self) -> None:
        """Advance by one event."""
        self.enqueue("event", lambda player: player.step_event())

    def advance_to_next(self, goal: Goal) -> None:
        """Advance to the next doubling, retraining, queue, automated task, alarm or change of orders."""
        self.enqueue(goal, lambda player: player.advance_to_next(goal))

    def rewind(self, frame: int) -> None:
        """Go to a known frame; of several waiting rewinds only the last is executed."""
        self.pause()
        self.enqueue("rewind", lambda player: player.rewind(frame))

    def open_link(self, link: Link) -> None:
        """Go to the frame of a link, from day 0 of its scenario and seed."""
        self.enqueue("open link", lambda player: restore(link, player))

    def branch(self, changes: Mapping[str, Any]) -> None:
        """Start a branch at the current frame, with other parameters and the same randomness."""
        self.pause()
        self.enqueue("branch", lambda player: player.branch(player.current_frame.number, dict(changes)))

    def compare(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        """Start two branches at the current frame, and run both to the same number of further doublings."""
        self.pause()
        self.enqueue("compare", lambda player: player.compare(dict(first), dict(second)))

    def choose(self, timeline: int) -> None:
        """Continue along another timeline."""
        self.pause()
        self.enqueue("choose", lambda player: player.choose(timeline))

    def show_lab(self, name: str) -> None:
        """Show another lab in detail, at the same frame; the history of a researcher is closed."""
        self.pause()

        def show(player: RunPlayer) -> SeekResult:
            moved = player.show_lab(name)
            self._followed_researcher = 0
            return moved

        self.enqueue("show lab", show)

    def reset(self, scenario: Scenario, seed: int) -> None:
        """Start a new run on day 0."""
        self.pause()

        def begin(player: RunPlayer) -> SeekResult:
            moved = player.reset(scenario, seed)
            self._followed_researcher = 0
            return moved

        self.enqueue("reset", begin)

    def restore_earlier(self) -> None:
        """Return to the run before the last reset."""
        self.pause()

        def back(player: RunPlayer) -> SeekResult:
            moved = player.restore_earlier()
            self._followed_researcher = 0
            return moved

        self.enqueue("bring back", back)

    def play(self) -> None:
        """Advance frame by frame until a pause, the end of the run, or a missing acknowledgement."""
        with self._condition:
            if self._is_closed or self.view_state.is_over or self._moves:
                return
            self._is_playing = True
            stamp = self._replace_view_state(is_playing=True, message="", is_error=False)
            self._condition.notify_all()
        self._publish_stamp(stamp)

    def pause(self) -> None:
        """Stop playback or the running move after its current piece; the state then shows the pause."""
        with self._condition:
            self._is_playing = False
            self._is_stop_requested = True
            self._moves.clear()
            self._condition.notify_all()

    def enqueue(self, what: str, move: Callable[[RunPlayer], SeekResult]) -> None:
        """Queue a move; during playback only requests to show something are accepted."""
        with self._condition:
            if self._is_closed or (self._is_playing and what != "look"):
                return
            if self._moves and self._moves[-1].what == what == "rewind":
                self._moves.pop()
            self._moves.append(QueuedMove(what, move))
            self._condition.notify_all()
            self._show_busy_later()

    def set_pace(self, pace: str) -> None:
        """Set the pace of playback, one of ``PACES``; other names are ignored."""
        if pace in PACES:
            self._update_view(pace=pace)

    def want_digest(self, wanted: bool) -> None:
        """Start or stop the computation of the digest at each pause."""
        self._is_digest_wanted = wanted
        self.enqueue("look", self._stay_in_place)

    def follow(self, researcher: int) -> None:
        """Show the history of a researcher from now on; 0 for none."""
        self._followed_researcher = researcher
        self.enqueue("look", self._stay_in_place)

    def acknowledge(self, stamp: int) -> None:
        """Record that a browser has shown the state with this stamp."""
        with self._condition:
            self._acknowledged_stamp = max(self._acknowledged_stamp, stamp)
            self._condition.notify_all()

    def submit(self, question: Callable[[RunPlayer], AnswerT]) -> Future[AnswerT]:
        """Queue a question that changes nothing, such as the result of the run; return its future answer.

        A closed session answers with ScenarioError.
        """
        answer: Future[AnswerT] = Future()
        with self._condition:
            if self._is_closed:
                answer.set_exception(ScenarioError(CLOSED_MESSAGE))
            else:
                self._questions.append(QueuedQuestion(question, answer, time.monotonic()))
                self._condition.notify_all()
        return answer

    def query(self, question: Callable[[RunPlayer], AnswerT]) -> AnswerT:
        """Return the answer to a question of `submit`. Never call this in the thread of the session."""
        return self.submit(question).result()

    def report_error(self, sentence: str) -> None:
        """Show an error message."""
        self._update_view(message=_one_line(sentence), is_error=True)

    def close(self) -> None:
        """End the thread, which releases the world last; ``freed`` is then set."""
        with self._condition:
            self._is_closed, self._is_playing, self._is_stop_requested = True, False, True
            self._moves.clear()
            self._condition.notify_all()
            self._stop_busy_timer()
        if self._measurer is not None:
            self._measurer.withdraw(self)

    # The thread of the session

    def _run_thread(self) -> None:
        try:
            self._process_requests()
        finally:
            self.close()  # a defect may have ended the thread
            self._player.close()
            self._answer_questions()
            self.freed.set()

    def _process_requests(self) -> None:
        """Answer questions and execute waiting moves until the session is closed."""
        while True:
            has_work = self._wait(
                lambda: bool(self._is_closed or self._moves or self._is_playing or self._shows_movement()),
                MEASURE_AFTER_SECONDS if self._can_measure() else None,
            )
            with self._condition:
                if self._is_closed:
                    return
                move, playing = self._moves.popleft() if self._moves else None, self._is_playing
                self._is_moving = move is not None
                self._is_stop_requested = False
            if not has_work:
                self._request_margins()
            elif move is not None:
                self._last_progress_at = time.monotonic()
                _turns.begin(self)
                self.execute(move.move, quiet=move.what == "step")
                _turns.end(self)
            elif playing:
                self._play_once()
            elif self._shows_movement():
                self._mark_idle()

    def _wait(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Answer questions until a condition holds; return False if the time has run out."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            self._answer_questions()
            with self._condition:
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._condition.wait_for(lambda: condition() or bool(self._questions), remaining)
                if not self._questions:
                    return condition()

    def _answer_questions(self) -> None:
        """Answer all waiting questions; errors are raised where the answer is read."""
        while self._questions:
            question = self._questions.popleft()
            try:
                question.answer.set_result(question.question(self._player))
            except Exception as error:
                question.answer.set_exception(error)

    def _should_stop(self) -> bool:
        """Return whether the player has to stop between two pieces; first serve other pages and questions."""
        _turns.give_way(self)
        if self._player.is_world_at_position:
            self._answer_questions()
            self._report_progress()
        elif self._questions and time.monotonic() >= self._questions[0].asked_at + ANSWER_WITHIN_FRAME_SECONDS:
            self._answer_questions()
        makes_way = self._is_preparing_snapshot and bool(self._moves or self._is_playing)
        return self._is_stop_requested or makes_way

    # The sign that a move is running

    def _show_busy_later(self) -> None:
        """Show after ``BUSY_AFTER_SECONDS`` that a move waits or runs, unless all have ended. Needs the lock.

        A piece of a move may take longer than that, so the thread of the session cannot show it.
        """
        if self._busy_timer is None:
            self._busy_timer = threading.Timer(BUSY_AFTER_SECONDS, self._show_busy)
            self._busy_timer.daemon = True
            self._busy_timer.start()

    def _stop_busy_timer(self) -> None:
        """Stop the timer if it runs. Needs the lock."""
        if self._busy_timer is not None:
            self._busy_timer.cancel()
            self._busy_timer = None

    def _show_busy(self) -> None:
        with self._condition:
            self._busy_timer = None
            under_way = (self._is_moving or self._moves) and not self._is_playing and not self.view_state.is_busy
            message = f"Moving: day {self.view_state.frame.day:,.6g}."
            stamp = self._replace_view_state(is_busy=True, message=message, is_error=False) if under_way else None
        self._publish_stamp(stamp)

    # Measurement of the limit on progress

    def _can_measure(self) -> bool:
        state = self.view_state
        worked = state.frame.limit.part != "nothing"
        return (
            self._measurer is not None
            and worked
            and not state.is_over
            and state.margins is None
            and self._requested_position != self._player.position_key
        )

    def _request_margins(self) -> None:
        """Request the margins of the current frame."""
        assert self._measurer is not None
        position, individuals = self._player.position_key, self.view_state.frame.team.individuals
        if individuals > MAX_MEASURED_INDIVIDUALS:
            why = f"more than {MAX_MEASURED_INDIVIDUALS:,} individual researchers are in this run"
            self._store_margins(position, MomentMargins(self.view_state.frame.day, "", (), 0.0, 0.0, why))
            return
        self._is_preparing_snapshot = True
        snapshot = self._player.snapshot()
        self._is_preparing_snapshot = False
        if snapshot is None:
            return
        self._requested_position = position
        self._update_view(is_measuring=True)

        def receive(found: MomentMargins) -> None:
            self.submit(lambda player: self._store_margins(position, found))

        self._measurer.submit(self, snapshot, self._player.shown_lab, receive)

    def _store_margins(self, position: PositionKey, found: MomentMargins) -> None:
        self._margins[position] = found
        if len(self._margins) > MAX_CACHED_MARGINS:
            self._margins.pop(next(iter(self._margins)))
        if position == self._player.position_key:
            self._update_view(margins=found, is_measuring=False)

    def _shows_movement(self) -> bool:
        return self.view_state.is_playing or self.view_state.is_busy

    def _mark_idle(self) -> None:
        """Show that playback and moves have ended."""
        digest = self._digest()
        with self._condition:
            goes_on = self._moves or self._is_playing
            stamp = None if goes_on else self._replace_view_state(is_playing=False, is_busy=False, digest=digest)
        self._publish_stamp(stamp)

    def execute(self, move: Callable[[RunPlayer], SeekResult], quiet: bool = False) -> bool:
        """Execute a move and show its result, without a message if ``quiet``; return False if the move failed."""
        try:
            moved = move(self._player)
            fields = {
                "message": self._describe_result(moved, quiet),
                "is_error": False,
                "digest": self._digest(),
                **self._shown_player(),
            }
            self._show_outcome(**fields)
        except (ScenarioError, InputError, ValueError) as error:
            self._show_outcome(message=_one_line(str(error)), is_error=True)
        except Exception as error:
            _log.exception("a move failed")
            what = f"This step failed ({type(error).__name__}). Rewind or start anew."
            self._show_outcome(message=what, is_error=True)
        else:
            return True
        return False

    def _show_outcome(self, **changes: Any) -> None:
        """Show the result of a move; the page stays busy while another move waits."""
        with self._condition:
            self._is_moving = False
            self._last_message = changes["message"]
            stamp = self._replace_view_state(is_busy=self.view_state.is_busy and bool(self._moves), **changes)
            self._stop_busy_timer()
            if self._moves:
                self._show_busy_later()
        self._publish_stamp(stamp)

    def _report_progress(self) -> None:
        """Report the progress of a long move at intervals."""
        if self.view_state.is_busy and time.monotonic() >= self._last_progress_at + PROGRESS_SECONDS:
            self._update_view(
                message=f"Moving: day {self._player.current_frame.day:,.6g}.",
                is_error=False,
                **self._shown_player(),
            )
            self._last_progress_at = time.monotonic()

    def _play_once(self) -> None:
        """Advance by one shown frame, then wait until the browser has shown it and the next frame is due."""
        started, pace = time.monotonic(), PACES[self.view_state.pace]
        if (
            not self.execute(lambda player: self._play_frames(player, started, pace), quiet=True)
            or self.view_state.is_over
        ):
            with self._condition:
                self._is_playing = False
            return
        stamp = self.view_state.stamp
        self._wait(lambda: not self._is_playing, started + 1 / pace - time.monotonic())
        if not self._wait(
            lambda: self._acknowledged_stamp >= stamp or not self._is_playing, ACKNOWLEDGE_TIMEOUT_SECONDS
        ):
            self.pause()

    def _play_frames(self, player: RunPlayer, started: float, pace: float) -> SeekResult:
        """Advance by one frame, or at the fastest pace by the frames of ``FAST_FRAME_SECONDS``."""
        moved = player.step()
        while pace == math.inf and self._is_playing and moved.done and time.monotonic() < started + FAST_FRAME_SECONDS:
            moved = player.step()
        return moved

    # The state to show

    def _update_view(self, **changes: Any) -> None:
        self._publish_stamp(self._replace_view_state(**changes))

    def _replace_view_state(self, **changes: Any) -> int | None:
        """Replace the state to show and return its stamp; None if the session is closed."""
        with self._condition:
            if self._is_closed:
                return None
            self.view_state = self.view_state._replace(stamp=self.view_state.stamp + 1, **changes)
            return self.view_state.stamp

    def _publish_stamp(self, stamp: int | None) -> None:
        """Publish a stamp, if there is one. Never call this with the lock held: the receiver may draw the page."""
        if stamp is None:
            return
        try:
            self._publish(stamp)
        except Exception:  # the next state is published again
            _log.exception("a state could not be published")

    def _shown_player(self) -> dict[str, Any]:
        """Return the fields of the state that describe the player, and drop a measurement of another frame."""
        position = self._player.position_key
        if self._measurer is not None and position != self._requested_position:
            self._measurer.withdraw(self)
            self._requested_position = None
        margins = self._margins.get(position)
        return _fields_of_player(self._player, self._followed_researcher) | {
            "margins": margins,
            "is_measuring": margins is None and self._requested_position is not None,
        }

    def _describe_result(self, moved: SeekResult, quiet: bool) -> str:
        if not moved.done and self._is_stop_requested:
            return f"Stopped on day {moved.frame.day:,.6g}."
        return "" if quiet and moved.done else _one_line(moved.sentence)

    def _stay_in_place(self, player: RunPlayer) -> SeekResult:
        return SeekResult(player.current_frame, True, self._last_message)

    def _digest(self) -> str:
        return self._player.digest() if self._is_digest_wanted and not self._is_playing else ""


def view_state(player: RunPlayer, followed_researcher: int = 0) -> ViewState:
    """Return the state that a page shows of a paused player."""
    return ViewState(
        stamp=0,
        is_playing=False,
        is_busy=False,
        pace=DEFAULT_PACE,
        message="",
        is_error=False,
        digest="",
        **_fields_of_player(player, followed_researcher),
    )


def _fields_of_player(player: RunPlayer, followed_researcher: int) -> dict[str, Any]:
    """Return the fields of a state that describe a player."""
    return {
        "frame": player.current_frame,
        "timelines": player.timelines(MAX_PLOT_ROWS),
        "scenario": player.scenario,
        "seed": player.seed,
        "last_frame": player.last_known_frame,
        "is_over": player.is_over,
        "initial_scenario": player.initial_scenario,
        "followed_researcher": followed_researcher,
        "history": tuple(player.history(followed_researcher)) if followed_researcher else (),
        "has_earlier": player.has_earlier,
    }


def _one_line(text: str) -> str:
    """Return a sentence on one line, with a full stop."""
    line = " ".join(text.split())
    return line if not line or line.endswith((".", "?", "!")) else f"{line}."
