"""Test the detectors against theory, enumeration and each other: P15.2, P15.4, P15.5 and P15.7."""

import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.governance import published_rules, run_lengths
from sim.governance.detectors import (
    BayesianChangePoint,
    Cusum,
    Detector,
    PaceChange,
    ShiryaevRoberts,
    Sprt,
    WindowRule,
    alarm_days,
)
from tests.oracles import governance as oracle
from tests.support.properties import examples

MONTH = 365 / 12
CHANGE = PaceChange(reference_pace=1.0, pace=2.0, noise=1.0)
"""A shift of one standard deviation, with a reading a day."""
MAKERS: dict[str, Callable[[], Detector]] = {
    "window": lambda: WindowRule(1.0, 1.6, 8.0),
    "cusum": lambda: Cusum(CHANGE, 2.6),
    "sprt": lambda: Sprt(CHANGE, 0.1, 0.2),
    "shiryaev-roberts": lambda: ShiryaevRoberts(CHANGE, 30),
    "bayes": lambda: BayesianChangePoint(CHANGE, 50, 0.2),
}
each_detector = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def run_length(
    detector: Detector, generator: np.random.Generator, shift: float, history: tuple[float, ...] = ()
) -> int:
    """Draw the number of readings to the first alarm, after a history of standardized increments without an alarm."""
    detector.reset()
    level, day = 0.0, 0
    detector.update(day, level)
    for past in history:
        day, level = day + 1, level + 1 + past
        assert not detector.update(day, level)
    for n in range(1, 5000):
        level += 1 + shift + generator.standard_normal()
        if detector.update(day + n, level):
            return n
    raise AssertionError("no alarm in 5000 readings")


def mean_and_error(draws: list[int]) -> tuple[float, float]:
    """Return the mean and half the width of its 99% interval."""
    return float(np.mean(draws)), oracle.Z_99 * float(np.std(draws)) / math.sqrt(len(draws))


@pytest.mark.parametrize(("threshold", "shift", "runs"), [(2.0, 0.0, 1500), (4.0, 1.0, 3000)])
def test_p15_5_simulated_run_length_is_that_of_brook_and_evans(threshold, shift, runs):
    generator = np.random.default_rng(155)
    cusum = Cusum(CHANGE, threshold)  # the shift to detect is 1, so that h in sd is h in natural logs
    mean, error = mean_and_error([run_length(cusum, generator, shift) for _ in range(runs)])
    assert mean == pytest.approx(run_lengths.cusum_run_length(threshold, shift), abs=error)


def test_shiryaev_roberts_statistic_less_readings_is_a_martingale():
    """By optional stopping the mean number of readings to a false alarm is the mean statistic at the alarm."""
    detector, generator = ShiryaevRoberts(CHANGE, 20), np.random.default_rng(157)
    gaps = []
    for _ in range(1500):
        n = run_length(detector, generator, 0)
        gaps.append(n - detector.statistic)
    mean, error = mean_and_error(gaps)
    assert mean == pytest.approx(0, abs=error)


def test_p15_6_probability_ratio_test_keeps_its_error_probability():
    """One test without a change: by Wald at most a/(1 - b) of the tests raise an alarm."""
    generator, alarms, tests = np.random.default_rng(156), 0, 2000
    for _ in range(tests):
        test = Sprt(CHANGE, 0.1, 0.1)
        test.update(0, 0)
        day, level = 0, 0.0
        while test.lower_threshold < test.statistic < test.threshold:
            day, level = day + 1, level + 1 + generator.standard_normal()
            test.update(day, level)
        alarms += test.statistic >= test.threshold
    assert alarms / tests < 0.1 / 0.9
    assert alarms / tests > 0.02  # the excess over the threshold makes the test cautious, not idle


@each_detector
def test_p15_7_no_detector_beats_the_exact_bound_of_the_delay(make):
    """The worst case covers all histories, so that the delay after any one of them is at most the worst delay.

    The history is two slow readings, after which CUSUM is at 0. The bound uses the lower end of the run length.
    """
    generator, detector = np.random.default_rng(1571), make()
    arl, arl_error = mean_and_error([run_length(detector, generator, 0) for _ in range(150)])
    delay, delay_error = mean_and_error([run_length(detector, generator, 1, (-1.5, -1.5)) for _ in range(300)])
    assert delay + delay_error >= run_lengths.least_delay(arl - arl_error, 1)
    if isinstance(detector, Cusum):
        assert delay - delay_error <= run_lengths.least_delay(arl + arl_error, 1)


@each_detector
def test_detector_separates_series_with_a_change_from_series_without(make):
    """Area under the ROC of the largest statistic over 12 readings: changed against unchanged, and unchanged alone."""
    generator = np.random.default_rng(15)

    def largest(shift):
        detector = make()
        levels = np.cumsum(np.append(0, 1 + generator.standard_normal(30)))
        levels[19:] += shift * np.arange(12)
        found = 0.0
        for day, level in enumerate(levels):
            detector.update(day, level)
            found = max(found, detector.statistic) if day >= 19 else found
        return found

    changed, unchanged, others = (np.array([largest(shift) for _ in range(120)]) for shift in (1.2, 0, 0))
    area, chance = (
        np.mean(each[:, None] > unchanged) + np.mean(each[:, None] == unchanged) / 2 for each in (changed, others)
    )
    assert area > 0.85
    assert chance == pytest.approx(0.5, abs=0.15)  # 4 standard errors


@given(
    st.lists(st.tuples(st.floats(0.1, 3), st.floats(-2, 4)), min_size=1, max_size=8),
    st.floats(2, 100),
    st.floats(0.3, 2),
)
@examples(15)
def test_bayesian_probability_is_that_of_all_segmentations(readings, between, noise):
    days, increments = map(list, zip(*readings, strict=True))
    detector = BayesianChangePoint(PaceChange(1.0, 2.5, noise), between, threshold=1 - 1e-9)
    for day, level in zip(np.cumsum([0, *days]), np.cumsum([0, *increments]), strict=True):
        detector.update(day, level)
    exact = oracle.probability_of_fast_pace(days, increments, 1.0, 2.5, noise, between)
    assert detector.statistic == pytest.approx(exact, rel=1e-6, abs=1e-9)


series = st.lists(st.tuples(st.floats(0.05, 4), st.floats(-3, 6)), min_size=2, max_size=25).map(
    lambda steps: tuple(np.cumsum([(0, 0), *steps], axis=0).T)
)


@given(series, st.floats(0.05, 0.9), st.floats(0.01, 1))
@examples(40)
def test_first_alarm_is_not_earlier_at_a_higher_threshold(readings, low, step):
    for make in (
        lambda x: WindowRule(1.0, 1 + 3 * x, 5.0),
        lambda x: Cusum(CHANGE, 6 * x),
        lambda x: ShiryaevRoberts(CHANGE, 40 * x),
        lambda x: BayesianChangePoint(CHANGE, 20, min(x, 0.999)),
    ):
        first = [(*alarm_days(make(x), *readings), math.inf)[0] for x in (low, low + step)]
        assert first[0] <= first[1]


@given(series, series, st.floats(-100, 100))
@examples(15)
def test_reset_detector_is_new_and_a_copy_goes_on_in_step(before, readings, shift):
    for make in MAKERS.values():
        fresh, used = make(), make()
        expected = alarm_days(fresh, *readings)
        alarm_days(used, *before)
        used.reset()
        days, levels = readings
        middle, found = len(days) // 2, []
        for n, (day, level) in enumerate(zip(days, levels, strict=True)):
            used = pickle.loads(pickle.dumps(used)) if n == middle else used
            found += [day] if used.update(day, level) else []
        assert found == expected
        assert used.statistic == fresh.statistic
        moved = alarm_days(make(), days + 2.0**10, levels + 2.0**10)  # neither the date nor the level counts
        assert len(moved) == len(expected)


@pytest.mark.parametrize(("pace", "months"), [(3, 9), (5, 4.5), (10, 2)])
def test_p15_2_window_rule_rings_when_the_closed_form_says(pace, months):
    rule = WindowRule(1 / (6 * MONTH), 2, 18 * MONTH)
    days = np.arange(-20, 20, 0.25) * MONTH
    levels = np.where(days > 0, pace, 1) * days / (6 * MONTH)
    assert alarm_days(rule, days, levels) == pytest.approx([months * MONTH])
    assert run_lengths.window_rule_delay(18, 2, pace) == pytest.approx(months)


def test_p15_4_simulated_false_alarms_of_the_window_rule():
    generator, checks = np.random.default_rng(154), 4000
    rule = WindowRule(2.0, 2, 1.5)  # in years here
    rung = sum(len(alarm_days(rule, [0, 1.5], [a, 3 + b])) for a, b in 2 * generator.standard_normal((checks, 2)))
    p = run_lengths.window_rule_false_alarm(1.5, 2, 2, 2)
    assert rung / checks == pytest.approx(p, abs=oracle.Z_99 * math.sqrt(p * (1 - p) / checks))


def test_window_rule_interpolates_and_assumes_the_reference_pace_before_the_first_reading():
    rule = WindowRule(1.0, 2, 10)
    assert rule.statistic == 1
    assert not rule.update(0, 5)
    assert rule.statistic == 1  # 10 days at the reference pace
    assert not rule.update(4, 13)
    assert rule.statistic == pytest.approx((6 + 8) / 10)
    assert not rule.update(13, 24)  # the window starts on day 3, at 11
    assert rule.statistic == pytest.approx(1.3)
    assert rule.update(16, 36)  # the window starts on day 6, at 13 + 2 × 11/9
    assert rule.statistic == pytest.approx((23 - 22 / 9) / 10)


def test_window_rule_rings_again_only_after_a_check_below_the_threshold():
    rule = WindowRule(1.0, 2, 1)
    assert alarm_days(rule, range(8), [0, 3, 6, 7, 8, 11, 14, 17]) == [1, 5]


def test_sustained_rule_needs_every_check_of_the_period():
    rule = WindowRule(1.0, 2, 1, sustained_days=3)
    assert alarm_days(rule, range(11), [0, 3, 6, 9, 10, 13, 16, 19, 22, 25, 28]) == [8]


def test_check_interval_skips_readings_between_checks():
    levels = [0, 3, 4, 5, 6, 9, 12]
    assert alarm_days(WindowRule(1.0, 2, 1), range(7), levels) == [1, 5]
    assert alarm_days(WindowRule(1.0, 2, 1, check_interval_days=2), range(7), levels) == [6]


def test_published_rules_ring_at_their_own_multiple_and_window():
    """The pace of one doubling in 6 months rises on day 0 to six times, as between the two halves of the report."""
    days = np.arange(-600, 401, 1.0)
    levels = np.where(days > 0, 6, 1) * days / (6 * MONTH)
    alarms = {
        name: alarm_days(make(1 / (6 * MONTH)), days, levels) for name, make in published_rules.PUBLISHED_RULES.items()
    }
    exact = {
        "openai-critical": 28 * 4 / 5 + 3 * MONTH,
        "anthropic-two-years-in-one": 365 / 5,
        "davidson-three-years-in-eighteen-months": 18 * MONTH / 5,
        "davidson-one-year-in-six-months": 6 * MONTH / 5,
    }
    for name, day in exact.items():
        wait = 61 if name.startswith("davidson") else 1  # to the next check
        assert day <= alarms[name][0] < day + wait + 1, name
    slower = np.where(days > 0, 4, 1) * days / (6 * MONTH)
    rings = {
        name
        for name, make in published_rules.PUBLISHED_RULES.items()
        if alarm_days(make(1 / (6 * MONTH)), days, slower)
    }
    assert rings == set(exact) - {"openai-critical"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WindowRule(1, 0.9, 10), "multiple = 0.9 .* allowed: 1 or more"),
        (lambda: WindowRule(1, 2, 0), "window_days = 0 .* allowed: above 0"),
        (lambda: PaceChange(2, 1, 1), "pace = 1 .* allowed: above 2"),
        (lambda: PaceChange(1, 2, 0), "noise = 0 .* allowed: above 0"),
        (lambda: Cusum(CHANGE, 0), "threshold = 0 .* allowed: above 0"),
        (lambda: Sprt(CHANGE, 0.6), "false_alarm = 0.6 .* below one half"),
        (lambda: BayesianChangePoint(CHANGE, 10, 1.0), "threshold = 1 .* probability below 1"),
        (
            lambda: alarm_days(Cusum(CHANGE, 1), [1, 1], [0, 0]),
            "day = 1 is not after the last reading; allowed: above 1",
        ),
        (lambda: alarm_days(WindowRule(1, 2, 3), [0], [math.nan]), "is not finite; allowed: finite numbers"),
    ],
)
def test_argument_or_reading_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bayesian_detector_after_many_readings_is_small_and_finds_the_change():
    detector = BayesianChangePoint(CHANGE, 100)
    levels = np.cumsum(1 + np.random.default_rng(3).standard_normal(400) / 2)
    levels[300:] += np.arange(100)
    first = alarm_days(detector, range(400), levels)[0]
    assert 300 < first < 320  # the readings are less noisy than the model
    assert len(pickle.dumps(detector)) < 10_000
    assert alarm_days(detector, range(300), levels[:300]) == []
    assert detector.mean_pace == pytest.approx(1, abs=0.05)
