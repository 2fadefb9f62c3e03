"""The fp32 template for processors with AVX-512: vectors of 16 numbers and 32 registers."""

from __future__ import annotations

from hardware.kernels.families.portable import PortableFamily


class Avx512Family(PortableFamily):
    """The template in ``native/fp32.cpp`` at full width; parameters as in `PortableFamily`, with larger tiles."""

    name = "avx512"
    summary = "C++ template, AVX-512"
    flags = ("-march=native", "-mprefer-vector-width=512")
    needs = ("avx512f", "avx512bw")
    accumulators = (4, 8, 12, 16, 24, 28)


FAMILY = Avx512Family()
