"""The predicted size of rounding against what NumPy's own fp32 and fp16 make of the formula."""

import numpy as np
import pytest

from hardware.kernels import reference
from hardware.kernels.problem import EPSILON, Problem
from hardware.kernels.rounding import LEAST, rounding
from hardware.kernels.validate import floors
from tests.hardware.kernels.cases import KINDS

SHAPE = (2, 2, 60, 24)


def drawn(kind, dtype):
    chance = np.random.default_rng(KINDS.index(kind))
    q, k, v, dout = (chance.normal(size=SHAPE) for _ in range(4))
    q = q * {"peaky": 8, "huge": 30}.get(kind, 1)
    k = k * (30 if kind == "huge" else 1) + (4 if kind == "offset" else 0)
    v = v + (4 if kind == "offset" else 0)
    k = k[..., :1, :] + 0 * k if kind == "equal" else k
    return [each.astype(dtype).astype(np.float64) for each in (q, k, v, dout)]


def in_precision(q, k, v, dout, dtype):
    """The formula, rounded after every operation on arrays; the backward pass computes the logits again."""
    q, k, v, dout = (each.astype(dtype) for each in (q, k, v, dout))
    scale = dtype(q.shape[-1] ** -0.5)
    logits = (q @ k.swapaxes(-1, -2)) * scale
    highest = logits.max(-1, keepdims=True)
    powers = np.exp(logits - highest)
    total = powers.sum(-1, keepdims=True)
    out = (powers / total) @ v
    weights = np.exp((q * scale) @ k.swapaxes(-1, -2) - (highest + np.log(total)))
    dlogits = weights * (dout @ v.swapaxes(-1, -2) - (dout * out).sum(-1, keepdims=True)) * scale
    return out, dlogits @ k, dlogits.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ dout


@pytest.mark.parametrize(("name", "dtype"), [("fp32", np.float32), ("fp16", np.float16)])
@pytest.mark.parametrize("kind", KINDS)
def test_predicts_the_size_of_the_error(kind, name, dtype):
    if name == "fp16" and kind == "huge":
        kind = "peaky"  # A logit of 1,000 is rounded by 0.5: no first order holds.
    inputs = drawn(kind, dtype)
    exact = (reference.forward(*inputs[:3], False)[0], *reference.backward(*inputs, False))
    sizes = rounding(*inputs, False, EPSILON[name], EPSILON[name], LEAST[name])
    for got, true, size in zip(in_precision(*inputs, dtype), exact, sizes, strict=True):
        found, predicted = reference.error(got, true)[0], reference.error(size, np.zeros_like(size))[0]
        assert 0.15 * predicted < found < 2.5 * predicted


def test_grows_in_proportion_to_the_unit():
    inputs = drawn("normal", np.float32)
    coarse, fine = (rounding(*inputs, True, unit, unit) for unit in (1e-3, 1e-6))
    for one, other in zip(coarse, fine, strict=True):
        np.testing.assert_allclose(one, 1e3 * other, rtol=1e-10)


def test_one_key_leaves_the_value_as_it_is_but_for_its_own_rounding():
    q, k, v, dout = (each[..., :1, :] for each in drawn("peaky", np.float32))
    out = rounding(q, k, v, dout, True, 1e-3, 1.0).out  # however coarse the logit
    np.testing.assert_allclose(out, np.sqrt(2) * 1e-3 * np.abs(v), rtol=1e-10)


def test_a_query_that_sees_no_key_has_no_error():
    q, k, v, dout = drawn("normal", np.float32)
    sizes = rounding(q, k[..., :10, :], v[..., :10, :], dout, True, 1e-3, 1e-3)
    assert not sizes.out[..., :50, :].any()
    assert not sizes.dq[..., :50, :].any()
    assert all(np.isfinite(each).all() for each in sizes)


@pytest.mark.parametrize("keys", [1, 2])
def test_right_gradients_of_few_keys_are_never_called_wrong(keys):
    """Of one key dq and dk are rounding alone, a single number of it, which is no mean of many."""
    chance, problem = np.random.default_rng(0), Problem("fp32", "both", False)
    worst = 0.0
    for _ in range(2000):
        normal = {name: chance.standard_normal((keys, 32), dtype=np.float32) for name in ("q", "k", "v", "dout")}
        inputs = [each[None, None].astype(np.float64) for each in normal.values()]
        found, exact = in_precision(*inputs, np.float32)[1:3], reference.backward(*inputs, False)[:2]
        allowed = floors(normal, problem)
        for name, got, true in zip(("dq", "dk"), found, exact, strict=True):
            rms, row = reference.error(got, true)
            worst = max(worst, rms / allowed[name][0] / problem.tolerance, row / allowed[name][1] / problem.worst_row)
    assert 0.5 < worst <= 1
