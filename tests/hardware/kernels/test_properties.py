"""Tests that any shape, memory layout, scale, dtype and mask agree with float64."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hardware.kernels.problem import DTYPES, Problem, Shape
from hardware.kernels.registry import family
from tests.support.attention_cases import call, check, errors, exact, kernel_of, logits_of, slack, tensor, usable
from tests.support.properties import examples
from tests.support.tensor_layouts import LAYOUTS

ON_A_PROCESSOR = ("eager", "sdpa", "tiled", "portable", "avx512", "amx")
"""Families that need no build for a shape."""


class Draw(NamedTuple):
    shape: Shape
    dtype: str
    """Or, where a family takes others only, one of those, by the seed."""
    causal: bool
    scales: tuple[float, float, float, float]
    layouts: tuple[str, str, str, str]
    seed: int


def four(strategy):
    return st.tuples(strategy, strategy, strategy, strategy)


SIZES = st.one_of(st.integers(1, 48), st.sampled_from((64, 65, 80, 96, 128)))
LENGTHS = st.one_of(st.integers(1, 20), st.integers(21, 90))
DRAWS = st.builds(
    Draw,
    st.builds(Shape, st.integers(1, 3), st.integers(1, 3), LENGTHS, LENGTHS, SIZES),
    st.sampled_from(DTYPES),
    st.booleans(),
    four(st.sampled_from((0.01, 0.3, 1.0, 5.0))),
    four(st.sampled_from(sorted(LAYOUTS))),
    st.integers(0, 2**32),
)
ODD = Draw(
    Shape(2, 3, 19, 31, 33), "bf16", True, (1.0, 5.0, 1.0, 0.3), ("columns", "cut out", "expanded", "transposed"), 1
)


def problem_of(draw: Draw) -> Problem:
    """Small shapes vary more around the typical error than the thousands of numbers of a workload."""
    return Problem(draw.dtype, "both", draw.causal, tolerance=6.0, worst_row=9.0)


def tensors(draw: Draw):
    batch, heads, queries, keys, size = draw.shape
    chance = np.random.default_rng(draw.seed)
    made = []
    for length, scale, layout in zip((queries, keys, keys, queries), draw.scales, draw.layouts, strict=True):
        numbers = scale * chance.normal(size=(batch, heads, length, size))
        made.append(LAYOUTS[layout](tensor(numbers, draw.dtype)))
    return made


@pytest.mark.parametrize("name", ON_A_PROCESSOR)
@examples(40)
@given(draw=DRAWS)
@example(draw=ODD)
@example(draw=ODD._replace(dtype="fp32", shape=Shape(1, 2, 40, 3, 7)))
def test_any_call_agrees_with_float64(name, machine, draw):
    fits = [
        each for each in DTYPES if not family(name).unavailable_reason(machine, problem_of(draw._replace(dtype=each)))
    ]
    if not fits:
        usable(name, machine, problem_of(draw))
    draw = draw._replace(dtype=fits[draw.seed % len(fits)])
    problem = problem_of(draw)
    given_tensors = tensors(draw)
    numbers = [each.double().numpy() for each in given_tensors]
    true = exact(numbers, draw.causal)
    theirs = errors(call(kernel_of("sdpa", problem), given_tensors), true)
    results = call(kernel_of(name, problem, machine), given_tensors)
    floor = partial(slack, numbers, draw.causal, draw.dtype, logits_of(name, draw.dtype))
    check(results, true, theirs, floor, problem, str(draw))
    for each, before in zip(given_tensors, numbers, strict=True):
        np.testing.assert_array_equal(each.double().numpy(), before)


@examples(30)
@given(draw=DRAWS, seed=st.integers(0, 2**32))
def test_any_tile_sizes_agree_with_float64(machine, draw, seed):
    problem = problem_of(draw)
    found = usable("tiled", machine, problem)
    candidate = found.space(machine, problem).draw("tiled", np.random.default_rng(seed))
    # Matrix products in the inputs' type round the logits to it.
    logits = draw.dtype if candidate.values["sums"] == "mixed" else "fp32"
    given_tensors = tensors(draw)
    numbers = [each.double().numpy() for each in given_tensors]
    true = exact(numbers, draw.causal)
    theirs = errors(call(kernel_of("sdpa", problem), given_tensors), true)
    floor = partial(slack, numbers, draw.causal, draw.dtype, logits)
    check(call(found.kernel(candidate, problem), given_tensors), true, theirs, floor, problem, f"{draw} {candidate}")
