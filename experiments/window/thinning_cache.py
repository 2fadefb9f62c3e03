"""Keep numbered values in a bounded number of bytes by thinning old entries."""

from __future__ import annotations

import pickle
import zlib
from bisect import bisect_right, insort
from typing import Any

_COMPRESSION_LEVEL = 1
"""Compression level of zlib: a third of the size at little cost."""
_FREED_SHARE = 1 / 16
"""Share of the memory that is freed at once."""


class ThinningCache:
    """A cache of packed values by number, which thins old entries above ``max_bytes``.

    The remaining entries are dense near the latest number and sparser before it. The first entries to go are those with
    the closest neighbours for their age.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.stored_bytes = 0
        self._packed: dict[int, bytes] = {}
        self._numbers: list[int] = []

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the kept values, in order."""
        return tuple(self._numbers)

    def put(self, number: int, value: Any) -> int:
        """Keep a value under a number, if it fits; return its packed size [bytes]."""
        packed = pack(value)
        self._drop(number)
        self._packed[number] = packed
        insort(self._numbers, number)
        self.stored_bytes += len(packed)
        while self.stored_bytes > self.max_bytes:
            self._thin()
        return len(packed)

    def get(self, number: int) -> Any:
        """Return the value of a number; None if it is not kept."""
        packed = self._packed.get(number)
        return None if packed is None else unpack(packed)

    def at_or_before(self, number: int) -> int | None:
        """Return the latest kept number up to this one; None if there is none."""
        place = bisect_right(self._numbers, number)
        return self._numbers[place - 1] if place else None

    def _thin(self) -> None:
        """Drop the least useful entries, several at a time so that the search is rare."""
        enough = self.max_bytes * (1 - _FREED_SHARE)
        for number in self._removal_order():
            self._drop(number)
            if self.stored_bytes <= enough:
                return

    def _removal_order(self) -> list[int]:
        """Return numbers in order of removal: those with the closest neighbours for their age first, no two adjacent.

        The latest number is included only if there is no other.
        """
        numbers = self._numbers
        if len(numbers) == 1:
            return list(numbers)
        latest = numbers[-1]
        gaps = zip([2 * numbers[0] - numbers[1], *numbers], numbers, numbers[1:], strict=False)
        ranked = sorted(((after - before) / (latest - number), at) for at, (before, number, after) in enumerate(gaps))
        chosen: set[int] = set()
        found = []
        for _, at in ranked:
            if at - 1 not in chosen and at + 1 not in chosen:
                chosen.add(at)
                found.append(numbers[at])
        return found

    def _drop(self, number: int) -> None:
        packed = self._packed.pop(number, None)
        if packed is not None:
            self.stored_bytes -= len(packed)
            self._numbers.remove(number)


def pack(value: Any) -> bytes:
    """Return a value as compressed bytes."""
    return zlib.compress(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), _COMPRESSION_LEVEL)


def unpack(packed: bytes) -> Any:
    """Return a copy of a packed value."""
    return pickle.loads(zlib.decompress(packed))
