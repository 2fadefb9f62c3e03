"""Tests of the fp32 template against a float64 formula: ragged, strided and masked inputs."""

import ctypes
import math
import platform
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hardware.kernels import compiler
from hardware.kernels.candidate import Candidate
from hardware.kernels.families.avx512 import Avx512Family
from hardware.kernels.families.compiled import KernelRefusedError
from hardware.kernels.families.portable import PortableFamily
from hardware.kernels.machine import Machine
from hardware.kernels.problem import EPSILON, Dtype, Problem, Shape


class Narrow(PortableFamily):
    """Vectors of 16 bytes, as NEON and plain x86-64 have them."""

    name = "narrow"
    flags = ("-march=x86-64",) if platform.machine() in ("x86_64", "AMD64") else ()


FORWARD = Problem("fp32", "forward", causal=False)
SHAPES = (
    Shape(1, 1, 1, 1, 64),
    Shape(1, 2, 2, 2, 64),
    Shape(2, 1, 77, 77, 64),
    Shape(1, 2, 200, 77, 64),
    Shape(1, 1, 77, 333, 128),
    Shape(1, 2, 5, 200, 64),
    Shape(1, 1, 16, 96, 64),
    Shape(1, 1, 131, 120, 96),
)
ODD_HEADS = (1, 2, 7, 16, 33, 80, 255, 256)
STREAMED = (Shape(2, 2, 1, 3001, 64), Shape(1, 2, 3, 333, 80), Shape(1, 1, 4, 65, 128), Shape(1, 1, 4, 70, 20))


@pytest.fixture(params=[Avx512Family, PortableFamily, Narrow], ids=lambda kind: kind.name)
def family(request: pytest.FixtureRequest, machine: Machine) -> PortableFamily:
    """Return each vector width of this processor."""
    made: PortableFamily = request.param()
    if lacking := made.unavailable_reason(machine, FORWARD):
        pytest.skip(lacking)
    return made


def inputs(shape: Shape, dtype: torch.dtype = torch.float32, seed: int = 0, strided: bool = False) -> list[Tensor]:
    """Return q, k, v and dout; strided: with heads between rows, and rows that are not aligned."""
    chance = torch.Generator().manual_seed(seed)
    made = []
    for length in (shape.queries, shape.keys, shape.keys, shape.queries):
        whole = torch.randn(shape.batch, length, shape.heads, shape.head_size + 3, generator=chance).to(dtype)
        rows = whole[..., 1 : shape.head_size + 1].transpose(1, 2)
        made.append(rows if strided else rows.contiguous())
    return made


def exact(tensors: list[Tensor], causal: bool) -> list[np.ndarray]:
    """Return out, dq, dk and dv by the textbook formula in float64."""
    q, k, v, dout = (each.double().numpy() for each in tensors)
    queries, keys, scale = q.shape[-2], k.shape[-2], 1 / math.sqrt(q.shape[-1])
    logits = scale * q @ k.swapaxes(-1, -2)
    seen = np.ones((queries, keys), dtype=bool)
    if causal:
        seen = np.arange(keys)[None, :] - keys <= np.arange(queries)[:, None] - queries
    highest = np.where(seen, logits, -1e300).max(-1, keepdims=True)
    powers = np.where(seen, np.exp(np.minimum(logits - highest, 0)), 0)
    total = powers.sum(-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    out = weights @ v
    dweights = dout @ v.swapaxes(-1, -2)
    dlogits = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) * scale
    return [out, dlogits @ k, dlogits.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dout]


def run(family: PortableFamily, candidate: Candidate, tensors: list[Tensor], problem: Problem) -> list[np.ndarray]:
    """Return out, dq, dk and dv of a candidate."""
    kernel = family.kernel(candidate, problem)
    out, kept = kernel.forward(*tensors[:3], keep=True)
    return [each.double().numpy() for each in (out, *kernel.backward(kept, tensors[3]))]


def assert_close(found: list[np.ndarray], true: list[np.ndarray], tolerance: float = 3e-6) -> None:
    for name, got, want in zip(("out", "dq", "dk", "dv"), found, true, strict=True):
        assert np.abs(got - want).max() <= tolerance * (1 + np.abs(want).max()), name


def precise(family: PortableFamily, machine: Machine, problem: Problem, count: int, **fixed: int) -> list[Candidate]:
    """Return the default candidate, then random ones (fixed seed) with the most precise exponential."""
    space, chance = family.space(machine, problem), np.random.default_rng(7)
    drawn = [space.draw(family.name, chance).values | {"degree": 6} | fixed for _ in range(count)]
    return [space.candidate(family.name, fixed), *(space.candidate(family.name, each) for each in drawn if fits(each))]


def fits(values: dict[str, Any]) -> bool:
    return bool(values["accumulators"] >= max(values["width"], values["out_width"]))


@pytest.mark.parametrize("causal", [False, True])
def test_fp32_any_parameters_agree_with_float64(family: PortableFamily, machine: Machine, causal: bool) -> None:
    problem = FORWARD._replace(direction="both", causal=causal)
    candidates = precise(family, machine, problem, 12)
    for number, (shape, strided) in enumerate(product(SHAPES, (False, True))):
        tensors = inputs(shape, seed=number, strided=strided)
        true = exact(tensors, causal)
        for candidate in candidates[number % 2 :: 2]:
            assert_close(run(family, candidate, tensors, problem), true)


@pytest.mark.parametrize("head_size", ODD_HEADS)
def test_fp32_any_head_size_agrees_with_float64(family: PortableFamily, machine: Machine, head_size: int) -> None:
    problem = FORWARD._replace(direction="both", causal=True)
    tensors = inputs(Shape(1, 2, 33, 50, head_size), strided=True)
    for candidate in precise(family, machine, problem, 3):
        assert_close(run(family, candidate, tensors, problem), exact(tensors, True))


@pytest.mark.parametrize("shape", STREAMED, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_fp32_few_queries_agree_with_float64(
    family: PortableFamily, machine: Machine, shape: Shape, causal: bool
) -> None:
    problem = FORWARD._replace(direction="both", causal=causal)
    tensors = inputs(shape, strided=True)
    for prefetch in (0, 16):
        for candidate in precise(family, machine, problem, 3, prefetch=prefetch):
            assert_close(run(family, candidate, tensors, problem), exact(tensors, causal))


def test_fp32_rows_without_visible_keys_are_zero_without_gradient(family: PortableFamily, machine: Machine) -> None:
    problem = FORWARD._replace(direction="both", causal=True)
    for queries, keys in ((77, 1), (100, 20), (300, 70), (5, 2)):
        tensors, blind = inputs(Shape(1, 2, queries, keys, 64)), queries - keys
        for candidate in precise(family, machine, problem, 4):
            found = run(family, candidate, tensors, problem)
            assert_close(found, exact(tensors, True))
            assert not found[0][..., :blind, :].any()
            assert not found[1][..., :blind, :].any()


def test_fp32_large_logits_and_offsets_agree_with_float64(family: PortableFamily, machine: Machine) -> None:
    problem = FORWARD._replace(direction="both")
    q, k, v, dout = inputs(Shape(1, 2, 200, 200, 64))
    for tensors, tolerance in (
        ([q * 30, k * 30, v, dout], 1e-3),
        ([q * 8, k, v, dout], 2e-5),
        ([q, k + 4, v + 4, dout], 2e-5),
    ):
        for candidate in precise(family, machine, problem, 4):
            assert_close(run(family, candidate, tensors, problem), exact(tensors, False), tolerance)


def test_fp32_single_key_with_all_weight_is_exact(family: PortableFamily, machine: Machine) -> None:
    problem = FORWARD._replace(direction="both")
    q, k, v, dout = inputs(Shape(1, 2, 8, 1, 64))
    out, dq, dk, _ = run(family, precise(family, machine, problem, 0)[0], [q * 30, k * 30, v, dout], problem)
    assert (out == v.double().numpy()).all()
    assert not dq.any()
    assert not dk.any()


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("head_size", [64, 40])
def test_fp32_16_bit_inputs_are_as_precise_as_torch(
    family: PortableFamily, machine: Machine, dtype: Dtype, head_size: int
) -> None:
    problem = Problem(dtype, "both", causal=False)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    for shape in (Shape(1, 2, 77, 200, head_size), Shape(1, 2, 1, 333, head_size)):
        tensors = inputs(shape, kind, strided=True)
        leaves = [each.detach().clone().requires_grad_() for each in tensors[:3]]
        out = torch.nn.functional.scaled_dot_product_attention(*leaves)
        torchs = [out.detach(), *torch.autograd.grad(out, leaves, tensors[3])]
        for candidate in precise(family, machine, problem, 2):
            found = run(family, candidate, tensors, problem)
            for got, theirs, true in zip(found, torchs, exact(tensors, False), strict=True):
                allowed = 3 * max(_error(theirs.double().numpy(), true), EPSILON[dtype] * np.abs(true).mean())
                assert _error(got, true) <= allowed


def _error(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - true) ** 2)))


def test_fp32_lower_degree_is_less_precise(family: PortableFamily, machine: Machine) -> None:
    tensors = inputs(Shape(1, 1, 64, 200, 64))
    true, space = exact(tensors, False)[0], family.space(machine, FORWARD)
    errors = []
    for degree in space.choices["degree"]:
        kernel = family.kernel(space.candidate(family.name, {"degree": degree}), FORWARD)
        errors.append(_error(kernel.forward(*tensors[:3])[0].double().numpy(), true))
    assert errors[0] > 5 * errors[1] > 10 * errors[2]
    assert errors[2] < 1e-7
    assert errors[3] < 1e-7


def test_fp32_repeated_calls_give_the_same_bits_and_keep_inputs(family: PortableFamily, machine: Machine) -> None:
    problem = FORWARD._replace(direction="both", causal=True)
    tensors = inputs(Shape(2, 2, 77, 130, 64), strided=True)
    before = [each.clone() for each in tensors]
    for candidate in precise(family, machine, problem, 4):
        first, second = (run(family, candidate, tensors, problem) for _ in range(2))
        assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, tensors, strict=True))


def test_fp32_unsupported_calls_are_refused(family: PortableFamily, machine: Machine) -> None:
    kernel = family.kernel(family.space(machine, FORWARD).candidate(family.name, {}), FORWARD)
    with pytest.raises(KernelRefusedError):
        kernel.forward(*inputs(Shape(1, 1, 8, 8, 257))[:3])


def test_fp32_space_size_is_in_range(family: PortableFamily, machine: Machine) -> None:
    candidates = list(family.space(machine, FORWARD).all(family.name))
    assert 500 <= len(candidates) <= 50_000
    assert all(fits(each.values) for each in candidates)


def test_fp32_roofline_is_measured(family: PortableFamily) -> None:
    library = ctypes.CDLL(str(compiler.build(compiler.NATIVE_DIR / "roofline.cpp", family.flags)))
    for name in ("matrix_rate_fp32", "matrix_rate_bf16", "matrix_rate_fp16", "copy_rate"):
        measure = getattr(library, name)
        measure.restype, measure.argtypes = ctypes.c_double, [ctypes.c_double]
        assert measure(1e-3) > 0
