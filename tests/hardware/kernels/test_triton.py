"""The Triton family without a GPU: the battery in the interpreter, and compiled ahead of time for a GPU elsewhere."""

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


def test_passes_the_battery_in_the_interpreter(machine):
    no_triton(machine)
    files = [str(HERE / "test_conformance.py"), str(ROOT / "tests" / "support" / "triton_interpreter.py")]
    which = "(triton or interpreted) and not leak"  # at 0.1 s a call, there are too few calls to tell
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
def test_builds_for_a_gpu_that_is_not_here(dtype, machine):
    no_triton(machine)
    if triton_flash.interpreted():
        pytest.skip("Triton was told to interpret (TRITON_INTERPRET), so it does not compile")
    problem = Problem(dtype, "both", causal=True)
    # Without tensor cores, fp32 is written out number by number: small tiles compile in a second.
    edge, head_size = (16, 16) if dtype == "fp32" else (32, 64)
    space = family("triton").space(machine, problem)
    tiles = {name: edge for name in space.choices if name.endswith("_block")}
    sizes = triton_flash.compile_ahead(space.candidate("triton", tiles), problem, head_size)
    assert list(sizes) == ["forward_kernel", "queries_kernel", "keys_kernel"]
    assert min(sizes.values()) > 1000


def test_what_does_not_build_says_so(machine):
    no_triton(machine)
    if triton_flash.interpreted():
        pytest.skip("Triton was told to interpret (TRITON_INTERPRET), so it does not compile")
    problem = FP32._replace(direction="forward")
    values = dict(family("triton").space(machine, problem).naive) | {"precision": "approximately"}
    with pytest.raises(BuildError, match=r"triton: .*approximately"):
        triton_flash.compile_ahead(Candidate("triton", tuple(values.items())), problem, 16)


def test_says_what_is_lacking(machine, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    found = family("triton")
    versions = {"torch": "2.13", "triton": "3.9"}
    bare = machine.model_copy(update={"accelerator": "", "versions": versions})
    assert found.missing(bare, FP32) == "there is no CUDA GPU"
    assert "triton is not installed" in found.missing(bare.model_copy(update={"versions": {"torch": "2"}}), FP32)
    assert "times on the processor only" in found.missing(bare.model_copy(update={"accelerator": "H200"}), FP32)
    assert found.device == "cuda"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert found.missing(bare, FP32) is None
    assert "torch" in found.missing(bare.model_copy(update={"versions": {"triton": "3.9"}}), FP32)
    assert found.device == "cpu"
    assert "bf16" in found.missing(bare, FP32._replace(dtype="bf16"))


def test_the_backward_pass_has_tiles_of_its_own(machine):
    forward = family("triton").space(machine, Problem("bf16", "forward", causal=False))
    both = family("triton").space(machine, Problem("bf16", "both", causal=False))
    assert list(forward.choices) == ["q_block", "k_block", "num_warps", "num_stages"]
    assert list(both.choices)[4:] == ["back_q_block", "back_k_block", "back_num_warps", "back_num_stages"]


def test_tunes_itself_nowhere():
    text = (Path(triton_flash.__file__).parent / "triton_kernel.py").read_text()
    assert "autotune" not in text
    assert "heuristics" not in text
