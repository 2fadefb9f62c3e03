"""What this machine has: instruction sets, caches, cores, compiler, accelerator; and its roofline, measured."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from hardware.kernels import compiler
from hardware.kernels import cpu as processor
from hardware.kernels.compiler import BuildError

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
_PACKAGES = ("torch", "numpy", "triton")
_SECONDS = 0.2
"""For each rate of the roofline."""
_LIMIT_S = 60.0
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


class Roofline(BaseModel, frozen=True, extra="forbid"):
    """The most that one core does, measured: billions of operations and of bytes a second."""

    gflops: dict[str, float]
    """dtype → rate of matrix products, by the widest unit that the processor has for it."""
    copy_gbs: float
    """Bytes read plus bytes written, where neither is in a cache."""

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
    """The compiler's own first line; empty if there is none."""
    accelerator: str
    """Name of the GPU; empty if there is none."""
    versions: dict[str, str]
    roofline: Roofline | None = None


def survey(roofline: bool = True) -> Machine:
    """Return what this machine is; with ``roofline`` it also measures for a second what one core can do."""
    info = processor.cpu_info()
    flags = (info.get("flags") or info.get("Features") or "").split()
    return Machine(
        processor=info.get("model name") or platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        caches_kib=_caches(),
        instructions=tuple(name for name in INSTRUCTION_SETS if name in flags),
        compiler=_compiler_version(),
        accelerator=_accelerator(),
        versions={"python": platform.python_version(), **_versions()},
        roofline=measure_roofline() if roofline else None,
    )


def measure_roofline() -> Roofline:
    """Measure the matrix and copy rates of one core, in a process of its own.

    bf16 is measured on the matrix unit (AMX) or else in vectors (AVX512_BF16), fp16 in vectors (AVX512_FP16), each
    where the compiler has it for this processor; where not, it is the rate of fp32. Raises BuildError: no compiler, or
    what it made does not run.
    """
    flags = ["-march=native"] if platform.machine() == "x86_64" else []
    library = compiler.build(compiler.NATIVE / "roofline.cpp", flags)
    command = [sys.executable, "-I", "-c", _MEASURE, str(library), str(_SECONDS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"the roofline cannot be measured: {_last_line(error.stderr) or error}") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"the roofline cannot be measured in {_LIMIT_S:g} s") from None
    fp32, bf16, fp16, copy = (float(word) for word in done.stdout.split())
    return Roofline(gflops={"fp32": fp32, "bf16": bf16, "fp16": fp16}, copy_gbs=copy)


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "")


_MEASURE = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
for name in ("matrix_rate_fp32", "matrix_rate_bf16", "matrix_rate_fp16", "copy_rate"):
    rate = getattr(library, name)
    rate.restype, rate.argtypes = ctypes.c_double, [ctypes.c_double]
    print(rate(float(sys.argv[2])))
"""


def _caches() -> dict[str, int]:
    """The sizes in KiB by name; a cache whose size is not told, as in some virtual machines, is left out."""
    found = {}
    for folder in sorted(_CACHES.glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        name = f"L{level}" + {"Data": "d", "Instruction": "i"}.get(kind, "")
        number = re.fullmatch(r"(\d+)K", size)
        if number:
            found[name] = int(number[1])
    return found


def _compiler_version() -> str:
    program = compiler.compiler()
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.splitlines()[0] if done.stdout else ""


def _accelerator() -> str:
    """The name of the first CUDA device, asked of the driver itself: torch takes seconds to load."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetName(name, 100, device):
        return ""
    return name.value.decode()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
