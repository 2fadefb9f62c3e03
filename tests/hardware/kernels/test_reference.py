"""Tests of the reference against torch's autograd in float64, finite differences and closed forms."""

import subprocess
import sys

import numpy as np
import pytest

from hardware.kernels import reference
from hardware.kernels.problem import Problem, Shape, visible_pairs
from hardware.kernels.registry import NAMES, family

CASES = [(1, 1), (1, 7), (5, 5), (7, 3), (3, 8), (33, 20)]


def drawn(queries, keys, size=4, scale=1.0):
    chance = np.random.default_rng([queries, keys, size])
    lengths = (queries, keys, keys, queries)
    q, k, v, dout = (chance.normal(size=(2, 3, length, size)) for length in lengths)
    return scale * q, k, v, dout


def by_torch(q, k, v, dout, causal):
    """Autograd of the plain formula, independent of `reference.visible_mask`."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    q, k, v = (torch.tensor(each, requires_grad=True) for each in (q, k, v))
    queries, keys = q.shape[-2], k.shape[-2]
    logits = q @ k.mT / q.shape[-1] ** 0.5
    if causal:
        mask = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
        logits = logits.masked_fill(~mask, -torch.inf)
    lse = logits.logsumexp(-1)
    blind = torch.isinf(lse)[..., None]
    weights = torch.where(blind, 0.0, torch.softmax(torch.where(blind, 0.0, logits), -1))
    out = weights @ v
    out.backward(torch.tensor(dout))
    return [each.detach().numpy() for each in (out, lse, q.grad, k.grad, v.grad)]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), CASES)
def test_reference_agrees_with_autograd_in_float64(queries, keys, causal):
    q, k, v, dout = drawn(queries, keys)
    out, lse, dq, dk, dv = by_torch(q, k, v, dout, causal)
    ours = (*reference.forward(q, k, v, causal), *reference.backward(q, k, v, dout, causal))
    for got, true in zip(ours, (out, lse, dq, dk, dv), strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(3, 3), (4, 2), (2, 5)])
def test_reference_gradients_equal_finite_differences(queries, keys, causal):
    q, k, v, dout = drawn(queries, keys, size=3)
    gradients = reference.backward(q, k, v, dout, causal)
    for at, gradient in enumerate(gradients):
        step = np.random.default_rng(at).normal(size=gradient.shape)
        ends = []
        for sign in (1, -1):
            moved = [q, k, v]
            moved[at] = moved[at] + sign * 1e-5 * step
            ends.append(np.sum(reference.forward(*moved, causal)[0] * dout))
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(np.sum(gradient * step), rel=1e-8, abs=1e-8)


def test_reference_rows_without_visible_keys_are_zero_without_gradient():
    q, k, v, dout = drawn(6, 2)
    out, lse = reference.forward(q, k, v, causal=True)
    dq, dk, dv = reference.backward(q, k, v, dout, causal=True)
    assert not out[..., :4, :].any()
    assert (lse[..., :4] == -np.inf).all()
    assert not dq[..., :4, :].any()
    dout[..., :4, :] = 1e9
    for same, other in zip((dk, dv), reference.backward(q, k, v, dout, causal=True)[1:], strict=True):
        np.testing.assert_array_equal(same, other)


def test_reference_with_logits_of_ten_thousand_selects_the_largest():
    q, k, v, dout = drawn(5, 5, scale=1e4)
    out, lse = reference.forward(q, k, v, causal=False)
    logits = q @ np.swapaxes(k, -1, -2) / 2
    assert np.abs(logits).max() > 1e4
    best = np.take_along_axis(v, logits.argmax(-1)[..., None], axis=-2)
    np.testing.assert_allclose(out, best, atol=1e-12)
    np.testing.assert_allclose(lse, logits.max(-1), rtol=1e-12)
    assert all(np.isfinite(each).all() for each in reference.backward(q, k, v, dout, causal=False))


def test_reference_with_equal_keys_gives_the_mean_value():
    q, k, v, _ = drawn(3, 6)
    out, _ = reference.forward(q, np.broadcast_to(k[..., :1, :], k.shape), v, causal=False)
    np.testing.assert_allclose(out, np.broadcast_to(v.mean(-2, keepdims=True), out.shape), rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), CASES)
def test_visible_pairs_of_a_problem_equal_those_of_the_mask(queries, keys, causal):
    assert reference.visible_mask(queries, keys, causal).sum() == visible_pairs(Shape(1, 1, queries, keys, 8), causal)


def test_reference_accepts_inputs_of_any_type_and_keeps_them():
    q, k, v, _ = (each.astype(np.float32) for each in drawn(3, 3))
    before = q.copy()
    out, lse = reference.forward(q, k, v, causal=True)
    assert out.dtype == lse.dtype == np.float64
    np.testing.assert_array_equal(q, before)


def test_rms_errors_cover_all_numbers_and_the_worst_row():
    exact = np.full((1, 1, 4, 9), 2.0)
    out = exact.copy()
    assert reference.rms_errors(out, exact) == (0.0, 0.0)
    out[0, 0, 2] += 0.02
    assert reference.rms_errors(out, exact) == pytest.approx((0.01, 0.02))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_rms_errors_of_non_finite_outputs_are_infinite(wrong):
    exact = np.ones((1, 1, 2, 2))
    assert reference.rms_errors(np.full_like(exact, wrong), exact) == (np.inf, np.inf)
    assert reference.rms_errors(np.ones((1, 1, 1, 2)), exact) == (np.inf, np.inf)


def test_unknown_family_suggests_the_closest_name():
    with pytest.raises(ValueError, match="family 'tilde' is unknown; did you mean 'tiled'"):
        family("tilde")
    with pytest.raises(ValueError, match="family 'xyz' is unknown; allowed: eager, sdpa"):
        family("xyz")


def test_registry_and_reference_do_not_import_torch():
    code = "import sys, hardware.kernels.registry, hardware.kernels.reference; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_problem_defaults_are_the_published_tolerances():
    problem = Problem("fp32", "forward", causal=False)
    assert (problem.tolerance, problem.worst_row) == (3.0, 5.0)
    assert NAMES[:2] == ("eager", "sdpa")
