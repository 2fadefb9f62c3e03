"""Test the coverage of intervals of r: 500 synthetic series of known r, each under a stated noise model.

The 90% interval must cover r in 85% to 95% of them. With 500 series the standard error at 90% is 1.3 points. One r
stands for all: each noise scales with r or shifts it, and so do its intervals.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from experiments.estimation.growth_fit import NOISES, Noise, Series, fit, trend_test

SERIES = 500
ROWS = 50
BEFORE = 5.0
Make = Callable[[Generator, float], Series]


def row_noise(rng: Generator, r: float) -> Series:
    total = BEFORE + np.arange(1, ROWS + 1)
    return Series(np.ones(ROWS), total**r * 2.0 ** rng.normal(0, 0.1, ROWS))


def lasting_noise(rng: Generator, r: float) -> Series:
    x = np.log2(BEFORE + np.arange(1, ROWS + 1))
    steps = np.diff(x) * (r + rng.normal(0, 0.5 * r, ROWS - 1))
    return Series(np.ones(ROWS), 2.0 ** np.append(0.0, np.cumsum(steps)))


def poisson_world(rng: Generator, r: float) -> Series:
    """A World's randomness: its software follows the law of papers exactly; papers come at random, 4 a row."""
    return Series(np.ones(ROWS), (BEFORE + np.cumsum(rng.poisson(4, ROWS)) / 4) ** r)


def covered(make: Make, r: float, noise: Noise, before: float | None, draws: int) -> float:
    held = 0
    for number in range(SERIES):
        found = fit(make(np.random.default_rng(number), r), noise, before, draws=draws, seed=number)
        low, high = found.interval(0.9)
        held += low <= r <= high
    return held / SERIES


@pytest.mark.parametrize(
    ("make", "noise", "before"),
    [
        (row_noise, "row", BEFORE),
        (lasting_noise, "lasting", BEFORE),
        (row_noise, "row", None),
        (lasting_noise, "lasting", None),
        (poisson_world, "lasting", None),
    ],
)
def test_fit_90_percent_interval_covers_r_in_90_percent_of_series(
    make: Make, noise: Noise, before: float | None
) -> None:
    assert 0.85 <= covered(make, 0.8, noise, before, 400) <= 0.95


def test_fit_with_row_noise_has_too_narrow_intervals_for_a_world() -> None:
    assert covered(poisson_world, 0.8, "row", BEFORE, 200) < 0.5


@pytest.mark.parametrize("noise", NOISES)
def test_trend_test_of_constant_r_has_its_stated_false_alarm_rate(noise: Noise) -> None:
    make = row_noise if noise == "row" else lasting_noise
    found = 0
    for number in range(SERIES):
        series = make(np.random.default_rng(number), 1.1)
        found += trend_test(series, fit(series, noise, BEFORE, draws=1), draws=199, seed=number).p_value <= 0.1
    assert 0.06 <= found / SERIES <= 0.14
