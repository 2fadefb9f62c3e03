"""Define the layout of a batch in the two buffers that a worker shares with its parent. Does not need NumPy."""

from __future__ import annotations

from typing import Final, NamedTuple

from hardware.kernels.problem import BYTES, Problem, Shape

ALIGNMENT: Final = 64
INPUTS: Final = ("q", "k", "v", "dout")
OUTPUTS: Final = ("out", "lse", "dq", "dk", "dv")
LSE_BYTES: Final = 4


class BufferSlot(NamedTuple):
    """One array: its first byte in the buffer, and its sizes."""

    offset: int
    sizes: tuple[int, ...]
    item_bytes: int

    @property
    def item_count(self) -> int:
        """Number of items in the array."""
        product = 1
        for size in self.sizes:
            product *= size
        return product

    @property
    def end(self) -> int:
        """First byte after the array."""
        return self.offset + self.item_count * self.item_bytes


class Layout(NamedTuple):
    """Layout of ``slots`` independent calls of one shape, each with its own inputs and outputs."""

    inputs: list[dict[str, BufferSlot]]
    outputs: list[dict[str, BufferSlot]]

    @property
    def input_bytes(self) -> int:
        """Size of the input buffer [bytes]."""
        return max(slot.end for slot in self.inputs[-1].values())

    @property
    def output_bytes(self) -> int:
        """Size of the output buffer [bytes]."""
        return max(slot.end for slot in self.outputs[-1].values())


def layout(shape: Shape, problem: Problem, slots: int) -> Layout:
    """Return the layout of the inputs and outputs of a batch."""
    batch, heads, queries, keys, head_size = shape
    rows = {"q": queries, "dout": queries, "out": queries, "dq": queries, "k": keys, "v": keys, "dk": keys, "dv": keys}
    item = BYTES[problem.dtype]
    sizes: dict[str, tuple[tuple[int, ...], int]] = {
        name: ((batch, heads, rows[name], head_size), item) for name in rows
    }
    sizes["lse"] = ((batch, heads, queries), LSE_BYTES)
    return Layout(_assign_slots(INPUTS, sizes, slots), _assign_slots(OUTPUTS, sizes, slots))


def _assign_slots(
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
