"""Test races of pure birth processes: P23.3 to P23.5 (false-alarm rate of each draw 1e-5)."""

import math

import numpy as np
import pytest
from scipy.stats import beta, kstest

from sim.racing import birth_races
from tests.oracles.races import FALSE_ALARM

LARGE_KS = 2.47
"""Value of sqrt(n) D that the Kolmogorov-Smirnov statistic exceeds with probability 1e-5."""


@pytest.mark.parametrize(
    ("effort", "mean", "fluid", "spread"), [(10, 1.015637, 0.995268, 0.0966), (100, 0.397018, 0.396223, 0.0299)]
)
def test_p23_3_moments_of_the_explosion_date(effort, mean, fluid, spread):
    date = birth_races.explosion_date(1.4, effort)
    assert (date.mean, date.fluid) == pytest.approx((mean, fluid), abs=6e-7)
    assert date.spread == pytest.approx(spread, abs=6e-5)
    faster = birth_races.explosion_date(1.4, effort, 4.0)
    assert (faster.mean, faster.variance, faster.fluid) == pytest.approx(
        (date.mean / 4, date.variance / 16, date.fluid / 4)
    )


def test_p23_3_drawn_dates_have_those_moments():
    runs = 4_000
    for r, effort in ((1.4, 10), (2.0, 3)):
        date = birth_races.explosion_date(r, effort, 2.0)
        drawn = birth_races.simulate_explosion_dates(np.random.default_rng(233), r, effort, runs, 2.0, births=200)
        error = math.sqrt(date.variance / runs)
        assert drawn.mean() == pytest.approx(date.mean, abs=FALSE_ALARM * error)
        squares = (drawn - date.mean) ** 2
        assert squares.mean() == pytest.approx(date.variance, abs=FALSE_ALARM * squares.std() / math.sqrt(runs))


@pytest.mark.parametrize(("efforts", "probability"), [((11, 10), 0.65044), ((12, 10), 0.77477)])
def test_p23_4_probability_of_the_first_explosion(efforts, probability):
    assert birth_races.probability_first_to_explode(2, *efforts) == pytest.approx(probability, abs=6e-6)
    assert birth_races.probability_first_to_explode(2, *efforts[::-1]) == pytest.approx(1 - probability, abs=6e-6)


def test_p23_4_drawn_dates_have_that_probability():
    runs = 10_000
    for r, efforts, rates in ((2.0, (11, 10), (1, 1)), (1.4, (5, 4), (1.0, 1.2))):
        p = birth_races.probability_first_to_explode(r, *efforts, *rates)
        generator = np.random.default_rng(234)
        own, other = (
            birth_races.simulate_explosion_dates(generator, r, effort, runs, rate, births=100)
            for effort, rate in zip(efforts, rates, strict=True)
        )
        assert (own < other).mean() == pytest.approx(p, abs=FALSE_ALARM * math.sqrt(p * (1 - p) / runs))


def test_probability_of_the_first_explosion_at_the_ends():
    """Two equal labs, a start of one paper, r near 1, and a lead that decides."""
    for r, effort in ((1.001, 3), (1.1, 1), (4, 1), (1.4, 1e5), (4, 1e6)):
        assert birth_races.probability_first_to_explode(r, effort, effort) == pytest.approx(0.5, abs=1e-9)
    assert birth_races.probability_first_to_explode(1.4, 1e6, 1e4) == 1
    ahead, behind = (birth_races.probability_first_to_explode(3, *pair) for pair in ((2, 1), (1, 2)))
    assert ahead + behind == pytest.approx(1, abs=1e-9)
    assert 0.8 < ahead < 0.95


def test_p23_5_share_at_unit_returns():
    share = birth_races.share_at_unit_returns(12, 10)
    assert share == pytest.approx((0.54545, 0.10383, 0.66819), abs=6e-6)


def test_p23_5_drawn_shares_have_the_beta_distribution():
    """A Kolmogorov-Smirnov test with a false-alarm rate of 1e-5, after 1000 papers."""
    drawn = birth_races.simulate_shares(np.random.default_rng(235), 1.0, (12.0, 10.0), 1000, 1500)
    assert drawn.sum(axis=1) == pytest.approx(np.ones(1500))
    assert kstest(drawn[:, 0], beta(12, 10).cdf).statistic * math.sqrt(1500) < LARGE_KS


def test_shares_tend_to_a_half_below_unit_returns_and_to_a_monopoly_above():
    low, high = (
        birth_races.simulate_shares(np.random.default_rng(5), r, (12.0, 10.0), 3000, 300)[:, 0] for r in (0.4, 3.0)
    )
    assert np.abs(low - 0.5).max() < 0.1
    assert (np.abs(high - 0.5) > 0.45).mean() > 0.95


def test_leak_of_papers_moves_shares_to_a_half():
    """At r = 1 the expected difference of two labs grows by 1 + (1 - leak)/total with each paper."""
    runs, papers, leak = 1500, 300, 0.4
    drawn = birth_races.simulate_shares(np.random.default_rng(6), 1.0, (12.0, 4.0), papers, runs, leak)
    total = 16 + np.arange(papers) * (1 + leak)
    expected = 8 * np.prod(1 + (1 - leak) / total) / (16 + papers * (1 + leak))
    difference = drawn[:, 0] - drawn[:, 1]
    assert difference.mean() == pytest.approx(expected, abs=FALSE_ALARM * difference.std() / math.sqrt(runs))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: birth_races.explosion_date(1.0, 10), "r = 1 is outside of its range; .* there is no explosion"),
        (lambda: birth_races.explosion_date(1.4, 0.5), "effort = 0.5 is outside of its range; allowed: 1 or more"),
        (lambda: birth_races.probability_first_to_explode(2, 5, 5, 1, 0), "rate = 0"),
        (lambda: birth_races.share_at_unit_returns(3, 0), "effort_of_other = 0"),
        (lambda: birth_races.simulate_shares(np.random.default_rng(0), 1, (1.0,), 5, 5), r"len\(efforts\) = 1"),
        (lambda: birth_races.simulate_shares(np.random.default_rng(0), 1, (1, 1), 5, 5, -1), "leak = -1"),
    ],
)
def test_birth_race_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
