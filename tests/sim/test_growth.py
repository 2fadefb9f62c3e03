"""Test the law of returns against the report's arithmetic."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sim import growth
from sim.growth import GrowthParams, PapersLaw, ReturnsLaw
from sim.software import SoftwareState
from tests.oracles import report

RETURNS = st.floats(0.05, 20)
PENALTY = st.floats(0.05, 1)
PER_DAY = 1 / report.MONTH


def durations(params: GrowthParams, n: int, researchers: int = 1) -> list[float]:
    law = growth.law_from_params(params, researchers, PER_DAY)
    return list(growth.unconstrained_doubling_times(law, researchers, PER_DAY, n))


@pytest.mark.parametrize(("r", "days"), [(0.7, [40.94, 55.10, 74.16, 99.81]), (3.0, [19.16, 12.07, 7.60, 4.79])])
def test_doubling_times_from_a_month_equal_the_reports_table(r, days):
    assert durations(ReturnsLaw(r=r), 5)[1:] == pytest.approx(days, abs=0.006)


@pytest.mark.parametrize(("growth_of_papers", "r"), [(3.0, 0.6309), (1.5, 1.7095), (2.0, 1.0)])
def test_returns_from_difficulty_equals_that_of_the_toy_model(growth_of_papers, r):
    assert growth.returns_from_difficulty(growth_of_papers) == pytest.approx(r, abs=5e-5)
    assert growth.difficulty_from_returns(growth.returns_from_difficulty(growth_of_papers)) == pytest.approx(
        growth_of_papers
    )


@pytest.mark.parametrize("m", [3.0, 1.5, 2.0])
def test_doubling_times_of_the_toy_model_equal_the_report(m):
    params = PapersLaw(papers_first_doubling=2.0, difficulty_growth=m)
    expected = [report.toy_doubling_months(2, m, i) * report.MONTH for i in range(8)]
    assert durations(params, 8) == pytest.approx(expected, rel=1e-12)


@given(RETURNS, PENALTY, st.integers(1, 500), st.floats(0.1, 1000))
def test_doubling_times_form_the_chain_for_any_team(r, p, team, first):
    params = ReturnsLaw(r=r, parallel_penalty=p, first_doubling_days=first)
    expected = [first * report.ratio(r, p) ** i for i in range(5)]
    assume(max(expected) < 1e200)
    assert durations(params, 5, team) == pytest.approx(expected, rel=1e-9)
    assert growth.doubling_ratio(r, p) == pytest.approx(report.ratio(r, p))


@pytest.mark.parametrize("r", [0.7, 1.0, 3.0])
def test_law_from_params_keeps_initial_effort_for_any_team_steps(r):
    law = growth.law_from_params(ReturnsLaw(r=r), 1000, PER_DAY)
    assert growth.unconstrained_doubling_times(law, 1000, PER_DAY, 1)[0] == pytest.approx(report.MONTH, rel=1e-12)
    papers = 1000 * (2.0 ** (1 / r) - 1) ** -1  # of E0, by hand: the first doubling takes 1,000 papers
    assert 2.0**law.log2_initial_effort == pytest.approx(papers, rel=1e-12)
    continuous = growth.unconstrained_doubling_times(law, 1000, PER_DAY, 6, 1e-4)
    assert continuous[0] < report.MONTH * (1 - 1e-3)  # a team that grows at once is faster with the same law
    ratios = [later / before for before, later in pairwise(continuous)]
    assert ratios == pytest.approx([report.ratio(r)] * 5, rel=1e-3)


def test_doubling_times_of_a_fixed_team_are_proportional_to_papers():
    law = growth.law_from_params(PapersLaw(), 1, PER_DAY)
    months = [days / report.MONTH for days in growth.unconstrained_doubling_times(law, 1, PER_DAY, 4, 100.0)]
    assert months == pytest.approx([2, 6, 18, 54])


@given(st.floats(0.3, 3), st.floats(0, 300), PENALTY)
def test_effort_and_software_doublings_are_inverse(r, doublings, p):
    effort = growth.effort_doublings(doublings, r, p)
    assert growth.software_doublings(effort, r, p) == pytest.approx(doublings, abs=1e-9)


@given(st.floats(0.3, 3), st.floats(2.0, 40), st.floats(0, 0.99))
def test_effort_towards_a_limit_equals_the_integral_of_falling_returns(r, limit, share):
    doublings = share * limit
    expected = report.effort_to(doublings, r, limit, steps=2000)
    effort = growth.effort_doublings(doublings, r, 1.0, limit)
    assert effort == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert growth.software_doublings(effort, r, 1.0, limit) == pytest.approx(doublings, rel=1e-9, abs=1e-9)


def test_effort_at_the_limit_is_infinite():
    assert math.isinf(growth.effort_doublings(8.0, 2.0, 1.0, 8.0))
    assert durations(ReturnsLaw(r=2.0, limit_doublings=3.0), 4)[3] == math.inf


def test_effort_of_300_doublings_does_not_overflow():
    law = growth.law_from_params(ReturnsLaw(r=0.05), 1, PER_DAY)
    effort = law.effort(300.0)
    assert effort == pytest.approx(6000)
    assert law.software(growth.add_effort(effort, effort)) == pytest.approx(300.05)
    assert law.papers_between(effort, 300.0) == 0.0


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_add_effort_adds_in_log2(a, b):
    assert growth.add_effort(a, b) == pytest.approx(math.log2(2**a + 2**b), abs=1e-9)


@given(st.floats(-20, 20), st.floats(1e-3, 20))
def test_effort_between_inverts_add_effort(low, gap):
    high = low + gap
    assert growth.add_effort(low, float(growth.effort_between(low, high))) == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize(
    ("row", "r", "first", "days", "low", "high"),
    [
        ("O14", 0.9, 3.0, 365, 30.825, 30.835),
        ("O18", 0.5, report.MONTH, 365, math.log2(12.95), math.log2(13.05)),
        ("O18", 0.7, report.MONTH, 365, math.log2(45.75), math.log2(45.85)),
        ("O18", 0.9, report.MONTH, 365, math.log2(427.5), math.log2(428.5)),
        ("O18", 1.0, report.MONTH, 365, 11.9999, 12.0001),
    ],
)
def test_software_at_equals_the_reports_figures(row, r, first, days, low, high):
    software = growth.software_at(days, first, growth.doubling_ratio(r))
    assert low < software < high, row
    assert software == pytest.approx(report.doublings_within(days, first, r))


def test_explosion_time_equals_the_reports_figures():
    assert growth.explosion_time(2.0, 0.75) == 8.0
    assert growth.time_of_doubling(13, 2.0, 0.75) == pytest.approx(7.810, abs=5e-4)
    assert growth.explosion_time(report.MONTH, growth.doubling_ratio(3.0)) == pytest.approx(82.20, abs=5e-3)
    assert growth.explosion_time(1.0, 1.0) == math.inf
    assert growth.software_at(9.0, 2.0, 0.75) == math.inf


def test_time_of_doubling_equals_the_sum_of_doubling_times():
    each = [3.0 * 1.2 ** (n - 1) for n in range(1, 11)]
    assert growth.time_of_doubling(10, 3.0, 1.2) == pytest.approx(sum(each))
    assert growth.time_of_doubling(10, 3.0, 1.0) == 30.0


@given(st.floats(0.1, 50), PENALTY)
def test_returns_from_ratio_inverts_doubling_ratio(r, p):
    assert growth.returns_from_ratio(float(growth.doubling_ratio(r, p)), p) == pytest.approx(r, rel=1e-6)


def test_returns_from_ratio_below_one_half_are_infinite():
    assert growth.returns_from_ratio(0.4) == math.inf


def test_deployed_software_never_falls_and_never_exceeds_discovered():
    software = SoftwareState(growth.law_from_params(ReturnsLaw(), 1, PER_DAY))
    software.add(100.0)
    found = software.discovered
    assert found > 1
    software.deploy(1.0)
    for doublings, said in ((-0.5, "never falls"), (math.nan, "never falls"), (found, "are discovered and not yet")):
        with pytest.raises(ValueError, match=said):
            software.deploy(doublings)
    assert software.deployed == 1.0
    software.deploy(found - 1.0 + 1e-8)  # what sums of gains may be out by
    assert software.deployed == found


@pytest.mark.parametrize("r", [0.7, 1.0, 2.0])
def test_unconstrained_curve_grows_linearly_in_effort_within_a_doubling(r):
    law = growth.Law(r, 1.0, math.inf, 5.0)
    curve = growth.unconstrained_curve(law, 10, PER_DAY, 3, 1.0, points=4)
    ends = np.cumsum([0.0, *growth.unconstrained_doubling_times(law, 10, PER_DAY, 3)])
    parts = np.arange(13) / 4
    whole, part = np.divmod(parts, 1)
    effort = 2 ** (whole / r) * (1 - part) + 2 ** ((whole + 1) / r) * part
    assert curve.doublings == pytest.approx(r * np.log2(effort))
    assert curve.days == pytest.approx(np.interp(parts, range(4), ends))


def test_unconstrained_curve_ends_beyond_its_last_day_and_at_the_limit():
    law = growth.law_from_params(ReturnsLaw(), 10, PER_DAY)
    first, second = growth.unconstrained_doubling_times(law, 10, PER_DAY, 2)
    assert growth.unconstrained_curve(law, 10, PER_DAY, 9, 1.0, first + 0.5 * second).days[-1] == first + second
    limited = growth.Law(1.0, 1.0, 2.5, 5.0)
    assert growth.unconstrained_curve(limited, 10, PER_DAY, 9, 1.0).doublings[-1] == pytest.approx(2.0)
