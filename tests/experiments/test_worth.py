"""What kernels are worth: much where they are fast, exactly nothing where they are not, never more than is known."""

import math

import pytest

from experiments.worth import worth
from sim.run import run
from sim.scenario import Scenario, ScenarioError
from tests.hardware.kernels.known_curve import search, session_of, write

SMALL = {
    "researcher__initial": 40,
    "cluster__gpus": 48,
    "training__first_run_days": 10.0,
    "run__horizon_days": 400.0,
    "run__max_doublings": 3,
    "kernels__attention_share": 0.8,
}


@pytest.fixture
def measured(tmp_path):
    """A small lab whose kernels end at this speed-up."""

    def lab(speedup: float, **changes) -> Scenario:
        lines = search(session_of("one"), [math.log(speedup)] * 8, winner=math.log(speedup))
        path = write(tmp_path / f"{speedup}.jsonl", lines)
        return Scenario().replace(**(SMALL | {"kernels__measurements": str(path)} | changes))

    return lab


def test_fast_kernels_bring_doublings_nearer(measured):
    scenario = measured(3.5)
    found = worth(scenario, range(6))
    assert found.doubling == 3
    assert 0 < found.to_doubling.low < found.to_doubling.days < found.to_doubling.high
    assert found.sentence.startswith(f"Kernels bring software doubling 3 nearer by {found.to_doubling.days:.3g} days [")
    assert found.sentence.endswith("over 6 pairs of runs with the same luck.")
    assert found.to_ending == found.to_doubling, "the run ends with its last doubling"
    assert found.work_rate == pytest.approx(1 / (0.2 + 0.8 / 3.5), rel=1e-6)
    plain = scenario.replace(kernels__measurements="none")
    assert found.to_doubling.each[2] == run(plain, 2).doublings[2].day - run(scenario, 2).doublings[2].day
    assert found.digest == scenario.calibration().digest


def test_kernels_that_are_no_faster_are_worth_exactly_nothing(measured):
    found = worth(measured(1.0), range(3))
    assert found.to_doubling == (0.0, 0.0, 0.0, (0.0, 0.0, 0.0))
    assert found.sentence.startswith("Nothing: the days by which software doubling 3 comes nearer, [0, 0], hold 0")


def test_what_the_clock_cuts_off_is_compared_as_far_as_both_came(measured):
    found = worth(measured(3.5, run__horizon_days=60.0), [0, 1])
    assert 0 < found.doubling < 3
    assert found.to_ending is None
    assert found.endings == {"undecided": (2, 0), "horizon": (0, 2)}


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
    assert worth(measured(3.5), [0], lambda *_: True).sentence.startswith("Nothing can be said")


def test_a_lab_without_measurements_has_no_kernels_to_value():
    with pytest.raises(ScenarioError, match="kernels__measurements = 'none'"):
        worth(Scenario.load("toy-fizzle"), [0])
