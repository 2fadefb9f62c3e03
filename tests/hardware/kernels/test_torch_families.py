"""Tests specific to the torch families; the conformance suite tests what all families share."""

import pytest

from hardware.kernels.candidate import Candidate
from hardware.kernels.compiler import BuildError
from hardware.kernels.families.torch_base import count_lines
from hardware.kernels.problem import Problem
from hardware.kernels.registry import family
from tests.support.attention_cases import FEW, case, kernel_of, one_thread, tensor, usable

FP32 = Problem("fp32", "both", causal=False)


@pytest.mark.parametrize("name", ["eager", "sdpa", "compile", "tiled"])
def test_unavailable_reason_without_torch_names_it(name, machine):
    bare = machine.model_copy(update={"versions": {}, "compiler": "g++"})
    assert family(name).unavailable_reason(bare, FP32) == "torch is not installed: install asara[kernels]"


def test_compile_needs_a_compiler(machine):
    bare = machine.model_copy(update={"compiler": ""})
    assert "no C++ compiler" in family("compile").unavailable_reason(bare, FP32)


def test_compile_failure_is_a_build_error(machine, monkeypatch):
    usable("compile", machine, FP32)
    one_thread()
    from torch._inductor import config

    # A compiler that is not there, and a shape that no other test compiles.
    monkeypatch.setattr(config.cpp, "cxx", ("/nowhere/g++",))
    monkeypatch.setattr(config, "force_disable_caches", True)
    q = tensor([[[[0.5] * 19] * 3]], "fp32")
    with pytest.raises(BuildError, match=r"torch\.compile: .*"):
        kernel_of("compile", FP32).forward(q, q, q)


def test_kernels_work_with_gradients_disabled():
    torch = one_thread()
    inputs = [tensor(each, "fp32") for each in case(FEW[0], "normal", "fp32", False).inputs]
    for name in ("eager", "sdpa", "tiled"):
        with torch.no_grad():
            out, kept = kernel_of(name, FP32).forward(*inputs[:3], keep=True)
            assert not out.requires_grad
            assert len(kernel_of(name, FP32).backward(kept, inputs[3])) == 3


def test_tiled_with_invalid_parameters_raises(machine):
    space = family("tiled").space(machine, FP32)
    with pytest.raises(ValueError, match="tiled: q_block = 48 is not one of"):
        space.candidate("tiled", {"q_block": 48})
    with pytest.raises(ValueError, match="sums = 'mixed'"):
        space.candidate("tiled", {"sums": "mixed"})
    assert len(list(space.all("tiled"))) == 72


def test_families_without_parameters_have_one_candidate(machine):
    for name in ("eager", "sdpa", "compile"):
        assert list(family(name).space(machine, FP32).all(name)) == [Candidate(name)]
        assert family(name).library(Candidate(name), FP32) == ""


def test_count_lines_ignores_comments_docstrings_and_layout():
    code = '''
"""A docstring."""

# a comment
X = [
    1,
    2,
]
"""Of X."""


def f(x):
    """Only this."""
'''
    assert count_lines(code) == 3  # X, def, pass
