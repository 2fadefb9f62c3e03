"""How large rounding alone makes the error of attention: to first order, roundings being independent. Pure.

An error is held against the library's own; where the library is exact by luck (one key, keys that are all alike), that
would fail everybody, and this is the size that an error may have all the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hardware.kernels import reference
from hardware.kernels.reference import Array


class Rounding(NamedTuple):
    """Standard deviations of the error of every number of the output and the gradients."""

    out: Array
    dq: Array
    dk: Array
    dv: Array


LEAST: Final = {"fp32": 0.0, "bf16": 0.0, "fp16": 2.0**-25}
"""Largest error of rounding a number near 0; what is 0 here underflows for nobody."""


def rounding(
    q: Array, k: Array, v: Array, dout: Array, causal: bool, epsilon: float, logit_epsilon: float, least: float = 0.0
) -> Rounding:
    """Return what rounding does to each result.

    Weights, the gradients of the logits and results are rounded to ``epsilon`` (and near 0 to ``least``); the logits,
    their log-sum-exp and dout v^T to ``logit_epsilon``: that of fp32 wherever products are summed in fp32 and kept so.
    """
    scale = q.shape[-1] ** -0.5
    weights, lse = reference.softmax(q, k, causal)
    out, dweights = weights @ v, dout @ _t(v)
    mean = np.sum(dout * out, axis=-1, keepdims=True)
    var_logits = logit_epsilon**2 * scale**2 * ((q @ _t(k)) ** 2 + q**2 @ _t(k**2))
    # A logit's error changes its own weight by 1 - weight, and the others through the denominator.
    var_total = np.sum(weights**2 * var_logits, axis=-1, keepdims=True)
    var_share = np.maximum(var_logits * (1 - 2 * weights) + var_total, 0.0)
    var_weights = weights**2 * (epsilon**2 + var_share) + least**2
    # The backward pass computes the logits again: there the errors of numerator and denominator do not cancel.
    var_lse = var_total + (logit_epsilon * np.where(np.isfinite(lse), lse, 0.0)[..., None]) ** 2
    var_again = weights**2 * (epsilon**2 + var_logits + var_lse) + least**2
    var_out = var_weights @ v**2 + (epsilon * out) ** 2 + least**2
    var_mean = np.sum(dout**2 * var_out, axis=-1, keepdims=True)
    var_dweights = logit_epsilon**2 * (dweights**2 + dout**2 @ _t(v**2))
    dlogits = weights * (dweights - mean)
    var_dlogits = var_again * (dweights - mean) ** 2 + weights**2 * var_dweights + (epsilon * dlogits) ** 2 + least**2
    # An error of a row's mean moves all its logits' gradients together, in proportion to the weights.
    var_dq = var_dlogits @ k**2 + var_mean * (weights @ k) ** 2 + (epsilon * dlogits @ k) ** 2
    var_dk = _t(var_dlogits + weights**2 * var_mean) @ q**2 + (epsilon * _t(dlogits) @ q) ** 2
    var_dv = _t(var_again) @ dout**2 + (epsilon * _t(weights) @ dout) ** 2
    gradients = (scale**2 * var_dq, scale**2 * var_dk, var_dv)
    return Rounding(np.sqrt(var_out), *(np.sqrt(variance + least**2) for variance in gradients))


def _t(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)
