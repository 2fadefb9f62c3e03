"""The AMX family: bf16 on the matrix unit, its softmax on AVX-512, as a C++ template; forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hardware.kernels.candidate import Space, Value
from hardware.kernels.families.compiled import Compiled
from hardware.kernels.problem import Dtype

if TYPE_CHECKING:
    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

_FORWARD: Final[dict[str, tuple[Value, ...]]] = {
    "q_block": (16, 32, 64, 128, 256, 512),
    "k_block": (32, 64, 96, 128, 192, 256, 512),
    "exponential": (0, 1, 2, 3, 4, 5),
    "rescale": (0, 1, 2),
    "overlap": (0, 1),
}


class Amx(Compiled):
    """Tiles of 16 queries against blocks of keys; products on the matrix unit overlap with the softmax.

    Parameters: ``q_block`` queries that share a block of ``k_block`` keys while it is near; ``exponential`` 0 for a
    table of 128 steps, else the degree of a polynomial; ``rescale`` 0 at every new maximum, 1 only when it grew by
    more than 2^8, 2 never (the reference is a bound from the lengths of the vectors; rows that it does not suit are
    done again by rule 1); ``overlap`` 1 interleaves matrix and vector instructions.
    """

    name = "amx"
    summary = "C++ template on the matrix unit of the processor (AMX bf16)"
    source = "amx.cpp"
    headers = ("amx_tile.h", "amx_pack.h", "amx_exp.h", "amx_forward.h")
    flags = ("-march=sapphirerapids",)
    needs = ("amx_tile", "amx_bf16", "avx512_bf16")
    dtypes: tuple[Dtype, ...] = ("bf16",)

    def space(self, machine: Machine, problem: Problem) -> Space:
        """Return the parameters that matter for the pass that is asked for."""
        naive: Mapping[str, Value] = {"q_block": 32, "k_block": 32, "exponential": 5, "rescale": 0, "overlap": 0}
        return Space(_FORWARD, naive)
