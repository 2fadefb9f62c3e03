"""C++ into a shared object with the system's compiler, once for each source, set of flags and processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from hardware.kernels import cpu

NATIVE: Final = Path(__file__).parent / "native"
"""Where our own C++ lies."""
FLAGS: Final = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
SECONDS: Final = 180.0
"""A build that takes longer is given up."""


class BuildError(Exception):
    """A candidate could not be built; the message is the compiler's first complaint."""


def compiler() -> str | None:
    """Return the path of the C++ compiler: ``$CXX``, g++ or clang++; None where there is none."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def cache_folder() -> Path:
    """Return the folder of what was built: ``$ASARA_CACHE``, else ``~/.cache/asara``."""
    named = os.environ.get("ASARA_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asara"


def build(source: Path, flags: Sequence[str] = ()) -> Path:
    """Return the shared object of one of our own sources, compiled unless it was before.

    Several processes may ask for the same at once: each compiles, and a whole file takes the place of another. Raises
    BuildError if there is no compiler or it refuses.
    """
    program = compiler()
    if program is None:
        raise BuildError("no C++ compiler: install g++, or name one in CXX")
    headers = sorted(NATIVE.glob("*.h"))
    key = digest(program, flags, *(path.read_bytes() for path in [source, *headers]))
    target = cache_folder() / f"{source.stem}-{key[:24]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            _compile([program, *FLAGS, *flags, "-I", str(NATIVE), str(source), "-o", str(made)])
            made.replace(target)
    return target


def digest(program: str, flags: Sequence[str], *texts: bytes) -> str:
    """Return a name for what a compiler makes of these texts here; of the processor too, since flags may name it."""
    command = " ".join([program, *FLAGS, *flags]).encode()
    return sha256(b"\0".join([*texts, command, version(program), cpu.identity().encode()])).hexdigest()


def version(program: str) -> bytes:
    """Return what a compiler says of itself."""
    return subprocess.run([program, "--version"], capture_output=True, check=False, timeout=SECONDS).stdout


def _compile(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise BuildError(f"the compiler took longer than {SECONDS:g} s") from None
    if done.returncode:
        raise BuildError(first_error(done.stderr))


def first_error(text: str) -> str:
    """Return the first error of a compiler's output, or its last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[-1] if lines else "the compiler failed silently")[
        :500
    ]
