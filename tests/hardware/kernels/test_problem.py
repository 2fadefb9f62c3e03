"""What is asked of a kernel, how it is laid out, stored and drawn."""

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
    pairs_seen,
    traffic,
    workload,
)
from hardware.kernels.random_inputs import KINDS, RandomInputs, make_input

sizes = st.integers(1, 40)
shapes = st.builds(Shape, st.integers(1, 3), st.integers(1, 3), sizes, sizes, st.integers(1, 70))
problems = st.builds(Problem, st.sampled_from(DTYPES), st.sampled_from(DIRECTIONS), st.booleans())


@pytest.mark.parametrize("name", NAMES)
def test_held_out_shapes_are_never_tuned_on(name):
    found = workload(name)
    assert found.tuned
    assert found.held_out
    assert not set(found.tuned) & set(found.held_out)
    assert found.problem.causal == (name == "causal")


@pytest.mark.parametrize(
    "wrong", [("shorts",), ("short", "fp64"), ("short", "fp32", "sideways"), ("decode", "fp32", "both")]
)
def test_what_there_is_not_is_refused_in_words(wrong):
    with pytest.raises(ValueError, match=r"there are|forward only"):
        workload(*wrong)


@given(sizes, sizes, st.booleans())
def test_pairs_are_those_that_the_reference_sees(queries, keys, causal):
    assert pairs_seen(Shape(1, 1, queries, keys, 1), causal) == reference.visible_mask(queries, keys, causal).sum()


def test_operations_and_bytes_of_a_call_counted_by_hand():
    shape = Shape(2, 3, 4, 5, 8)
    forward, backward, both = (Problem("bf16", direction, False) for direction in DIRECTIONS)
    assert flops(shape, forward) == 2 * 3 * (4 * 5) * 8 * 2 * 2
    assert flops(shape, backward) == 2.5 * flops(shape, forward)
    assert flops(shape, both) == 3.5 * flops(shape, forward)
    assert traffic(shape, forward) == 2 * 3 * 8 * (4 + 5 + 5 + 4) * 2
    assert traffic(shape, both) == traffic(shape, forward) + traffic(shape, backward)


@given(shapes, problems, st.integers(1, 4))
def test_nothing_overlaps_in_the_shared_memories(shape, problem, slots):
    where = layout(shape, problem, slots)
    for side, end in ((where.inputs, where.input_bytes), (where.outputs, where.output_bytes)):
        places = sorted(place for slot in side for place in slot.values())
        assert all(first.end <= second.offset for first, second in itertools.pairwise(places))
        assert all(place.offset % ALIGNMENT == 0 for place in places)
        assert places[-1].end == end
    assert where.inputs[0]["k"].numbers == shape.batch * shape.heads * shape.keys * shape.head_size
    assert where.outputs[0]["dv"].item_bytes == BYTES[problem.dtype]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50), st.sampled_from(DTYPES))
def test_numbers_are_rounded_as_torch_rounds_them(numbers, dtype):
    names = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    exact = np.array(numbers, dtype=np.float32)
    stored = to_storage(exact, dtype)
    assert stored.dtype == STORAGE[dtype]
    assert np.array_equal(from_storage(stored, dtype), torch.from_numpy(exact).to(names[dtype]).float().numpy())


def test_fresh_numbers_are_normal_and_never_the_same():
    fresh = RandomInputs("fp32")
    first, second = np.empty(100_000, np.float32), np.empty(100_000, np.float32)
    fresh.fill(first)
    fresh.fill(second)
    assert not np.array_equal(first, second)
    for drawn in (first, second, fresh.normal(100_000)):
        assert abs(drawn.mean()) < 0.03
        assert abs(drawn.std() - 1) < 0.02


def test_a_fill_larger_than_the_pool_is_filled_to_its_end(monkeypatch):
    monkeypatch.setattr("hardware.kernels.random_inputs._POOL", 1000)
    target = np.full((7, 1234), np.nan, np.float32)
    RandomInputs("fp32").fill(target)
    assert np.isfinite(target).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_input_does_what_it_says(kind):
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


def test_a_space_names_what_is_wrong():
    for values, words in (
        ({"tiles": 1}, "no parameter"),
        ({"tile": 17}, "16, 32, 64"),
        ({"tile": 64, "order": "b"}, "together"),
    ):
        with pytest.raises(ValueError, match=words):
            SPACE.candidate("f", values)


def test_a_space_lists_draws_and_steps_within_itself():
    every = list(SPACE.all("f"))
    assert len(every) == len({each.digest for each in every}) == 5
    chance = np.random.default_rng(0)
    assert {SPACE.draw("f", chance) for _ in range(100)} == set(every)
    near = SPACE.neighbours(SPACE.candidate("f", {"tile": 32, "order": "a"}))
    assert {tuple(each.values.values()) for each in near} == {(16, "a"), (64, "a"), (32, "b")}


def test_a_candidate_is_what_it_is_made_of():
    one, other = Candidate("f", (("a", 1),)), Candidate("f", (("a", 2),))
    assert one.digest != other.digest != Candidate("f", source="x").digest
    assert str(one) == "f(a=1)"
    assert "x" not in str(Candidate("foreign", source="x"))
