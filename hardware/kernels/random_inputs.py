"""What goes into a kernel: fresh numbers from the system's randomness, of several kinds."""

from __future__ import annotations

import os
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hardware.kernels.dtypes import Array, to_storage
from hardware.kernels.problem import Dtype

Kind = Literal["normal", "peaky", "huge logits", "offset", "equal keys"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Standard normal; queries × 8, so that one key gets all; q and k × 30, which overflows without subtracting the
maximum; keys and values + 4, whose rounding errors do not cancel; all keys alike, so that the weights are equal."""
_POOL: Final = 1 << 23

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
    """Standard normal numbers that nobody can foresee, cheap enough for every batch.

    A pool is drawn once from the system's randomness; what is handed out begins at a random place of it.
    """

    def __init__(self, dtype: Dtype) -> None:
        self._chance = np.random.Generator(np.random.PCG64(int.from_bytes(os.urandom(16))))
        self._pool = to_storage(self._chance.standard_normal(_POOL, dtype=np.float32), dtype)

    def fill(self, target: Array) -> None:
        """Fill an array, flat or not, of the dtype's storage."""
        flat = target.reshape(-1)
        start = int(self._chance.integers(_POOL))
        done = 0
        while done < flat.size:
            part = self._pool[start : start + flat.size - done]
            flat[done : done + part.size] = part
            done += part.size
            start = int(self._chance.integers(_POOL))

    def normal(self, *sizes: int) -> Floats:
        """Return new standard normal numbers."""
        return self._chance.standard_normal(sizes, dtype=np.float32)

    def pick(self, count: int) -> int:
        """Return one of 0, 1, ..., count - 1."""
        return int(self._chance.integers(count))
