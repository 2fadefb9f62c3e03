"""Compile C++ to shared objects, and cache them by source, flags, compiler and processor."""

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

NATIVE_DIR: Final = Path(__file__).parent / "native"
"""Folder of the C++ sources of this package."""
FLAGS: Final = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
TIMEOUT_SECONDS: Final = 180.0
"""Longest time of a build [s]."""


class BuildError(Exception):
    """A candidate could not be built; the message is the first error of the compiler."""


def find_compiler() -> str | None:
    """Return the path of the C++ compiler: ``$CXX``, g++, clang++ or c++; None without a compiler."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def cache_folder() -> Path:
    """Return the folder of built objects: ``$ASARA_CACHE``, else ``~/.cache/asara``."""
    named = os.environ.get("ASARA_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "asara"


def build(source: Path, flags: Sequence[str] = ()) -> Path:
    """Return the shared object of a source of this package, compiled unless the cache has it.

    Several processes may build the same object at once: each compiles, and the finished file replaces another one
    atomically. Raises BuildError if there is no compiler or the build fails.
    """
    program = find_compiler()
    if program is None:
        raise BuildError("no C++ compiler: install g++, or name one in CXX")
    headers = sorted(NATIVE_DIR.glob("*.h"))
    key = build_digest(program, flags, *(path.read_bytes() for path in [source, *headers]))
    target = cache_folder() / f"{source.stem}-{key[:24]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            _compile([program, *FLAGS, *flags, "-I", str(NATIVE_DIR), str(source), "-o", str(made)])
            made.replace(target)
    return target


def build_digest(program: str, flags: Sequence[str], *texts: bytes) -> str:
    """Return the cache key of a build: texts, command, compiler version and processor (for ``-march=native``)."""
    command = " ".join([program, *FLAGS, *flags]).encode()
    return sha256(b"\0".join([*texts, command, compiler_version(program), cpu.identity().encode()])).hexdigest()


def compiler_version(program: str) -> bytes:
    """Return the version text of a compiler."""
    return subprocess.run([program, "--version"], capture_output=True, check=False, timeout=TIMEOUT_SECONDS).stdout


def _compile(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise BuildError(f"the compiler took longer than {TIMEOUT_SECONDS:g} s") from None
    if done.returncode:
        raise BuildError(first_error(done.stderr))


def first_error(text: str) -> str:
    """Return the first error of a compiler's output, or its last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[-1] if lines else "the compiler failed silently")[
        :500
    ]
