"""Compute attention in tiles with an online softmax, in torch operations, without whole matrices.

Forward, for each tile of keys: m' = max(m, max S), P = e^(S - m'), l' = l e^(m - m') + sum P, O' = O e^(m - m') + P V.
Backward, with the logits computed again: P = e^(S - lse), D = sum(dO * O), dS = P (dO V^T - D).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from hardware.kernels.candidate import Candidate, ParameterSpace
from hardware.kernels.families.torch_base import TorchFamily

if TYPE_CHECKING:
    from torch import Tensor

    from hardware.kernels.family import Kernel
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

BLOCKS: Final = (16, 32, 64, 128, 256, 512)
SUMS: Final = ("fp32", "mixed")
"""Precision: all in fp32, or matrix products in the dtype of the inputs and the rest in fp32."""
RESCALES: Final = ("always", "grown")
"""When the sums are rescaled: with every tile of keys, or only if the highest logit of a row has grown."""


class TiledKernel:
    """A tiled kernel; see :class:`hardware.kernels.family.Kernel`."""

    def __init__(self, causal: bool, q_block: int, k_block: int, sums: str, rescale: str) -> None:
        self._causal, self._q_block, self._k_block = causal, q_block, k_block
        self._mixed, self._always = sums == "mixed", rescale == "always"

    def forward(self, q: Tensor, k: Tensor, v: Tensor, keep: bool = False) -> tuple[Tensor, Any]:
        """Return the output, and with ``keep`` the inputs, the output and the log-sum-exp."""
        q, k, v = (each.detach() for each in (q, k, v))
        out = q.new_zeros(q.shape)
        lse = _float(q.new_zeros((*q.shape[:-1], 1)))
        q, k, v = (self._to_product_dtype(each) for each in (q, k, v))
        ahead = k.shape[-2] - q.shape[-2]
        for rows in self._tiles_of_queries(q.shape[-2], k.shape[-2]):
            out[..., rows, :], lse[..., rows, :] = self._attend_rows(q[..., rows, :], k, v, rows.start + ahead)
        return out, (q, k, v, out, lse) if keep else None

    def backward(self, kept: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return dq, dk, dv."""
        q, k, v, out, lse = kept
        dtype, ahead, dout = dout.dtype, k.shape[-2] - q.shape[-2], self._to_product_dtype(dout)
        dq, dk, dv = (_float(each.new_zeros(each.shape)) for each in (q, k, v))
        for rows in self._tiles_of_queries(q.shape[-2], k.shape[-2]):
            q_rows, dout_rows = q[..., rows, :], dout[..., rows, :]
            mean = (_float(dout_rows) * out[..., rows, :]).sum(-1, keepdim=True)
            for columns in self._tiles_of_keys(rows.start + ahead, q_rows.shape[-2], k.shape[-2]):
                k_columns, v_columns = k[..., columns, :], v[..., columns, :]
                logits = self._logits(q_rows, k_columns, rows.start + ahead - columns.start)
                weights = (logits - lse[..., rows, :]).exp_()
                dlogits = weights * (_float(dout_rows @ v_columns.mT) - mean)
                weights, dlogits = weights.to(k.dtype), dlogits.to(k.dtype)
                dv[..., columns, :] += weights.mT @ dout_rows
                dk[..., columns, :] += dlogits.mT @ q_rows
                dq[..., rows, :] += dlogits @ k_columns
        scale = q.shape[-1] ** -0.5
        return dq.mul_(scale).to(dtype), dk.mul_(scale).to(dtype), dv.to(dtype)

    def _to_product_dtype(self, tensor: Tensor) -> Tensor:
        """Return the tensor in the dtype of matrix products."""
        return tensor if self._mixed else _float(tensor)

    def _attend_rows(self, q: Tensor, k: Tensor, v: Tensor, ahead: int) -> tuple[Tensor, Tensor]:
        """Return output and log-sum-exp of a tile of queries; the first sees keys up to ``ahead``."""
        out = _float(q.new_zeros(q.shape))
        total = out.new_zeros((*q.shape[:-1], 1))
        highest = total - math.inf
        for columns in self._tiles_of_keys(ahead, q.shape[-2], k.shape[-2]):
            logits = self._logits(q, k[..., columns, :], ahead - columns.start)
            higher = logits.amax(-1, keepdim=True).maximum(highest)
            if self._always or bool((higher > highest).any()):
                shrink = highest.sub_(higher).exp_()
                out *= shrink
                total *= shrink
                highest = higher
            weights = logits.sub_(highest).exp_()
            out += weights.to(v.dtype) @ v[..., columns, :]
            total += weights.sum(-1, keepdim=True)
        return out / total, highest + total.log()

    def _logits(self, q: Tensor, k: Tensor, ahead: int) -> Tensor:
        """Return the logits of a tile in fp32, -inf where key j is hidden from query i: j > i + ahead."""
        logits = _float(q @ k.mT).mul_(q.shape[-1] ** -0.5)
        rows, columns = logits.shape[-2:]
        if self._causal and columns - 1 > ahead:
            logits.masked_fill_(logits.new_ones((rows, columns)).triu(ahead + 1).bool(), -math.inf)
        return logits

    def _tiles_of_queries(self, queries: int, keys: int) -> Iterator[slice]:
        """Return slices of the queries that see a key, so that every row of a tile sees key 0."""
        first = max(0, queries - keys) if self._causal else 0
        return (slice(at, min(at + self._q_block, queries)) for at in range(first, queries, self._q_block))

    def _tiles_of_keys(self, ahead: int, rows: int, keys: int) -> Iterator[slice]:
        """Return slices of the keys that any of ``rows`` rows sees; the first row sees keys up to ``ahead``."""
        end = min(keys, ahead + rows) if self._causal else keys
        return (slice(at, min(at + self._k_block, end)) for at in range(0, end, self._k_block))


def _float(tensor: Tensor) -> Tensor:
    return tensor.float()


class TiledFamily(TorchFamily):
    """Tiles with an online softmax, in torch."""

    name = "tiled"
    summary = "tiles with an online softmax, in torch operations"

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return tile sizes, precision of the sums, and when to rescale."""
        sums = SUMS[:1] if problem.dtype == "fp32" else SUMS
        choices = {"q_block": BLOCKS, "k_block": BLOCKS, "sums": sums, "rescale": RESCALES}
        return ParameterSpace(choices, {"q_block": 64, "k_block": 64, "sums": "fp32", "rescale": "always"})

    def kernel(self, candidate: Candidate, problem: Problem) -> Kernel:
        """Return the kernel."""
        values = candidate.values
        sizes = int(values["q_block"]), int(values["k_block"])
        return TiledKernel(problem.causal, *sizes, str(values["sums"]), str(values["rescale"]))


FAMILY = TiledFamily()
