"""The regulator on the page: rules, the measured pace, alarms and orders on the timeline, and compared policies."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from agents.governance_policy import Reading
from experiments.errors import InputError
from experiments.window.governance_view import PaceThreshold, governance_of, pace_thresholds
from experiments.window.measured_pace import measured_pace, threshold_pace
from experiments.window.page import build_props, compare_policies, switch_rule
from experiments.window.permalink import decode, encode, link_of, restore
from experiments.window.player import COMPARED_DOUBLINGS, RunPlayer
from experiments.window.session import WindowSession, view_state
from experiments.window.shown_lab import ShownLab
from experiments.window.timeline import ReadingSeries, TimelineView
from experiments.window.views import policy
from sim.events import RestrictionsChanged, SoftwareDoubled
from sim.governance.actions import WarnAction
from sim.governance.detectors import WindowRule
from sim.governance.params import RegulatorParams
from sim.governance.policy_files import shipped_policies
from sim.governance.rule_policy import Rule
from sim.governance.triggers import PaceTrigger
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

TOY = Scenario.load("toy-explosion")
REGULATED = TOY.replace(regulator__policy="five-times-pause", regulator__reading_days=10.0)
BRANCH_FRAME = 150
"""Frame before the first alarm of the policy, which comes on day 160."""
NONE, PAUSE = ({"regulator__policy": name} for name in ("none", "five-times-pause"))


@pytest.fixture
def player() -> RunPlayer:
    return RunPlayer(REGULATED, 0)


@pytest.fixture(scope="module")
def compared() -> tuple[RunPlayer, tuple[TimelineView, ...]]:
    """Return a player after a comparison from a frame before the first alarm."""
    found = RunPlayer(REGULATED, 0)
    found.seek(BRANCH_FRAME)
    assert found.compare(NONE, PAUSE).done
    return found, found.timelines()


@pytest.mark.parametrize("reference", [0.0, 40.0])
def test_measured_pace_reaches_its_threshold_exactly_when_the_rule_raises_its_alarm(reference):
    days = np.cumsum([0.0, 7.0, 30.0, 12.0, 25.0, 31.0, 9.0, 30.0, 30.0, 18.0, 30.0, 30.0])
    software = np.cumsum([0.0, 0.3, 0.6, 0.3, 0.7, 1.9, 1.4, 3.0, 5.0, 0.0, 0.0, 0.5])
    readings = [Reading(day, day, level, 0.0, 0.0, {}) for day, level in zip(days, software, strict=True)]
    trigger = PaceTrigger(times=2.0, window_days=50.0, reference_doubling_days=reference)
    raised = [trigger.is_raised(readings[: number + 1]) for number in range(len(readings))]
    (threshold,) = pace_thresholds(Rule("rule", trigger, WarnAction()))
    series = ReadingSeries.of(readings)
    assert list(measured_pace(series, threshold) >= threshold_pace(series, threshold)) == raised
    assert 2 < sum(raised) < len(raised) - 2


def test_measured_pace_within_the_first_window_is_that_of_the_detector():
    readings = [Reading(day, day, level, 0.0, 0.0, {}) for day, level in ((5.0, 0.1), (12.0, 0.9), (30.0, 1.1))]
    threshold = PaceThreshold("rule", 2.0, 1 / 40.0, 50.0, is_target=False)
    rule, expected = WindowRule(1 / 40.0, 2.0, 50.0), []
    for reading in readings:
        rule.update(reading.day, reading.doublings)
        expected.append(rule.statistic / 40.0)
    assert list(measured_pace(ReadingSeries.of(readings), threshold)) == pytest.approx(expected)


def test_player_shows_the_regulator_as_a_headless_run_has_it(player):
    player.seek(200)
    with World(REGULATED, 0) as world:
        for _ in range(200):
            world.step()
        assert player.current_frame.governance == governance_of(ShownLab(world))
        assert player.digest() == world.digest()
        (record,) = [timeline.readings for timeline in player.timelines()]
        assert list(record.doublings) == [reading.doublings for reading in world.governance.readings[""]]
        (alarm,) = world.governance.alarms
        begun = next(event.day for event in world.ledger if isinstance(event, RestrictionsChanged))
    marks = {mark["kind"]: mark for mark in build_props(view_state(player)).controls["marks"]}
    assert alarm.day == marks["alarm"]["frame"] == begun == marks["order"]["frame"]
    assert marks["order"]["frame"] + marks["order"]["width"] == 200, "still in force"


def test_rule_is_quiet_then_in_force_until_its_day_and_quiet_again(player):
    states = {}
    for frame in (BRANCH_FRAME, 200, 345):
        player.seek(frame)
        (rule,) = policy.policy_props(view_state(player))["rules"]
        states[frame] = rule["status"]
    assert states == {BRANCH_FRAME: "no alarm", 200: "in force, until day 342.5", 345: "no alarm"}
    (band,) = [mark for mark in build_props(view_state(player)).controls["marks"] if mark["kind"] == "order"]
    assert band["frame"] + band["width"] == 343
    figures = {each["name"]: each["value"] for each in policy.policy_props(view_state(player))["figures"]}
    assert figures["latest reading"] == "day 340"


def test_alarm_and_order_are_goals_of_a_move(player):
    assert player.advance_to_next("alarm").frame.day == 160.0
    ended = player.advance_to_next("order")
    assert (ended.frame.number, ended.done) == (343, True)
    player.rewind(0)
    assert player.advance_to_next("order").frame.day == 160.0, "in known frames"


def test_pace_chart_has_a_labelled_line_at_the_pace_of_each_threshold():
    player = RunPlayer(REGULATED.replace(regulator__policy="disclosure-only"), 0)
    player.seek(20)
    lines = {line["name"]: line["data"] for line in build_props(view_state(player)).pace["option"]["series"]}
    yearly = {"twice: at 4 a year": 4, "three-times: at 6 a year": 6, "five-times: at 10 a year": 10}
    assert {name: 2 ** lines[name][0][1] for name in yearly} == pytest.approx(yearly, rel=1e-3)
    assert len(lines["pace"]) == 2


@pytest.mark.parametrize("name", shipped_policies())
def test_page_of_every_policy_is_plain(name):
    player = RunPlayer(REGULATED.replace(regulator__policy=name), 0)
    for frame in (0, 5, 170):
        player.seek(frame)
        json.dumps(build_props(view_state(player))._asdict(), allow_nan=False)


def test_page_without_a_regulator_has_no_policy_panel():
    props = build_props(view_state(RunPlayer(TOY, 0)))
    assert props.policy is props.pace is None
    assert not props.controls["regulated"]


def test_comparison_has_the_days_of_two_headless_branches(compared):
    player, _ = compared
    with World(REGULATED, 0) as world:
        for _ in range(BRANCH_FRAME):
            world.step()
        days = []
        for changes in (NONE, PAUSE):
            branch = world.branch(**changes)
            while sum(isinstance(event, SoftwareDoubled) and event.day > BRANCH_FRAME for event in branch.ledger) < 4:
                branch.step()
            doubled = [event for event in branch.ledger if isinstance(event, SoftwareDoubled)]
            days.append([event.day for event in doubled if event.day > BRANCH_FRAME][:COMPARED_DOUBLINGS])
    found = policy.comparison_of(view_state(player))
    assert [[level.first for level in found.levels], [level.second for level in found.levels]] == days
    last = days[1][-1] - days[0][-1]
    assert policy.describe_comparison(found) == (
        f"With five-times-pause (C), doubling 8 comes {last:.4g} days later than with none (B)."
    )
    assert last == pytest.approx(182.5, abs=1.0)


def test_comparison_is_restored_by_its_link(compared):
    player, timelines = compared
    link = link_of(TOY.name, REGULATED, 0, player.current_frame.number, timelines)
    found = decode(encode(link))
    again = RunPlayer(found.scenario, found.seed)
    assert restore(found, again).frame == player.current_frame
    assert policy.comparison_of(view_state(again)).levels == policy.comparison_of(view_state(player)).levels


def test_comparison_needs_room_for_two_branches(player):
    player.branch(2, {"training__gain": 1.5})
    player.branch(4, {"training__gain": 1.4})
    with pytest.raises(ScenarioError, match="2 branches before it; allowed: at most 1"):
        player.compare(NONE, PAUSE)
    player.choose(1)
    player.step()
    player.compare(NONE, PAUSE)
    assert [timeline.index for timeline in player.timelines()] == [0, 1, 3, 4]


def test_policy_of_a_visitor_never_names_a_file(player):
    session = WindowSession(player, lambda stamp: None)
    try:
        with pytest.raises(InputError, match=r"is not available on the page; allowed: none, compute-cap"):
            compare_policies(session, {"first": "none", "second": "/etc/passwd.toml"}, RegulatorParams())
    finally:
        session.close()


def test_switch_of_a_rule_starts_a_branch_that_does_not_follow_it():
    player = RunPlayer(REGULATED.replace(regulator__policy="disclosure-only"), 0)
    player.seek(170)
    changes: list[dict[str, str]] = []
    session = SimpleNamespace(branch=changes.append)
    switch_rule(session, {"name": "twice", "on": False}, player.scenario.regulator)
    player.branch(170, changes[0])
    assert player.scenario.regulator.rules_off == "twice"
    panel = policy.policy_props(view_state(player))
    assert {rule["name"]: rule["on"] for rule in panel["rules"]} == {
        "twice": False,
        "three-times": True,
        "five-times": True,
    }
    assert [each.rule for each in player.current_frame.governance.thresholds] == ["three-times", "five-times"]
    switch_rule(session, {"name": "five-times", "on": False}, player.scenario.regulator)
    switch_rule(session, {"name": "twice", "on": True}, player.scenario.regulator)
    assert [each["regulator__rules_off"] for each in changes[1:]] == ["twice, five-times", ""]


def test_order_that_a_lab_does_not_follow_is_shown_as_such():
    race = Scenario.load("two-labs").replace(
        **{
            "regulator__policy": "unilateral-pause",
            "regulator__reading_days": 1.0,
            "follower.disclosure__complies": False,
            "leader.cluster__gpus": 64,
            "follower.cluster__gpus": 64,
            "growth__calibrated_for": 0,
            "growth__first_doubling_days": 10.0,
            "training__required": False,
        }
    )
    player = RunPlayer(race, 0)
    player.advance_to_next("alarm")
    player.step()
    states = {}
    for lab in player.labs:
        player.show_lab(lab)
        states[lab] = policy.policy_props(view_state(player))["rules"][0]["state"]
    assert states == {"leader": "in force", "follower": "not followed"}
