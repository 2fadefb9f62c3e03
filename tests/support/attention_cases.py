"""Inputs of attention, their exact outputs and those of torch, for the conformance suite and the property tests."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pytest

from hardware.kernels import reference
from hardware.kernels.family import Family, Kernel
from hardware.kernels.machine import Machine
from hardware.kernels.problem import EPSILON, Dtype, Problem, Shape
from hardware.kernels.registry import family
from hardware.kernels.rounding_error import UNDERFLOW_ERROR, rounding

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("normal", "peaky", "huge", "offset", "equal")
RESULTS = ("out", "dq", "dk", "dv")
WRITTEN_OUT = ("eager", "compile")
"""Families with logits in the dtype of the inputs; the others keep them in fp32."""
SHAPES = [
    *(Shape(2, 2, length, length, 32) for length in (1, 2)),
    *(Shape(1, 2, *lengths, 32) for lengths in ((77, 77), (1, 200), (200, 1), (2, 1), (9, 5))),
    *(Shape(1, 1, *lengths, 32) for lengths in ((200, 200), (333, 333), (77, 333), (333, 77))),
]
FEW = [Shape(1, 1, 77, 77, 32), Shape(1, 1, 33, 2, 32)]
"""Families that take seconds: torch.compile compiles each shape, and Triton's interpreter is 10,000 times slower."""


class Case(NamedTuple):
    """One call, all of it in float64, the inputs rounded to the type."""

    inputs: tuple[np.ndarray, ...]
    """q, k, v, dout."""
    exact: tuple[np.ndarray, ...]
    """out, dq, dk, dv."""


def arrays(shape: Shape, kind: str, dtype: str) -> list[np.ndarray]:
    """Draw q, k, v and dout of a kind."""
    batch, heads, queries, keys, size = shape
    chance = np.random.default_rng([*shape, KINDS.index(kind)])
    q, k, v, dout = (chance.normal(size=(batch, heads, length, size)) for length in (queries, keys, keys, queries))
    if kind == "peaky":
        q *= 8
    elif kind == "huge":
        q, k = 30 * q, 30 * k
    elif kind == "offset":
        k, v = k + 4, v + 4
    elif kind == "equal":
        k[:] = k[..., :1, :]
    return [tensor(each, dtype).double().numpy() for each in (q, k, v, dout)]


@functools.cache
def one_thread() -> Any:
    """Return torch with one thread, or skip the test: in small calls two threads wait for each other."""
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing can be measured against it")
    torch.set_num_threads(1)
    return torch


def tensor(array: Any, dtype: str, device: str = "cpu") -> Tensor:
    torch = one_thread()
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    made: Tensor = torch.tensor(array, dtype=dtypes[dtype], device=device)
    return made


@functools.lru_cache(maxsize=500)
def case(shape: Shape, kind: str, dtype: str, causal: bool) -> Case:
    inputs = arrays(shape, kind, dtype)
    return Case(tuple(inputs), exact(inputs, causal))


def exact(inputs: Sequence[np.ndarray], causal: bool) -> tuple[np.ndarray, ...]:
    q, k, v, dout = inputs
    return (reference.forward(q, k, v, causal)[0], *reference.backward(q, k, v, dout, causal))


@functools.lru_cache(maxsize=500)
def library_errors(shape: Shape, kind: str, dtype: str, causal: bool) -> list[tuple[float, float]]:
    given = case(shape, kind, dtype, causal)
    kernel = kernel_of("sdpa", Problem(cast("Dtype", dtype), "both", causal))
    return errors(call(kernel, [tensor(each, dtype) for each in given.inputs]), given.exact)


def slack(inputs: Sequence[np.ndarray], causal: bool, dtype: str, logits: str) -> list[tuple[float, float]]:
    """Return the error that rounding alone makes, over all and in the worst row; ``logits``: the type they are in."""
    q, k, v, dout = inputs
    sizes = rounding(q, k, v, dout, causal, EPSILON[dtype], EPSILON[logits], UNDERFLOW_ERROR[dtype])
    return [reference.rms_errors(each, np.zeros_like(each)) for each in sizes]


@functools.lru_cache(maxsize=1000)
def allowed(shape: Shape, kind: str, dtype: str, causal: bool, logits: str) -> list[tuple[float, float]]:
    if kind == "huge" and logits != "fp32":
        return [(np.inf, np.inf)] * len(RESULTS)  # A logit of 1,000 is rounded by 4: any finite weights are as right.
    return slack(case(shape, kind, dtype, causal).inputs, causal, dtype, logits)


def logits_of(name: str, dtype: str) -> str:
    return dtype if name in WRITTEN_OUT else "fp32"


def errors(results: Iterable[Tensor], exact: Iterable[np.ndarray]) -> list[tuple[float, float]]:
    return [
        reference.rms_errors(got.detach().cpu().double().numpy(), true)
        for got, true in zip(results, exact, strict=True)
    ]


def kernel_of(name: str, problem: Problem, machine: Machine | None = None, **values: Any) -> Kernel:
    """Return a family's kernel: the naive one, or with these parameters."""
    found = family(name)
    space = found.space(cast("Machine", machine), problem)
    return found.kernel(space.candidate(name, dict(space.default) | values), problem)


def usable(name: str, machine: Machine, problem: Problem) -> Family:
    """Return a family, or skip with what this machine lacks."""
    found = family(name)
    if reason := found.unavailable_reason(machine, problem):
        pytest.skip(f"{name}: {reason}")
    return found


def device(name: str) -> str:
    return str(getattr(family(name), "device", "cpu"))


def is_slow(name: str) -> bool:
    return name == "compile" or (name == "triton" and bool(os.environ.get("TRITON_INTERPRET")))


def call(kernel: Kernel, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return out, dq, dk and dv."""
    q, k, v, dout = inputs
    out, kept = kernel.forward(q, k, v, keep=True)
    return (out, *kernel.backward(kept, dout))


def check(
    results: Iterable[Tensor],
    exact: Iterable[np.ndarray],
    library: Iterable[tuple[float, float]],
    allowed: Callable[[], Sequence[tuple[float, float]]],
    problem: Problem,
    where: str,
) -> None:
    """Assert that errors are within a multiple of SDPA's own error, or of rounding if that is larger.

    If the library itself is not finite, nothing is checked. ``allowed`` returns the errors of rounding, which take
    longer than all else. It is called only for a result whose error is above the multiple of SDPA's own error.
    """
    multiples = (problem.tolerance, problem.worst_row)
    for place, (got, theirs) in enumerate(zip(errors(results, exact), library, strict=False)):
        if all(off <= multiple * own for off, multiple, own in zip(got, multiples, theirs, strict=True)):
            continue
        floor = allowed()[place]
        for rows, off, multiple, *least in zip(("", "a row of "), got, multiples, theirs, floor, strict=True):
            limit = multiple * max(least)
            assert off <= limit, f"{where}: {rows}{RESULTS[place]} is off by {off:.3g}, more than {limit:.3g}"
