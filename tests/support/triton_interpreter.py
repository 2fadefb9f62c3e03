"""Tests of the Triton family in Triton's interpreter, in addition to the conformance suite.

test_triton.py runs them in a separate process, because Triton reads TRITON_INTERPRET when it is first imported.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from hardware.kernels.problem import Dtype, Problem, Shape
from tests.support.attention_cases import call, case, check, errors, exact, kernel_of, slack, tensor
from tests.support.tensor_layouts import LAYOUTS

TILES = [(16, 32), (128, 16)]
SIZES = [16, 24, 64, 128]


def hold(
    shape: Shape, causal: bool, layouts: Sequence[str] = ("contiguous",) * 4, dtype: Dtype = "fp32", **values: Any
) -> None:
    problem = Problem(dtype, "both", causal)
    inputs = [
        LAYOUTS[layout](tensor(each, dtype))
        for layout, each in zip(layouts, case(shape, "normal", dtype, causal).inputs, strict=True)
    ]
    numbers = [each.double().numpy() for each in inputs]
    true = exact(numbers, causal)
    theirs = errors(call(kernel_of("sdpa", problem), inputs), true)
    results = call(kernel_of("triton", problem, None, **values), inputs)
    check(results, true, theirs, partial(slack, numbers, causal, dtype, "fp32"), problem, f"{shape} {values}")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("rows", "columns"), TILES)
def test_interpreter_any_tile_size_agrees_with_float64(rows: int, columns: int, causal: bool) -> None:
    tiles: dict[str, Any] = {"q_block": rows, "k_block": columns, "back_q_block": columns, "back_k_block": rows}
    hold(Shape(1, 1, 45, 51, 32), causal, **tiles)


@pytest.mark.parametrize("size", SIZES)
def test_interpreter_any_head_size_agrees_with_float64(size: int) -> None:
    hold(Shape(1, 1, 20, 20, size), True, q_block=16, k_block=16)


@pytest.mark.parametrize(
    "layouts",
    [
        ("transposed", "every second", "cut out", "columns"),
        ("columns", "expanded", "transposed", "every second"),
    ],
)
def test_interpreter_any_layout_agrees_with_float64(layouts: tuple[str, ...]) -> None:
    hold(Shape(2, 2, 18, 20, 16), False, layouts, dtype="fp16", q_block=32, k_block=32)


def test_interpreter_too_large_head_is_refused() -> None:
    q = tensor([[[[0.0] * 160]]], "fp32")
    with pytest.raises(ValueError, match="head size 160 is more than 128"):
        kernel_of("triton", Problem("fp32", "forward", causal=False)).forward(q, q, q)
