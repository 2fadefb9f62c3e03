"""The verdict, against chains whose dynamics are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.verdict import judge
from tests.oracles import report


def chain(ratio: float, n: int) -> list[float]:
    return [30 * ratio**i for i in range(n)]


@pytest.mark.parametrize(
    ("ratio", "name"),
    [(0.75, "explosion"), (0.97, "explosion"), (1.0, "exponential"), (1.03, "fizzle"), (1.35, "fizzle")],
)
def test_exact_chains(ratio, name):
    verdict = judge(chain(ratio, 6), [1.0] * 6)
    assert verdict.name == name
    assert verdict.ratio == pytest.approx(ratio)
    assert (verdict.low, verdict.high) == (pytest.approx(ratio), pytest.approx(ratio))
    assert f"{ratio:.2f}" in verdict.sentence


@given(st.floats(0.3, 8), st.floats(0.1, 1))
def test_implied_r_is_the_r_that_made_the_chain(r, p):
    verdict = judge(chain(report.ratio(r, p), 5), [1.0, 2.0, 4.0, 8.0, 16.0], p)
    assert verdict.r_implied == pytest.approx(r, rel=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_doublings_decide_nothing(n):
    verdict = judge(chain(0.5, n), [1.0] * n)
    assert verdict.name == "undecided"
    assert verdict.low is None
    assert (verdict.ratio is None) == (n < 2)


def test_scatter_wider_than_the_trend_is_undecided():
    verdict = judge([10.0, 30.0, 8.0, 25.0, 9.0], [1.0] * 5)
    assert verdict.name == "undecided"
    assert verdict.low < 1 < verdict.high


def test_doublings_that_came_together_share_their_time():
    apart = judge([16.0, 8.0, 4.0, 4.0, 2.0, 1.0], [1.0] * 6)
    together = judge([16.0, 8.0, 8.0, 0.0, 2.0, 1.0], [1.0] * 6)
    assert together == apart


def test_doublings_lost_in_the_rounding_of_the_clock_are_left_out():
    noise = [1e-9, 3e-9, 1e-9, 2e-9]
    assert judge([*chain(0.8, 5), *noise], [1.0] * 5 + [1e6] * 4).ratio == pytest.approx(0.8)
    assert judge([0.0, *chain(0.8, 5)], [1.0] * 6).ratio == pytest.approx(0.8)


def test_early_noisy_doublings_weigh_little():
    """A first doubling of two papers that took three times too long must not turn an explosion around."""
    papers = [2.0 * 1.5**i for i in range(10)]
    durations = chain(0.75, 10)
    durations[0] *= 3
    assert judge(durations, papers).name == "explosion"


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Papers that come at random: 95% intervals hold the true ratio in 95% of 2,000 histories, give or take 2%."""
    rng = np.random.default_rng(20)
    papers = [8.0 * 2**i for i in range(8)]
    covered = 0
    for _ in range(2000):
        durations = [rng.gamma(n) / n * days for n, days in zip(papers, chain(0.9, 8), strict=True)]
        verdict = judge(durations, papers)
        covered += verdict.low < 0.9 < verdict.high
    assert 0.93 < covered / 2000 < 0.97


def test_faster_than_any_finite_r():
    verdict = judge(chain(0.4, 5), [1.0] * 5)
    assert verdict.r_implied == math.inf
    assert "faster than any finite r" in verdict.sentence


def test_an_explosion_that_runs_into_a_limit_is_judged_up_to_its_fastest_doubling():
    r0, limit = 3.0, 16
    durations, duration = [], 30.0
    for n in range(14):
        durations.append(duration)
        duration *= report.ratio(r0 * (1 - (n + 0.5) / limit))
    verdict = judge(durations, [2.0**n for n in range(14)])
    assert verdict.name == "explosion"
    assert "up to doubling 12" in verdict.sentence  # r(n) crosses 1 between doublings 11 and 12


def test_chance_alone_seldom_looks_like_a_turn():
    """Exponential growth by Poisson papers: at most 1 in 100 histories is judged in two parts."""
    rng = np.random.default_rng(8)
    papers = [2.0 * 2**i for i in range(12)]
    turns = sum(
        "up to doubling" in judge([rng.gamma(n) / n * 60 for n in papers], papers).sentence for _ in range(1000)
    )
    assert turns <= 10
