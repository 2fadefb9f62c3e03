"""Players: any sequence of moves equals a headless run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.window.player import RunPlayer
from sim.scenario.model import ScenarioError
from sim.testing.invariants import small_scenarios
from sim.world import World
from tests.support.window_runs import MOVES, move, run_headless, small_lab, thorough

LAB = small_lab()


def test_player_steps_equal_a_headless_run(walked):
    player = RunPlayer(LAB)
    for number in range(1, walked.last + 1):
        moved = player.step()
        assert (moved.done, moved.frame.number) == (True, number)
        assert moved.frame == walked.frames[number] == player.current_frame
        assert player.digest() == walked.digests[number]
    assert player.is_over
    timeline = player.timelines()[0]
    assert {name: column for name, column in timeline.columns.items() if name != "frame"} == {
        name: [float(value) for value in column] for name, column in walked.series.items()
    }
    assert timeline.columns["frame"] == list(range(walked.last + 1))
    moved = player.step()
    assert not moved.done
    assert "over" in moved.sentence


def test_player_rewinds_and_branches_a_run_whose_policy_moves_gpus():
    lab = small_lab(policy__name="adaptive", run__horizon_days=30.0)
    walked = run_headless(lab)
    player = RunPlayer(lab)
    player.step(20)
    player.rewind(9)
    assert (player.current_frame, player.digest()) == (walked.frames[9], walked.digests[9])
    assert player.branch(9, {"policy__hysteresis": 5.0}).done
    player.seek(walked.last)
    assert player.result().limited_by == "undefined"


@pytest.mark.slow
@thorough
@given(st.data())
def test_player_with_any_moves_equals_a_headless_run(data):
    scenario = data.draw(small_scenarios(run__horizon_days=20.0, run__sample_days=1.0))
    seed = data.draw(st.integers(0, 100))
    try:
        walked = run_headless(scenario, seed)
    except ScenarioError:
        return
    player = RunPlayer(scenario, seed)
    for what, how in data.draw(MOVES):
        move(player, what, how)
        frame = player.current_frame
        if not frame.is_between_frames:
            assert frame == walked.frames[frame.number]
            assert player.digest() == walked.digests[frame.number]
        else:
            assert walked.frames[frame.number].day < frame.day <= walked.frames[frame.number + 1].day
    player.seek(walked.last)
    assert player.digest() == walked.digests[-1]
    known = player.timelines()[0].columns["discovered"]
    assert known == walked.series["discovered"]


def test_step_event_describes_changes_and_marks_frames_between(walked):
    player = RunPlayer(LAB)
    player.step(3)
    frames = []
    while (moved := player.step_event()).frame.number != 4:
        assert moved.done
        assert moved.sentence
        assert moved.frame.is_between_frames
        assert moved.frame.number == 3
        frames.append(moved.frame)
    assert len(frames) > 2
    assert [frame.day for frame in frames] == sorted(frame.day for frame in frames)
    assert len(set(map(id, frames))) == len(frames)
    assert player.current_frame == walked.frames[4]
    assert player.last_known_frame == 4


def test_advance_to_next_stops_at_the_frame_of_the_goal(walked):
    for goal, comes in (("doubling", "SoftwareDoubled"), ("retraining", "TrainingRequested")):
        player = RunPlayer(LAB)
        moved = player.advance_to_next(goal)
        frame, before = moved.frame, walked.frames[moved.frame.number - 1]
        assert moved.done
        days = [event.day for event in frame.events if event.kind == comes]
        assert days
        assert all(before.day < day <= frame.day for day in days)
    player = RunPlayer(LAB)
    waits = [
        series + more
        for series, more in zip(walked.series["experiments_waiting"], walked.series["training_waiting"], strict=True)
    ]
    first = next(n for n in range(1, len(waits)) if waits[n] > 0 == waits[n - 1])
    assert player.advance_to_next("queue").frame.number == first


def test_stopped_seek_stays_at_the_frame_it_reached(walked):
    player = RunPlayer(LAB)
    passed = []

    def is_at_frame_7():
        passed.append(player.current_frame.number)
        return player.current_frame.number == 7

    player.should_stop = is_at_frame_7
    moved = player.seek(20)
    assert not moved.done
    assert moved.frame == player.current_frame == walked.frames[7]
    assert passed == sorted(passed)
    assert set(passed) == set(range(8))
    assert player.digest() == walked.digests[7]


def test_advance_to_next_without_a_goal_gives_the_reason():
    calm = small_lab(training__required=False, cluster__gpus=256)
    player = RunPlayer(calm)
    moved = player.advance_to_next("retraining", 5)
    assert not moved.done
    assert (moved.frame.number, moved.sentence) == (5, "No training run up to day 5: none came in 5 frames.")
    moved = player.advance_to_next("retraining")
    assert not moved.done
    assert "the run is over" in moved.sentence
    assert player.is_over


def test_bookmarks_equal_events_of_the_ledger(walked):
    player = RunPlayer(LAB)
    player.seek(walked.last)
    events = player.result().events
    kinds = {"SoftwareDoubled": "doubling", "TrainingRequested": "training", "Deployed": "deployed"}
    wanted = [(event.day, kinds[type(event).__name__]) for event in events if type(event).__name__ in kinds]
    assert [(mark.day, mark.kind) for mark in player.timelines()[0].bookmarks] == wanted
    assert len(wanted) > 4


def test_advance_to_next_finds_a_goal_at_the_branch_frame():
    player = RunPlayer(LAB)
    found = player.advance_to_next("doubling").frame.number
    player.branch(found, {"cluster__gpus": 64})
    player.step(3)
    player.rewind(found - 2)
    assert player.advance_to_next("doubling").frame.number == found


def test_advance_to_next_in_known_frames_runs_no_events(monkeypatch):
    player = RunPlayer(LAB)
    found = player.advance_to_next("doubling").frame.number
    player.rewind(0)
    monkeypatch.setattr(World, "step_events", lambda *_: pytest.fail("an event was run again"))
    assert player.advance_to_next("doubling").frame.number == found


def test_branch_without_changes_equals_the_first_run(walked):
    player = RunPlayer(LAB)
    player.step(20)
    assert player.branch(12, {}).frame.number == 12
    player.seek(walked.last)
    assert player.digest() == walked.digests[-1]
    first, second = player.timelines()
    assert (first.is_chosen, first.last_frame, second.is_chosen, second.from_frame) == (False, 20, True, 12)
    assert second.columns["discovered"] == walked.series["discovered"][12:]
    assert list(second.bookmarks) == [mark for mark in _all_marks(LAB) if mark.day > 12]


def _all_marks(scenario):
    player = RunPlayer(scenario)
    player.seek(10_000)
    return player.timelines()[0].bookmarks


def test_branch_is_kept_beside_the_first_timeline(walked):
    player = RunPlayer(LAB)
    player.step(25)
    moved = player.branch(10, {"cluster__gpus": 64, "training__gain": 1.5})
    assert "cluster__gpus = 64" in moved.sentence
    assert moved.frame.grid.gpus == 64
    assert player.scenario.cluster.gpus == 64
    player.seek(20)
    changed = player.digest()
    assert changed != walked.digests[20]
    assert player.rewind(5).frame == walked.frames[5], "before the branch there is one past"
    assert player.rewind(10).frame.grid.gpus == 64
    assert player.rewind(9).frame.grid.gpus == 32
    assert player.step(11).frame.grid.gpus == 64
    assert player.digest() == changed
    player.choose(0)
    assert player.current_frame == walked.frames[20]
    assert player.digest() == walked.digests[20]
    assert [timeline.label for timeline in player.timelines()] == [
        "lab",
        "from day 10: cluster__gpus = 64, training__gain = 1.5",
    ]


def test_refused_branch_changes_nothing(walked):
    player = RunPlayer(LAB)
    player.step(10)
    with pytest.raises(ScenarioError, match="cannot change within a run"):
        player.branch(10, {"researcher__initial": 9})
    with pytest.raises(ScenarioError, match="cluster__gpu'"):
        player.branch(5, {"cluster__gpu": 9})
    with pytest.raises(ScenarioError, match="no branch 7"):
        player.choose(7)
    assert player.current_frame == walked.frames[10]
    assert len(player.timelines()) == 1


def test_branch_beyond_the_limit_drops_the_oldest_without_branches(walked):
    player = RunPlayer(LAB)
    player.step(12)
    said = []
    for gpus in (40, 48, 56, 64, 72):
        player.choose(0)
        said.append(player.branch(8, {"cluster__gpus": gpus}).sentence)
    assert ["was dropped" in sentence for sentence in said] == [False, False, False, True, True]
    assert "was dropped (from day 8: cluster__gpus = 40)" in said[3]
    kept = [timeline.changes.get("cluster__gpus") for timeline in player.timelines()]
    assert kept == [None, 56, 64, 72]
    for frame in (9, 10):
        player.branch(frame, {"cluster__gpus": 80 + frame})
    assert [timeline.changes.get("cluster__gpus") for timeline in player.timelines()] == [None, 72, 89, 90]
    with pytest.raises(ScenarioError, match="4 branches are kept"):
        player.branch(11, {"cluster__gpus": 96})
    assert player.rewind(0).frame == walked.frames[0]


def test_branches_at_the_same_frame_share_one_parent():
    player = RunPlayer(LAB)
    player.step(12)
    for gpus in (40, 48, 56, 64, 72):
        player.branch(8, {"cluster__gpus": gpus})  # each branch starts at the first frame of the last one
    assert [timeline.changes.get("cluster__gpus") for timeline in player.timelines()] == [None, 56, 64, 72]
    assert {timeline.parent for timeline in player.timelines()} == {None, 0}
    player.branch(8, {"training__gain": 4.0})
    player.seek(12)
    world = World(LAB)
    for _ in range(8):
        world.step()
    alone = world.branch(cluster__gpus=72, training__gain=4.0)
    for _ in range(4):
        alone.step()
    assert player.digest() == alone.digest()
    assert player.timelines()[-1].changes == {"cluster__gpus": 72, "training__gain": 4.0}


def test_branch_of_an_ended_run_with_a_later_horizon_continues():
    player = RunPlayer(small_lab(run__horizon_days=5.0, run__max_doublings=20))
    player.seek(99)
    assert player.is_over
    assert player.current_frame.number == 5
    player.branch(5, {"run__horizon_days": 8.0})
    assert not player.is_over
    assert player.seek(8).frame.number == 8
    assert player.is_over
    assert player.choose(0).frame.ending is not None


def test_reset_restarts_on_day_0_and_refuses_invalid_scenarios(walked):
    player = RunPlayer(LAB)
    player.step(9)
    player.branch(4, {"cluster__gpus": 64})
    with pytest.raises(ScenarioError):
        player.reset(LAB.replace(researcher__experiment_gpus=1000))
    assert len(player.timelines()) == 2
    assert player.reset().frame == walked.frames[0]
    assert player.step(9).frame == walked.frames[9]
    assert player.reset(seed=5).frame.number == 0
    assert player.seed == 5
    player.step(9)
    assert player.digest() == run_headless(LAB, 5).digests[9]


def test_result_is_unchanged_by_later_moves(walked):
    player = RunPlayer(LAB)
    player.step(10)
    result = player.result()
    counts = len(result.events), len(result.jobs), len(result.series["day"])
    player.step(10)
    assert (len(result.events), len(result.jobs), len(result.series["day"])) == counts
    assert result.digest == walked.digests[10]


def test_history_describes_the_records_of_a_researcher():
    player = RunPlayer(LAB)
    player.step(25)
    before = player.digest()
    lines = player.history(2)
    assert player.digest() == before
    days = [day for day, _ in lines]
    assert days == sorted(days)
    assert lines[0] == (0.0, "It becomes active.")
    assert lines[-1][0] == player.current_frame.day
    papers = [say for _, say in lines if "publishes paper" in say]
    assert papers
    person = next(each for each in player.current_frame.team.people if each.number == 2)
    assert len(papers) == person.papers
    assert any("It requests" in say for _, say in lines)
    assert player.history(10**9)[0][1].startswith("There is no researcher 1,000,000,000")


def test_history_of_a_cohort_member_ends_when_it_joins():
    player = RunPlayer(small_lab(run__max_individuals=8, run__max_doublings=6))
    while not player.current_frame.team.groups:
        assert player.step().done
    player.step(3)
    before = player.digest()
    lines = [say for _, say in player.history(1)]
    assert player.digest() == before
    assert any(say.startswith("It joins a cohort of") for say in lines)
    assert f"one of {player.current_frame.team.in_cohorts:,} researchers of a cohort. Only" in lines[-1]


def test_restore_earlier_swaps_the_runs_before_and_after_a_reset(walked):
    player = RunPlayer(LAB)
    player.step(20)
    player.branch(8, {"cluster__gpus": 64})
    player.seek(14)
    frame, digest, labels = player.current_frame, player.digest(), [each.label for each in player.timelines()]
    with pytest.raises(ScenarioError, match="no earlier run"):
        player.restore_earlier()
    player.reset(small_lab(cluster__gpus=48), seed=5)
    player.step(3)
    later = player.digest()
    assert player.has_earlier
    assert player.restore_earlier().frame == frame
    assert (player.seed, player.digest(), [each.label for each in player.timelines()]) == (0, digest, labels)
    player.choose(0)
    player.seek(walked.last)
    assert player.digest() == walked.digests[-1]
    player.restore_earlier()
    assert (player.seed, player.digest(), player.current_frame.number) == (5, later, 3)


def test_branch_during_a_training_run_gives_it_fewer_gpus():
    player = RunPlayer(small_lab(cluster__gpus=64, training__first_run_days=40.0, run__max_doublings=9))
    player.advance_to_next("retraining")
    at = player.current_frame.number
    player.branch(at, {"cluster__training_share": 0.125})
    assert player.current_frame.grid.training == 8
    assert "ends on day" in player.current_frame.limit.state or player.current_frame.limit.part != "training"


def test_branch_with_too_few_gpus_for_a_job_names_the_job_and_its_end():
    player = RunPlayer(LAB)
    player.seek(10)
    says = r"^an experiment holds \d GPUs and could have at most 0; give its pool more GPUs, or branch after day \d"
    with pytest.raises(ScenarioError, match=says):
        player.branch(10, {"cluster__gpus": 8})
