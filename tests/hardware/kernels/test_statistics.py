"""Tests of speed-ups and their intervals: closed forms and coverage."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from hardware.kernels.problem import Shape
from hardware.kernels.statistics import Speedup, geomean, speedup, student_t_interval
from hardware.kernels.trace import Timing, geomean_over_shapes

SHAPE = Shape(1, 1, 8, 8, 8)


def test_speedup_is_the_median_of_ratios_in_its_interval():
    exact = speedup([(1.0, 2.0)] * 5)
    assert exact == pytest.approx((2.0, 2.0, 2.0))
    logs = np.random.default_rng(3).normal(np.log(1.5), 0.1, 201)
    found = speedup([(1.0, float(np.exp(each))) for each in logs])
    assert found.low < found.ratio < found.high
    assert found.ratio == pytest.approx(float(np.exp(np.median(logs))))
    assert found == speedup([(1.0, float(np.exp(each))) for each in logs])


def test_speedup_interval_has_its_coverage():
    chance = np.random.default_rng(4)
    held = 0
    for _ in range(200):
        logs = chance.normal(0.0, 0.1, 21)
        found = speedup([(1.0, float(np.exp(each))) for each in logs])
        held += found.low <= 1 <= found.high
    assert 180 <= held <= 199  # 95% of 200 is 190; the bootstrap of a median is a little off


def test_geomean_interval_is_narrower_than_each():
    one = Speedup(2.0, 1.8, 2.2)
    other = Speedup(0.5, 0.45, 0.55)
    found = geomean([one, other])
    assert found.ratio == pytest.approx(1.0)
    assert 0.9 < found.low < 1 < found.high < 1.1
    assert geomean([one]) == pytest.approx(one)


def pairs_of(logs):
    return tuple((1.0, float(np.exp(each))) for each in logs)


def test_speedup_with_rounds_has_students_interval_over_medians():
    logs = [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.3, 0.4, 0.5]
    found = speedup(pairs_of(logs), rounds=(3, 3, 3))
    expected = stats.t.interval(0.95, 2, loc=0.4, scale=stats.sem([0.2, 0.6, 0.4]))
    assert np.log(found.ratio) == pytest.approx(0.4)
    assert np.log([found.low, found.high]) == pytest.approx(expected)


def test_speedup_of_equal_rounds_has_zero_width():
    assert student_t_interval(np.array([0.5, 0.5, 0.5])) == pytest.approx([np.exp(0.5)] * 3)


def measured(chance, spread_between, rounds=5, shapes=3, pairs=4, within=0.03):
    """Simulate shapes that are timed in the same rounds; the true speed-up is 1."""
    process = chance.normal(0, spread_between, rounds)
    found = []
    for _ in range(shapes):
        logs = np.concatenate([chance.normal(each, within, pairs) for each in process])
        found.append(Timing(shape=SHAPE, held_out=True, calls=1, pairs=pairs_of(logs), rounds=(pairs,) * rounds))
    return found


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
def test_interval_over_shapes_has_its_coverage_with_process_effects(spread):
    chance = np.random.default_rng(5)
    results = [geomean_over_shapes(measured(chance, spread)) for _ in range(400)]
    held = sum(found.low <= 1 <= found.high for found in results)
    assert stats.binomtest(held, 400, 0.95).pvalue > 0.001
    assert sum(found.low > 1.02 for found in results) <= 4 + 400 * 0.025 * (spread > 0)


def test_interval_of_pooled_pairs_has_too_low_coverage():
    """The same pairs without rounds show why rounds are kept apart."""
    chance = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        logs = [speedup(each.pairs) for each in measured(chance, 0.03)]
        found = geomean(logs)
        held += found.low <= 1 <= found.high
    assert held < 170


def test_shapes_of_different_rounds_are_treated_as_independent():
    one, other = (Timing(shape=SHAPE, held_out=False, calls=1, pairs=((1.0, 2.0), (1.0, 2.2))) for _ in range(2))
    assert geomean_over_shapes([one, other]) == geomean([one.speedup, other.speedup])


def test_timing_with_a_zero_time_raises():
    with pytest.raises(ValidationError):
        Timing(shape=SHAPE, held_out=False, calls=1, pairs=((0.0, 1.0),))
