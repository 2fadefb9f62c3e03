"""A session: what is asked of it is done in order by its own thread, and whatever goes wrong is a sentence."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from experiments.window.player import RunPlayer, SeekResult
from experiments.window.session import ViewState, WindowSession
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.window_runs import logged

LAB = Scenario.load("lab")


class Watched:
    """A session and all that it has published, with a way to wait for what is to come."""

    def __init__(self, scenario: Scenario = LAB) -> None:
        self._news = threading.Condition()
        self.journey = RunPlayer(scenario, 0)
        self.stamps: list[int] = []
        self.session = WindowSession(self.journey, self._published)

    def _published(self, stamp: int) -> None:
        with self._news:
            self.stamps.append(stamp)
            self._news.notify_all()
        self.session.seen(stamp)  # as a browser that is never late

    def until(self, condition: Any) -> ViewState:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.session.shown), timeout=30), self.session.shown.said
        return self.session.shown


@pytest.fixture
def watched() -> Iterator[Watched]:
    found = Watched()
    yield found
    found.session.close()


def test_steps_come_one_after_the_other(watched: Watched) -> None:
    for _ in range(3):
        watched.session.step()
    shown = watched.until(lambda s: s.frame.number == 3)
    world = World(LAB, 0)
    for _ in range(3):
        world.step()
    assert shown.frame.day == world.now
    assert watched.stamps == sorted(watched.stamps)


def test_the_digest_is_told_only_while_somebody_wants_it(watched: Watched) -> None:
    watched.session.step()
    assert watched.until(lambda s: s.frame.number == 1).digest == ""
    watched.session.want_digest(True)
    world = World(LAB, 0)
    world.step()
    assert watched.until(lambda s: s.digest).digest == world.digest()
    watched.session.want_digest(False)
    watched.until(lambda s: not s.digest)


def test_play_goes_on_until_pause_and_steps_meanwhile_are_ignored(watched: Watched) -> None:
    watched.session.set_pace("fast")
    watched.session.play()
    watched.until(lambda s: s.playing)
    watched.session.step()
    watched.until(lambda s: s.frame.number >= 5)
    watched.session.pause()
    shown = watched.until(lambda s: not s.playing)
    watched.session.want_digest(True)
    shown = watched.until(lambda s: s.digest)
    assert not shown.playing
    assert shown.frame.number == watched.journey.current.number


def test_it_is_said_to_stand_once_the_frame_at_work_is_shown(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    step = watched.journey.step

    def slow() -> SeekResult:
        begun.set()
        assert go_on.wait(30)
        return step()

    monkeypatch.setattr(watched.journey, "step", slow)
    watched.session.want_digest(True)
    watched.until(lambda s: s.digest)
    watched.session.play()
    assert begun.wait(30)
    watched.session.pause()
    assert watched.session.shown.playing
    assert watched.session.shown.frame.number == 0
    go_on.set()
    shown = watched.until(lambda s: not s.playing)
    assert shown.frame.number == watched.journey.current.number == 1
    assert shown.digest == watched.journey.digest()


def test_play_ends_with_the_run() -> None:
    watched = Watched(LAB.replace(run__horizon_days=4.0))
    watched.session.play()
    shown = watched.until(lambda s: s.over and not s.playing)
    assert shown.frame.number == 4
    assert shown.frame.ending is not None
    watched.session.play()  # nothing comes after the end
    assert not watched.session.shown.playing
    watched.session.close()


def test_play_stops_when_nobody_looks(monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    monkeypatch.setattr("experiments.window.session.UNSEEN_SECONDS", 0.0)
    monkeypatch.setattr(watched.session, "seen", lambda stamp: None)
    watched.session.set_pace("fast")
    watched.session.play()
    watched.until(lambda s: s.frame.number >= 1 and not s.playing)


def test_what_cannot_be_done_is_said(watched: Watched) -> None:
    watched.session.branch({"cluster__gpus": 0})
    shown = watched.until(lambda s: s.wrong)
    assert shown.said == "cluster__gpus = 0 GPUs is out of bounds: from 1 to 1,000,000 GPUs."
    watched.session.step()
    assert not watched.until(lambda s: s.frame.number == 1).wrong


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return logged(monkeypatch, "experiments.window.session")


def test_a_defect_is_said_and_the_session_goes_on(watched: Watched, log: list[str]) -> None:
    def broken(journey: RunPlayer) -> SeekResult:
        raise KeyError("defect")

    watched.session._ask("step", broken)
    shown = watched.until(lambda s: s.wrong)
    assert shown.said == "This step failed (KeyError). Rewind, or start anew."
    assert any("a move failed" in line for line in log)
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1)


def test_a_page_that_cannot_be_told_once_is_told_the_next_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    def broken(stamp: int) -> None:
        raise ConnectionError

    publish = watched.session._publish
    monkeypatch.setattr(watched.session, "_publish", broken)
    watched.session.set_pace("1")
    assert any("a page could not be told" in line for line in log)
    monkeypatch.setattr(watched.session, "_publish", publish)
    watched.session.step()
    watched.until(lambda s: s.frame.number == 1 and s.pace == "1")


def test_a_long_move_is_busy_until_a_pause_stops_it(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    started, stopped = threading.Event(), threading.Event()

    def go_on(goal: str) -> SeekResult:
        started.set()
        assert stopped.wait(30)
        return SeekResult(watched.journey.current, False, "Stopped: something else was asked for.")

    monkeypatch.setattr(watched.journey, "to_next", go_on)
    monkeypatch.setattr(watched.journey, "cancel", stopped.set)
    watched.session.to_next("queue")
    assert watched.until(lambda s: s.busy)
    assert started.wait(30)
    watched.session.pause()
    shown = watched.until(lambda s: s.said == "Stopped on day 0.")
    assert not shown.busy


class Held:
    """Moves of a journey that go on when they are let go, one by one."""

    def __init__(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("experiments.window.session.BUSY_SECONDS", 0.0)
        self.started_at = {"step": threading.Event(), "to_next": threading.Event()}
        self.go_on = {"step": threading.Event(), "to_next": threading.Event()}
        for name in self.started_at:
            monkeypatch.setattr(watched.journey, name, self._held(name, watched.journey))

    def _held(self, name: str, journey: RunPlayer) -> Any:
        def move(*_: Any) -> SeekResult:
            self.started_at[name].set()
            assert self.go_on[name].wait(30)
            return SeekResult(journey.current, True, name)

        return move


def test_step_that_takes_long_is_busy_until_it_is_shown(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(watched, monkeypatch)
    watched.session.step()
    assert watched.until(lambda s: s.busy).said == "On the way, day 0."
    held.go_on["step"].set()
    assert watched.until(lambda s: not s.busy).said == ""


def test_move_asked_for_within_a_step_is_busy_until_both_are_over(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(watched, monkeypatch)
    watched.session.step()
    assert held.started_at["step"].wait(30)
    watched.session.to_next("doubling")
    watched.until(lambda s: s.busy)
    monkeypatch.setattr("experiments.window.session.BUSY_SECONDS", 60.0)
    held.go_on["step"].set()
    assert held.started_at["to_next"].wait(30)
    assert watched.session.shown.busy
    held.go_on["to_next"].set()
    assert watched.until(lambda s: not s.busy).said == "to_next."


def test_step_that_is_stopped_says_so(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(watched, monkeypatch)
    watched.session.step()
    watched.session.step()
    watched.until(lambda s: s.busy)
    watched.session.pause()
    held.go_on["step"].set()
    assert not watched.until(lambda s: not s.busy).busy
    assert watched.session.shown.frame.number == 0


def test_branches_rewinds_and_futures(watched: Watched) -> None:
    for _ in range(4):
        watched.session.step()
    watched.until(lambda s: s.frame.number == 4)
    watched.session.rewind(2)
    watched.until(lambda s: s.frame.number == 2)
    watched.session.branch({"cluster__gpus": 2048})
    shown = watched.until(lambda s: len(s.futures) == 2)
    assert shown.scenario.cluster.gpus == 2048
    assert shown.first.cluster.gpus == LAB.cluster.gpus
    watched.session.choose(0)
    assert watched.until(lambda s: s.futures[0].chosen).scenario == LAB
    watched.session.reset(LAB, 7)
    shown = watched.until(lambda s: s.seed == 7)
    assert (shown.frame.number, len(shown.futures)) == (0, 1)


def test_of_rewinds_that_wait_only_the_last_counts(watched: Watched) -> None:
    for _ in range(6):
        watched.session.step()
    watched.until(lambda s: s.frame.number == 6)
    held, go_on = threading.Event(), threading.Event()

    def wait(journey: RunPlayer) -> SeekResult:
        held.set()
        assert go_on.wait(30)
        return SeekResult(journey.current, True, "")

    seen: list[int] = []
    rewind = watched.journey.rewind
    watched.journey.rewind = lambda frame: (seen.append(frame), rewind(frame))[1]  # type: ignore[method-assign]
    watched.session._ask("hold", wait)
    assert held.wait(30)
    for frame in (5, 4, 3):
        watched.session.rewind(frame)
    go_on.set()
    watched.until(lambda s: s.frame.number == 3)
    assert seen == [3]


def test_the_life_of_a_researcher_is_told_until_nobody_is_followed(watched: Watched) -> None:
    watched.session.follow(1)
    assert watched.until(lambda s: s.followed == 1).life
    watched.session.follow(0)
    assert watched.until(lambda s: s.followed == 0).life == ()


def test_a_closed_session_publishes_nothing_and_its_thread_ends(watched: Watched) -> None:
    watched.session.close()
    assert watched.session.freed.wait(30)
    before = list(watched.stamps)
    watched.session.step()
    watched.session.play()
    watched.session.set_pace("1")
    assert watched.stamps == before


def test_an_unknown_pace_is_ignored(watched: Watched) -> None:
    before = watched.session.shown
    watched.session.set_pace("0.0001")
    assert watched.session.shown == before
