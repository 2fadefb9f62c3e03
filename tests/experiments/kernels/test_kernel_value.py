"""Tests of the value of kernels: zero for slow kernels, and intervals that cover the uncertainty of the searches."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.kernels.kernel_value import estimate_kernel_value, half_width
from hardware.kernels.speedup_curve import estimate
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from tests.support.known_speedup_curve import WORKLOAD, search, session_of, write

SMALL = {
    "researcher__initial": 40,
    "growth__calibrated_for": 0,
    "training__first_run_gpus": 16,
    "cluster__gpus": 48,
    "training__first_run_days": 10.0,
    "run__horizon_days": 400.0,
    "run__max_doublings": 3,
    "kernels__attention_share": 0.8,
    "kernels__candidate_researcher_hours": 0.0,
    "kernels__candidate_gpu_hours": 0.0,
}


def lines_of(*speedups: float) -> list:
    """Return one search for each speed-up, which its first candidate reaches."""
    return [
        line
        for number, each in enumerate(speedups)
        for line in search(session_of(f"search {number}"), [math.log(each)] * 8)
    ]


@pytest.fixture
def measured(tmp_path):
    """Return a function that creates small labs; their kernels reach the given speed-ups."""

    def lab(*speedups: float, **changes) -> Scenario:
        path = write(tmp_path / f"{speedups}.jsonl", lines_of(*speedups))
        return Scenario().replace(**(SMALL | {"kernels__measurements": str(path)} | changes))

    return lab


def test_kernel_value_of_fast_kernels_is_positive(measured):
    scenario = measured(3.5)
    found = estimate_kernel_value(scenario, range(6))
    assert found.doubling == 3
    assert 0 < found.to_doubling.low < found.to_doubling.days < found.to_doubling.high
    assert found.sentence.startswith(
        f"Kernels bring software doubling 3 forward by {found.to_doubling.days:.3g} days ["
    )
    assert found.sentence.endswith(
        "over 6 pairs of runs with the same random seed. The interval covers run-to-run variability only; "
        "the uncertainty of the searches needs three searches."
    )
    half = stats.t.ppf(0.975, 5) * np.std(found.to_doubling.each, ddof=1) / math.sqrt(6)
    assert found.to_doubling.high - found.to_doubling.days == pytest.approx(half)
    assert (found.searches, found.searches_description) == (1, "1 imagined search of imagined")
    assert found.to_ending == found.to_doubling, "the run ends with its last doubling"
    assert found.work_rate == pytest.approx(1 / (0.2 + 0.8 / 3.5), rel=1e-6)
    plain = scenario.replace(kernels__measurements="none")
    assert found.to_doubling.each[2] == run(plain, 2).doublings[2].day - run(scenario, 2).doublings[2].day
    assert found.digest == scenario.calibration().digest


def test_kernel_value_of_kernels_as_fast_as_sdpa_is_exactly_zero(measured):
    found = estimate_kernel_value(measured(1.0), range(3))
    assert found.to_doubling == (0.0, 0.0, 0.0, (0.0, 0.0, 0.0), ())
    assert found.sentence.startswith(
        "No effect: software doubling 3 comes on the same day with and without kernels, over"
    )
    assert estimate_kernel_value(measured(1.0), [0]).sentence.startswith(
        "No effect: software doubling 3 comes on the same day"
    )


def test_kernel_value_of_equal_searches_has_run_to_run_variability_only(measured):
    one, three = (
        estimate_kernel_value(measured(2.0), range(4)),
        estimate_kernel_value(measured(2.0, 2.0, 2.0), range(4)),
    )
    assert three.to_doubling[:3] == pytest.approx(one.to_doubling[:3])
    assert three.to_doubling.drawn_again == pytest.approx(three.to_doubling.each)
    assert three.sentence.endswith(". The interval covers run-to-run variability and the uncertainty of 3 searches.")


def test_kernel_value_of_different_searches_has_an_interval_that_contains_zero(measured):
    """More pairs reduce run-to-run variability, but not the uncertainty of the searches."""
    speedups = (1.1, 2.0, 3.4)
    scenario, few, many = measured(*speedups), range(4), range(10)
    found = estimate_kernel_value(scenario, many)
    gain = found.to_doubling
    assert gain.low < 0 < gain.days < gain.high
    assert gain.may_be_zero
    assert found.sentence.startswith("No significant effect: kernels bring software doubling 3 forward by ")
    assert "], over 10 pairs" in found.sentence
    certain = estimate_kernel_value(measured(math.exp(np.mean(np.log(speedups)))), many).to_doubling
    assert gain.each == pytest.approx(certain.each), "the mean uses the curve of all searches"
    assert certain.low > 0
    one, other = (estimate_kernel_value(measured(each), few).to_doubling.days for each in (1.1, 3.4))
    assert gain.low < one < other < gain.high, "the interval covers the result of each search"
    drawn = estimate(lines_of(*speedups), WORKLOAD).resampled
    calibration = scenario.calibration()
    plain = scenario.replace(kernels__measurements="none")
    for seed in (0, 3):
        again = run(scenario, seed, calibration=calibration._replace(curve=drawn[seed])).doublings[2].day
        assert gain.drawn_again[seed] == run(plain, seed).doublings[2].day - again


def test_half_width_with_one_source_of_variance_is_students():
    assert half_width(9.0, 9, 0.0, 3) == pytest.approx(stats.t.ppf(0.975, 8))
    assert half_width(0.0, 9, 4.0, 3) == pytest.approx(stats.t.ppf(0.975, 2) * math.sqrt(6))
    assert half_width(0.0, 9, 0.0, 3) == 0
    both = half_width(9.0, 9, 4.0, 3)
    assert max(half_width(9.0, 9, 0.0, 3), stats.t.ppf(0.975, 8) * math.sqrt(7)) < both
    assert both < stats.t.ppf(0.975, 2) * math.sqrt(7)


@pytest.mark.parametrize("pairs", [8, 40])
def test_half_width_covers_the_true_value_in_95_percent_of_samples(pairs):
    """Draw four searches, each with an error that all pairs share, and run-to-run variability, 400 times."""
    rng, searches, hits = np.random.default_rng(7), 4, []
    for _ in range(400):
        found = rng.normal(0.0, 2.0, searches)
        fast = found.mean() + rng.normal(0.0, 3.0, pairs)
        moved = rng.choice(found, (pairs, searches)).mean(axis=1) - found.mean()
        hits.append(abs(fast.mean()) <= half_width(np.var(fast, ddof=1), pairs, np.var(moved, ddof=1), searches))
    assert 0.93 <= np.mean(hits) <= 0.98


def test_kernel_value_of_runs_stopped_at_the_horizon_compares_common_doublings(measured):
    found = estimate_kernel_value(measured(3.5, run__horizon_days=60.0), [0, 1])
    assert 0 < found.doubling < 3
    assert found.to_ending is None
    assert found.endings == {"doublings": (2, 0), "horizon": (0, 2)}


def test_kernel_value_without_a_doubling_has_no_estimate(measured):
    found = estimate_kernel_value(measured(3.5, run__horizon_days=1.0), [0, 1])
    assert (found.doubling, found.to_doubling) == (0, None)
    assert found.sentence.startswith("No estimate: ")


def test_kernel_value_with_one_pair_has_no_interval(measured):
    found = estimate_kernel_value(measured(3.5), [4])
    assert found.to_doubling.low is None
    assert found.sentence.endswith("over 1 pair of runs with the same random seed; an interval needs two pairs.")


def test_kernel_value_stopped_by_its_callback_keeps_completed_pairs(measured):
    seen = []

    def on_progress(progress):
        seen.append((progress.done, progress.total))

    def should_stop(world):
        return seen[-1][0] == 3 and world.now > 20

    found = estimate_kernel_value(measured(3.5), range(5), on_progress, should_stop)
    assert found.seeds == (0,)
    assert found.to_doubling.each == estimate_kernel_value(measured(3.5), [0]).to_doubling.each
    assert sorted(set(seen)) == [(0, 10), (1, 10), (2, 10), (3, 10)]
    seen.clear()
    assert estimate_kernel_value(measured(3.5, 3.5, 3.4), range(5), on_progress, should_stop).seeds == (0,)
    assert sorted(set(seen)) == [(0, 15), (1, 15), (2, 15), (3, 15)], "three runs a seed"
    assert estimate_kernel_value(measured(3.5), [0], should_stop=lambda _: True).sentence.startswith("No estimate: ")


def test_kernel_value_without_measurements_raises():
    with pytest.raises(ScenarioError, match="kernels__measurements = 'none'"):
        estimate_kernel_value(Scenario.load("toy-fizzle"), [0])


def test_kernel_value_with_costs_is_net_and_reports_the_gross_figure(tmp_path):
    path = write(tmp_path / "fast.jsonl", search(session_of("one"), [math.log(3.0)] * 8))
    scenario = Scenario().replace(
        researcher__initial=60,
        cluster__gpus=64,
        training__required=False,
        run__max_doublings=2,
        run__horizon_days=400.0,
        kernels__measurements=str(path),
        kernels__attention_share=0.8,
        kernels__candidate_researcher_hours=500.0,
    )
    found = estimate_kernel_value(scenario, [0, 1])
    free = estimate_kernel_value(
        scenario.replace(kernels__candidate_researcher_hours=0.0, kernels__candidate_gpu_hours=0.0), [0, 1]
    )
    assert found.gross is not None
    assert found.gross.each == free.to_doubling.each
    assert found.to_doubling.days < found.gross.days
    assert f"{found.gross.days:.3g} days" in found.sentence
    assert "net" in found.sentence
    assert free.gross is None
    assert "net" not in free.sentence
