"""Segments of constant pace in readings of a run that is over, against series with known changes."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.detection.hindsight import PaceSegment, fast_in_hindsight, hindsight_row, pace_segments
from experiments.detection.runs import ReadRun, TimedReading
from tests.support.properties import examples

DAYS = 10.0 * np.arange(41)
"""Days of 40 increments."""
SLOW, FAST = 0.01, 0.05
"""Paces before and after a change [doublings/day]."""


def software(*paces: tuple[float, int]) -> np.ndarray:
    """Return software at each reading that has each pace for a number of increments."""
    increments = np.concatenate([np.full(number, 10.0 * pace) for pace, number in paces])
    return np.append(0.0, np.cumsum(increments))


def test_changes_of_exact_readings_are_dated_to_the_day():
    there = pace_segments(DAYS, software((SLOW, 20), (FAST, 12), (SLOW, 8)), 0.1)
    assert [(each.start, each.end) for each in there] == [(0, 200), (200, 320), (320, 400)]
    assert [each.pace for each in there] == pytest.approx([SLOW, FAST, SLOW])
    assert fast_in_hindsight(there, FAST) == 200
    assert fast_in_hindsight(there, FAST * 1.01) == math.inf


def test_series_without_a_change_has_one_segment_in_95_percent():
    """At the true rate of 2.7% the probability of more than 14 in 200 is 0.05%."""
    generator = np.random.default_rng(7)
    steps = 0.1 + 0.3 * generator.standard_normal((200, 30))
    several = [len(pace_segments(DAYS[:31], np.append(0, np.cumsum(each)), 0.3)) > 1 for each in steps]
    assert sum(several) <= 14


def test_change_under_noise_is_dated_within_three_readings_in_99_percent():
    """A step of 3 standard deviations: 200 series, of which at least 195 are dated within 3 readings."""
    generator = np.random.default_rng(8)
    noise = 10 * (FAST - SLOW) / 3
    dates = [
        fast_in_hindsight(
            pace_segments(DAYS, software((SLOW, 25), (FAST, 15)) + np.append(0, np.cumsum(each)), noise), 0.03
        )
        for each in noise * generator.standard_normal((200, 40))
    ]
    assert sum(abs(each - 250) <= 30 for each in dates) >= 195


@examples(40)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 4.0]), min_size=1, max_size=30),
    st.integers(-100, 100),
    st.integers(-100, 100),
)
def test_segments_cover_the_readings_and_depend_on_differences_only(increments, day, level):
    levels = np.append(0.0, np.cumsum(increments))
    days = 2.0 * np.arange(len(levels))
    there = pace_segments(days, levels, 0.25)
    assert (there[0].start, there[-1].end) == (0, days[-1])
    assert all(one.end == two.start for one, two in pairwise(there))
    assert sum((each.end - each.start) * each.pace for each in there) == pytest.approx(levels[-1])
    moved = pace_segments(days + day, levels + level, 0.25)
    assert moved == tuple(PaceSegment(each.start + day, each.end + day, each.pace) for each in there)


def test_row_has_the_runs_that_are_fast_and_the_truth():
    readings = [
        tuple(TimedReading(day, day, level) for day, level in zip(DAYS, levels, strict=True))
        for levels in (software((SLOW, 20), (FAST, 20)), software((SLOW, 40)), software((SLOW, 30), (FAST, 10)))
    ]
    truths = (205.0, math.inf, 296.0)
    runs = [
        ReadRun("lab", seed, each, truth, False, "fizzle", math.inf, 400.0)
        for seed, (each, truth) in enumerate(zip(readings, truths, strict=True))
    ]
    row = hindsight_row("lab", runs, FAST, 0.1)
    assert (row.fast.number, row.fast.of, row.day, row.true_day) == (2, 3, 300, 296)


@pytest.mark.parametrize(
    ("days", "levels", "noise", "message"),
    [
        ([0.0], [0.0], 0.1, "are too few for a pace; allowed: 2 or more"),
        ([0.0, 1.0], [0.0, 1.0], 0.0, "allowed: above 0. Use 0.1 for exact readings"),
        ([0.0, 1.0, 3.0], [0.0, 1.0, 2.0], 0.1, "days = 1 to 2 between two readings; allowed: one distance above 0"),
        ([0.0, 0.0], [0.0, 1.0], 0.1, "days = 0 to 0 between two readings"),
    ],
)
def test_series_that_cannot_be_divided_is_refused(days, levels, noise, message):
    with pytest.raises(ValueError, match=message):
        pace_segments(days, levels, noise)
