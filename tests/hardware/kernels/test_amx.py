"""Tests of the AMX template against a float64 formula: ragged, strided and masked inputs, random parameters."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as sdpa

from hardware.kernels.candidate import Candidate
from hardware.kernels.families.amx import AmxFamily
from hardware.kernels.families.compiled import CompiledKernel, KernelRefusedError
from hardware.kernels.machine import Machine
from hardware.kernels.problem import EPSILON, Problem, Shape
from hardware.kernels.rounding_error import rounding

BOTH = Problem("bf16", "both", causal=False)
FAST = {"q_block": 32, "k_block": 128, "exponential": 0, "rescale": 2, "overlap": 2}
SHAPES = (
    Shape(1, 1, 1, 1, 64),
    Shape(1, 2, 2, 2, 64),
    Shape(2, 1, 77, 77, 64),
    Shape(1, 2, 200, 77, 64),
    Shape(1, 2, 77, 333, 128),
    Shape(1, 1, 333, 200, 128),
    Shape(1, 1, 1, 3001, 64),
    Shape(1, 1, 5, 333, 96),
    Shape(1, 1, 33, 50, 1),
    Shape(1, 1, 50, 33, 255),
    Shape(1, 1, 1, 70, 256),
)
KINDS = ("normal", "peaky", "huge", "offset", "equal", "zero")


@pytest.fixture
def amx(machine: Machine) -> Iterator[AmxFamily]:
    family = AmxFamily()
    if lacking := family.unavailable_reason(machine, BOTH):
        pytest.skip(lacking)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield family
    torch.set_num_threads(threads)


def kernel(family: AmxFamily, causal: bool = False, values: dict[str, int] | None = None) -> CompiledKernel:
    problem = BOTH._replace(causal=causal)
    space = family.space(None, problem)
    return family.kernel(space.candidate("amx", values or {}), problem)


def inputs(shape: Shape, kind: str = "normal", seed: int = 0, strided: bool = False) -> list[Tensor]:
    """Return q, k, v and dout; strided: with heads between rows, and rows that are not aligned."""
    chance = torch.Generator().manual_seed(seed)
    made = []
    for name, length in zip("qkvo", (shape.queries, shape.keys, shape.keys, shape.queries), strict=True):
        whole = torch.randn(shape.batch, length, shape.heads, shape.head_size + 3, generator=chance)
        if kind == "zero" and name != "o":
            whole = whole * 0
        if kind == "equal" and name == "k":
            whole = whole[:, :1].expand_as(whole)
        factor = {("peaky", "q"): 8, ("huge", "q"): 30, ("huge", "k"): 30}.get((kind, name), 1)
        offset = 4 if kind == "offset" and name in "kv" else 0
        rows = (whole * factor + offset).bfloat16()[..., 1 : shape.head_size + 1].transpose(1, 2)
        made.append(rows if strided else rows.contiguous())
    return made


def seen(queries: int, keys: int, causal: bool) -> np.ndarray:
    if not causal:
        return np.ones((queries, keys), dtype=bool)
    return np.arange(keys)[None, :] - keys <= np.arange(queries)[:, None] - queries


def exact(tensors: list[Tensor], causal: bool) -> list[np.ndarray]:
    """Return out, dq, dk and dv by the textbook formula in float64."""
    q, k, v, dout = (each.double().numpy() for each in tensors)
    scale, visible = 1 / math.sqrt(q.shape[-1]), seen(q.shape[-2], k.shape[-2], causal)
    logits = scale * q @ k.swapaxes(-1, -2)
    highest = np.where(visible, logits, -1e300).max(-1, keepdims=True)
    powers = np.where(visible, np.exp(np.minimum(logits - highest, 0)), 0)
    total = powers.sum(-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    dweights = dout @ v.swapaxes(-1, -2)
    dlogits = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) * scale
    return [weights @ v, dlogits @ k, dlogits.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dout]


def library(tensors: list[Tensor], causal: bool) -> list[Tensor]:
    """Return out, dq, dk and dv of torch; a row without visible keys is 0."""
    q, k, v = (each.detach().clone().requires_grad_() for each in tensors[:3])
    visible = torch.tensor(seen(q.shape[-2], k.shape[-2], causal))
    out = sdpa(q, k, v, attn_mask=visible if causal else None)
    out.backward(tensors[3])
    return [each.detach().nan_to_num(0.0) for each in (out, q.grad, k.grad, v.grad)]


def called(made: CompiledKernel, tensors: list[Tensor]) -> list[Tensor]:
    out, kept = made.forward(*tensors[:3], keep=True)
    return [out, *made.backward(kept, tensors[3])]


def check(made: CompiledKernel, tensors: list[Tensor], causal: bool, times: float = 3.0, row: float = 5.0) -> None:
    """Check that errors are at most a multiple of the library's error or the rounding error, in total and per row."""
    truth = exact(tensors, causal)
    numbers = [each.double().numpy() for each in tensors]
    slack = rounding(*numbers, causal, EPSILON["bf16"], EPSILON["fp32"])
    for got, true, theirs, sizes in zip(called(made, tensors), truth, library(tensors, causal), slack, strict=True):
        mine, other = (np.square(each.double().numpy() - true) for each in (got, theirs))
        least = np.square(sizes)
        assert mine.mean() <= times**2 * max(other.mean(), least.mean())
        assert mine.mean(-1).max() <= row**2 * max(other.mean(-1).max(), least.mean(-1).max())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("values", [{}, FAST], ids=["naive", "fast"])
def test_amx_any_call_agrees_with_float64(amx: AmxFamily, shape: Shape, causal: bool, values: dict[str, int]) -> None:
    check(kernel(amx, causal, values), inputs(shape), causal)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rescale", [0, 1, 2])
@pytest.mark.parametrize("exponential", [0, 4])
def test_amx_input_kinds_agree_with_float64(amx: AmxFamily, kind: str, rescale: int, exponential: int) -> None:
    values = FAST | {"rescale": rescale, "exponential": exponential, "k_block": 64}
    check(kernel(amx, True, values), inputs(Shape(1, 2, 200, 333, 64), kind), True)


def test_amx_drawn_parameters_agree_with_float64(amx: AmxFamily) -> None:
    chance = np.random.default_rng(3)
    space = amx.space(None, BOTH)
    tensors = inputs(Shape(1, 1, 230, 333, 64), seed=5)
    for _ in range(20):
        drawn = space.draw("amx", chance).values
        causal = bool(chance.integers(2))
        rough = drawn["exponential"] == 1
        check(kernel(amx, causal, drawn), tensors, causal, *((60.0, 60.0) if rough else (3.0, 5.0)))


def test_amx_exponential_of_degree_one_is_too_imprecise(amx: AmxFamily) -> None:
    tensors = inputs(Shape(1, 1, 77, 333, 64), "peaky")
    with pytest.raises(AssertionError):
        check(kernel(amx, False, {"exponential": 1}), tensors, False)


@pytest.mark.parametrize("shape", [Shape(2, 3, 77, 200, 64), Shape(2, 2, 1, 99, 64), Shape(1, 2, 40, 33, 70)], ids=str)
def test_amx_strided_inputs_give_the_same_result(amx: AmxFamily, shape: Shape) -> None:
    made = kernel(amx, True, FAST)
    plain = called(made, inputs(shape, seed=1))
    strided = called(made, inputs(shape, seed=1, strided=True))
    assert all(torch.equal(*each) for each in zip(plain, strided, strict=True))


def test_amx_rows_without_visible_keys_are_zero(amx: AmxFamily) -> None:
    tensors = inputs(Shape(1, 1, 150, 40, 64))
    out, dq, _, _ = called(kernel(amx, True, FAST), tensors)
    assert not out[:, :, :110].any()
    assert not dq[:, :, :110].any()
    assert out[:, :, 110:].any(-1).all()


def test_amx_repeated_calls_give_the_same_bits_and_keep_inputs(amx: AmxFamily) -> None:
    tensors = inputs(Shape(2, 2, 200, 77, 64))
    copies = [each.clone() for each in tensors]
    made = kernel(amx, True, FAST)
    first = called(made, tensors)
    called(kernel(amx, False, FAST), inputs(Shape(1, 1, 500, 600, 128), "huge"))
    assert all(torch.equal(*each) for each in zip(first, called(made, tensors), strict=True))
    assert all(torch.equal(*each) for each in zip(copies, tensors, strict=True))


def test_amx_unsuitable_bound_falls_back_to_the_maximum(amx: AmxFamily) -> None:
    """One long key in the other direction makes the bound so wide that all probabilities vanish below it."""
    tensors = inputs(Shape(1, 1, 64, 64, 64))
    q, k = tensors[0].abs(), tensors[1].abs() * 0.1
    k[0, 0, 7] = -20
    check(kernel(amx, False, FAST), [q, k, *tensors[2:]], False)


def test_amx_call_leaves_torch_correct(amx: AmxFamily) -> None:
    tensors = inputs(Shape(1, 2, 256, 256, 64))
    before = library(tensors, True)
    called(kernel(amx, True, FAST), tensors)
    assert all(torch.equal(*each) for each in zip(before, library(tensors, True), strict=True))


def test_amx_unsupported_calls_are_refused(amx: AmxFamily) -> None:
    made = kernel(amx)
    q = torch.zeros(1, 1, 4, 257, dtype=torch.bfloat16)
    with pytest.raises(KernelRefusedError):
        made.forward(q, q, q)
    path, values = amx.library(Candidate("amx"), BOTH), [32, 33, 0, 0, 0, 32, 32, 0]
    with pytest.raises(KernelRefusedError):
        CompiledKernel(path, values, BOTH).forward(*inputs(Shape(1, 1, 4, 4, 64))[:3])
    with pytest.raises(KernelRefusedError):
        CompiledKernel(path, [32] * 8, BOTH._replace(dtype="fp32")).forward(*inputs(Shape(1, 1, 4, 4, 64))[:3])


def test_amx_space_size_is_in_range(machine: Machine) -> None:
    for direction in ("forward", "both"):
        space = AmxFamily().space(machine, BOTH._replace(direction=direction))
        assert 500 <= math.prod(len(choices) for choices in space.choices.values()) <= 50_000


def test_amx_unavailable_reason_names_the_missing_part(machine: Machine) -> None:
    without = machine.model_copy(update={"instructions": ("avx512f",)})
    assert "amx_tile" in (AmxFamily().unavailable_reason(without, BOTH) or "")
    everything = machine.model_copy(update={"instructions": AmxFamily.needs, "compiler": "a compiler"})
    assert "bf16" in (AmxFamily().unavailable_reason(everything, BOTH._replace(dtype="fp32")) or "")
