"""Limits of players: interruptions and little memory do not change the run."""

import pytest
from hypothesis import given

from experiments.window import player as player_module
from experiments.window import timeline as timeline_module
from experiments.window.player import RunPlayer
from experiments.window.timeline import Timeline
from tests.support.window_runs import MOVES, move, run_headless, small_lab, thorough

LAB = small_lab()


@pytest.mark.slow
@thorough
@given(MOVES)
def test_player_with_little_memory_rewinds_exactly(walked, moves):
    bounds = {
        "MAX_FRAME_BYTES": 12_000,
        "MAX_CHECKPOINT_BYTES": 60_000,
        "MIN_RECREATION_COST": 20,
        "BYTES_PER_COST_UNIT": 10**9,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bounds.items():
            patch.setattr(timeline_module, name, value)
        player = RunPlayer(LAB)
        player.seek(walked.last)
        (kept,) = player.cache_usage
        assert kept.frames < walked.last / 2, "too many frames are kept for this test"
        assert kept.checkpoints >= 1
        for what, how in moves:
            move(player, what, how)
            assert all(each.frame_bytes <= 12_000 and each.checkpoint_bytes <= 60_000 for each in player.cache_usage)
            frame = player.current_frame
            if not frame.is_between_frames:
                assert frame == walked.frames[frame.number]
                assert player.digest() == walked.digests[frame.number]


def test_player_returns_to_events_between_frames_after_a_stopped_move(monkeypatch):
    long = small_lab(run__sample_days=30.0)
    wanted = RunPlayer(long)
    straight = [wanted.step_event().frame for _ in range(25)]
    assert {frame.number for frame in straight} == {0}
    player = RunPlayer(long)
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 8)
    monkeypatch.setattr(player_module, "MAX_PIECES_PER_FRAME", 1)
    for frame in straight:
        assert player.step_event().frame == frame
        moved = player.step()
        assert not moved.done
        assert "in one frame" in moved.sentence
        assert player.current_frame == frame
        assert player.digest() == player.digest()


def test_players_are_independent():
    labs = [(LAB, 0), (small_lab(cluster__gpus=64), 7), (LAB, 1)]
    players = [RunPlayer(scenario, seed) for scenario, seed in labs]
    for _ in range(6):
        for step, player in enumerate(players, 1):
            player.step(step)
            player.step_event()
            player.history(1)
    for (scenario, seed), player in zip(labs, players, strict=True):
        player.step()
        assert player.digest() == run_headless(scenario, seed).digests[player.current_frame.number]


def test_player_with_questions_between_pieces_equals_a_headless_run(walked, monkeypatch):
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 2)
    player = RunPlayer(LAB)
    asked = []

    def ask_sometimes():
        asked.append(player.current_frame)
        if len(asked) % 3 == 0:
            digest = player.digest()
            assert asked[-1].is_between_frames or digest == walked.digests[asked[-1].number]
        return False

    player.should_stop = ask_sometimes
    for what, how in (("go to", 8), ("event", 3), ("step", 1), ("rewind", 3), ("next", "doubling")):
        move(player, what, how)
        frame = player.current_frame
        assert frame.is_between_frames or frame == walked.frames[frame.number]
    assert player.digest() == walked.digests[player.current_frame.number]
    assert len(asked) > 50


def test_long_frame_is_completed_beside_questions_after_each_piece(monkeypatch):
    long = small_lab(run__sample_days=60.0, run__max_doublings=20)
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 100)
    player = RunPlayer(long)
    first, pieces = player.digest(), []

    def ask_after_each_piece():
        pieces.append(player.digest())
        return len(pieces) > 100

    player.should_stop = ask_after_each_piece
    assert player.step().done
    assert set(pieces) == {first}
    assert 3 < len(pieces) < 100
    assert player.digest() == run_headless(long).digests[1]


def test_stopped_move_continues_on_the_next_request(walked, monkeypatch):
    player = RunPlayer(LAB)
    record, wanted = Timeline.record, []

    def record_and_stop(self, world, lab):
        record(self, world, lab)
        wanted[:] = [world.steps == 7]

    monkeypatch.setattr(Timeline, "record", record_and_stop)
    player.should_stop = lambda: any(wanted)
    moved = player.step(20)
    assert (moved.done, moved.sentence) == (False, "Stopped: another move was requested.")
    assert moved.frame.number == 7, "the running frame is completed"
    wanted.clear()
    assert player.step(20 - moved.frame.number).frame == walked.frames[20]


def test_long_frame_stops_between_two_pieces(monkeypatch):
    long = small_lab(run__sample_days=60.0, run__max_doublings=20)
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 10)
    player = RunPlayer(long)
    pieces = []

    def is_third_piece():
        pieces.append(player.current_frame.number)
        return len(pieces) == 3

    player.should_stop = is_third_piece
    assert player.step().sentence == "Stopped: another move was requested."
    assert pieces == [0, 0, 0]
    assert player.step().done
    assert player.digest() == run_headless(long).digests[1]


def test_snapshot_is_none_if_it_has_to_stop():
    player = RunPlayer(LAB)
    player.step(3)
    player.should_stop = lambda: True
    assert player.snapshot() is None
    player.should_stop = lambda: False
    assert player.snapshot() is not None


def test_step_event_skips_invisible_events_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(player_module, "describe_changes", lambda world, before: "")
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 4)
    monkeypatch.setattr(player_module, "MAX_PIECES_PER_FRAME", 2)
    player = RunPlayer(small_lab(run__sample_days=10.0))
    moved = player.step_event()
    assert (moved.done, moved.frame.number, moved.frame.is_between_frames) == (False, 0, True)
    assert "in 8 events" in moved.sentence
    day = moved.frame.day
    assert player.step_event().frame.day > day
    while not (moved := player.step_event()).done:
        assert moved.frame.number == 0
    assert moved.frame == run_headless(small_lab(run__sample_days=10.0)).frames[1]


def test_player_runs_long_frames_in_pieces(monkeypatch):
    long = small_lab(run__sample_days=60.0, run__max_doublings=20)
    monkeypatch.setattr(player_module, "EVENTS_PER_PIECE", 10)
    monkeypatch.setattr(player_module, "MAX_PIECES_PER_FRAME", 3)
    player = RunPlayer(long)
    moved = player.step()
    assert not moved.done
    assert moved.frame.number == 0
    assert "Press Step again" in moved.sentence
    for _ in range(1000):
        if (moved := player.step()).done:
            break
    assert player.digest() == run_headless(long).digests[1]


@pytest.mark.parametrize(
    ("bound", "value", "says"),
    [
        ("MAX_FRAMES", 12, "12 frames"),
        ("MAX_RECORDS", 40, "40 papers"),
        ("MAX_INDIVIDUALS", 5, "5 individual researchers"),
    ],
)
def test_player_stops_at_its_limits_and_names_them(walked, monkeypatch, bound, value, says):
    monkeypatch.setattr(player_module, bound, value)
    player = RunPlayer(LAB)
    moved = player.seek(walked.last)
    assert not moved.done
    assert says in moved.sentence
    assert moved.frame.number <= 12
    assert player.rewind(0).done
