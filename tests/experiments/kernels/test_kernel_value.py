"""What kernels are worth: much where they are fast, exactly nothing where they are not, never more than is known."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.kernels.kernel_value import half_width, worth
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
    """A search for each speed-up, found at once."""
    return [
        line
        for number, each in enumerate(speedups)
        for line in search(session_of(f"search {number}"), [math.log(each)] * 8)
    ]


@pytest.fixture
def measured(tmp_path):
    """A small lab whose kernels end at this speed-up."""

    def lab(*speedups: float, **changes) -> Scenario:
        path = write(tmp_path / f"{speedups}.jsonl", lines_of(*speedups))
        return Scenario().replace(**(SMALL | {"kernels__measurements": str(path)} | changes))

    return lab


def test_fast_kernels_bring_doublings_nearer(measured):
    scenario = measured(3.5)
    found = worth(scenario, range(6))
    assert found.doubling == 3
    assert 0 < found.to_doubling.low < found.to_doubling.days < found.to_doubling.high
    assert found.sentence.startswith(f"Kernels bring software doubling 3 nearer by {found.to_doubling.days:.3g} days [")
    assert found.sentence.endswith(
        "over 6 pairs of runs with the same luck; the interval is of luck alone, as 1 search is too few to say how "
        "sure the kernels are."
    )
    half = stats.t.ppf(0.975, 5) * np.std(found.to_doubling.each, ddof=1) / math.sqrt(6)
    assert found.to_doubling.high - found.to_doubling.days == pytest.approx(half)
    assert (found.searches, found.told) == (1, "1 imagined search of imagined")
    assert found.to_ending == found.to_doubling, "the run ends with its last doubling"
    assert found.work_rate == pytest.approx(1 / (0.2 + 0.8 / 3.5), rel=1e-6)
    plain = scenario.replace(kernels__measurements="none")
    assert found.to_doubling.each[2] == run(plain, 2).doublings[2].day - run(scenario, 2).doublings[2].day
    assert found.digest == scenario.calibration().digest


def test_kernels_that_are_no_faster_are_worth_exactly_nothing(measured):
    found = worth(measured(1.0), range(3))
    assert found.to_doubling == (0.0, 0.0, 0.0, (0.0, 0.0, 0.0), ())
    assert found.sentence.startswith(
        "Nothing: software doubling 3 comes on the same day with kernels and without, over"
    )
    assert worth(measured(1.0), [0]).sentence.startswith("Nothing: software doubling 3 comes on the same day")


def test_searches_that_agree_leave_nothing_open_but_luck(measured):
    one, three = worth(measured(2.0), range(4)), worth(measured(2.0, 2.0, 2.0), range(4))
    assert three.to_doubling[:3] == pytest.approx(one.to_doubling[:3])
    assert three.to_doubling.drawn_again == pytest.approx(three.to_doubling.each)
    assert three.sentence.endswith("; the interval is of luck and of what 3 searches leave open.")


def test_searches_that_disagree_leave_open_whether_there_is_a_gain(measured):
    """However many pairs: they average luck out, and not which kernels there are."""
    speedups = (1.1, 2.0, 3.4)
    scenario, few, many = measured(*speedups), range(4), range(10)
    found = worth(scenario, many)
    gain = found.to_doubling
    assert gain.low < 0 < gain.days < gain.high
    assert gain.holds_nothing
    assert found.sentence.startswith("Nothing is proved: the days by which software doubling 3 comes nearer, ")
    assert "may be 0, over 10 pairs" in found.sentence
    luck = worth(measured(math.exp(np.mean(np.log(speedups)))), many).to_doubling
    assert gain.each == pytest.approx(luck.each), "its middle is the curve of all searches"
    assert luck.low > 0
    one, other = (worth(measured(each), few).to_doubling.days for each in (1.1, 3.4))
    assert gain.low < one < other < gain.high, "it holds what any of the searches would have given"
    drawn = estimate(lines_of(*speedups), WORKLOAD).resampled
    calibration = scenario.calibration()
    plain = scenario.replace(kernels__measurements="none")
    for seed in (0, 3):
        again = run(scenario, seed, calibration=calibration._replace(curve=drawn[seed])).doublings[2].day
        assert gain.drawn_again[seed] == run(plain, seed).doublings[2].day - again


def test_half_an_interval_is_students_where_one_of_its_parts_is_nothing():
    assert half_width(9.0, 9, 0.0, 3) == pytest.approx(stats.t.ppf(0.975, 8))
    assert half_width(0.0, 9, 4.0, 3) == pytest.approx(stats.t.ppf(0.975, 2) * math.sqrt(6))
    assert half_width(0.0, 9, 0.0, 3) == 0
    both = half_width(9.0, 9, 4.0, 3)
    assert max(half_width(9.0, 9, 0.0, 3), stats.t.ppf(0.975, 8) * math.sqrt(7)) < both
    assert both < stats.t.ppf(0.975, 2) * math.sqrt(7)


@pytest.mark.parametrize("pairs", [8, 40])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs):
    """Four searches, each with an error of its own that all pairs share, and luck: drawn many times over."""
    chance, searches, hits = np.random.default_rng(7), 4, []
    for _ in range(400):
        found = chance.normal(0.0, 2.0, searches)
        fast = found.mean() + chance.normal(0.0, 3.0, pairs)
        moved = chance.choice(found, (pairs, searches)).mean(axis=1) - found.mean()
        hits.append(abs(fast.mean()) <= half_width(np.var(fast, ddof=1), pairs, np.var(moved, ddof=1), searches))
    assert 0.93 <= np.mean(hits) <= 0.98


def test_what_the_clock_cuts_off_is_compared_as_far_as_both_came(measured):
    found = worth(measured(3.5, run__horizon_days=60.0), [0, 1])
    assert 0 < found.doubling < 3
    assert found.to_ending is None
    assert found.endings == {"doublings": (2, 0), "horizon": (0, 2)}


def test_without_a_doubling_nothing_can_be_said(measured):
    found = worth(measured(3.5, run__horizon_days=1.0), [0, 1])
    assert (found.doubling, found.to_doubling) == (0, None)
    assert found.sentence.startswith("Nothing can be said")


def test_one_pair_has_no_interval(measured):
    found = worth(measured(3.5), [4])
    assert found.to_doubling.low is None
    assert found.sentence.endswith("over 1 pair of runs with the same luck: too few for an interval.")


def test_somebody_who_watches_can_stop_it_and_keeps_whole_pairs(measured):
    seen = []

    def watch(done, total, world):
        seen.append((done, total))
        return done == 3 and world.now > 20

    found = worth(measured(3.5), range(5), watch)
    assert found.seeds == (0,)
    assert found.to_doubling.each == worth(measured(3.5), [0]).to_doubling.each
    assert sorted(set(seen)) == [(0, 10), (1, 10), (2, 10), (3, 10)]
    seen.clear()
    assert worth(measured(3.5, 3.5, 3.4), range(5), watch).seeds == (0,)
    assert sorted(set(seen)) == [(0, 15), (1, 15), (2, 15), (3, 15)], "three runs a seed"
    assert worth(measured(3.5), [0], lambda *_: True).sentence.startswith("Nothing can be said")


def test_a_lab_without_measurements_has_no_kernels_to_value():
    with pytest.raises(ScenarioError, match="kernels__measurements = 'none'"):
        worth(Scenario.load("toy-fizzle"), [0])


def test_worth_is_net_and_the_gross_figure_stands_beside_it(tmp_path):
    path = write(tmp_path / "fast.jsonl", search(session_of("one"), [math.log(3.0)] * 8))
    scenario = Scenario().replace(
        researcher__initial=60,
        cluster__gpus=64,
        training__needed=False,
        run__max_doublings=2,
        run__horizon_days=400.0,
        kernels__measurements=str(path),
        kernels__attention_share=0.8,
        kernels__candidate_researcher_hours=500.0,
    )
    found = worth(scenario, [0, 1])
    free = worth(scenario.replace(kernels__candidate_researcher_hours=0.0, kernels__candidate_gpu_hours=0.0), [0, 1])
    assert found.gross is not None
    assert found.gross.each == free.to_doubling.each
    assert found.to_doubling.days < found.gross.days
    assert f"{found.gross.days:.3g} days" in found.sentence
    assert "net" in found.sentence
    assert free.gross is None
    assert "net" not in free.sentence
