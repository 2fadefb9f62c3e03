"""Test the pace of a run against chains of doublings with known dynamics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.pace import pace_of
from tests.oracles import report


def chain(ratio: float, n: int, first: float = 30.0) -> list[float]:
    return [first * ratio**i for i in range(n)]


def gamma_history(rng: np.random.Generator, papers: list[float], durations: list[float]) -> list[float]:
    """Return doublings with papers at random times: n papers take Gamma(n)/n of their mean time."""
    return [rng.gamma(n) / n * days for n, days in zip(papers, durations, strict=True)]


# --- exact chains ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (0.75, "speeding up"),
        (0.949, "speeding up"),
        (0.951, "exponential"),
        (1.0, "exponential"),
        (1.049, "exponential"),
        (1.051, "slowing down"),
        (1.35, "slowing down"),
    ],
)
def test_pace_of_an_exact_chain_is_named_by_its_ratio(ratio, name):
    """Also pins the 5% around 1 within which growth is called exponential."""
    pace = pace_of(chain(ratio, 8), [1.0] * 8)
    assert pace.name == name
    assert (pace.ratio, pace.low, pace.high) == (pytest.approx(ratio), pytest.approx(ratio), pytest.approx(ratio))
    assert (pace.first, pace.last) == (1, 8)


def test_pace_with_an_interval_just_below_1_is_named_by_its_ratio():
    """An interval outside the 5% on one side and 0.02% from 1 on the other is not exponential and not undecided."""
    durations = [30.0, 26.5, 27.5, 28.0, 24.0]
    pace = pace_of(durations, [1e9] * 5)
    scale = -math.log(pace.high) - 2e-4  # tilts the line until its interval ends 0.02% below 1
    tilted = [days * math.exp(scale * n) for n, days in enumerate(durations)]
    pace = pace_of(tilted, [1e9] * 5)
    assert 1 - pace.high == pytest.approx(2e-4, rel=0.01)
    assert pace.low < 0.95
    assert pace.name == "speeding up"


def test_pace_sentence_near_1_has_three_digits_and_says_exponential():
    durations = [30 * 1.0217**n * (1.01 if n % 2 else 0.99) for n in range(9)]
    pace = pace_of(durations, [256.0 * 2**n for n in range(9)])
    assert pace.name == "exponential"
    assert pace.low > 1
    digits = f"each doubling took {pace.ratio:.3f} times as long as the one before ({pace.low:.3f} to {pace.high:.3f})"
    assert digits in pace.sentence
    assert "doublings 1 to 9" in pace.sentence


@given(st.floats(0.3, 8), st.floats(0.1, 1))
def test_pace_implied_r_equals_that_of_the_chain(r, p):
    pace = pace_of(chain(report.ratio(r, p), 5), [1.0, 2.0, 4.0, 8.0, 16.0], p)
    assert pace.r_implied == pytest.approx(r, rel=1e-6)


@given(st.floats(0.5, 8), st.floats(0.2, 1))
def test_pace_implied_r_of_effort_equals_that_of_the_chain(r, p):
    pace = pace_of(chain(2 ** (1 / r - p), 5), [1.0] * 5, p, returns_to="effort")
    assert pace.r_implied == pytest.approx(r, rel=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_pace_of_fewer_than_three_doublings_is_undecided(n):
    pace = pace_of(chain(0.5, n), [1.0] * n)
    assert pace.name == "undecided"
    assert pace.low is None
    assert (pace.ratio is None) == (n < 2)
    assert f"{n} doubling{'s are' if n != 1 else ' is'} too few; a pace needs 3" in pace.sentence


def test_pace_of_three_doublings_is_decided():
    assert pace_of(chain(0.5, 3), [1.0] * 3).name == "speeding up"


def test_pace_with_scatter_larger_than_the_trend_is_undecided():
    pace = pace_of([10.0, 30.0, 8.0, 25.0, 9.0], [1.0] * 5)
    assert pace.name == "undecided"
    assert pace.low < 1 < pace.high


def test_pace_of_simultaneous_doublings_divides_their_time():
    apart = pace_of([16.0, 8.0, 4.0, 4.0, 2.0, 1.0], [1.0] * 6)
    together = pace_of([16.0, 8.0, 8.0, 0.0, 2.0, 1.0], [1.0] * 6)
    assert together == apart


def test_pace_omits_doublings_below_clock_resolution():
    noise = [1e-9, 3e-9, 1e-9, 2e-9]
    assert pace_of([*chain(0.8, 5), *noise], [1.0] * 5 + [1e6] * 4).ratio == pytest.approx(0.8)
    assert pace_of([0.0, *chain(0.8, 5)], [1.0] * 6).ratio == pytest.approx(0.8)


def test_pace_below_ratio_one_half_implies_infinite_r():
    pace = pace_of(chain(0.4, 5), [1.0] * 5)
    assert pace.r_implied == math.inf
    assert "faster than any finite r" in pace.sentence


# --- the last part ---------------------------------------------------------------------------------------

PAPERS = [256.0 * 1.64**n for n in range(18)]


def test_pace_keeps_all_doublings_despite_a_short_third():
    """18 doublings that slow down, of which the third was half a day shorter than the first."""
    durations = [
        31.3,
        32.2,
        30.8,
        32.9,
        33.2,
        35.2,
        35.4,
        36.5,
        37.0,
        38.3,
        39.0,
        40.1,
        41.1,
        42.1,
        43.4,
        44.5,
        45.8,
        47,
    ]
    pace = pace_of(durations, PAPERS)
    assert pace.low > 1
    assert 1.02 < pace.ratio < 1.035
    assert pace.first <= 3 and pace.last == 18


@pytest.mark.parametrize("factor", [0.4, 2.5, 10.0])
def test_pace_omits_a_prefix_of_another_ratio(factor):
    """Five start-up doublings that were shorter or longer than the law of the later ones."""
    later = chain(1.1, 9)
    pace = pace_of([days * factor for days in chain(1.0, 5)] + later, PAPERS[:14])
    assert pace.first == 6
    assert pace.name == "slowing down"
    assert pace.ratio == pytest.approx(1.1, rel=0.005)


def test_pace_of_rising_then_falling_durations_is_speeding_up():
    """`lab` with gain 1.41 slowed down for four doublings, then sped up."""
    durations = [38.0, 52, 65, 78, 75, 66.5, 58, 50.5, 43.5]
    pace = pace_of(durations, PAPERS[:9])
    assert pace.name == "speeding up"
    assert pace.first in (4, 5)


def test_pace_of_falling_then_rising_durations_is_slowing_down():
    durations = [60.0, 50, 40, 33, 27, 31, 36, 41, 47, 55]
    pace = pace_of(durations, PAPERS[:10])
    assert pace.name == "slowing down"
    assert pace.first == 5


def test_pace_of_an_s_curve_is_rarely_speeding_up():
    """r falls from 1.2 to 0 over 20 doublings, N = 64; at most 1% of 500 histories speed up at the end.

    The expected share is 0; 1% allows for 5 by chance.
    """
    rng = np.random.default_rng(4)
    papers, durations, team, days = [], [], 64.0, 30.0
    for n in range(19):
        r = 1.2 * (1 - (n + 0.5) / 20)
        papers.append(team)
        durations.append(days)
        team, days = team * 2 ** min(1 / r, 30), days * 2 ** min(1 / r - 1, 30)
    names = [pace_of(gamma_history(rng, papers, durations), papers).name for _ in range(500)]
    assert names.count("speeding up") <= 5
    assert names.count("slowing down") >= 490


def test_pace_weights_with_large_scatter_include_early_doublings():
    """Queues scatter durations by 10% while late doublings have 1e6 papers.

    With weights from papers alone, the last two of these doublings would decide and give 0.9.
    """
    durations = [30.0, 33, 30, 33, 30, 33, 30, 27]
    pace = pace_of(durations, [10.0**n for n in range(1, 9)])
    assert pace.low < 1 < pace.high
    assert pace.ratio == pytest.approx(1.0, abs=0.03)


# --- the open doubling -----------------------------------------------------------------------------------


def test_pace_with_a_long_open_doubling_is_slowing_down():
    """Doubling 12 took 24 times the fastest and doubling 13 is open for longer."""
    speeding = chain(0.85, 9)
    closed = pace_of(speeding, PAPERS[:9])
    opened = pace_of(speeding, PAPERS[:9], open_days=24 * min(speeding))
    assert closed.name == "speeding up"
    assert opened.name == "slowing down"
    assert (opened.first, opened.last, opened.high) == (9, 10, math.inf)
    assert opened.low > 1
    assert "doubling 10 has been open for" in opened.sentence


def test_pace_with_a_short_open_doubling_is_unchanged():
    durations = chain(0.85, 9)
    expected = 30 * 0.85**9
    assert pace_of(durations, PAPERS[:9], open_days=0.99 * expected) == pace_of(durations, PAPERS[:9])


def test_pace_with_an_open_doubling_beyond_the_line_counts_its_days():
    rng = np.random.default_rng(2)
    papers = [64.0] * 9
    durations = gamma_history(rng, papers, chain(0.9, 9))
    expected = 30 * 0.9**9
    opened = pace_of(durations, papers, open_days=1.3 * expected)
    counted = pace_of([*durations, 1.3 * expected], [*papers, 64.0])
    assert opened == counted
    assert opened.ratio > pace_of(durations, papers).ratio


# --- calibration in the toy ------------------------------------------------------------------------------


def shares(r: float, first_papers: float, n: int, histories: int = 400) -> dict[str, float]:
    """Return the shares of the names over histories of the toy model, in which only the times of papers are random."""
    rng = np.random.default_rng(1)
    growth = 2 ** (1 / r)
    papers = [float(max(1, round(first_papers * growth**i))) for i in range(n)]
    durations = chain(report.ratio(r), n)
    names = [pace_of(gamma_history(rng, papers, durations), papers).name for _ in range(histories)]
    return {name: names.count(name) / histories for name in ("speeding up", "exponential", "slowing down", "undecided")}


@pytest.mark.parametrize(
    ("r", "papers", "n", "speeding", "slowing"),
    [
        (1.0, 32, 6, (0, 0.05), (0, 0.05)),
        (1.0, 2, 9, (0, 0.05), (0, 0.06)),
        (1.0, 4096, 9, (0, 0), (0, 0)),
        (0.9, 32, 6, (0, 0), (0.85, 1)),
        (0.9, 8, 9, (0, 0), (0.99, 1)),
        (1.1, 32, 6, (0.5, 0.7), (0, 0.01)),
        (1.1, 32, 9, (0.99, 1), (0, 0)),
    ],
)
def test_pace_error_rates_in_the_toy_model_are_as_stated(r, papers, n, speeding, slowing):
    """The nominal error rate is 2.5% a side at r = 1; bounds are three standard errors away."""
    found = shares(r, papers, n)
    assert speeding[0] <= found["speeding up"] <= speeding[1]
    assert slowing[0] <= found["slowing down"] <= slowing[1]


def test_pace_interval_has_its_nominal_coverage():
    """95% intervals hold the true ratio in 95% of 1,500 histories, give or take 2%."""
    rng = np.random.default_rng(20)
    papers = [8.0 * 2**i for i in range(8)]
    covered = 0
    for _ in range(1500):
        pace = pace_of(gamma_history(rng, papers, chain(0.9, 8)), papers)
        covered += pace.low < 0.9 < pace.high
    assert 0.93 < covered / 1500 < 0.97


def test_pace_of_a_pure_law_uses_all_doublings():
    """The 99% prediction interval cuts a history by chance in about 1% of the steps back: under 7% of histories."""
    rng = np.random.default_rng(8)
    papers = [16.0 * 2**i for i in range(12)]
    whole = sum(pace_of(gamma_history(rng, papers, chain(1.0, 12)), papers).first == 1 for _ in range(500))
    assert whole >= 465
