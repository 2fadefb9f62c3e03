"""Estimate the error of attention that rounding alone causes: to first order, with independent roundings. Pure.

The error of a candidate is compared with the error of the library. In some cases the library happens to be exact (one
key, or all keys equal), and every candidate would fail. In these cases an error of the size estimated here is allowed.

A sum of n products is rounded at each addition, by a share of the partial sum. The kernel chooses the order of the
additions; adding the products one after the other is the worst order: `sum_of_products`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.special import chdtri

from hardware.kernels import reference
from hardware.kernels.reference import Array


class Rounding(NamedTuple):
    """Standard deviations of the error of every number of the output and the gradients."""

    out: Array
    dq: Array
    dk: Array
    dv: Array


UNDERFLOW_ERROR: Final = {"fp32": 0.0, "bf16": 0.0, "fp16": 2.0**-25}
"""Dtype → largest error of rounding a number near 0; 0 if underflow cannot occur."""


_MEAN_SQUARE: Final = 3 / (24 * math.log(2))
"""Mean square of one rounding error [epsilon^2 of the number]: uniform, over a mantissa whose log is uniform."""
_HEAVY_TAIL: Final = 1.4
"""Factor by which the error of a sum has a longer tail than a normal error, because it depends on the order of terms.

Of 400,000 sums of 32 to 128 products, one in 100,000 had an error above 5.8 standard deviations; the value for normal
errors is 4.4."""
FALSE_ALARM: Final = 1e-6
"""Probability that rounding alone makes one mean error exceed `reach` [per mean]."""


def false_alarm_threshold(independent: float) -> float:
    """Return the root mean square of independent errors that is exceeded with probability `FALSE_ALARM`.

    The result is in standard deviations. ``independent``: number of errors in the mean, at least 1.
    """
    return float(_HEAVY_TAIL * np.sqrt(chdtri(independent, FALSE_ALARM) / independent))


def rounding(
    q: Array, k: Array, v: Array, dout: Array, causal: bool, epsilon: float, logit_epsilon: float, least: float = 0.0
) -> Rounding:
    """Return the rounding error of each result.

    The arguments are those of `rounding_sources`.
    """
    return rounding_sources(q, k, v, dout, causal, epsilon, logit_epsilon, least)[0]


def rounding_sources(
    q: Array, k: Array, v: Array, dout: Array, causal: bool, epsilon: float, logit_epsilon: float, least: float = 0.0
) -> tuple[Rounding, float]:
    """Return the rounding error of each result, and the smallest number of independent errors in a result.

    Weights, gradients of the logits, and results are rounded to ``epsilon`` (near 0 to ``least``). The logits, their
    log-sum-exp and dout v^T are rounded to ``logit_epsilon``. It is that of fp32 for sums in fp32.
    """
    scale = q.shape[-1] ** -0.5
    weights, lse = reference.softmax(q, k, causal)
    out, dweights = weights @ v, dout @ _transposed(v)
    mean = np.sum(dout * out, axis=-1, keepdims=True)
    terms = q.shape[-1]
    total, squares = q @ _transposed(k), q**2 @ _transposed(k**2)
    # The scale is applied to the sum or to its terms: one more rounding of either.
    scaling = _MEAN_SQUARE * np.maximum(total**2, squares)
    var_logits = logit_epsilon**2 * scale**2 * (sum_of_products(total, squares, terms) + scaling)
    # A logit's error changes its own weight by 1 - weight, and the others through the denominator.
    var_total = np.sum(weights**2 * var_logits, axis=-1, keepdims=True)
    var_share = np.maximum(var_logits * (1 - 2 * weights) + var_total, 0.0)
    var_weights = weights**2 * (epsilon**2 + var_share) + least**2
    # The backward pass computes the logits again: there the errors of numerator and denominator do not cancel.
    var_lse = var_total + (logit_epsilon * np.where(np.isfinite(lse), lse, 0.0)[..., None]) ** 2
    var_again = weights**2 * (epsilon**2 + var_logits + var_lse) + least**2
    var_out = var_weights @ v**2 + (epsilon * out) ** 2 + least**2
    mean_squares = np.sum(dout**2 * out**2, axis=-1, keepdims=True)
    var_mean = np.sum(dout**2 * var_out, axis=-1, keepdims=True)
    var_mean += logit_epsilon**2 * sum_of_products(mean, mean_squares, terms)
    var_dweights = logit_epsilon**2 * sum_of_products(dweights, dout**2 @ _transposed(v**2), terms)
    dlogits = weights * (dweights - mean)
    var_dlogits = var_again * (dweights - mean) ** 2 + weights**2 * var_dweights + (epsilon * dlogits) ** 2 + least**2
    # An error of a row's mean moves all its logits' gradients together, in proportion to the weights.
    var_dq = var_dlogits @ k**2 + var_mean * (weights @ k) ** 2 + (epsilon * dlogits @ k) ** 2
    var_dk = _transposed(var_dlogits + weights**2 * var_mean) @ q**2 + (epsilon * _transposed(dlogits) @ q) ** 2
    var_dv = _transposed(var_again) @ dout**2 + (epsilon * _transposed(weights) @ dout) ** 2
    gradients = (scale**2 * var_dq, scale**2 * var_dk, var_dv)
    sizes = Rounding(np.sqrt(var_out), *(np.sqrt(variance + least**2) for variance in gradients))
    of_weights = var_weights * np.sum(v**2, axis=-1)[..., None, :]
    of_logits = var_dlogits + weights**2 * var_mean
    by_query, by_key = (np.sum(each**2, axis=-1) for each in (k, q))
    sources = (of_weights, of_logits * by_query[..., None, :], of_logits * by_key[..., None])
    return sizes, min(_effective_count(each) for each in sources)


def sum_of_products(total: Array, squares: Array, terms: int) -> Array:
    """Return the variance of a sum's rounding error [epsilon^2], added one by one in any order of its terms.

    ``total``: the sum; ``squares``: the sum of the squares of its terms. Over all orders, the square of the sum of the
    first i of n terms has the mean `squares i/n + (total^2 - squares) i (i - 1) / (n (n - 1))`. The additions are those
    of 2 to n terms. Each product is rounded as well.
    """
    additions = total**2 * (terms + 1) / 3 + squares * ((terms + 1) / 6 - 1 / terms)
    return _MEAN_SQUARE * (squares + additions)


def _effective_count(variances: Array) -> float:
    """Return the number of equal errors that would vary as much as the sum of these squares, at least 1.

    It is half of their participation ratio: the weights of a row sum to 1, so with two keys both errors are equal.
    """
    total = float(np.sum(variances))
    return max(1.0, 0.5 / float(np.sum((variances / total) ** 2))) if total else 1.0


def _transposed(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)
