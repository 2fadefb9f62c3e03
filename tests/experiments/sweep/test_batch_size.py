"""Test the number of runs in a batch, with artificial costs."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.workers.batch_size import (
    BATCH_SECONDS,
    FIRST_BATCH,
    MAX_FLUID_RUNS,
    FluidBatchSizer,
    WorldBatchSizer,
    batch_sizer,
)

Cost = Callable[[int], float]


def settled(sizer: FluidBatchSizer, cost: Cost, batches: int = 12) -> int:
    """Return the size of a batch after some batches."""
    for _ in range(batches):
        sizer.record_batch(sizer.size, cost(sizer.size))
    return sizer.size


def seconds_of_sweep(runs: int, cost: Cost) -> float:
    """Return the time that one worker takes for a sweep [s]."""
    sizer, seconds = FluidBatchSizer(), 0.0
    while runs:
        batch = sizer.next_batch(runs, 1)
        sizer.record_batch(batch, cost(batch))
        runs, seconds = runs - batch, seconds + cost(batch)
    return seconds


def test_fluid_batch_sizer_with_a_large_fixed_cost_grows_to_large_batches():
    def cost(runs: int) -> float:  # 0.72 s for one run, 1.1 s for 256: as once measured
        return 0.72 + 0.0014 * runs

    assert FluidBatchSizer().size == FIRST_BATCH == 64
    assert settled(FluidBatchSizer(), cost) == MAX_FLUID_RUNS
    assert settled(FluidBatchSizer(first=1), cost) == MAX_FLUID_RUNS, "a batch of one must not be a trap"
    assert seconds_of_sweep(10_240, cost) < 30


def test_fluid_batch_sizer_with_slow_single_runs_ends_at_single_runs():
    assert settled(FluidBatchSizer(), lambda runs: 10.0 * runs) == 1
    assert settled(FluidBatchSizer(), lambda runs: 0.1 * runs) == pytest.approx(BATCH_SECONDS / 0.1, abs=1)


@given(st.floats(0.0, 20.0), st.floats(1e-5, 5.0))
def test_fluid_batch_sizer_leaves_a_fifth_of_a_batch_to_its_fixed_cost_for_any_costs(fixed, each):
    sizer = FluidBatchSizer()
    seconds = fixed + each * settled(sizer, lambda runs: fixed + each * runs, 20)
    assert fixed <= 0.25 * (seconds + each) or seconds <= 1.1 * BATCH_SECONDS or sizer.size == MAX_FLUID_RUNS
    assert seconds <= max(1.1 * BATCH_SECONDS, 6 * fixed) + each


@given(st.floats(0.0, 20.0), st.floats(1e-5, 5.0), st.lists(st.floats(0.8, 1.25), min_size=40, max_size=40))
def test_fluid_batch_sizer_on_a_busy_machine_costs_at_most_three_times_the_best(fixed, each, noise):
    sizer = FluidBatchSizer()
    for factor in noise:
        assert 1 <= sizer.size <= MAX_FLUID_RUNS
        sizer.record_batch(sizer.size, factor * (fixed + each * sizer.size))
    assert (
        fixed / sizer.size + each <= 3 * (fixed / MAX_FLUID_RUNS + each) or sizer.size * each + fixed >= BATCH_SECONDS
    )


def test_fluid_batch_sizer_after_one_slow_batch_recovers():
    sizer = FluidBatchSizer()
    settled(sizer, lambda runs: 0.3 + 0.001 * runs)
    sizer.record_batch(sizer.size, 60.0)
    assert settled(sizer, lambda runs: 0.3 + 0.001 * runs, 20) == MAX_FLUID_RUNS


def test_fluid_batch_sizer_near_the_end_avoids_batches_of_fixed_cost_only():
    sizer = FluidBatchSizer()
    assert [sizer.next_batch(waiting, 2) for waiting in (1000, 100, 64, 8)] == [64, 64, 64, 8]
    settled(sizer, lambda runs: 0.3 + 0.001 * runs)
    assert [sizer.next_batch(waiting, 2) for waiting in (10_000, 1000, 100)] == [1024, 250, 64]
    assert sizer.next_batch(1000, 1) == 1000, "a single worker takes all waiting runs"


def test_world_batch_sizer_gives_half_a_second_of_runs_and_divides_the_last():
    sizer = batch_sizer("world")
    assert isinstance(sizer, WorldBatchSizer) and sizer.size == 1
    for _ in range(100):
        sizer.record_batch(1, 0.0099)
    assert sizer.size == 50 and sizer.spare == 25
    assert [sizer.next_batch(waiting, 2) for waiting in (1000, 100, 3, 1)] == [50, 25, 1, 1]
    for _ in range(100):
        sizer.record_batch(1, 60.0)
    assert sizer.size == 1
