"""Compute attention in float64 with NumPy: the reference for every candidate. Pure functions.

Arrays are (batch, heads, length, head size); the softmax scale is head_size^-0.5. With ``causal`` query i sees key j if
j - keys <= i - queries. A query that sees no key has output 0 and log-sum-exp -inf, and passes no gradient on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def forward(q: ArrayLike, k: ArrayLike, v: ArrayLike, causal: bool) -> tuple[Array, Array]:
    """Return the output, as q in shape, and the log-sum-exp of the logits of each row (batch, heads, queries)."""
    weights, lse = softmax(_float64(q), _float64(k), causal)
    return weights @ _float64(v), lse


def backward(q: ArrayLike, k: ArrayLike, v: ArrayLike, dout: ArrayLike, causal: bool) -> tuple[Array, Array, Array]:
    """Return dq, dk and dv of sum(out * dout).

    The softmax's own gradient is dS = P (dP - sum_j P dP), which is 0 in a row that sees no key.
    """
    q64, k64, v64, d64 = (_float64(each) for each in (q, k, v, dout))
    weights, _ = softmax(q64, k64, causal)
    dweights = d64 @ _transposed(v64)
    dlogits = weights * (dweights - np.sum(weights * dweights, axis=-1, keepdims=True))
    dlogits *= q64.shape[-1] ** -0.5
    return dlogits @ k64, _transposed(dlogits) @ q64, _transposed(weights) @ d64


def visible_mask(queries: int, keys: int, causal: bool) -> NDArray[np.bool_]:
    """Return a mask of the keys that each query sees, (queries, keys)."""
    if not causal:
        return np.ones((queries, keys), dtype=bool)
    return np.arange(keys)[None, :] - keys <= np.arange(queries)[:, None] - queries


def rms_errors(out: ArrayLike, exact: ArrayLike) -> tuple[float, float]:
    """Return the root mean square of ``out - exact``, over all numbers and in the worst row (last axis).

    Infinite where ``out`` is not finite or has another shape.
    """
    got, true = _float64(out), _float64(exact)
    if got.shape != true.shape or not np.isfinite(got).all():
        return float("inf"), float("inf")
    squares = (got - true) ** 2
    return float(np.sqrt(np.mean(squares))), float(np.sqrt(np.mean(squares, axis=-1).max()))


def softmax(q: Array, k: Array, causal: bool) -> tuple[Array, Array]:
    """Return the softmax of the logits (batch, heads, queries, keys), and the log-sum-exp of each row.

    A row that sees no key has weights 0 and log-sum-exp -inf.
    """
    visible = visible_mask(q.shape[-2], k.shape[-2], causal)
    logits = np.where(visible, (q * q.shape[-1] ** -0.5) @ _transposed(k), -np.inf)
    highest = np.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    powers = np.exp(logits - np.where(np.isfinite(highest), highest, 0.0))
    total = np.sum(powers, axis=-1, keepdims=True)
    blind = total == 0
    lse = np.where(blind, -np.inf, highest + np.log(np.where(blind, 1.0, total)))
    return powers / np.where(blind, 1.0, total), lse[..., 0]


def _float64(array: ArrayLike) -> Array:
    return np.asarray(array, dtype=np.float64)


def _transposed(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)
