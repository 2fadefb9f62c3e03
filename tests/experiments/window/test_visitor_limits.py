"""However a journey is stopped, hurried or short of memory, its run stays as it is."""

import threading

import pytest
from hypothesis import given

from experiments.window import player as journey_module
from experiments.window import timeline as futures_module
from experiments.window.player import RunPlayer
from experiments.window.timeline import Timeline
from tests.support.window_runs import MOVES, move, small_lab, thorough, walk

LAB = small_lab()
WALKED = walk(LAB)


@given(MOVES)
@thorough
def test_rewinding_is_exact_when_little_is_kept(moves):
    bounds = {"MAX_FRAME_BYTES": 12_000, "MAX_SNAPSHOT_BYTES": 60_000, "MIN_EFFORT": 20, "BYTES_AN_EFFORT": 10**9}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bounds.items():
            patch.setattr(futures_module, name, value)
        journey = RunPlayer(LAB)
        journey.go_to(WALKED.last)
        future: Timeline = journey._futures[0]
        assert len(future._frames.numbers) < WALKED.last / 2, "the test keeps too much to say anything"
        assert len(future._moments.numbers) >= 1
        for what, how in moves:
            move(journey, what, how)
            assert future._frames.bytes <= 12_000
            assert future._moments.bytes <= 60_000
            frame = journey.current
            if not frame.between:
                assert frame == WALKED.frames[frame.number]
                assert journey.digest() == WALKED.digests[frame.number]


def test_events_between_frames_are_found_again_when_a_move_was_stopped_on_its_way(monkeypatch):
    long = small_lab(run__frame_days=30.0)
    wanted = RunPlayer(long)
    straight = [wanted.step_event().frame for _ in range(25)]
    assert {frame.number for frame in straight} == {0}
    journey = RunPlayer(long)
    monkeypatch.setattr(journey_module, "EVENTS_A_PIECE", 8)
    monkeypatch.setattr(journey_module, "MAX_PIECES", 1)
    for frame in straight:
        assert journey.step_event().frame == frame
        moved = journey.step()
        assert not moved.done
        assert "in one frame" in moved.sentence
        assert journey.current == frame
        assert journey.digest() == journey.digest()


def test_two_journeys_do_not_meet():
    labs = [(LAB, 0), (small_lab(cluster__gpus=64), 7), (LAB, 1)]
    journeys = [RunPlayer(scenario, seed) for scenario, seed in labs]
    for _ in range(6):
        for step, journey in enumerate(journeys, 1):
            journey.step(step)
            journey.step_event()
            journey.life(1)
    for (scenario, seed), journey in zip(labs, journeys, strict=True):
        journey.step()
        assert journey.digest() == walk(scenario, seed).digests[journey.current.number]


def test_moves_from_several_threads_leave_the_run_as_it_is():
    journey = RunPlayer(LAB)
    failed: list[BaseException] = []

    def work(way: int) -> None:
        try:
            for number in range(12):
                move(journey, *[("step", 2), ("rewind", number), ("event", 3), ("digest", None)][(number + way) % 4])
                journey.futures()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(way,)) for way in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    journey.step()
    assert journey.digest() == WALKED.digests[journey.current.number]


def test_a_move_can_be_cancelled_and_goes_on_when_asked_again(monkeypatch):
    journey = RunPlayer(LAB)
    note = Timeline.note

    def note_and_cancel(self, world):
        note(self, world)
        if world.steps == 7:
            journey.cancel()

    monkeypatch.setattr(Timeline, "note", note_and_cancel)
    moved = journey.step(20)
    assert (moved.done, moved.sentence) == (False, "Stopped: something else was asked for.")
    assert 6 <= moved.frame.number <= 7
    assert journey.step(20 - moved.frame.number).frame == WALKED.frames[20]


def test_an_event_that_nobody_sees_is_passed_and_a_long_wait_for_one_is_bounded(monkeypatch):
    monkeypatch.setattr(journey_module, "changed", lambda world, before: "")
    monkeypatch.setattr(journey_module, "EVENTS_A_PIECE", 4)
    monkeypatch.setattr(journey_module, "MAX_PIECES", 2)
    journey = RunPlayer(small_lab(run__frame_days=10.0))
    moved = journey.step_event()
    assert (moved.done, moved.frame.number, moved.frame.between) == (False, 0, True)
    assert "in 8 events" in moved.sentence
    day = moved.frame.day
    assert journey.step_event().frame.day > day
    while not (moved := journey.step_event()).done:
        assert moved.frame.number == 0
    assert moved.frame == walk(small_lab(run__frame_days=10.0)).frames[1]


def test_long_frames_are_walked_in_pieces(monkeypatch):
    long = small_lab(run__frame_days=60.0, run__max_doublings=20)
    monkeypatch.setattr(journey_module, "EVENTS_A_PIECE", 10)
    monkeypatch.setattr(journey_module, "MAX_PIECES", 3)
    journey = RunPlayer(long)
    moved = journey.step()
    assert not moved.done
    assert moved.frame.number == 0
    assert "ask again" in moved.sentence
    for _ in range(1000):
        if (moved := journey.step()).done:
            break
    assert journey.digest() == walk(long).digests[1]


@pytest.mark.parametrize(
    ("bound", "value", "says"),
    [("MAX_FRAMES", 12, "12 frames"), ("MAX_FACTS", 40, "40 papers"), ("MAX_INDIVIDUALS", 5, "5 researchers")],
)
def test_runs_are_bounded_and_say_so(monkeypatch, bound, value, says):
    monkeypatch.setattr(journey_module, bound, value)
    journey = RunPlayer(LAB)
    moved = journey.go_to(WALKED.last)
    assert not moved.done
    assert says in moved.sentence
    assert moved.frame.number <= 12
    assert journey.rewind(0).done
