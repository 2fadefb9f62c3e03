"""Test hardware that grows as a change of clock: P16.1 to P16.3 (false-alarm rate of the draw 1e-5)."""

import math

import numpy as np
import pytest

from sim.racing import hardware_clock
from tests.oracles.races import FALSE_ALARM, software_with_hardware

TEN_MONTHS = 304.17


def test_p16_1_research_days_and_software():
    assert hardware_clock.research_days(100.0, TEN_MONTHS) == pytest.approx(112.31122, abs=6e-6)
    for r, doubling_days, software in (
        (0.7, TEN_MONTHS, 6.822453),
        (1.0, TEN_MONTHS, 12.927968),
        (1.4, TEN_MONTHS, 45.195112),
        (0.7, 211.4, 7.311631),
    ):
        found = 2 ** hardware_clock.software_doublings(100.0, r, doubling_days)
        assert found == pytest.approx(software, abs=3e-6)
        assert found == pytest.approx(software_with_hardware(100.0, r, doubling_days), rel=1e-7)


@pytest.mark.parametrize(("r", "days"), [(1.1, (498.07, 350.55)), (1.4, (169.30, 146.80)), (3, (82.20, 76.38))])
def test_p16_2_explosion_day_without_growth_and_with_a_doubling_a_year(r, days):
    found = [hardware_clock.explosion_day(r, doubling_days) for doubling_days in (math.inf, 365.0)]
    assert found == pytest.approx(days, abs=6e-3)
    assert hardware_clock.software_doublings(found[1] * 0.999, r, 365.0) < math.inf
    assert hardware_clock.software_doublings(found[1] * 1.001, r, 365.0) == math.inf


def test_p16_2_hardware_makes_no_explosion_of_a_fizzle():
    assert hardware_clock.explosion_day(0.9, 30.0) == math.inf
    assert hardware_clock.explosion_day(1.0, 30.0) == math.inf


def test_p16_3_doublings_a_year_tend_to_their_limit():
    days = 365.0 * np.arange(11)
    yearly = np.diff(hardware_clock.software_doublings(days, 0.7, 365.0))
    assert yearly[[4, 9]] == pytest.approx([2.4245, 2.3361], abs=6e-5)
    assert hardware_clock.late_doubling_days(0.7, 365.0) == pytest.approx(156.43, abs=5e-3)
    assert 365 / hardware_clock.late_doubling_days(0.7, 365.0) == pytest.approx(2.3333, abs=5e-5)
    assert hardware_clock.late_doubling_days(1.0, 365.0) == 0


@pytest.mark.parametrize("doubling_days", [30.0, 304.17, 1e9, math.inf])
def test_calendar_days_are_the_inverse_of_research_days(doubling_days):
    days = np.array([0.0, 1e-6, 1.0, 200.0, 3000.0])
    there = hardware_clock.research_days(days, doubling_days)
    assert hardware_clock.calendar_days(there, doubling_days) == pytest.approx(days, rel=1e-9)
    if doubling_days >= 1e9:
        assert there == pytest.approx(days, rel=2e-6)


def test_drawn_papers_follow_the_research_clock():
    """The number of papers is Poisson with the mean of the clock; its variance is the same."""
    runs = 2_000
    drawn = hardware_clock.simulate_papers(np.random.default_rng(161), 0.5, 120.0, 200.0, runs)
    mean = 0.5 * hardware_clock.research_days(200.0, 120.0)
    assert len(drawn) == runs
    assert drawn.mean() == pytest.approx(mean, abs=FALSE_ALARM * math.sqrt(mean / runs))
    assert drawn.var() == pytest.approx(mean, abs=FALSE_ALARM * mean * math.sqrt(2 / runs + 1 / (mean * runs)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hardware_clock.research_days(-1.0, 300.0), "days = -1 is outside of its range; allowed: 0 or more"),
        (lambda: hardware_clock.research_days(1.0, 0.0), "doubling_days = 0 .* Use inf for hardware"),
        (lambda: hardware_clock.calendar_days(-1.0, 300.0), "research = -1"),
        (lambda: hardware_clock.explosion_day(0, 300.0), "r = 0 "),
        (lambda: hardware_clock.late_doubling_days(1.4, 300.0), "Above r = 1 software explodes"),
        (lambda: hardware_clock.simulate_papers(np.random.default_rng(0), 1, 1, 50, 9), "papers to draw = "),
    ],
)
def test_clock_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
