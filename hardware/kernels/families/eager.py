"""Compute attention by its formula, on whole matrices in torch, without optimization for the machine."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from hardware.kernels.candidate import Candidate
from hardware.kernels.families.torch_base import AutogradKernel, TorchFamily

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.family import Kernel
    from hardware.kernels.problem import Problem


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Return softmax(q k^T / sqrt(head size)) v; rows that see no key are 0."""
    logits = (q @ k.mT) * q.shape[-1] ** -0.5
    weights = _causal_softmax(logits) if causal else logits.softmax(-1)
    return weights @ v


def _causal_softmax(logits: Tensor) -> Tensor:
    queries, keys = logits.shape[-2:]
    hidden = logits.new_ones((queries, keys)).triu(keys - queries + 1).bool()
    weights = logits.masked_fill(hidden, -math.inf).softmax(-1)
    # The softmax of a row of -inf is NaN.
    return weights.masked_fill(hidden, 0.0) if queries > keys else weights


class EagerFamily(TorchFamily):
    """The formula of attention, in torch."""

    name = "eager"
    summary = "the formula in whole matrices, in torch"

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel."""
        return AutogradKernel(partial(attention, causal=problem.causal))


FAMILY = EagerFamily()
