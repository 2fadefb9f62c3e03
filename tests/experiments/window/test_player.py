"""A journey shows the run that would have been without it, whichever way it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.window.player import RunPlayer
from sim.scenario.model import ScenarioError
from sim.testing.invariants import small_scenarios
from sim.world import World
from tests.support.window_runs import MOVES, move, small_lab, thorough, walk

LAB = small_lab()
WALKED = walk(LAB)


def test_frames_are_those_of_a_headless_run():
    journey = RunPlayer(LAB)
    for number in range(1, WALKED.last + 1):
        moved = journey.step()
        assert (moved.done, moved.frame.number) == (True, number)
        assert moved.frame == WALKED.frames[number] == journey.current
        assert journey.digest() == WALKED.digests[number]
    assert journey.over
    future = journey.futures()[0]
    assert {name: column for name, column in future.columns.items() if name != "frame"} == {
        name: [float(value) for value in column] for name, column in WALKED.series.items()
    }
    assert future.columns["frame"] == list(range(WALKED.last + 1))
    moved = journey.step()
    assert not moved.done
    assert "over" in moved.sentence


@thorough
@given(st.data())
def test_any_way_through_any_lab_leaves_the_run_as_it_is(data):
    scenario = data.draw(small_scenarios(run__horizon_days=20.0, run__frame_days=1.0))
    seed = data.draw(st.integers(0, 100))
    try:
        walked = walk(scenario, seed)
    except ScenarioError:
        return
    journey = RunPlayer(scenario, seed)
    for what, how in data.draw(MOVES):
        move(journey, what, how)
        frame = journey.current
        if not frame.between:
            assert frame == walked.frames[frame.number]
            assert journey.digest() == walked.digests[frame.number]
        else:
            assert walked.frames[frame.number].day < frame.day <= walked.frames[frame.number + 1].day
    journey.go_to(walked.last)
    assert journey.digest() == walked.digests[-1]
    known = journey.futures()[0].columns["discovered"]
    assert known == walked.series["discovered"]


def test_events_are_told_and_frames_between_are_marked():
    journey = RunPlayer(LAB)
    journey.step(3)
    frames = []
    while (moved := journey.step_event()).frame.number != 4:
        assert moved.done
        assert moved.sentence
        assert moved.frame.between
        assert moved.frame.number == 3
        frames.append(moved.frame)
    assert len(frames) > 2
    assert [frame.day for frame in frames] == sorted(frame.day for frame in frames)
    assert len(set(map(id, frames))) == len(frames)
    assert journey.current == WALKED.frames[4]
    assert journey.last == 4


def test_to_next_stops_at_the_frame_in_which_it_comes():
    for goal, comes in (("doubling", "SoftwareDoubled"), ("retraining", "TrainingStarted")):
        journey = RunPlayer(LAB)
        moved = journey.to_next(goal)
        frame, before = moved.frame, WALKED.frames[moved.frame.number - 1]
        assert moved.done
        days = [event.day for event in frame.events if event.kind == comes]
        assert days
        assert all(before.day < day <= frame.day for day in days)
    journey = RunPlayer(LAB)
    waits = [
        series + more
        for series, more in zip(WALKED.series["experiments_waiting"], WALKED.series["training_waiting"], strict=True)
    ]
    first = next(n for n in range(1, len(waits)) if waits[n] > 0 == waits[n - 1])
    assert journey.to_next("queue").frame.number == first


def test_a_long_way_that_is_stopped_ends_where_it_got():
    journey = RunPlayer(LAB)
    passed = []

    def look():
        passed.append(journey.current.number)
        if journey.current.number == 7:
            journey.cancel()

    journey.on_way = look
    moved = journey.go_to(20)
    assert not moved.done
    assert moved.frame == journey.current == WALKED.frames[7]
    assert passed == sorted(passed)
    assert set(passed) == set(range(8))
    assert journey.digest() == WALKED.digests[7]


def test_to_next_says_why_nothing_came():
    calm = small_lab(training__needed=False, cluster__gpus=256)
    journey = RunPlayer(calm)
    moved = journey.to_next("retraining", 5)
    assert not moved.done
    assert (moved.frame.number, moved.sentence) == (5, "No training run up to day 5: none came in 5 frames.")
    moved = journey.to_next("retraining")
    assert not moved.done
    assert "the run is over" in moved.sentence
    assert journey.over


def test_marks_are_those_of_the_ledger():
    journey = RunPlayer(LAB)
    journey.go_to(WALKED.last)
    events = journey.result().events
    kinds = {"SoftwareDoubled": "doubling", "TrainingStarted": "training", "Deployed": "deployed"}
    wanted = [(event.day, kinds[type(event).__name__]) for event in events if type(event).__name__ in kinds]
    assert [(mark.day, mark.kind) for mark in journey.futures()[0].marks] == wanted
    assert len(wanted) > 4


def test_a_goal_is_found_in_the_frame_from_which_a_future_branched():
    journey = RunPlayer(LAB)
    found = journey.to_next("doubling").frame.number
    journey.branch(found, {"cluster__gpus": 64})
    journey.step(3)
    journey.rewind(found - 2)
    assert journey.to_next("doubling").frame.number == found


def test_known_frames_are_searched_without_being_run_again(monkeypatch):
    journey = RunPlayer(LAB)
    found = journey.to_next("doubling").frame.number
    journey.rewind(0)
    monkeypatch.setattr(journey, "_pass_events", lambda most: pytest.fail("run again"))
    assert journey.to_next("doubling").frame.number == found


def test_a_branch_without_a_change_has_the_same_future():
    journey = RunPlayer(LAB)
    journey.step(20)
    assert journey.branch(12, {}).frame.number == 12
    journey.go_to(WALKED.last)
    assert journey.digest() == WALKED.digests[-1]
    first, second = journey.futures()
    assert (first.chosen, first.frames, second.chosen, second.from_frame) == (False, 20, True, 12)
    assert second.columns["discovered"] == WALKED.series["discovered"][12:]
    assert list(second.marks) == [mark for mark in _all_marks(LAB) if mark.day > 12]


def _all_marks(scenario):
    journey = RunPlayer(scenario)
    journey.go_to(10_000)
    return journey.futures()[0].marks


def test_a_branch_is_another_future_beside_the_first():
    journey = RunPlayer(LAB)
    journey.step(25)
    moved = journey.branch(10, {"cluster__gpus": 64, "training__gain": 1.5})
    assert "cluster__gpus = 64" in moved.sentence
    assert moved.frame.grid.gpus == 64
    assert journey.scenario.cluster.gpus == 64
    journey.go_to(20)
    changed = journey.digest()
    assert changed != WALKED.digests[20]
    assert journey.rewind(5).frame == WALKED.frames[5], "before the branch there is one past"
    assert journey.rewind(10).frame.grid.gpus == 64
    assert journey.rewind(9).frame.grid.gpus == 32
    assert journey.step(11).frame.grid.gpus == 64
    assert journey.digest() == changed
    journey.choose(0)
    assert journey.current == WALKED.frames[20]
    assert journey.digest() == WALKED.digests[20]
    assert [future.label for future in journey.futures()] == [
        "lab",
        "from day 10: cluster__gpus = 64, training__gain = 1.5",
    ]


def test_a_branch_that_cannot_be_made_changes_nothing():
    journey = RunPlayer(LAB)
    journey.step(10)
    with pytest.raises(ScenarioError, match="cannot change within a run"):
        journey.branch(10, {"researcher__initial": 9})
    with pytest.raises(ScenarioError, match="cluster__gpu'"):
        journey.branch(5, {"cluster__gpu": 9})
    with pytest.raises(ScenarioError, match="no future 7"):
        journey.choose(7)
    assert journey.current == WALKED.frames[10]
    assert len(journey.futures()) == 1


def test_few_futures_are_kept_and_none_that_another_needs():
    journey = RunPlayer(LAB)
    journey.step(12)
    said = []
    for gpus in (40, 48, 56, 64, 72):
        journey.choose(0)
        said.append(journey.branch(8, {"cluster__gpus": gpus}).sentence)
    assert ["made room" in sentence for sentence in said] == [False, False, False, True, True]
    assert "made room (from day 8: cluster__gpus = 40)" in said[3]
    kept = [future.changes.get("cluster__gpus") for future in journey.futures()]
    assert kept == [None, 56, 64, 72]
    for frame in (9, 10):
        journey.branch(frame, {"cluster__gpus": 80 + frame})
    assert [future.changes.get("cluster__gpus") for future in journey.futures()] == [None, 72, 89, 90]
    with pytest.raises(ScenarioError, match="4 futures are kept"):
        journey.branch(11, {"cluster__gpus": 96})
    assert journey.rewind(0).frame == WALKED.frames[0]


def test_futures_that_begin_together_do_not_hang_on_each_other():
    journey = RunPlayer(LAB)
    journey.step(12)
    for gpus in (40, 48, 56, 64, 72):
        journey.branch(8, {"cluster__gpus": gpus})  # each time from the future that was chosen last, where it begins
    assert [future.changes.get("cluster__gpus") for future in journey.futures()] == [None, 56, 64, 72]
    assert {future.parent for future in journey.futures()} == {None, 0}
    journey.branch(8, {"training__gain": 4.0})
    journey.go_to(12)
    world = World(LAB)
    for _ in range(8):
        world.step()
    alone = world.branch(cluster__gpus=72, training__gain=4.0)
    for _ in range(4):
        alone.step()
    assert journey.digest() == alone.digest()
    assert journey.futures()[-1].changes == {"cluster__gpus": 72, "training__gain": 4.0}


def test_a_run_that_is_over_goes_on_in_a_branch_with_more_room():
    journey = RunPlayer(small_lab(run__horizon_days=5.0, run__max_doublings=20))
    journey.go_to(99)
    assert journey.over
    assert journey.current.number == 5
    journey.branch(5, {"run__horizon_days": 8.0})
    assert not journey.over
    assert journey.go_to(8).frame.number == 8
    assert journey.over
    assert journey.choose(0).frame.ending is not None


def test_reset_begins_again_and_refuses_what_cannot_run():
    journey = RunPlayer(LAB)
    journey.step(9)
    journey.branch(4, {"cluster__gpus": 64})
    with pytest.raises(ScenarioError):
        journey.reset(LAB.replace(researcher__experiment_gpus=1000))
    assert len(journey.futures()) == 2
    assert journey.reset().frame == WALKED.frames[0]
    assert journey.step(9).frame == WALKED.frames[9]
    assert journey.reset(seed=5).frame.number == 0
    assert journey.seed == 5
    journey.step(9)
    assert journey.digest() == walk(LAB, 5).digests[9]


def test_a_result_is_left_alone_by_later_moves():
    journey = RunPlayer(LAB)
    journey.step(10)
    result = journey.result()
    counts = len(result.events), len(result.jobs), len(result.series["day"])
    journey.step(10)
    assert (len(result.events), len(result.jobs), len(result.series["day"])) == counts
    assert result.digest == WALKED.digests[10]


def test_a_life_is_told_from_the_run():
    journey = RunPlayer(LAB)
    journey.step(25)
    before = journey.digest()
    lines = journey.life(2)
    assert journey.digest() == before
    days = [day for day, _ in lines]
    assert days == sorted(days)
    assert lines[0] == (0.0, "It goes to work.")
    assert lines[-1][0] == journey.current.day
    papers = [say for _, say in lines if "publishes paper" in say]
    assert papers
    person = next(each for each in journey.current.team.people if each.number == 2)
    assert len(papers) == person.papers
    assert any("It asks for" in say for _, say in lines)
    assert journey.life(10**9)[0][1].startswith("There is no researcher 1,000,000,000")


def test_the_life_of_one_of_a_cohort_ends_where_nobody_is_followed():
    journey = RunPlayer(small_lab(run__individuals_up_to=8, run__max_doublings=6))
    while not journey.current.team.groups:
        assert journey.step().done
    journey.step(3)
    before = journey.digest()
    lines = [say for _, say in journey.life(1)]
    assert journey.digest() == before
    assert any(say.startswith("It becomes one of a cohort of") for say in lines)
    assert f"one of {journey.current.team.in_cohorts:,} researchers of a cohort, all alike" in lines[-1]


def test_timeline_before_a_new_start_can_be_brought_back_and_left_again():
    journey = RunPlayer(LAB)
    journey.step(20)
    journey.branch(8, {"cluster__gpus": 64})
    journey.go_to(14)
    frame, digest, labels = journey.current, journey.digest(), [each.label for each in journey.futures()]
    with pytest.raises(ScenarioError, match="no earlier timeline"):
        journey.bring_back()
    journey.reset(small_lab(cluster__gpus=48), seed=5)
    journey.step(3)
    later = journey.digest()
    assert journey.has_earlier
    assert journey.bring_back().frame == frame
    assert (journey.seed, journey.digest(), [each.label for each in journey.futures()]) == (0, digest, labels)
    journey.choose(0)
    journey.go_to(WALKED.last)
    assert journey.digest() == WALKED.digests[-1]
    journey.bring_back()
    assert (journey.seed, journey.digest(), journey.current.number) == (5, later, 3)


def test_branch_during_a_training_run_gives_it_fewer_gpus():
    journey = RunPlayer(small_lab(cluster__gpus=64, training__first_run_days=40.0, run__max_doublings=9))
    journey.to_next("retraining")
    at = journey.current.number
    journey.branch(at, {"cluster__training_share": 0.125})
    assert journey.current.grid.training == 8
    assert "goes on until day" in journey.current.limit.state or journey.current.limit.part != "training"


def test_branch_that_leaves_a_job_too_few_gpus_says_which_job_and_when_it_ends():
    journey = RunPlayer(LAB)
    journey.go_to(10)
    says = r"^an experiment holds \d GPUs and could have at most 0: leave its pool more GPUs, or branch after day \d"
    with pytest.raises(ScenarioError, match=says):
        journey.branch(10, {"cluster__gpus": 8})
