"""Test `asara detect`: readings, truths, scores against closed forms, the table, the files and bad input."""

import json
import math

import numpy as np
import pytest
from scipy.stats import chi2, mannwhitneyu

from experiments.detection.actions import parse_level
from experiments.detection.detectors import NAMES, DetectorSettings, named_detectors
from experiments.detection.figure import detection_figure, detection_picture
from experiments.detection.runs import ReadRun, TimedReading, Truths, read_run
from experiments.detection.scores import follow, rate_interval, roc_curve, score_pace, score_singular
from experiments.detection.study import study
from experiments.detection.table import verdict_sentences
from sim import growth
from sim.governance.pace_rules import time_before_level, window_rule_alarm
from sim.governance.run_lengths import precision
from sim.scenario.model import Scenario
from sim.world import World

MONTH, HALF_YEAR = 365 / 12, 182.5
SETTINGS = DetectorSettings()
TRUTHS = Truths(5.0, HALF_YEAR, 10.0, 730.0)


def run_of_law(r: float, level: float = 10.0, lag: float = 0.0, every: float = 0.1) -> ReadRun:
    """Return a run in which software follows the law exactly, read often."""
    ratio = float(growth.doubling_ratio(r, 1.0))
    end = growth.time_of_doubling(level + 1, MONTH, ratio) if ratio < 1 else 365.0
    before = [TimedReading(day, day + lag, day / HALF_YEAR) for day in np.arange(-730.0, 0.0, 10.0).tolist()]
    days = np.arange(0.0, float(end), every).tolist()
    after = [TimedReading(day, day + lag, float(growth.software_at(day, MONTH, ratio))) for day in days]
    return ReadRun(
        scenario="law",
        seed=0,
        readings=(*before, *after),
        fast_from=0.0,
        is_singular=r > 1,
        long_run="singular" if r > 1 else "fizzle",
        level_day=float(growth.time_of_doubling(level, MONTH, ratio)) if ratio < 1 else math.inf,
        end=float(end),
    )


def synthetic(readings, fast_from=math.inf, level_day=math.inf, is_singular=False) -> ReadRun:
    timed = tuple(TimedReading(day, day, level) for day, level in readings)
    return ReadRun("made", 0, timed, fast_from, is_singular, "", level_day, readings[-1][0])


# --- Readings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("returns-3", {"regulator__measured": "discovered", "regulator__reading_days": 7.0}),
        (
            "toy-explosion",
            {
                "regulator__noise_doublings": 0.3,
                "regulator__lag_days": 7.0,
                "regulator__reading_days": 14.0,
                "regulator__saturation_doublings": 4.0,
            },
        ),
        (
            "returns-0.7",
            {
                "regulator__reported_by": "labs",
                "regulator__measured": "published",
                "disclosure__hidden_share": 0.4,
                "disclosure__delay_days": 9.0,
            },
        ),
    ],
)
def test_readings_are_those_of_a_regulator_in_the_same_run(name, changes):
    scenario = Scenario.load(name).replace(regulator__policy="disclosure-only", **changes)
    with World(scenario, 3) as world:
        while world.running:
            world.step()
        arrived = [(each.day, each.known_on, each.doublings) for each in world.governance.readings[""]]
    read = [tuple(each) for each in read_run(scenario, 3, TRUTHS).readings if each.day > 0]
    assert len(read) >= len(arrived) > 5
    assert np.array(read[: len(arrived)]) == pytest.approx(np.array(arrived))


def test_readings_before_day_0_follow_the_reference_and_are_neither_hidden_nor_saturated():
    changes = {
        "regulator__saturation_doublings": 1.0,
        "regulator__reported_by": "labs",
        "disclosure__hidden_share": 0.5,
    }
    read = read_run(Scenario.load("returns-3").replace(**changes), 0, TRUTHS)
    before = [each for each in read.readings if each.day <= 0]
    assert [each.day for each in before] == [-720.0 + 30 * n for n in range(25)]
    assert [each.doublings for each in before] == pytest.approx([each.day / HALF_YEAR for each in before])
    assert max(each.doublings for each in read.readings) <= 1.0


def test_truths_of_a_run_are_its_first_fast_doubling_and_its_long_run():
    fizzle = read_run(Scenario.load("returns-0.7"), 0, TRUTHS)
    assert (fizzle.fast_from, fizzle.is_singular, fizzle.level_day) == (0.0, False, math.inf)
    slow = read_run(Scenario.load("returns-0.7"), 0, TRUTHS._replace(times=7.0))
    assert slow.fast_from == math.inf, "a doubling in a month is 6 times"
    explosion = read_run(Scenario.load("returns-3"), 0, TRUTHS._replace(times=7.0))
    assert explosion.is_singular and explosion.fast_from == pytest.approx(MONTH, rel=0.01)


# --- Scores against closed forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("r", "multiple"), [(3.0, 2.0), (3.0, 5.0), (1.4, 5.0)])
def test_p15_3_delay_and_lead_are_those_of_the_closed_form(r, multiple):
    ratio = float(growth.doubling_ratio(r, 1.0))
    for lag in (0.0, 4.0):
        alarm = window_rule_alarm(HALF_YEAR, multiple, 1 / HALF_YEAR, MONTH, ratio, lag)
        (detector,) = named_detectors([f"pace={multiple:g}"], SETTINGS)
        score = score_singular("rule", [follow(detector, run_of_law(r, lag=lag))], 0.5)
        assert score.delay.mean == pytest.approx(alarm, abs=0.11)
        assert score.lead.mean == pytest.approx(time_before_level(10.0, alarm, MONTH, ratio), abs=0.11)


def test_rule_of_the_report_rings_in_a_fizzle_over_a_month_and_not_over_half_a_year():
    month, half_year = named_detectors(["pace=5@30", "pace"], SETTINGS)
    runs = [run_of_law(0.7), run_of_law(3.0)]
    short = score_singular("month", [follow(month, run) for run in runs], 0.5)
    long = score_singular("half a year", [follow(half_year, run) for run in runs], 0.5)
    assert (short.false_share.number, long.false_share.number) == (1, 0)
    assert short.lead.mean > 50 > long.lead.mean > 0
    assert (short.precision.value, long.precision.value) == (0.5, 1.0)


def test_alarm_before_the_truth_is_false_and_one_that_still_stands_counts_as_a_detection():
    (rule,) = named_detectors(["pace=2@10"], SETTINGS._replace(reference_doubling_days=10.0))
    days = [float(day) for day in range(0, 400, 10)]
    levels = np.cumsum([0.0] + [3.0 if 50 <= day <= 60 or day >= 100 else 1.0 for day in days[1:]]).tolist()
    run = synthetic(list(zip(days, levels, strict=True)), fast_from=120.0, level_day=150.0)
    score = score_pace("rule", [follow(rule, run)], 0.1)
    assert score.false_alarms_per_year.value == pytest.approx(2 / (120 / 365)), "days 50 and 100"
    assert (score.missed.number, score.delay.mean, score.lead.mean) == (0, 0.0, 30.0)
    quiet = score_pace("rule", [follow(rule, run._replace(fast_from=math.inf))], 0.1)
    assert (quiet.missed.of, quiet.roc) == (0, None) and math.isnan(quiet.precision.value)


def test_run_that_ends_before_its_alarm_is_censored_and_missed():
    (rule,) = named_detectors(["pace=5"], SETTINGS)
    late = run_of_law(3.0, lag=30.0)
    score = score_singular("rule", [follow(rule, late), follow(rule, run_of_law(3.0))], 0.5)
    assert (score.missed.number, score.missed.of) == (1, 2)
    assert (score.delay.runs, score.delay.censored, score.lead.censored) == (1, 1, 1)
    assert (score.in_time.number, score.in_time.of) == (1, 2)


def test_precision_of_pace_is_that_of_the_base_rate():
    (rule,) = named_detectors(["pace=2@10"], SETTINGS._replace(reference_doubling_days=10.0))
    days = [10.0 * n for n in range(74)]
    levels = np.cumsum([0.0] + [3.0 if day == 100 or day >= 730 else 1.0 for day in days[1:]]).tolist()
    run = synthetic(list(zip(days, levels, strict=True)), fast_from=730.0)
    score = score_pace("rule", [follow(rule, run)] * 4, 0.1)
    assert score.false_alarms_per_year.value == pytest.approx(0.5)
    assert score.precision.value == pytest.approx(1 / 6) == precision(2.0, 0.1), "P15.11"
    assert score.precision.low < score.precision.value < score.precision.high


def test_rate_interval_is_exact_for_poisson_counts_and_wider_for_bunches():
    rate = rate_interval([1, 0, 2, 1], [2.0] * 4)
    assert rate == pytest.approx((0.5, chi2.ppf(0.025, 8) / 2 / 8, chi2.ppf(0.975, 10) / 2 / 8))
    assert rate_interval([0, 0], [5.0, 5.0]) == pytest.approx((0.0, 0.0, -math.log(0.025) / 10))
    bunches = rate_interval([0, 0, 0, 4], [2.0] * 4)
    assert bunches.value == rate.value and bunches.low < rate.low < rate.high < bunches.high


def test_roc_area_is_the_mann_whitney_statistic():
    generator = np.random.default_rng(4)
    there, absent = generator.normal(1, 1, 30).round(1), generator.normal(0, 1, 40).round(1)
    roc = roc_curve([*there, *[math.nan] * 20], [[]] * 30 + [list(pair) for pair in absent.reshape(20, 2)])
    expected = mannwhitneyu(there, absent).statistic / (30 * 40)
    assert roc.area.value == pytest.approx(expected)
    assert roc.area.low < expected < roc.area.high
    assert np.trapezoid([0, *roc.detected], [0, *roc.false_alarms]) == pytest.approx(expected)
    assert roc.detected[-1] == roc.false_alarms[-1] == 1
    assert roc_curve([math.nan], [[1.0]]) is None


def test_every_detector_separates_a_fast_run_from_the_reference():
    fast = run_of_law(3.0, every=5.0)
    for detector in named_detectors(NAMES, SETTINGS):
        score = score_pace(detector.name, [follow(detector, fast)], 0.1)
        assert score.false_alarms_per_year.value == 0
        sustained = detector.name == "openai-critical"
        assert score.roc.area.value == (0.5 if sustained else 1.0), "the run ends before three months have passed"


# --- Study and command ----------------------------------------------------------------------------------------------

FAST = ("--set", "regulator__reading_days=5", "--set", "regulator__measured=discovered")
TWO = ("returns-3", "returns-0.7")


@pytest.fixture(scope="module")
def found():
    scenarios = [
        Scenario.load(name).replace(regulator__reading_days=5.0, regulator__measured="discovered") for name in TWO
    ]
    return study(scenarios, [0, 1], named_detectors(["pace", "pace=5@30"], SETTINGS), TRUTHS, 0.1, 0.5)


def test_study_judges_the_threshold_of_the_report(found):
    assert verdict_sentences(found)[0] == "In 4 of 4 runs the pace is 5 times the reference from day 0 on."
    half_year, month = (found.score(name, "singular") for name in ("pace", "pace=5@30"))
    assert (half_year.false_share.number, month.false_share.number) == (0, 2)
    assert month.lead.mean > half_year.lead.mean > 0
    assert found.score("pace", "pace").missed.number == 2, "the rule over half a year misses the fast fizzles"
    assert detection_picture(found) == detection_picture(found)
    assert len(detection_figure(found).axes) == 4


def test_command_prints_the_tables_and_writes_files(asara, tmp_path):
    arguments = ("detect", *TWO, *FAST, "--seeds", 2, "--workers", 1)
    answer = asara(*arguments, "--out", "kept")
    assert answer.code == 0
    for words in ("Truth 'pace'", "Truth 'singular'", "5 times over 30 days rings in", "censored", "openai-critical"):
        assert words in answer.out
    assert sorted(each.name for each in (tmp_path / "kept").iterdir()) == ["detect.json", "detect.png"]
    written = (tmp_path / "kept" / "detect.json").read_text()
    content = json.loads(written)
    assert len(content["runs"]) == 4 and len(content["scores"]) == 2 * 7
    assert content["by_scenario"][-1]["level_day"] is None


BAD = {
    "unknown": ("returns-3 --detector cusun", ["did you mean 'cusum'?", "Allowed: pace"]),
    "below 1": ("returns-3 --detector pace=0.5", ["pace=0.5 is not a threshold", "1 to 1000 times"]),
    "probability": ("returns-3 --detector change-point=1", ["a probability above 0, below 1"]),
    "fixed": ("returns-3 --detector sprt=3", ["changes the threshold of a fixed rule", "Write --detector sprt"]),
    "window": ("returns-3 --detector cusum=3@9", ["is not a rule with a window", "pace=5@30"]),
    "times": ("returns-3 --times 1", ["--times = 1 is out of bounds", "1.001 to 1000"]),
    "long": ("returns-3 --window-days 1200", ["1,200 days, longer than the readings of 'returns-3'", "1,095 days"]),
    "frames": ("returns-3 --set regulator__reading_days=0.5", ["reading_days = 0.5", "run__sample_days = 1 or more"]),
    "level": ("returns-3 --level 40", ["--level = 40 doublings", "up to 24"]),
    "no level": ("returns-3 --level x", ["--level = x is not a level"]),
    "labs": ("two-labs", ["has 2 labs"]),
}


@pytest.mark.parametrize("case", BAD)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(asara, tmp_path, case):
    command, words = BAD[case]
    answer = asara("detect", *command.split(), "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    for word in words:
        assert word in answer.err
    assert list(tmp_path.iterdir()) == []


def test_level_is_in_doublings_or_times():
    assert parse_level("10") == 10.0
    assert parse_level("1024x") == 10.0
