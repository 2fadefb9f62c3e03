"""Tests of problems, layouts, storage, random inputs and parameter spaces."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hardware.kernels import reference
from hardware.kernels.buffer_layout import ALIGNMENT, layout
from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.dtypes import STORAGE, from_storage, to_storage
from hardware.kernels.problem import (
    BYTES,
    DIRECTIONS,
    DTYPES,
    NAMES,
    Problem,
    Shape,
    flops,
    traffic,
    visible_pairs,
    workload,
)
from hardware.kernels.random_inputs import KINDS, RandomInputs, make_input

sizes = st.integers(1, 40)
shapes = st.builds(Shape, st.integers(1, 3), st.integers(1, 3), sizes, sizes, st.integers(1, 70))
problems = st.builds(Problem, st.sampled_from(DTYPES), st.sampled_from(DIRECTIONS), st.booleans())


@pytest.mark.parametrize("name", NAMES)
def test_held_out_shapes_are_not_tuned(name):
    found = workload(name)
    assert found.tuned
    assert found.held_out
    assert not set(found.tuned) & set(found.held_out)
    assert found.problem.causal == (name == "causal")


@pytest.mark.parametrize(
    "wrong", [("shorts",), ("short", "fp64"), ("short", "fp32", "sideways"), ("decode", "fp32", "both")]
)
def test_unknown_workload_raises_with_allowed_values(wrong):
    with pytest.raises(ValueError, match=r"allowed: |forward only"):
        workload(*wrong)


@given(sizes, sizes, st.booleans())
def test_visible_pairs_equal_those_of_the_reference(queries, keys, causal):
    assert visible_pairs(Shape(1, 1, queries, keys, 1), causal) == reference.visible_mask(queries, keys, causal).sum()


def test_operations_and_bytes_of_a_call_counted_by_hand():
    shape = Shape(2, 3, 4, 5, 8)
    forward, backward, both = (Problem("bf16", direction, False) for direction in DIRECTIONS)
    assert flops(shape, forward) == 2 * 3 * (4 * 5) * 8 * 2 * 2
    assert flops(shape, backward) == 2.5 * flops(shape, forward)
    assert flops(shape, both) == 3.5 * flops(shape, forward)
    assert traffic(shape, forward) == 2 * 3 * 8 * (4 + 5 + 5 + 4) * 2
    assert traffic(shape, both) == traffic(shape, forward) + traffic(shape, backward)


@given(shapes, problems, st.integers(1, 4))
def test_layout_slots_do_not_overlap(shape, problem, slots):
    where = layout(shape, problem, slots)
    for side, end in ((where.inputs, where.input_bytes), (where.outputs, where.output_bytes)):
        places = sorted(place for slot in side for place in slot.values())
        assert all(first.end <= second.offset for first, second in itertools.pairwise(places))
        assert all(place.offset % ALIGNMENT == 0 for place in places)
        assert places[-1].end == end
    assert where.inputs[0]["k"].item_count == shape.batch * shape.heads * shape.keys * shape.head_size
    assert where.outputs[0]["dv"].item_bytes == BYTES[problem.dtype]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50), st.sampled_from(DTYPES))
def test_to_storage_rounds_as_torch(numbers, dtype):
    names = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    exact = np.array(numbers, dtype=np.float32)
    stored = to_storage(exact, dtype)
    assert stored.dtype == STORAGE[dtype]
    assert np.array_equal(from_storage(stored, dtype), torch.from_numpy(exact).to(names[dtype]).float().numpy())


def test_random_inputs_are_normal_and_differ():
    fresh = RandomInputs("fp32")
    first, second = np.empty(100_000, np.float32), np.empty(100_000, np.float32)
    fresh.fill(first)
    fresh.fill(second)
    assert not np.array_equal(first, second)
    for drawn in (first, second, fresh.normal(100_000)):
        assert abs(drawn.mean()) < 0.03
        assert abs(drawn.std() - 1) < 0.02


def test_random_inputs_larger_than_the_pool_are_filled_completely(monkeypatch):
    monkeypatch.setattr("hardware.kernels.random_inputs.POOL_SIZE", 1000)
    target = np.full((7, 1234), np.nan, np.float32)
    RandomInputs("fp32").fill(target)
    assert np.isfinite(target).all()


@pytest.mark.parametrize("kind", KINDS)
def test_input_kinds_have_their_properties(kind):
    normal = np.random.default_rng(1).standard_normal((1, 2, 64, 16), dtype=np.float32)
    q, k, v = (make_input(kind, name, normal) for name in "qkv")
    logits = reference.visible_mask(64, 64, False) * (q @ np.swapaxes(k, -1, -2)) / 4
    expected = {
        "normal": np.array_equal(q, normal) and np.array_equal(k, normal),
        "peaky": np.array_equal(q, normal * 8),
        "huge logits": np.abs(logits).max() > 1000,
        "offset": k.mean() > 3.5 and v.mean() > 3.5,
        "equal keys": (k == k[..., :1, :]).all(),
    }
    assert expected[kind]


SPACE = ParameterSpace(
    {"tile": (16, 32, 64), "order": ("a", "b")}, {"tile": 16, "order": "a"}, lambda v: v != {"tile": 64, "order": "b"}
)


def test_parameter_space_with_invalid_values_names_the_error():
    for values, words in (
        ({"tiles": 1}, "no parameter"),
        ({"tile": 17}, "16, 32, 64"),
        ({"tile": 64, "order": "b"}, "together"),
    ):
        with pytest.raises(ValueError, match=words):
            SPACE.candidate("f", values)


def test_parameter_space_yields_only_allowed_candidates():
    every = list(SPACE.all("f"))
    assert len(every) == len({each.digest for each in every}) == 5
    chance = np.random.default_rng(0)
    assert {SPACE.draw("f", chance) for _ in range(100)} == set(every)
    near = SPACE.neighbours(SPACE.candidate("f", {"tile": 32, "order": "a"}))
    assert {tuple(each.values.values()) for each in near} == {(16, "a"), (64, "a"), (32, "b")}


def test_candidate_digest_depends_on_all_fields():
    one, other = Candidate("f", (("a", 1),)), Candidate("f", (("a", 2),))
    assert one.digest != other.digest != Candidate("f", source="x").digest
    assert str(one) == "f(a=1)"
    assert "x" not in str(Candidate("foreign", source="x"))
