"""Tests of the speed-up curve: recovery of a known curve, limits, and missing measurements."""

import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.kernels.speedup_curve import (
    FittedSpeedupCurve,
    MeasurementError,
    curve_of,
    elasticities,
    estimate,
    find_measurements,
    measured_workloads,
    read_measurements,
    shipped_measurements,
)
from hardware.kernels.trace import TraceError, Trial, geomean_over_shapes
from tests.support.known_speedup_curve import FILE, WORKLOAD, known, search, searches, session_of, write
from tests.support.properties import examples

curves = st.builds(
    FittedSpeedupCurve,
    st.just(WORKLOAD),
    st.floats(1e-6, 5),
    st.floats(0.05, 4),
    st.floats(1e-3, 50),
    st.integers(4, 500),
    st.just(1000.0),
    st.just(1),
)


@pytest.mark.parametrize("curve", [(math.log(2.2), 0.5, 0.7), (math.log(1.8), 0.3, 2.0), (math.log(3.0), 1.0, 6.0)])
def test_estimate_interval_contains_the_known_curve(curve):
    """The interval must contain the curve in at least nine of ten repeats, with an affordable number of searches."""
    hits = []
    for seed in range(16):
        found = estimate(searches(seed, 4, 60, curve), WORKLOAD)
        for n in (5, 20, 60):
            true = math.exp(known(np.array([float(n)]), *curve)[0])
            speedup = found.speedup_after(n)
            hits.append(speedup.low <= true <= speedup.high)
    assert np.mean(hits) >= 0.9


def test_estimate_without_noise_recovers_the_curve():
    curve = (math.log(2.5), 0.6, 0.8)
    found = curve_of(searches(0, 1, 200, curve, spread=0.0, noise=0.0), WORKLOAD)
    for n in (1, 2, 5, 20, 100, 200):
        assert math.log(found.speedup_after(n)) == pytest.approx(known(np.array([n]), *curve)[0], abs=0.015)
    assert (found.tried, found.searches, found.cap) == (200, 1, pytest.approx(4.0))


@given(curves, st.lists(st.floats(0, 1000), min_size=2, max_size=20))
def test_curve_rises_from_1_and_is_constant_beyond_the_candidates_tried(curve, numbers):
    numbers = sorted(numbers)
    values = [curve.speedup_after(n) for n in numbers]
    assert all(earlier <= later for earlier, later in pairwise(values))
    assert values[0] >= 1
    assert values[-1] <= curve.largest <= math.exp(curve.ceiling)
    assert curve.speedup_after(0.999) == 1
    assert curve.speedup_after(10 * curve.tried) == curve.largest


@given(curves, st.floats(1, 100))
def test_candidates_to_reach_inverts_the_curve(curve, speedup):
    needed = curve.candidates_to_reach(speedup)
    if speedup > curve.largest:
        assert needed == math.inf
    elif speedup > 1:
        assert 1 <= needed <= curve.tried
        assert curve.speedup_after(needed) >= speedup * (1 - 1e-9)
        assert curve.speedup_after(needed * (1 - 1e-6)) <= speedup * (1 + 1e-9)
    else:
        assert needed == 0


@examples(30)
@given(st.lists(st.lists(st.none() | st.floats(-3, 3), min_size=4, max_size=12), min_size=1, max_size=4))
def test_curve_of_any_measurements_keeps_its_invariants(logs):
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


def test_curve_ends_at_the_re_measured_winner_on_held_out_shapes():
    lines = search(session_of("lucky"), [0.5, 0.7, 0.8, 0.9], winner=0.6)
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.6)
    winner = lines[-1]
    lines[-1] = winner.model_copy(update={"timed": tuple(each for each in winner.timed if not each.held_out)})
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.7), (
        "of the tuned shapes where there are no others"
    )


@pytest.mark.parametrize("status", ["passed", "inconclusive"])
def test_inconclusive_winner_counts_with_its_times(status):
    lines = search(session_of("noisy"), [0.5, 0.7, 0.8, 0.9], winner=0.6, fresh_status=status)
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.6)


def test_winner_measured_twice_counts_with_its_last_measurement():
    lines = search(session_of("noisy"), [0.5, 0.7, 0.8, 0.9], winner=0.2, fresh_status="inconclusive")
    again = search(session_of("noisy"), [0.9], winner=0.6)[-1]
    assert math.log(curve_of([*lines, again], WORKLOAD).largest) == pytest.approx(0.6)


@pytest.mark.parametrize("rounds", [(), (5,), (2, 3), (2, 1, 2), (1, 1, 1, 2)])
def test_curve_ends_at_the_reported_speedup_of_the_winner(rounds):
    """Rounds of new processes count alike, as in the claim."""
    lines = search(session_of("claimed"), [0.9] * 4)
    logs = (0.5, 0.9, 0.2, 0.6, 0.1)
    timed = tuple(
        each.model_copy(update={"pairs": tuple((1 / math.exp(log + at), 1.0) for log in logs), "rounds": rounds})
        for at, each in enumerate(lines[-1].timed)
    )
    lines[-1] = lines[-1].model_copy(update={"timed": timed})
    found = curve_of([lines[0].model_copy(update={"machine": {}}), *lines[1:]], WORKLOAD)
    assert found.largest == pytest.approx(geomean_over_shapes([each for each in timed if each.held_out]).ratio)


def test_winner_that_is_wrong_when_re_measured_does_not_count():
    lines = search(session_of("lucky"), [0.5, 0.7, 0.8, 0.9], winner=0.6, fresh_status="wrong")
    assert curve_of(lines, WORKLOAD).largest == 1
    lines[-1] = lines[-1].model_copy(update={"timed": ()})
    assert curve_of(lines, WORKLOAD).largest == 1


def test_winner_slower_than_sdpa_counts_as_1():
    slow = search(session_of("tuned"), [0.5, 0.7, 0.8, 0.9], winner=-0.2)
    assert curve_of(slow, WORKLOAD).largest == 1
    fast = search(session_of("other"), [0.5, 0.7, 0.8, 0.9], winner=0.6)
    assert math.log(curve_of(slow + fast, WORKLOAD).largest) == pytest.approx(0.3), "one of two kept the library"


def test_curve_stays_below_the_roofline():
    lines = search(session_of("unbelievable"), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert curve_of(lines, WORKLOAD).largest <= 4.0
    unknown = search(session_of("unmeasured", roofline=None), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert math.log(curve_of(unknown, WORKLOAD).largest) == pytest.approx(4.0)
    other = search(session_of("other dtype", roofline={"gflops": {"fp16": 1.0}, "copy_gbs": 1.0}), [1.0, 2.0, 3.0, 4.0])
    assert curve_of(other, WORKLOAD).cap == math.inf


def headroom(*searches) -> float:
    return curve_of([line for each in searches for line in each], WORKLOAD).cap


def test_cap_is_the_roofline_on_held_out_shapes():
    """SDPA reaches a quarter of it on the tuned shapes, and another part on the others."""
    lines = search(session_of("even"), [0.3] * 4, fraction=0.8)
    assert headroom(lines) == pytest.approx(1 / 0.8)
    poor = search(session_of("poor"), [0.9] * 4, winner=math.log(8.0), fraction=0.1)
    assert curve_of(poor, WORKLOAD).largest == pytest.approx(8.0), "more than 4, which is what the tuned shapes allow"


def test_cap_uses_the_roofline_of_each_session():
    """A machine that is slower on one day is slower for SDPA, too."""
    half = {"gflops": {"bf16": 500.0}, "copy_gbs": 8.0}
    here, there = search(session_of("a"), [0.3] * 4), search(session_of("b", roofline=half), [0.3] * 4)
    unknown = search(session_of("c", roofline=None), [0.3] * 4)
    assert headroom(here) == pytest.approx(4.0)
    assert headroom(there) == pytest.approx(2.0)
    assert headroom(here, there) == headroom(there, here) == pytest.approx(math.sqrt(8.0))
    assert headroom(unknown, there) == pytest.approx(2.0)


def test_ceiling_on_tuned_shapes_may_exceed_the_roofline_on_held_out_shapes():
    """Only the curve is bounded: it ends at the winners, and its ceiling is at most the roofline."""
    found = curve_of(search(session_of("a"), [0.5, 1.0, 1.2, 1.3, 1.35, 1.4], winner=0.2, fraction=0.8), WORKLOAD)
    assert math.log(found.largest) == pytest.approx(0.2)
    assert found.largest < math.exp(found.ceiling) <= found.cap * (1 + 1e-12) == pytest.approx(1.25)
    assert found.speedup_after(2) < found.largest


def test_roofline_slower_than_sdpa_raises_only_if_winners_are_faster():
    low = {"gflops": {"bf16": 200.0}, "copy_gbs": 3.2}
    with pytest.raises(MeasurementError, match=r"the roofline is wrong: SDPA takes 0\.8 of the roofline time"):
        curve_of(search(session_of("hasty", roofline=low), [0.6] * 6), WORKLOAD)
    flat = curve_of(search(session_of("hasty", roofline=low), [-0.6] * 6), WORKLOAD)
    assert (flat.cap, flat.largest) == (1.0, 1.0), "no winner contradicts it"


def test_searches_without_a_gain_have_a_constant_curve():
    assert curve_of(search(session_of("poor"), [-1.0, -0.5, None, -0.2]), WORKLOAD).largest == 1


@pytest.mark.parametrize("logs", [[None] * 8, [-1.0] * 8])
def test_search_without_a_gain_counts_beside_others(logs):
    good = search(session_of("good"), [0.5, 0.6, 0.65, 0.7, 0.7, 0.7, 0.7, 0.7])
    bad = [line for number in range(3) for line in search(session_of(f"bad {number}"), logs)]
    found = curve_of(good + bad, WORKLOAD)
    assert found.searches == 4
    assert math.log(found.largest) == pytest.approx(0.7 / 4)


def broken_off(session: str, at: int) -> list:
    """Return a search that was killed after ``at`` candidates."""
    return search(session_of(session), [0.9] * 8)[: 1 + at]


def test_incomplete_search_is_left_out_and_reported():
    good = search(session_of("good"), [0.3, 0.5, 0.6, 0.6])
    ended = search(session_of("not measured afresh"), [0.9] * 4)[:-1]
    found = curve_of(good + broken_off("a", 2) + broken_off("b", 6) + ended, WORKLOAD)
    assert (found.searches, found.broken_off) == (1, 3)
    assert found[:7] == curve_of(good, WORKLOAD)[:7]
    assert found.description == "1 imagined search of imagined, without 3 incomplete"


def test_estimate_with_only_incomplete_searches_raises():
    with pytest.raises(
        MeasurementError, match=r"not measured completely \(2 incomplete: run asara kernels tune --resume\)"
    ):
        curve_of(broken_off("a", 6) + search(session_of("b"), [0.9] * 4)[:-1], WORKLOAD)


def test_tried_is_the_median_over_searches():
    lines = [
        line
        for number, length in enumerate((4, 6, 50))
        for line in search(session_of(f"long {number}"), np.linspace(0.1, 0.5, length).tolist())
    ]
    assert curve_of(lines, WORKLOAD).tried == 6
    assert curve_of(lines + broken_off("killed", 4), WORKLOAD).tried == 6


def test_search_without_proposals_does_not_count():
    silent = search(session_of("silent"), [None] * 5)
    silent = [
        line.model_copy(update={"status": "no proposal", "family": ""}) if isinstance(line, Trial) else line
        for line in silent
    ]
    good = search(session_of("good"), [0.3, 0.5, 0.6, 0.6])
    assert curve_of(good + silent, WORKLOAD) == curve_of(good, WORKLOAD)


def repeated(count: int, log: float, family: str, proposer: str) -> list:
    return [
        line
        for number in range(count)
        for line in search(session_of(f"{family} {proposer} {number}", proposer=proposer), [log] * 8, family=family)
    ]


def test_curve_uses_one_proposer_and_one_set_of_families():
    """Searches of which three were made give an interval, so they go first; then the fastest winners."""
    slow, fast = repeated(3, 0.2, "tiled", "random"), repeated(3, 0.7, "amx", "hill-climb")
    found = curve_of(slow + fast, WORKLOAD)
    assert found == curve_of(fast, WORKLOAD)
    assert (found.families, found.proposer, found.searches) == ("amx", "hill-climb", 3)
    assert found.description == "3 hill-climb searches of amx"
    others = repeated(2, 0.9, "amx", "random") + repeated(3, 0.5, "avx512", "hill-climb")
    assert curve_of(slow + others + fast, WORKLOAD) == found
    assert curve_of(others[:20] + repeated(1, 1.0, "amx", "evolve"), WORKLOAD).proposer == "evolve"


def test_groups_without_a_passing_candidate_are_left_out():
    nothing = [
        line for i in range(3) for line in search(session_of(f"{i}", proposer="llm"), [None] * 8, family="foreign")
    ]
    found = curve_of(nothing + repeated(2, 0.5, "amx", "random"), WORKLOAD)
    assert (found.proposer, found.searches) == ("random", 2)


def test_processor_and_accelerator_are_two_machines():
    own = search(session_of("a", accelerator="Imagined GPU"), [0.3] * 4, family="amx")
    gpu = search(session_of("b", accelerator="Imagined GPU"), [0.9] * 4, family="triton")
    assert math.log(curve_of(gpu, WORKLOAD).largest) == pytest.approx(0.9)
    with pytest.raises(MeasurementError, match="measured on Imagined and Imagined GPU; use one file for each machine"):
        curve_of(own + gpu, WORKLOAD)
    is_interpreted = search(session_of("c"), [0.3] * 4, family="triton")
    assert curve_of(is_interpreted + search(session_of("d"), [0.3] * 4, family="amx"), WORKLOAD).searches == 1


def test_trial_without_timings_has_no_speedup():
    lines = search(session_of("untimed"), [0.1, 0.2, 0.3, 0.4])
    untimed = [line.model_copy(update={"timed": ()}) if isinstance(line, Trial) else line for line in lines]
    assert curve_of(untimed, WORKLOAD).ceiling == 0.0
    assert curve_of(untimed[:-1], WORKLOAD).ceiling == 0.0, "nothing was timed, so there is no winner to wait for"


def test_estimate_of_fewer_than_three_searches_has_no_interval():
    two = estimate(searches(0, 2, 20, (0.8, 0.5, 0.7)), WORKLOAD)
    assert two.speedup_after(20)[1:] == (None, None)
    assert two.resampled == ()
    early, late = elasticities(two)
    assert early.low is None
    assert late is None, "no search went farther"


def test_elasticities_decrease():
    curve = (math.log(2.5), 0.6, 0.8)
    early, late = elasticities(estimate(searches(3, 4, 200, curve), WORKLOAD))
    logs = known(np.array([1.0, 20.0, 200.0]), *curve)
    assert early.low < (logs[1] - logs[0]) / math.log(20) < early.high
    assert late.low < (logs[2] - logs[1]) / math.log(10) < late.high
    assert 0 < late.value < early.value < 1


def test_estimate_of_an_unknown_workload_raises_with_the_available_ones():
    _, lines = read_measurements(FILE)
    assert measured_workloads(lines) == ["causal/bf16/both", "short/fp32/forward"]
    with pytest.raises(
        MeasurementError, match=r"causal/fp32/both was not measured; available: causal/bf16/both, short"
    ):
        estimate(lines, "causal/fp32/both")
    with pytest.raises(MeasurementError, match="available: none"):
        curve_of(search(session_of("short"), [0.1, 0.2, 0.3]), WORKLOAD)
    with pytest.raises(MeasurementError, match="available: none"):
        curve_of(search(session_of("failed"), [None] * 20), WORKLOAD)


def test_estimate_over_two_machines_raises():
    lines = [
        *search(session_of("a"), [0.1, 0.2, 0.3, 0.4]),
        *search(session_of("b", processor="Other"), [0.1, 0.2, 0.3, 0.4]),
    ]
    with pytest.raises(MeasurementError, match="Imagined and Other"):
        curve_of(lines, WORKLOAD)


def test_measurement_files_are_found_and_read_and_unknown_names_raise(tmp_path):
    assert find_measurements("mine.jsonl").name == "mine.jsonl"
    assert all(find_measurements(name).is_file() for name in shipped_measurements())
    with pytest.raises(MeasurementError, match="allowed: "):
        find_measurements("no-such")
    path = write(tmp_path / "mine.jsonl", searches(0, 1, 5, (0.8, 0.5, 0.7)))
    digest, lines = read_measurements(path)
    assert (len(digest), len(lines)) == (64, 8)
    path.write_text("not a trace\n")
    with pytest.raises(TraceError, match=r"mine\.jsonl, line 1"):
        read_measurements(path)


def test_read_measurements_of_a_file_being_written_raises(tmp_path, monkeypatch):
    path = write(tmp_path / "growing.jsonl", searches(0, 1, 5, (0.8, 0.5, 0.7)))
    turns = iter("ab")
    monkeypatch.setattr("hardware.kernels.speedup_curve.digest_of", lambda _: next(turns))
    with pytest.raises(MeasurementError, match="is being written"):
        read_measurements(path)


def test_speedup_curve_does_not_import_torch():
    code = "import sys, hardware.kernels.speedup_curve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
