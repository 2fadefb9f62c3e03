"""The AMX family: bf16 on the matrix unit, its softmax on AVX-512, as a C++ template; forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardware.kernels.candidate import ParameterSpace, Value
from hardware.kernels.families.compiled import CompiledFamily
from hardware.kernels.problem import Dtype

if TYPE_CHECKING:
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

_COMMON: Final[dict[str, tuple[Value, ...]]] = {
    "q_block": (16, 32, 64, 128, 256, 512),
    "k_block": (32, 64, 96, 128, 256, 512, 1024),
    "exponential": (0, 1, 2, 3, 4, 5),
    "rescale": (0, 1, 2),
    "overlap": (0, 1, 2),
}
_BACKWARD: Final[dict[str, tuple[Value, ...]]] = {
    "grad_q_block": (32, 64, 128, 256),
    "grad_k_block": (32, 64, 128, 256),
}
_AHEAD: Final[dict[str, tuple[Value, ...]]] = {"ahead": (0, 8, 16, 32, 64, 128)}
_NAIVE: Final[dict[str, Value]] = {
    "q_block": 32,
    "k_block": 32,
    "exponential": 5,
    "rescale": 0,
    "overlap": 0,
    "grad_q_block": 32,
    "grad_k_block": 32,
    "ahead": 0,
}


class AmxFamily(CompiledFamily):
    """Tiles of 16 queries against blocks of keys; products on the matrix unit overlap with the softmax.

    Parameters:

    - ``q_block``: queries that share a block of keys while it is in the cache.
    - ``k_block``: keys in a block.
    - ``exponential``: 0 for a table of 128 steps, else the degree of a polynomial.
    - ``rescale``: 0 at every new maximum; 1 only when it grew by more than 2^8; 2 never. Rule 2 uses a bound from the
      lengths of the vectors as the reference, and repeats unsuitable rows by rule 1.
    - ``overlap``: 1 interleaves the products of whole blocks with the softmax; 2 interleaves those of 32 keys (with
      ``rescale`` 2, and head sizes up to 64 or 128).
    - ``grad_q_block`` and ``grad_k_block``: queries and keys in a block of the backward pass.
    - ``ahead``: rows that a single query prefetches.
    """

    name = "amx"
    summary = "C++ template on the matrix unit of the processor (AMX bf16)"
    source = "amx.cpp"
    headers = (
        "amx_tile.h",
        "amx_pack.h",
        "amx_exp.h",
        "amx_mask.h",
        "amx_steps.h",
        "amx_forward.h",
        "amx_stream.h",
        "amx_backward.h",
        "amx_decode.h",
    )
    flags = ("-march=sapphirerapids",)
    needs = ("amx_tile", "amx_bf16", "avx512_bf16")
    dtypes: tuple[Dtype, ...] = ("bf16",)

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return the parameters; parameters that the pass does not use have one choice."""
        forward = problem.direction == "forward"
        choices = _COMMON | (_BACKWARD if not forward else _fixed(_BACKWARD)) | (_AHEAD if forward else _fixed(_AHEAD))
        return ParameterSpace(choices, _NAIVE)


def _fixed(choices: dict[str, tuple[Value, ...]]) -> dict[str, tuple[Value, ...]]:
    return {name: (_NAIVE[name],) for name in choices}


FAMILY = AmxFamily()
