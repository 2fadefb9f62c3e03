"""Interval estimates against SciPy's own, where SciPy has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics.intervals import mean_interval, student_score, wilson


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40).filter(lambda values: np.std(values) > 1e-6))
def test_mean_interval_equals_the_t_interval_of_scipy(values):
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)
    assert found.low <= found.mean <= found.high


@given(st.integers(1, 10_000), st.data())
def test_wilson_of_whole_numbers_equals_the_interval_of_scipy(n, data):
    hits = data.draw(st.integers(0, n))
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_none_or_all_successes_ends_exactly_at_0_or_1():
    assert wilson(0.0, 7)[0] == 0.0
    assert wilson(1.0, 7)[1] == 1.0


def test_student_score_of_many_degrees_of_freedom_approaches_the_normal_score():
    assert student_score(1e9) == pytest.approx(stats.norm.ppf(0.975), rel=1e-6)
    assert student_score(1) > student_score(2) > student_score(100)
