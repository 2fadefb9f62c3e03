"""The conformance suite of all kernel families that this machine supports."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hardware.kernels.problem import DTYPES, Problem, Shape
from hardware.kernels.registry import NAMES, families, family
from tests.support.attention_cases import (
    FEW,
    KINDS,
    SHAPES,
    allowed,
    call,
    case,
    check,
    device,
    errors,
    is_slow,
    kernel_of,
    library_errors,
    logits_of,
    one_thread,
    tensor,
    usable,
)

# Torch's own compiler still imports what torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
MIB = 2**20


def numbers(results):
    return [each.detach().cpu().double().numpy() for each in results]


def inputs_of(name, shape, dtype, causal=False, kind="normal"):
    return [tensor(each, dtype, device(name)) for each in case(shape, kind, dtype, causal).inputs]


@pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_family_agrees_with_float64(name, dtype, causal, machine):
    problem = Problem(dtype, "both", causal)
    usable(name, machine, problem)
    kernel = kernel_of(name, problem, machine)
    for shape in FEW if is_slow(name) else SHAPES:
        for kind in KINDS:
            which = (shape, kind, dtype, causal)
            results = call(kernel, inputs_of(name, shape, dtype, causal, kind))
            floor = partial(allowed, *which, logits_of(name, dtype))
            check(results, case(*which).exact, library_errors(*which), floor, problem, f"{kind}, {shape}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_family_forward_without_state_agrees_with_float64(name, dtype, machine):
    problem, shape = Problem(dtype, "forward", causal=True), FEW[0]
    usable(name, machine, problem)
    out, kept = kernel_of(name, problem, machine).forward(*inputs_of(name, shape, dtype)[:3])
    assert kept is None
    assert str(out.dtype) == str(tensor(0.0, dtype).dtype)
    which = (shape, "normal", dtype, True)
    theirs, floor = library_errors(*which)[0], allowed(*which, logits_of(name, dtype))[0]
    got = errors([out], case(*which).exact[:1])[0]
    assert all(off <= 3 * max(least) for off, *least in zip(got, theirs, floor, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_family_query_without_visible_keys_is_zero_without_gradient(name, dtype, machine):
    problem, shape = Problem(dtype, "both", causal=True), FEW[1]
    usable(name, machine, problem)
    kernel = kernel_of(name, problem, machine)
    inputs = inputs_of(name, shape, dtype)
    blind = shape.queries - shape.keys
    out, dq, *others = numbers(call(kernel, inputs))
    assert not out[..., :blind, :].any()
    assert not dq[..., :blind, :].any()
    inputs[3][..., :blind, :] = 100.0
    for before, after in zip(others, numbers(call(kernel, inputs))[2:], strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dtype", DTYPES)
def test_family_repeated_calls_give_the_same_bits_and_keep_inputs(name, dtype, machine):
    problem = Problem(dtype, "both", causal=True)
    usable(name, machine, problem)
    kernel = kernel_of(name, problem, machine)
    inputs = inputs_of(name, FEW[0], dtype)
    first = numbers(call(kernel, inputs))
    for given, before in zip(inputs, case(FEW[0], "normal", dtype, False).inputs, strict=True):
        np.testing.assert_array_equal(given.cpu().double().numpy(), before)
        assert given.grad is None
        assert not given.requires_grad
    for other in (kernel, kernel_of(name, problem, machine)):
        for one, two in zip(first, numbers(call(other, inputs)), strict=True):
            np.testing.assert_array_equal(one, two)


def test_family_later_call_keeps_earlier_results(name, machine):
    problem = Problem(first_dtype(name, machine), "both", causal=False)
    kernel = kernel_of(name, problem, machine)
    *qkv, dout = inputs_of(name, FEW[0], problem.dtype)
    out, kept = kernel.forward(*qkv, keep=True)
    kernel.forward(*(each + 1 for each in qkv), keep=True)
    results = (out, *kernel.backward(kept, dout))
    before = numbers(results)
    call(kernel, [each * 2 for each in (*qkv, dout)])
    for one, two in zip(before, numbers(results), strict=True):
        np.testing.assert_array_equal(one, two)


def test_family_ten_thousand_calls_leak_no_memory(name, machine):
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not report the memory of a process (/proc/self/statm)")
    problem, shape = Problem(first_dtype(name, machine), "both", causal=True), FEW[1]._replace(queries=2)
    kernel = kernel_of(name, problem, machine)
    inputs = inputs_of(name, shape, problem.dtype)
    # Triton's interpreter takes 0.1 s a call: 20 of them find what keeps whole inputs.
    calls = 20 if os.environ.get("TRITON_INTERPRET") else 10_000
    for _ in range(calls // 10):
        call(kernel, inputs)
    before = resident()
    for _ in range(calls):
        call(kernel, inputs)
    assert resident() - before < 3 * MIB


def resident() -> int:
    """Return the memory of this process [bytes]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def first_dtype(name, machine):
    """Return the first dtype that a family supports here; skip the test if there is none."""
    fits = [
        dtype for dtype in DTYPES if not family(name).unavailable_reason(machine, Problem(dtype, "both", causal=True))
    ]
    if not fits:
        usable(name, machine, Problem("fp32", "both", causal=True))
    return fits[0]


@pytest.mark.parametrize("name", NAMES)
def test_family_has_name_and_summary(name):
    found = family(name)
    assert found.name == name
    assert found.summary
    assert "\n" not in found.summary
    assert found.backend in {"torch", "native"}
    assert found.lines > 5 or name == "foreign"


@pytest.mark.parametrize("dtype", DTYPES)
def test_default_candidate_is_in_the_space(name, dtype, machine):
    problem = Problem(dtype, "both", causal=False)
    space = usable(name, machine, problem).space(machine, problem)
    naive = space.candidate(name, space.default)
    assert naive.values == dict(space.default)
    assert space.draw(name, np.random.default_rng(0)).family == name
    assert {each.family for each in space.neighbours(naive)} <= {name}


def test_family_is_registered(machine):
    assert tuple(each.name for each in families()) == NAMES
    for portable in ("eager", "sdpa", "tiled"):
        lacking = family(portable).unavailable_reason(machine, Problem("fp32", "forward", causal=False))
        assert lacking is None or "torch" in lacking


# Wrong kernels, each with one defect, that the conformance suite must reject.


def by_hand(q, k, v, causal, *, scale=1.0, shift=0, safe=True, dtype=None, exact_powers=True, tail=1):
    torch = one_thread()
    q, k, v = (each.to(dtype).float() if dtype else each.float() for each in (q, k, v))
    logits = q @ k.mT * scale * q.shape[-1] ** -0.5
    if causal:
        logits = logits.masked_fill(torch.ones(logits.shape[-2:]).triu(1 + shift).bool(), -torch.inf)
    k, v = (each[..., : each.shape[-2] // tail * tail, :] for each in (k, v))
    logits = logits[..., : k.shape[-2]]
    logits = logits - logits.amax(-1, keepdim=True) if safe else logits
    powers = logits.exp() if exact_powers else (1 + logits.clamp(min=-1000) / 1024) ** 1024
    return powers / powers.sum(-1, keepdim=True) @ v


def caught(kind, shape=FEW[0], causal=False, **wrong):
    torch = one_thread()
    q, k, v, _ = (tensor(each, "fp32") for each in case(shape, kind, "fp32", causal).inputs)
    if "dtype" in wrong:
        wrong["dtype"] = getattr(torch, wrong["dtype"])
    out = by_hand(q, k, v, causal, **wrong)
    which = (shape, kind, "fp32", causal)
    parts = ([out], case(*which).exact[:1], library_errors(*which)[:1], partial(allowed, *which, "fp32"))
    try:
        check(*parts, Problem("fp32", "forward", causal), "")
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_conformance_suite_passes_a_correct_kernel(kind):
    assert not caught(kind)
    assert not caught(kind, causal=True)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("normal", {"scale": 1.00001}),
        ("normal", {"dtype": "bfloat16"}),
        ("normal", {"causal": True, "shift": 1}),
        ("normal", {"causal": True, "shift": -1, "shape": Shape(1, 1, 8, 9, 32)}),
        ("normal", {"exact_powers": False}),
        ("normal", {"tail": 64}),
        ("huge", {"safe": False}),
    ],
    ids=str,
)
def test_conformance_suite_fails_a_wrong_kernel(kind, wrong):
    assert caught(kind, **wrong)
