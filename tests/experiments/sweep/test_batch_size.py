"""How many runs a worker is given at once, with artificial costs of a batch."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.workers.batch_size import (
    BATCH_SECONDS,
    FIRST_BATCH,
    MAX_FLUID_RUNS,
    FluidPace,
    WorldPace,
    pace_of,
)

Cost = Callable[[int], float]


def settled(pace: FluidPace, cost: Cost, batches: int = 12) -> int:
    """The size of a batch after some of them."""
    for _ in range(batches):
        pace.note(pace.size, cost(pace.size))
    return pace.size


def seconds_of_sweep(runs: int, cost: Cost) -> float:
    """Seconds that one worker takes for a sweep."""
    pace, seconds = FluidPace(), 0.0
    while runs:
        batch = pace.share(runs, 1)
        pace.note(batch, cost(batch))
        runs, seconds = runs - batch, seconds + cost(batch)
    return seconds


def test_fluid_pace_with_a_large_fixed_cost_grows_to_large_batches():
    def cost(runs: int) -> float:  # 0.72 s for one run, 1.1 s for 256: what this machine once took
        return 0.72 + 0.0014 * runs

    assert FluidPace().size == FIRST_BATCH == 64
    assert settled(FluidPace(), cost) == MAX_FLUID_RUNS
    assert settled(FluidPace(first=1), cost) == MAX_FLUID_RUNS, "a batch of one must not be a trap"
    assert seconds_of_sweep(10_240, cost) < 30


def test_fluid_pace_with_slow_single_runs_ends_at_single_runs():
    assert settled(FluidPace(), lambda runs: 10.0 * runs) == 1
    assert settled(FluidPace(), lambda runs: 0.1 * runs) == pytest.approx(BATCH_SECONDS / 0.1, abs=1)


@given(st.floats(0.0, 20.0), st.floats(1e-5, 5.0))
def test_fluid_pace_leaves_a_fifth_of_a_batch_to_its_fixed_cost_whatever_the_costs(fixed, each):
    pace = FluidPace()
    seconds = fixed + each * settled(pace, lambda runs: fixed + each * runs, 20)
    assert fixed <= 0.25 * (seconds + each) or seconds <= 1.1 * BATCH_SECONDS or pace.size == MAX_FLUID_RUNS
    assert seconds <= max(1.1 * BATCH_SECONDS, 6 * fixed) + each


@given(st.floats(0.0, 20.0), st.floats(1e-5, 5.0), st.lists(st.floats(0.8, 1.25), min_size=40, max_size=40))
def test_fluid_pace_on_a_busy_machine_costs_at_most_three_times_the_best(fixed, each, noise):
    pace = FluidPace()
    for factor in noise:
        assert 1 <= pace.size <= MAX_FLUID_RUNS
        pace.note(pace.size, factor * (fixed + each * pace.size))
    assert fixed / pace.size + each <= 3 * (fixed / MAX_FLUID_RUNS + each) or pace.size * each + fixed >= BATCH_SECONDS


def test_fluid_pace_after_one_slow_batch_recovers():
    pace = FluidPace()
    settled(pace, lambda runs: 0.3 + 0.001 * runs)
    pace.note(pace.size, 60.0)
    assert settled(pace, lambda runs: 0.3 + 0.001 * runs, 20) == MAX_FLUID_RUNS


def test_fluid_pace_near_the_end_gives_no_batch_that_is_all_fixed_cost():
    pace = FluidPace()
    assert [pace.share(waiting, 2) for waiting in (1000, 100, 64, 8)] == [64, 64, 64, 8]
    settled(pace, lambda runs: 0.3 + 0.001 * runs)
    assert [pace.share(waiting, 2) for waiting in (10_000, 1000, 100)] == [1024, 250, 64]
    assert pace.share(1000, 1) == 1000, "a single worker has nobody to share with"


def test_world_pace_gives_half_a_second_of_runs_and_shares_the_last_ones_out():
    pace = pace_of("world")
    assert isinstance(pace, WorldPace) and pace.size == 1
    for _ in range(100):
        pace.note(1, 0.0099)
    assert pace.size == 50 and pace.spare == 25
    assert [pace.share(waiting, 2) for waiting in (1000, 100, 3, 1)] == [50, 25, 1, 1]
    for _ in range(100):
        pace.note(1, 60.0)
    assert pace.size == 1
