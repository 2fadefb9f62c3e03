"""Test when rules on the pace ring under the growth law: P15.1, P15.3 and P15.12."""

import math

import pytest

from sim import growth
from sim.governance import pace_rules
from sim.governance.detectors import WindowRule

MONTH = 365 / 12
OLD_PACE = 1 / (6 * MONTH)


@pytest.mark.parametrize(
    ("r", "multiple", "figures"),
    [
        (1.4, 5, (135.44, 33.86, 279.5)),
        (1.4, 2, (84.65, 84.65, 11.31)),
        (1.4, 3, (112.86, 56.43, 46.77)),
        (3, 5, (65.76, 16.44, 11.18)),
    ],
)
def test_p15_1_day_of_a_pace_and_what_is_left(r, multiple, figures):
    mark = pace_rules.mark_of_pace(multiple, MONTH, growth.doubling_ratio(r))
    assert (mark.time, mark.time_left) == pytest.approx(figures[:2], abs=5e-3)
    assert 2**mark.doublings == pytest.approx(figures[2], rel=4e-4)
    step = 1e-3  # the pace by a difference of the law
    levels = [growth.software_at(t, MONTH, growth.doubling_ratio(r)) for t in (0, step, mark.time, mark.time + step)]
    assert (levels[3] - levels[2]) / (levels[1] - levels[0]) == pytest.approx(multiple, rel=1e-3)


@pytest.mark.parametrize(
    ("months", "r", "day"),
    [(6, 1.4, 35.69), (6, 3, 34.78), (6, 0.7, 37.96), (18, 1.4, 83.98), (18, 3, 64.76), (18, 0.7, 217.55)],
)
def test_p15_3_window_rule_against_the_law(months, r, day):
    """The row has 217.56 for the last case; both sides of the equation agree at 217.550."""
    ratio = float(growth.doubling_ratio(r))
    found = pace_rules.window_rule_alarm(months * MONTH, 2, OLD_PACE, MONTH, ratio)
    assert found == pytest.approx(day, abs=6e-3)
    rule = WindowRule(OLD_PACE, 2, months * MONTH)
    days = range(-600, math.ceil(found) + 1, 1)
    levels = [growth.software_at(d, MONTH, ratio) if d > 0 else OLD_PACE * d for d in days]
    rung = [d for d, level in zip(days, levels, strict=True) if rule.update(d, float(level))]
    assert rung == [math.ceil(found)]


def test_p15_3_window_rule_at_exponential_growth_is_that_of_a_step():
    """The pace is 6 times the old one from day 0, whence W (2 - 1)/(6 - 1)."""
    assert pace_rules.window_rule_alarm(6 * MONTH, 2, OLD_PACE, MONTH, 1.0) == pytest.approx(36.5)
    assert pace_rules.window_rule_alarm(6 * MONTH, 6, OLD_PACE, MONTH, 1.0) == pytest.approx(182.5)
    assert pace_rules.window_rule_alarm(6 * MONTH, 6.01, OLD_PACE, MONTH, 1.0) == math.inf


def test_window_rule_rings_in_a_fizzle_only_if_its_first_doublings_are_fast():
    fizzle = float(growth.doubling_ratio(0.7))
    assert pace_rules.window_rule_alarm(28, 5, OLD_PACE, MONTH, fizzle) < 28
    assert pace_rules.window_rule_alarm(28, 5, OLD_PACE, 2 * MONTH, fizzle) == math.inf
    assert pace_rules.window_rule_alarm(18 * MONTH, 2, OLD_PACE, 12 * MONTH, fizzle) == math.inf


def test_reading_lag_beyond_the_time_left_moves_the_alarm_after_the_end():
    """The 5-times pace leaves 33.86 days at r = 1.4; a window adds to the day of the pace itself."""
    ratio = float(growth.doubling_ratio(1.4))
    mark = pace_rules.mark_of_pace(5, MONTH, ratio)
    end = growth.explosion_time(MONTH, ratio)
    starting_pace = (ratio - 1) / (MONTH * math.log(ratio))
    alarms = [pace_rules.window_rule_alarm(0.01, 5, starting_pace, MONTH, ratio, lag) for lag in (0, 33.8, 33.9)]
    assert alarms[0] == pytest.approx(mark.time, abs=0.01)
    assert alarms[1] < end < alarms[2]
    assert pace_rules.time_before_level(10, alarms[0], MONTH, ratio) == pytest.approx(
        growth.time_of_doubling(10, MONTH, ratio) - mark.time, abs=0.01
    )
    assert pace_rules.time_before_level(10, alarms[2], MONTH, ratio) < 0


def test_p15_12_law_of_chan_and_others():
    first, ratio = pace_rules.CHAN_FIRST_DOUBLING_MONTHS, pace_rules.CHAN_RATIO
    weeks_of_a_year = 365 / 7 / 10  # at 10 times the pace
    assert ratio == pytest.approx(0.76313, abs=5e-6)
    assert growth.explosion_time(first, ratio) == pytest.approx(18.998, abs=5e-4)
    assert pace_rules.mark_of_pace(10, first, ratio).time == pytest.approx(17.098, abs=5e-4)
    assert weeks_of_a_year == pytest.approx(5.21, abs=5e-3)
    assert growth.time_of_doubling(9, first, ratio) == pytest.approx(17.33, abs=5e-3)
    assert growth.returns_from_ratio(ratio) == pytest.approx(1.639, abs=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pace_rules.mark_of_pace(5, MONTH, 1.1), "ratio = 1.1 .* the pace never rises; allowed: above 0"),
        (lambda: pace_rules.mark_of_pace(0.5, MONTH, 0.8), "multiple = 0.5 .* allowed: 1 or more"),
        (lambda: pace_rules.window_rule_alarm(6, 1, 1, 1, 0.8), "multiple = 1 .* allowed: above 1"),
        (lambda: pace_rules.window_rule_alarm(0, 2, 1, 1, 0.8), "window = 0 .* allowed: above 0"),
        (lambda: pace_rules.time_before_level(-1, 2, 1, 0.8), "doublings = -1"),
    ],
)
def test_argument_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
