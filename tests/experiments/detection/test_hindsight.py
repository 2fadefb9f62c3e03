"""Segments of constant pace in readings of a run that is over, against series with known changes."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.detection.detectors import DetectorSettings, named_detectors
from experiments.detection.hindsight import PaceSegment, fast_in_hindsight, hindsight_row, pace_segments
from experiments.detection.runs import ReadRun, TimedReading, Truths
from experiments.detection.study import study
from experiments.detection.table import hindsight_sentence, show
from sim.scenario.model import Scenario
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
    """At the measured rate of 2.1% the probability of more than 10 in 200 is 0.4%."""
    generator = np.random.default_rng(7)
    steps = 0.1 + 0.3 * generator.standard_normal((200, 30))
    several = [len(pace_segments(DAYS[:31], np.append(0, np.cumsum(each)), 0.3)) > 1 for each in steps]
    assert sum(several) <= 10


@examples(60)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=25))
def test_segments_have_the_least_penalized_error_of_all_divisions(increments):
    """Compare the total with that of exhaustive dynamic programming, which is written apart from the code."""
    steps, noise = np.asarray(increments), 0.5
    penalty = 3 * noise**2 * math.log(len(steps))

    def cost(start, end):
        return float(((steps[start:end] - steps[start:end].mean()) ** 2).sum()) + penalty

    least = [0.0]
    for end in range(1, len(steps) + 1):
        least.append(min(least[start] + cost(start, end) for start in range(end)))
    there = pace_segments(np.arange(len(steps) + 1.0), np.append(0.0, np.cumsum(steps)), noise)
    assert sum(cost(int(each.start), int(each.end)) for each in there) == pytest.approx(least[-1], abs=1e-6)


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


def test_table_has_one_row_in_hindsight_below_the_detectors_of_each_scenario(capsys):
    """The row has the share of runs and the day; the sentence adds Wilson's interval and the true day."""
    scenarios = [
        Scenario.load(name).replace(regulator__reading_days=5.0, regulator__measured="discovered")
        for name in ("returns-3", "returns-0.7")
    ]
    detectors = named_detectors(["pace", "cusum"], DetectorSettings())
    found = study(scenarios, [0, 1], detectors, Truths(5.0, 182.5, 10.0, 730.0), 0.1, 0.5)
    show(found)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [at for at, words in enumerate(lines) if words[:2] == ["in", "hindsight"]]
    assert len(rows) == 2 and all("cusum" in lines[at - 1] for at in rows)
    for at, row in zip(rows, found.hindsight, strict=True):
        assert lines[at][2:4] == [f"{row.fast.share:.0%}", f"{row.day:.0f}"]
    assert "returns-3 2 of 2 (34% to 100%), day 30 (truth: day 0)" in hindsight_sentence(found)


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
