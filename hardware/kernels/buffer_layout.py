"""Where the numbers of a batch lie in the two memories that a worker shares with its parent. Needs no numpy."""

from __future__ import annotations

from typing import Final, NamedTuple

from hardware.kernels.problem import BYTES, Problem, Shape

ALIGNMENT: Final = 64
INPUTS: Final = ("q", "k", "v", "dout")
OUTPUTS: Final = ("out", "lse", "dq", "dk", "dv")
LSE_BYTES: Final = 4


class BufferSlot(NamedTuple):
    """One array: its first byte in the memory, and its sizes."""

    offset: int
    sizes: tuple[int, ...]
    item_bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers there are."""
        product = 1
        for size in self.sizes:
            product *= size
        return product

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.offset + self.numbers * self.item_bytes


class Layout(NamedTuple):
    """``slots`` independent calls of one shape, each with inputs and outputs of its own."""

    inputs: list[dict[str, BufferSlot]]
    outputs: list[dict[str, BufferSlot]]

    @property
    def input_bytes(self) -> int:
        """Size of the inputs' memory."""
        return max(place.end for place in self.inputs[-1].values())

    @property
    def output_bytes(self) -> int:
        """Size of the outputs' memory."""
        return max(place.end for place in self.outputs[-1].values())


def layout(shape: Shape, problem: Problem, slots: int) -> Layout:
    """Return where everything lies."""
    batch, heads, queries, keys, head_size = shape
    rows = {"q": queries, "dout": queries, "out": queries, "dq": queries, "k": keys, "v": keys, "dk": keys, "dv": keys}
    item = BYTES[problem.dtype]
    sizes: dict[str, tuple[tuple[int, ...], int]] = {
        name: ((batch, heads, rows[name], head_size), item) for name in rows
    }
    sizes["lse"] = ((batch, heads, queries), LSE_BYTES)
    return Layout(_places(INPUTS, sizes, slots), _places(OUTPUTS, sizes, slots))


def _places(
    names: tuple[str, ...], sizes: dict[str, tuple[tuple[int, ...], int]], slots: int
) -> list[dict[str, BufferSlot]]:
    found, offset = [], 0
    for _ in range(slots):
        slot = {}
        for name in names:
            slot[name] = BufferSlot(offset, *sizes[name])
            offset = -(-slot[name].end // ALIGNMENT) * ALIGNMENT
        found.append(slot)
    return found
