"""Test who does which task: the counts of a lab on the road to full automation, its panel and its marks."""

import json
import math
from itertools import pairwise

import pytest

from experiments.window.frame import frame_of
from experiments.window.page import build_props
from experiments.window.player import RunPlayer
from experiments.window.session import ViewState, view_state
from experiments.window.task_view import MAX_ROWS, TaskView, format_tasks
from sim.events import ResearchAutomated, TaskAutomated
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.window_runs import small_lab

HUMANS = {
    "humans__initial": 8,
    "humans__papers_per_month": 6.0,
    "automation__kinds": 4,
    "automation__first_threshold": 0.4,
    "automation__last_threshold": 1.0,
    "researcher__experiment_gpu_days": 8.0,
    "training__gain": 1.2,
}
AT_ONCE = HUMANS | {"automation__first_threshold": 1.0, "kernels__measurements": "none"}
"""All kinds are automated on the same day. No events of kernels displace their events."""


def tasks_of(world: World) -> TaskView:
    found = frame_of(world).tasks
    assert found is not None
    return found


def shown(player: RunPlayer) -> ViewState:
    """Return the state that a page shows of a player, which is closed then."""
    state = view_state(player)
    player.close()
    return state


@pytest.fixture(scope="module", params=[256, 4], ids=["individuals", "cohort"])
def road(request: pytest.FixtureRequest) -> tuple[World, list[TaskView]]:
    """Return a world that has run through both regimes, and who did which task in each frame."""
    world = World(small_lab(**HUMANS, run__max_individuals=request.param), 1)
    views = [tasks_of(world)]
    while world.running:
        world.step()
        views.append(tasks_of(world))
    return world, views


def test_rows_of_every_frame_add_up_to_the_totals(road):
    _, views = road
    assert any(each.assistants_at_work for each in views)
    for view in views:
        assert sum(row.humans for row in view.rows) == pytest.approx(view.humans_at_work, abs=1e-9)
        assert sum(row.ais for row in view.rows) == pytest.approx(view.assistants_at_work, abs=1e-9)
        assert sum(row.waiting for row in view.rows) == view.papers_waiting
        places = view.papers_with_humans + view.papers_with_ais + view.papers_waiting
        assert places + view.papers_with_experiment + view.papers_handed_in == view.papers
        assert view.humans_at_work <= view.humans
        assert view.assistants_at_work <= view.assistants


def test_ais_work_only_on_tasks_that_they_can_do(road):
    _, views = road
    assert {view.kinds_automated for view in views} >= {0, 4}
    for view in views:
        assert all(row.automated or row.ais == 0 for row in view.rows)
        assert (view.completed_on is None) == (view.researchers == 0)


def test_rows_have_the_days_of_the_events(road):
    world, views = road
    days = {event.kind: event.day for event in world.ledger if isinstance(event, TaskAutomated)}
    (asara,) = (event.day for event in world.ledger if isinstance(event, ResearchAutomated))
    assert [row.since for row in views[-1].rows] == [days[kind] for kind in (1, 2, 3, 4)]
    assert views[-1].completed_on == asara
    assert views[0].completed_on is None


def test_next_threshold_is_the_first_above_the_capability(road):
    _, views = road
    thresholds = [0.4, 0.6, 0.8, 1.0]
    for view in views:
        above = [each for each in thresholds if each > view.capability + 1e-9]
        assert view.next_threshold == pytest.approx(above[0] if above else math.inf)


def test_humans_with_several_tasks_count_in_proportion_to_the_work():
    """Two papers begin at each of 4 kinds; a human does the tasks up to the experiment, or up to the end, in one go."""
    world = World(small_lab(**(HUMANS | {"researcher__writing_share": 0.5})), 0)
    assert [row.humans for row in tasks_of(world).rows] == pytest.approx([1.0, 3.0, 1.0, 3.0])
    for human in world.lab.humans.humans:
        if human.draft is not None and human.draft.kind == 0:
            human.draft.human_work = [0.3, 0.1]
    assert [row.humans for row in tasks_of(world).rows] == pytest.approx([1.5, 2.5, 1.0, 3.0])


@pytest.mark.parametrize("kinds", [1, MAX_ROWS, MAX_ROWS + 1, 95])
def test_many_kinds_are_shown_in_few_rows_without_gaps(kinds):
    world = World(small_lab(**(HUMANS | {"automation__kinds": kinds, "automation__never_share": 0.4})), 0)
    view = tasks_of(world)
    assert len(view.rows) == (kinds if kinds <= MAX_ROWS else -(-kinds // -(-kinds // MAX_ROWS)))
    assert (view.rows[0].first, view.rows[-1].last) == (1, kinds)
    assert all(before.last + 1 == after.first for before, after in pairwise(view.rows))


def test_panel_shows_never_for_tasks_that_ais_never_can_do():
    props = build_props(shown(RunPlayer(small_lab(**HUMANS, automation__never_share=1.0)))).tasks
    assert props is not None
    json.dumps(props, allow_nan=False)
    assert props["note"] == "AIs can do 0 of 4 tasks of a paper, and never the others."
    assert {row["state"] for row in [*props["tasks"], props["whole"]]} == {"never"}


def test_panel_names_the_next_task_and_then_the_ai_researchers():
    player = RunPlayer(small_lab(**HUMANS), 1)
    before = build_props(view_state(player)).tasks
    assert before is not None
    assert before["note"] == "AIs can do 0 of 4 tasks of a paper. Task 1 is next, 0.40 doublings away."
    assert [row["state"] for row in before["tasks"]] == ["next", "not yet", "not yet", "not yet"]
    player.seek(10_000)
    researchers = player.current_frame.team.active_researchers
    after = build_props(shown(player)).tasks
    assert after is not None
    assert after["note"].startswith("Fully automated since day ")
    assert after["note"].endswith(f"(ASARA): {researchers} AI researchers do whole papers.")
    assert after["whole"]["ais"] == str(researchers)
    assert {row["look"] for row in after["tasks"]} == {"done"}


def test_panel_and_button_are_hidden_if_ais_do_all_research_from_day_0():
    state = shown(RunPlayer(Scenario.load("lab")))
    props = build_props(state)
    assert state.frame.tasks is None
    assert props.tasks is None
    assert not props.controls["tasks"]


def test_tasks_of_one_day_share_a_mark_and_a_line_of_the_events():
    player = RunPlayer(small_lab(**AT_ONCE), 1)
    assert player.advance_to_next("task").done
    day = player.current_frame.day
    (event,) = (each for each in player.current_frame.events if each.kind == "TaskAutomated")
    assert event.sentence.startswith("AIs can do tasks 1 to 4 of a paper, at a capability of 1.")
    marks = [each for each in build_props(shown(player)).controls["marks"] if each["kind"] in ("task", "all-tasks")]
    assert [each["kind"] for each in marks] == ["task", "all-tasks"]
    assert [each["frame"] for each in marks] == [math.ceil(event.day)] * 2 == [day] * 2
    assert marks[0]["what"] == f"Day {event.day:,.1f}: AIs can do tasks 1 to 4 of a paper"
    assert marks[1]["what"] == f"ASARA, day {event.day:,.0f}: AIs can do all tasks"


def test_next_task_is_reached_at_each_automation():
    player = RunPlayer(small_lab(**HUMANS), 1)
    reached = []
    while player.advance_to_next("task").done:
        tasks = player.current_frame.tasks
        assert tasks is not None
        reached.append(tasks.kinds_automated)
    player.close()
    assert reached == sorted(set(reached))
    assert reached[-1] == 4


@pytest.mark.parametrize(
    ("first", "last", "text"), [(3, 3, "task 3"), (3, 4, "tasks 3 and 4"), (3, 1200, "tasks 3 to 1,200")]
)
def test_format_tasks_names_a_range(first, last, text):
    assert format_tasks(first, last) == text
