"""Numbered things in a bounded number of bytes: of what is old, ever fewer are kept."""

from __future__ import annotations

import pickle
import zlib
from bisect import bisect_right, insort
from typing import Any

_FAST = 1
"""zlib's level: a third of the size, at a speed that nobody notices."""
_AT_A_TIME = 1 / 16
"""So much is made free when there is too much."""


class ThinningCache:
    """Things by number, packed. When they take more than ``most_bytes``, those that lie closest for their age go.

    What is left is dense near the latest number and ever sparser before it.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._packed: dict[int, bytes] = {}
        self._numbers: list[int] = []

    @property
    def numbers(self) -> tuple[int, ...]:
        """What there is, in order."""
        return tuple(self._numbers)

    def put(self, number: int, thing: Any) -> int:
        """Keep a thing under a number, if it fits at all; return its bytes, packed."""
        packed = pack(thing)
        self._drop(number)
        self._packed[number] = packed
        insort(self._numbers, number)
        self.bytes += len(packed)
        while self.bytes > self.most_bytes:
            self._thin()
        return len(packed)

    def get(self, number: int) -> Any:
        """Return what is kept under a number, None if nothing is."""
        packed = self._packed.get(number)
        return None if packed is None else unpack(packed)

    def at_or_before(self, number: int) -> int | None:
        """Return the latest number up to this one under which something is kept, None if there is none."""
        place = bisect_right(self._numbers, number)
        return self._numbers[place - 1] if place else None

    def _thin(self) -> None:
        """Drop what is least missed, some at a time so that it need not be looked for at every turn."""
        enough = self.most_bytes * (1 - _AT_A_TIME)
        for number in self._least_missed():
            self._drop(number)
            if self.bytes <= enough:
                return

    def _least_missed(self) -> list[int]:
        """Numbers of which no two are neighbours, those first whose neighbours lie closest together for their age.

        The latest is not among them unless it is alone.
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
            self.bytes -= len(packed)
            self._numbers.remove(number)


def pack(thing: Any) -> bytes:
    """Return a thing as few bytes."""
    return zlib.compress(pickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL), _FAST)


def unpack(packed: bytes) -> Any:
    """Return what was packed, made anew."""
    return pickle.loads(zlib.decompress(packed))
