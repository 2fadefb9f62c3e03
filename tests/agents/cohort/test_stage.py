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


class RecordedStage:
    """A stage, and the times and numbers of the researchers that left it."""

    def __init__(self, lab: SmallLab, most: float = math.inf, returns: bool = False) -> None:
        self.lab = lab
        self.left: list[tuple[float, int]] = []
        self.stage = CohortStage(lab.ports, "thinking", 1, self.on_done, lambda: most)
        self.returns = returns

    def on_done(self, count: int) -> None:
        self.left.append((self.lab.now, count))
        if self.returns:
            self.stage.add_new(count)
        self.stage.schedule_next()

    def days(self) -> list[float]:
        return [day for day, _ in self.left]


def stage(
    seed: int = 0, leap_tolerance: float = 0.0, most: float = math.inf, returns: bool = False, **changes: Any
) -> RecordedStage:
    return RecordedStage(SmallLab(seed, leap_tolerance=leap_tolerance, **changes), most, returns)


def test_stage_without_leaps_has_exponential_order_statistics() -> None:
    """The k-th of n exponentials comes after 1/n + ... + 1/(n - k + 1) means: within 4.5 standard errors of 2,000."""
    n, times = 8, 2000
    days = np.empty((times, n))
    for seed in range(times):
        recorded = stage(seed)
        recorded.stage.add_new(n)
        recorded.lab.clock.advance(1e6)
        assert [count for _, count in recorded.left] == [1] * n
        days[seed] = recorded.days()
    gaps = np.arange(n, 0, -1)
    means, variances = np.cumsum(1 / gaps), np.cumsum(1 / gaps**2)
    assert np.all(np.abs(days.mean(0) / MEAN - means) < 4.5 * np.sqrt(variances / times))
    assert np.all(np.abs(days.var(0) / MEAN**2 / variances - 1) < 0.25)


def test_stage_of_one_draws_as_an_individual() -> None:
    from agents import work_model

    recorded = stage(seed=3, leap_tolerance=0.3)
    recorded.stage.add_new(1)
    recorded.lab.clock.advance(1e5)
    assert recorded.days() == [
        work_model.thinking_days(recorded.lab.settings.researcher, SmallLab(3).randomness.get("thinking", 1))
    ]


@pytest.mark.parametrize(
    ("error", "most", "size"), [(0.1, math.inf, 100), (0.1, 7, 7), (0.0, math.inf, 1), (1e-4, 9, 1)]
)
def test_stage_leap_has_the_stated_size(error: float, most: float, size: int) -> None:
    recorded = stage(leap_tolerance=error, most=most)
    recorded.stage.add_new(1000)
    while not recorded.left:
        recorded.lab.clock.step()
    assert recorded.left[0][1] == size
    assert recorded.stage.working == 1000 - size


def test_stage_leaps_shrink_with_the_number_left() -> None:
    recorded = stage(leap_tolerance=0.1)
    recorded.stage.add_new(1000)
    recorded.lab.clock.advance(1e6)
    left, there = [count for _, count in recorded.left], 1000
    for count in left:
        assert count == max(1, int(0.1 * there))
        there -= count
    assert there == recorded.stage.working == 0


@pytest.mark.parametrize("error", [0.0, 0.03, 0.3])
def test_stage_with_returns_has_the_right_rate_for_any_leap(error: float) -> None:
    """The number of completions of n researchers is Poisson, within 4.5 standard deviations."""
    n, means = 300, 40
    recorded = stage(seed=2, leap_tolerance=error, returns=True)
    recorded.stage.add_new(n)
    recorded.lab.clock.advance(means * MEAN)
    assert abs(sum(count for _, count in recorded.left) - n * means) < 4.5 * math.sqrt(n * means)


def test_stage_leap_comes_sooner_after_arrivals() -> None:
    """Half of the wait is over; with three times as many researchers the other half takes a third of the time."""
    recorded = stage(leap_tolerance=0.1)
    recorded.stage.add_new(100)
    (due,) = recorded.stage.due_days
    recorded.lab.clock.advance(due / 2)
    recorded.stage.add_new(200)
    recorded.lab.clock.advance(1e3)
    assert recorded.left[0] == (pytest.approx(due / 2 + due / 6), 10), "planned for 100, of which 10 leave at once"


def test_stage_leap_shrinks_when_many_pause() -> None:
    """One in a hundred still works: they finish one by one, each at its own rate."""
    firsts = []
    for seed in range(400):
        recorded = stage(seed, leap_tolerance=0.1)
        recorded.stage.add_new(1000)
        recorded.stage.pause(990)
        recorded.lab.clock.advance(1e4)
        assert [count for _, count in recorded.left] == [1] * 10
        firsts.append(recorded.days()[0])
    assert np.mean(firsts) == pytest.approx(MEAN / 10, rel=0.1), "the first of ten exponentials, less its spread"


def test_stage_pause_keeps_remaining_time() -> None:
    recorded = stage(timing="whole")
    recorded.stage.add_new(5)
    recorded.lab.clock.advance(10.0)
    recorded.stage.pause(3)
    assert (recorded.stage.working, recorded.stage.paused) == (2, 3)
    recorded.lab.clock.advance(100.0)
    assert recorded.left == [(MEAN, 2)], "paused researchers do not finish"
    recorded.stage.resume(1)
    recorded.lab.clock.advance(103.0)
    recorded.stage.resume(2)
    recorded.lab.clock.advance(200.0)
    assert recorded.left[1:] == [(pytest.approx(90 + MEAN), 1), (pytest.approx(93 + MEAN), 2)]
    assert (recorded.stage.working, recorded.stage.paused) == (0, 0)


def test_stage_pauses_and_resumes_latest_first() -> None:
    recorded = stage()
    for _ in range(3):
        recorded.stage.add_new(1)
    due = recorded.stage.due_days
    recorded.stage.pause(2)
    recorded.stage.resume(1)
    recorded.lab.clock.advance(1e5)
    assert sorted(recorded.days()) == pytest.approx(sorted(due[:2]))
    assert recorded.stage.paused == 1


def test_stage_pause_and_resume_in_one_instant_change_no_time() -> None:
    for count in (1, 40):
        calm, stirred = (stage(seed=5) for _ in range(2))
        for recorded in (calm, stirred):
            recorded.stage.add_new(count)
            recorded.lab.clock.advance(0.25)
        working = stirred.stage.working
        stirred.stage.pause(min(3, working))
        stirred.stage.resume(min(3, working))
        for recorded in (calm, stirred):
            recorded.lab.clock.advance(1e5)
        assert stirred.days() == pytest.approx(calm.days(), rel=1e-12)


def test_stage_with_equal_times_finishes_together() -> None:
    recorded = stage(timing="whole", leap_tolerance=0.1)
    recorded.stage.add_new(1000)
    recorded.lab.clock.advance(4.0)
    recorded.stage.add_new(1)
    recorded.lab.clock.advance(1e3)
    assert recorded.left == [(MEAN, 1000), (4.0 + MEAN, 1)]


def test_stage_start_over_restarts_work_and_keeps_pauses() -> None:
    recorded = stage(timing="whole")
    recorded.stage.add_new(4)
    recorded.lab.clock.advance(5.0)
    recorded.stage.add_new(3)
    recorded.stage.pause(2)
    recorded.stage.start_over()
    assert (recorded.stage.working, recorded.stage.paused) == (5, 2)
    recorded.lab.clock.advance(100.0)
    assert recorded.left == [(5.0 + MEAN, 5)]


def test_stage_adding_none_schedules_nothing() -> None:
    recorded = stage()
    recorded.stage.add_new(0)
    assert recorded.stage.working == 0
    assert recorded.lab.clock.peek() == math.inf


def test_stage_with_zero_work_time_finishes_in_the_same_instant() -> None:
    lab = SmallLab(writing_share=0.0)
    left: list[int] = []
    writing = CohortStage(lab.ports, "writing", 1, left.append, lambda: math.inf)
    writing.add_new(50)
    assert left == [], "in an event of its own"
    lab.clock.advance(0.0)
    assert left == [50]


def test_stage_add_partial_keeps_remaining_time() -> None:
    recorded = stage()
    recorded.stage.add_partial(2.5)
    recorded.lab.clock.advance(10.0)
    assert recorded.left == [(2.5, 1)]


STEP = st.tuples(
    st.sampled_from(["add_new", "pause", "resume", "add_partial", "start_over", "advance"]), st.integers(1, 40)
)


@examples(150)
@given(st.lists(STEP, max_size=30), st.sampled_from([0.0, 0.03, 0.4]), st.sampled_from(["poisson", "whole"]))
def test_stage_keeps_all_researchers(steps: list[tuple[str, int]], error: float, timing: str) -> None:
    recorded = stage(leap_tolerance=error, timing=timing)
    there = recorded.stage
    working = pausing = 0
    for name, number in steps:
        before = sum(count for _, count in recorded.left)
        if name == "add_new":
            there.add_new(number)
            working += number
        elif name == "pause":
            there.pause(min(number, working))
            working, pausing = working - min(number, working), pausing + min(number, working)
        elif name == "resume":
            there.resume(min(number, pausing))
            working, pausing = working + min(number, pausing), pausing - min(number, pausing)
        elif name == "add_partial":
            there.add_partial(float(number))
            working += 1
        elif name == "start_over":
            there.start_over()
        elif name == "advance":
            recorded.lab.clock.advance(recorded.lab.now + number)
            working -= sum(count for _, count in recorded.left) - before
        assert (there.working, there.paused) == (working, pausing)
        assert there.merged >= 0
    there.resume(pausing)
    recorded.lab.clock.advance(1e6)
    assert (there.working, there.paused) == (0, 0)


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("paused", [False, True])
def test_stage_stretch_scales_remaining_time(size: int, paused: bool) -> None:
    """After time t the remaining work is stretched threefold: the next end moves from d to t + 3 (d - t).

    This holds for one researcher, for a leap of many, and for paused researchers after they resume.
    """
    plain, stretched = (stage(seed=5, leap_tolerance=0.1) for _ in range(2))
    for recorded in (plain, stretched):
        recorded.stage.add_new(size)
        recorded.lab.clock.advance(0.01)
        if paused:
            recorded.stage.pause(size)
    stretched.stage.stretch(3.0)
    for recorded in (plain, stretched):
        if paused:
            recorded.stage.resume(size)
        while not recorded.left:
            recorded.lab.clock.step()
    if size == 1 or not paused:  # merged researchers draw again when they resume
        assert stretched.days()[0] - 0.01 == pytest.approx(3 * (plain.days()[0] - 0.01))
    assert stretched.left[0][1] == plain.left[0][1]
