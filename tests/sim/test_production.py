"""Test how humans and AIs divide tasks, against closed forms, duality, bisection and quadrature."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.integrate import quad

from agents.params import HumansParams
from sim import ces
from sim.growth import software_doublings
from sim.production import (
    CesTasks,
    SeriesTasks,
    allocate,
    log_ai_productivity,
    log_unlimited_gain,
)
from tests.oracles import production as oracle
from tests.support.properties import examples

RHO = st.one_of(st.sampled_from([-math.inf, -1e3, -1e-9, 0.0, 1e-9, 1.0]), st.floats(-20, 0.95))
TEXTBOOK_RHO = st.one_of(st.sampled_from([-math.inf, 0.0]), st.floats(-20, -0.01), st.floats(0.01, 0.9))
"""rho at which the textbook formula keeps its digits."""
SHARE = st.floats(0.01, 0.99)
NUMBER = st.floats(-6, 8).map(lambda power: 10**power)


@st.composite
def paper_tasks(draw):
    """Return productivities and shares of one to six kinds of tasks; AIs can do at least one of them."""
    kinds = draw(st.integers(1, 6))
    weights = np.array(draw(st.lists(st.floats(0.05, 1), min_size=kinds, max_size=kinds)))
    powers = draw(st.lists(st.one_of(st.none(), st.floats(-2, 3)), min_size=kinds - 1, max_size=kinds - 1))
    eta = [10 ** draw(st.floats(-2, 3)), *(0.0 if power is None else 10**power for power in powers)]
    return np.array(eta), weights / weights.sum()


def log(values):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(values, dtype=float))


def log_fixed_share_output(log_humans, log_ais, automated, rho, **options):
    """Return ln of output if AIs do the share ``automated`` of the tasks at the productivity of humans."""
    shares = np.stack([np.asarray(automated), 1 - np.asarray(automated)], axis=-1)
    return allocate(log_humans, log_ais, [0.0, -np.inf], shares, rho, **options).log_output


def fixed_share(humans, ais, automated, rho, **options):
    return math.exp(log_fixed_share_output(log(humans), log(ais), automated, rho, **options))


@pytest.mark.parametrize(("automated", "gains"), oracle.UNLIMITED_AIS.items())
def test_p9_1_unlimited_ais_on_a_fixed_share_give_the_closed_form(automated, gains):
    simulated = [fixed_share(1, math.inf, automated, rho) for rho in oracle.RHOS]
    assert simulated == pytest.approx(gains, rel=2e-4)
    formula = np.exp(log_unlimited_gain(automated, np.array(oracle.RHOS)))
    assert simulated == pytest.approx(formula, rel=1e-12)


def test_p9_1_many_ais_approach_the_gain_of_unlimited_ais():
    gaps = [0.05**-1.5 - fixed_share(1, ais, 0.95, -2.0) for ais in (1e4, 1e5, 1e6)]
    assert [one / other for one, other in pairwise(gaps)] == pytest.approx([100, 100], rel=0.05)


def test_p9_2_unlimited_ais_without_reallocation_give_the_other_closed_form():
    simulated = [fixed_share(1, math.inf, 0.95, rho, reallocation=False) for rho in oracle.RHOS]
    assert simulated == pytest.approx(oracle.HUMANS_STAY, rel=1e-4)
    formula = np.exp(log_unlimited_gain(0.95, np.array(oracle.RHOS), reallocation=False))
    assert simulated == pytest.approx(formula, rel=1e-12)
    assert fixed_share(1, math.inf, 1 / 3, -1.0, reallocation=False) == pytest.approx(1.5, rel=1e-12)


def test_log_unlimited_gain_at_its_limits():
    assert log_unlimited_gain(0.0, np.array([-math.inf, -2.0, 0.0, 0.5, 1.0])) == pytest.approx([0] * 5)
    assert log_unlimited_gain(0.5, np.array([0.0, 0.5, 1.0])).tolist() == [math.inf] * 3
    for reallocation in (True, False):
        ends = log_unlimited_gain(1.0, np.array([-math.inf, -2.0]), reallocation=reallocation)
        assert ends.tolist() == [math.inf, math.inf]


def test_p9_3_finite_ais_on_a_fixed_share():
    assert fixed_share(1, 10, 0.5, -2.0) == pytest.approx(2.814390, abs=5e-7)
    for rho in (-math.inf, -5.0, -1.0, 0.0, 0.5, 1.0):
        assert fixed_share(1, 1, 0.5, rho) == pytest.approx(2, rel=1e-12)
        assert fixed_share(100, 1900, 0.95, rho) == pytest.approx(2000, rel=1e-12)


def test_p9_4_tasks_one_after_another_speed_up_by_amdahls_law():
    speeds = np.array([10.0, 30.0, 100.0, math.inf])
    published = [6.8966, 12.2449, 16.8067, 20]
    levels = np.stack([log(speeds), np.zeros(4)], axis=-1)
    in_series = np.exp(ces.log_mean(levels, [0.95, 0.05], np.full(4, -1.0)))
    assert in_series == pytest.approx(published, abs=5e-5)


def aifm_frontier(kinds, ais, capability):
    """Return output with thresholds ``E_i = 10^(4i)``, theta 1, rho -2 and one human; kinds are midpoints of i."""
    thresholds = 4 * (np.arange(kinds) + 0.5) / kinds * math.log2(10)
    log_eta = log_ai_productivity(math.log2(capability), thresholds, 0.0, 1.0)
    return math.exp(allocate(0.0, math.log(ais), log_eta, np.full(kinds, 1 / kinds), -2.0).log_output)


def test_p9_5_frontier_of_thresholds_converges_with_the_square_of_the_kinds():
    assert aifm_frontier(2000, 1, 100) == pytest.approx(2.786979, abs=1e-6)
    assert aifm_frontier(2000, 100, 100) == pytest.approx(2.828423, abs=1e-6)
    errors = [aifm_frontier(kinds, 1, 100) - 2.7869793 for kinds in (10, 20, 40)]
    assert [one / other for one, other in pairwise(errors)] == pytest.approx([4, 4], rel=0.05)


def test_p9_5_cut_is_a_corner_at_the_automatable_share():
    thresholds = 4 * (np.arange(1000) + 0.5) / 1000 * math.log2(10)
    shares = np.full(1000, 1e-3)
    log_eta = log_ai_productivity(math.log2(100), thresholds, 0.0, 1.0)
    found = allocate(np.zeros(3), log([0.01, 1.0, 100.0]), log_eta, shares, -2.0)
    assert found.automated[1:] == pytest.approx([0.5, 0.5])
    assert found.automated[0] < 0.5
    assert found.squeeze == pytest.approx(1 / (1 - found.automated))


def pace_with_humans(humans, returns, rho=1.0, automated=1.0):
    """Return the rate of effort at an effort, with software E^r, as many AIs as software, and ``humans``."""

    def pace(effort):
        log_software = float(software_doublings(math.log2(effort), returns)) * math.log(2)
        return math.exp(log_fixed_share_output(log(humans), log_software, automated, rho))

    return pace


@pytest.mark.parametrize(("humans", "software"), [(1, 4.436564), (9, 18.182818), (99, 172.828183)])
def test_p9_7_humans_and_ais_that_add_up_at_r_1(humans, software):
    assert oracle.time_to_effort(pace_with_humans(humans, 1.0), software) == pytest.approx(1, rel=1e-7)
    assert software == pytest.approx((1 + humans) * math.e - humans, rel=1e-6)


@pytest.mark.parametrize(("humans", "time"), [(0, 2.5), (1, 2.132368), (9, 1.425731), (99, 0.762137)])
def test_p9_8_explosion_time_with_humans_at_r_1_4(humans, time):
    far = 1e12  # the rest takes E^(1 - r)/(r - 1)
    reached = oracle.time_to_effort(pace_with_humans(humans, 1.4), far) + far**-0.4 / 0.4
    assert reached == pytest.approx(time, abs=1e-6)
    assert reached == pytest.approx(oracle.explosion_time_with_humans(1.4, humans), rel=1e-6)


def test_p9_9_humans_alone_take_a_constant_ratio_longer_for_each_doubling():
    returns = 1.4
    pace = pace_with_humans(7, returns, rho=-2.0, automated=0.0)
    ends = [oracle.time_to_effort(pace, 2 ** (n / returns)) for n in range(1, 6)]
    durations = [ends[0], *(after - before for before, after in pairwise(ends))]
    ratios = [after / before for before, after in pairwise(durations)]
    assert ratios == pytest.approx([2 ** (1 / returns)] * 4, rel=1e-9)
    assert ratios[0] == pytest.approx(1.6407, abs=5e-5)


def test_p9_9_humans_that_grow_raise_software_by_the_power_r():
    staff = HumansParams(initial=10, growth_per_year=1.8).staff
    efforts = [
        1 + quad(lambda day: math.exp(log_fixed_share_output(log(staff(day)), -math.inf, 0.0, -2.0)), 0, end)[0]
        for end in (365 * 20, 365 * 21)
    ]
    software = 2 ** software_doublings(np.log2(efforts), 1.4)
    assert software[1] / software[0] == pytest.approx(1.8**1.4, rel=1e-4)
    assert software[1] / software[0] == pytest.approx(2.2771, abs=2e-4)


@pytest.mark.parametrize(("rho", "limit"), [(-2.0, 89.4427), (-5.0, 36.4113)])
def test_p9_10_pace_of_a_fixed_share_saturates(rho, limit):
    paces = [fixed_share(1, 2.0**doublings, 0.95, rho) for doublings in (10, 50, 300)]
    assert paces == sorted(paces)
    assert paces[-1] == pytest.approx(limit, rel=1e-5)
    assert max(paces) <= math.exp(log_unlimited_gain(0.95, rho)) * (1 + 1e-12)


@given(SHARE, st.floats(-10, -0.05), st.floats(1.01, 5))
@examples(200)
def test_p9_10_late_doublings_lengthen_at_any_fixed_share(automated, rho, returns):
    """Late doubling times have the ratio ``2^(1/r)`` in 200 random scenarios, so that none is singular."""
    levels = np.arange(1990, 2001, dtype=float)
    log_pace = log_fixed_share_output(0.0, levels * math.log(2), automated, rho)
    # Effort to a level is 2^(level/r), so that a doubling takes its increase divided by the pace at its end.
    log_time = levels[1:] * math.log(2) / returns + math.log(-math.expm1(-math.log(2) / returns)) - log_pace[1:]
    assert np.diff(log_time) == pytest.approx([math.log(2) / returns] * 9, rel=1e-6)


def test_p9_11_ais_are_half_of_the_effort_when_software_equals_the_humans():
    assert oracle.time_to_effort(pace_with_humans(9, 1.4), 9 ** (1 / 1.4)) == pytest.approx(0.287524, abs=5e-7)
    assert oracle.time_to_effort(pace_with_humans(9, 1.0), 9) == pytest.approx(math.log(1.8), rel=1e-9)


@given(NUMBER, NUMBER, paper_tasks(), st.one_of(st.just(1.0), TEXTBOOK_RHO))
@examples(100)
def test_allocate_reaches_the_best_output_by_duality(humans, ais, tasks, rho):
    eta, shares = tasks
    found = allocate(math.log(humans), math.log(ais), log(eta), shares, rho)
    bound = oracle.best_output(humans, ais, eta, shares, rho)
    assert found.log_output == pytest.approx(math.log(bound), abs=1e-6)


@given(NUMBER, NUMBER, paper_tasks(), TEXTBOOK_RHO)
@examples(100)
def test_allocate_without_reallocation_reaches_the_best_output_by_bisection(humans, ais, tasks, rho):
    eta, shares = tasks
    found = allocate(math.log(humans), math.log(ais), log(eta), shares, rho, reallocation=False)
    best = oracle.output_if_humans_stay(humans, ais, eta, shares, rho)
    assert found.log_output == pytest.approx(math.log(best), abs=1e-6)


@pytest.mark.parametrize("reallocation", [True, False])
@given(st.floats(0.1, 100), st.floats(0.1, 100), paper_tasks(), TEXTBOOK_RHO)
@examples(100)
def test_allocate_returns_shares_that_give_its_output(reallocation, humans, ais, tasks, rho):
    eta, shares = tasks
    found = allocate(math.log(humans), math.log(ais), log(eta), shares, rho, reallocation=reallocation)
    assert found.humans.sum() == pytest.approx(1)
    assert found.ais.sum() == pytest.approx(1)
    assert (found.humans >= 0).all()
    assert (found.ais[eta == 0] == 0).all()
    levels = (humans * found.humans + ais * eta * found.ais) / shares
    assert oracle.output(list(levels), shares, rho) == pytest.approx(math.exp(found.log_output), rel=1e-6)


def test_allocate_reaches_at_least_the_best_of_a_grid():
    """Compare with every division of two kinds in steps of a hundredth."""
    eta, shares, rho = np.array([3.0, 0.4]), np.array([0.35, 0.65]), -1.5
    grid = np.linspace(0, 1, 101)
    levels = [
        (2 * h * np.array([1, 0]) + 2 * (1 - h) * np.array([0, 1]) + 5 * eta * np.array([a, 1 - a])) / shares
        for h in grid
        for a in grid
    ]
    best = max(oracle.output(list(each), shares, rho) for each in levels)
    found = math.exp(allocate(math.log(2), math.log(5), log(eta), shares, rho).log_output)
    assert best <= found * (1 + 1e-12)
    assert best == pytest.approx(found, rel=1e-3)


@given(NUMBER, NUMBER, st.tuples(SHARE, SHARE), st.floats(-20, 1))
@examples(100)
def test_output_rises_with_the_automated_share(humans, ais, automated, rho):
    low, high = sorted(automated)
    paces = log_fixed_share_output(log(humans), log(ais), np.array([low, high]), rho)
    assert paces[0] <= paces[1] + 1e-12


@given(NUMBER, NUMBER, SHARE, st.tuples(RHO, RHO))
@examples(100)
def test_output_rises_with_rho_and_is_within_its_bounds(humans, ais, automated, rhos):
    low, high = sorted(rhos)
    paces = log_fixed_share_output(log(humans), log(ais), automated, np.array([low, high]))
    assert paces[0] <= paces[1] + 1e-9
    assert math.log(humans) - 1e-9 <= paces[0]
    assert paces[1] <= math.log(humans + ais) + 1e-9


@given(NUMBER, NUMBER, paper_tasks(), RHO)
@examples(100)
def test_reallocation_never_lowers_output(humans, ais, tasks, rho):
    eta, shares = tasks
    moved, stayed = (
        allocate(math.log(humans), math.log(ais), log(eta), shares, rho, reallocation=each).log_output
        for each in (True, False)
    )
    assert stayed <= moved + 1e-9
    assert stayed >= math.log(humans) - 1e-9


@given(st.floats(0.1, 100), st.floats(0.1, 100), paper_tasks())
@examples(100)
def test_output_is_continuous_at_the_limits_of_rho(humans, ais, tasks):
    eta, shares = tasks
    rhos = np.array([-1e-7, -1e-13, 0.0, 1e-13, 1e-7, 1 - 1e-9, 1.0, -1e7, -math.inf])
    found = allocate(math.log(humans), math.log(ais), log(eta), shares, rhos).log_output
    assert found[:5] == pytest.approx([found[2]] * 5, abs=1e-4)
    assert found[[1, 3]] == pytest.approx([found[2]] * 2, abs=1e-9)
    assert found[5] == pytest.approx(found[6], abs=1e-6)
    assert found[6] == pytest.approx(math.log(humans + ais * eta.max()), abs=1e-9)
    assert found[7] == pytest.approx(found[8], abs=1e-4)


def test_allocate_with_humans_or_ais_alone():
    shares = np.full(4, 0.25)
    eta = log([4.0, 2.0, 1.0, 0.0])
    for reallocation in (True, False):
        alone = allocate(math.log(5), -math.inf, eta, shares, -2.0, reallocation=reallocation)
        assert math.exp(alone.log_output) == pytest.approx(5)
        assert alone.automated == 0
        assert alone.humans == pytest.approx(shares)
        assert alone.ais.tolist() == [0] * 4
    assert allocate(-math.inf, math.log(5), eta, shares, -2.0).log_output == -math.inf
    able = allocate(-math.inf, math.log(5), np.zeros(4), shares, -2.0)
    assert math.exp(able.log_output) == pytest.approx(5)
    assert (able.automated, able.squeeze) == (1, math.inf)
    assert able.humans.tolist() == [0] * 4


def test_p9_1_squeeze_is_twentyfold_at_95_percent():
    found = allocate(0.0, math.inf, [0.0, -math.inf], [0.95, 0.05], -math.inf)
    assert found.squeeze == pytest.approx(20)
    assert found.humans.tolist() == [0, 1]
    assert found.ais.tolist() == [1, 0]


def test_ai_share_of_unlimited_ais_without_reallocation_sums_to_one():
    found = allocate(0.0, math.inf, log([3.0, 1.0, 0.0]), [0.3, 0.3, 0.4], -1.0, reallocation=False)
    assert found.ais.sum() == pytest.approx(1)
    assert found.automated == pytest.approx(0.6)


def test_unlimited_ais_that_add_up_have_unlimited_output():
    for reallocation in (True, False):
        found = allocate(0.0, math.inf, [2.0, 1.0, -math.inf], [0.3, 0.3, 0.4], 1.0, reallocation=reallocation)
        assert found.log_output == math.inf


def test_output_of_300_doublings_and_many_kinds_is_finite():
    thresholds = np.linspace(0, 300, 5000)
    log_eta = log_ai_productivity(np.array([0.0, 150.0, 300.0]), thresholds, 0.0, 1.0)
    for rho in (-math.inf, -1e6, -2.0, 0.0, 0.99, 1.0):
        found = allocate(math.log(1e9), 300 * math.log(2), log_eta, np.full(5000, 1 / 5000), rho)
        assert np.isfinite(found.log_output).all()
        assert (np.diff(found.log_output) >= 0).all()


def test_small_remaining_share_keeps_its_digits():
    left = 2.0**-40
    found = allocate(0.0, math.inf, [0.0, -math.inf], [1 - left, left], -2.0)
    assert found.log_output == pytest.approx(1.5 * 40 * math.log(2), rel=1e-12)


def test_allocate_of_many_scenarios_equals_each_alone():
    chance = np.random.default_rng(5)
    humans, ais, rho = chance.normal(size=(3, 4)), chance.normal(size=(3, 1)), chance.uniform(-3, 0.9, 4)
    eta = np.where(chance.random((4, 5)) < 0.3, -np.inf, chance.normal(size=(4, 5)))
    shares = chance.dirichlet(np.ones(5), (3, 1))
    for reallocation in (True, False):
        found = allocate(humans, ais, eta, shares, rho, reallocation=reallocation)
        assert found.log_output.shape == (3, 4)
        for row, column in np.ndindex(3, 4):
            alone = allocate(
                humans[row, column], ais[row, 0], eta[column], shares[row, 0], rho[column], reallocation=reallocation
            )
            assert found.log_output[row, column] == pytest.approx(alone.log_output, abs=1e-13)
            assert found.humans[row, column] == pytest.approx(alone.humans, abs=1e-13)
            assert found.ais[row, column] == pytest.approx(alone.ais, abs=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rho": 1.2}, r"rho = 1.2 is above 1; allowed: -inf to 1"),
        ({"shares": [0.4, 0.4]}, r"shares = 0.8 in sum; allowed: 0 or more each, 1 in sum"),
        ({"shares": [1.4, -0.4]}, r"shares = 1 in sum; allowed: 0 or more each"),
        ({"rho": math.nan}, r"rho = nan is above 1"),
    ],
)
def test_allocate_refuses_bad_input(change, message):
    given = {"shares": [0.5, 0.5], "rho": -1.0} | change
    with pytest.raises(ValueError, match=message):
        allocate(0.0, 0.0, [0.0, -math.inf], **given)


def test_default_automation_is_one_ai_for_one_researcher():
    params = SeriesTasks()
    found = params.allocate(-math.inf, math.log(256), 0.0)
    assert math.exp(found.log_output) == pytest.approx(256, rel=1e-14)
    assert found.automated == 1


def test_automation_params_space_thresholds_equally():
    params = SeriesTasks(kinds=5, first_threshold=2.0, last_threshold=10.0)
    assert params.thresholds().tolist() == [2, 4, 6, 8, 10]
    assert SeriesTasks(first_threshold=2.0, last_threshold=10.0).thresholds().tolist() == [10]
    late = SeriesTasks(kinds=2, last_threshold=4.0, ai_productivity=3.0, productivity_slope=0.5)
    assert np.exp(late.log_productivity(np.array([2.0, 4.0]))) == pytest.approx(np.array([[6.0, 0], [12.0, 3.0]]))


def test_automation_params_refuse_thresholds_that_cross():
    with pytest.raises(ValidationError, match="first_threshold = 3 is above automation__last_threshold = 2; allowed"):
        SeriesTasks(first_threshold=3.0, last_threshold=2.0)
    for name, value in (("kinds", 0), ("rho", 1.5), ("ai_productivity", 0.0), ("productivity_slope", -1.0)):
        with pytest.raises(ValidationError, match=name):
            CesTasks(**{name: value})
