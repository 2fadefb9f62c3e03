"""Test `asara policies`: paired days gained, warnings, cost, lower bounds, races, files, interruption and bad input."""

import json
import math
import signal

import pytest

from agents.governance_policy import GovernancePolicy, Order, OrderKind, Reading, Review, View
from experiments.errors import InputError
from experiments.governance import policy_runs
from experiments.governance.orders_in_force import restricted_spans
from experiments.governance.page import policies_page
from experiments.governance.policy_runs import GovernancePlan, PaceLimit, fastest_pace
from experiments.governance.study import (
    check_levels,
    default_levels,
    governed_cases,
    highest_level,
    policy_curves,
    study,
)
from experiments.governance.table import censored_sentence, interval_text, tables
from experiments.statistics.intervals import MeanInterval, mean_interval, wilson
from experiments.sweep.workers.process import do_runs
from sim.governance.actions import BrakeAction
from sim.governance.policy_files import read_policy, shipped_policies
from sim.governance.rule_policy import Rule, RulePolicy
from sim.governance.triggers import AlwaysTrigger
from sim.race import day_of_level
from sim.runner import run
from sim.scenario.model import Scenario

TOY = Scenario.load("toy-explosion")
SEEDS = (0, 1, 2, 3)
RACE = Scenario.load("covert-rival")


class PauseFrom(GovernancePolicy):
    """Pause the research by AIs from a day on, for good."""

    day = 100.0

    def review(self, view):
        return Review((Order(OrderKind.PAUSE_RESEARCH),)) if view.day >= self.day else Review()


@pytest.fixture(scope="module")
def found():
    return study(TOY, SEEDS, ["five-times-pause", "disclosure-only"], python_policies={"for good": PauseFrom})


def summary(found, name):
    return next(each for each in found.policies if each.name == name)


def test_days_gained_are_paired_by_seed(found):
    level = found.levels[-1]
    gains, warned = [], 0
    for seed in SEEDS:
        free = run(TOY, seed)
        held = run(TOY.replace(regulator__policy="five-times-pause"), seed)
        gains.append(day_of_level(held, level) - day_of_level(free, level))
        warned += held.governance.first_alarm().day < day_of_level(held, level)
    row = summary(found, "five-times-pause").levels[-1]
    assert row.gained == mean_interval(gains)
    assert row.gained.mean > 50
    assert (row.pairs, row.not_reached) == (4, 0)
    assert row.warned[:3] == (warned, 4, warned / 4)
    assert row.warned[3:] == wilson(warned / 4, 4)


def test_disclosure_changes_nothing_and_warns_with_a_lead_time(found):
    policy = summary(found, "disclosure-only")
    assert policy.software == policy.papers == policy.days_restricted == (0, 0, 0)
    assert all(row.gained == (0, 0, 0) for row in policy.levels)
    leads = [each.level_days[""][-1] - each.warnings[0][0] for each in found.outcomes["disclosure-only"]]
    assert policy.levels[-1].lead_days == pytest.approx(sorted(leads)[1] / 2 + sorted(leads)[2] / 2)
    assert policy.below_pace == summary(found, "none").below_pace


def test_level_that_a_run_does_not_reach_gives_a_lower_bound(found):
    policy = summary(found, "for good")
    row = policy.levels[-1]
    assert (row.reached, row.not_reached, row.warned, row.day) == (0, 4, None, math.inf)
    ends = [each.day for each in found.outcomes["for good"]]
    free = [each.first_day(2) for each in found.outcomes["none"]]
    assert row.gained.mean == pytest.approx(sum(ends) / 4 - sum(free) / 4)
    assert "lower bound" in censored_sentence(found)
    (gained, *_) = tables(found)
    assert next(cells for cells in gained.rows if cells[0] == "for good")[-1].startswith("≥ ")


def test_cost_is_counted_when_the_run_without_a_regulator_ends(found):
    policy = summary(found, "for good")
    free, held = found.outcomes["none"][0], found.outcomes["for good"][0]
    assert policy.software.mean < -5
    # Research stops on day 120, the first reading after day 100, so that software is that of day 120.
    free_run = run(TOY, 0)
    at_pause = max(
        x for day, x in zip(free_run.series["day"], free_run.series["discovered"], strict=True) if day <= 120
    )
    assert held.software[-1] == pytest.approx(at_pause, abs=1.01), "a paper under way may still be published"
    assert policy.days_restricted.mean == pytest.approx(sum(each.day - 120 for each in found.outcomes["for good"]) / 4)
    assert free.software[-1] > held.software[-1]


def test_fastest_pace_counts_the_reference_before_day_0():
    result = run(TOY, 0)
    limit = PaceLimit(5, 100.0, 50.0)
    days, software = result.series["day"], result.series["discovered"]
    by_hand = []
    for day, level in zip(days, software, strict=True):
        start = day - 100
        earlier = start / 50 if start < 0 else [x for d, x in zip(days, software, strict=True) if d <= start + 1e-9][-1]
        by_hand.append((level - earlier) / 2)
    assert fastest_pace(result, limit) == pytest.approx(max(by_hand), abs=0.1)
    still = run(TOY.replace(regulator__policy="none", run__horizon_days=1.0), 0)
    assert fastest_pace(still, limit) == pytest.approx(1, abs=0.02)


def test_rules_that_hold_from_day_0_do_not_warn():
    cases, files = governed_cases(TOY, ["knife-edge", "none"])
    assert [case.name for case in cases] == ["none", "knife-edge"]
    assert cases[1].not_warnings == {"brake"}
    assert list(files) == ["knife-edge"]
    knife = study(TOY, [0], ["knife-edge"]).policies[1]
    assert not knife.has_warnings
    assert all(row.warned is None for row in knife.levels)


def test_one_seed_has_no_interval_and_no_seed_is_refused():
    one = study(TOY, [0], ["five-times-pause"])
    assert math.isnan(one.policies[1].software.low)
    assert interval_text(MeanInterval(-3.25, math.nan, math.nan), 1) == "-3.2"
    assert interval_text(MeanInterval(3.0, 1.0, 5.0), 0) == "3 (1 to 5)"
    assert interval_text(MeanInterval(-0.001, -0.002, 0.0), 1) == "0.0"
    with pytest.raises(InputError, match=r"seeds = \[\] is empty"):
        study(TOY, [])


def test_default_levels_end_at_the_highest_level():
    assert default_levels(TOY) == tuple(power * math.log2(10) for power in (1, 2, 3))
    assert default_levels(TOY.replace(run__max_doublings=7)) == (math.log2(10), 2 * math.log2(10), 7)
    assert highest_level(RACE) == 13
    assert check_levels(TOY, [4, 2, 4]) == (2, 4)


def test_pause_of_labs_that_comply_lets_the_covert_rival_win():
    race = study(RACE, range(4), ["unilateral-pause"], [9.0])
    free, paused = race.policies
    assert sum(each.number for each in paused.first.values()) == 4
    assert paused.first["rival"].number > free.first["rival"].number
    spans = race.outcomes["unilateral-pause"][0].restricted
    assert spans and all(start < end for start, end in spans)
    assert tables(race)[-1].columns == ("policy", "leader", "rival")


@pytest.mark.parametrize("name", shipped_policies())
def test_shipped_policy_acts_or_warns_in_the_default_scenario(name):
    result = run(TOY.replace(regulator__policy=name), 0)
    assert result.governance.alarms
    orders_nothing = all(rule.action.order == "warn" for rule in read_policy(name).rules)
    assert orders_nothing == (restricted_spans(result) == [])


def test_brake_measures_the_pace_over_its_time_and_not_since_the_last_reading():
    action = BrakeAction(order="brake", target_doubling_days=60.0, reaction_per_day=0.02, pace_days=90.0)
    policy = RulePolicy([Rule("brake", AlwaysTrigger(), action)])
    # Steps of 3 doublings each 90 days: a mean pace of one in 30 days, twice the target, in readings of 30 days.
    readings = [Reading(30.0 * n, 30.0 * n, 3.0 * (n // 3), 1.0, 1.0, {}) for n in range(12)]
    orders = [policy.review(View(each.day, {"": readings[: n + 1]})).orders for n, each in enumerate(readings)]
    assert orders[2] == (), "the readings cover less than 90 days"
    assert orders[-1][0].amount > orders[-3][0].amount > 1


def test_plan_in_a_worker_gives_the_same_outcome(found):
    cases, _ = governed_cases(TOY, ["five-times-pause"])
    plan = GovernancePlan(TOY, cases, SEEDS, found.levels, PaceLimit())
    records = do_runs(plan, [0, 3])
    expected = [found.outcomes["none"][0], found.outcomes["five-times-pause"][1]]
    assert [each.row["outcome"] for each in records] == expected
    assert plan.describe(3) == "scenario 'toy-explosion', policy five-times-pause, seed 1"


def test_page_is_one_file_that_contains_tables_and_figure(found):
    page = policies_page(found)
    assert page.count("<svg") == 1
    assert page.count("<table>") == 3
    assert "five-times-pause" in page and "OpenAI, Preparedness Framework" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert len(policy_curves(found).days) == 161


# --- The command -----------------------------------------------------------------------------------------------------

BRAKE = '[rules.brake]\nwhen = "pace"\ntimes = 2.0\norder = "pause-research"\n'


def test_command_prints_the_comparison_and_writes_files(asara, tmp_path):
    (tmp_path / "mine.toml").write_text(BRAKE)
    arguments = ("policies", "--policy", "mine.toml", "--policy", "staged-deployment", "--seeds", 2, "--workers", 1)
    answer = asara(*arguments, "--out", "kept")
    assert answer.code == 0
    for words in ("2 governance policies compared with none, over 2 seeds", "mine", "×1,000", "days under orders"):
        assert words in answer.out
    kept = tmp_path / "kept"
    assert sorted(each.name for each in kept.iterdir()) == ["policies.html", "policies.json", "policies.png"]
    content = json.loads((kept / "policies.json").read_text())
    assert [each["name"] for each in content["policies"]] == ["none", "mine", "staged-deployment"]
    assert [each["seed"] for each in content["outcomes"]["mine"]] == [0, 1]
    assert (kept / "policies.png").read_bytes().startswith(b"\x89PNG")


BAD = {
    "unknown": ("--policy five-time-pause", ["--policy five-time-pause: no governance policy", "five-times-pause"]),
    "missing": ("--policy gone.toml", ["gone.toml", "cannot be read"]),
    "key": ("--policy bad.toml", ["rule 'brake'", "tims"]),
    "twice": ("--policy knife-edge --policy knife-edge", ["--policy knife-edge is given twice", "Rename"]),
    "no seeds": ("--seeds 0", ["--seeds", "greater than or equal to 1"]),
    "level": ("--level 20", ["--level = 20 doublings is out of bounds", "up to 13", "run__max_doublings"]),
    "scenario": ("no-such", ["no-such"]),
    "fluid": ("--engine fluid", ["--engine"]),
    "lab": ("--policy named.toml", ["names the lab 'x'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(asara, tmp_path, case):
    (tmp_path / "bad.toml").write_text(BRAKE.replace("times", "tims"))
    (tmp_path / "named.toml").write_text(BRAKE + 'labs = ["x"]\n')
    options, words = BAD[case]
    answer = asara("policies", *options.split(), "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1].startswith("asara: ")
    for word in words:
        assert word in answer.err
    assert not (tmp_path / "kept").exists()


def test_command_interrupted_reports_completed_seeds(asara, tmp_path, monkeypatch):
    calls = []

    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return run(*arguments)

    monkeypatch.setattr(policy_runs, "run", stopping)
    arguments = ("policies", "--policy", "knife-edge", "--workers", 1)
    answer = asara(*arguments, "--seeds", 3)
    assert answer.code == 2
    assert "over 1 seed." in answer.out
    assert "interrupted after 1 of 3 seeds" in answer.err
    calls[:] = calls[:3]
    answer = asara(*arguments, "--seeds", 1, "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert "interrupted before the first results were complete" in answer.err
    assert not (tmp_path / "kept").exists()
