"""Test working hours: they set when work ends, not how much is done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.humans.working_time import end_of_work
from agents.params import HumansParams
from tests.support.properties import examples

OFFICE = HumansParams(hours_per_day=8.0, days_per_week=5)
weeks = st.builds(
    lambda hours, days: HumansParams(hours_per_day=hours, days_per_week=days), st.floats(0.5, 24), st.integers(1, 7)
)


def is_working(params: HumansParams, day: float) -> bool:
    """Return whether a moment is in the working hours, ends included."""
    rest = day % 7
    return (
        any(whole - 1e-6 <= rest <= whole + params.hours_per_day / 24 + 1e-6 for whole in range(params.days_per_week))
        or rest > 7 - 1e-6
    )


def test_work_around_the_clock_ends_after_its_duration():
    assert end_of_work(HumansParams(), 3.25, 1.5) == 4.75


def test_a_week_of_work_takes_a_week():
    assert end_of_work(OFFICE, 0.0, 7.0) == pytest.approx(4 + 8 / 24)
    assert end_of_work(OFFICE, 0.0, 14.0) == pytest.approx(11 + 8 / 24)


def test_work_that_begins_at_night_or_at_the_weekend_begins_in_the_morning():
    day_of_work = 7 / 5
    for begin in (8 / 24, 0.5, 0.999):
        assert end_of_work(OFFICE, begin, day_of_work / 2) == pytest.approx(1 + 4 / 24)
    assert end_of_work(OFFICE, 5.5, day_of_work) == pytest.approx(7 + 8 / 24)


@examples(200)
@given(weeks, st.floats(0, 1000), st.floats(0.001, 100), st.floats(0.001, 100))
def test_parts_of_work_end_when_the_whole_does(params, begin, first, second):
    whole = end_of_work(params, begin, first + second)
    assert end_of_work(params, end_of_work(params, begin, first), second) == pytest.approx(whole, abs=1e-6)
    assert begin - 1e-9 <= end_of_work(params, begin, first) <= whole
    assert is_working(params, whole)


@examples(200)
@given(weeks, st.floats(0, 1000), st.integers(1, 50))
def test_whole_weeks_of_work_take_as_many_weeks_from_any_working_moment(params, begin, weeks_of_work):
    begin = end_of_work(params, begin, 0.01)
    end = end_of_work(params, begin, 7.0 * weeks_of_work)
    assert end == pytest.approx(begin + 7 * weeks_of_work, abs=1e-6)
