"""The same numbers, laid out in memory in other ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def transposed(tensor: Tensor) -> Tensor:
    """Use the layout of the projections of a model: (batch, length, heads, size) in memory."""
    return tensor.transpose(1, 2).contiguous().transpose(1, 2)


def every_second(tensor: Tensor) -> Tensor:
    """Use every second row and head of a larger tensor."""
    batch, heads, length, size = tensor.shape
    large = tensor.new_full((batch, 2 * heads, 2 * length, size), float("nan"))
    view = large[:, ::2, 1::2]
    view.copy_(tensor)
    return view


def cut_out(tensor: Tensor) -> Tensor:
    """Use parts of longer rows."""
    large = tensor.new_full((*tensor.shape[:-1], tensor.shape[-1] + 5), float("nan"))
    view = large[..., 3:-2]
    view.copy_(tensor)
    return view


def columns(tensor: Tensor) -> Tensor:
    """Use rows with numbers that are not adjacent."""
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def expanded(tensor: Tensor) -> Tensor:
    """All of a batch in the same place. Changes the numbers: every entry of the batch becomes the first."""
    return tensor[:1].expand(tensor.shape)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda tensor: tensor,
    "transposed": transposed,
    "every second": every_second,
    "cut out": cut_out,
    "columns": columns,
    "expanded": expanded,
}
