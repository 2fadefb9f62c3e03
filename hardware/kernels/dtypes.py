"""Store and convert the dtypes of kernels in NumPy, which has no bf16. Pure functions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware.kernels.problem import Dtype

Array = NDArray[Any]
STORAGE: Final[dict[str, np.dtype[Any]]] = {
    "fp32": np.dtype(np.float32),
    "bf16": np.dtype(np.uint16),
    "fp16": np.dtype(np.float16),
}
"""Dtype → NumPy dtype of its storage; bf16 is stored as the upper 16 bits of a float32."""


def to_storage(values: NDArray[np.float32], dtype: Dtype) -> Array:
    """Convert numbers to their storage, rounded to nearest, ties to even."""
    if dtype != "bf16":
        with np.errstate(over="ignore"):
            return values.astype(STORAGE[dtype])
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    odd = (bits >> 16) & 1
    return ((bits + (odd + 0x7FFF)) >> 16).astype(np.uint16)


def from_storage(stored: Array, dtype: Dtype) -> NDArray[np.float32]:
    """Convert stored numbers to float32, exactly."""
    if dtype != "bf16":
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.uint32) << 16).view(np.float32)
