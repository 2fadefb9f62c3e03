"""Tests of the Triton family without a GPU: the conformance suite in the interpreter, and compilation for a GPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.families import triton_flash
from hardware.kernels.problem import DTYPES, Problem
from hardware.kernels.registry import family

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FP32 = Problem("fp32", "both", causal=True)


def no_triton(machine):
    if "triton" not in machine.versions or "torch" not in machine.versions:
        pytest.skip("triton and torch are not both installed")


def test_triton_passes_the_conformance_suite_in_the_interpreter(machine):
    no_triton(machine)
    files = [str(HERE / "test_conformance.py"), str(ROOT / "tests" / "support" / "triton_interpreter.py")]
    which = "(triton or interpreted) and not leak"  # at 0.1 s a call, there are too few calls for this check
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-k", which, *files],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 20


@pytest.mark.parametrize("dtype", DTYPES)
def test_triton_compiles_for_a_gpu_ahead_of_time(dtype, machine):
    no_triton(machine)
    if triton_flash.is_interpreted():
        pytest.skip("Triton interprets here (TRITON_INTERPRET is set), so it does not compile")
    problem = Problem(dtype, "both", causal=True)
    # Without tensor cores, fp32 is written out number by number: small tiles compile in a second.
    edge, head_size = (16, 16) if dtype == "fp32" else (32, 64)
    space = family("triton").space(machine, problem)
    tiles = {name: edge for name in space.choices if name.endswith("_block")}
    sizes = triton_flash.compile_ahead_of_time(space.candidate("triton", tiles), problem, head_size)
    assert list(sizes) == ["forward_kernel", "backward_dq_kernel", "backward_dkdv_kernel"]
    assert min(sizes.values()) > 1000


def test_triton_compile_failure_is_a_build_error(machine):
    no_triton(machine)
    if triton_flash.is_interpreted():
        pytest.skip("Triton interprets here (TRITON_INTERPRET is set), so it does not compile")
    problem = FP32._replace(direction="forward")
    values = dict(family("triton").space(machine, problem).default) | {"precision": "approximately"}
    with pytest.raises(BuildError, match=r"triton: .*approximately"):
        triton_flash.compile_ahead_of_time(Candidate("triton", tuple(values.items())), problem, 16)


def test_triton_unavailable_reason_names_the_missing_part(machine, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    found = family("triton")
    versions = {"torch": "2.13", "triton": "3.9"}
    bare = machine.model_copy(update={"accelerator": "", "versions": versions})
    assert found.unavailable_reason(bare, FP32) == "there is no CUDA GPU"
    assert "triton is not installed" in found.unavailable_reason(
        bare.model_copy(update={"versions": {"torch": "2"}}), FP32
    )
    assert "times kernels only on the processor" in found.unavailable_reason(
        bare.model_copy(update={"accelerator": "H200"}), FP32
    )
    assert found.device == "cuda"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert found.unavailable_reason(bare, FP32) is None
    assert "torch" in found.unavailable_reason(bare.model_copy(update={"versions": {"triton": "3.9"}}), FP32)
    assert found.device == "cpu"
    assert "bf16" in found.unavailable_reason(bare, FP32._replace(dtype="bf16"))


def test_triton_backward_pass_has_separate_tiles(machine):
    forward = family("triton").space(machine, Problem("bf16", "forward", causal=False))
    both = family("triton").space(machine, Problem("bf16", "both", causal=False))
    assert list(forward.choices) == ["q_block", "k_block", "num_warps", "num_stages"]
    assert list(both.choices)[4:] == ["back_q_block", "back_k_block", "back_num_warps", "back_num_stages"]


def test_triton_source_contains_no_autotuning():
    text = (Path(triton_flash.__file__).parent / "triton_kernel.py").read_text()
    assert "autotune" not in text
    assert "heuristics" not in text
