"""Draw random inputs of kernels from the randomness of the system, in several kinds."""

from __future__ import annotations

import os
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hardware.kernels.dtypes import Array, to_storage
from hardware.kernels.problem import Dtype

Kind = Literal["normal", "peaky", "huge logits", "offset", "equal keys"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Kinds of inputs.

- normal: standard normal numbers.
- peaky: queries × 8, so that one key gets almost all weight.
- huge logits: q and k × 30, which overflows unless the maximum is subtracted.
- offset: keys and values + 4, so that rounding errors do not cancel.
- equal keys: all keys equal, so that the weights are equal.
"""
POOL_SIZE: Final = 1 << 23

Floats = NDArray[np.float32]


def make_input(kind: Kind, name: str, normal: Floats) -> Floats:
    """Return the array called ``name`` (q, k, v, dout) of a kind, from standard normal numbers (..., length, d)."""
    if kind == "peaky" and name == "q":
        return normal * 8
    if kind == "huge logits" and name in ("q", "k"):
        return normal * 30
    if kind == "offset" and name in ("k", "v"):
        return normal + 4
    if kind == "equal keys" and name == "k":
        return np.broadcast_to(normal[..., :1, :], normal.shape).copy()
    return normal


class RandomInputs:
    """A source of unpredictable standard normal numbers that is fast enough for every batch.

    A pool is drawn once from the randomness of the system; each array starts at a random place of the pool.
    """

    def __init__(self, dtype: Dtype) -> None:
        self._rng = np.random.Generator(np.random.PCG64(int.from_bytes(os.urandom(16))))
        self._pool = to_storage(self._rng.standard_normal(POOL_SIZE, dtype=np.float32), dtype)

    def fill(self, target: Array) -> None:
        """Fill an array of any shape in the storage of the dtype."""
        flat = target.reshape(-1)
        start = int(self._rng.integers(POOL_SIZE))
        done = 0
        while done < flat.size:
            part = self._pool[start : start + flat.size - done]
            flat[done : done + part.size] = part
            done += part.size
            start = int(self._rng.integers(POOL_SIZE))

    def normal(self, *sizes: int) -> Floats:
        """Return new standard normal numbers."""
        return self._rng.standard_normal(sizes, dtype=np.float32)

    def randint(self, count: int) -> int:
        """Return a random integer from 0 to count - 1."""
        return int(self._rng.integers(count))
