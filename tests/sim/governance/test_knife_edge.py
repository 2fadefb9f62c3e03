"""Test the knife edge, P14.1 to P14.7: closed forms and simulated brakes. Figures are typed from theory."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import growth
from sim.governance import pace_brakes
from sim.governance.knife_edge import (
    KnifeEdge,
    days_left,
    doublings_after_deployment_hold,
    pace_factor_after_share,
)
from sim.governance.pace_brakes import RelayBrake, SmoothBrake, simulate_brake, software_under_barriers
from tests.support.properties import examples

MONTH = 365 / 12
TARGET = 1 / MONTH
EDGE = KnifeEdge(1.4, TARGET)
LIMIT = 0.017699
"""Smallest gain that holds one doubling a month at r = 1.4 [1/day]."""
DRIFT = 0.006511
"""Growth of the log pace there [1/day]."""


def held_factor(gain, reading_days):
    run = simulate_brake(SmoothBrake(TARGET, gain), 1.4, 3000, reading_days=reading_days)
    assert run.outcome == "held"
    return run.pace[-1] / TARGET


def delayed(brake, level, factor=1.02):
    """Run a brake for 2000 days, from near the held pace, after 200 days of readings at the held pace."""
    for day in range(-200, 0):
        brake.update(day, level * TARGET)
    return simulate_brake(brake, 1.4, 2000, start_pace=factor * level * TARGET, first_day=0)


def spread(run, start, end):
    inside = (run.days >= start) & (run.days < end)
    return np.ptp(np.log(run.pace[inside]))


@pytest.mark.parametrize(("r", "months"), [(1.1, 15.870), (1.4, 5.0494), (2, 2.8854), (3, 2.1640)])
def test_p14_1_time_left_from_a_pace(r, months):
    assert days_left(1.0, r) == pytest.approx(months, rel=3e-5)
    assert days_left(TARGET, r) == pytest.approx(months * MONTH, rel=3e-5)
    _, third = pace_brakes.advance(1.0, months / 3, 1 - 1 / r)
    _, half = pace_brakes.advance(1.0, months / 2, 1 - 1 / r)
    assert (third, half) == pytest.approx((1.5, 2), rel=1e-4)
    assert (pace_factor_after_share(1 / 3), pace_factor_after_share(0.5)) == pytest.approx((1.5, 2))
    assert pace_factor_after_share(1) == math.inf


@pytest.mark.parametrize("r", [0.7, 1])
def test_p14_1_no_explosion_without_increasing_returns(r):
    assert days_left(TARGET, r) == math.inf


@pytest.mark.parametrize("r", [0.7, 1, 1.4, 3])
def test_free_growth_equals_the_growth_law(r):
    ratio = 2 ** (1 / r - 1)
    start = 1 / MONTH if r == 1 else (1 - ratio) / ((1 - 1 / r) * math.log(2) * MONTH)
    for day in (10, 40, 80):
        software, _ = pace_brakes.advance(start, day, 1 - 1 / r)
        assert software == pytest.approx(growth.software_at(day, MONTH, ratio), rel=1e-12)


def test_p14_2_the_drift_and_the_smallest_gain():
    assert EDGE.drift == pytest.approx(0.006511, abs=5e-7)
    assert EDGE.smallest_gain == pytest.approx(0.017699, abs=5e-7)
    assert EDGE.longest_reaction_days == pytest.approx(56.50, abs=5e-3)
    assert EDGE.held_pace_factor(EDGE.smallest_gain) == pytest.approx(math.e)
    with pytest.raises(ValueError, match="Use a faster reaction, or a lower target"):
        EDGE.held_pace_factor(0.999 * LIMIT)


@pytest.mark.parametrize(("share", "outcome"), [(0.9, "lost"), (1.1, "held")])
def test_p14_2_simulated_brake_holds_from_the_smallest_gain(share, outcome):
    assert simulate_brake(SmoothBrake(TARGET, share * LIMIT), 1.4, 2000).outcome == outcome


@pytest.mark.parametrize(
    ("multiple", "held", "lost"),
    [(1.2, 1.66707, 5.6466), (2, 1.26107, 14.561), (4, 1.10719, 40.150), (10, 1.03896, 132.92)],
)
def test_p14_3_held_and_lost_paces(multiple, held, lost):
    gain = multiple * EDGE.smallest_gain
    assert EDGE.held_pace_factor(gain) == pytest.approx(held, abs=6e-6)
    assert EDGE.lost_pace_factor(gain) == pytest.approx(lost, rel=4e-5)
    coarse, fine = held_factor(gain, 1), held_factor(gain, 0.5)
    assert (coarse - held) / (fine - held) == pytest.approx(2, rel=0.05)  # first order in the time between readings
    assert 2 * fine - coarse == pytest.approx(held, rel=1e-4)
    for share, outcome in ((0.95, "held"), (1.05, "lost")):
        run = simulate_brake(SmoothBrake(TARGET, gain), 1.4, 400, start_pace=share * lost * TARGET, reading_days=0.1)
        assert run.outcome == outcome


def test_p14_4_a_slow_brake_loses_the_pace_on_day_654():
    gain = 0.9 * EDGE.smallest_gain
    assert EDGE.days_to_pace_factor(gain, math.exp(8)) == pytest.approx(654.3, abs=0.05)
    assert EDGE.days_to_pace_factor(1.1 * LIMIT, math.exp(8)) == math.inf
    lost = [simulate_brake(SmoothBrake(TARGET, gain), 1.4, 800, reading_days=days).lost_on for days in (1, 0.5, 0.25)]
    assert 2 * lost[2] - lost[1] == pytest.approx(654.3, abs=0.5)
    assert (lost[0] - lost[1]) / (lost[1] - lost[2]) == pytest.approx(2, rel=0.1)


def test_p14_4_without_a_brake_the_pace_has_the_time_of_p14_1():
    assert EDGE.days_to_pace_factor(0, 2) == pytest.approx(5.0494 / 2 * MONTH, rel=2e-5)


def test_p14_5_longest_delay_and_period():
    gain = 2 * EDGE.smallest_gain
    assert math.log(EDGE.held_pace_factor(gain)) == pytest.approx(0.23196, abs=5e-6)
    assert EDGE.longest_delay_days(gain) == pytest.approx(38.82, abs=5e-3)
    assert EDGE.oscillation_period_days(gain) == pytest.approx(182.48, abs=5e-3)
    level = KnifeEdge(1, TARGET)
    assert level.longest_delay_days(gain) == pytest.approx(math.pi / 2 / gain)
    assert level.oscillation_period_days(gain) == pytest.approx(2 * math.pi / gain)


def test_p14_5_oscillations_shrink_below_the_longest_delay():
    run = delayed(SmoothBrake(TARGET, 2 * LIMIT, 0.9 * 38.82), 1.26107)
    assert run.outcome == "held"
    assert spread(run, 1000, 1365) < 0.3 * spread(run, 365, 730)


def test_p14_5_oscillations_grow_above_the_longest_delay_until_the_pace_is_lost():
    brake = SmoothBrake(TARGET, 2 * LIMIT, 1.1 * 38.82)
    run = delayed(brake, 1.26107)
    assert run.outcome == "lost"
    assert spread(run, 730, 1095) > 3 * spread(run, 0, 365)


def test_p14_5_period_at_the_longest_delay():
    run = delayed(SmoothBrake(TARGET, 2 * LIMIT, 38.82), 1.26107, factor=1.002)
    logs = np.log(run.pace / (1.26107 * TARGET))
    upward = run.days[1:][(logs[1:] > 0) & (logs[:-1] <= 0)]
    assert np.diff(upward[2:]).mean() == pytest.approx(182.48, rel=0.03)


def relay(gain, delay_days=0.0, days=150):
    brake = RelayBrake(TARGET, gain, 0.05, delay_days)
    return simulate_brake(brake, 1.4, days, start_pace=1.06 * TARGET, reading_days=0.02)


def cycle_of(run, start=0):
    """Return the mean period, and the share of readings after which the barrier rises, over whole cycles."""
    rises = np.diff(run.log2_barrier[run.days >= start]) > 0
    starts = np.flatnonzero(rises[1:] & ~rises[:-1]) + 1
    return np.diff(starts).mean() * np.diff(run.days[:2])[0], rises[starts[0] : starts[-1]].mean()


def test_p14_6_relay_period_and_duty():
    gain = 3 * EDGE.drift
    assert EDGE.narrow_relay_period_days(gain, 0.05) == pytest.approx(11.519, abs=5e-4)
    assert EDGE.narrow_relay_duty(gain) == pytest.approx(2 / 3)
    cycle = EDGE.relay_cycle(gain, 0.05)
    assert cycle.period_days == pytest.approx(11.522, abs=5e-4)
    assert cycle.duty == pytest.approx(2 / 3, abs=2e-4)
    run = relay(gain)
    assert run.outcome == "oscillating"
    assert cycle_of(run) == pytest.approx((11.527, 2 / 3), rel=5e-3)


def test_p14_6_relay_with_a_delay_goes_beyond_its_band():
    gain = 3 * DRIFT
    cycle = EDGE.relay_cycle(gain, 0.05, 10.0)
    run = relay(gain, 10.0, days=500)
    last = run.pace[run.days > 200] / TARGET
    assert (last.min(), last.max()) == pytest.approx((cycle.lowest, cycle.highest), rel=2e-3)
    assert cycle_of(run, start=200) == pytest.approx((cycle.period_days, cycle.duty), rel=5e-3)


@pytest.mark.parametrize(("share", "outcome"), [(0.9, "oscillating"), (1.1, "lost")])
def test_p14_6_relay_loses_the_pace_from_its_longest_delay(share, outcome):
    gain = 3 * DRIFT
    longest = math.log((1 + 3 * math.exp(-0.05)) / 2) / gain
    assert EDGE.longest_relay_delay_days(gain, 0.05) == pytest.approx(longest, rel=1e-3)
    brake = RelayBrake(TARGET, gain, 0.05, share * longest)
    assert simulate_brake(brake, 1.4, 2000, reading_days=0.2).outcome == outcome


def test_p14_7_barrier_of_a_held_explosion_grows_exponentially():
    gain = 2 * EDGE.smallest_gain
    assert EDGE.barrier_doubling_days(gain) == pytest.approx(84.42, abs=5e-3)
    run = simulate_brake(SmoothBrake(TARGET, gain), 1.4, 2000, reading_days=0.5)
    day = np.searchsorted(run.days, [1000, 1500, 2000])
    barrier, software = run.log2_barrier[day], run.software[day]
    assert np.diff(barrier) / 500 == pytest.approx([1 / 84.42, 1 / 84.42], rel=3e-3)
    assert np.diff(barrier) == pytest.approx((1 - 1 / 1.4) * np.diff(software), rel=1e-9)


@pytest.mark.parametrize("gain", [0.001, 0.1])
def test_r_of_one_is_held_by_any_gain_without_growth_of_the_barrier(gain):
    edge = KnifeEdge(1, TARGET)
    assert (edge.drift, edge.smallest_gain, edge.longest_reaction_days) == (0, 0, math.inf)
    assert (edge.held_pace_factor(gain), edge.lost_pace_factor(gain)) == (1, math.inf)
    assert edge.barrier_doubling_days(gain) == math.inf
    run = simulate_brake(SmoothBrake(TARGET, gain), 1, 10_000, start_pace=3 * TARGET)
    assert run.outcome == "held"
    assert (run.pace[-1] / TARGET, 2 ** run.log2_barrier[-1]) == pytest.approx((1, 3), rel=1e-3)


def test_r_below_one_releases_the_brake():
    edge = KnifeEdge(0.7, TARGET)
    gain = 0.05
    assert edge.smallest_gain == 0
    assert edge.held_pace_factor(gain) < 1
    assert edge.barrier_doubling_days(gain) < 0
    run = simulate_brake(SmoothBrake(TARGET, gain), 0.7, 3000, start_pace=20 * TARGET)
    assert run.outcome == "released"
    assert run.log2_barrier.max() > 1
    assert run.pace[-1] < 0.05 * TARGET


def test_a_brake_with_gain_zero_changes_nothing():
    run = simulate_brake(SmoothBrake(TARGET, 0.0), 1.4, 100)
    assert not run.log2_barrier.any()
    assert run.software[-1] == pytest.approx(pace_brakes.advance(TARGET, 100, 1 - 1 / 1.4)[0])


SEGMENTS = st.lists(
    st.tuples(st.floats(0, 10), st.one_of(st.just(1.0), st.just(math.inf), st.floats(1, 1e6))), min_size=1, max_size=8
)


@examples(60)
@given(SEGMENTS, st.sampled_from([0.7, 1.0, 1.4, 2.0]))
def test_any_brake_of_some_days_delays_software_by_at_most_these_days(segments, r):
    ratio = 2 ** (1 / r - 1)
    start = TARGET if r == 1 else (1 - ratio) / ((1 - 1 / r) * math.log(2) * MONTH)
    total = min(sum(days for days, _ in segments), 55.0)  # the explosion of r = 2 is on day 104
    scale = total / max(sum(days for days, _ in segments), total, 1e-9)
    segments = [(days * scale, barrier) for days, barrier in segments]
    braked = sum(days for days, barrier in segments if barrier > 1)
    software = software_under_barriers(segments, start, r)
    lowest, highest = (growth.software_at(max(0.0, day), MONTH, ratio) for day in (total - braked, total))
    assert lowest - 1e-9 <= software <= highest + 1e-9
    stopped = [(days, math.inf if barrier > 1 else 1.0) for days, barrier in segments]
    assert software_under_barriers(stopped, start, r) == pytest.approx(lowest, abs=1e-9)


@examples(40)
@given(st.floats(0, 50), st.sampled_from([0.7, 1.0, 1.4, 3.0]))
def test_a_hold_of_deployment_stores_doublings_that_a_full_stop_does_not(days, r):
    stored = doublings_after_deployment_hold(days, TARGET, r)
    free, _ = pace_brakes.advance(TARGET, days, 1 - 1 / r)
    assert 0 <= stored <= free + 1e-12
    effort = 1 + TARGET * math.log(2) / r * days
    assert stored == pytest.approx(r * math.log2(effort), abs=1e-12)


READINGS = st.lists(st.tuples(st.floats(0, 40), st.floats(-1, 1e3)), min_size=2, max_size=20)
BRAKES = st.sampled_from([SmoothBrake(TARGET, 0.1), SmoothBrake(TARGET, 0.03, 15.0), RelayBrake(TARGET, 0.1, 0.2, 5.0)])


@examples(60)
@given(BRAKES, READINGS, st.data())
def test_a_pickled_brake_goes_on_with_the_same_barriers(brake, readings, data):
    days = np.cumsum([gap for gap, _ in readings])
    cut = data.draw(st.integers(1, len(readings) - 1))
    whole, first = pickle.loads(pickle.dumps(brake)), pickle.loads(pickle.dumps(brake))
    barriers = [whole.update(day, pace) for day, (_, pace) in zip(days, readings, strict=True)]
    for day, (_, pace) in zip(days[:cut], readings[:cut], strict=True):
        first.update(day, pace)
    second = pickle.loads(pickle.dumps(first))
    rest = [second.update(day, pace) for day, (_, pace) in zip(days[cut:], readings[cut:], strict=True)]
    assert rest == barriers[cut:]
    assert min(barriers) >= 1


def test_a_reading_takes_effect_after_the_delay():
    brake = SmoothBrake(1.0, 0.5, delay_days=10)
    assert [brake.update(day, math.e) for day in (0, 5, 10, 14)] == [1, 1, 1, 1]
    assert brake.update(15, 1.0) == pytest.approx(math.exp(0.5 * 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: KnifeEdge(1.4, 0), "target_pace = 0 is outside .* Use a positive pace"),
        (lambda: KnifeEdge(0, 1), "r = 0 is outside .* Use returns of the growth law"),
        (lambda: KnifeEdge(0.7, TARGET).relay_cycle(1, 0.1), "r = 0.7 is outside .* has no cycle"),
        (lambda: EDGE.relay_cycle(DRIFT / 2, 0.1), "gain = .* allowed: above 0.00651"),
        (lambda: EDGE.relay_cycle(3 * DRIFT, 0.05, 40), "delay_days = 40 loses the pace; allowed: below 33.57"),
        (lambda: SmoothBrake(TARGET, -1), "gain = -1 is outside .* 0 is no brake"),
        (lambda: RelayBrake(TARGET, 1, -1), "half_band = -1 is outside .* such as 0.05"),
        (lambda: SmoothBrake(TARGET, 1).update(0, math.nan), "pace = nan is not a finite number"),
        (lambda: simulate_brake(SmoothBrake(TARGET, 1), 1.4, 3), "days = 3 is outside .* allowed: 16 or more"),
        (lambda: software_under_barriers([(1, 0.5)], TARGET, 1.4), "barrier = 0.5 .* inf is a full stop"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_days_of_readings_do_not_decrease():
    brake = SmoothBrake(TARGET, 1)
    brake.update(5, TARGET)
    with pytest.raises(ValueError, match=r"day = 4 is not a day after .* allowed: 5 or later"):
        brake.update(4, TARGET)
