"""What this machine has: instruction sets, caches, cores, compiler, accelerator, isolation; and its roofline."""

from __future__ import annotations

from pydantic import BaseModel

INSTRUCTION_SETS = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "asimd",
)
"""Those that a family may ask for, as Linux names them."""


class Roofline(BaseModel, frozen=True, extra="forbid"):
    """The most that one core does, measured: billions of operations and of bytes a second."""

    gflops: dict[str, float]
    """dtype → matrix rate."""
    copy_gbs: float

    def seconds(self, flops: float, traffic: float, dtype: str) -> float:
        """Return the least time for so many operations and bytes moved."""
        return max(flops / (self.gflops[dtype] * 1e9), traffic / (self.copy_gbs * 1e9))


class Machine(BaseModel, frozen=True, extra="forbid"):
    """A machine, as its measurements carry it."""

    processor: str
    architecture: str
    cores: int
    memory_gib: float
    caches_kib: dict[str, int]
    instructions: tuple[str, ...]
    compiler: str
    accelerator: str
    """Name of the GPU, empty if none."""
    versions: dict[str, str]
    roofline: Roofline | None = None
