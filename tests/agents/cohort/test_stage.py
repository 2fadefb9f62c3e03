"""Tests of a cohort stage: exact single steps, leaps of a stated share, and pauses that keep the time left."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cohort.stage import CohortStage
from tests.support.properties import examples
from tests.support.small_lab import SmallLab

MEAN = 365 / 12 * 0.8
"""Days of thinking about a paper."""


class Leaving:
    """A stage, and who left it when."""

    def __init__(self, lab: SmallLab, most: float = math.inf, back: bool = False) -> None:
        self.lab = lab
        self.left: list[tuple[float, int]] = []
        self.stage = CohortStage(lab.ports, "thinking", 1, self.through, lambda: most)
        self.back = back

    def through(self, count: int) -> None:
        self.left.append((self.lab.now, count))
        if self.back:
            self.stage.add_new(count)
        self.stage.schedule_next()

    def days(self) -> list[float]:
        return [day for day, _ in self.left]


def stage(
    seed: int = 0, leap_tolerance: float = 0.0, most: float = math.inf, back: bool = False, **changes: Any
) -> Leaving:
    return Leaving(SmallLab(seed, leap_tolerance=leap_tolerance, **changes), most, back)


def test_stage_without_leaps_has_exponential_order_statistics() -> None:
    """The k-th of n exponentials comes after 1/n + ... + 1/(n - k + 1) means: within 4.5 standard errors of 2,000."""
    n, times = 8, 2000
    days = np.empty((times, n))
    for seed in range(times):
        leaving = stage(seed)
        leaving.stage.add_new(n)
        leaving.lab.clock.advance(1e6)
        assert [count for _, count in leaving.left] == [1] * n
        days[seed] = leaving.days()
    gaps = np.arange(n, 0, -1)
    means, variances = np.cumsum(1 / gaps), np.cumsum(1 / gaps**2)
    assert np.all(np.abs(days.mean(0) / MEAN - means) < 4.5 * np.sqrt(variances / times))
    assert np.all(np.abs(days.var(0) / MEAN**2 / variances - 1) < 0.25)


def test_stage_of_one_draws_as_an_individual() -> None:
    from agents import work_model

    leaving = stage(seed=3, leap_tolerance=0.3)
    leaving.stage.add_new(1)
    leaving.lab.clock.advance(1e5)
    assert leaving.days() == [
        work_model.thinking_days(leaving.lab.settings.researcher, SmallLab(3).randomness.get("thinking", 1))
    ]


@pytest.mark.parametrize(
    ("error", "most", "size"), [(0.1, math.inf, 100), (0.1, 7, 7), (0.0, math.inf, 1), (1e-4, 9, 1)]
)
def test_stage_leap_has_the_stated_size(error: float, most: float, size: int) -> None:
    leaving = stage(leap_tolerance=error, most=most)
    leaving.stage.add_new(1000)
    while not leaving.left:
        leaving.lab.clock.step()
    assert leaving.left[0][1] == size
    assert leaving.stage.working == 1000 - size


def test_stage_leaps_shrink_with_the_number_left() -> None:
    leaving = stage(leap_tolerance=0.1)
    leaving.stage.add_new(1000)
    leaving.lab.clock.advance(1e6)
    left, there = [count for _, count in leaving.left], 1000
    for count in left:
        assert count == max(1, int(0.1 * there))
        there -= count
    assert there == leaving.stage.working == 0


@pytest.mark.parametrize("error", [0.0, 0.03, 0.3])
def test_stage_with_returns_has_the_right_rate_for_any_leap(error: float) -> None:
    """n researchers leave n times a mean: a Poisson number, within 4.5 standard deviations."""
    n, means = 300, 40
    leaving = stage(seed=2, leap_tolerance=error, back=True)
    leaving.stage.add_new(n)
    leaving.lab.clock.advance(means * MEAN)
    assert abs(sum(count for _, count in leaving.left) - n * means) < 4.5 * math.sqrt(n * means)


def test_stage_leap_comes_sooner_after_arrivals() -> None:
    """Half of the wait is over; with three times as many the other half takes a third as long."""
    leaving = stage(leap_tolerance=0.1)
    leaving.stage.add_new(100)
    (due,) = leaving.stage.due_days
    leaving.lab.clock.advance(due / 2)
    leaving.stage.add_new(200)
    leaving.lab.clock.advance(1e3)
    assert leaving.left[0] == (pytest.approx(due / 2 + due / 6), 10), "planned for 100, of whom 10 leave at once"


def test_stage_leap_shrinks_when_many_pause() -> None:
    """One in a hundred is left: they leave one by one, each at the rate at which it would have."""
    firsts = []
    for seed in range(400):
        leaving = stage(seed, leap_tolerance=0.1)
        leaving.stage.add_new(1000)
        leaving.stage.pause(990)
        leaving.lab.clock.advance(1e4)
        assert [count for _, count in leaving.left] == [1] * 10
        firsts.append(leaving.days()[0])
    assert np.mean(firsts) == pytest.approx(MEAN / 10, rel=0.1), "the first of ten exponentials, less its spread"


def test_stage_pause_keeps_the_time_left() -> None:
    leaving = stage(timing="whole")
    leaving.stage.add_new(5)
    leaving.lab.clock.advance(10.0)
    leaving.stage.pause(3)
    assert (leaving.stage.working, leaving.stage.paused) == (2, 3)
    leaving.lab.clock.advance(100.0)
    assert leaving.left == [(MEAN, 2)], "the alarm of those who rest is nobody's"
    leaving.stage.resume(1)
    leaving.lab.clock.advance(103.0)
    leaving.stage.resume(2)
    leaving.lab.clock.advance(200.0)
    assert leaving.left[1:] == [(pytest.approx(90 + MEAN), 1), (pytest.approx(93 + MEAN), 2)]
    assert (leaving.stage.working, leaving.stage.paused) == (0, 0)


def test_stage_pauses_and_resumes_latest_first() -> None:
    leaving = stage()
    for _ in range(3):
        leaving.stage.add_new(1)
    due = leaving.stage.due_days
    leaving.stage.pause(2)
    leaving.stage.resume(1)
    leaving.lab.clock.advance(1e5)
    assert sorted(leaving.days()) == pytest.approx(sorted(due[:2]))
    assert leaving.stage.paused == 1


def test_stage_pause_and_resume_in_one_instant_change_no_time() -> None:
    for count in (1, 40):
        calm, stirred = (stage(seed=5) for _ in range(2))
        for leaving in (calm, stirred):
            leaving.stage.add_new(count)
            leaving.lab.clock.advance(0.25)
        working = stirred.stage.working
        stirred.stage.pause(min(3, working))
        stirred.stage.resume(min(3, working))
        for leaving in (calm, stirred):
            leaving.lab.clock.advance(1e5)
        assert stirred.days() == pytest.approx(calm.days(), rel=1e-12)


def test_stage_with_equal_times_finishes_together() -> None:
    leaving = stage(timing="whole", leap_tolerance=0.1)
    leaving.stage.add_new(1000)
    leaving.lab.clock.advance(4.0)
    leaving.stage.add_new(1)
    leaving.lab.clock.advance(1e3)
    assert leaving.left == [(MEAN, 1000), (4.0 + MEAN, 1)]


def test_stage_start_over_restarts_work_and_keeps_pauses() -> None:
    leaving = stage(timing="whole")
    leaving.stage.add_new(4)
    leaving.lab.clock.advance(5.0)
    leaving.stage.add_new(3)
    leaving.stage.pause(2)
    leaving.stage.start_over()
    assert (leaving.stage.working, leaving.stage.paused) == (5, 2)
    leaving.lab.clock.advance(100.0)
    assert leaving.left == [(5.0 + MEAN, 5)]


def test_stage_adding_none_schedules_nothing() -> None:
    leaving = stage()
    leaving.stage.add_new(0)
    assert leaving.stage.working == 0
    assert leaving.lab.clock.peek() == math.inf


def test_stage_work_of_no_time_finishes_in_the_instant() -> None:
    lab = SmallLab(writing_share=0.0)
    left: list[int] = []
    writing = CohortStage(lab.ports, "writing", 1, left.append, lambda: math.inf)
    writing.add_new(50)
    assert left == [], "in an event of its own"
    lab.clock.advance(0.0)
    assert left == [50]


def test_stage_add_partial_keeps_the_time_left() -> None:
    leaving = stage()
    leaving.stage.add_partial(2.5)
    leaving.lab.clock.advance(10.0)
    assert leaving.left == [(2.5, 1)]


STEP = st.tuples(st.sampled_from(["join", "rest", "wake", "add_partial", "start_over", "advance"]), st.integers(1, 40))


@examples(150)
@given(st.lists(STEP, max_size=30), st.sampled_from([0.0, 0.03, 0.4]), st.sampled_from(["poisson", "whole"]))
def test_stage_keeps_all_researchers(steps: list[tuple[str, int]], error: float, timing: str) -> None:
    leaving = stage(leap_tolerance=error, timing=timing)
    there = leaving.stage
    working = pausing = 0
    for name, number in steps:
        before = sum(count for _, count in leaving.left)
        if name == "join":
            there.add_new(number)
            working += number
        elif name == "rest":
            there.pause(min(number, working))
            working, pausing = working - min(number, working), pausing + min(number, working)
        elif name == "wake":
            there.resume(min(number, pausing))
            working, pausing = working + min(number, pausing), pausing - min(number, pausing)
        elif name == "add_partial":
            there.add_partial(float(number))
            working += 1
        elif name == "start_over":
            there.start_over()
        elif name == "advance":
            leaving.lab.clock.advance(leaving.lab.now + number)
            working -= sum(count for _, count in leaving.left) - before
        assert (there.working, there.paused) == (working, pausing)
        assert there.merged >= 0
    there.resume(pausing)
    leaving.lab.clock.advance(1e6)
    assert (there.working, there.paused) == (0, 0)


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("rests", [False, True])
def test_stage_stretch_scales_the_time_left(size: int, rests: bool) -> None:
    """The next to leave would have done so after d days; stretched threefold after a moment t it does at t + 3 (d - t).

    One alone, and one leap of many; those who rest as well, once they go on.
    """
    plain, stretched = (stage(seed=5, leap_tolerance=0.1) for _ in range(2))
    for leaving in (plain, stretched):
        leaving.stage.add_new(size)
        leaving.lab.clock.advance(0.01)
        if rests:
            leaving.stage.pause(size)
    stretched.stage.stretch(3.0)
    for leaving in (plain, stretched):
        if rests:
            leaving.stage.resume(size)
        while not leaving.left:
            leaving.lab.clock.step()
    if size == 1 or not rests:  # those who were merged draw again when they go on
        assert stretched.days()[0] - 0.01 == pytest.approx(3 * (plain.days()[0] - 0.01))
    assert stretched.left[0][1] == plain.left[0][1]
