"""Test fits of the law of returns to series of known law, against formulas that are written here independently."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.estimation.growth_fit import NOISES, Noise, Series, fit, lag1_autocorrelation, residuals, trend_test
from experiments.estimation.scoring_rules import coverage, crps
from tests.support.properties import examples


def law(r: float, before: float, rows: int, noise: Any = 0.0) -> Series:
    total = np.arange(1.0, rows + 1)
    return Series(np.ones(rows), (before + total) ** r * 2.0 ** (noise * np.ones(rows)))


def noisy(seed: int, rows: int = 40, r: float = 1.2) -> Series:
    rng = np.random.default_rng(seed)
    effort = rng.uniform(0.2, 3, rows)
    return Series(effort, np.cumsum(effort) ** r * 2.0 ** rng.normal(0, 0.2, rows))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("r", [0.3, 1.0, 2.5])
def test_fit_without_noise_recovers_r_exactly(noise: Noise, r: float) -> None:
    found = fit(law(r, 7.0, 30), noise, 7.0, draws=50)
    assert found.r == pytest.approx(r, abs=1e-9)
    assert found.interval(0.9) == pytest.approx((r, r), abs=1e-6)
    assert residuals(law(r, 7.0, 30), found) == pytest.approx(np.zeros(30), abs=1e-9)


@pytest.mark.parametrize("noise", NOISES)
def test_fit_finds_initial_effort_to_the_grid(noise: Noise) -> None:
    before = 40 * 2.0**-3
    found = fit(law(0.8, before, 40), noise, None, draws=50)
    assert (found.r, found.before) == pytest.approx((0.8, before))
    assert found.before_found and found.unbent == 0.0


def test_fit_with_row_noise_equals_least_squares_of_logarithms() -> None:
    series = noisy(1)
    slope, level = np.polyfit(np.log2(np.cumsum(series.effort)), np.log2(series.performance), 1)
    found = fit(series, "row", 0.0, draws=50)
    assert (found.r, found.level) == pytest.approx((slope, level))


def test_fit_with_lasting_noise_equals_the_effort_weighted_mean_slope() -> None:
    series = noisy(2)
    total = 3.0 + np.cumsum(series.effort)
    weighed, weights = 0.0, 0.0
    for row in range(1, len(total)):
        slope = math.log(series.performance[row] / series.performance[row - 1]) / math.log(total[row] / total[row - 1])
        weighed, weights = weighed + series.effort[row] * slope, weights + series.effort[row]
    assert fit(series, "lasting", 3.0, draws=50).r == pytest.approx(weighed / weights)


def test_fit_with_lasting_noise_merges_rows_without_effort() -> None:
    series = law(0.9, 0.0, 20)
    doubled = Series(np.insert(series.effort, 10, 0.0), np.insert(series.performance, 9, 123.0))
    assert fit(doubled, "lasting", 0.0, draws=50).r == pytest.approx(0.9)


@given(unit=st.floats(1e-6, 1e9), worth=st.floats(1e-6, 1e9), noise=st.sampled_from(NOISES), found=st.booleans())
@examples(30)
def test_fit_does_not_depend_on_units(unit: float, worth: float, noise: Noise, found: bool) -> None:
    series = noisy(3)
    other = Series(series.effort * unit, series.performance * worth)
    before = None if found else 2.0
    one = fit(series, noise, before, draws=50)
    same = fit(other, noise, None if before is None else before * unit, draws=50)
    assert same.r == pytest.approx(one.r, rel=1e-6)
    assert same.before == pytest.approx(one.before * unit, rel=1e-9)


def test_fit_draws_depend_on_the_seed_only() -> None:
    one, same, other = (fit(noisy(4), seed=seed, draws=200) for seed in (1, 1, 2))
    assert np.array_equal(one.draws, same.draws)
    assert not np.array_equal(one.draws, other.draws)


def test_fit_intervals_are_nested_and_contain_their_share_of_draws() -> None:
    found = fit(noisy(5), draws=1000)
    for share in (0.5, 0.8, 0.95):
        low, high = found.interval(share)
        assert np.mean((found.draws >= low) & (found.draws <= high)) == pytest.approx(share, abs=0.005)
    assert found.interval(0.95)[0] < found.interval(0.5)[0] < found.r < found.interval(0.5)[1] < found.interval(0.95)[1]


@pytest.mark.parametrize("noise", NOISES)
def test_trend_test_detects_falling_r_only(noise: Noise) -> None:
    rng = np.random.default_rng(6)
    x = np.log2(np.arange(1.0, 61))
    errors = rng.normal(0, 0.05, 60)
    straight = Series(np.ones(60), 2.0 ** (1.2 * x + errors * 0.2))
    bent = Series(np.ones(60), 2.0 ** (1.5 * x - 0.1 * x**2 + errors * 0.2))
    assert trend_test(straight, fit(straight, noise), draws=400).p_value > 0.1
    found = trend_test(bent, fit(bent, noise), draws=400)
    assert found.p_value < 0.05
    assert found.change == pytest.approx(-0.2, abs=0.06)


def test_lag1_autocorrelation_detects_correlated_residuals() -> None:
    rng = np.random.default_rng(7)
    assert lag1_autocorrelation(np.cumsum(rng.normal(size=80)))[1]
    assert not lag1_autocorrelation(rng.normal(size=80))[1]


@pytest.mark.parametrize(
    "series",
    [
        law(1.0, 0.0, 4),
        Series(np.array([0.0, 1, 1, 1, 1, 1]), np.arange(1.0, 7)),
        Series(np.ones(6), np.array([1.0, 2, 0, 3, 4, 5])),
        Series(np.array([1.0, -1, 1, 1, 1, 1]), np.arange(1.0, 7)),
        Series(np.array([1.0, 0, 0, 0, 0, 1]), np.arange(1.0, 7)),
    ],
)
def test_fit_of_an_invalid_series_raises(series: Series) -> None:
    with pytest.raises(ValueError, match=r"rows with effort|above 0|no effort"):
        fit(series)


def test_crps_of_a_normal_ensemble_equals_the_closed_form() -> None:
    from scipy.stats import norm

    came = np.array([-1.0, 0.0, 2.5])
    members = np.repeat(norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None], 3, axis=1)
    closed = came * (2 * norm.cdf(came) - 1) + 2 * norm.pdf(came) - 1 / math.sqrt(math.pi)
    assert crps(members, came) == pytest.approx(closed, abs=1e-3)
    assert crps(np.array([[1.0]]), np.array([4.0])) == pytest.approx([3.0])


@pytest.mark.parametrize("members", [[0.0, 2.0], [1.0, -2.0, 4.5], [3.0, 3.0, 0.0, 1.0]])
def test_crps_of_a_small_ensemble_equals_the_mean_over_pairs(members: list[float]) -> None:
    size = len(members)
    spread = sum(abs(one - other) for one in members for other in members) / size**2
    for came in (-1.0, 0.5, 3.0):
        expected = sum(abs(member - came) for member in members) / size - spread / 2
        assert crps(np.array(members)[:, None], np.array([came])) == pytest.approx([expected], rel=1e-12)


def test_crps_of_two_members_equals_the_value_by_hand() -> None:
    assert crps(np.array([[0.0], [2.0]]), np.array([1.0])) == pytest.approx([0.5])


def test_coverage_counts_values_within_the_interval() -> None:
    members = np.repeat(np.linspace(0, 1, 101)[:, None], 4, axis=1)
    assert coverage(members, np.array([0.05, 0.2, 0.5, 0.99]), 0.8) == 0.5
