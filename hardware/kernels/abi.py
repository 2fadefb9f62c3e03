"""Define the call of a compiled kernel for ctypes, as ``native/attention.h`` does for C++. Does not need torch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hardware.kernels.problem import Problem, Shape

DTYPE_CODES: Final = {"fp32": 0, "bf16": 1, "fp16": 2}
SYMBOL: Final = "attention"

Strides = ctypes.c_int64 * 3
"""Strides of batch, head and row."""


class Attention(ctypes.Structure):
    """One call: sizes, strides in numbers, template parameters and addresses."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "heads", "queries", "keys", "head_size")),
        *((name, ctypes.c_int64) for name in ("dtype", "causal", "backward")),
        *((name, Strides) for name in ("q_strides", "k_strides", "v_strides", "dout_strides")),
        ("parameters", ctypes.c_int64 * 16),
        *((name, ctypes.c_void_p) for name in ("q", "k", "v", "dout", "out", "lse", "dq", "dk", "dv")),
    )


def make_call(shape: Shape, problem: Problem, parameters: Sequence[int]) -> Attention:
    """Return a forward call on contiguous inputs, without addresses."""
    call = Attention(*shape, DTYPE_CODES[problem.dtype], int(problem.causal), 0)
    for names, length in ((("q_strides", "dout_strides"), shape.queries), (("k_strides", "v_strides"), shape.keys)):
        row = shape.head_size
        for name in names:
            setattr(call, name, Strides(shape.heads * length * row, length * row, row))
    for at, value in enumerate(parameters):
        call.parameters[at] = value
    return call


def load(library: Path) -> Callable[[Any], int]:
    """Return the function of a compiled candidate. Raises OSError or AttributeError if it is missing."""
    function = getattr(ctypes.CDLL(str(library)), SYMBOL)
    function.argtypes = [ctypes.POINTER(Attention)]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
