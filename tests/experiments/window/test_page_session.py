"""Sessions: moves run in order in one thread, and errors become messages."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from experiments.window.measuring import MarginsWorker
from experiments.window.player import RunPlayer, SeekResult
from experiments.window.session import ViewState, WindowSession
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World
from tests.support.window_runs import captured_log

LAB = Scenario.load("lab")


class RecordedSession:
    """A session and the stamps that it has published, with a method to wait for a state."""

    def __init__(self, scenario: Scenario = LAB, measurer: MarginsWorker | None = None) -> None:
        self._news = threading.Condition()
        self.player = RunPlayer(scenario, 0)
        self.stamps: list[int] = []
        self.publish_error: type[Exception] | None = None
        """Error of the page at the next states."""
        self.session = WindowSession(self.player, self._published, measurer)

    def _published(self, stamp: int) -> None:
        if self.publish_error is not None:
            raise self.publish_error
        with self._news:
            self.stamps.append(stamp)
            self._news.notify_all()
        self.session.acknowledge(stamp)  # as a browser without delay

    def until(self, condition: Any) -> ViewState:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.session.view_state), timeout=30), (
                self.session.view_state.message
            )
        return self.session.view_state


@pytest.fixture
def watched() -> Iterator[RecordedSession]:
    found = RecordedSession()
    yield found
    found.session.close()


def test_session_executes_steps_in_order(watched: RecordedSession) -> None:
    for _ in range(3):
        watched.session.step()
    shown = watched.until(lambda s: s.frame.number == 3)
    world = World(LAB, 0)
    for _ in range(3):
        world.step()
    assert shown.frame.day == world.now
    assert watched.stamps == sorted(watched.stamps)


def test_session_computes_the_digest_on_request_only(watched: RecordedSession) -> None:
    watched.session.step()
    assert watched.until(lambda s: s.frame.number == 1).digest == ""
    watched.session.want_digest(True)
    world = World(LAB, 0)
    world.step()
    assert watched.until(lambda s: s.digest).digest == world.digest()
    watched.session.want_digest(False)
    watched.until(lambda s: not s.digest)


@pytest.mark.slow
def test_session_plays_until_pause_and_ignores_steps(watched: RecordedSession) -> None:
    watched.session.set_pace("fast")
    watched.session.play()
    watched.until(lambda s: s.is_playing)
    watched.session.step()
    watched.until(lambda s: s.frame.number >= 5)
    watched.session.pause()
    shown = watched.until(lambda s: not s.is_playing)
    watched.session.want_digest(True)
    shown = watched.until(lambda s: s.digest)
    assert not shown.is_playing
    assert shown.frame.number == watched.player.current_frame.number


def test_session_shows_the_pause_after_the_running_frame(
    watched: RecordedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    step = watched.player.step

    def slow() -> SeekResult:
        moved = step()
        begun.set()
        assert go_on.wait(30)
        return moved

    monkeypatch.setattr(watched.player, "step", slow)
    watched.session.want_digest(True)
    watched.until(lambda s: s.digest)
    watched.session.play()
    assert begun.wait(30)
    watched.session.pause()
    assert watched.session.view_state.is_playing
    assert watched.session.view_state.frame.number == 0
    go_on.set()
    shown = watched.until(lambda s: not s.is_playing)
    assert shown.frame.number == watched.player.current_frame.number == 1
    assert shown.digest == watched.session.query(RunPlayer.digest)


def test_session_stops_playback_at_the_end_of_the_run() -> None:
    watched = RecordedSession(LAB.replace(run__horizon_days=4.0))
    watched.session.play()
    shown = watched.until(lambda s: s.is_over and not s.is_playing)
    assert shown.frame.number == 4
    assert shown.frame.ending is not None
    watched.session.play()  # the run has ended
    assert not watched.session.view_state.is_playing
    watched.session.close()


def test_session_stops_playback_without_acknowledgement(
    monkeypatch: pytest.MonkeyPatch, watched: RecordedSession
) -> None:
    monkeypatch.setattr("experiments.window.session.ACKNOWLEDGE_TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(watched.session, "acknowledge", lambda stamp: None)
    watched.session.set_pace("fast")
    watched.session.play()
    watched.until(lambda s: s.frame.number >= 1 and not s.is_playing)


def test_session_reports_a_refused_move(watched: RecordedSession) -> None:
    watched.session.branch({"cluster__gpus": 0})
    shown = watched.until(lambda s: s.is_error)
    assert shown.message == "cluster__gpus = 0 GPUs is out of bounds: from 1 to 1,000,000 GPUs."
    watched.session.step()
    assert not watched.until(lambda s: s.frame.number == 1).is_error


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return captured_log(monkeypatch, "experiments.window.session")


def test_session_reports_a_defect_and_continues(watched: RecordedSession, log: list[str]) -> None:
    def broken(player: RunPlayer) -> SeekResult:
        raise KeyError("defect")

    watched.session.enqueue("step", broken)
    shown = watched.until(lambda s: s.is_error)
    assert shown.message == "This step failed (KeyError). Rewind or start anew."
    assert any("a move failed" in line for line in log)
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1)


def test_session_publishes_again_after_a_failed_publish(watched: RecordedSession, log: list[str]) -> None:
    watched.publish_error = ConnectionError
    watched.session.set_pace("1")
    assert any("a state could not be published" in line for line in log)
    watched.publish_error = None
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1 and s.pace == "1")


def pieces_until_stop(player: RunPlayer) -> SeekResult:
    """Run the pieces of an endless move until the session stops it."""
    while not player.should_stop():
        pass
    return SeekResult(player.current_frame, False, "Stopped: another move was requested.")


def test_session_is_busy_until_a_pause_stops_a_long_move(watched: RecordedSession) -> None:
    watched.session.enqueue("queue", pieces_until_stop)
    assert watched.until(lambda s: s.is_busy)
    watched.session.pause()
    shown = watched.until(lambda s: s.message == "Stopped on day 0.")
    assert not shown.is_busy


class BlockedMoves:
    """Moves of a player that block until the test releases them."""

    def __init__(self, watched: RecordedSession, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("experiments.window.session.BUSY_AFTER_SECONDS", 0.0)
        self.started_at = {"step": threading.Event(), "advance_to_next": threading.Event()}
        self.go_on = {"step": threading.Event(), "advance_to_next": threading.Event()}
        for name in self.started_at:
            monkeypatch.setattr(watched.player, name, self._held(name, watched.player))

    def _held(self, name: str, player: RunPlayer) -> Any:
        def move(*_: Any) -> SeekResult:
            self.started_at[name].set()
            assert self.go_on[name].wait(30)
            return SeekResult(player.current_frame, True, name)

        return move


def test_session_is_busy_until_a_long_step_is_shown(watched: RecordedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    held = BlockedMoves(watched, monkeypatch)
    watched.session.step()
    assert watched.until(lambda s: s.is_busy).message == "Moving: day 0."
    held.go_on["step"].set()
    assert watched.until(lambda s: not s.is_busy).message == ""


def test_session_is_busy_until_both_queued_moves_end(watched: RecordedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    held = BlockedMoves(watched, monkeypatch)
    watched.session.step()
    assert held.started_at["step"].wait(30)
    watched.session.advance_to_next("doubling")
    watched.until(lambda s: s.is_busy)
    monkeypatch.setattr("experiments.window.session.BUSY_AFTER_SECONDS", 60.0)
    held.go_on["step"].set()
    assert held.started_at["advance_to_next"].wait(30)
    assert watched.session.view_state.is_busy
    held.go_on["advance_to_next"].set()
    assert watched.until(lambda s: not s.is_busy).message == "advance_to_next."


def test_session_reports_a_stopped_step(watched: RecordedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    held = BlockedMoves(watched, monkeypatch)
    watched.session.step()
    watched.session.step()
    watched.until(lambda s: s.is_busy)
    watched.session.pause()
    held.go_on["step"].set()
    assert not watched.until(lambda s: not s.is_busy).is_busy
    assert watched.session.view_state.frame.number == 0


def test_session_rewinds_branches_chooses_and_resets(watched: RecordedSession) -> None:
    for _ in range(4):
        watched.session.step()
    watched.until(lambda s: s.frame.number == 4)
    watched.session.rewind(2)
    watched.until(lambda s: s.frame.number == 2)
    watched.session.branch({"cluster__gpus": 2048})
    shown = watched.until(lambda s: len(s.timelines) == 2)
    assert shown.scenario.cluster.gpus == 2048
    assert shown.initial_scenario.cluster.gpus == LAB.cluster.gpus
    watched.session.choose(0)
    assert watched.until(lambda s: s.timelines[0].is_chosen).scenario == LAB
    watched.session.reset(LAB, 7)
    shown = watched.until(lambda s: s.seed == 7)
    assert (shown.frame.number, len(shown.timelines)) == (0, 1)


def test_session_executes_only_the_last_waiting_rewind(watched: RecordedSession) -> None:
    for _ in range(6):
        watched.session.step()
    watched.until(lambda s: s.frame.number == 6)
    held, go_on = threading.Event(), threading.Event()

    def wait(player: RunPlayer) -> SeekResult:
        held.set()
        assert go_on.wait(30)
        return SeekResult(player.current_frame, True, "")

    seen: list[int] = []
    rewind = watched.player.rewind
    watched.player.rewind = lambda frame: (seen.append(frame), rewind(frame))[1]  # type: ignore[method-assign]
    watched.session.enqueue("hold", wait)
    assert held.wait(30)
    for frame in (5, 4, 3):
        watched.session.rewind(frame)
    go_on.set()
    watched.until(lambda s: s.frame.number == 3)
    assert seen == [3]


def test_session_answers_questions_between_the_pieces_of_a_move(watched: RecordedSession) -> None:
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1)
    watched.session.enqueue("long", pieces_until_stop)
    watched.until(lambda s: s.is_busy)
    world = World(LAB, 0)
    world.step()
    assert watched.session.submit(RunPlayer.digest).result(30) == world.digest()
    assert watched.session.view_state.is_busy, "the move goes on"
    watched.session.pause()
    assert watched.until(lambda s: not s.is_busy).message == "Stopped on day 1."


def test_session_answers_questions_while_playback_waits_for_the_browser(
    watched: RecordedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched.session, "acknowledge", lambda stamp: None)
    watched.session.play()
    watched.until(lambda s: s.frame.number == 1)
    assert watched.session.submit(lambda player: player.current_frame.number).result(30) == 1
    assert watched.session.view_state.is_playing


def test_session_asked_by_several_threads_equals_a_headless_run(watched: RecordedSession) -> None:
    answers: dict[int, str] = {}

    def ask() -> None:
        for _ in range(8):
            result = watched.session.query(RunPlayer.result)
            answers[len(result.series["day"]) - 1] = result.digest

    for _ in range(12):
        watched.session.step()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    watched.until(lambda s: s.frame.number == 12)
    answers[12] = watched.session.query(RunPlayer.digest)
    world = World(LAB, 0)
    for frame in range(13):
        assert answers.get(frame, world.digest()) == world.digest()
        world.step()


def test_preparation_of_a_measurement_makes_way_for_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.window.session.MEASURE_AFTER_SECONDS", 0.0)
    preparing = threading.Event()

    def snapshot_until_stop(player: RunPlayer) -> None:
        preparing.set()
        pieces_until_stop(player)

    monkeypatch.setattr(RunPlayer, "snapshot", snapshot_until_stop)
    watched = RecordedSession(LAB, MarginsWorker())
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1)
    assert preparing.wait(30)
    preparing.clear()
    watched.session.step()
    watched.until(lambda s: s.frame.number == 2)
    assert preparing.wait(30), "the measurement is prepared again"
    watched.session.close()
    assert watched.session.freed.wait(30)


def test_session_raises_the_error_of_a_question_where_it_is_asked(watched: RecordedSession) -> None:
    def broken(player: RunPlayer) -> str:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        watched.session.query(broken)
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1)


def test_closed_session_answers_waiting_questions_and_refuses_later_ones(watched: RecordedSession) -> None:
    held, go_on = threading.Event(), threading.Event()

    def wait(player: RunPlayer) -> SeekResult:
        held.set()
        assert go_on.wait(30)
        return SeekResult(player.current_frame, True, "")

    watched.session.enqueue("hold", wait)
    assert held.wait(30)
    waiting = watched.session.submit(RunPlayer.result)
    watched.session.close()
    later = watched.session.submit(RunPlayer.result)
    go_on.set()
    assert waiting.result(30).digest == World(LAB, 0).digest()
    with pytest.raises(ScenarioError, match="this page is closed: load it again"):
        later.result(30)
    assert watched.session.freed.wait(30)


def test_session_shows_the_history_of_the_followed_researcher(watched: RecordedSession) -> None:
    watched.session.follow(1)
    assert watched.until(lambda s: s.followed_researcher == 1).history
    watched.session.follow(0)
    assert watched.until(lambda s: s.followed_researcher == 0).history == ()


def test_closed_session_publishes_nothing_and_ends_its_thread(watched: RecordedSession) -> None:
    watched.session.close()
    assert watched.session.freed.wait(30)
    before = list(watched.stamps)
    watched.session.step()
    watched.session.play()
    watched.session.set_pace("1")
    assert watched.stamps == before


def test_session_ignores_an_unknown_pace(watched: RecordedSession) -> None:
    before = watched.session.view_state
    watched.session.set_pace("0.0001")
    assert watched.session.view_state == before
