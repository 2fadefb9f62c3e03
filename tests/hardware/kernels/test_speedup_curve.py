"""The curve: it finds the one that is known, promises nothing that was not measured, and says what there is."""

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


@examples(30)
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
    winner = lines[-1]
    lines[-1] = winner.model_copy(update={"timed": tuple(each for each in winner.timed if not each.held_out)})
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.7), (
        "of the tuned shapes where there are no others"
    )


@pytest.mark.parametrize("status", ["passed", "inconclusive"])
def test_a_winner_that_was_too_noisy_for_a_claim_counts_with_its_times(status):
    lines = search(session_of("noisy"), [0.5, 0.7, 0.8, 0.9], winner=0.6, fresh_status=status)
    assert math.log(curve_of(lines, WORKLOAD).largest) == pytest.approx(0.6)


def test_a_winner_that_was_measured_twice_counts_as_it_was_measured_last():
    lines = search(session_of("noisy"), [0.5, 0.7, 0.8, 0.9], winner=0.2, fresh_status="inconclusive")
    again = search(session_of("noisy"), [0.9], winner=0.6)[-1]
    assert math.log(curve_of([*lines, again], WORKLOAD).largest) == pytest.approx(0.6)


@pytest.mark.parametrize("rounds", [(), (5,), (2, 3), (2, 1, 2), (1, 1, 1, 2)])
def test_the_end_is_the_speedup_that_is_claimed_of_the_winner(rounds):
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


def test_a_winner_that_is_wrong_when_measured_afresh_was_none():
    lines = search(session_of("lucky"), [0.5, 0.7, 0.8, 0.9], winner=0.6, fresh_status="wrong")
    assert curve_of(lines, WORKLOAD).largest == 1
    lines[-1] = lines[-1].model_copy(update={"timed": ()})
    assert curve_of(lines, WORKLOAD).largest == 1


def test_a_winner_slower_than_the_library_is_not_deployed():
    slow = search(session_of("tuned"), [0.5, 0.7, 0.8, 0.9], winner=-0.2)
    assert curve_of(slow, WORKLOAD).largest == 1
    fast = search(session_of("other"), [0.5, 0.7, 0.8, 0.9], winner=0.6)
    assert math.log(curve_of(slow + fast, WORKLOAD).largest) == pytest.approx(0.3), "one of two kept the library"


def test_nothing_is_faster_than_the_roofline():
    lines = search(session_of("unbelievable"), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert curve_of(lines, WORKLOAD).largest <= 4.0
    unknown = search(session_of("unmeasured", roofline=None), [1.0, 2.0, 3.0, 4.0], winner=4.0)
    assert math.log(curve_of(unknown, WORKLOAD).largest) == pytest.approx(4.0)
    other = search(session_of("other dtype", roofline={"gflops": {"fp16": 1.0}, "copy_gbs": 1.0}), [1.0, 2.0, 3.0, 4.0])
    assert curve_of(other, WORKLOAD).cap == math.inf


def headroom(*searches) -> float:
    return curve_of([line for each in searches for line in each], WORKLOAD).cap


def test_the_roofline_is_that_of_the_held_out_shapes_on_which_winners_are_told():
    """SDPA reaches a quarter of it on the tuned shapes, and another part on the others."""
    lines = search(session_of("even"), [0.3] * 4, fraction=0.8)
    assert headroom(lines) == pytest.approx(1 / 0.8)
    poor = search(session_of("poor"), [0.9] * 4, winner=math.log(8.0), fraction=0.1)
    assert curve_of(poor, WORKLOAD).largest == pytest.approx(8.0), "more than 4, which is what the tuned shapes allow"


def test_each_session_is_held_against_its_own_roofline():
    """A machine that was slower on one day was slower for SDPA too."""
    half = {"gflops": {"bf16": 500.0}, "copy_gbs": 8.0}
    here, there = search(session_of("a"), [0.3] * 4), search(session_of("b", roofline=half), [0.3] * 4)
    unknown = search(session_of("c", roofline=None), [0.3] * 4)
    assert headroom(here) == pytest.approx(4.0)
    assert headroom(there) == pytest.approx(2.0)
    assert headroom(here, there) == headroom(there, here) == pytest.approx(math.sqrt(8.0))
    assert headroom(unknown, there) == pytest.approx(2.0)


def test_a_ceiling_on_the_tuned_shapes_may_be_above_the_roofline_of_the_others():
    """Only what the curve says is bounded: it ends where the winners are, its ceiling at most at the roofline."""
    found = curve_of(search(session_of("a"), [0.5, 1.0, 1.2, 1.3, 1.35, 1.4], winner=0.2, fraction=0.8), WORKLOAD)
    assert math.log(found.largest) == pytest.approx(0.2)
    assert found.largest < math.exp(found.ceiling) <= found.cap * (1 + 1e-12) == pytest.approx(1.25)
    assert found.speedup_after(2) < found.largest


def test_a_roofline_that_sdpa_beats_is_no_bound():
    low = {"gflops": {"bf16": 200.0}, "copy_gbs": 3.2}
    with pytest.raises(MeasurementError, match=r"the roofline is contradicted: SDPA takes 0\.8 of the least time"):
        curve_of(search(session_of("hasty", roofline=low), [0.6] * 6), WORKLOAD)
    flat = curve_of(search(session_of("hasty", roofline=low), [-0.6] * 6), WORKLOAD)
    assert (flat.cap, flat.largest) == (1.0, 1.0), "no winner contradicts it"


def test_searches_that_found_nothing_keep_the_library():
    assert curve_of(search(session_of("poor"), [-1.0, -0.5, None, -0.2]), WORKLOAD).largest == 1


@pytest.mark.parametrize("logs", [[None] * 8, [-1.0] * 8])
def test_a_search_that_found_nothing_counts_beside_one_that_did(logs):
    good = search(session_of("good"), [0.5, 0.6, 0.65, 0.7, 0.7, 0.7, 0.7, 0.7])
    bad = [line for number in range(3) for line in search(session_of(f"bad {number}"), logs)]
    found = curve_of(good + bad, WORKLOAD)
    assert found.searches == 4
    assert math.log(found.largest) == pytest.approx(0.7 / 4)


def broken_off(session: str, at: int) -> list:
    """One that was killed after so many candidates."""
    return search(session_of(session), [0.9] * 8)[: 1 + at]


def test_a_search_that_was_broken_off_is_left_out_and_told():
    good = search(session_of("good"), [0.3, 0.5, 0.6, 0.6])
    ended = search(session_of("not measured afresh"), [0.9] * 4)[:-1]
    found = curve_of(good + broken_off("a", 2) + broken_off("b", 6) + ended, WORKLOAD)
    assert (found.searches, found.broken_off) == (1, 3)
    assert found[:7] == curve_of(good, WORKLOAD)[:7]
    assert found.told == "1 imagined search of imagined, 3 broken off left out"


def test_searches_that_were_all_broken_off_are_refused():
    with pytest.raises(MeasurementError, match=r"not measured to an end \(2 broken off: asara kernels tune --resume\)"):
        curve_of(broken_off("a", 6) + search(session_of("b"), [0.9] * 4)[:-1], WORKLOAD)


def test_the_candidates_tried_are_those_of_the_median_search():
    lines = [
        line
        for number, length in enumerate((4, 6, 50))
        for line in search(session_of(f"long {number}"), np.linspace(0.1, 0.5, length).tolist())
    ]
    assert curve_of(lines, WORKLOAD).tried == 6
    assert curve_of(lines + broken_off("killed", 4), WORKLOAD).tried == 6


def test_an_endpoint_that_never_answered_is_no_search_that_found_nothing():
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


def test_one_curve_is_of_one_proposer_in_one_family():
    """Searches of which three were made give an interval, so they go first; then the fastest winners."""
    slow, fast = repeated(3, 0.2, "tiled", "random"), repeated(3, 0.7, "amx", "hill-climb")
    found = curve_of(slow + fast, WORKLOAD)
    assert found == curve_of(fast, WORKLOAD)
    assert (found.families, found.proposer, found.searches) == ("amx", "hill-climb", 3)
    assert found.told == "3 hill-climb searches of amx"
    others = repeated(2, 0.9, "amx", "random") + repeated(3, 0.5, "avx512", "hill-climb")
    assert curve_of(slow + others + fast, WORKLOAD) == found
    assert curve_of(others[:20] + repeated(1, 1.0, "amx", "evolve"), WORKLOAD).proposer == "evolve"


def test_searches_in_which_nothing_ever_passed_give_way_to_those_that_found_something():
    nothing = [
        line for i in range(3) for line in search(session_of(f"{i}", proposer="llm"), [None] * 8, family="foreign")
    ]
    found = curve_of(nothing + repeated(2, 0.5, "amx", "random"), WORKLOAD)
    assert (found.proposer, found.searches) == ("random", 2)


def test_a_processor_and_an_accelerator_are_two_machines():
    own = search(session_of("a", accelerator="Imagined GPU"), [0.3] * 4, family="amx")
    gpu = search(session_of("b", accelerator="Imagined GPU"), [0.9] * 4, family="triton")
    assert math.log(curve_of(gpu, WORKLOAD).largest) == pytest.approx(0.9)
    with pytest.raises(MeasurementError, match="measured on Imagined and Imagined GPU: one file a machine"):
        curve_of(own + gpu, WORKLOAD)
    interpreted = search(session_of("c"), [0.3] * 4, family="triton")
    assert curve_of(interpreted + search(session_of("d"), [0.3] * 4, family="amx"), WORKLOAD).searches == 1


def test_a_trial_that_passed_and_was_not_timed_is_no_speedup():
    lines = search(session_of("untimed"), [0.1, 0.2, 0.3, 0.4])
    untimed = [line.model_copy(update={"timed": ()}) if isinstance(line, Trial) else line for line in lines]
    assert curve_of(untimed, WORKLOAD).ceiling == 0.0
    assert curve_of(untimed[:-1], WORKLOAD).ceiling == 0.0, "nothing was timed, so there is no winner to wait for"


def test_fewer_than_three_searches_have_no_interval():
    two = estimate(searches(0, 2, 20, (0.8, 0.5, 0.7)), WORKLOAD)
    assert two.speedup_after(20)[1:] == (None, None)
    assert two.resampled == ()
    early, late = elasticities(two)
    assert early.low is None
    assert late is None, "no search went farther"


def test_speed_doubles_less_and_less_for_a_doubling_of_effort():
    curve = (math.log(2.5), 0.6, 0.8)
    early, late = elasticities(estimate(searches(3, 4, 200, curve), WORKLOAD))
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
    assert (len(digest), len(lines)) == (64, 8)
    path.write_text("not a trace\n")
    with pytest.raises(TraceError, match=r"mine\.jsonl, line 1"):
        read_measurements(path)


def test_a_file_that_is_being_written_is_not_half_read(tmp_path, monkeypatch):
    path = write(tmp_path / "growing.jsonl", searches(0, 1, 5, (0.8, 0.5, 0.7)))
    turns = iter("ab")
    monkeypatch.setattr("hardware.kernels.speedup_curve.digest_of", lambda _: next(turns))
    with pytest.raises(MeasurementError, match="is being written"):
        read_measurements(path)


def test_reading_a_curve_needs_no_torch():
    code = "import sys, hardware.kernels.speedup_curve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
