"""Define the fp32 template for any processor with a C++ compiler: AVX2, SSE or NEON vectors."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from hardware.kernels.candidate import ParameterSpace, Value
from hardware.kernels.families.compiled import CompiledFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardware.kernels.machine import Machine
    from hardware.kernels.problem import Problem

# AVX-512 has a separate family. On other processors the default target of the compiler includes vectors.
_FLAGS: Final = ("-march=native", "-mno-avx512f") if platform.machine() in ("x86_64", "AMD64") else ()


def is_buildable(values: Mapping[str, Value]) -> bool:
    """Return whether a tile has an accumulator for each vector of its width."""
    return int(values["accumulators"]) >= max(int(values["width"]), int(values["out_width"]))


class PortableFamily(CompiledFamily):
    """The template in ``native/fp32.cpp``, without AVX-512. It computes in fp32 whatever the dtype of its inputs.

    Parameters:

    - ``width``: vectors of queries in a panel.
    - ``out_width``: vectors of the head in a tile of the output.
    - ``accumulators``: sums in a register tile, which determine its rows.
    - ``k_block``: keys between two updates of the running maximum.
    - ``lazy``: rescale only when the maximum has grown by 2^8.
    - ``degree``: degree of the polynomial of the exponential.
    - ``copy``: whether keys and values are copied to a new layout for each head.
    - ``prefetch``: rows that are prefetched when there are few queries.
    """

    name = "portable"
    summary = "C++ template for any compiler: AVX2, SSE or NEON vectors"
    source = "fp32.cpp"
    headers = ("vector.h", "tiles.h", "pack.h", "softmax.h", "panels.h", "forward.h", "stream.h", "backward.h")
    flags = _FLAGS
    dtypes = ("fp32", "bf16", "fp16")
    accumulators: tuple[int, ...] = (2, 4, 6, 8, 10, 12)

    def space(self, machine: Machine, problem: Problem) -> ParameterSpace:
        """Return the parameters; the default has a small square tile, small blocks and a precise exponential."""
        choices = {
            "width": (1, 2, 3, 4, 6),
            "out_width": (1, 2, 4),
            "accumulators": self.accumulators,
            "k_block": (16, 32, 48, 64, 96, 128, 256, 512),
            "lazy": (0, 1),
            "degree": (3, 4, 5, 6),
            "copy": (0, 1),
            "prefetch": (0, 4, 16, 64),
        }
        default = {
            "width": 1,
            "out_width": 1,
            "accumulators": 4,
            "k_block": 32,
            "lazy": 0,
            "degree": 6,
            "copy": 1,
            "prefetch": 0,
        }
        return ParameterSpace(choices, default, is_buildable)


FAMILY = PortableFamily()
