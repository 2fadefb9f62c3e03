"""Define the library baseline: torch's scaled_dot_product_attention, with the backend that torch chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardware.kernels.candidate import Candidate
from hardware.kernels.families.torch_base import AutogradKernel, TorchFamily

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.families.torch_base import Function
    from hardware.kernels.family import Kernel
    from hardware.kernels.problem import Problem


def attention(causal: bool) -> Function:
    """Return the function; its causal mask is aligned to the last query, and rows that see no key are 0."""
    from torch.nn.functional import pad, scaled_dot_product_attention  # noqa: PLC0415

    def aligned(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        queries, keys = q.shape[-2], k.shape[-2]
        if queries == keys:
            return scaled_dot_product_attention(q, k, v, is_causal=True)
        if queries > keys:  # the first rows see no key, and the others form a square
            return pad(aligned(q[..., queries - keys :, :], k, v), (0, 0, queries - keys, 0))
        if queries == 1:
            return scaled_dot_product_attention(q, k, v)
        mask = q.new_ones((queries, keys)).tril(keys - queries).bool()
        return scaled_dot_product_attention(q, k, v, attn_mask=mask)

    return aligned if causal else scaled_dot_product_attention


class SdpaFamily(TorchFamily):
    """The library baseline."""

    name = "sdpa"
    summary = "torch.nn.functional.scaled_dot_product_attention, the library baseline"

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel."""
        return AutogradKernel(attention(problem.causal))


FAMILY = SdpaFamily()
