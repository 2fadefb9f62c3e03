"""Tests of the evaluator: outcomes of correct and failing candidates, and recovery from failures."""

import os

import numpy as np
import pytest

from hardware.kernels import compiler, evaluator, timing
from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.evaluator import KernelEvaluator
from hardware.kernels.machine import Roofline, detect_machine
from hardware.kernels.problem import Problem, Shape, Workload, workload
from hardware.kernels.registry import SDPA
from hardware.kernels.timing import TimingBudget
from hardware.kernels.trace import Timing
from hardware.kernels.worker_client import WorkerFailedError

SMALL = Workload("small", Problem("fp32", "both", True), (Shape(1, 2, 64, 64, 32),), (Shape(1, 2, 96, 96, 32),))
SLOW = Roofline(gflops={"fp32": 1e3, "bf16": 1e3, "fp16": 1e3}, copy_gbs=1e3)


@pytest.fixture(scope="module")
def machine():
    return detect_machine(roofline=False).model_copy(update={"roofline": SLOW})


@pytest.fixture(scope="module")
def bench(machine):
    with KernelEvaluator(SMALL, machine) as found:
        yield found


def test_correct_candidate_passes_and_has_timings(bench):
    outcome = bench.evaluate(
        Candidate("tiled", (("q_block", 32), ("k_block", 32), ("sums", "fp32"), ("rescale", "always")))
    )
    assert (outcome.status, outcome.reason) == ("passed", "")
    (timed,) = outcome.timed
    assert timed.shape == SMALL.tuned[0]
    assert not timed.held_out
    assert 5 <= len(timed.pairs) <= 9
    assert all(mine > 0 and library > 0 for mine, library in timed.pairs)
    assert 0 < timed.error <= SMALL.problem.tolerance
    assert outcome.cpu_s > 0


def test_measure_uses_new_processes_and_held_out_shapes(bench, monkeypatch):
    monkeypatch.setattr(
        "hardware.kernels.evaluator.FULL_BUDGET", TimingBudget(min_rounds=2, max_rounds=2, min_pairs=2, max_pairs=2)
    )
    monkeypatch.setattr("hardware.kernels.evaluator.PRECISION", 1e9)
    before = bench.evaluate(SDPA)
    pids = {caller.process.pid for caller in bench.workers.values()}
    outcome = bench.measure(SDPA)
    assert before.status == outcome.status == "passed"
    assert [(each.shape, each.held_out) for each in outcome.timed] == [
        (SMALL.tuned[0], False),
        (SMALL.held_out[0], True),
    ]
    assert [len(each.pairs) for each in outcome.timed] == [4, 4]
    assert not pids & {caller.process.pid for caller in bench.workers.values()}


def test_measure_with_a_wide_interval_is_inconclusive_and_keeps_its_pairs(bench, monkeypatch):
    monkeypatch.setattr(
        "hardware.kernels.evaluator.FULL_BUDGET", TimingBudget(min_rounds=1, max_rounds=1, min_pairs=3, max_pairs=3)
    )
    monkeypatch.setattr("hardware.kernels.evaluator.PRECISION", 0.0)
    monkeypatch.setattr("hardware.kernels.evaluator.is_inconclusive", lambda timed: True)
    outcome = bench.measure(SDPA)
    assert (outcome.status, outcome.failed_on) == ("inconclusive", "noise")
    assert len(outcome.timed[0].pairs) == 3
    assert bench.measure_self_noise().status == "inconclusive"


@pytest.mark.parametrize(("ratios", "open_question"), [((1.9, 2.1, 2.3), False), ((0.9, 1.0, 1.1), True)])
def test_wide_interval_is_inconclusive_only_if_it_contains_1(ratios, open_question):
    pairs = tuple((1.0, each) for each in ratios)
    far = Timing(shape=SMALL.tuned[0], held_out=False, calls=1, pairs=((1.0, 9.0),) * 3, rounds=(1, 1, 1))
    timed = (far, Timing(shape=SMALL.held_out[0], held_out=True, calls=1, pairs=pairs, rounds=(1, 1, 1)))
    assert evaluator.is_inconclusive(timed) == open_question
    assert evaluator.imprecise_means(timed) == ["held-out"]


def test_time_below_the_roofline_is_implausible(bench, monkeypatch):
    monkeypatch.setattr(timing, "FLOOR_NOISE", 1e6)  # as with a roofline a million times slower
    outcome = bench.evaluate(SDPA)
    assert (outcome.status, outcome.failed_on) == ("implausible", "roofline")


def test_candidate_whose_process_dies_fails_and_the_next_one_passes(bench):
    bench.evaluate(SDPA)
    bench.workers["candidate"].process.kill()
    assert (died := bench.evaluate(SDPA)).status == "wrong"
    assert "ended" in died.reason
    assert bench.evaluate(SDPA).status == "passed"


def test_baseline_whose_process_dies_once_is_restarted(bench):
    bench.evaluate(SDPA)
    bench.workers["sdpa"].process.kill()
    assert bench.evaluate(SDPA).status == "passed"


def test_baseline_that_always_fails_is_inconclusive(bench, monkeypatch):
    def kill_baseline(worker, baseline, *_):
        ended.append(baseline.process.pid)
        baseline.process.kill()
        baseline.process.wait(30)
        raise WorkerFailedError("wrong", "it ended", "call")

    ended = []
    monkeypatch.setattr(evaluator, "time_pairs", kill_baseline)
    outcome = bench.evaluate(SDPA)
    assert len(set(ended)) == 2, "the evaluation is repeated once, with a new worker"
    assert (outcome.status, outcome.failed_on) == ("inconclusive", "harness")


def test_process_is_pinned_to_one_core_only_during_measurements(machine):
    before = os.sched_getaffinity(0)
    with KernelEvaluator(SMALL, machine):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_unavailable_families_fail_to_build_with_a_reason(bench):
    outcome = bench.evaluate(Candidate("amx"))
    assert outcome.status == "failed to build"
    assert "fp32" in outcome.reason or "processor" in outcome.reason
    assert "is unknown" in bench.evaluate(Candidate("avx")).reason


def test_candidate_that_differs_from_the_timed_baseline_is_wrong(bench, monkeypatch):
    monkeypatch.setattr("hardware.kernels.evaluator.CROSS_INPUT_FACTOR", -1.0)
    outcome = bench.evaluate(SDPA)
    assert (outcome.status, outcome.failed_on) == ("wrong", "timed outputs")


def test_limits_are_larger_in_bf16_than_in_fp32(bench, machine):
    asked = Workload("small", Problem("bf16", "forward", False), SMALL.tuned, SMALL.held_out)
    with KernelEvaluator(asked, machine) as other:
        assert other.evaluate(SDPA).status == "passed"
        rough, _ = other.validator.limits(SMALL.tuned[0])["out"]
    fine, _ = bench.validator.limits(SMALL.tuned[0])["out"]
    assert rough > 100 * fine


def test_backward_pass_alone_is_run_and_checked(machine):
    asked = Workload("small", Problem("fp32", "backward", True), SMALL.tuned, SMALL.held_out)
    with KernelEvaluator(asked, machine) as bench:
        assert bench.evaluate(SDPA).status == "passed"


def test_rms_difference_is_a_root_mean_square():
    got, want = np.zeros((1, 1, 2, 4), np.float32), np.zeros((1, 1, 2, 4), np.float32)
    got[0, 0, 1] = 2.0
    assert timing.rms_difference(got, want) == (pytest.approx(np.sqrt(2.0)), 2.0)


def test_build_without_compiler_or_with_an_error_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("ASARA_CACHE", str(tmp_path / "cache"))
    broken = tmp_path / "broken.cpp"
    broken.write_text("int attention( {\n")
    if compiler.find_compiler():
        with pytest.raises(BuildError, match="error"):
            compiler.build(broken)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BuildError, match="install g"):
        compiler.build(broken)


def test_machine_describes_its_hardware(machine):
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert "numpy" in machine.versions
    assert set(machine.instructions) <= {"avx2", "fma", "f16c", "asimd"} | {
        name for name in machine.instructions if name.startswith(("avx512", "amx"))
    }


@pytest.mark.skipif(compiler.find_compiler() is None, reason="there is no C++ compiler")
def test_roofline_of_the_machine_is_measured():
    measured = detect_machine().roofline
    assert measured.gflops["bf16"] >= 0.5 * measured.gflops["fp32"] > 0.5
    assert measured.copy_gbs > 0.1
    assert measured.seconds(1e9 * measured.gflops["fp32"], 0.0, "fp32") == pytest.approx(1.0)
    assert measured.seconds(0.0, 3e9 * measured.copy_gbs, "bf16") == pytest.approx(3.0)


def test_default_workload_exists():
    assert workload("causal", "bf16", "both").full_name == "causal/bf16/both"
