"""Detect the machine (instruction sets, caches, cores, compiler, accelerator) and measure its roofline."""

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

from hardware.kernels import compiler, cpu
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
"""Instruction sets that families use, as Linux names them."""
_PACKAGES = ("torch", "numpy", "triton")
_RATE_SECONDS = 0.2
"""Measuring time of each rate of the roofline [s]."""
_TIMEOUT_SECONDS = 60.0
CACHES_FOLDER = Path("/sys/devices/system/cpu/cpu0/cache")


class Roofline(BaseModel, frozen=True, extra="forbid"):
    """Measured peak rates of one core: operations and bytes per second, in billions."""

    gflops: dict[str, float]
    """Dtype → rate of matrix products on the widest unit for it [billion operations/s]."""
    copy_gbs: float
    """Rate of copies outside the caches, bytes read plus bytes written [GB/s]."""

    def seconds(self, flops: float, traffic: float, dtype: str) -> float:
        """Return the shortest time for a number of operations and bytes moved [s]."""
        return max(flops / (self.gflops[dtype] * 1e9), traffic / (self.copy_gbs * 1e9))


class Machine(BaseModel, frozen=True, extra="forbid"):
    """Description of a machine, as stored with its measurements."""

    processor: str
    architecture: str
    cores: int
    memory_gib: float
    caches_kib: dict[str, int]
    instructions: tuple[str, ...]
    compiler: str
    """First line of the compiler version; empty without a compiler."""
    accelerator: str
    """Name of the GPU; empty without a GPU."""
    versions: dict[str, str]
    roofline: Roofline | None = None


def detect_machine(roofline: bool = True) -> Machine:
    """Return the description of this machine; ``roofline``: also measure the roofline, which takes a second."""
    info = cpu.cpu_info()
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
    """Measure the matrix and copy rates of one core, in a separate process.

    bf16 is measured on the matrix unit (AMX), else in vectors (AVX512_BF16); fp16 is measured in vectors
    (AVX512_FP16). If the compiler does not support them for this processor, the rate of fp32 is used. Raises BuildError
    without a compiler, or if the compiled program does not run.
    """
    flags = ["-march=native"] if platform.machine() == "x86_64" else []
    library = compiler.build(compiler.NATIVE_DIR / "roofline.cpp", flags)
    command = [sys.executable, "-I", "-c", _MEASURE, str(library), str(_RATE_SECONDS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"the roofline cannot be measured: {_last_line(error.stderr) or error}") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"the roofline cannot be measured in {_TIMEOUT_SECONDS:g} s") from None
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
    """Return the cache sizes by name [KiB]; caches of unknown size (in some virtual machines) are left out."""
    found = {}
    for folder in sorted(CACHES_FOLDER.glob("index*")):
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
    program = compiler.find_compiler()
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.splitlines()[0] if done.stdout else ""


def _accelerator() -> str:
    """Return the name of the first CUDA device, from the driver, because loading torch takes seconds."""
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
