"""The curve: it finds the one that is known, promises nothing that was not measured, and says what there is."""

import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.kernels.trace import TraceError, Trial
from hardware.speedups import (
    Curve,
    MeasurementError,
    curve_of,
    doublings_per_doubling,
    estimate,
    find_measurements,
    measured_workloads,
    read_measurements,
    shipped_measurements,
)
from tests.hardware.kernels.known_curve import FILE, WORKLOAD, known, search, searches, session_of, write

curves = st.builds(
    Curve, st.just(WORKLOAD), st.floats(1e-6, 5), st.floats(0.05, 4), st.floats(1e-3, 50), st.integers(4, 500),
    st.just(1000.0), st.just(1),
)  # fmt: skip


@pytest.mark.parametrize("curve", [(math.log(2.2), 0.5, 0.7), (math.log(1.8), 0.3, 2.0), (math.log(3.0), 1.0, 6.0)])
def test_a_known_curve_lies_within_the_interval(curve):
    """In at least nine of ten repeats; the searches' number is what a patient person can afford."""
    hits = []
    for seed in range(16):
        found = estimate(searches(seed, 4, 60, curve), WORKLOAD)
        for n in (5, 20, 60):
            true = math.exp(known(np.array([float(n)]), *curve)[0])
            speedup = found.speedup_after(n)
            hits.append(speedup.low <= true <= speedup.high)
    assert np.mean(hits) >= 0.9


def test_without_noise_the_curve_is_found_as_it_is():
    curve = (math.log(2.5), 0.6, 0.8)
    found = curve_of(searches(0, 1, 200, curve, spread=0.0, noise=0.0), WORKLOAD)
    for n in (1, 2, 5, 20, 100, 200):
        assert math.log(found.speedup_after(n)) == pytest.approx(known(np.array([n]), *curve)[0], abs=0.015)
    assert (found.tried, found.searches, found.cap) == (200, 1, pytest.approx(4.0))


@given(curves, st.lists(st.floats(0, 1000), min_size=2, max_size=20))
def test_a_curve_rises_from_1_to_below_its_ceiling_and_is_constant_where_nothing_was_tried(curve, numbers):
    numbers = sorted(numbers)
    values = [curve.speedup_after(n) for n in numbers]
    assert all(earlier <= later for earlier, later in pairwise(values))
    assert values[0] >= 1
    assert values[-1] <= curve.largest <= math.exp(curve.ceiling)
    assert curve.speedup_after(0.999) == 1
    assert curve.speedup_after(10 * curve.tried) == curve.largest


@given(curves, st.floats(1, 100))
def test_a_speedup_is_reached_after_so_many_candidates_and_not_before(curve, speedup):
    needed = curve.candidates_to_reach(speedup)
    if speedup > curve.largest:
        assert needed == math.inf
    elif speedup > 1:
        assert 1 <= needed <= curve.tried
        assert curve.speedup_after(needed) >= speedup * (1 - 1e-9)
        assert curve.speedup_after(needed * (1 - 1e-6)) <= speedup * (1 + 1e-9)
    else:
        assert needed == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.none() | st.floats(-3, 3), min_size=4, max_size=12), min_size=1, max_size=4))
def test_whatever_was_measured_the_curve_keeps_its_promises(logs):
    lines = [
        line
        for number, each in enumerate(logs)
        for line in search(session_of(str(number)), [0.1, *each], winner=each[0])
    ]
    found = estimate(lines, WORKLOAD)
    values = [found.curve.speedup_after(n) for n in range(16)]
    assert values == sorted(values)
    assert values[0] == 1
    assert values[-1] <= found.curve.cap * (1 + 1e-12)
    end = found.speedup_after(found.curve.tried)
    assert (end.low is None) == (len(logs) < 3)
    if end.low is not None:
        assert 1 <= end.low <= end.value * (1 + 1e-12)
        assert end.value <= end.high * (1 + 1e-12)
        assert end.high <= found.curve.cap * (1 + 1e-12)


def test_the_end_is_what_the_winner_gave_when_it_was_measured_afresh_on_shapes_held_out():
    lines = search(session_of("lucky"), [0.5, 0.7, 0.8, 0.9], winner=0.6)
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.6)
    assert math.log(curve_of(lines[:-1], WORKLOAD).largest) == pytest.approx(0.9, abs=0.05)


def test_a_winner_that_is_wrong_when_measured_afresh_was_none():
    lines = search(session_of("lucky"), [0.5, 0.7, 0.8, 0.9], winner=0.6, fresh_status="wrong")
    assert curve_of(lines, WORKLOAD).largest == 1
    lines[-1] = lines[-1].model_copy(update={"timed": ()})
    assert curve_of(lines, WORKLOAD).largest == 1


def test_a_winner_slower_than_the_library_is_not_deployed():
    assert curve_of(search(session_of("tuned"), [0.5, 0.7, 0.8, 0.9], winner=-0.2), WORKLOAD).largest == 1


def test_nothing_is_faster_than_the_roofline():
    lines = search(session_of("unbelievable"), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert curve_of(lines, WORKLOAD).largest <= 4.0
    unknown = search(session_of("unmeasured", roofline=None), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert math.log(curve_of(unknown, WORKLOAD).largest) == pytest.approx(4.0)
    other = search(session_of("other dtype", roofline={"gflops": {"fp16": 1.0}, "copy_gbs": 1.0}), [1.0, 2.0, 3.0, 4.0])
    assert curve_of(other, WORKLOAD).cap == math.inf


def test_searches_that_found_nothing_keep_the_library():
    assert curve_of(search(session_of("poor"), [-1.0, -0.5, None, -0.2]), WORKLOAD).largest == 1


def test_a_trial_that_passed_and_was_not_timed_is_no_speedup():
    lines = search(session_of("untimed"), [0.1, 0.2, 0.3, 0.4])
    untimed = [line.model_copy(update={"timed": ()}) if isinstance(line, Trial) else line for line in lines]
    assert curve_of(untimed, WORKLOAD)[1:] == curve_of(untimed, WORKLOAD)._replace(ceiling=0.0, cap=math.inf)[1:]


def test_fewer_than_three_searches_have_no_interval():
    two = estimate(searches(0, 2, 20, (0.8, 0.5, 0.7)), WORKLOAD)
    assert two.speedup_after(20)[1:] == (None, None)
    assert two.resampled == ()
    early, late = doublings_per_doubling(two)
    assert early.low is None
    assert late is None, "no search went farther"


def test_speed_doubles_less_and_less_for_a_doubling_of_effort():
    curve = (math.log(2.5), 0.6, 0.8)
    early, late = doublings_per_doubling(estimate(searches(3, 4, 200, curve), WORKLOAD))
    logs = known(np.array([1.0, 20.0, 200.0]), *curve)
    assert early.low < (logs[1] - logs[0]) / math.log(20) < early.high
    assert late.low < (logs[2] - logs[1]) / math.log(10) < late.high
    assert 0 < late.value < early.value < 1


def test_what_was_not_measured_is_refused_with_what_there_is():
    _, lines = read_measurements(FILE)
    assert measured_workloads(lines) == ["causal/bf16/both", "short/fp32/forward"]
    with pytest.raises(MeasurementError, match=r"causal/fp32/both was not measured; there is: causal/bf16/both, short"):
        estimate(lines, "causal/fp32/both")
    with pytest.raises(MeasurementError, match="no searches at all"):
        curve_of(search(session_of("short"), [0.1, 0.2, 0.3]), WORKLOAD)
    with pytest.raises(MeasurementError, match="no searches at all"):
        curve_of(search(session_of("failed"), [None] * 20), WORKLOAD)


def test_two_machines_are_not_one():
    lines = [
        *search(session_of("a"), [0.1, 0.2, 0.3, 0.4]),
        *search(session_of("b", processor="Other"), [0.1, 0.2, 0.3, 0.4]),
    ]
    with pytest.raises(MeasurementError, match="Imagined and Other"):
        curve_of(lines, WORKLOAD)


def test_a_file_is_found_read_and_refused(tmp_path):
    assert find_measurements("mine.jsonl").name == "mine.jsonl"
    assert all(find_measurements(name).is_file() for name in shipped_measurements())
    with pytest.raises(MeasurementError, match="there are: "):
        find_measurements("no-such")
    path = write(tmp_path / "mine.jsonl", searches(0, 1, 5, (0.8, 0.5, 0.7)))
    digest, lines = read_measurements(path)
    assert (len(digest), len(lines)) == (64, 7)
    path.write_text("not a trace\n")
    with pytest.raises(TraceError, match=r"mine\.jsonl, line 1"):
        read_measurements(path)


def test_a_file_that_is_being_written_is_not_half_read(tmp_path, monkeypatch):
    path = write(tmp_path / "growing.jsonl", searches(0, 1, 5, (0.8, 0.5, 0.7)))
    turns = iter("ab")
    monkeypatch.setattr("hardware.speedups.digest_of", lambda _: next(turns))
    with pytest.raises(MeasurementError, match="is being written"):
        read_measurements(path)


def test_reading_a_curve_needs_no_torch():
    code = "import sys, hardware.speedups; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
